"""Killed anywhere, doubled, or without its broker, the platform delivers each flow once and seals one record of it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from archive.models import Record, TreeHead, TreeLeaf
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.engine.relay import Hint, Relay
from tests.chaos.conftest import environment_of, worker
from tests.chaos.points import POINTS
from tests.conftest import Shape, free_port
from tests.town import Town
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(420)


def states(town: Town) -> Counter[str]:
    with town.platform.database.reading(PLATFORM) as session:
        return Counter(session.exec(select(Dossier.state)).all())


def assert_each_delivered_and_sealed_once(town: Town, dossiers: list[str]) -> None:
    deliveries = Counter(delivery.nom_fic for delivery in town.played.gateway.received())
    assert set(deliveries.values()) == {1}, deliveries
    assert len(deliveries) == len(dossiers)
    with town.platform.database.reading(PLATFORM) as session:
        records = session.exec(select(Record)).all()
        kinds = Counter((entry.dossier_id, entry.kind) for entry in session.exec(select(JournalEntry)))
    assert sorted(record.dossier_id for record in records) == sorted(dossiers)
    assert all(town.platform.objects.sealed_versions(record.key) == 1 for record in records)
    once = ("helios.check.accepted", "helios.sign.sealed", "helios.transmit.sent", "helios.accepted", "record.sealed")
    assert all(kinds[dossier, kind] == 1 for dossier in dossiers for kind in once)


def assert_tree_is_whole(town: Town) -> None:
    """Every entry has one place, and the last head covers them."""

    def covered() -> bool:
        with town.platform.database.reading(PLATFORM) as session:
            entries = len(session.exec(select(JournalEntry.id)).all())
            places = sorted(session.exec(select(TreeLeaf.position)).all())
            heads = session.exec(select(TreeHead.size)).all()
        return places == list(range(entries)) and max(heads, default=0) == entries

    wait_until(covered)


@pytest.mark.parametrize("shape", ["embedded", "postgresql-rabbitmq"], indirect=True)
def test_a_kill_at_every_boundary_delivers_once_and_seals_once(town: Town, shape: Shape, tmp_path: Path) -> None:
    environment = environment_of(town, shape)
    dossiers = []
    for rank, point in enumerate(POINTS):
        dossiers.append(town.push(f"PES_KILL_{rank:03d}"))
        with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
            died = process.wait(timeout=60)
        assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}"
    with worker(environment):
        wait_until(lambda: states(town) == {"archived": len(POINTS)}, 90, lambda: f"{states(town)}")
        assert_tree_is_whole(town)
    assert_each_delivered_and_sealed_once(town, dossiers)


def test_every_message_doubled_delivers_once_and_seals_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    def twice(relay: Relay, hint: Hint) -> None:
        publish(relay, hint)
        publish(relay, hint)

    monkeypatch.setattr(Relay, "_publish", twice)
    dossiers = [town.push(f"PES_DOUBLE_{rank}") for rank in range(5)]
    with town.at_work():
        for dossier in dossiers:
            town.wait_for(dossier, "archived")
    assert_each_delivered_and_sealed_once(town, dossiers)


class PrivateRedis:
    """A Redis of the test's own that keeps nothing on disk: killed, it forgets every message."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ping = ["redis-cli", "-p", str(self.port), "ping"]
        wait_until(lambda: subprocess.run(ping, capture_output=True, check=False).stdout == b"PONG\n")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@pytest.fixture
def private_redis() -> Iterator[PrivateRedis]:
    redis = PrivateRedis()
    redis.start()
    yield redis
    redis.kill()


@pytest.mark.parametrize("shape", ["postgresql-redis"], indirect=True)
def test_a_broker_killed_with_all_its_messages_loses_nothing(town: Town, shape: Shape, private_redis: PrivateRedis) -> None:
    url = f"redis://127.0.0.1:{private_redis.port}/0"
    environment = environment_of(town, Shape(shape.name, shape.database_url, url))
    dossiers = [town.push(f"PES_BROKER_{rank}") for rank in range(6)]
    with worker(environment):
        wait_until(lambda: states(town)["received"] < len(dossiers), 60, lambda: f"{states(town)}")
        for _ in range(3):
            private_redis.kill()
            time.sleep(0.5)
            private_redis.start()
            time.sleep(1)
        wait_until(lambda: states(town) == {"archived": len(dossiers)}, 90, lambda: f"{states(town)}")
    assert_each_delivered_and_sealed_once(town, dossiers)
