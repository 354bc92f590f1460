"""One delivery for each flow, and one answer, whatever is killed meanwhile: a simulator in a process of its own."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from connectors.helios import errors
from connectors.helios.client import Session
from connectors.helios.connection import connect
from connectors.helios.remote_name import Routing, remote_name
from connectors.helios.settings import HeliosGateway
from connectors.helios.simulated_ledger import Ledger
from connectors.helios.simulated_sftp import Account
from connectors.helios.simulator import GatewaySimulator
from schemas.pes.acquit import Answer, read_acquit
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SchemaSets
from signing.trust import TrustStore

T = TypeVar("T")
FLOWS = 24
KILLED_AFTER = {3: 0.0, 7: 0.004, 8: 0.008, 11: 0.012, 15: 0.016, 19: 0.02}  # seconds after this flow's upload
PATIENCE = 30.0
ROUTING = Routing("PESALR1", "123", "099012", "00")
SERVER = """
import sys, time
from pathlib import Path
from connectors.helios.simulated_sftp import Account
from connectors.helios.simulator import GatewaySimulator
from schemas.pes.versions import SchemaSets
from signing.trust import TrustStore
simulator = GatewaySimulator(Path(sys.argv[1]), accounts=[Account("ville", password="x")], schemas=SchemaSets(),
                             trust=TrustStore(()), delay=0, port=int(sys.argv[2]))
simulator.start()
time.sleep(600)
"""


class Server:
    """The simulator's process, started again after each kill."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SERVER, str(self.folder), str(self.port)])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.process = self._start()


@pytest.fixture
def gateway(tmp_path: Path) -> HeliosGateway:
    """Settings that stay right over restarts: the host key is kept in the folder, the port is chosen now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    simulator = GatewaySimulator(
        tmp_path / "simulator",
        accounts=[Account("ville", password="x")],
        schemas=SchemaSets(),
        trust=TrustStore(()),
        port=port,
    )
    return simulator.settings_for("ville")


def test_killing_the_gateway_leaves_each_flow_delivered_and_answered_once(tmp_path: Path, gateway: HeliosGateway) -> None:
    server = Server(tmp_path / "simulator", gateway.port)
    try:
        for rank in range(FLOWS):
            path = tmp_path / f"flow{rank}.xml"
            write_sample(Sample(f"FLUX{rank}", first_bordereau=1000 + rank, dematerialised=False, attachment_size=None), path)
            after = KILLED_AFTER.get(rank)
            deliver(gateway, path, None if after is None else threading.Timer(after, server.restart))
        answers = collect(gateway, tmp_path / "acquits", FLOWS)
        server.restart()
        assert not collect(gateway, tmp_path / "acquits", 0)
    finally:
        server.kill()
    received = Ledger(tmp_path / "simulator").received()
    assert Counter(delivery.nom_fic for delivery in received) == Counter({f"FLUX{rank}": 1 for rank in range(FLOWS)})
    assert answers == Counter({(f"FLUX{rank}", Answer.ACCEPTED): 1 for rank in range(FLOWS)})


def deliver(gateway: HeliosGateway, path: Path, disturbance: threading.Timer | None) -> None:
    """Do what the flow does: upload, note the intention, publish, and ask what happened when the connection breaks."""
    name = remote_name(gateway, ROUTING, hashlib.sha1(path.read_bytes()).hexdigest())
    size = persist(gateway, lambda session: session.upload(path, name))
    if disturbance is not None:
        disturbance.start()

    def publish(session: Session) -> None:
        with suppress(errors.TemporaryMissing):  # uploaded for sure, hence renamed before the connection broke
            session.publish(name, size)

    persist(gateway, publish)
    if disturbance is not None:
        disturbance.join()


def persist(gateway: HeliosGateway, step: Callable[[Session], T]) -> T:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with connect(gateway) as session:
                return step(session)
        except errors.GatewayUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def collect(gateway: HeliosGateway, folder: Path, count: int) -> Counter[tuple[str | None, Answer | None]]:
    """Fetch so many acquits, and all others that are there."""
    folder.mkdir(exist_ok=True)
    deadline = time.monotonic() + PATIENCE
    found: Counter[tuple[str | None, Answer | None]] = Counter()

    def take(session: Session) -> None:
        for response in session.list_responses():
            session.fetch(response.name, folder / response.name)
            session.remove(response.name)
            acquit = read_acquit(folder / response.name)
            found[acquit.header.nom_fic, acquit.answer] += 1

    persist(gateway, take)
    while found.total() < count and time.monotonic() < deadline:
        persist(gateway, take)
    return found
