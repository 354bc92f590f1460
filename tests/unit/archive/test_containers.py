"""Packages in every container: told apart by what they hold, judged before anything is read, and read the same."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from archive.describing import describe
from archive.ingest.inspection import Limits, UnsafePackage, check_package, open_package
from core.problems import Problem
from tests.transfers import LETTER, Sip

SIP = Sip(files={"content/lettre.xml": LETTER, "content/sous/note d’été.txt": b"bonjour\n" * 40_000})


def written(folder: Path, data: bytes) -> Path:
    path = folder / "versement.bin"  # its name says nothing
    path.write_bytes(data)
    return path


def tarred(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode, format=form) as tar:  # type: ignore[call-overload]
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def named(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = "/etc/passwd" if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
    return entry


def keys(problems: list[Problem]) -> list[tuple[str, str | None]]:
    return [(problem.rule, problem.found) for problem in problems if problem.rule != "XSD"]


@pytest.mark.parametrize(
    "packed",
    [
        lambda sip, folder: sip.zip(folder),
        lambda sip, folder: sip.tar(folder, "w"),
        lambda sip, folder: sip.tar(folder, "w:gz"),
        lambda sip, folder: sip.tar(folder, "w:bz2"),
        lambda sip, folder: sip.tar(folder, "w:gz", prefix="./"),
    ],
    ids=["zip", "tar", "tar.gz", "tar.bz2", "tar of a folder"],
)
def test_the_same_transfer_reads_the_same_in_every_container(packed: Callable[[Sip, Path], bytes], tmp_path: Path) -> None:
    path = written(tmp_path, packed(SIP, tmp_path))
    assert check_package(path) == []
    with open_package(path) as package:
        assert package.manifest_name() == "manifest.xml"
        for name, data in SIP.files.items():
            assert (b"".join(package.chunks(name)), package.sizes[name]) == (data, len(data))
    described = describe(path)
    assert described.title == SIP.title
    assert {file.uri: file.size for file in described.files} == {name: len(data) for name, data in SIP.files.items()}


def test_a_zip64_is_taken_and_its_directory_bounded_where_zip64_says_how_large_it_is(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as zipped:
        for name, data in {"manifest.xml": SIP.manifest(tmp_path), **SIP.files}.items():
            with zipped.open(zipfile.ZipInfo(name), "w", force_zip64=True) as stream:
                stream.write(data)
    path = written(tmp_path, as_zip64(target.getvalue()))
    assert check_package(path) == []
    for limits in (Limits(entries=2), Limits(directory=10)):
        assert [found for _, found in keys(check_package(path, limits=limits))] == ["3"]


def as_zip64(data: bytes) -> bytes:
    """Write the end of a ZIP again as ZIP64 has it: a record and its locator, and an end that says to look there."""
    at = data.rindex(b"PK\x05\x06")
    count = int.from_bytes(data[at + 10 : at + 12], "little")
    length, start = (int.from_bytes(data[at + place : at + place + 4], "little") for place in (12, 16))
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + (45).to_bytes(2, "little") * 2 + bytes(8)
    record += b"".join(value.to_bytes(8, "little") for value in (count, count, length, start))
    locator = b"PK\x06\x07" + bytes(4) + at.to_bytes(8, "little") + (1).to_bytes(4, "little")
    end = b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2)
    return data[:at] + record + locator + end


def test_everything_that_is_wrong_with_the_entries_is_told_at_once_and_none_of_them_is_read(tmp_path: Path) -> None:
    manifest = SIP.manifest(tmp_path)
    bad = [
        (named("../dehors"), b"?"),
        (named("content/lien", tarfile.SYMTYPE), b""),
        (named("content/tuyau", tarfile.FIFOTYPE), b""),
        (named("content/deux"), b"1"),
        (named("content/deux"), b"2"),
        (named("content/Casse"), b"1"),
        (named("content/casse"), b"2"),
        (named("content/e\u0301te"), b"1"),
        (named("content/\u00e9te"), b"2"),
    ]
    whole = [(named("manifest.xml"), manifest), *((named(name), data) for name, data in SIP.files.items()), *bad]
    path = written(tmp_path, tarred(*whole))
    found = [problem for problem in check_package(path) if problem.path is None]
    assert [problem.found for problem in found] == [
        "../dehors",
        "content/lien",
        "content/tuyau",
        "content/deux",
        "content/Casse ; content/casse",
        "content/e\u0301te ; content/\u00e9te",
    ]
    with pytest.raises(UnsafePackage, match="dehors"), open_package(path):
        pass


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_form_of_tar(form: int, tmp_path: Path) -> None:
    name = f"content/{'d' * 90}/{'n' * 60}.txt"
    sip = SIP.but(files={name: b"long"}, puids={})
    entries = [(named("manifest.xml"), sip.manifest(tmp_path)), (named(name), b"long")]
    assert check_package(written(tmp_path, tarred(*entries, form=form))) == []


@pytest.mark.parametrize("squeeze", [lambda data: gzip.compress(data, mtime=0), bz2.compress], ids=["gzip", "bzip2"])
def test_a_bomb_is_refused_before_it_fills_the_disk(squeeze: Callable[[bytes], bytes], tmp_path: Path) -> None:
    bomb = squeeze(tarred((named("manifest.xml"), b"\0" * (3 << 20))))
    path = written(tmp_path, bomb)
    for limits in (Limits(ratio_from=1 << 20), Limits(total=1 << 20)):
        (problem,) = check_package(path, limits=limits)
        assert "dépasse" in problem.message


def test_what_is_compressed_and_no_tar_or_is_cut_short_is_told_and_not_raised(tmp_path: Path) -> None:
    sound = SIP.tar(tmp_path, "w:gz")
    plain = SIP.tar(tmp_path, "w")
    for data in (
        gzip.compress(SIP.zip(tmp_path)),
        gzip.compress(b""),
        sound[:-40],
        sound[:40],
        plain[:700],
        b"\x1f\x8b",
        b"BZh9",
    ):
        assert [problem.rule for problem in check_package(written(tmp_path, data))] == ["SEDA-101"]
    assert "ni un ZIP ni un TAR" in check_package(written(tmp_path, b"%PDF-1.7 " * 200))[0].message


def test_no_damaged_tar_makes_the_check_fall_over(tmp_path: Path) -> None:
    sound = SIP.but(files={"content/a.txt": b"a"}, puids={}).tar(tmp_path, "w")[:6144]
    for position in range(0, len(sound), 97):
        changed = bytearray(sound)
        changed[position] ^= 0xFF
        assert isinstance(check_package(written(tmp_path, bytes(changed))), list)
