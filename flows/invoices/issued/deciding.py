"""What a person, or software in their place, decides of an issued invoice: an uncertain deposit, the answer to a suspension."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from connectors.chorus.client import Chorus
from connectors.chorus.deposits import DepositReport
from connectors.chorus.statuses import Status, word
from core import clock
from core.database import ScopedSession
from core.errors import Conflict, Refused, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows import antivirus
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile
from flows.invoices.issued import rules, sending
from flows.invoices.issued.answering import ANSWER
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.keeping import chorus_of, come_to_nothing, found_in, locked
from flows.invoices.issued.models import IssuedInvoice

LONGEST_COMMENT, MOST_PIECES = 2000, 20
TREATED_WITHIN = timedelta(minutes=30)
"""How long a deposit may take to show at Chorus Pro: until then nobody is asked to decide that it is not there."""

_messages = Catalogue("flows.invoices")
_LONGEST_NUMBER = 60


def send_again(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Deposit an invoice once more, of which somebody made sure that Chorus Pro does not have it.

    Raises:
        NotFound: there is no such invoice, or the principal does not see it.
        Forbidden: they may not deposit for its organisation.
        Conflict: its deposit is not uncertain, or too recent for anybody to know.
    """
    with platform.database.writing(principal) as session:
        dossier, _ = _held(session, principal, dossier_id)
        intent = dossier.facts.get(sending.SENDING) or {}
        if dossier.state == "uncertain" and clock.now() - dossier.since < TREATED_WITHIN:
            raise Conflict(_messages("issued.too_soon", minutes=int(TREATED_WITHIN.total_seconds() // 60)))
        outcome = Advance("again", facts=sending.again(dossier.facts), journal={"times": intent.get("times", 0)})
        _signal(session, principal, dossier_id, outcome)


def recognise(platform: Platform, principal: Principal, dossier_id: str, deposit: str) -> None:
    """Say under which number Chorus Pro has an uncertain deposit, as its portal shows it; its report is asked for at once.

    Raises:
        NotFound, Forbidden, Conflict: see ``send_again``.
        UsageError: neither its report nor its invoices show that it is of this file.
        ChorusRefused, ChorusUnavailable and others of ``connectors.chorus.errors``: the report cannot be had.
    """
    number = "".join(deposit.split())
    with platform.database.reading(principal) as session:
        invoice = found_in(session, dossier_id)
    principal.require(Right.DEPOSIT, invoice.organisation_id)
    if not number or len(number) > _LONGEST_NUMBER:
        raise UsageError(_messages("issued.deposit_number"))
    chorus = chorus_of(platform, invoice.organisation_id, dossier_id)
    report = chorus.deposit_report(number)
    if not _is_of(report, chorus, invoice):
        raise UsageError(_messages("issued.other_file", deposit=number, found=report.name, expected=invoice.file_name))
    with platform.database.writing(principal) as session:
        _, invoice = _held(session, principal, dossier_id)
        _signal(session, principal, dossier_id, Advance("known", facts={"deposit": number}, journal={"deposit": number}))
        invoice.deposit = number
        session.add(invoice)


def give_up(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Give up an invoice whose deposit is uncertain; its number is free again.

    Raises:
        NotFound, Forbidden, Conflict: see ``send_again``.
    """
    with platform.database.writing(principal) as session:
        _held(session, principal, dossier_id)
        _signal(session, principal, dossier_id, Advance("given_up"))
        come_to_nothing(session, dossier_id, ())


def complete(platform: Platform, principal: Principal, dossier_id: str, comment: str, pieces: Sequence[KeptFile] = ()) -> None:
    """Answer the suspension of an invoice: Chorus Pro is told within moments.

    Args:
        platform: its parts.
        principal: who answers.
        dossier_id: of the invoice.
        comment: for the recipient; 2000 characters at most.
        pieces: supporting ones, in the object store already; their roles do not matter.

    Raises:
        NotFound, Forbidden: see ``send_again``.
        Conflict: the invoice is not suspended.
        UsageError: no comment, one too long, or a piece that Chorus Pro does not take.
        Refused: an antivirus found something in a piece.
        Unavailable: it does not answer.
    """
    with platform.database.reading(principal) as session:
        principal.require(Right.DEPOSIT, found_in(session, dossier_id).organisation_id)
    said = comment.strip()
    if not said or len(said) > LONGEST_COMMENT:
        raise UsageError(_messages("issued.comment", most=LONGEST_COMMENT))
    _check_pieces(platform, pieces)
    joined = tuple(KeptFile(ANSWER, one.name, one.media_type, one.sha256, one.size) for one in pieces)
    with platform.database.writing(principal) as session:
        _, invoice = _held(session, principal, dossier_id)
        if invoice.status != Status.SUSPENDED:
            raise Conflict(_messages("issued.not_suspended", number=invoice.number, status=word(invoice.status)))
        facts = {ANSWER: {"comment": said, "pieces": [one.sha256 for one in joined]}}
        _signal(session, principal, dossier_id, Advance("answered", facts=facts, files=joined))


def _is_of(report: DepositReport, chorus: Chorus, invoice: IssuedInvoice) -> bool:
    """Tell whether a deposit is that of an invoice: by its file, which may have been renamed, or by the invoices of it."""
    if report.name.endswith(invoice.file_name) or any(flaw.number == invoice.number for flaw in report.invoices):
        return True
    return any(one.number == invoice.number for one in chorus.supplier_search(report.number))


def _check_pieces(platform: Platform, pieces: Sequence[KeptFile]) -> None:
    if len(pieces) > MOST_PIECES:
        raise UsageError(_messages("issued.pieces.many", most=MOST_PIECES))
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        for one in pieces:
            if not rules.fits(one.name):
                raise UsageError(_messages("issued.pieces.name", name=one.name[:80], most=rules.LONGEST_NAME))
            if not 0 < one.size <= rules.LARGEST:
                raise UsageError(_messages("issued.pieces.size", name=one.name))
            path = Path(folder) / one.sha256
            platform.objects.fetch(one.sha256, path)
            if infected := antivirus.infected(platform, "V06", [(one.name, path)]):
                raise Refused(infected)


def _held(session: ScopedSession, principal: Principal, dossier_id: str) -> tuple[Dossier, IssuedInvoice]:
    dossier, invoice = locked(session, dossier_id)
    principal.require(Right.DEPOSIT, invoice.organisation_id)
    return dossier, invoice


def _signal(session: ScopedSession, principal: Principal, dossier_id: str, outcome: Advance) -> None:
    if not transitions.signal(session, SALES, dossier_id, outcome.outcome, outcome, principal.actor):
        raise Conflict(_messages("issued.not_now"))
