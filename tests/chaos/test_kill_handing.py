"""Killed anywhere between an invoice and the answer of the finance software, the platform hands it over once, and hears it."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dramatiq
import pytest

from core.organisations import Organisation
from core.platform import Platform
from core.s3_server import S3Server
from tests.books import Books
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import HANDING_POINTS
from tests.conftest import Shape
from tests.waiting import wait_until


@pytest.fixture
def books(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Books:
    (tmp_path / "handovers").mkdir()
    return Books(platform, broker, mairie, tmp_path / "handovers")


@contextmanager
def emptied(depot: Path) -> Iterator[Counter[str]]:
    """A software that takes each file as soon as it is delivered, and answers once it has the manifest; what it took, by name."""
    taken, stop = Counter[str](), threading.Event()

    def empty() -> None:
        while not stop.wait(0.005):
            for path in depot.iterdir():
                if path.suffix in {".xml", ".json"}:
                    taken[path.name] += 1
                    path.unlink()
                    if path.suffix == ".json":
                        (depot / f"{path.stem}.ok").write_bytes(b"")

    software = threading.Thread(target=empty)
    software.start()
    try:
        yield taken
    finally:
        stop.set()
        software.join()


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_leaves_one_delivery(books: Books, shape: Shape, s3: S3Server, tmp_path: Path) -> None:
    books.into_folder()
    environment = environment_of(books.platform, s3, shape) | {"TABELLION_HANDOVER_DIR": str(books.folder)}
    invoices = []
    with emptied(books.depot_folder) as taken:
        for rank, point in enumerate(HANDING_POINTS):
            invoices.append(books.invoice(f"F2026-{rank:04d}"))
            with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
                process.join(timeout=120)
                died = process.exitcode
            assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
        with worker(environment):
            wait_until(
                lambda: {books.dossier(one).state for one in invoices} == {"following"},
                seen=lambda: repr([(books.dossier(one).state, books.dossier(one).parked) for one in invoices]),
            )
    handovers = [books.handovers(one) for one in invoices]
    assert all(len(found) == 1 and found[0].state == "taken" for found in handovers)
    assert taken == Counter(f"{found[0].delivery}{suffix}" for found in handovers for suffix in (".xml", ".json"))
    wait_until(lambda: not [name for name in books.depot if not name.endswith(".ok")], seen=lambda: repr(books.depot))
