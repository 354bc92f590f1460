"""Answering the suspension of an invoice, as its supplier: what a person wrote and joined is told to Chorus Pro once.

An invoice that is no longer suspended was completed already, by us or by somebody on the portal: a second answer would only
be refused.
"""

from __future__ import annotations

from functools import partial

from connectors.chorus.client import Chorus
from connectors.chorus.deposits import Issued
from connectors.chorus.errors import ChorusUnavailable
from connectors.chorus.statuses import Status
from core import clock
from core.database import ScopedSession
from core.messages import Catalogue
from flows.engine.work import Advance, Work
from flows.invoices.issued.keeping import WITH_US, invoice_of, keep, locked, write_down
from flows.invoices.issued.models import IssuedInvoice

ANSWER = "answer"
"""Fact of a dossier: the comment of the answer under way and the digests of its pieces; also the role of these."""

_messages = Catalogue("flows.invoices")


def tell(work: Work, chorus: Chorus) -> Advance:
    """Tell Chorus Pro the answer, unless the invoice is no longer suspended.

    Raises:
        ChorusUnavailable, ChorusRefused and others of ``connectors.chorus.errors``: read again before anything is told.
    """
    invoice, answer = invoice_of(work.platform, work.dossier_id), work.facts[ANSWER]
    before = _read(chorus, invoice)
    if before.status not in WITH_US:
        return Advance("completed", journal={"status": before.status}, apply=partial(_seen, work.dossier_id, before))
    pieces = []
    for number, sha256 in enumerate(answer["pieces"]):
        kept = next(one for one in work.files if one.role == ANSWER and one.sha256 == sha256)
        path = work.folder / f"piece-{number}"
        work.platform.objects.fetch(sha256, path)
        pieces.append((chorus.add_file(path, kept.name), kept.name))
    chorus.complete(before.id, answer["comment"], pieces)
    return Advance(
        "completed",
        facts={ANSWER: None},
        journal={"pieces": list(answer["pieces"])},
        apply=partial(_told, work.dossier_id, answer["comment"]),
    )


def _read(chorus: Chorus, invoice: IssuedInvoice) -> Issued:
    found = chorus.supplier_search(invoice.deposit) if invoice.deposit else chorus.issued_as(invoice.number)
    told = next((one for one in found if one.id == invoice.chorus_id), None)
    if told is None:
        raise ChorusUnavailable(_messages("issued.lost", number=invoice.number))
    return told


def _seen(dossier_id: str, told: Issued, session: ScopedSession) -> None:
    keep(session, locked(session, dossier_id)[1], told)


def _told(dossier_id: str, comment: str, session: ScopedSession) -> None:
    write_down(session, locked(session, dossier_id)[1], Status.COMPLETED, clock.now(), comment)
