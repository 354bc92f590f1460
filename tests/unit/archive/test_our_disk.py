"""A disk of ours that fails is never told as a flaw of the package that lies on it."""

from __future__ import annotations

import errno
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archive.ingest import format_reader, formats
from archive.ingest.inspection import check_package, manifest_of, open_package
from core import sandbox
from core.errors import Misconfigured, Unavailable
from tests.transfers import LETTER, Sip

SIP = Sip(files={"content/lettre.xml": LETTER, "content/note.txt": bytes(range(256)) * 4000}, puids={})
PACKED: dict[str, Callable[[Path], bytes]] = {
    "zip": SIP.zip,
    "tar": lambda folder: SIP.tar(folder, "w"),
    "tar.gz": lambda folder: SIP.tar(folder, "w:gz"),
    "tar.bz2": lambda folder: SIP.tar(folder, "w:bz2"),
}


class Failing:
    """A file whose disk fails after some reads."""

    def __init__(self, file: io.FileIO, reads: int) -> None:
        self._file, self._left = file, reads

    def readinto(self, buffer: memoryview) -> int | None:
        if self._left == 0:
            raise OSError(errno.EIO, "Input/output error")
        self._left -= 1
        return self._file.readinto(buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.fixture
def fails_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Have the disk fail after some reads of each opening of a file."""
    real = Path.open

    def fail(path: Path, reads: int) -> None:
        def opened(self: Path, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any) -> Any:
            file = real(self, mode, buffering, *rest, **more)
            return Failing(file, reads) if self == path and buffering == 0 else file  # type: ignore[arg-type]

        monkeypatch.setattr(Path, "open", opened)

    return fail


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("reads", [0, 1])
def test_a_disk_that_fails_is_not_told_as_a_damaged_package(
    kind: str, reads: int, fails_after: Callable[[Path, int], None], tmp_path: Path
) -> None:
    path = tmp_path / "versement"
    path.write_bytes(PACKED[kind](tmp_path))
    assert check_package(path) == []
    fails_after(path, reads)
    with pytest.raises(Unavailable, match="disque"):
        check_package(path)
    if reads == 0:
        with pytest.raises(Unavailable, match="disque"):
            manifest_of(path, tmp_path / "manifest.xml")


def test_a_disk_that_is_full_is_not_told_as_a_damaged_package(tmp_path: Path) -> None:
    path = tmp_path / "versement"
    path.write_bytes(SIP.zip(tmp_path))
    with open_package(path) as package, pytest.raises(Unavailable, match="disque"):
        package.extract("content/note.txt", Path("/dev/full"))


def test_a_place_that_a_package_names_and_no_file_has_is_its_own_flaw(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as zipped:
        zipped.writestr("manifest.xml", SIP.manifest(tmp_path))
        zipped.infolist()[0].header_offset = (1 << 63) - 2  # no file system goes that far
    path = tmp_path / "versement"
    path.write_bytes(target.getvalue())
    assert [problem.rule for problem in check_package(path)] == ["SEDA-101"]


def test_without_signatures_of_formats_the_platform_is_at_fault_and_no_file_is(tmp_path: Path) -> None:
    told = format_reader.look({"names": ["a"], "signatures": str(tmp_path)})
    assert isinstance(told, str)
    assert "versions.xml" in told


@pytest.mark.parametrize(
    ("answer", "error"),
    [("versions.xml", Misconfigured), (sandbox.Declined("le disque"), Unavailable)],
    ids=["signatures", "disk"],
)
def test_what_the_reader_of_formats_lacks_is_no_flaw_of_the_files(
    answer: str | Exception, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(sandbox, "call", call)
    with pytest.raises(error):
        formats.identify(tmp_path, ["a"])


def test_a_file_that_the_disk_does_not_give_stops_the_reader_of_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(format_reader, "_pdf", lambda _: {})  # fido alone would say nothing of it
    (tmp_path / "a").write_bytes(b"%PDF-1.4")
    (tmp_path / "b").symlink_to("/proc/self/mem")  # to read its beginning is an error of input and output
    with pytest.raises(Unavailable, match="disque"):
        format_reader.look({"names": ["a", "b"], "signatures": ""})
