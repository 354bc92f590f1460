"""Archiving an invoice whose life at Chorus Pro is over: its package, under lock once, and the record.

What is in the package is what the journal tells up to the entry that led here, and what became of what was still to be told then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlmodel import col, select

from archive.kinds.invoice import InvoiceRecord, InvoiceRole, invoice_package
from archive.package import PackageFile
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from connectors.chorus.statuses import word
from core import clock
from core.journal import JournalEntry
from core.messages import speaking
from core.principal import PLATFORM
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Work
from flows.invoices import asking, history, sheet, visas
from flows.invoices.checking import REPORT
from flows.invoices.fetching import ORIGINAL, PIECE, PIVOT, READABLE
from flows.invoices.handing import ROLE as HANDOVER
from flows.invoices.lived import Life, as_json, life_of
from flows.invoices.models import ChorusExchange
from flows.invoices.targets import JOURNAL, conclude
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock

_WITHDRAWN = "invoices.withdraw.ended"
_LED_HERE = frozenset({"invoices.ended", "invoices.route.over", "invoices.hand.over"})
_CLOSED = frozenset(f"invoices.{kind}" for kind in JOURNAL.values())
_KEPT = {
    PIVOT: InvoiceRole.PIVOT,
    ORIGINAL: InvoiceRole.ORIGINAL,
    READABLE: InvoiceRole.READABLE,
    PIECE: InvoiceRole.PIECE,
    REPORT: InvoiceRole.REPORT,
    visas.DOCKET: InvoiceRole.DOCKET,
    HANDOVER: InvoiceRole.HANDOVER,
}
_PDF, _JSON, _LINES = "application/pdf", "application/json", "application/x-ndjson"


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Build the package of the invoice, put it under lock, and write the record and its leaf with the last state.

    Raises:
        NeedsOperator: the journal does not tell what led here.
        SandboxError, Unavailable: the sheet or the docket could not be composed.
    """
    with work.platform.database.writing(PLATFORM) as session:
        _, invoice = history.locked(session, work.dossier_id)
        conclude(session, invoice)
    entries = _entries(work)
    at = entries[-1].at
    docket = _last_docket(work, at)
    with work.platform.database.reading(PLATFORM) as session:
        life = life_of(session, work.dossier_id, at)
    record = _record(work, life, entries)
    facts = Sealing(work.organisation_id, work.dossier_id, "invoices", record.retention, record.access)
    files = [*_kept(work, docket), *_made(work, life, entries)]
    return under_lock(work, facts, invoice_package(work.folder / "package.zip", record, files), docket)


def _entries(work: Work) -> list[JournalEntry]:
    """Return the journal up to what led here, and what became afterwards of what was still to be told."""
    of_dossier = select(JournalEntry).where(JournalEntry.dossier_id == work.dossier_id).order_by(col(JournalEntry.number))
    with work.platform.database.reading(PLATFORM) as session:
        withdrawn = session.exec(of_dossier.where(JournalEntry.kind == _WITHDRAWN)).first()
        closed = session.exec(of_dossier.where(col(JournalEntry.kind).in_(_CLOSED))).all()
    led_here = entries_up_to(work, {_WITHDRAWN} if withdrawn else _LED_HERE)
    last = led_here[-1].number or 0
    return [*led_here, *(entry for entry in closed if (entry.number or 0) > last)]


def _last_docket(work: Work, until: datetime) -> tuple[KeptFile, ...]:
    with work.platform.database.reading(PLATFORM) as session:
        folder = asking.folder_of(session, work.dossier_id)
    return () if folder is None else visas.docket_of(work, folder.id, until)


def _kept(work: Work, docket: tuple[KeptFile, ...]) -> Iterator[PackageFile]:
    """Yield the documents of every cycle, each once: an invoice may be its own readable form, or the pivot itself."""
    seen: set[tuple[str, str]] = set()
    for role, archived in _KEPT.items():
        for kept in (*work.files, *docket):
            if kept.role == role and (kept.name, kept.sha256) not in seen:
                seen.add((kept.name, kept.sha256))
                path = work.folder / kept.sha256
                if not path.exists():
                    work.platform.objects.fetch(kept.sha256, path)
                yield PackageFile(archived, path, kept.media_type, kept.name)


def _made(work: Work, life: Life, entries: Sequence[JournalEntry]) -> Iterator[PackageFile]:
    """Yield what is written for the archive."""
    printed = work.folder / "fiche-de-suivi.pdf"
    with speaking("fr"):  # the archive is French, whoever acted last
        printed.write_bytes(sheet.pdf(life))
    yield PackageFile(InvoiceRole.SHEET, printed, _PDF, printed.name)
    told = work.folder / "vie.json"
    told.write_text(json.dumps(as_json(life), ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")
    yield PackageFile(InvoiceRole.LIFE, told, _JSON, told.name)
    yield PackageFile(InvoiceRole.EXCHANGES, _exchanges(work, life.until), _LINES, "echanges-chorus.jsonl")
    yield PackageFile(InvoiceRole.JOURNAL, journal_extract(work, entries), _LINES, "journal.jsonl")


def _exchanges(work: Work, until: datetime) -> Path:
    """Write the evidence of the calls about the invoice, a line each."""
    about = select(ChorusExchange).where(ChorusExchange.dossier_id == work.dossier_id, col(ChorusExchange.moment) <= until)
    with work.platform.database.reading(PLATFORM) as session:
        rows = session.exec(about.order_by(col(ChorusExchange.moment), col(ChorusExchange.id))).all()
    path = work.folder / "echanges-chorus.jsonl"
    with path.open("w", encoding="utf-8") as target:
        for row in rows:
            shown = row.model_dump(exclude={"organisation_id", "dossier_id"}) | {"moment": clock.iso(row.moment)}
            target.write(json.dumps(shown, ensure_ascii=False, sort_keys=True) + "\n")
    return path


def _record(work: Work, life: Life, entries: Sequence[JournalEntry]) -> InvoiceRecord:
    invoice, at = life.invoice, entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, work.organisation_id)
        rules = rules_for(session, work.organisation_id, "invoices")
    with speaking("fr"):
        said, status = tuple(sheet.sentences(life)), word(invoice.status)
    ended = next((step.moment for step in reversed(life.steps) if step.code == invoice.status), at)
    return InvoiceRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=at,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        chorus_id=invoice.chorus_id,
        number=invoice.number,
        supplier=invoice.supplier,
        supplier_name=invoice.supplier_name,
        recipient=invoice.recipient,
        service=invoice.service_code,
        engagement=invoice.engagement,
        contract=invoice.contract,
        mandate=invoice.mandate,
        issued=invoice.issued,
        came=clock.in_paris(invoice.deposited or entries[0].at).date(),
        ended=clock.in_paris(ended).date(),
        gross=invoice.gross,
        currency=invoice.currency,
        status=status,
        said=said,
        events=events_of(entries),
        retention=rules.appraisal,
        access=rules.access,
    )
