"""Archiving a document that has come to the end of its circuit: its package with its docket, under lock once, and the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlmodel import select

from archive.kinds.document import DocumentRecord, DocumentRole, document_package
from archive.package import PackageFile
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from core import clock
from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue, speaking
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock
from signing.docket.checking import check
from signing.docket.content import Docket, content_of
from signing.docket.forms import pdf
from signing.docket.page import in_words
from signing.parapheur.folders import documents_of
from signing.parapheur.models import DocumentKind, Folder, FolderDocument
from signing.trust import trust_store

_messages = Catalogue("flows.document")
_COMPLETED = frozenset({"document.completed", "document.proceed.completed"})
_DOCKET = "bordereau-de-signature.pdf"
_ROLES = {
    DocumentKind.MAIN: DocumentRole.DOCUMENT,
    DocumentKind.SIGNATURE: DocumentRole.SIGNATURE,
    DocumentKind.ANNEX: DocumentRole.ANNEX,
    DocumentKind.PROOF: DocumentRole.PROOF,
}


def seal(work: Work) -> Advance:
    """Build the package as the folder stood when its circuit came to its end, and put it under lock.

    Raises:
        NeedsOperator: the documents are not those that left the circuit, or there are none any more.
    """
    entries = entries_up_to(work, _COMPLETED)
    documents, docket = _gathered(work, entries[-1])
    record = _record(work, docket, entries)
    facts = Sealing(work.organisation_id, work.dossier_id, "document", record.retention, record.access)
    printed = _printed(work, docket)
    files = [
        *_files(work, documents),
        PackageFile(DocumentRole.DOCKET, printed, "application/pdf", _DOCKET),
        PackageFile(DocumentRole.JOURNAL, journal_extract(work, entries), "application/x-ndjson", "journal.jsonl"),
    ]
    kept = work.keep("docket", printed, _DOCKET, "application/pdf")
    return under_lock(work, facts, document_package(work.folder / "package.zip", record, files), (kept,))


def _gathered(work: Work, completed: JournalEntry) -> tuple[list[FolderDocument], Docket]:
    """Return the documents of the folder and its docket, as they stood when the journal says that the circuit was completed."""
    settings = work.platform.settings
    with work.platform.database.reading(PLATFORM) as session:
        folder = session.exec(select(Folder).where(Folder.dossier_id == work.dossier_id)).one()
        documents = documents_of(session, folder.id)
    left = {kept["sha256"] for kept in completed.facts.get("files", ()) if kept["role"] == "signed"}
    if not left or left != {one.sha256 for one in documents if one.kind == DocumentKind.MAIN.value}:
        raise NeedsOperator(_messages("archive.documents"))
    found = check(work.platform.objects, documents, trust_store(settings.trust_dir), completed.at)
    with work.platform.database.reading(PLATFORM) as session:
        return documents, content_of(session, folder.id, found, until=completed.at)


def _printed(work: Work, docket: Docket) -> Path:
    path = work.folder / _DOCKET
    with speaking("fr"):  # the archive is French, whoever acted last
        path.write_bytes(pdf(docket))
    return path


def _files(work: Work, documents: Sequence[FolderDocument]) -> Iterator[PackageFile]:
    """Return the documents in the order of the package: a main one is followed by the signatures that are over it."""
    for one in documents:
        if one.kind == DocumentKind.SIGNATURE.value:
            continue
        yield _file(work, one)
        yield from (_file(work, signature) for signature in documents if signature.signature_of == one.id)


def _file(work: Work, document: FolderDocument) -> PackageFile:
    path = work.folder / document.sha256
    if not path.exists():
        work.platform.objects.fetch(document.sha256, path)
    return PackageFile(_ROLES[DocumentKind(document.kind)], path, document.media_type, document.name)


def _record(work: Work, docket: Docket, entries: Sequence[JournalEntry]) -> DocumentRecord:
    completed = entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, work.organisation_id)
        rules = rules_for(session, work.organisation_id, "document")
    type_name, subtype_name = docket.kind
    with speaking("fr"):
        fields = tuple((field.name, in_words(field)) for field in docket.fields)
    return DocumentRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=completed,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        title=docket.title,
        type_name=type_name,
        subtype_name=subtype_name,
        emitter=docket.emitter,
        started=clock.in_paris(docket.created).date(),
        finished=clock.in_paris(completed).date(),
        external_id=docket.external_id,
        fields=fields,
        events=events_of(entries),
        retention=rules.appraisal,
        access=rules.access,
    )
