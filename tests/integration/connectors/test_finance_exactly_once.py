"""Wherever the platform dies while it brings a delivery, every file is delivered once: into a folder, and over a real OpenSSH."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from finance_sides import Side, sftp_settings, side
from openssh_server import OpenSsh

from connectors.finance.client import opened
from connectors.finance.manifest import Manifest, ManifestFile
from connectors.finance.places import Place
from connectors.finance.settings import Bounds
from core import clock
from core.errors import NeedsOperator
from flows.invoices import delivering
from tests.addresses import LOOPBACK

__all__ = ["side"]
DELIVERY = "21400999500017_F-2026-001_10000001"
PIVOT, PDF = b"<CPPFacturePivot/>", b"%PDF-1.7 invented"


class Killed(BaseException):
    """The process is no more."""


class Worker:
    """A worker that brings a delivery, and dies where it is told to: what it had noted is all that is left of it.

    Attributes:
        sending: what the database holds of the delivery.
        dies: how many effects it lives to begin; the half ones end an effect and then it dies.
    """

    def __init__(self, side: Side, folder: Path) -> None:
        self.side, self.folder = side, folder
        manifest = Manifest(
            DELIVERY,
            "01",
            1,
            "2026-11-23T19:55:26Z",
            {"number": "F-2026-001"},
            (),
            (_file("xml", PIVOT), _file("pdf", PDF)),
            "/v1",
        )
        self.kept = {hashlib.sha256(octets).hexdigest(): octets for octets in (PIVOT, PDF, manifest.octets())}
        self.names = sorted([f"{DELIVERY}.json", f"{DELIVERY}.pdf", f"{DELIVERY}.xml"])
        self.sending: dict[str, Any] = {
            "delivery": DELIVERY,
            "sha256": hashlib.sha256(manifest.octets()).hexdigest(),
            "phase": delivering.INTENDED,
            "at": clock.iso(clock.now()),
        }
        self.dies: float | None = None
        self.effects = 0.0

    def bring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bring the delivery, in a process of its own as it were."""
        folder = self.folder / f"{self.effects}-{self.dies}"
        folder.mkdir()
        self.effects = 0
        store = SimpleNamespace(fetch=lambda sha256, target: target.write_bytes(self.kept[sha256]))
        work: Any = SimpleNamespace(platform=SimpleNamespace(objects=store), organisation_id="", folder=folder, note=self.note)
        monkeypatch.setattr(delivering, "bounds_of", lambda *_where: self.side.bounds)
        monkeypatch.setattr(delivering, "opened", self.watched)
        delivering.bring(work, self.side.settings, self.sending)

    def note(self, _kind: str, *, handing: dict[str, Any]) -> None:
        with self.effect():
            self.sending = handing

    @contextmanager
    def watched(self, place: Any, bounds: Bounds) -> Iterator[Any]:
        with opened(place, bounds) as there:
            yield _Watched(there, self)

    @contextmanager
    def effect(self) -> Iterator[None]:
        if self.dies == self.effects:
            raise Killed
        yield
        if self.dies == self.effects + 0.5:
            raise Killed
        self.effects += 1

    def taken(self) -> Counter[str]:
        """Take what is delivered, as a software does that empties its folder."""
        found = Counter[str]()
        for path in (self.side.root / "depot").iterdir():
            if path.suffix != ".part":
                found[path.name] += 1
                path.unlink()
        return found


class _Watched:
    def __init__(self, place: Place, worker: Worker) -> None:
        self._place, self._worker = place, worker

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._place, name)
        if name not in {"upload", "publish"}:
            return method

        def done(*arguments: Any) -> None:
            with self._worker.effect():
                method(*arguments)

        return done


def _file(suffix: str, octets: bytes) -> ManifestFile:
    digest = hashlib.sha256(octets).hexdigest()
    return ManifestFile("pivot", "a", f"{DELIVERY}.{suffix}", "application/xml", len(octets), digest, None, "/v1")


@pytest.fixture
def worker(side: Side, tmp_path: Path) -> Worker:
    folder = tmp_path / "work"
    folder.mkdir()
    return Worker(side, folder)


@pytest.mark.parametrize("emptied", [False, True], ids=["left", "emptied at once"])
@pytest.mark.parametrize("dies", [number / 2 for number in range(14)])
def test_a_death_anywhere_leaves_every_file_delivered_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, *, dies: float, emptied: bool
) -> None:
    worker.dies = dies
    with pytest.raises(Killed):
        worker.bring(monkeypatch)
    found = worker.taken() if emptied else Counter[str]()
    worker.dies = None
    worker.bring(monkeypatch)
    assert found + worker.taken() == Counter(worker.names)
    assert worker.side.names == []


def test_there_are_no_more_effects_than_were_tried(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.bring(monkeypatch)
    assert worker.effects == 7  # three uploads, the note, three publications


def test_a_repeat_of_what_was_delivered_changes_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.bring(monkeypatch)
    before = {path.name: path.stat().st_mtime_ns for path in (worker.side.root / "depot").iterdir()}
    worker.effects = 100
    worker.bring(monkeypatch)
    assert {path.name: path.stat().st_mtime_ns for path in (worker.side.root / "depot").iterdir()} == before
    assert sorted(before) == worker.names


@pytest.mark.parametrize("dies", [None, 3.5], ids=["before anything left", "between two publications"])
def test_the_file_of_somebody_else_is_never_touched(worker: Worker, monkeypatch: pytest.MonkeyPatch, dies: float | None) -> None:
    worker.dies = dies
    if dies is not None:
        with pytest.raises(Killed):
            worker.bring(monkeypatch)
        worker.dies = None
    (worker.side.root / "depot" / worker.names[0]).write_bytes(b"of somebody else")
    with pytest.raises(NeedsOperator, match="Un autre fichier"):
        worker.bring(monkeypatch)
    assert (worker.side.root / "depot" / worker.names[0]).read_bytes() == b"of somebody else"


def test_what_was_interrupted_long_ago_and_left_nothing_is_for_a_person(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.dies = 4
    with pytest.raises(Killed):
        worker.bring(monkeypatch)
    for path in (worker.side.root / "depot").iterdir():
        path.unlink()
    worker.dies, worker.sending = None, worker.sending | {"at": "2026-01-05T10:00:00Z"}
    with pytest.raises(NeedsOperator, match="douze heures"):
        worker.bring(monkeypatch)
    assert worker.side.names == []


def test_a_half_written_temporary_file_is_written_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.dies = 4
    with pytest.raises(Killed):
        worker.bring(monkeypatch)
    (worker.side.root / "depot" / f"{DELIVERY}.xml.part").write_bytes(b"<CPP")
    worker.dies = None
    worker.bring(monkeypatch)
    assert (worker.side.root / "depot" / f"{DELIVERY}.xml").read_bytes() == PIVOT


def test_over_sftp_nothing_is_concluded_of_a_directory_that_went_away(
    openssh: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.finance.errors import PlaceMissing

    def same(**changes: object) -> Any:
        return sftp_settings(openssh, **changes)

    worker = Worker(Side(openssh.root, same(), Bounds(networks=LOOPBACK), same), tmp_path)
    worker.dies = 4
    with pytest.raises(Killed):
        worker.bring(monkeypatch)
    worker.dies = None
    openssh.depot.rename(openssh.root / "away")
    with pytest.raises(PlaceMissing):
        worker.bring(monkeypatch)
