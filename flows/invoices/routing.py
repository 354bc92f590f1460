"""The stages in which people approve an invoice: where it goes, what their visa leads to, and its folder taken back."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session

from connectors.chorus.statuses import FINAL, word
from core import clock
from core.errors import NeedsOperator
from core.messages import Catalogue, speaking
from core.principal import PLATFORM
from flows.engine.overtaken import resumed_since
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Work
from flows.invoices import asking, history, visas
from flows.invoices.knowledge import invoice_of, reception_of, visa_of
from flows.invoices.models import ReceivedInvoice
from flows.invoices.settings import InvoiceVisa, VisaRoute
from flows.invoices.targets import REJECTED_HERE, certify, is_certified
from signing.parapheur.history import LONGEST_NOTE, Said
from signing.parapheur.models import FolderState
from signing.parapheur.renewal import take_away
from signing.report.content import plain

_messages = Catalogue("flows.invoices")
_GOING_ON = frozenset({FolderState.DRAFT.value, FolderState.PENDING.value})


@stage("cpu", "asked", "straight", "over")
def route(work: Work) -> Advance:
    """Send an invoice to those who say that the service was done, or straight to the finance software.

    Nobody is asked when no route holds, or when Chorus Pro was told by another way that the service was done. What is known of
    the round before in the parapheur is kept in a docket before its folder goes round again.

    Raises:
        NeedsOperator: the route leads to a desk that may send nothing; or the invoice was readdressed to another recipient, and
            nobody has resumed it since.
    """
    invoice = invoice_of(work.platform, work.dossier_id)
    if invoice.status in FINAL:
        return Advance("over", journal={"status": invoice.status})
    away = work.facts.get(history.READDRESSED)
    if away and not resumed_since(work.platform.database, work.dossier_id, clock.from_iso(away["at"])):
        raise NeedsOperator(_messages("route.readdressed", number=invoice.number, recipient=away["recipient"]))
    chosen = chosen_of(visa_of(work.platform, work.organisation_id), invoice)
    if chosen is None or is_certified(invoice.status):
        return Advance("straight", journal={"status": invoice.status})
    asked = asking.ask(work, invoice, chosen)
    return Advance(asked.outcome, facts=asked.facts, journal=asked.journal, files=_docket(work), apply=asked.apply)


@stage("cpu", "certified")
def decide(work: Work) -> Advance:
    """Draw from the visa what Chorus Pro is to be told: that the service was done."""
    tells = reception_of(work.platform, invoice_of(work.platform, work.dossier_id).account_id).tell
    return Advance("certified", files=_docket(work), apply=partial(_certify, work.dossier_id) if tells else None)


@stage("cpu", "suspended", "ended")
def withdraw(work: Work) -> Advance:
    """Take the folder back from the parapheur: the invoice moved at Chorus Pro meanwhile. Those who had it are told why."""
    invoice = invoice_of(work.platform, work.dossier_id)
    over = invoice.status in FINAL or REJECTED_HERE in work.facts
    with work.platform.database.reading(PLATFORM) as session:
        folder = asking.folder_of(session, work.dossier_id)
        said = Said(_why(session, work, invoice))
    outcome, journal = "ended" if over else "suspended", {"status": invoice.status}
    if folder is None:
        return Advance(outcome, journal=journal)
    state = FolderState.REJECTED.value if folder.state in _GOING_ON else folder.state
    facts = {"parapheur": {"folder": folder.id, "state": state}}
    return Advance(outcome, facts=facts, journal=journal, apply=partial(_take_away, folder.id, said))


def chosen_of(visa: InvoiceVisa, invoice: ReceivedInvoice) -> VisaRoute | None:
    """Return the first route that holds for an invoice; None when none does."""
    return next(
        (
            one
            for one in visa.routes
            if one.service in {"", invoice.service_code} and invoice.engagement.startswith(one.engagement)
        ),
        None,
    )


def _docket(work: Work) -> tuple[KeptFile, ...]:
    """Return the docket of the last round in the parapheur, unless there was none."""
    with work.platform.database.reading(PLATFORM) as session:
        folder = asking.folder_of(session, work.dossier_id)
    return () if folder is None else visas.docket_of(work, folder.id)


def _certify(dossier_id: str, session: Session) -> None:
    _, invoice = history.locked(session, dossier_id)
    certify(session, invoice)


def _take_away(folder_id: str, said: Said, session: Session) -> None:
    take_away(session, folder_id, said)


def _why(session: Session, work: Work, invoice: ReceivedInvoice) -> str:
    """Return why a folder is taken back, in the words of whoever moved the invoice, where they left any."""
    here = work.facts.get(REJECTED_HERE)
    last = next((one for one in reversed(history.steps_of(session, work.dossier_id)) if one.code == invoice.status), None)
    with speaking("fr"):  # notes of a folder are read by everybody
        if here and last is None:
            said = _messages("decide.withdrawn.here")
        else:
            day = clock.in_paris(last.moment if last else clock.now())
            said = _messages("decide.withdrawn", status=word(invoice.status), day=f"{day:%d/%m/%Y}")
        comment = here["reason"] if here else last.comment if last else ""
        if comment.strip():
            said += " " + _messages("decide.withdrawn.words", comment=plain(" ".join(comment.split())))
    return said if len(said) <= LONGEST_NOTE else said[: LONGEST_NOTE - 1] + "…"
