"""What a list of the signing book costs when ten thousand folders lie at one desk: its page and its counters over HTTP.

The ceiling beside it is the same web process answering ``/health/live``, which asks nothing of anything.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from sqlalchemy import text

from bench.places import SHAPES, Place, place, web
from core.principal import PLATFORM
from tests.parapheur_office import PASSWORD, multiply, open_office

FOLDERS = 10_000
_ROUNDS = 60
_PERCENT = 95


@dataclass(frozen=True)
class Row:
    """Milliseconds at the server's door, on a shape: half of the answers were faster than ``p50``, all but one in twenty ``p95``.

    Attributes:
        page: what was asked for.
        bare: the median of an answer that asks nothing.
    """

    shape: str
    page: str
    p50: float
    p95: float
    bare: float


def rows() -> Iterator[Row]:
    """Measure each shape."""
    for shape in SHAPES:
        with place(shape) as here, web(here) as (address, _):
            email, folder = _furnished(here)
            pages = {
                "first page of the list": "/parapheur",
                "narrowed to a word": "/parapheur?q=dossier",
                "counters": "/parapheur/compteurs",
                "a folder in the list": f"/parapheur/dossiers/{folder}?depuis=a-traiter",
            }
            with httpx.Client(base_url=f"http://{address}", timeout=120) as client:
                _sign_in(client, email)
                bare = statistics.median(_times(client, "/health/live"))
                for name, page in pages.items():
                    times = sorted(_times(client, page))
                    yield Row(shape, name, statistics.median(times), times[len(times) * _PERCENT // 100], bare)


def _furnished(here: Place) -> tuple[str, str]:
    office = open_office(here.platform, here.organisation, "mesure.exemple.test")
    folder = office.folder("Un dossier parmi d’autres")
    with here.platform.database.writing(PLATFORM) as session:
        multiply(session, folder, FOLDERS)
    with here.platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return office.people["mayor"].email, folder


def _sign_in(client: httpx.Client, email: str) -> None:
    csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
    client.post("/connexion", data={"csrf": csrf, "email": email, "password": PASSWORD})


def _times(client: httpx.Client, address: str) -> list[float]:
    for _ in range(3):  # warm
        assert client.get(address).status_code == 200, address
    return [_time(client, address) for _ in range(_ROUNDS)]


def _time(client: httpx.Client, address: str) -> float:
    started = time.perf_counter()
    client.get(address).raise_for_status()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    for row in rows():
        print(f"{row.shape:28} {row.page:24} p50 {row.p50:6.0f} ms  p95 {row.p95:6.0f} ms  bare {row.bare:4.1f} ms")
