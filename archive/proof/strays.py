"""A segment that the places have and the table does not note: what tells a database that was restored from a backup.

A segment is noted before it leaves. Where one is not, and does not end with a head of the database either, the places know a
later journal than the database; what this one would copy now would begin where they know something else, and nobody could read
either journal back to its end.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sqlmodel import select

from archive.models import TreeHead, TreeSegment
from archive.places.places import Place, places_of
from archive.proof.segment_file import SegmentAltered, read_segment
from archive.proof.segment_keys import fetch, size_of, versions_in
from archive.watch.incidents import Kind, open_incident
from core.blobs import ObjectAltered, ObjectMissing
from core.errors import NeedsOperator
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.proof")
_AT_ONCE = 100


def require_none(platform: Platform, after: int) -> None:
    """Refuse to go on where the places know a later journal than the database, and open an incident.

    Args:
        platform: its places.
        after: the size of the newest head whose journal was copied.

    Raises:
        NeedsOperator: they do.
        Unavailable, Misconfigured: a place does not answer, or refuses us.
    """
    found = first(platform, after)
    if found is None:
        return
    place, key = found
    with platform.database.writing(PLATFORM) as session:
        open_incident(session, organisation_id=None, kind=Kind.OBJECT_UNKNOWN, place=place, subject=key, facts={})
    raise NeedsOperator(words(place, key))


def first(platform: Platform, after: int) -> tuple[str, str] | None:
    """Return a place and the key of the first segment there, after the head of a size, that is not of this journal.

    Raises:
        Unavailable, Misconfigured: a place does not answer, or refuses us.
    """
    for place in places_of(platform):
        found = list(islice(versions_in(place, after), _AT_ONCE))
        with platform.database.reading(PLATFORM) as session:
            noted = set(session.exec(select(TreeSegment.key).where(TreeSegment.size > after)))
        for key, _, version in found:
            if key not in noted and not _ends_with_ours(platform, place, key, version):
                return place.name, key
    return None


def _ends_with_ours(platform: Platform, place: Place, key: str, version: str) -> bool:
    """Tell whether a segment ends with a head of this database, which lost but the note: it is found again when it is copied."""
    with platform.database.reading(PLATFORM) as session:
        head = session.get(TreeHead, size_of(key))
    if head is None:
        return False
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder, suppress(SegmentAltered, ObjectAltered, ObjectMissing):
        path, _ = fetch(place, key, version, Path(folder))
        contents = read_segment(path, Path(folder))
        return (contents.head.canonical(), contents.token) == (head.head, head.token)
    return False


def words(place: str, key: str) -> str:
    """Return what a person is told of a segment that the table does not note."""
    return _messages("segment.stray", place=place, key=key)
