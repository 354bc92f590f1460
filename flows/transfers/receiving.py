"""The first look at a package: who sends what, whether it came before, and the acknowledgement that says so."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from sqlmodel import Session, select

from archive.ingest.inspection import manifest_of
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile, Work
from flows.transfers import messages, repeats
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import CLASH, DRY_RUN, MANIFEST, PACKAGE, SAME_AS
from schemas.seda.reader import Manifest

_TITLE, _IDENTIFIER, _AGENCY = 200, 255, 100


def receive(work: Work) -> Advance:
    """Read who sends what; what cannot be read is told by the checks."""
    target = work.folder / "manifest.xml"
    manifest = manifest_of(work.fetch(PACKAGE), target)
    if manifest is None:
        return Advance("acknowledged")
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    identity = identity_of(manifest)
    earlier, spent = _earlier(work, identity) if identity and not work.facts.get(DRY_RUN) else (None, None)
    if earlier is not None and earlier.manifest_sha256 == digest:
        return Advance("duplicate", facts={SAME_AS: earlier.dossier_id}, journal={SAME_AS: earlier.dossier_id})
    claims = None if earlier is not None or work.facts.get(DRY_RUN) else identity
    values = {
        "identity": claims,
        "identifier": (manifest.identifier or "")[:_IDENTIFIER],
        "version": manifest.version,
        "transferring_agency": (manifest.transferring_agency or "")[:_AGENCY],
        "originating_agency": (manifest.originating_agency or "")[:_AGENCY],
        "manifest_sha256": digest,
        "units": len(manifest.units),
        "objects": len(manifest.objects),
        "size": work.file(PACKAGE).size,
    }
    kept = work.keep(MANIFEST, target, "manifest.xml", "application/xml")
    return Advance(
        "acknowledged",
        facts={CLASH: earlier.dossier_id} if earlier else {},
        files=(kept, *_acknowledgement(work, manifest)),
        journal={"manifest": digest},
        apply=partial(_write, work.dossier_id, values, _title(manifest), spent),
    )


def identity_of(manifest: Manifest) -> str | None:
    """Return what a transfer is known by: its sender and the identifier that the sender gave it; None without them."""
    if not manifest.transferring_agency or not manifest.identifier:
        return None
    return hashlib.sha256(f"{manifest.transferring_agency}\0{manifest.identifier}".encode()).hexdigest()


def _earlier(work: Work, identity: str) -> tuple[ArchiveTransfer | None, str | None]:
    """Return the transfer that bears an identity and stands; else the dossier of the one that bears it and stands no more."""
    with work.platform.database.reading(PLATFORM) as session:
        same = select(ArchiveTransfer).where(
            ArchiveTransfer.organisation_id == work.organisation_id,
            ArchiveTransfer.identity == identity,
            ArchiveTransfer.dossier_id != work.dossier_id,
        )
        found = session.exec(same).first()
        if found is None:
            return None, None
        alive = repeats.stands(session, session.get_one(Dossier, found.dossier_id))
    return (found, None) if alive else (None, found.dossier_id)


def _acknowledgement(work: Work, manifest: Manifest) -> tuple[KeptFile, ...]:
    return (messages.acknowledgement(work, manifest),) if messages.can_answer(manifest) else ()


def _title(manifest: Manifest) -> str | None:
    return next((unit.title[:_TITLE] for unit in manifest.units if unit.title), None)


def _write(dossier_id: str, values: dict[str, Any], title: str | None, spent: str | None, session: Session) -> None:
    if spent is not None:
        session.get_one(ArchiveTransfer, spent).identity = None
        session.flush()
    transfer = session.get_one(ArchiveTransfer, dossier_id)
    for name, value in values.items():
        setattr(transfer, name, value)
    if title is not None:
        session.get_one(Dossier, dossier_id).title = title
    session.flush()
