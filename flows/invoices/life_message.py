"""The life-cycle message of a received invoice: what Chorus Pro says of it, in the words of the reform.

Nothing is sent: whoever follows invoices by such messages reads them here, and need not know the statuses of Chorus Pro.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from connectors.chorus.statuses import word
from core.errors import Conflict, UsageError
from core.identifiers import Siret
from core.messages import Catalogue
from core.platform import Platform
from flows.invoices import view
from flows.invoices.models import InvoiceStep, InvoiceTarget, TargetState
from flows.invoices.reading import Whole
from schemas.invoices.addressing import Place
from schemas.invoices.cdar import LifeCycle, Reason, Status
from schemas.invoices.cdar_writing import told_by_chorus
from schemas.invoices.invoice import Invoice
from schemas.invoices.life_cycle import STATUSES, of_chorus, public_reason
from schemas.invoices.parties import NOBODY, SIRET, Identifier, Party

_messages = Catalogue("flows.invoices")
_TYPES = {"FACTURE": "380", "AVOIR": "381", "ACOMPTE": "386"}


def message_of(platform: Platform, whole: Whole) -> LifeCycle:
    """Return the message that tells the present status of an invoice; the same one as long as it has this status.

    Args:
        platform: whose store holds what the supplier wrote, which says more than Chorus Pro does.
        whole: the invoice with its life.

    Raises:
        Conflict: the reform has no code for this status, or something is missing that every message must say.
        ObjectAltered: the store altered what the supplier wrote.
        Unavailable: the store does not answer.
    """
    invoice, paper = whole.invoice, _paper(platform, whole)
    code = of_chorus(invoice.status)
    if code is None:
        raise Conflict(_messages("message.no_code", number=invoice.number, status=word(invoice.status)))
    step = next((one for one in reversed(whole.steps) if one.code == invoice.status), None)
    at = invoice.moved or (step.moment if step else None)
    seller, buyer = _seller(whole, paper), _buyer(whole)
    issued = invoice.issued or (paper.issued if paper else None)
    type_code = _TYPES.get(invoice.type) or (paper.type_code if paper else "")
    reason = _reason(code, step, whole.targets)
    missing = list(_missing(code, at, seller, buyer, issued, type_code, reason))
    if at is None or missing:
        raise Conflict(_messages("message.missing", number=invoice.number, missing=", ".join(missing)))
    told = Status(invoice.number, type_code, issued, code, "", "", None, None, (reason,) if reason.code or reason.text else ())
    return told_by_chorus(told, at, buyer=buyer, seller=seller)


def _missing(
    code: str, at: datetime | None, seller: Party, buyer: Party, issued: date | None, type_code: str, reason: Reason
) -> Iterator[str]:
    """Yield what a message must say and nothing says, in words (BR-FR-CDV-11, 13 and 15; BR-FR-04)."""
    if at is None:
        yield _messages("message.missing.moment")
    if not seller.siren:
        yield _messages("message.missing.seller")
    if not buyer.siren:
        yield _messages("message.missing.buyer")
    if issued is None:
        yield _messages("message.missing.issued")
    if not type_code:
        yield _messages("message.missing.type")
    if STATUSES[code].reasoned and not reason.code:
        yield _messages("message.missing.reason")


def _reason(code: str, step: InvoiceStep | None, targets: tuple[InvoiceTarget, ...]) -> Reason:
    """Return why an invoice has its status: coded when it was we who told it, in the words that Chorus Pro shows."""
    comment = step.comment if step else ""
    ours = next((one for one in reversed(targets) if step and _told(one, step)), None)
    coded = public_reason(code, ours.reason_code if ours else "") if STATUSES[code].reasoned else ""
    return Reason(coded, comment or (ours.reason if ours else ""), "", "", ())


def _told(target: InvoiceTarget, step: InvoiceStep) -> bool:
    """Tell whether a step is what came of a target: the same words, or none there and a moment, told to the minute, before."""
    if target.state != TargetState.TOLD or target.status != step.code or target.told is None:
        return False
    return target.reason == step.comment or (not step.comment and step.moment <= target.told)


def _seller(whole: Whole, paper: Invoice | None) -> Party:
    """Return the supplier: by Chorus Pro's SIRET, and else as it wrote itself."""
    invoice, written = whole.invoice, paper.seller if paper else NOBODY
    if (siret := _siret(invoice.supplier)) is None:
        return written
    return Party(name=invoice.supplier_name, identifiers=(Identifier(siret, SIRET),), electronic=written.electronic)


def _buyer(whole: Whole) -> Party:
    invoice = whole.invoice
    if (siret := _siret(invoice.recipient)) is None:
        return NOBODY
    address = Place(siret.siren, siret, invoice.service_code).address or Place(siret.siren, siret).address
    return Party(name=whole.seen.organisation.name, identifiers=(Identifier(siret, SIRET),), electronic=address)


def _siret(text: str) -> Siret | None:
    try:
        return Siret(text)
    except UsageError:
        return None


def _paper(platform: Platform, whole: Whole) -> Invoice | None:
    """Return what the supplier wrote, as its check kept it; None while nothing was checked, or nothing could be read."""
    kept = next((one for one in reversed(whole.seen.files) if one.role == view.ROLE), None)
    return None if kept is None else view.of(platform, kept.sha256).invoice
