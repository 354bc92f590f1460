"""Re-sealing: while a hash can still be trusted, everything that stands on it is bound to a stronger one.

What lives here: the new digest of every record's package, read back whole and held against all of its old ones; the journal's
tree made anew with the new hash, while its entries still lead to the roots of the old one; the entries that bind old and new.
What does not: evidence records (`archive.proof.ers`), whose chains begin anew in the same pass over the packages.

Nothing old is deleted or replaced. A run can be ended anywhere and begun again: what is done is found in the database.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import col, func, select

from archive.ingest.inspection import open_package
from archive.models import Record, RecordDigest, RecordEvidence, RecordFile, TreeHash, TreeHead
from archive.places.places import fetch
from archive.proof import heads, tree
from archive.proof.ers import stamping
from archive.proof.evidence import BrokenChain, leaf_key
from archive.proof.hashes import HASHES, SHA256, plain_name, require_known
from archive.proof.head import Head
from archive.proof.marks import require_ended
from core import clock, journal
from core.blobs import ObjectAltered, ObjectMissing
from core.database import ScopedSession
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

RESEALED, CHANGED = "record.resealed", "journal.resealed"
"""The journal entries of a record that got another digest, and of a tree that is made with another hash."""

Progress = Callable[[int, int], None]

_messages = Catalogue("archive.proof")
_BATCH = 100


@dataclass(slots=True)
class Report:
    """What a run did.

    Attributes:
        resealed: records that got a digest of the new hash.
        faults: records that did not, and why: no place holds them whole, or an old digest is not theirs.
        head: size of the first head that was made with the new hash; None while it waits for the scheduled run.
    """

    algorithm: str
    resealed: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    head: int | None = None


def reseal(platform: Platform, algorithm: str, stamps: heads.Stamps, progress: Progress) -> Report:
    """Give every record a digest of a hash, and the journal a tree and a head made with it.

    Args:
        platform: database and places.
        algorithm: the hash, as SEDA names it.
        stamps: the timestamping authority.
        progress: told how many records are done, and of how many.

    Raises:
        UsageError: proofs are not made with this hash.
        BrokenChain: the journal no longer leads to the heads that were stamped: what was altered is not sealed anew.
        Unavailable: a place or the authority does not answer; a later run goes on from here.
    """
    require_known(algorithm)
    report = Report(algorithm)
    while stamping.begin(platform, stamps):  # a chain that is to be renewed has to have begun
        pass
    reseal_records(platform, report, progress)
    while stamping.stamp_waiting(platform, stamps):
        pass
    if not _is_made_with(platform, algorithm):
        _plant(platform, algorithm)
        _take_over(platform, algorithm)
    with suppress(IntegrityError):  # the scheduled run was quicker
        head = heads.cut(platform, stamps)
        report.head = head.size if head else None
    return report


def reseal_records(platform: Platform, report: Report, progress: Progress) -> None:
    """Give every record that has none a digest of the report's hash, and its evidence record a chain of it.

    Those that were destroyed are left as they are.

    Raises:
        NeedsOperator: a catching up is open.
        Unavailable: a place does not answer.
    """
    require_ended(platform)
    done, after = 0, ""
    with platform.database.reading(PLATFORM) as session:
        total = session.exec(select(func.count()).select_from(Record).where(*_lacking(report.algorithm, after))).one()
    while records := _next(platform, report.algorithm, after):
        for record in records:
            try:
                _reseal(platform, record, report.algorithm)
                report.resealed += 1
            except (ObjectAltered, ObjectMissing, BrokenChain) as error:
                report.faults[record.id] = str(error)
            done += 1
            progress(done, total)
        after = records[-1].id


def catch_up(platform: Platform) -> Report:
    """Give the records that were sealed since another hash took over their digest and their chain of it.

    Raises:
        Unavailable: a place does not answer.
    """
    with platform.database.reading(PLATFORM) as session:
        report = Report(heads.algorithm_in_force(session.connection()))
    if report.algorithm != SHA256:  # which every record has from its sealing on
        reseal_records(platform, report, lambda _done, _total: None)
    return report


def _lacking(algorithm: str, after: str) -> Sequence[Any]:
    has = select(RecordDigest.record_id).where(RecordDigest.record_id == Record.id, RecordDigest.algorithm == algorithm)
    chain, later = aliased(RecordEvidence), aliased(RecordEvidence)
    newer = select(later.record_id).where(later.record_id == chain.record_id, later.chain > chain.chain).exists()
    of_another = select(chain.record_id).where(chain.record_id == Record.id, chain.algorithm != algorithm, ~newer)
    return (col(Record.id) > after, col(Record.eliminated).is_(None), or_(~has.exists(), of_another.exists()))


def _next(platform: Platform, algorithm: str, after: str) -> list[Record]:
    with platform.database.reading(PLATFORM) as session:
        wanted = select(Record).where(*_lacking(algorithm, after)).order_by(col(Record.id)).limit(_BATCH)
        return list(session.exec(wanted))


def _reseal(platform: Platform, record: Record, algorithm: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        fetch(platform, record, package)
        with platform.database.reading(PLATFORM) as session:
            known = select(RecordDigest).where(RecordDigest.record_id == record.id).order_by(col(RecordDigest.taken).desc())
            old = [digest for digest in session.exec(known) if digest.algorithm in HASHES]
            files = select(RecordFile.uri).where(RecordFile.record_id == record.id, col(RecordFile.sha256).is_not(None))
            named = list(session.exec(files))
        for digest in old:
            if _digest(package, digest.algorithm) != digest.value:
                raise BrokenChain(_messages("reseal.digest", algorithm=digest.algorithm))
        value = _digest(package, algorithm)
        objects = [bytes.fromhex(value), *_files(package, named, algorithm)]
    facts: dict[str, Any] = {"record": record.id, "to": algorithm, leaf_key(algorithm): value}
    facts |= {leaf_key(digest.algorithm): digest.value for digest in old}
    with platform.database.writing(PLATFORM) as session:
        if session.get(RecordDigest, (record.id, algorithm)) is None:
            _note(session, record, algorithm, value, facts)
        stamping.prepare_chain(session, record, algorithm, objects)


def _note(session: ScopedSession, record: Record, algorithm: str, value: str, facts: dict[str, Any]) -> None:
    entry = journal.write(
        session,
        organisation_id=record.organisation_id,
        dossier_id=record.dossier_id,
        kind=RESEALED,
        actor="platform",
        facts=facts | _last_head(session),
    )
    owned = {"record_id": record.id, "organisation_id": record.organisation_id}
    session.add(RecordDigest(**owned, algorithm=algorithm, value=value, taken=clock.now(), entry_id=entry))


def _digest(package: Path, algorithm: str) -> str:
    with package.open("rb") as stream:
        return hashlib.file_digest(stream, plain_name(algorithm)).hexdigest()


def _files(package: Path, named: Sequence[str], algorithm: str) -> list[bytes]:
    """Return the digests of the files of a package that its evidence record is over, beside itself."""
    digests: list[bytes] = []
    with open_package(package) as opened:
        for uri in named:
            digest = HASHES[algorithm](b"")
            for chunk in opened.chunks(uri):
                digest.update(chunk)
            digests.append(digest.digest())
    return digests


def _last_head(session: ScopedSession) -> dict[str, Any]:
    """Return what an entry says of the newest head: it is bound to it, and so comes after it."""
    newest = session.exec(select(TreeHead).order_by(col(TreeHead.size).desc()).limit(1)).first()
    if newest is None:
        return {}
    return {"head_size": newest.size, "head_root": newest.root.hex(), "head_hash": Head.read(newest.head).hash}


def _is_made_with(platform: Platform, algorithm: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        return heads.algorithm_in_force(session.connection()) == algorithm


def _plant(platform: Platform, algorithm: str) -> None:
    """Make the tree anew with the hash, from entries that still lead to the roots of the tree that stands."""
    while True:
        with platform.database.writing(PLATFORM) as session:
            connection = session.connection()
            old = heads.TableStore(connection, heads.algorithm_in_force(connection))
            size, known = heads.tree_size(connection, old.algorithm), heads.tree_size(connection, algorithm)
            if known >= size:
                return
            end = min(known + heads.BATCH, size)
            peaks = tree.subtrees(0, known)
            nodes = old.get_many(peaks)
            standing = tree.Peaks(old.algorithm, known, [nodes[place] for place in peaks])
            for entry in heads.entries_at(connection, known, end):
                standing.add(tree.leaf_hash(entry.leaf(), old.algorithm))
            if standing.root() != tree.root_at(old, end):
                raise BrokenChain(_messages("reseal.tree", first=known, last=end - 1))
            heads.extend(connection, algorithm, end)


def _take_over(platform: Platform, algorithm: str) -> None:
    """Write the entry from which on the tree is made with the hash, bound to every head that was made before it."""
    bound = _bound(platform, algorithm)
    with platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(col(Organisation.parent_id).is_(None)).order_by(Organisation.id)).first()
        if root is None:
            raise BrokenChain(_messages("reseal.empty"))
        facts = {"from": heads.algorithm_in_force(session.connection()), "to": algorithm, **bound, **_last_head(session)}
        entry = journal.write(session, organisation_id=root.id, kind=CHANGED, actor="platform", facts=facts)
        session.add(TreeHash(algorithm=algorithm, entry_id=entry))


def _bound(platform: Platform, algorithm: str) -> dict[str, Any]:
    """Return how many heads there are, and the root of the tree whose leaves are each head and its token, one after the other.

    From it follows, without the old hash, that those tokens existed when the new one took over: the dates that they give stand.
    """
    stamped, after = tree.Peaks(algorithm), 0
    while True:
        with platform.database.reading(PLATFORM) as session:
            some = select(TreeHead).where(TreeHead.size > after).order_by(col(TreeHead.size)).limit(_BATCH)
            rows = list(session.exec(some))
            for row in rows:
                store = heads.TableStore(session.connection(), Head.read(row.head).hash)
                if tree.root_at(store, row.size) != row.root:
                    raise BrokenChain(_messages("reseal.head", size=row.size))
                stamped.add(tree.leaf_hash(row.head + row.token, algorithm))
        if not rows:
            return {"heads": stamped.size, "heads_root": stamped.root().hex()}
        after = rows[-1].size
