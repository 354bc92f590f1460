"""The stages of SALES: a strict check, the deposit at Chorus Pro, the answer to a suspension, the archive."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from functools import partial
from pathlib import PurePath
from typing import Any

from connectors.chorus.errors import QuotaReached
from core import clock
from core.database import ScopedSession
from core.errors import Refused
from core.messages import Catalogue
from core.principal import PLATFORM
from core.problems import Problem, Report, Severity
from flows import antivirus
from flows.engine.models import Dossier
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Later, Work
from flows.invoices import knowledge, view
from flows.invoices.columns import amount, currency, line
from flows.invoices.issued import answering, archiving, rules, sending
from flows.invoices.issued.keeping import chorus_of
from flows.invoices.issued.models import IssuedInvoice
from schemas.invoices.invoice import Invoice
from schemas.invoices.rules import examine_invoice

INVOICE, REPORT = "invoice", "report"
_messages = Catalogue("flows.invoices")
_MOST_WARNINGS = 50
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9-]+")


@stage("cpu", "accepted", "refused")
def check(work: Work) -> Advance:
    """Hold the invoice against every rule that it must satisfy before it leaves; every problem is reported at once."""
    kept, source = work.file(INVOICE), work.fetch(INVOICE)
    environment = knowledge.account_of(work.platform, work.organisation_id).environment
    if infected := antivirus.infected(work.platform, "V06", [(kept.name, source)]):
        raise Refused(infected)
    invoice, report = examine_invoice(source, reformed=True, installed=work.platform.settings.schemas_dir)
    problems = list(report.problems)
    if invoice is not None:
        with work.platform.database.reading(PLATFORM) as session:
            told = (work.dossier_id, work.organisation_id, environment.value, invoice, kept.size)
            problems += rules.of_the_platform(session, *told)
    if invoice is None or any(one.severity is Severity.ERROR for one in problems):
        raise Refused(problems)
    row = _row(work, kept, environment.value, invoice)
    return Advance(
        "accepted",
        facts={**_essential(invoice), "warnings": [one.as_json() for one in problems[:_MOST_WARNINGS]]},
        files=tuple(_written(work, invoice, report, problems)),
        journal={"warnings": sorted({one.rule for one in problems})},
        apply=partial(_keep, row, _titled(invoice)),
    )


@stage("remote.chorus", "deposited", "found", "uncertain", "refused", departed=sending.departed)
def deposit(work: Work) -> Advance | Later:
    """Deposit the invoice at Chorus Pro, once (law 4)."""
    try:
        return sending.send(work, INVOICE, chorus_of(work.platform, work.organisation_id, work.dossier_id))
    except QuotaReached as reached:
        return Later(clock.now() + timedelta(seconds=reached.seconds), str(reached))


@stage("remote.chorus", "completed")
def complete(work: Work) -> Advance | Later:
    """Answer the suspension of the invoice with what a person wrote and joined, once."""
    try:
        return answering.tell(work, chorus_of(work.platform, work.organisation_id, work.dossier_id))
    except QuotaReached as reached:
        return Later(clock.now() + timedelta(seconds=reached.seconds), str(reached))


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Build the package of the invoice, put it under lock, and write the record and its leaf with the last state."""
    return archiving.seal(work)


def _row(work: Work, kept: KeptFile, environment: str, invoice: Invoice) -> IssuedInvoice:
    return IssuedInvoice(
        dossier_id=work.dossier_id,
        organisation_id=work.organisation_id,
        environment=environment,
        number=line(invoice.number, 100),
        supplier=invoice.seller.siren,
        recipient=line(invoice.buyer.siret, 80),
        recipient_name=line(invoice.buyer.name, 200),
        service_code=line(invoice.buyer_reference, 100),
        engagement=line(invoice.purchase_order, 100),
        contract=line(invoice.contract, 100),
        issued=invoice.issued,
        gross=amount(invoice.totals.gross),
        currency=currency(invoice.currency),
        file_name=_file_name(kept, invoice),
    )


def _file_name(kept: KeptFile, invoice: Invoice) -> str:
    """Return under which name a file is deposited: the number is for people, the digest ties it to this content."""
    extension = ".pdf" if kept.media_type == "application/pdf" else ".xml"
    number = _NOT_IN_A_NAME.sub("-", invoice.number)[:60]
    return f"{invoice.seller.siren}_{number}_{kept.sha256[:16]}{extension}"


def _keep(row: IssuedInvoice, title: str, session: ScopedSession) -> None:
    """Make the row that holds the number; where another has just taken it, the check is made again and finds that."""
    session.add(row)
    dossier = session.get_one(Dossier, row.dossier_id)
    dossier.title = title
    session.add(dossier)
    session.flush()


def _titled(invoice: Invoice) -> str:
    return line(_messages("title", number=invoice.number, supplier=invoice.buyer.name), 200)


def _essential(invoice: Invoice) -> dict[str, Any]:
    return {"number": invoice.number, "syntax": invoice.syntax.value, "profile": invoice.profile, "type": invoice.type_code}


def _written(work: Work, invoice: Invoice, report: Report, problems: list[Problem]) -> list[KeptFile]:
    """Keep the report of the check, and the invoice as its page shows it."""
    told = work.folder / "report.json"
    shown = work.folder / view.NAME
    facts = report.facts | {"problems": [one.as_json() for one in problems]}
    told.write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    view.write(invoice, shown)
    name = f"{PurePath(work.file(INVOICE).name).stem[:200]}-controle.json"
    return [
        work.keep(REPORT, told, name, "application/json"),
        work.keep(view.ROLE, shown, view.NAME, view.MEDIA_TYPE),
    ]
