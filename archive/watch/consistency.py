"""Consistency: the database says of a record what its journal entry, its manifest and the places say.

What lives here: the comparison, record by record. What does not: whether the copies are what was sealed
(`archive.watch.integrity`), whether the journal is what it was (`archive.proof.checking`).
"""

from __future__ import annotations

import hmac
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from archive.correction.correcting import CORRECTED
from archive.describing import DescribedFile, Description, describe
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.places import places
from archive.proof.evidence import LEAF_DIGEST
from archive.sealing import SEALED
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, digest_of_file
from archive.watch.restoring import versions_named
from core.blobs import ObjectAltered, ObjectMissing, SealedObject
from core.errors import Misconfigured, Unavailable, UnreadableInput
from core.journal import JournalEntry, about
from core.platform import Platform
from core.principal import PLATFORM

_SECOND = timedelta(seconds=1)
"""Places keep the end of a lock in whole seconds."""


def total(platform: Platform, place: str) -> int:
    """Return how many records there are."""
    del place
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Record).where(col(Record.eliminated).is_(None))).one()


def look(platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
    """Compare what the database says of the next records with the journal, the manifests and the places' locks."""
    del place, started
    asked = select(Record).where(col(Record.id) > cursor, col(Record.eliminated).is_(None))
    with platform.database.reading(PLATFORM) as session:
        records = list(session.exec(asked.order_by(col(Record.id)).limit(budget.count)))
    size, troubles, looked = 0, list[Trouble](), 0
    for record in records:
        troubles += compared(platform, record)
        looked, size, cursor = looked + 1, size + record.size, record.id
        if size >= budget.size:
            break
    return Look(looked, size, tuple(troubles), cursor if records else None)


def compared(platform: Platform, record: Record) -> list[Trouble]:
    """Return every way in which the database says something else of a record than what proves it."""
    with platform.database.reading(PLATFORM) as session:
        entry = session.exec(select(JournalEntry).where(JournalEntry.id == record.entry_id)).first()
        copies = places.copies_of(session, record.id)
        asked = select(RecordFile).where(RecordFile.record_id == record.id).order_by(col(RecordFile.rank))
        files = list(session.exec(asked))
        digests = list(session.exec(select(RecordDigest).where(RecordDigest.record_id == record.id)))
        versions = versions_named(session, entry) if entry is not None and entry.kind == SEALED else {}
        corrected = _corrected(session, record.id)
    found = [*_against_leaf(record, entry, corrected), *_against_versions(record, copies, versions)]
    found += _against_package(platform, record, files, digests)
    return [*found, *_against_locks(platform, record, copies)]


def _corrected(session: Session, record_id: str) -> Mapping[str, Any]:
    """Return what the journal says of a record's rules since its sealing; nothing where they were never corrected."""
    told = (about(record_id), JournalEntry.kind == CORRECTED)
    last = select(JournalEntry.facts).where(*told).order_by(col(JournalEntry.number).desc()).limit(1)
    facts: Mapping[str, Any] = session.exec(last).first() or {}
    return dict(facts.get("after", {}))


def _differ(record: Record, subject: str, place: str = "", **facts: Any) -> Trouble:
    return Trouble(Kind.FACTS_DIFFER, place, subject, {"record": record.id, **facts}, record.organisation_id)


def _against_leaf(record: Record, entry: JournalEntry | None, corrected: Mapping[str, Any]) -> Iterator[Trouble]:
    subject = f"record/{record.id}"
    if entry is None or entry.kind != SEALED or entry.organisation_id != record.organisation_id:
        yield _differ(record, subject, against="journal_entry", entry=record.entry_id)
        return
    # An entry of an earlier version of this software says less; the digest it always says.
    said = {LEAF_DIGEST: None, **entry.facts, **corrected}
    ours = {
        LEAF_DIGEST: record.sha256,
        "record": record.id,
        "size": record.size,
        "key": record.key,
        "kind": record.kind,
        "producer": record.producer,
        "dated": record.dated.isoformat(),
        "rule": record.rule,
        "final_action": record.final_action,
        "keep_until": record.keep_until.isoformat() if record.keep_until else None,
        "access": record.access,
        "open_from": record.open_from.isoformat() if record.open_from else None,
        "confidential": record.confidential,
        "withheld": record.withheld,
    }
    wrong = sorted(name for name, value in ours.items() if name in said and said[name] != value)
    if wrong:
        yield _differ(record, subject, against="journal_entry", entry=entry.id, fields=wrong)


def _against_versions(record: Record, copies: list[RecordCopy], versions: dict[str, str]) -> Iterator[Trouble]:
    if not versions:
        return
    held = {copy.place: copy.version_id for copy in copies}
    for place in sorted({*held, *versions}):
        if held.get(place) != versions.get(place):
            facts = {"found": held.get(place), "expected": versions.get(place)}
            yield _differ(record, f"record_copy/{record.id}/{place}", place, against="journal_entry", **facts)


def _against_package(
    platform: Platform, record: Record, files: list[RecordFile], digests: list[RecordDigest]
) -> Iterator[Trouble]:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        try:
            places.fetch(platform, record, package)
        except (ObjectMissing, ObjectAltered, Unavailable, Misconfigured):
            return  # no place gives it whole: the audit of integrity says of each what is wrong with it
        for digest in digests:
            subject = f"record_digest/{record.id}/{digest.algorithm}"
            found = digest_of_file(package, digest.algorithm)
            if found is None:
                yield _differ(record, subject, against="package", fields=["algorithm"])
            elif not hmac.compare_digest(found, digest.value):
                yield _differ(record, subject, against="package", found=digest.value, expected=found)
        try:
            description = describe(package)
        except UnreadableInput:
            yield _differ(record, f"record/{record.id}", against="manifest", fields=["manifest"])
            return
    yield from _against_manifest(record, files, description)


def _against_manifest(record: Record, files: list[RecordFile], description: Description) -> Iterator[Trouble]:
    if (description.producer or "") != record.producer:
        yield _differ(record, f"record/{record.id}", against="manifest", fields=["producer"])
    for rank in range(1, max(len(files), len(description.files)) + 1):
        kept = next((file for file in files if file.rank == rank), None)
        said = description.files[rank - 1] if rank <= len(description.files) else None
        if kept is None or said is None:
            yield _differ(record, f"record_file/{record.id}/{rank}", against="manifest", fields=["rank"])
        elif said != _as_described(kept):
            yield _differ(record, f"record_file/{record.id}/{rank}", against="manifest", fields=_fields(said, kept))


def _as_described(kept: RecordFile) -> DescribedFile:
    return DescribedFile(kept.name, kept.uri, kept.sha256, kept.size, kept.media_type, kept.puid)


def _fields(said: DescribedFile, kept: RecordFile) -> list[str]:
    ours = asdict(_as_described(kept))
    return sorted(name for name, value in asdict(said).items() if ours[name] != value)


def _against_locks(platform: Platform, record: Record, copies: list[RecordCopy]) -> Iterator[Trouble]:
    """Tell of each place that lets a copy go earlier than the database says."""
    known = {place.name: place for place in places.places_of(platform)}
    for copy in copies:
        if copy.place not in known:
            yield Trouble(Kind.PLACE_SILENT, copy.place, copy.place, {"detail": "not configured"})  # one for all its copies
            continue
        store = known[copy.place].store
        sealed = SealedObject(store.archive, record.key, copy.version_id, record.sha256, record.size)
        try:
            until = store.locked_until(sealed)
        except ObjectMissing:
            continue  # the audits of existence and integrity say so
        except (Unavailable, Misconfigured):
            continue  # so does the audit of existence, of the place as a whole
        if until is None or until < copy.locked_until - _SECOND:
            facts = {
                "record": record.id,
                "version": copy.version_id,
                "expected": copy.locked_until.isoformat(),
                "found": until.isoformat() if until else None,
            }
            yield Trouble(Kind.COPY_UNLOCKED, copy.place, record.key, facts, record.organisation_id)
