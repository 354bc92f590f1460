"""Sealing a transfer: the package as it came, byte for byte; beside it under lock, as a statement, what was found and decided."""

from __future__ import annotations

from sqlmodel import select

from archive.ingest.inspection import manifest_of
from archive.ingest.rules import Kept, kept_by
from archive.package import Package
from archive.places import statements
from archive.sealing import Sealing
from core import clock
from core.canonical import canonical_bytes
from core.errors import NeedsOperator, NotFound
from core.journal import JournalEntry
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from flows.sealing import entries_up_to, under_lock
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import MANIFEST, PACKAGE, REPORT, SIGNATURES
from schemas.seda.reader import Manifest

_messages = Catalogue("flows.transfers")
KIND = "transfer"
_DECIDED = frozenset({"transfer.check.accepted", "transfer.accepted"})


def seal(work: Work) -> Advance:
    """Put the package under lock.

    Raises:
        NeedsOperator: its manifest cannot be read any more, or a rule that it names was taken out of the referential.
    """
    entries = entries_up_to(work, _DECIDED)
    target = work.folder / "manifest.xml"
    path = work.fetch(PACKAGE)
    manifest = manifest_of(path, target)
    if manifest is None:
        raise NeedsOperator(_messages("seal.manifest"))
    kept = _kept(work, manifest)
    facts = Sealing(work.organisation_id, work.dossier_id, KIND, kept.appraisal, kept.access)
    package = work.file(PACKAGE)
    statements.keep(work.platform, statements.OF_TRANSFER, work.dossier_id, _statement(work, entries))
    manifest_sha256 = work.file(MANIFEST).sha256
    sealed = Package(path, package.sha256, package.size, manifest_sha256, ())
    return under_lock(work, facts, sealed, described=kept.applied)


def _kept(work: Work, manifest: Manifest) -> Kept:
    try:
        with work.platform.database.reading(PLATFORM) as session:
            return kept_by(session, work.organisation_id, manifest)
    except NotFound as error:
        raise NeedsOperator(_messages("seal.rule", reason=error)) from error


def _statement(work: Work, entries: list[JournalEntry]) -> bytes:
    """Return what the journal cannot hold of the transfer, and the leaves that led here; the same for every try."""
    with work.platform.database.reading(PLATFORM) as session:
        transfer = session.exec(select(ArchiveTransfer).where(ArchiveTransfer.dossier_id == work.dossier_id)).one()
    files = {kept.role: kept.sha256 for kept in work.files}
    return canonical_bytes(
        {
            "dossier": work.dossier_id,
            "organisation": work.organisation_id,
            "package_sha256": files[PACKAGE],
            "manifest_sha256": transfer.manifest_sha256,
            "identifier": transfer.identifier,
            "transferring_agency": transfer.transferring_agency,
            "originating_agency": transfer.originating_agency,
            "agreement": transfer.agreement_id,
            "code": transfer.code,
            "comment": transfer.comment,
            "decided": clock.iso(transfer.decided) if transfer.decided else None,
            "decided_by": transfer.decided_by,
            "report": work.fetch(REPORT).read_text(encoding="utf-8"),
            "signatures": _read(work, SIGNATURES),
            "journal": [entry.leaf().decode() for entry in entries],
        }
    )


def _read(work: Work, role: str) -> str | None:
    return work.fetch(role).read_text(encoding="utf-8") if any(kept.role == role for kept in work.files) else None
