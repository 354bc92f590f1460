"""Archives: the same files give the same octets, and nothing that a stranger's archive holds gets out of its folder."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from schemas.actes.archive import Limits, Unpacked, UnwritableArchive, build, unpack
from schemas.actes.names import ArchiveName

NAME = ArchiveName.parse("SIC-EACT--254002264--20240316-1.tar.gz")


def unpacked(octets: bytes, folder: Path, limits: Limits | None = None) -> Unpacked:
    path = folder / "archive.tar.gz"
    path.write_bytes(octets)
    taken = folder / "taken"
    taken.mkdir()
    return unpack(path, taken, limits or Limits())


def entry(name: str = "a.xml", content: bytes = b"<a/>", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, content


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return stream.getvalue()


def rules(found: Unpacked) -> list[str]:
    return [problem.rule for problem in found.problems]


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_same_files_give_the_same_octets(tmp_path: Path) -> None:
    digests = set()
    for rank in range(2):
        folder = tmp_path / str(rank)
        folder.mkdir()
        (folder / "a").write_bytes(b"<a/>")
        (folder / "b").write_bytes(bytes(100_000))
        (folder / "b").chmod(0o777 if rank else 0o600)
        path = build(folder, NAME, {"a.xml": folder / "a", "b.pdf": folder / "b"})
        digests.add(sha256(path.read_bytes()).hexdigest())
        assert path.name == str(NAME)
        assert not list(folder.glob("*.partial"))
    assert len(digests) == 1


def test_what_is_built_is_flat_ustar_that_any_tar_reads_in_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    path = build(tmp_path, NAME, {"b.xml": tmp_path / "x", "a.pdf": tmp_path / "x"})
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert [(member.name, member.size, member.mtime, member.uid, member.type) for member in members] == [
            ("b.xml", 7, 0, 0, tarfile.REGTYPE),
            ("a.pdf", 7, 0, 0, tarfile.REGTYPE),
        ]
        assert not archive.pax_headers


@pytest.mark.parametrize("name", ["", "../a.xml", "/etc/passwd", "a/b.xml", "é.pdf", ".a", "a b.pdf", "x" * 101])
def test_a_name_that_is_not_plain_is_never_built(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(UnwritableArchive):
        build(tmp_path, NAME, {name: tmp_path / "x"})
    assert everything(tmp_path) == {"x"}


def test_neither_nothing_nor_a_link_nor_a_folder_is_built(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    for files in ({}, {"a.xml": tmp_path / "folder"}, {"a.xml": tmp_path / "link"}, {"a.xml": tmp_path / "absent"}):
        with pytest.raises(UnwritableArchive):
            build(tmp_path, NAME, files)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_every_tool_come_out(form: int, tmp_path: Path) -> None:
    long = "x" * 90 + ".pdf"
    found = unpacked(gzip.compress(tar(entry("a.xml", b"<a/>", mtime=1.5), entry(long, bytes(70_000)), form=form)), tmp_path)
    assert found.problems == []
    assert list(found.files) == ["a.xml", long]
    assert found.sizes == {"a.xml": 4, long: 70_000}
    assert found.files[long].read_bytes() == bytes(70_000)
    assert found.files["a.xml"].stat().st_mode & 0o777 == 0o600


def test_names_that_pax_or_gnu_headers_lengthen_are_read_there(tmp_path: Path) -> None:
    for rank, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        (tmp_path / str(rank)).mkdir()
        found = unpacked(gzip.compress(tar(entry("x" * 120 + ".pdf"), form=form)), tmp_path / str(rank))
        assert [problem.found for problem in found.problems] == ["x" * 120 + ".pdf"], "read whole, then refused: no such name"


def test_the_older_form_without_a_mark_is_read(tmp_path: Path) -> None:
    octets = bytearray(tar(entry()))
    octets[257:265] = bytes(8)
    octets[148:156] = b" " * 8
    octets[148:156] = f"{sum(octets[:512]):06o}\0 ".encode()
    assert list(unpacked(gzip.compress(bytes(octets)), tmp_path).files) == ["a.xml"]


ILLEGAL = {
    "a symbolic link": entry("lien.pdf", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": entry("lien.pdf", b"", type=tarfile.LNKTYPE, linkname="a.xml"),
    "a device": entry("dev.pdf", b"", type=tarfile.CHRTYPE),
    "a block device": entry("dev.pdf", b"", type=tarfile.BLKTYPE),
    "a pipe": entry("dev.pdf", b"", type=tarfile.FIFOTYPE),
    "a folder": entry("dossier", b"", type=tarfile.DIRTYPE),
    "a contiguous file": entry("b.pdf", b"x", type=tarfile.CONTTYPE),
    "an unknown kind": entry("b.pdf", b"", type=b"Z"),
    "a way up": entry("../evil.xml"),
    "a way up, alone": entry(".."),
    "an absolute name": entry("/tmp/evil.xml"),
    "a folder in a name": entry("sous/evil.xml"),
    "a here in a name": entry("./evil.xml"),
    "a way up of Windows": entry("..\\evil.xml"),
    "no name": entry(""),
    "a line break": entry("a\nb.xml"),
    "a colour": entry("a\x1b[31m.xml"),
    "the same name": entry("a.xml", b"autre"),
    "the same name but for case": entry("A.XML", b"autre"),
}


@pytest.mark.parametrize("story", ILLEGAL)
def test_an_illegal_entry_is_told_left_out_and_the_others_are_read(story: str, tmp_path: Path) -> None:
    found = unpacked(gzip.compress(tar(entry(), ILLEGAL[story], entry("z.xml", b"<z/>"))), tmp_path)
    assert rules(found) == ["R04"]
    assert found.problems[0].found is not None
    assert found.problems[0].found.isprintable()
    assert {name: path.read_bytes() for name, path in found.files.items()} == {"a.xml": b"<a/>", "z.xml": b"<z/>"}
    assert everything(tmp_path) == {"archive.tar.gz", "taken", "taken/a.xml", "taken/z.xml"}


def test_a_name_that_harms_nobody_comes_out_for_the_rules_on_names(tmp_path: Path) -> None:
    names = (b".DS_Store", b"-rf", b"note (1).pdf", "délibération.pdf".encode(), b"d\xe9lib.xml")
    found = unpacked(gzip.compress(b"".join(raw(name, b"0", b"<a/>") for name in names) + END), tmp_path)
    assert (found.problems, list(found.files)) == ([], [".DS_Store", "-rf", "note (1).pdf", "délibération.pdf", "délib.xml"])


def test_a_link_followed_by_a_file_through_it_writes_nothing_outside(tmp_path: Path) -> None:
    trap = (entry("a", b"", type=tarfile.SYMTYPE, linkname=str(tmp_path)), entry("a/evil.xml"), entry("a", b"evil"))
    found = unpacked(gzip.compress(tar(*trap)), tmp_path)
    assert rules(found) == ["R04", "R04", "R04"]
    assert everything(tmp_path) == {"archive.tar.gz", "taken"}


def test_a_link_that_stands_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "outside").write_bytes(b"kept")
    (tmp_path / "taken" / "a.xml").symlink_to(tmp_path / "outside")
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(gzip.compress(tar(entry())))
    with pytest.raises(FileExistsError):
        unpack(path, tmp_path / "taken", Limits())
    assert (tmp_path / "outside").read_bytes() == b"kept"


def pax(**records: str) -> tuple[tarfile.TarInfo, bytes]:
    """A file with pax records before it, whatever they say."""
    return entry("b.pdf", b"0123456789", pax_headers={name.replace("__", "."): value for name, value in records.items()})


@pytest.mark.parametrize(
    "records",
    [
        {"size": "3"},
        {"size": "1073741824"},
        {"path": "../evil.xml"},
        {"path": "/etc/passwd"},
        {"GNU__sparse__major": "1", "GNU__sparse__minor": "0", "GNU__sparse__realsize": "1099511627776"},
        {"GNU__sparse__size": "1099511627776"},
    ],
    ids=lambda records: "-".join(records.values()),
)
def test_what_a_pax_header_says_otherwise_is_refused(records: dict[str, str], tmp_path: Path) -> None:
    found = unpacked(gzip.compress(tar(entry(), pax(**records), form=tarfile.PAX_FORMAT)), tmp_path)
    assert "R04" in rules(found) or "R03" in rules(found)
    assert everything(tmp_path) <= {"archive.tar.gz", "taken", "taken/a.xml"}


def raw(name: bytes, kind: bytes, content: bytes, size: bytes | None = None) -> bytes:
    """An entry as a hand writes it."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108] = b"0000644\0"
    header[124:136] = size if size is not None else f"{len(content):011o}\0".encode()
    header[156:157] = kind
    header[257:265] = b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + content + bytes(-len(content) % 512)


END = bytes(1024)


@pytest.mark.parametrize(
    ("story", "octets", "rule"),
    [
        (
            "a global header that renames everything",
            raw(b"g", b"g", b"20 path=../evil.xml\n") + raw(b"a.xml", b"0", b"x") + END,
            "R04",
        ),
        ("records that are none", raw(b"x", b"x", b"no records at all") + raw(b"a.xml", b"0", b"x") + END, "R04"),
        ("a record longer than it says", raw(b"x", b"x", b"9 path=../evil.xml\n") + raw(b"a.xml", b"0", b"x") + END, "R04"),
        ("a record of no length", raw(b"x", b"x", b"0 path=a\n") + raw(b"a.xml", b"0", b"x") + END, "R04"),
        ("a GNU sparse file", raw(b"a.xml", b"S", b"x" * 512) + END, "R04"),
        (
            "a folder with content, which readers take differently",
            raw(b"d", b"5", b"x" * 512) + raw(b"a.xml", b"0", b"") + END,
            "R04",
        ),
        ("a huge header", raw(b"L", b"L", bytes(1 << 17)) + END, "R03"),
        ("a negative size", raw(b"a.xml", b"0", b"", b"-0000000001\0") + END, "R03"),
        ("a size with a sign", raw(b"a.xml", b"0", b"x", b"+0000000001\0") + END, "R03"),
        ("a size with a stroke", raw(b"a.xml", b"0", b"x" * 8, b"00000001_0 \0") + END, "R03"),
        ("a size of terabytes", raw(b"a.xml", b"0", b"x", b"\x80" + (1 << 40).to_bytes(11, "big")) + END, "R03"),
        ("a size below nought", raw(b"a.xml", b"0", b"x", b"\xff" * 12) + END, "R03"),
        ("a size in letters", raw(b"a.xml", b"0", b"x", b"abcdefghijk\0") + END, "R03"),
        ("a sum that does not hold", raw(b"a.xml", b"0", b"x").replace(b"a.xml", b"b.xml") + END, "R03"),
        ("no end", raw(b"a.xml", b"0", b"x"), "R03"),
        ("an end in the middle of a file", raw(b"a.xml", b"0", b"x" * 5000)[:2000], "R03"),
        ("an end in the middle of a header", raw(b"a.xml", b"0", b"x") + raw(b"b.xml", b"0", b"x")[:300], "R03"),
        ("an end before the padding", raw(b"a.xml", b"0", b"x")[:600], "R03"),
        ("something after the end", raw(b"a.xml", b"0", b"x") + END + raw(b"b.xml", b"0", b"x"), "R03"),
        ("nothing", b"", "R03"),
        ("no file", END, "R03"),
        ("no tar", b"this is a text, not a tar" * 100, "R03"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tar_that_no_tool_writes_is_refused(story: str, octets: bytes, rule: str, tmp_path: Path) -> None:
    found = unpacked(gzip.compress(octets), tmp_path)
    assert rule in rules(found), story
    assert not (tmp_path / "evil.xml").exists()
    if rule == "R03":
        assert everything(tmp_path) == {"archive.tar.gz", "taken"}, "what was read before the end is taken back"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"PK\x03\x04 a ZIP",
        tar(entry()),
        gzip.compress(tar(entry()))[:-12],
        gzip.compress(tar(entry()))[:60],
        gzip.compress(tar(entry()))[:-8] + bytes(8),
        gzip.compress(tar(entry())) + b"something else",
    ],
    ids=["empty", "zip", "bare tar", "without its end", "cut early", "wrong sum", "something after it"],
)
def test_what_is_no_whole_gzip_is_refused(octets: bytes, tmp_path: Path) -> None:
    found = unpacked(octets, tmp_path)
    assert rules(found) == ["R03"]
    assert not found.whole
    assert everything(tmp_path) == {"archive.tar.gz", "taken"}


def _zeros(size: int) -> bytes:
    return gzip.compress(tar(entry("a.pdf", bytes(size))))


@pytest.mark.parametrize(
    ("make", "limits", "word"),
    [
        (lambda: _zeros(20 << 20), Limits(), "100"),
        (lambda: _zeros(3 << 20), Limits(documents=1 << 20, messages=1 << 20), "2\u00a0Mo"),
        (lambda: gzip.compress(tar(*(entry(f"{n}.xml", b"") for n in range(11)))), Limits(files=10), "10"),
        (lambda: _zeros(1000), Limits(archive=40), "0,1\u00a0Mo"),
    ],
    ids=["ratio", "content", "count", "compressed"],
)
def test_a_bomb_is_stopped_and_nothing_of_it_stays(make: Callable[[], bytes], limits: Limits, word: str, tmp_path: Path) -> None:
    found = unpacked(make(), tmp_path, limits)
    assert rules(found) == ["R05"]
    assert word in found.problems[0].message
    assert everything(tmp_path) == {"archive.tar.gz", "taken"}


def test_a_small_archive_may_compress_well(tmp_path: Path) -> None:
    assert unpacked(_zeros(10 << 20), tmp_path).problems == []


def test_two_gzip_streams_one_after_the_other_are_one_as_for_gzip_itself(tmp_path: Path) -> None:
    octets = tar(entry())
    assert list(unpacked(gzip.compress(octets[:700]) + gzip.compress(octets[700:]), tmp_path).files) == ["a.xml"]
