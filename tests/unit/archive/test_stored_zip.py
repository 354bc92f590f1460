"""A ZIP of ours has one form: the same contents give the same bytes, and no other byte passes."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.stored_zip import Entry, NotStoredZip, content, read_stored_zip, stored_zip
from core.errors import UsageError

AT = datetime(2026, 3, 2, 9, 15, 31, tzinfo=UTC)


def build(target: Path, contents: dict[str, bytes]) -> Path:
    with stored_zip(target, AT) as zipped:
        for name, data in contents.items():
            zipped.add(name, data)
    return target


def read(path: Path) -> dict[str, bytes]:
    with path.open("rb") as stream:
        return {entry.name: b"".join(content(stream, entry)) for entry in read_stored_zip(stream)}


CONTENTS = {"a.txt": b"un", "content/b.xml": b"<x/>" * 1000, "empty": b""}


def test_what_is_written_is_read_back_by_us_and_by_others(tmp_path: Path):
    path = build(tmp_path / "x.zip", CONTENTS)
    assert read(path) == CONTENTS
    with zipfile.ZipFile(path) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == CONTENTS
        assert other.infolist()[0].date_time == (2026, 3, 2, 9, 15, 30)


def test_a_file_is_streamed_and_digested_as_it_is_written(tmp_path: Path):
    source = tmp_path / "big"
    source.write_bytes(b"0123456789abcdef" * 200_000)
    with stored_zip(tmp_path / "x.zip", AT) as zipped:
        stored = zipped.add("content/big", source)
    assert (stored.size, stored.name) == (3_200_000, "content/big")
    assert read(tmp_path / "x.zip")["content/big"] == source.read_bytes()


def test_the_same_contents_give_the_same_bytes(tmp_path: Path):
    first, second = build(tmp_path / "1.zip", CONTENTS), build(tmp_path / "2.zip", CONTENTS)
    assert first.read_bytes() == second.read_bytes()


def test_no_flipped_byte_passes(tmp_path: Path):
    path = build(tmp_path / "x.zip", {"a.txt": b"un", "content/b.xml": b"<x/>"})
    sound = path.read_bytes()
    for position in range(len(sound)):
        changed = bytearray(sound)
        changed[position] ^= 0x20
        path.write_bytes(changed)
        with pytest.raises(NotStoredZip):
            read(path)


def test_no_truncated_or_extended_file_passes(tmp_path: Path):
    path = build(tmp_path / "x.zip", {"a.txt": b"un"})
    sound = path.read_bytes()
    for altered in [*(sound[:length] for length in range(len(sound))), sound + b"\0", b"\0" + sound]:
        path.write_bytes(altered)
        with pytest.raises(NotStoredZip):
            read(path)


def test_a_zip_packed_by_another_program_does_not_pass(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as other:
        other.writestr("a.txt", "un")
    with pytest.raises(NotStoredZip):
        read(path)


def test_bytes_hidden_between_two_entries_do_not_pass(tmp_path: Path):
    path = build(tmp_path / "x.zip", {"a": b"un", "b": b"deux"})
    with path.open("rb") as stream:
        first, second = read_stored_zip(stream)
    moved = Entry(second.name, second.crc, second.size, second.offset + 3, second.time, second.date)
    data = path.read_bytes()
    end = second.start + second.size
    central = first.central + moved.central
    tail = bytearray(data[-22:])
    tail[16:20] = (end + 3).to_bytes(4, "little")
    path.write_bytes(data[: second.offset] + b"???" + data[second.offset : end] + central + tail)
    assert zipfile.ZipFile(path).testzip() is None
    with pytest.raises(NotStoredZip):
        read(path)


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", ".a", "a/..", "é", "a\\b", "", "a\n", "A.TXT", "x" * 300])
def test_a_name_that_is_not_plain_or_is_there_already_is_refused(name: str, tmp_path: Path):
    target = tmp_path / "x.zip"
    with pytest.raises(UsageError), stored_zip(target, AT) as zipped:
        zipped.add("a.txt", b"")
        zipped.add(name, b"")
    assert not target.exists()


def test_a_date_that_zip_cannot_write_is_refused(tmp_path: Path):
    with pytest.raises(UsageError), stored_zip(tmp_path / "x.zip", AT - timedelta(days=365 * 60)):
        pass
