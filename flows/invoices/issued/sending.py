"""Depositing an invoice at Chorus Pro, once, also after an answer that was lost or a worker that was killed.

That it is about to leave is noted before it does, under a name that is the same for the same content. Whoever finds that note and
no answer beside it looks for the invoice by its number; while it is not found nobody knows, and it is not sent again: an
uncertain deposit is cleared up by a later look, or by a person.

    what is noted     what Chorus Pro shows                       what is done
    nothing           nothing                                     noted, then deposited
    nothing           an invoice of that number, not rejected     refused: the number was used by another way
    nothing           a recipient that asks for more              refused: a code service or an engagement is missing
    leaving           the invoice                                 found: it was deposited
    leaving           nothing                                     uncertain
    to be repeated    the invoice                                 found
    to be repeated    nothing                                     deposited again
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from connectors.chorus.client import Chorus
from connectors.chorus.deposits import Issued
from connectors.chorus.directory import ChorusDirectory
from connectors.chorus.errors import (
    AccountRefused,
    AnswerUnreadable,
    CertificateRefused,
    ChorusRefused,
    ChorusUnavailable,
    QuotaReached,
)
from connectors.chorus.statuses import Status, word
from core import clock
from core.database import ScopedSession
from core.errors import Misconfigured
from core.problems import Problem
from flows.engine.departed import Departed
from flows.engine.work import Advance, Work
from flows.invoices.issued.keeping import come_to_nothing, found_in, invoice_of, keep, locked
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.issued.recipient import asked_of
from flows.invoices.issued.rules import used_already
from schemas.invoices.invoice import Syntax

SENDING = "sending"
"""Fact of a dossier: the intent: phase, name, digest, size, moment, and how many times it was set out on."""

_SYNTAXES = {Syntax.CII.value: "IN_DP_E1_CII_16B", Syntax.UBL.value: "IN_DP_E1_UBL_INVOICE"}
_FACTUR_X = "IN_DP_E2_CII_FACTURX"
_NOTHING_TOLD = (AccountRefused, AnswerUnreadable, ChorusRefused)
_NOTHING_TAKEN = (QuotaReached, AccountRefused, CertificateRefused, ChorusRefused, Misconfigured)
_SIREN_LENGTH = 9


class Phase(StrEnum):
    """Where a deposit stands for whoever comes after a crash."""

    LEAVING = "leaving"
    """The call is about to be made, or was made and its answer is not known."""
    AGAIN = "again"
    """It is known, or was decided, that Chorus Pro has nothing of it."""


def send(work: Work, role: str, chorus: Chorus) -> Advance:
    """Deposit an invoice, or find out that it was.

    Args:
        work: the dossier.
        role: of the file that leaves.
        chorus: as the organisation sees it.

    Raises:
        ChorusUnavailable, AccountRefused, ChorusRefused and others of ``connectors.chorus.errors``: nothing was taken.
    """
    invoice, intent = invoice_of(work.platform, work.dossier_id), dict(work.facts.get(SENDING) or {})
    seen = chorus.issued_as(invoice.number)
    if intent and (ours := ours_among(seen, invoice, clock.from_iso(intent["at"]))) is not None:
        return Advance(
            "found", facts={"chorus_id": ours.id}, journal={"deposit": ours.deposit}, apply=partial(_found, work, ours)
        )
    if not intent and (other := _other_among(seen, invoice)) is not None:
        return _refused(work, [used_already(invoice.number, word(other.status))])
    if intent.get("phase") == Phase.LEAVING:
        return Advance("uncertain", journal={"file": invoice.file_name})
    if not intent and (problems := _asked_for(work, chorus, invoice)):
        return _refused(work, problems)
    return _deposited(work, role, chorus, invoice, intent)


def departed(gone: Departed) -> Advance:
    """Take an invoice as deposited: under the number that the journal tells; without one, it is looked for at Chorus Pro."""
    unknown = {"at": clock.iso(gone.told[0].at if gone.told else clock.now()), "times": 1}
    intent = {**(gone.noted(SENDING) or unknown), "phase": Phase.LEAVING.value}
    taken = gone.last("sales.deposit.deposited")
    if taken is None:
        return Advance("uncertain", facts={SENDING: intent})
    number = str(taken.facts["deposit"])
    apply = partial(_numbered, gone.dossier_id, number)
    return Advance("deposited", facts={SENDING: intent, "deposit": number}, journal={"deposit": number}, apply=apply)


def again(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the intent of a dossier as one that is to be set out on once more."""
    return {SENDING: {**(facts.get(SENDING) or {}), "phase": Phase.AGAIN.value}}


def attempts_of(facts: dict[str, Any]) -> int:
    """Return how many times a deposit was set out on."""
    return int((facts.get(SENDING) or {}).get("times", 0))


def ours_among(seen: Iterable[Issued], invoice: IssuedInvoice, since: datetime) -> Issued | None:
    """Return the invoice that a deposit of ours made, among those of its number: of our SIREN, deposited since we set out to."""
    day = clock.in_paris(since).date()
    late = [one for one in seen if one.deposited is None or clock.in_paris(one.deposited).date() >= day]
    own = [one for one in late if _is_from(one, invoice)]
    return min(own, key=lambda one: one.status == Status.REJECTED, default=None)


def _refused(work: Work, problems: list[Problem]) -> Advance:
    rules = sorted({one.rule for one in problems})
    return Advance("refused", journal={"rules": rules}, apply=lambda session: come_to_nothing(session, work.dossier_id, problems))


def _asked_for(work: Work, chorus: Chorus, invoice: IssuedInvoice) -> list[Problem]:
    """Return what the recipient asks for and does not find; nothing where Chorus Pro tells this account nothing of recipients."""
    try:
        return list(asked_of(ChorusDirectory(chorus), invoice))
    except _NOTHING_TOLD as error:
        work.note("recipient_untold", trouble=str(error)[:1000])
        return []


def _other_among(seen: Iterable[Issued], invoice: IssuedInvoice) -> Issued | None:
    return next((one for one in seen if _is_from(one, invoice) and one.status != Status.REJECTED), None)


def _is_from(one: Issued, invoice: IssuedInvoice) -> bool:
    return one.supplier[:_SIREN_LENGTH] in {"", invoice.supplier}


def _deposited(work: Work, role: str, chorus: Chorus, invoice: IssuedInvoice, intent: dict[str, Any]) -> Advance:
    kept, path = work.file(role), work.fetch(role)
    syntax = _FACTUR_X if kept.media_type == "application/pdf" else _SYNTAXES[work.facts["syntax"]]
    leaving = {
        "phase": Phase.LEAVING.value,
        "name": invoice.file_name,
        "syntax": syntax,
        "sha256": kept.sha256,
        "size": kept.size,
        "at": intent.get("at") or clock.iso(clock.now()),
        "times": int(intent.get("times", 0)) + 1,
    }
    work.note("intended", **{SENDING: leaving})
    try:
        taken = chorus.deposit(path, invoice.file_name, syntax)
    except _NOTHING_TAKEN:
        work.note("not_taken", **{SENDING: {**leaving, "phase": Phase.AGAIN.value}})
        raise
    except (ChorusUnavailable, AnswerUnreadable) as error:
        return Advance("uncertain", facts={"trouble": str(error)[:1000]}, journal={"file": invoice.file_name})
    return Advance(
        "deposited",
        facts={"deposit": taken.number},
        journal={"deposit": taken.number, "sha256": kept.sha256},
        apply=partial(_numbered, work.dossier_id, taken.number),
    )


def _numbered(dossier_id: str, number: str, session: ScopedSession) -> None:
    invoice = found_in(session, dossier_id)
    invoice.deposit, invoice.looked = number, clock.now()
    session.add(invoice)
    session.flush()


def _found(work: Work, ours: Issued, session: ScopedSession) -> None:
    _, invoice = locked(session, work.dossier_id)
    keep(session, invoice, ours)
