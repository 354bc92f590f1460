"""What is sealed beside the packages, brought to a place that lacks it: segments, statements, batches of evidence records.

What lives here: one turn over the keys that any other place has, in their order, which is that of their age within each folder.
What does not: packages (`archive.replication.copies`), the audit of what stands there (`archive.watch.papers`, `journal`).

No table lists statements, so the places are asked; of segments and batches the table names the version in each place, and one
that it does not name is lacking too: whoever put it there was stopped before that was written down.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import cast

from sqlmodel import col, select

from archive.models import EvidenceStamp, TreeSegment
from archive.places import statements
from archive.places.places import Place, places_of
from archive.proof.ers.batches import PREFIX as EVIDENCE
from archive.proof.segment_keys import PREFIX as SEGMENTS
from archive.replication.turns import TROUBLES, Failure, NotCopied, Turn, not_copied
from archive.watch.looking import Budget
from core import journal
from core.errors import Misconfigured, Unavailable
from core.locked_bucket import first_version
from core.locked_objects import LockedObject, SealedObject
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM
from core.s3 import ObjectAltered, ObjectMissing

BROUGHT = "archive.papers_copied"
"""The journal entry of those that one turn brought to a place: how many, and the digest of their names and versions. Those of a
turn that was killed are told by the place alone, and by the table: nothing is made anew of this entry."""
_FOLDERS = sorted((EVIDENCE, SEGMENTS, statements.FOLDER))
_OF_A_TABLE = re.compile(rf"(?P<folder>{EVIDENCE}|{SEGMENTS})(?P<name>[0-9A-Z]{{12,26}})\.zip")
_PAGE = 1000
Row = TreeSegment | EvidenceStamp


@dataclass(frozen=True, slots=True)
class _Paper:
    """A key, and the version of it that was written first in each place, by the place's name."""

    key: str
    versions: Mapping[str, str]


def carry(platform: Platform, target: Place, after: str, budget: Budget) -> Turn:
    """Bring to a place what it lacks of the next keys that there are anywhere.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us, or no other does; what was brought is written down.
    """
    page = list(islice(_papers(platform, target, after), _PAGE))
    rows = _rows(platform, [paper.key for paper in page])
    brought, size, failures, silent = list[tuple[str, LockedObject]](), 0, list[Failure](), None
    cursor: str | None = None
    for paper in page:
        row = rows.get(paper.key)
        if _lacks(target, paper, row):
            try:
                sealed = _brought(platform, target, paper, row)
            except NotCopied as error:
                failures.append(Failure(paper.key, str(error)))
            except (Unavailable, Misconfigured) as error:
                silent = error
                break
            else:
                _write_down(platform, target, row, sealed)
                brought.append((paper.key, sealed))
                size += sealed.size
        cursor = paper.key
        if len(brought) >= budget.count or size >= budget.size:
            break
    if brought:
        _tell(platform, target, brought)
    if silent is not None:
        raise silent
    return Turn(len(brought), size, tuple(failures), cursor)


def _papers(platform: Platform, target: Place, after: str) -> Iterator[_Paper]:
    """Yield what any place has, after a key.

    Raises:
        Unavailable, Misconfigured: the target does not answer, or none of the others does.
    """
    others = [place for place in places_of(platform) if place.name != target.name]
    silent = list[Unavailable | Misconfigured]()

    def of_another(place: Place) -> Iterator[tuple[str, str, str]]:
        try:
            yield from _listed(place, after)
        except ObjectMissing:  # it was added a moment ago, or lost: it has no bucket, and gives nothing
            return
        except (Unavailable, Misconfigured) as error:  # what the others have is brought meanwhile
            silent.append(error)

    listed = heapq.merge(_listed(target, after), *map(of_another, others))
    for key, group in groupby(listed, key=lambda found: found[0]):
        yield _Paper(key, {place: version for _, place, version in group})
    if others and len(silent) == len(others):
        raise silent[0]


def _listed(place: Place, after: str) -> Iterator[tuple[str, str, str]]:
    """Yield the keys of a place in their order, its name, and of each the version that was written first."""
    for folder in _FOLDERS:
        if after < folder or after.startswith(folder):
            listed = place.store.all_versions(after if after.startswith(folder) else "", prefix=folder)
            named = (one for one in listed if _is_named(one.key))
            for key, group in groupby(named, key=lambda version: version.key):
                if first := first_version(list(group)):
                    yield key, place.name, first.version_id


def _is_named(key: str) -> bool:
    """Tell whether a key is one of those that the platform gives: nothing else is carried anywhere."""
    return statements.is_statement(key) or _OF_A_TABLE.fullmatch(key) is not None


def _rows(platform: Platform, keys: Sequence[str]) -> dict[str, Row]:
    """Return the rows of the segments and batches that stand in every place they were put in, by key."""
    matched = [found for key in keys if (found := _OF_A_TABLE.fullmatch(key))]
    sizes = [int(found["name"]) for found in matched if found["folder"] == SEGMENTS]
    stamps = [found["name"] for found in matched if found["folder"] == EVIDENCE]
    with platform.database.reading(PLATFORM) as session:
        segments = session.exec(select(TreeSegment).where(col(TreeSegment.size).in_(sizes), col(TreeSegment.sealed).is_not(None)))
        of_batches = col(EvidenceStamp.id).in_(stamps), col(EvidenceStamp.locked_until).is_not(None)
        return {row.key: row for row in (*segments, *session.exec(select(EvidenceStamp).where(*of_batches)))}


def _lacks(target: Place, paper: _Paper, row: Row | None) -> bool:
    here = paper.versions.get(target.name)
    return here is None or (row is not None and row.copies.get(target.name) != here)


def _brought(platform: Platform, target: Place, paper: _Paper, row: Row | None) -> LockedObject:
    sources = [place for place in places_of(platform) if place.name in paper.versions and place.name != target.name]
    trouble: Exception | None = None
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "paper"
        for place in sources:
            try:
                sealed = _whole(place, paper, row)
                if sealed is None:
                    continue
                place.store.fetch_sealed(sealed, path)
            except TROUBLES as error:
                trouble = error
                continue
            try:
                return target.store.seal(paper.key, path, sealed.sha256)
            except ObjectAltered as error:
                raise NotCopied(str(error)) from error
    raise not_copied(trouble, sources)


def _whole(place: Place, paper: _Paper, row: Row | None) -> SealedObject | None:
    """Return a paper as it was sealed in a place; None when it is not what the digest sealed with it, or the table, says."""
    version = paper.versions[place.name]
    found = place.store.standing(paper.key, version)
    expected = {found.noted or "", found.sha256 if row is None else row.sha256 or ""}
    if not all(hmac.compare_digest(found.sha256, digest) for digest in expected):
        return None
    return SealedObject(place.store.archive, paper.key, version, found.sha256, found.size)


def _identity(row: Row) -> int | str:
    return row.size if isinstance(row, TreeSegment) else row.id


def _write_down(platform: Platform, target: Place, row: Row | None, sealed: LockedObject) -> None:
    if row is None:
        return
    with platform.database.writing(PLATFORM) as session:
        current = cast("Row", session.get_one(type(row), _identity(row), with_for_update=True))
        current.copies = current.copies | {target.name: sealed.version_id}
        current.locked_until = min(current.locked_until or sealed.locked_until, sealed.locked_until)


def _tell(platform: Platform, target: Place, brought: Sequence[tuple[str, LockedObject]]) -> None:
    names = "\n".join(sorted(f"{key} {sealed.version_id}" for key, sealed in brought))
    facts = {"place": target.name, "objects": len(brought), "digest": hashlib.sha256(names.encode()).hexdigest()}
    root = select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=session.exec(root).one(), kind=BROUGHT, actor="platform", facts=facts)
