"""What may be done once a send has left, each on a page that says what it means: for one recipient, or to the whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts import pieces as papers
from api.web.acts.form import values_of
from api.web.acts.page import Identifier
from api.web.mails import documents
from api.web.mails.sheet import REFUSED, Filled
from api.web.mails.standing import Deed
from api.web.mails.telling import Row, Telling, row_of, tell
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.mail import acting, copying, proving

router = APIRouter()
_t = Catalogue("api.web.mails")
OF_ONE = "/courriers/{send_id}/destinataires/{recipient_id}/{send_deed}"
OF_ALL = "/courriers/{send_id}/acte/{send_deed}"
ADDING = OF_ALL.format(send_id="{send_id}", send_deed=Deed.ADD.value)
Wanted = Annotated[Deed, Path()]


@router.get(OF_ONE)
def ask_of_one(
    request: Request, platform: Parts, visitor: SignedIn, send_id: Identifier, recipient_id: Identifier, send_deed: Wanted
) -> Response:
    """Show what an act for a recipient means, and ask for what it needs."""
    telling = _acting(platform, visitor, send_id)
    row = row_of(telling, recipient_id)
    if send_deed not in row.deeds:
        return RedirectResponse(f"/courriers/{send_id}/destinataires/{recipient_id}", status_code=303)
    return _form(request, visitor, telling, send_deed, row)


@router.post(OF_ONE)
def done_for_one(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    fields: Fields,
    send_id: Identifier,
    recipient_id: Identifier,
    send_deed: Wanted,
) -> Response:
    """Do it."""
    visitor.check(fields.get("csrf"))
    telling = _acting(platform, visitor, send_id)
    row = row_of(telling, recipient_id)
    try:
        _do_for_one(platform, visitor, row, send_deed, fields)
    except REFUSED as error:
        fault = fault_of(error)
        return _form(request, visitor, telling, send_deed, row, fields, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"/courriers/{send_id}/destinataires/{recipient_id}?fait={send_deed}", status_code=303)


def _do_for_one(platform: Platform, visitor: Visitor, row: Row, deed: Deed, fields: dict[str, str]) -> None:
    principal, one = visitor.principal, row.recipient.id
    if deed is Deed.AGAIN:
        acting.send_again(platform, principal, one)
    elif deed is Deed.ADDRESS:
        acting.mend_address(platform, principal, one, fields.get("address", "").strip())
    elif deed is Deed.PASSWORD:
        acting.replace_password(platform, principal, one, fields.get("password", ""))
    elif deed is Deed.REVOKE:
        acting.revoke(platform, principal, one)
    else:
        raise UsageError(_t("act.unknown"))


@router.get(OF_ALL)
def ask_of_all(request: Request, platform: Parts, visitor: SignedIn, send_id: Identifier, send_deed: Wanted) -> Response:
    """Show what an act on the whole send means, and ask for what it needs."""
    telling = _acting(platform, visitor, send_id)
    if send_deed not in telling.deeds:
        return RedirectResponse(f"/courriers/{send_id}", status_code=303)
    return _form(request, visitor, telling, send_deed)


@router.post(ADDING)
def added(request: Request, platform: Parts, visitor: SignedIn, filled: Filled, send_id: Identifier) -> Response:
    """Add documents."""
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    telling = _acting(platform, visitor, send_id)
    try:
        _add(platform, visitor, telling, filled, tell_them=bool(values.get("tell")))
    except REFUSED as error:
        fault = fault_of(error)
        return _form(request, visitor, telling, Deed.ADD, None, values, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"/courriers/{send_id}?fait={Deed.ADD}", status_code=303)


def _add(platform: Platform, visitor: Visitor, telling: Telling, filled: FormData, *, tell_them: bool) -> None:
    mail, principal = telling.seen.mail, visitor.principal
    principal.require(Right.DEPOSIT, mail.organisation_id)
    place = documents.place_of(f"{mail.dossier_id} ajout")
    papers.keep(platform, principal, mail.organisation_id, place, filled)
    found = list(papers.arrived(platform, principal, place).values())
    if not found:
        raise UsageError(_t("add.none"))
    with documents.made(platform, principal, mail.organisation_id, found, ()) as files:
        for rank, kept in enumerate(files):  # one mail tells of all of them
            acting.add_document(platform, principal, mail.dossier_id, kept, tell_them and rank == len(files) - 1)


@router.post(OF_ALL)
def done_to_all(
    request: Request, platform: Parts, visitor: SignedIn, fields: Fields, send_id: Identifier, send_deed: Wanted
) -> Response:
    """Do it."""
    visitor.check(fields.get("csrf"))
    telling = _acting(platform, visitor, send_id)
    try:
        if send_deed is Deed.CANCEL:
            acting.cancel(platform, visitor.principal, send_id, fields.get("reason", ""))
        elif send_deed is Deed.COPY:
            draft_id = copying.copy(platform, visitor.principal, send_id).dossier.id
            return RedirectResponse(f"/courriers/{draft_id}/brouillon?fait=reprise", status_code=303)
        elif send_deed is Deed.PURGE:
            acting.purge(platform, visitor.principal, send_id)
        else:
            raise UsageError(_t("act.unknown"))
    except REFUSED as error:
        fault = fault_of(error)
        return _form(request, visitor, telling, send_deed, None, fields, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"/courriers/{send_id}?fait={send_deed}", status_code=303)


def _acting(platform: Platform, visitor: Visitor, send_id: str) -> Telling:
    """Return a send on which the visitor may act.

    Raises:
        NotFound: there is none, or the visitor does not read it; Forbidden: they may not send for its organisation.
    """
    telling = tell(platform, visitor, send_id)
    visitor.principal.require(Right.DEPOSIT, telling.seen.mail.organisation_id)
    return telling


def _form(
    request: Request,
    visitor: Visitor,
    telling: Telling,
    deed: Deed,
    row: Row | None = None,
    typed: dict[str, str] | None = None,
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    mail = telling.seen.mail
    home = f"/courriers/{mail.dossier_id}"
    shown: dict[str, Any] = {
        "mail": mail,
        "deed": deed.value,
        "row": row,
        "back": f"{home}/destinataires/{row.recipient.id}" if row else home,
        "address": f"{home}/destinataires/{row.recipient.id}/{deed}" if row else f"{home}/acte/{deed}",
        "typed": typed or {},
        "longest": acting.LONGEST_REASON,
        "reached": telling.taken,
        "left": telling.seen.dossier.state not in proving.UNSENT,
        "adds": deed is Deed.ADD,
        "dangerous": deed in {Deed.CANCEL, Deed.PURGE, Deed.REVOKE},
        "trouble": trouble,
    }
    return render(request, "web/mails/deed.html", visitor=visitor, status=status, **shown)
