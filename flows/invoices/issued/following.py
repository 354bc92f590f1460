"""Following what was deposited: the report of the deposit first, then the invoice that came of it, until it is paid or rejected.

A deposit that was taken says nothing of its invoice: the report does, and after it the recipient.

    the dossier is      what is read                            it hears
    uncertain           invoices of its number                  found
    deposited           the report: taken, and its invoice      integrated
                        the report: refused, or of ours         declined, with its flaws
                        the report: an incident                 incident: sent again, entirely; after the third, unclear
                        refused, where one before it was lost   unclear: it may be refused because the first arrived
    issued, suspended   the invoice                             suspended, resumed, ended
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, select

from connectors.chorus.client import Chorus
from connectors.chorus.deposits import DepositReport, Flaw, Issued
from connectors.chorus.errors import AccountRefused, CertificateRefused, ChorusRefused, QuotaReached
from connectors.chorus.statuses import Outcome, outcome
from core import clock
from core.configuration import Configuration
from core.errors import Misconfigured, TabellionError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows.engine import schedule, transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile
from flows.invoices.issued import sending
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.keeping import chorus_of, come_to_nothing, event_of, facts_of, keep, locked
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.knowledge import account_of
from flows.invoices.settings import ACCOUNT

_log = structlog.get_logger()
_messages = Catalogue("flows.invoices")
ACTOR, QUEUE = "sales.follow", "remote.chorus"
ACCOUNT_OF_DEPOSIT = "account"
"""Role of the report of a deposit, as Chorus Pro gave it (*compte rendu*)."""

_SOON, _AT_LEISURE = ("uncertain", "deposited"), ("issued", "suspended")
_PAUSES = 6
"""A recipient decides in days: their invoices are read that many times less often than deposits."""
_AT_ONCE = 200
_MOST_INCIDENTS = 3
_MOST_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """A dossier as it stood when its turn came."""

    id: str
    state: str
    facts: dict[str, Any]
    invoice: IssuedInvoice


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the look at what every account has deposited."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == ACCOUNT)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


def follow(platform: Platform, organisation_id: str) -> None:
    """Read what became of an organisation's deposits and of their invoices; trouble with one does not hold up the others.

    Raises:
        TabellionError: the last trouble; a row of them, or one that every call would meet, ends the turn at once. What Chorus
            Pro refuses to tell is of that one alone.
    """
    trouble: TabellionError | None = None
    in_a_row = 0
    for known in _due(platform, organisation_id):
        try:
            _look(platform, known, chorus_of(platform, organisation_id, known.id))
        except (QuotaReached, AccountRefused, CertificateRefused, Misconfigured):
            raise
        except TabellionError as error:
            _log.warning("sales.troubled", dossier=known.id, reason=str(error))
            trouble, in_a_row = error, 0 if isinstance(error, ChorusRefused) else in_a_row + 1
            if in_a_row >= _MOST_IN_A_ROW:
                raise
        else:
            in_a_row = 0
    if trouble is not None:
        raise trouble


def _due(platform: Platform, organisation_id: str) -> list[_Known]:
    """Return what is to be looked at, longest ago first; what was deposited in another environment is not there to be seen."""
    environment = account_of(platform, organisation_id).environment
    pause = _PAUSES * timedelta(seconds=platform.settings.poll_seconds)
    rows = (
        select(Dossier, IssuedInvoice)
        .join(IssuedInvoice, col(IssuedInvoice.dossier_id) == col(Dossier.id))
        .where(IssuedInvoice.organisation_id == organisation_id, IssuedInvoice.environment == environment.value)
        .where(~col(Dossier.overtaken))
        .where(
            col(Dossier.state).in_(_SOON)
            | (col(Dossier.state).in_(_AT_LEISURE) & (col(IssuedInvoice.looked) <= clock.now() - pause))
        )
        .order_by(col(IssuedInvoice.looked), col(IssuedInvoice.dossier_id))
        .limit(_AT_ONCE)
    )
    with platform.database.reading(PLATFORM) as session:
        return [_Known(dossier.id, dossier.state, dict(dossier.facts), invoice) for dossier, invoice in session.exec(rows)]


def _look(platform: Platform, known: _Known, chorus: Chorus) -> None:
    _looked(platform, known)
    if known.state == "uncertain":
        _seek(platform, known, chorus)
    elif known.state == "deposited":
        _read_report(platform, known, chorus)
    else:
        _read_invoice(platform, known, chorus)


def _looked(platform: Platform, known: _Known) -> None:
    """Write that Chorus Pro is asked, before it is: what makes trouble at every turn must not stay the first of each."""
    with platform.database.writing(PLATFORM) as session:
        _, invoice = locked(session, known.id)
        invoice.looked = clock.now()
        session.add(invoice)


def _seek(platform: Platform, known: _Known, chorus: Chorus) -> None:
    since = clock.from_iso(known.facts[sending.SENDING]["at"])
    ours = sending.ours_among(chorus.issued_as(known.invoice.number), known.invoice, since)
    _hear(platform, known, ours, "found" if ours else None)


def _read_invoice(platform: Platform, known: _Known, chorus: Chorus) -> None:
    deposit = known.invoice.deposit
    found = chorus.supplier_search(deposit) if deposit else chorus.issued_as(known.invoice.number)
    told = next((one for one in found if one.id == known.invoice.chorus_id), None)
    _hear(platform, known, told, None)


def _read_report(platform: Platform, known: _Known, chorus: Chorus) -> None:
    """Read the report of a deposit; what it says of our invoice counts, since an archive may bring several."""
    number = known.invoice.deposit
    report = chorus.deposit_report(number)
    came = outcome(report.state)
    if came is Outcome.UNDER_WAY:
        return _hear(platform, known, None, None)
    if came is Outcome.INCIDENT:
        lasting = sending.attempts_of(known.facts) >= _MOST_INCIDENTS
        return _hear(platform, known, None, "unclear" if lasting else "incident", report)
    ours = _ours(known, chorus, report, came)
    if ours is not None:
        return _hear(platform, known, ours, "integrated", report)
    flaws = [one for one in report.invoices if one.number in {"", known.invoice.number}]
    if came is Outcome.REFUSED or (came is Outcome.PARTLY and flaws):
        return _hear(platform, known, None, "unclear" if _repeated(known) else "declined", report)
    return _hear(platform, known, None, None)  # taken, and its invoice does not show yet


def _ours(known: _Known, chorus: Chorus, report: DepositReport, came: Outcome) -> Issued | None:
    """Return the invoice that a deposit brought; one refused since an earlier deposit of ours brought it is that one."""
    if came is not Outcome.REFUSED:
        return next((one for one in chorus.supplier_search(report.number) if one.number == known.invoice.number), None)
    if _repeated(known):
        since = clock.from_iso(known.facts[sending.SENDING]["at"])
        return sending.ours_among(chorus.issued_as(known.invoice.number), known.invoice, since)
    return None


def _repeated(known: _Known) -> bool:
    return sending.attempts_of(known.facts) > 1


def _hear(platform: Platform, known: _Known, told: Issued | None, event: str | None, report: DepositReport | None = None) -> None:
    """Keep what was read, and let the dossier hear it if it still stands where it stood; all in one transaction."""
    files = () if report is None else (_kept(platform, report),)
    with platform.database.writing(PLATFORM) as session:
        dossier, invoice = locked(session, known.id)
        if dossier.state != known.state or invoice.deposit != known.invoice.deposit:
            return
        if told is not None:
            keep(session, invoice, told)
        session.add(invoice)
        session.flush()
        event = event or event_of(dossier.state, invoice.status)
        if event is None:
            return
        facts = facts_of(invoice) | (sending.again(dossier.facts) if event == "incident" else {})
        if event == "declined" and report is not None:
            come_to_nothing(session, known.id, problems_of(report))
        journal = {"deposit": known.invoice.deposit, "status": invoice.status, **({"state": report.state} if report else {})}
        transitions.signal(session, SALES, known.id, event, Advance(event, facts=facts, files=files, journal=journal))


def problems_of(report: DepositReport) -> list[Problem]:
    """Return what Chorus Pro says against a deposit, in its own words."""
    flaws: Sequence[Flaw] = (*report.technical, *report.invoices)
    told = [
        Problem(
            "CHORUS",
            Severity.ERROR,
            _messages("issued.flaw.message", label=one.label or one.code or report.state),
            path=one.number or None,
            found=one.code or None,
            mend=_messages("issued.flaw.mend"),
        )
        for one in flaws
    ]
    plain = Problem(
        "CHORUS", Severity.ERROR, _messages("issued.flaw.none", state=report.state), mend=_messages("issued.flaw.mend")
    )
    return told or [plain]


def _kept(platform: Platform, report: DepositReport) -> KeptFile:
    shown = asdict(report)
    for name, value in shown.items():
        if isinstance(value, datetime):
            shown[name] = clock.iso(value)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "compte-rendu.json"
        path.write_text(json.dumps(shown, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")
        blob = platform.objects.put_file(path)
    return KeptFile(ACCOUNT_OF_DEPOSIT, f"compte-rendu-{report.number[:60]}.json", "application/json", blob.sha256, blob.size)
