"""“Registre”: what came in and what was destroyed, by producer and year, for the yearly report to the State."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.web.archive.rules.page import table_of
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.elimination import holdings
from archive.elimination.holdings import Register
from core.errors import NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
_t = Catalogue("api.web.archive.register")
PATH = "/archives/registre"
Named = Annotated[str, Query(max_length=26)]


@router.get(PATH)
def shown(request: Request, platform: Parts, visitor: SignedIn, organisation: Named = "") -> HTMLResponse:
    """Show the register of all that the visitor may see, or of one organisation and all below it."""
    others, register = _register(platform, visitor, organisation)
    page = "web/archive/register/register.html"
    return render(request, page, visitor=visitor, register=register, others=others, organisation=organisation)


@router.get(f"{PATH}.csv")
def exported(platform: Parts, visitor: SignedIn, organisation: Named = "") -> Response:
    """Give the register as a table."""
    return table_of(holdings.table(_register(platform, visitor, organisation)[1]), "registre.csv")


def _register(platform: Platform, visitor: Visitor, organisation: str) -> tuple[list[Organisation], Register]:
    seen = {*visitor.where(Right.ARCHIVE), *visitor.where(Right.CONTROL)}
    with platform.database.reading(PLATFORM) as session:
        others = list(session.exec(select(Organisation).where(col(Organisation.id).in_(seen)).order_by(Organisation.path)))
        wanted = next((one for one in others if one.id == organisation), None)
        if organisation and wanted is None:
            raise NotFound(_t("none"))
        scope = [one.id for one in others if wanted is None or one.path.startswith(wanted.path)]
        return others, holdings.register(session, scope)
