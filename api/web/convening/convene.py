"""“Convoquer”: the form of a convocation, its last day computed as it is filled in; new, changed, or after another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.tenants import where
from api.web.acts.page import Identifier
from api.web.convening import seen
from api.web.convening.form import Typed
from api.web.convening.seen import MEETINGS, LastDay
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.mail.convening import assemblies, intake
from flows.mail.convening.delays import RULES, Case
from flows.mail.convening.models import Assembly

router = APIRouter()
NEW, EDIT, ANOTHER = f"{MEETINGS}/nouvelle", MEETINGS + "/{meeting_id}/modifier", MEETINGS + "/{meeting_id}/autre"
_COMPUTE = "compute"
_t = Catalogue("api.web.convening")
Named = Annotated[str, Query(max_length=26)]
Short = Annotated[str, Query(max_length=20)]


@router.get(NEW)
def ask(request: Request, platform: Parts, visitor: SignedIn, assemblee: Named = "") -> HTMLResponse:
    """Show the empty form; ``assemblee`` is chosen already."""
    offered = _offered(platform, visitor)
    chosen = next((one for one in offered if one.id == assemblee), offered[0] if len(offered) == 1 else None)
    typed = Typed.fresh(chosen.id, chosen.place) if chosen else Typed.fresh()
    return _form(request, platform, visitor, typed)


@router.get(f"{MEETINGS}/dernier-jour")
def computed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    assembly: Named = "",
    day: Short = "",
    hour: Short = "",
    case: Short = Case.USUAL.value,
) -> HTMLResponse:
    """Return the last day to send, for a form that is being filled in."""
    typed = Typed(assembly=assembly, day=day, hour=hour, case=case)
    last = _last_day(typed, _offered(platform, visitor))
    return seen.shown(request, "delay.html", visitor, last_day=last)


@router.post(NEW)
def convened(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Write a convocation down, or only compute its last day."""
    visitor.check(fields.get("csrf"))
    typed = Typed.sent(fields)
    if fields.get("do") == _COMPUTE:
        return _form(request, platform, visitor, typed)
    try:
        received = intake.convene(platform, visitor.principal, typed.wanted(), f"seance:{typed.key}")
    except (UsageError, Conflict, NotFound, Forbidden) as refused:
        return _form(request, platform, visitor, typed, refused=refused)
    return RedirectResponse(f"{MEETINGS}/{received.dossier.id}?fait=note", status_code=303)


@router.get(EDIT)
def edit(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> Response:
    """Show a draft in its form."""
    if not seen.to_act(platform, visitor, meeting_id).is_draft:
        return _gone(meeting_id, "fige")
    typed = Typed.of(intake.written(platform, visitor.principal, meeting_id))
    return _form(request, platform, visitor, typed, path=EDIT.format(meeting_id=meeting_id), edits=meeting_id)


@router.post(EDIT)
def edited(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, fields: Fields) -> Response:
    """Change a draft: its documents stay."""
    visitor.check(fields.get("csrf"))
    if not seen.to_act(platform, visitor, meeting_id).is_draft:
        return _gone(meeting_id, "fige")
    typed, path = Typed.sent(fields), EDIT.format(meeting_id=meeting_id)
    kept = intake.written(platform, visitor.principal, meeting_id)
    if fields.get("do") == _COMPUTE:
        return _form(request, platform, visitor, typed, path=path, edits=meeting_id)
    try:
        intake.change(platform, visitor.principal, meeting_id, typed.wanted(kept))
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, typed, path=path, refused=refused, edits=meeting_id)
    return _gone(meeting_id, "note")


@router.get(ANOTHER)
def another(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> HTMLResponse:
    """Show a form that begins as a convocation which has left: another agenda is another convocation."""
    seen.to_act(platform, visitor, meeting_id)
    typed = Typed.of(intake.another(platform, visitor.principal, meeting_id))
    return _form(request, platform, visitor, typed, after=meeting_id)


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    typed: Typed,
    *,
    path: str = NEW,
    refused: Exception | None = None,
    edits: str = "",
    after: str = "",
) -> HTMLResponse:
    offered = _offered(platform, visitor)
    fault = fault_of(refused) if refused else None
    shown: dict[str, Any] = {
        "typed": typed,
        "offered": offered,
        "owners": {one.id: one.name for one in where(platform, visitor.principal, Right.DEPOSIT)},
        "cases": list(Case),
        "last_day": _last_day(typed, offered),
        "action": path,
        "edits": edits,
        "after": after,
        "trouble": str(refused) if refused else "",
        "most": intake.MOST_QUESTIONS,
    }
    status = fault.status if fault else 200
    return seen.shown(request, "convene.html", visitor, status=status, **shown)


def _offered(platform: Platform, visitor: Visitor) -> list[Assembly]:
    """Return the assemblies that the visitor may convene."""
    with platform.database.reading(visitor.principal) as session:
        found = [one for identifier in visitor.where(Right.DEPOSIT) for one in assemblies.assemblies_of(session, identifier)]
    return [one for one in found if one.closed is None]


def _last_day(typed: Typed, offered: Sequence[Assembly]) -> LastDay | None:
    assembly = next((one for one in offered if one.id == typed.assembly), None)
    if assembly is None or assembly.rule not in RULES or not typed.day:
        return None
    with suppress(UsageError):
        return seen.last_day_of(assembly.rule, assembly.days, typed.starts(), typed.case_of())
    return None


def _gone(meeting_id: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"{MEETINGS}/{meeting_id}?fait={done}", status_code=303)
