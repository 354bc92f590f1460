"""“Modèles de courriers”: what a send begins with, the organisation's own and those from above."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.mails.sheet import KINDS, REFUSED
from api.web.mails.shelf import Here, Shelf, shelf_of
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.mail.book import reach, templates
from flows.mail.book.models import MailTemplate

router = APIRouter()
_t = Catalogue("api.web.mails")
PATH = "/courriers/modeles"
_ONE = f"{PATH}/{{template_id}}"
_DONE = frozenset({"modele", "efface"})


@router.get(PATH)
def listed(
    request: Request, platform: Parts, visitor: SignedIn, here: Here, fait: Annotated[str, Query(max_length=20)] = ""
) -> HTMLResponse:
    """Show the templates, with the form that makes one."""
    return _page(request, platform, visitor, here, done=fait)


@router.post(PATH)
def made(request: Request, platform: Parts, visitor: SignedIn, here: Here, fields: Fields) -> Response:
    """Keep a new template."""
    return _kept(request, platform, visitor, here, fields, None)


@router.get(_ONE)
def one(request: Request, platform: Parts, visitor: SignedIn, template_id: Identifier) -> HTMLResponse:
    """Show a template, to be changed."""
    found, here = _own(platform, visitor, template_id)
    return _page(request, platform, visitor, here, found=found)


@router.post(_ONE)
def changed(request: Request, platform: Parts, visitor: SignedIn, template_id: Identifier, fields: Fields) -> Response:
    """Change or delete a template."""
    found, here = _own(platform, visitor, template_id)
    if fields.get("do") == "delete":
        visitor.check(fields.get("csrf"))
        templates.delete(platform, visitor.principal, template_id)
        return RedirectResponse(here.at(PATH, fait="efface"), status_code=303)
    return _kept(request, platform, visitor, here, fields, found)


def _kept(
    request: Request, platform: Platform, visitor: Visitor, here: Shelf, fields: dict[str, str], found: MailTemplate | None
) -> Response:
    visitor.check(fields.get("csrf"))
    told = templates.Told(*(fields.get(name, "") for name in ("name", "kind", "subject", "body")))
    try:
        templates.keep(platform, visitor.principal, here.id, told, found.id if found else "")
    except REFUSED as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, here, found=found, typed=fields, trouble=fault.detail, status=fault.status)
    return RedirectResponse(here.at(PATH, fait="modele"), status_code=303)


def _own(platform: Platform, visitor: Visitor, template_id: str) -> tuple[MailTemplate, Shelf]:
    """Return a template that the visitor may change, and where it stands.

    Raises:
        NotFound: there is none; Forbidden: they may not change it.
    """
    with platform.database.reading(visitor.principal) as session:
        found = session.get(MailTemplate, template_id)
    if found is None:
        raise NotFound(_t("template.unknown"))
    reach.require(visitor.principal, found.organisation_id)
    return found, shelf_of(platform, visitor, found.organisation_id)


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    here: Shelf,
    *,
    found: MailTemplate | None = None,
    typed: dict[str, str] | None = None,
    trouble: str = "",
    status: int = 200,
    done: str = "",
) -> HTMLResponse:
    values = {name: getattr(found, name) if found else "" for name in ("name", "kind", "subject", "body")}
    shown: dict[str, Any] = {
        "here": here,
        "found": found,
        "templates": templates.reached(platform, visitor.principal, here.id) if found is None else [],
        "names": {one.id: one.name for one in here.others},
        "typed": {name: (typed or values).get(name, "") for name in values},
        "kinds": KINDS,
        "variables": templates.VARIABLES,
        "longest": {"name": templates.LONGEST_NAME, "subject": templates.LONGEST_SUBJECT, "body": templates.LONGEST_BODY},
        "trouble": trouble,
        "done": done if done in _DONE else "",
    }
    return render(request, "web/mails/templates.html", visitor=visitor, status=status, **shown)
