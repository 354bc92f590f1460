"""The segments in the places held against what the table says of them, and the journal in the database against the segments."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import true
from sqlmodel import col, select

from archive.models import TreeHead, TreeSegment
from archive.places.places import Place, places_of
from archive.proof.checking_entries import leaves_at
from archive.proof.fault import Fault
from archive.proof.segment_file import Contents, SegmentAltered, read_segment
from archive.proof.segment_keys import fetch, key_of, sizes_in
from archive.proof.segments import last_copied
from core.blobs import ObjectAltered, ObjectMissing
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM

_BATCH = 1000


def segment_faults(platform: Platform, start: int, end: int | None = None) -> Iterator[Fault]:
    """Yield what is wrong with the segments that end after a place and up to another, and with what they are copies of."""
    outside = _sizes_outside(platform, start, end)
    with platform.database.reading(PLATFORM) as session:
        last = last_copied(session)
        sizes = select(TreeHead.size).where(TreeHead.size > start, TreeHead.size <= min(end or last, last))
        due = outside | set(session.exec(sizes))
        # Last: what is copied meanwhile is noted before it stands anywhere.
        wanted = select(TreeSegment).where(TreeSegment.size > start, TreeSegment.size <= end if end else true())
        rows = list(session.exec(wanted.order_by(col(TreeSegment.size))))
    for size in sorted(due - {row.size for row in rows}):
        yield Fault("tree_segment", f"size={size}", "missing")
    for row in rows:
        if row.sealed is None:
            continue
        if row.key != key_of(row.size):
            yield Fault("tree_segment", f"size={row.size}", "key", key_of(row.size), row.key)
        yield from _of_row(platform, row)


def _sizes_outside(platform: Platform, start: int, end: int | None) -> set[int]:
    found: set[int] = set()
    for place in places_of(platform):
        with suppress(Unavailable, Misconfigured):  # its own audits say that it is silent
            found.update(itertools.takewhile(lambda size: end is None or size <= end, sizes_in(place, start)))
    return found


def _of_row(platform: Platform, row: TreeSegment) -> Iterator[Fault]:
    compared = False
    for place in places_of(platform):
        if place.name not in row.copies:
            continue
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            contents, fault = _fetched(place, row, Path(folder))
            if fault is not None:
                yield fault
            if contents is not None and not compared:
                compared = True
                yield from _compared(platform, row, contents)


def _fetched(place: Place, row: TreeSegment, folder: Path) -> tuple[Contents | None, Fault | None]:
    """Return what a place holds, when it can be read, and what is wrong with it or with the row that names it."""
    version, name = row.copies[place.name], f"{place.name} {row.key}"
    try:
        path, _ = fetch(place, row.key, version, folder, row.sha256)
        return read_segment(path, folder), None
    except Unavailable:
        return None, Fault("segment", name, "unreachable")
    except SegmentAltered as error:  # the table's digest is that of the altered file
        return None, Fault("segment", name, "contents", found=str(error))
    except ObjectMissing:
        return None, _missing(place, row, name)
    except ObjectAltered:
        return _altered(place, row, folder, name)


def _missing(place: Place, row: TreeSegment, name: str) -> Fault:
    """Tell an object that is gone from a row that names another version."""
    try:
        for version in place.store.versions(row.key):
            if not version.is_marker and place.store.standing(row.key, version.version_id).sha256 == row.sha256:
                expected = f"{place.name}={version.version_id}"
                return Fault("tree_segment", f"size={row.size}", "copies", expected, f"{place.name}={row.copies[place.name]}")
    except (ObjectMissing, Unavailable):
        return Fault("segment", name, "unreachable")
    return Fault("segment", name, "missing", row.sha256)


def _altered(place: Place, row: TreeSegment, folder: Path, name: str) -> tuple[Contents | None, Fault | None]:
    """Tell an altered object from an altered digest: one that is whole, with its root and its token, is the row's fault."""
    found = ""
    try:
        path, found = fetch(place, row.key, row.copies[place.name], folder)
        contents = read_segment(path, folder)
    except (SegmentAltered, ObjectAltered, ObjectMissing, Unavailable):
        return None, Fault("segment", name, "sha256", row.sha256, found)
    if contents.head.size == row.size:
        return contents, Fault("tree_segment", f"size={row.size}", "sha256", found, row.sha256)
    return None, Fault("segment", name, "sha256", row.sha256, found)


def _compared(platform: Platform, row: TreeSegment, contents: Contents) -> Iterator[Fault]:
    """Yield where the journal is no longer what it was when the segment was written."""
    lines = contents.lines()
    for start in range(contents.first, contents.head.size, _BATCH):
        with platform.database.reading(PLATFORM) as session:
            leaves = leaves_at(session.connection(), start, min(start + _BATCH, contents.head.size))
        for leaf in leaves:
            line = next(lines)
            entry = next(iter(leaf.candidates()), None)
            if entry is None:
                yield Fault("journal_entry", f"number={leaf.number}", "missing", _digest(line))
            elif entry.data != line:
                yield Fault("journal_entry", entry.key, "segment", _digest(line), _digest(entry.data or b""))
    with platform.database.reading(PLATFORM) as session:
        head = session.get(TreeHead, row.size)
    if head is None:
        yield Fault("tree_head", f"size={row.size}", "missing", contents.head.digest().hex())
    elif (head.head, head.token) != (contents.head.canonical(), contents.token):
        expected = _digest(contents.head.canonical() + contents.token)
        yield Fault("tree_head", f"size={row.size}", "segment", expected, _digest(head.head + head.token))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
