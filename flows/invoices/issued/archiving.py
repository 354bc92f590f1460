"""Archiving an issued invoice that was paid or rejected: its package, under lock once, and the record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import col, select

from archive.kinds.sale import SaleRecord, SaleRole, sale_package
from archive.package import PackageFile
from archive.retention.referential import rules_for
from archive.sealing import Sealing
from connectors.chorus.statuses import word
from core import clock
from core.journal import JournalEntry
from core.messages import speaking
from core.principal import PLATFORM
from flows.engine.work import Advance, Work
from flows.invoices.issued.keeping import invoice_of
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.models import ChorusExchange, InvoiceStep
from flows.sealing import entries_up_to, events_of, journal_extract, producer_of, under_lock

_LED_HERE = frozenset({"sales.ended"})
_KEPT = {role.value: role for role in (SaleRole.INVOICE, SaleRole.ANSWER, SaleRole.REPORT, SaleRole.ACCOUNT)}
_JSON, _LINES = "application/json", "application/x-ndjson"


def seal(work: Work) -> Advance:
    """Build the package of an invoice, put it under lock, and give the record to the last transaction.

    Raises:
        NeedsOperator: the journal does not tell what led here.
    """
    entries = entries_up_to(work, _LED_HERE)
    record = _record(work, invoice_of(work.platform, work.dossier_id), entries)
    facts = Sealing(work.organisation_id, work.dossier_id, "sales", record.retention, record.access)
    files = [*_kept(work), *_made(work, entries)]
    return under_lock(work, facts, sale_package(work.folder / "package.zip", record, files))


def _kept(work: Work) -> Iterator[PackageFile]:
    seen: set[tuple[str, str]] = set()
    for kept in work.files:
        if kept.role in _KEPT and (kept.name, kept.sha256) not in seen:
            seen.add((kept.name, kept.sha256))
            path = work.folder / kept.sha256
            if not path.exists():
                work.platform.objects.fetch(kept.sha256, path)
            yield PackageFile(_KEPT[kept.role], path, kept.media_type, kept.name)


def _made(work: Work, entries: Sequence[JournalEntry]) -> Iterator[PackageFile]:
    until = entries[-1].at
    life, calls = work.folder / "vie.json", work.folder / "echanges-chorus.jsonl"
    life.write_text(json.dumps(_life(work, until), ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")
    yield PackageFile(SaleRole.LIFE, life, _JSON, life.name)
    about = select(ChorusExchange).where(ChorusExchange.dossier_id == work.dossier_id, col(ChorusExchange.moment) <= until)
    with work.platform.database.reading(PLATFORM) as session, calls.open("w", encoding="utf-8") as target:
        for row in session.exec(about.order_by(col(ChorusExchange.moment), col(ChorusExchange.id))):
            shown = row.model_dump(exclude={"organisation_id", "dossier_id"}) | {"moment": clock.iso(row.moment)}
            target.write(json.dumps(shown, ensure_ascii=False, sort_keys=True) + "\n")
    yield PackageFile(SaleRole.EXCHANGES, calls, _LINES, calls.name)
    yield PackageFile(SaleRole.JOURNAL, journal_extract(work, entries), _LINES, "journal.jsonl")


def _life(work: Work, until: datetime) -> dict[str, object]:
    """Return what Chorus Pro said of the invoice up to a moment, as JSON: moments in UTC, amounts as texts."""
    invoice = invoice_of(work.platform, work.dossier_id)
    shown = invoice.model_dump(mode="json", exclude={"organisation_id", "looked"})
    return {
        "invoice": shown,
        "statuses": [
            {"code": one.code, "at": clock.iso(one.moment), "comment": one.comment} for one in _steps(work) if one.seen <= until
        ],
    }


def _steps(work: Work) -> list[InvoiceStep]:
    rows = select(InvoiceStep).where(InvoiceStep.dossier_id == work.dossier_id).order_by(col(InvoiceStep.id))
    with work.platform.database.reading(PLATFORM) as session:
        return list(session.exec(rows))


def _record(work: Work, invoice: IssuedInvoice, entries: Sequence[JournalEntry]) -> SaleRecord:
    at = entries[-1].at
    with work.platform.database.reading(PLATFORM) as session:
        agency, name = producer_of(session, work.organisation_id)
        rules = rules_for(session, work.organisation_id, "sales")
    with speaking("fr"):
        status = word(invoice.status)
    return SaleRecord(
        transfer=f"tabellion-{work.dossier_id}",
        dossier=work.dossier_id,
        at=at,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=name,
        chorus_id=invoice.chorus_id or 0,
        deposit=invoice.deposit,
        number=invoice.number,
        recipient=invoice.recipient,
        recipient_name=invoice.recipient_name,
        service=invoice.service_code,
        engagement=invoice.engagement,
        contract=invoice.contract,
        issued=invoice.issued,
        came=clock.in_paris(entries[0].at).date(),
        ended=clock.in_paris(invoice.moved or at).date(),
        gross=invoice.gross,
        currency=invoice.currency,
        status=status,
        events=events_of(entries),
        retention=rules.appraisal,
        access=rules.access,
    )
