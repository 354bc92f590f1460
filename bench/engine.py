"""What the engine costs by itself: a flow whose stages do nothing, so that all the time goes to claim, record and dispatch.

python -m bench.engine     a worker with its relay, for that flow
"""

from __future__ import annotations

import sys
import time

from sqlalchemy import func
from sqlmodel import col, select

from api.cli.output import wait_for_the_end
from bench.places import Place, place, process, until
from core.platform import open_platform
from core.principal import PLATFORM
from core.settings import load_settings
from flows.engine.brokers import open_broker, worker_of
from flows.engine.execution import Engine
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier
from flows.engine.relay import Relay
from flows.engine.table import End, Flow, On, stage
from flows.engine.work import Advance, KeptFile, Work

DOSSIERS = 400
STEPS = 4


@stage("cpu", "done")
def first(_work: Work) -> Advance:
    return Advance("done")


@stage("cpu", "done")
def second(_work: Work) -> Advance:
    return Advance("done")


@stage("cpu", "done")
def third(_work: Work) -> Advance:
    return Advance("done")


@stage("cpu", "done")
def fourth(_work: Work) -> Advance:
    return Advance("done")


IDLE = Flow(
    "idle",
    On("received", first, done="begun"),
    On("begun", second, done="half"),
    On("half", third, done="nearly"),
    On("nearly", fourth, done="ended"),
    End("ended", good=True),
)


def steps_per_second(shape: str) -> float:
    """Return how many steps a second one worker process claims and records, the backlog deposited first."""
    with place(shape) as here:
        for rank in range(DOSSIERS):
            document = KeptFile("document", "x", "text/plain", f"{rank:064x}", 1)
            receive(here.platform.database, IDLE, PLATFORM, Deposit(here.organisation.id, "x", document, reference=f"{rank}"))
        with process(here, sys.executable, "-m", "bench.engine"):
            until(lambda: _ended(here) > 0, 60)
            ended, started = _ended(here), time.monotonic()
            until(lambda: _ended(here) == DOSSIERS, 300)
            return (DOSSIERS - ended) * STEPS / (time.monotonic() - started)


def _ended(here: Place) -> int:
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Dossier).where(col(Dossier.state) == "ended")).one()


def main() -> None:
    settings = load_settings()
    platform, broker = open_platform(settings), open_broker(settings.broker_url.get_secret_value())
    Engine(platform, broker, [IDLE])
    worker = worker_of(broker, threads=settings.worker_threads)
    worker.start()
    Relay(platform, broker).start()
    wait_for_the_end()


if __name__ == "__main__":
    main()
