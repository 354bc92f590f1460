"""Deciding of an invoice, each time on a page that says what it means: service done, mandate, suspension, rejection."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.invoices.page import Identifier
from api.web.invoices.standing import STATUSES, Deed
from api.web.invoices.telling import deeds_of, found, tells
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from connectors.chorus.statuses import LONGEST_MANDATE, LONGEST_REASON, REFUSAL_REASONS, SUSPENSION_REASONS, reason_word
from connectors.finance.answers import LONGEST_REFERENCE
from core.errors import Conflict, NeedsOperator, Unavailable, UsageError
from core.platform import Platform
from core.principal import Right
from flows.invoices import deciding, handing
from flows.invoices.deciding import Asked
from flows.invoices.reading import Whole

router = APIRouter()
_PATH = "/factures/{invoice_id}/decision/{deed}"
_REFUSED = (UsageError, Conflict, NeedsOperator, Unavailable)
_REASONS = {Deed.REJECT: REFUSAL_REASONS, Deed.SUSPEND: SUSPENSION_REASONS}
Wanted = Annotated[Deed, Path()]


@router.get(_PATH)
def ask(request: Request, platform: Parts, visitor: SignedIn, invoice_id: Identifier, deed: Wanted) -> Response:
    """Show what a decision means, and ask for what it needs."""
    whole = _decidable(platform, visitor, invoice_id)
    if deed not in deeds_of(platform, whole):
        return RedirectResponse(f"/factures/{invoice_id}", status_code=303)
    return _form(request, platform, visitor, whole, deed, {})


@router.post(_PATH)
def decided(
    request: Request, platform: Parts, visitor: SignedIn, fields: Fields, invoice_id: Identifier, deed: Wanted
) -> Response:
    """Take the decision."""
    visitor.check(fields.get("csrf"))
    whole = _decidable(platform, visitor, invoice_id)
    told = {name: fields.get(name, "").strip() for name in ("reason", "reason_code", "mandate", "reference")}
    try:
        _take(platform, visitor, invoice_id, deed, told)
    except _REFUSED as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, whole, deed, told, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"/factures/{invoice_id}?fait={deed}", status_code=303)


def _take(platform: Platform, visitor: Visitor, invoice_id: str, deed: Deed, told: dict[str, str]) -> None:
    if deed is Deed.ACCEPT:
        deciding.accept(platform, visitor.principal, invoice_id)
    elif deed is Deed.AGAIN:
        deciding.again(platform, visitor.principal, invoice_id)
    elif deed is Deed.TAKE:
        handing.acknowledge(platform, visitor.principal, invoice_id, taken=True, software_reference=told["reference"])
    else:
        reasons, mandates = deed in _REASONS, deed is Deed.MANDATE
        asked = Asked(
            STATUSES[deed].value,
            told["reason"] if reasons else "",
            told["reason_code"] if reasons else "",
            told["mandate"] if mandates else "",
        )
        deciding.ask(platform, visitor.principal, invoice_id, [asked])


def _decidable(platform: Platform, visitor: Visitor, invoice_id: str) -> Whole:
    """Return an invoice of which the visitor may decide.

    Raises:
        NotFound: there is none, or the visitor does not read it.
        Forbidden: they may not decide there.
    """
    whole, _ = found(platform, visitor, invoice_id)
    visitor.principal.require(Right.DEPOSIT, whole.seen.dossier.organisation_id)
    return whole


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    whole: Whole,
    deed: Deed,
    typed: dict[str, str],
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    shown: dict[str, Any] = {
        "invoice": whole.invoice,
        "deed": deed,
        "typed": {"reason": "", "reason_code": "", "reference": "", "mandate": whole.invoice.mandate} | typed,
        "reasons": [(code, reason_word(code)) for code in _REASONS.get(deed, ())],
        "longest_reason": LONGEST_REASON,
        "longest_mandate": LONGEST_MANDATE,
        "longest_reference": LONGEST_REFERENCE,
        "tells": tells(platform, whole),
        "trouble": trouble,
    }
    return render(request, "web/invoices/deed.html", visitor=visitor, status=status, **shown)
