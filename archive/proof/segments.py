"""The journal outside the database: at each head a segment of it under lock in every place, and its reading back.

What lives here: which segments are due, where they stand, in which order they are read and that each continues the one before.
What does not: what a segment holds (`archive.proof.segment_file`).

A segment is noted (key, digest) before it leaves, so that a second try finds what the first one put there: an organisation that
took another name meanwhile would give other bytes.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from archive.models import TreeHead, TreeSegment
from archive.places import places
from archive.places.places import Copy, Place, places_of
from archive.proof import strays, tree
from archive.proof.gathering import gathered
from archive.proof.hashes import HASHES, plain_name
from archive.proof.head import Head
from archive.proof.segment_file import Contents, SegmentAltered, read_segment, write_segment
from archive.proof.segment_keys import fetch, key_of, versions_in
from core import clock
from core.blobs import ObjectAltered, ObjectMissing
from core.database import ScopedSession
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import verify_token
from signing.trust import TrustState, TrustStore, trust_store

AT_ONCE = 100
"""Segments written in one run."""

_messages = Catalogue("archive.proof")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as it was read back, whole and verified; its leaves can be read until the next one is asked for.

    Attributes:
        key: the same in every place.
        sha256: of the file, hexadecimal.
        length: its size in bytes.
        copies: the version of the key that was found sound, by the place's name.
    """

    key: str
    sha256: str
    length: int
    copies: dict[str, str]
    contents: Contents

    @property
    def head(self) -> Head:
        """The head that it ends with."""
        return self.contents.head

    @property
    def first(self) -> int:
        """The place of its first leaf, from 0."""
        return self.contents.first

    @property
    def organisations(self) -> tuple[dict[str, Any], ...]:
        """Those that its leaves name and all above them: id, parent_id, path, kind, name, siren, siret, created."""
        return self.contents.organisations

    def leaves(self) -> Iterator[bytes]:
        """Yield its leaves, in the order of the journal."""
        return self.contents.lines()

    def row(self) -> TreeSegment:
        """Return what the table says of it; its locks are due to be extended, since nothing is known of them."""
        now = clock.now()
        told: dict[str, Any] = {
            "size": self.head.size,
            "key": self.key,
            "sha256": self.sha256,
            "length": self.length,
            "copies": self.copies,
        }
        return TreeSegment(**told, sealed=now, locked_until=now)


def last_copied(session: ScopedSession) -> int:
    """Return the size of the newest head whose journal stands outside the database; 0 before the first."""
    sealed = select(TreeSegment.size).where(col(TreeSegment.sealed).is_not(None))
    return session.exec(sealed.order_by(col(TreeSegment.size).desc()).limit(1)).first() or 0


def copy_due(platform: Platform, limit: int = AT_ONCE) -> int:
    """Put a segment for each head that has none in every place, oldest first; return how many there were.

    Raises:
        NeedsOperator: the places know a later journal than the database; an incident is open.
        SegmentAltered: the journal, its tree or a head was altered in the database; it is not copied.
        ObjectAltered: a key holds other bytes in a place.
        Unavailable: a place does not answer; what is due waits for the next run.
    """
    for done in range(limit):
        with platform.database.reading(PLATFORM) as session:
            before = last_copied(session)
            later = select(TreeHead).where(TreeHead.size > before).order_by(col(TreeHead.size)).limit(1)
            head = session.exec(later).first()
            noted = session.get(TreeSegment, head.size) if head else None
        if head is None:
            return done
        if done == 0:
            strays.require_none(platform, before)
        copies = _put_before(platform, noted) if noted else None
        _keep(platform, head.size, copies or _put(platform, head, before))
    return limit


def read_segments(platform: Platform, after: int = 0) -> Iterator[Segment]:
    """Read the journal back from the places alone, in its order; the database is not looked at.

    Each segment is verified (digests, root, token, and its authority where the operator says who is believed), and so is that
    it continues the one before: from its subtrees follows the root of the head before. Where a hash took over from another,
    this is shown from the first leaf on, hence only when the reading begins there.

    Args:
        platform: its places, and the trusted authorities.
        after: size of a head, after which the reading begins.

    Raises:
        SegmentAltered: no place holds the next segment whole, or it does not continue the one before.
        Unavailable: a place does not answer.
    """
    trust = trust_store(platform.settings.trust_dir)
    running = [tree.Peaks(algorithm, 0, ()) for algorithm in HASHES] if after == 0 else []
    before: Head | None = None
    for key, found in _keys(platform, after):
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            segment = _sound(key, found, Path(folder), trust)
            _require_next(segment, before, after, running)
            for line in segment.leaves() if running else ():
                for peaks in running:
                    peaks.add(tree.leaf_hash(line, peaks.algorithm))
            before = segment.head
            yield segment


def require_believed(contents: Contents, trust: TrustStore | None) -> None:
    """Refuse a segment whose token is of an authority that is not believed; nobody is asked without a trust store.

    Raises:
        SegmentAltered: it is.
    """
    head = contents.head
    if trust is None:
        return
    store = TrustStore(trust.anchors, (*trust.material, *contents.certificates), trust.revocations)
    status = verify_token(contents.token, head.digest(), trust=store, hash_name=plain_name(head.hash))
    if status.trust is not TrustState.TRUSTED:
        raise SegmentAltered(_messages("segment.authority", size=head.size))


def _put_before(platform: Platform, noted: TreeSegment) -> tuple[Copy, ...] | None:
    try:
        return places.seal_again(platform, noted.key, noted.sha256, noted.length)
    except ObjectMissing:
        return None


def _put(platform: Platform, head: TreeHead, before: int) -> tuple[Copy, ...]:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "segment.zip"
        write_segment(gathered(platform, head, before, Path(folder)), target)
        with target.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with platform.database.writing(PLATFORM) as session:
            session.merge(TreeSegment(size=head.size, key=key_of(head.size), sha256=sha256, length=target.stat().st_size))
        return places.seal(platform, key_of(head.size), target, sha256)


def _keep(platform: Platform, size: int, copies: Iterable[Copy]) -> None:
    found = list(copies)
    with platform.database.writing(PLATFORM) as session:
        row = session.exec(select(TreeSegment).where(TreeSegment.size == size)).one()
        row.copies = {copy.place: copy.sealed.version_id for copy in found}
        row.sealed = clock.now()
        row.locked_until = min(copy.sealed.locked_until for copy in found)
        session.add(row)


def _keys(platform: Platform, after: int) -> Iterator[tuple[str, list[tuple[Place, str]]]]:
    """Yield the keys of all places in their order, each with the places that have it and the version written first there."""
    listed = heapq.merge(*(versions_in(place, after) for place in places_of(platform)), key=lambda found: found[0])
    for key, group in itertools.groupby(listed, key=lambda found: found[0]):
        yield key, [(place, version) for _, place, version in group]


def _sound(key: str, found: list[tuple[Place, str]], folder: Path, trust: TrustStore | None) -> Segment:
    """Return the segment from the first place that holds it whole, and all versions that are the same to the octet."""
    sound: Segment | None = None
    reasons: list[str] = []
    for place, version in found:
        try:
            if sound is not None:
                fetch(place, key, version, folder, sound.sha256)
                sound.copies[place.name] = version
                continue
            path, sha256 = fetch(place, key, version, folder)
            contents = read_segment(path, folder)
            require_believed(contents, trust)
        except (SegmentAltered, ObjectMissing, ObjectAltered) as error:
            reasons.append(f"{place.name}: {error}")
            continue
        if key != key_of(contents.head.size):
            reasons.append(f"{place.name}: {_messages('segment.other', size=contents.head.size)}")
            continue
        sound = Segment(key, sha256, path.stat().st_size, {place.name: version}, contents)
    if sound is None:
        raise SegmentAltered(_messages("segment.nowhere", key=key, reasons="; ".join(reasons)))
    return sound


def _require_next(segment: Segment, before: Head | None, after: int, running: list[tree.Peaks]) -> None:
    """Refuse a segment that does not begin where the one before ended, with the very tree of which that one was the end."""
    expected = before.size if before else after
    if segment.first != expected:
        raise SegmentAltered(_messages("segment.gap", key=segment.key, first=segment.first, expected=expected))
    roots = {peaks.algorithm: peaks.root() for peaks in running}
    if before is not None and before.hash == segment.head.hash:
        roots[before.hash] = before.root
    known = roots.get(segment.head.hash)
    if known is not None and known != segment.contents.root_before:
        raise SegmentAltered(_messages("segment.continues", key=segment.key, size=expected))
