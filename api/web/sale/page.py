"""Issuing an invoice through Chorus Pro, and what only a person can do about it afterwards: forms that work without script."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.multipart import Files
from api.problems import Fault, fault_of
from api.tenants import organisation_named, where
from api.uploads import Body, Document, Uploads
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from connectors.chorus.statuses import word
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, Refused, Unavailable, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.document.intake import media_type_of
from flows.engine.intake import Received
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.invoices.issued import deciding, keeping
from flows.invoices.issued.deciding import MOST_PIECES
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.issued.rules import LARGEST
from flows.registry import DEPOSITS

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_ISSUE, _SALE = "/deposer/facture", "/emissions/{sale_id}"
_FIELDS = frozenset({"csrf", "organisation", "comment"})
_REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, Unavailable, Refused)
# What a field of a form with files may hold, whatever its letters; software may say four times as much.
_LONGEST_COMMENT = 500
_t = Catalogue("api.web.sale")


@router.get(_ISSUE)
def ask(
    request: Request, platform: Parts, visitor: SignedIn, organisation: Annotated[str, Query(max_length=26)] = ""
) -> HTMLResponse:
    """Show the form by which an invoice is given to Chorus Pro."""
    return _issuing(request, platform, visitor, organisation)


@router.post(_ISSUE)
async def issued(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Take an invoice; where it goes from there is shown by its dossier."""
    turnstile: Uploads = request.app.state.uploads
    said: dict[str, str] = {}

    def read(body: Body) -> Received:
        form = _form_of(request, visitor, body, said)
        organisation = organisation_named(platform, visitor.principal, said.get("organisation", ""))
        visitor.principal.require(Right.DEPOSIT, organisation.id)
        if not form.file_name:
            raise UsageError(_t("nothing"))
        name = form.file_name
        return DEPOSITS[SALES.name](platform, visitor.principal, organisation.id, Document(form), name, None, None)

    try:
        received = await turnstile.run(request, read)
    except _REFUSED as error:
        fault = fault_of(error)
        wanted = said.get("organisation", "")
        return _issuing(request, platform, visitor, wanted, status=fault.status, trouble=_in_words(error, fault))
    done = "depot" if received.created else "deja"
    return RedirectResponse(f"/dossiers/{received.dossier.id}?fait={done}", status_code=303)


@router.get(_SALE)
def shown(request: Request, platform: Parts, visitor: SignedIn, sale_id: Identifier) -> Response:
    """Show what an invoice waits for a person to do; its dossier, when it waits for nothing."""
    return _deciding(request, platform, visitor, sale_id)


@router.post(_SALE + "/complement")
async def answered(request: Request, platform: Parts, visitor: SignedIn, sale_id: Identifier) -> Response:
    """Answer a suspension with a comment and supporting pieces."""
    _decidable(platform, visitor.principal, sale_id)
    turnstile: Uploads = request.app.state.uploads
    said: dict[str, str] = {}

    def read(body: Body) -> None:
        form = _form_of(request, visitor, body, said)
        pieces = _pieces(platform, form)
        deciding.complete(platform, visitor.principal, sale_id, said.get("comment", ""), pieces)

    try:
        await turnstile.run(request, read)
    except _REFUSED as error:
        fault = fault_of(error)
        typed = {"comment": said.get("comment", "")}
        return _deciding(request, platform, visitor, sale_id, status=fault.status, trouble=_in_words(error, fault), typed=typed)
    return RedirectResponse(f"/dossiers/{sale_id}", status_code=303)


@router.post(_SALE + "/depot")
def decided(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, sale_id: Identifier) -> Response:
    """Decide of an uncertain deposit."""
    visitor.check(fields.get("csrf"))
    _decidable(platform, visitor.principal, sale_id)
    decision, number = fields.get("decision", ""), fields.get("deposit", "")
    try:
        if decision == "known":
            deciding.recognise(platform, visitor.principal, sale_id, number)
        elif decision == "again":
            deciding.send_again(platform, visitor.principal, sale_id)
        elif decision == "given_up":
            deciding.give_up(platform, visitor.principal, sale_id)
        else:
            raise UsageError(_t("undecided"))
    except _REFUSED as error:
        fault = fault_of(error)
        typed = {"deposit": number, "decision": decision}
        return _deciding(request, platform, visitor, sale_id, status=fault.status, trouble=_in_words(error, fault), typed=typed)
    return RedirectResponse(f"/dossiers/{sale_id}", status_code=303)


def _form_of(request: Request, visitor: Visitor, body: Body, said: dict[str, str]) -> Files:
    form = Files(body, request.headers.get("content-type", ""), _FIELDS)
    said.update(form.values)
    visitor.check(said.get("csrf"))
    return form


def _in_words(error: Exception, fault: Fault) -> str:
    """Return why something was refused; what an antivirus found is said as it says it."""
    return "\u00a0; ".join(one.message for one in error.problems) if isinstance(error, Refused) else fault.detail


def _pieces(platform: Platform, form: Files) -> list[KeptFile]:
    """Keep the files of a form.

    Raises:
        UsageError: an empty file, or too many.
        TooLarge: one is beyond what Chorus Pro takes.
    """
    pieces: list[KeptFile] = []
    name = form.file_name
    while name:
        if len(pieces) >= MOST_PIECES:
            raise UsageError(_t("many", most=MOST_PIECES))
        shown = name.replace("\\", "/").rpartition("/")[2]
        blob = platform.objects.put(Document(form), LARGEST)
        pieces.append(KeptFile("", shown, media_type_of(shown), blob.sha256, blob.size))
        name = form.following()
    return pieces


def _decidable(platform: Platform, principal: Principal, sale_id: str) -> tuple[Dossier, IssuedInvoice]:
    """Return an issued invoice of which somebody may decide.

    Raises:
        NotFound: there is none, or they do not see it.
        Forbidden: they may not deposit there.
    """
    with platform.database.reading(principal) as session:
        invoice = keeping.found_in(session, sale_id)
        dossier = session.get_one(Dossier, sale_id)
    principal.require(Right.DEPOSIT, invoice.organisation_id)
    return dossier, invoice


def _issuing(
    request: Request, platform: Platform, visitor: Visitor, organisation: str, *, status: int = 200, trouble: str = ""
) -> HTMLResponse:
    organisations = where(platform, visitor.principal, Right.DEPOSIT)
    here = next((one for one in organisations if one.id == organisation), organisations[0] if organisations else None)
    told: dict[str, Any] = {"organisations": organisations, "here": here, "trouble": trouble, "limit": LARGEST}
    return render(request, "web/sale/issue.html", visitor=visitor, status=status, **told)


def _deciding(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    sale_id: str,
    *,
    status: int = 200,
    trouble: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    """Show what an invoice waits for; the dossier says where it stands when it no longer does."""
    dossier, invoice = _decidable(platform, visitor.principal, sale_id)
    if dossier.state not in {"uncertain", "suspended"}:
        return RedirectResponse(f"/dossiers/{sale_id}", status_code=303)
    told: dict[str, Any] = {
        "dossier": dossier,
        "invoice": invoice,
        "word": word(invoice.status),
        "typed": {"comment": "", "deposit": "", "decision": "", **(typed or {})},
        "trouble": trouble,
        "longest": _LONGEST_COMMENT,
        "most": MOST_PIECES,
        "limit": LARGEST,
    }
    return render(request, "web/sale/decide.html", visitor=visitor, status=status, **told)
