"""Sealing: a package is put under lock once, and the record with its journal entry enters with the dossier's own last state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from archive.describing import Description
from archive.finding import index
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.package import Package
from archive.places import places
from archive.places.places import Copy
from archive.proof.evidence import LEAF_DIGEST
from archive.retention.rules import AccessDelay, RetentionRule
from core import clock, journal
from core.blobs import ObjectMissing, SealedObject
from core.platform import Platform

SEALED = "record.sealed"
"""The journal entry of a sealing."""
# Statements on the tables, made once: through the models each would cost several times what the database asks.
_add_record = insert(Record.__table__)  # type: ignore[attr-defined]
_add_copies = insert(RecordCopy.__table__)  # type: ignore[attr-defined]
_add_digest = insert(RecordDigest.__table__)  # type: ignore[attr-defined]
_add_files = insert(RecordFile.__table__)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is to be sealed, beside its bytes.

    Attributes:
        dossier_id: where it came from; None for a package that was handed over from outside.
        kind: of record: the name of its flow, or ``transfer``.
        confidential: the dossier is.
        withheld: see ``models.Record``.
    """

    organisation_id: str
    dossier_id: str | None
    kind: str
    retention: RetentionRule
    access: AccessDelay
    confidential: bool = False
    withheld: bool = False


def intent_of(sealing: Sealing, package: Package) -> dict[str, Any]:
    """Return what to write down before anything is locked: the object's key, digest and size.

    The key holds the digest, so that a package built otherwise by a later version of this software takes no other's place.
    """
    key = f"{sealing.organisation_id}/{sealing.dossier_id or sealing.kind}/{package.sha256[:16]}.zip"
    return {"key": key, "sha256": package.sha256, "size": package.size}


def put_under_lock(platform: Platform, package: Package, intent: dict[str, Any], *, untried: bool = False) -> tuple[Copy, ...]:
    """Put a package in every place under lock; a second try finds what the first one put there.

    Args:
        platform: whose places.
        package: it.
        intent: what was written down of it.
        untried: it was written down by this very try, under a lease: nobody has put anything there before.

    Raises:
        Unavailable: a place does not answer.
        ObjectAltered: the key holds other bytes.
        Misconfigured: a place does not lock it.
    """
    return places.seal(platform, intent["key"], package.path, package.sha256, untried=untried)


def put_before(platform: Platform, intent: dict[str, Any]) -> tuple[Copy, ...] | None:
    """Return the package that an earlier try put under lock as it had written down; None when it had not come so far.

    What had come to some places only is carried to the others.

    Raises:
        Unavailable: a place does not answer.
        ObjectAltered: the key holds other bytes.
        Misconfigured: a place does not lock it.
    """
    try:
        return places.seal_again(platform, intent["key"], intent["sha256"], int(intent["size"]))
    except ObjectMissing:
        return None


def record(session: Session, sealing: Sealing, description: Description, copies: Sequence[Copy]) -> str:
    """Write the record and its journal entry in the session's transaction; the entry's leaf names the package by its digest.

    Args:
        session: a writing one.
        sealing: what is said of the record.
        description: what its package says of itself.
        copies: the package, in every place, each with the lock that the place says it has.

    Returns:
        The identifier of the record.
    """
    kept = _record(sealing, description, copies[0].sealed)
    kept.entry_id = journal.write(
        session,
        organisation_id=kept.organisation_id,
        dossier_id=kept.dossier_id,
        kind=SEALED,
        actor="platform",
        facts=_facts(kept, copies),
        at=kept.sealed,
    )
    connection = session.connection()
    connection.execute(_add_record, kept.model_dump())
    owned: dict[str, Any] = {"record_id": kept.id, "organisation_id": kept.organisation_id}
    connection.execute(_add_copies, [owned | _standing(copy, kept.sealed) for copy in copies])
    connection.execute(_add_digest, owned | {"algorithm": "SHA-256", "value": kept.sha256, "taken": kept.sealed})
    if description.files:
        files = [owned | asdict(file) | {"rank": rank} for rank, file in enumerate(description.files, start=1)]
        connection.execute(_add_files, files)
    index.add(session, kept, description)
    return kept.id


def _standing(copy: Copy, checked: datetime) -> dict[str, Any]:
    version, until = copy.sealed.version_id, copy.locked_until
    return {"place": copy.place, "version_id": version, "locked_until": until, "checked": checked}


def _record(sealing: Sealing, description: Description, sealed: SealedObject) -> Record:
    kept = description.appraisal.start if description.appraisal else None
    hidden = description.access.start if description.access else None
    at = clock.now()
    return Record(
        organisation_id=sealing.organisation_id,
        dossier_id=sealing.dossier_id,
        kind=sealing.kind,
        title=description.title[:200],
        producer=description.producer or "",
        dated=kept or clock.in_paris(at).date(),
        key=sealed.key,
        sha256=sealed.sha256,
        size=sealed.size,
        entry_id="",
        rule=f"{sealing.retention.identifier} v{sealing.retention.version}",
        final_action=sealing.retention.final_action.value,
        keep_until=sealing.retention.end_from(kept) if kept else None,
        access=f"{sealing.access.identifier} v{sealing.access.version}",
        open_from=sealing.access.opens(hidden) if hidden else None,
        sealed=at,
        confidential=sealing.confidential,
        withheld=sealing.withheld,
    )


def _facts(record: Record, copies: Sequence[Copy]) -> dict[str, Any]:
    """Return what the leaf says: the database is rebuilt from it and from the manifest, so nothing is left out."""
    return {
        "record": record.id,
        LEAF_DIGEST: record.sha256,
        "size": record.size,
        "key": record.key,
        "copies": {copy.place: copy.sealed.version_id for copy in copies},
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
