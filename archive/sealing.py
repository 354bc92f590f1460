"""Sealing: a package is put under lock once, and the record with its journal entry enters with the dossier's own last state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session

from archive.models import Record
from archive.package import Package
from archive.proof.evidence import LEAF_DIGEST
from core import clock, journal
from core.blobs import ObjectMissing, SealedObject
from core.identifiers import new_id
from core.platform import Platform


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is to be sealed, beside its bytes.

    Attributes:
        rule: identifier and version of the retention rule.
        keep_until: end of the retention.
    """

    organisation_id: str
    dossier_id: str
    title: str
    rule: str
    keep_until: date


def intent_of(sealing: Sealing, package: Package) -> dict[str, Any]:
    """Return what to write down before anything is locked: the object's key, digest and size.

    The key holds the digest, so that a package built otherwise by a later version of this software takes no other's place.
    """
    key = f"{sealing.organisation_id}/{sealing.dossier_id}/{package.sha256[:16]}.zip"
    return {"key": key, "sha256": package.sha256, "size": package.size}


def put_under_lock(platform: Platform, package: Package, intent: dict[str, Any]) -> SealedObject:
    """Put a package in the archive under lock; a second try finds what the first one put there.

    Raises:
        Unavailable: the store does not answer.
        ObjectAltered: the key holds other bytes.
    """
    until = clock.now() + timedelta(days=platform.settings.archive_lock_days)
    return platform.objects.seal(intent["key"], package.path, package.sha256, until)


def put_before(platform: Platform, intent: dict[str, Any]) -> SealedObject | None:
    """Return the package that an earlier try put under lock as it had written down; None when it had not come so far."""
    until = clock.now() + timedelta(days=platform.settings.archive_lock_days)
    try:
        return platform.objects.seal_again(intent["key"], intent["sha256"], int(intent["size"]), until)
    except ObjectMissing:
        return None


def record(session: Session, sealing: Sealing, sealed: SealedObject, lock_days: int) -> None:
    """Write the record and its journal entry in the session's transaction; the entry's leaf names the package by its digest."""
    identifier = new_id()
    entry = journal.write(
        session,
        organisation_id=sealing.organisation_id,
        dossier_id=sealing.dossier_id,
        kind="record.sealed",
        actor="platform",
        facts={
            "record": identifier,
            LEAF_DIGEST: sealed.sha256,
            "size": sealed.size,
            "key": sealed.key,
            "version": sealed.version_id,
            "rule": sealing.rule,
        },
    )
    session.add(
        Record(
            id=identifier,
            organisation_id=sealing.organisation_id,
            dossier_id=sealing.dossier_id,
            title=sealing.title[:200],
            bucket=sealed.bucket,
            key=sealed.key,
            version_id=sealed.version_id,
            sha256=sealed.sha256,
            size=sealed.size,
            entry_id=entry,
            rule=sealing.rule,
            keep_until=sealing.keep_until,
            locked_until=clock.now() + timedelta(days=lock_days),
        )
    )
    session.flush()
