"""What the segment of a head is made of, gathered from the database.

What lives here: the reading. What does not: that what was read leads to the head (`archive.proof.segment_file`), and where the
segment goes (`archive.proof.segments`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlmodel import col, select

from archive.models import TreeHead
from archive.proof import tree
from archive.proof.chains import chain_of
from archive.proof.head import Head
from archive.proof.heads import TableStore, entries_at
from archive.proof.segment_file import Contents, SegmentAltered
from core.clock import iso
from core.database import ScopedSession
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.proof")
_BATCH = 1000


def gathered(platform: Platform, row: TreeHead, before: int, folder: Path) -> Contents:
    """Return what the segment of a head is made of, from a size on; its leaves are written to a file of the folder.

    Raises:
        SegmentAltered: the row of the head says something else than what was timestamped.
    """
    head = Head.read(row.head)
    if (head.size, head.root) != (row.size, row.root):
        raise SegmentAltered(_messages("segment.head", size=row.size))
    leaves, named = folder / "leaves.jsonl", set[str]()
    with leaves.open("wb") as stream:
        for start in range(before, head.size, _BATCH):
            with platform.database.reading(PLATFORM) as session:
                entries = entries_at(session.connection(), start, min(start + _BATCH, head.size))
            for entry in entries:
                stream.write(entry.leaf() + b"\n")
                named.add(entry.organisation_id)
    with platform.database.reading(PLATFORM) as session:
        peaks = tree.subtrees(0, before)
        nodes = TableStore(session.connection(), head.hash).get_many(peaks)
        organisations = _organisations(session, named)
    subtrees = tuple(nodes[place] for place in peaks)
    return Contents(leaves, before, subtrees, organisations, head, row.token, chain_of(platform, row))


def _organisations(session: ScopedSession, named: set[str]) -> tuple[dict[str, Any], ...]:
    found: dict[str, Organisation] = {}
    wanted = named
    while wanted:
        some = sorted(wanted)
        for start in range(0, len(some), _BATCH):
            meant = select(Organisation).where(col(Organisation.id).in_(some[start : start + _BATCH]))
            found.update((row.id, row) for row in session.exec(meant))
        wanted = {above for row in found.values() for above in row.path.split("/") if above} - found.keys()
    return tuple(row.model_dump(exclude={"created"}) | {"created": iso(row.created)} for _, row in sorted(found.items()))
