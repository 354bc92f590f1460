"""“Assemblées”: councils and commissions, under which law they are convened; one of them with its members."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.administered import Filled, Sheet
from api.web.convening import seen
from api.web.convening.meeting import Done
from api.web.convening.seen import ASSEMBLIES, today
from api.web.visitor import Parts, SignedIn, Visitor
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, NotFound, Refused, UsageError
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail.convening import assemblies, delays, importing, meetings
from flows.mail.convening.assemblies import AssemblyDetails
from flows.mail.convening.models import Assembly

router = APIRouter()
ONE = ASSEMBLIES + "/{assembly_id}"
Named = Annotated[str, Query(max_length=26)]
_t = Catalogue("api.web.convening")


@router.get(ASSEMBLIES)
def listed(request: Request, platform: Parts, visitor: SignedIn, fait: Done = "") -> HTMLResponse:
    """Show the assemblies of all organisations in which the visitor may keep them."""
    places = _places(platform, visitor)
    with platform.database.reading(visitor.principal) as session:
        found = {place.id: assemblies.assemblies_of(session, place.id) for place in places}
        counts = {
            one.id: sum(not it.alternate_of for it in meetings.members_of(session, one.id, today()))
            for every in found.values()
            for one in every
        }
    told: dict[str, Any] = {"places": [one for one in places if found[one.id]], "found": found, "counts": counts}
    return seen.shown(request, "assemblies.html", visitor, done=_done(fait), **told)


@router.get(f"{ASSEMBLIES}/ajout")
def ask(request: Request, platform: Parts, visitor: SignedIn, organisation: Named = "") -> Response:
    """Show the form by which an assembly is made; ``organisation`` is chosen already."""
    return _adding(request, platform, visitor, AssemblyDetails("", "commune"), organisation)


@router.post(f"{ASSEMBLIES}/ajout")
def add(request: Request, platform: Parts, visitor: SignedIn, sheet: Filled) -> Response:
    """Make an assembly, and show it so that its members may be added."""
    visitor.check(sheet.text("csrf"))
    wanted = AssemblyDetails(sheet.text("name"), sheet.text("rule"))
    try:
        wanted = _details(sheet)
        with platform.database.writing(visitor.principal) as session:
            made = assemblies.make(session, visitor.principal, sheet.text("organisation"), wanted)
    except (UsageError, Conflict, Forbidden) as refused:
        return _adding(request, platform, visitor, wanted, sheet.text("organisation"), refused)
    return _gone(made.id, "assemblee")


@router.get(ONE)
def one(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, fait: Done = "") -> HTMLResponse:
    """Show an assembly and its members; ``fait`` says what the visitor has just done."""
    return page(request, platform, visitor, assembly_id, done=fait)


@router.post(ONE)
def change(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, sheet: Filled) -> Response:
    """Change an assembly."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(visitor.principal) as session:
            assemblies.change(session, visitor.principal, kept(session, visitor, assembly_id), _details(sheet))
    except (UsageError, Conflict) as refused:
        return page(request, platform, visitor, assembly_id, refused=refused)
    return _gone(assembly_id, "change")


@router.post(f"{ONE}/fermeture")
def close(platform: Parts, visitor: SignedIn, assembly_id: Identifier, sheet: Filled) -> Response:
    """Have it meet no more."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        assemblies.close(session, visitor.principal, kept(session, visitor, assembly_id))
    return _gone(assembly_id, "ferme")


@router.post(f"{ONE}/reouverture")
def reopen(platform: Parts, visitor: SignedIn, assembly_id: Identifier, sheet: Filled) -> Response:
    """Have it meet again."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        assemblies.reopen(session, visitor.principal, kept(session, visitor, assembly_id))
    return _gone(assembly_id, "rouvert")


@router.post(f"{ONE}/import")
def brought(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, sheet: Filled) -> Response:
    """Take members from a file, all or none."""
    visitor.check(sheet.text("csrf"))
    try:
        raw = sheet.file("file")
        with platform.database.writing(visitor.principal) as session:
            importing.bring_in(session, visitor.principal, kept(session, visitor, assembly_id), raw)
    except Refused as refused:
        return page(request, platform, visitor, assembly_id, refused=refused, lines=refused.problems)
    except (UsageError, Conflict) as refused:
        return page(request, platform, visitor, assembly_id, refused=refused)
    return _gone(assembly_id, "import")


def kept(session: ScopedSession, visitor: Visitor, assembly_id: str) -> Assembly:
    """Return an assembly that the visitor may change; another is not told from one that does not exist.

    Raises:
        NotFound: there is none.
    """
    found = assemblies.assembly_of(session, assembly_id)
    if not assemblies.may_change(visitor.principal, found.organisation_id):
        raise NotFound(_t("assembly.unknown"))
    return found


def page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    assembly_id: str,
    *,
    done: str = "",
    refused: Exception | None = None,
    lines: Any = (),
) -> HTMLResponse:
    """Return the page of an assembly."""
    with platform.database.reading(visitor.principal) as session:
        assembly = kept(session, visitor, assembly_id)
        members = meetings.members_of(session, assembly.id)
    told: dict[str, Any] = {
        "assembly": assembly,
        "rules": delays.RULES,
        "members": members,
        "sitting": [one for one in members if meetings.in_office(one, today())],
        "past": [one for one in members if not meetings.in_office(one, today())],
        "names": {one.id: one.name for one in members},
        "columns": ", ".join(importing.COLUMNS),
        "most_days": delays.MOST_DAYS,
        "trouble": "" if lines else str(refused or ""),
        "lines": lines,
        "done": _done(done),
    }
    status = fault_of(refused).status if refused else 200
    return seen.shown(request, "assembly.html", visitor, status=status, **told)


def _adding(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    given: AssemblyDetails,
    organisation: str,
    refused: Exception | None = None,
) -> HTMLResponse:
    told: dict[str, Any] = {
        "given": given,
        "places": _places(platform, visitor),
        "chosen": organisation,
        "rules": delays.RULES,
        "most_days": delays.MOST_DAYS,
        "trouble": str(refused or ""),
    }
    status = fault_of(refused).status if refused else 200
    return seen.shown(request, "add_assembly.html", visitor, status=status, **told)


def _places(platform: Platform, visitor: Visitor) -> list[Organisation]:
    """Return the organisations whose assemblies the visitor may keep, the platform itself aside."""
    wanted = [one for one in visitor.principal.organisations if assemblies.may_change(visitor.principal, one)]
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Organisation).where(col(Organisation.id).in_(wanted)).order_by(Organisation.path))
        return [one for one in found if one.kind != OrganisationKind.PLATFORM]


def _details(sheet: Sheet) -> AssemblyDetails:
    return AssemblyDetails(
        sheet.text("name"),
        sheet.text("rule"),
        sheet.number("days", otherwise=3),
        sheet.text("place"),
        "proxies" in sheet,
        "remote" in sheet,
        "note" in sheet,
        sheet.number("reminder", otherwise=0),
    )


def _done(told: str) -> str:
    return told if f"done.{told}" in _t else ""


def _gone(assembly_id: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"{ASSEMBLIES}/{assembly_id}?fait={done}", status_code=303)
