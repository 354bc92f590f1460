"""Killed anywhere, doubled, or without its broker, the platform delivers each flow once and seals one record of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from sqlmodel import col, select

from archive.models import Record, TreeHead, TreeLeaf
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.engine.models import Dossier, Step
from flows.engine.relay import Hint, Relay
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import POINTS
from tests.conftest import Shape, free_port
from tests.town import Town
from tests.waiting import wait_until


def states(town: Town) -> Counter[str]:
    with town.platform.database.reading(PLATFORM) as session:
        return Counter(session.exec(select(Dossier.state)).all())


def left_behind(town: Town) -> str:
    """What has not come to its end, and why."""
    with town.platform.database.reading(PLATFORM) as session:
        steps = session.exec(select(Step)).all()
        parked = session.exec(select(Dossier.parked).where(col(Dossier.parked).is_not(None))).all()
        return f"{states(town)}, parked: {parked}, {[step for step in steps if step.trouble or step.lease]}"


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
    environment = environment_of(town.platform, town.s3, shape)
    dossiers = []
    for rank, point in enumerate(POINTS):
        dossiers.append(town.push(f"PES_KILL_{rank:03d}"))
        with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
            process.join(timeout=120)
            died = process.exitcode
        assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
    with worker(environment):
        wait_until(lambda: states(town) == {"archived": len(POINTS)}, 240, lambda: left_behind(town))
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

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._ping = ["redis-cli", "-p", str(port), "ping"]
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log)
        wait_until(lambda: subprocess.run(self._ping, capture_output=True, check=False).stdout == b"PONG\n")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class PrivateRabbit:
    """A RabbitMQ node of the test's own: killed, its channels break and its queues come back from disk."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}"
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(f"listeners.tcp.1 = 127.0.0.1:{self._port}\n")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"chaos{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
        }
        self._log = folder / "rabbitmq.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, 180, self._told)

    def _answers(self) -> bool:
        with contextlib.suppress(pika.exceptions.AMQPError):
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
            return True
        return False

    def _told(self) -> str:
        assert self._process is not None
        return f"exit code {self._process.poll()}, {self._log.read_text(errors='replace')[-2000:]}"

    def kill(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(params=[PrivateRedis, PrivateRabbit])
def private_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateRedis | PrivateRabbit]:
    broker: PrivateRedis | PrivateRabbit = request.param(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.mark.parametrize("shape", ["postgresql-redis"], indirect=True)
def test_a_broker_killed_again_and_again_loses_nothing(
    town: Town, shape: Shape, private_broker: PrivateRedis | PrivateRabbit
) -> None:
    environment = environment_of(town.platform, town.s3, Shape(shape.name, shape.database_url, private_broker.url))
    dossiers = [town.push(f"PES_BROKER_{rank}") for rank in range(6)]
    with worker(environment):
        wait_until(lambda: states(town)["received"] < len(dossiers), seen=lambda: f"{states(town)}")
        for _ in range(2):
            private_broker.kill()
            time.sleep(0.5)
            private_broker.start()
            time.sleep(1)
        wait_until(lambda: states(town) == {"archived": len(dossiers)}, seen=lambda: f"{states(town)}")
    assert_each_delivered_and_sealed_once(town, dossiers)
