"""A member of an assembly: added, changed, out of office."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.administered import Filled, Sheet
from api.web.convening import seen
from api.web.convening.assemblies import ONE, kept
from api.web.convening.seen import ASSEMBLIES
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.mail.convening import assemblies, meetings
from flows.mail.convening.assemblies import MemberDetails
from flows.mail.convening.models import AssemblyMember

router = APIRouter()
_t = Catalogue("api.web.convening")


@router.get(f"{ONE}/membres/ajout")
def ask(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier) -> HTMLResponse:
    """Show the form by which a member is added."""
    return _form(request, platform, visitor, assembly_id, MemberDetails("", ""))


@router.post(f"{ONE}/membres/ajout")
def add(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, sheet: Filled) -> Response:
    """Add a member."""
    visitor.check(sheet.text("csrf"))
    given = MemberDetails(sheet.text("name"), sheet.text("address"))
    try:
        given = _details(sheet)
        with platform.database.writing(visitor.principal) as session:
            assemblies.add_member(session, visitor.principal, kept(session, visitor, assembly_id), given)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, assembly_id, given, refused=refused)
    return _gone(assembly_id, "membre")


@router.get(ONE + "/membres/{member_id}")
def one(request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, member_id: Identifier) -> HTMLResponse:
    """Show a member."""
    return _form(request, platform, visitor, assembly_id, None, member_id)


@router.post(ONE + "/membres/{member_id}")
def change(
    request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, member_id: Identifier, sheet: Filled
) -> Response:
    """Change a member."""
    visitor.check(sheet.text("csrf"))
    given = None
    try:
        given = _details(sheet)
        with platform.database.writing(visitor.principal) as session:
            assembly = kept(session, visitor, assembly_id)
            member = assemblies.member_of(session, assembly, member_id)
            assemblies.change_member(session, visitor.principal, assembly, member, given)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, assembly_id, given, member_id, refused=refused)
    return _gone(assembly_id, "membre_change")


@router.post(ONE + "/membres/{member_id}/fin")
def end(
    request: Request, platform: Parts, visitor: SignedIn, assembly_id: Identifier, member_id: Identifier, sheet: Filled
) -> Response:
    """Say until which day a member is in office; no day takes it back."""
    visitor.check(sheet.text("csrf"))
    try:
        until = _day(sheet.text("until"))
    except UsageError as refused:
        return _form(request, platform, visitor, assembly_id, None, member_id, refused=refused)
    with platform.database.writing(visitor.principal) as session:
        assembly = kept(session, visitor, assembly_id)
        member = assemblies.member_of(session, assembly, member_id)
        assemblies.end_mandate(session, visitor.principal, assembly, member, until)
    return _gone(assembly_id, "mandat")


def _details(sheet: Sheet) -> MemberDetails:
    return MemberDetails(
        sheet.text("name"),
        sheet.text("address"),
        sheet.text("title"),
        sheet.number("rank", otherwise=0),
        sheet.text("alternate_of") or None,
        sheet.text("by") == "paper",
        _day(sheet.text("paper_since")),
    )


def _day(told: str) -> date | None:
    try:
        return date.fromisoformat(told) if told else None
    except ValueError as error:
        raise UsageError(_t("wrong.day")) from error


def _as_details(member: AssemblyMember) -> MemberDetails:
    return MemberDetails(
        member.name, member.address, member.title, member.rank, member.alternate_of, member.paper, member.paper_since
    )


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    assembly_id: str,
    given: MemberDetails | None,
    member_id: str = "",
    *,
    refused: Exception | None = None,
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        assembly = kept(session, visitor, assembly_id)
        member = assemblies.member_of(session, assembly, member_id) if member_id else None
        every = meetings.members_of(session, assembly.id)
    titular = [(one.id, one.name) for one in every if one.alternate_of is None and one.id != member_id]
    shown = given or (_as_details(member) if member else MemberDetails("", ""))
    told = {"assembly": assembly, "member": member, "given": shown, "titular": titular, "trouble": str(refused or "")}
    status = fault_of(refused).status if refused else 200
    return seen.shown(request, "member.html", visitor, status=status, **told)


def _gone(assembly_id: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"{ASSEMBLIES}/{assembly_id}?fait={done}", status_code=303)
