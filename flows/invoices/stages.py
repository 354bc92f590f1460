"""The first stages of INVOICES: files are fetched, then looked at. What follows: ``routing``, ``handing``, ``archiving``."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlmodel import select

from connectors.chorus.answers import Kind
from connectors.chorus.client import Chorus
from connectors.chorus.errors import AccountRefused, ApplicationRefused, QuotaReached
from connectors.chorus.searching import WORKS
from core import clock
from core.database import ScopedSession
from core.principal import PLATFORM
from flows.engine.table import stage
from flows.engine.work import Advance, Later, Work
from flows.invoices import checking, fetching, history, knowledge
from flows.invoices.columns import amount, line
from flows.invoices.models import ReceivedInvoice
from schemas.invoices.invoice import Invoice

_ACCOUNT_AGAIN = timedelta(minutes=15)


@stage("remote.chorus", "stored")
def fetch(work: Work) -> Advance | Later:
    """Read the life of the invoice, then bring its files: a completion that comes in between is one that they may lack."""
    invoice = knowledge.invoice_of(work.platform, work.dossier_id)
    chorus = knowledge.chorus_of(work.platform, invoice.account_id, work.dossier_id)
    try:
        completions = _read_life(work, invoice, chorus)
        brought = fetching.bring(work, invoice, chorus)
    except QuotaReached as reached:
        return Later(clock.now() + timedelta(seconds=reached.seconds), str(reached))
    except (AccountRefused, ApplicationRefused) as refused:
        # The search tells the operator, and hastens its thousand invoices once the account is in order.
        return Later(clock.now() + _ACCOUNT_AGAIN, str(refused))
    return Advance(
        "stored",
        facts={"marks": {**(work.facts.get("marks") or {}), **brought.marks}, history.COMPLETIONS: completions},
        files=fetching.new_ones(brought.files, work.files),
        journal={"marks": sorted(set(brought.marks.values()))},
        apply=partial(_complete, work.dossier_id, brought.invoice),
    )


def _read_life(work: Work, invoice: ReceivedInvoice, chorus: Chorus) -> int:
    """Keep what Chorus Pro says of the invoice, and return how many completions by its supplier are known."""
    told = history.ask(chorus, invoice)
    with work.platform.database.writing(PLATFORM) as session:
        _, held = history.locked(session, work.dossier_id)
        history.keep(work.platform, session, held, told)
        return history.completions(session, work.dossier_id)


def _complete(dossier_id: str, told: Invoice | None, session: ScopedSession) -> None:
    """Take from the pivot what the search did not say: that of works invoices says little, nor what was corrected of it since."""
    if told is None:
        return
    kept = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).one()
    kept.supplier = kept.supplier or line(told.seller.siret or "", 80)
    kept.supplier_name = kept.supplier_name or line(told.seller.name, 200)
    kept.recipient = kept.recipient or line(told.buyer.siret or "", 80)
    pivot_first = Kind(kept.kind) in WORKS
    for column, said in (
        ("service_code", told.buyer_reference),
        ("engagement", told.purchase_order),
        ("contract", told.contract),
    ):
        own, other = getattr(kept, column), line(said, 100)
        setattr(kept, column, (other or own) if pivot_first else (own or other))
    kept.issued = kept.issued or told.issued
    totals = ((kept.net, told.totals.net), (kept.gross, told.totals.gross), (kept.payable, told.totals.payable))
    kept.net, kept.gross, kept.payable = (amount(own if own is not None else other) for own, other in totals)
    session.add(kept)
    session.flush()


@stage("cpu", "checked", "suspended")
def check(work: Work) -> Advance:
    """Hold the invoice and its pivot against the rules: advice only. One that its supplier has again goes no further."""
    checked = checking.look_at(work)
    invoice = knowledge.invoice_of(work.platform, work.dossier_id)
    return Advance(
        "suspended" if invoice.status in history.WITH_SUPPLIER else "checked",
        facts={
            "marks": checked.marks,
            "warnings": [problem.as_json() for problem in checked.problems[: checking.MOST_WARNINGS]],
            "warnings_in_all": len(checked.problems),
        },
        files=tuple(checking.files_of(work, checked)),
        journal={"warnings": sorted({problem.rule for problem in checked.problems})},
    )
