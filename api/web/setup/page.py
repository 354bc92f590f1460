"""“Démarrage”: five steps from nothing to a first signed document; each may be skipped, and taken up again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.setup import configuration, letter
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.helios.knowledge import route_of
from signing.parapheur import desks, first_steps
from signing.parapheur.first_steps import FirstStep, ProposedDesk, ProposedTypes

router = APIRouter()
router.include_router(configuration.router)
_t = Catalogue("api.web.setup")
_PATH, _PAGE = "/administration/demarrage", "web/setup/setup.html"
_PROPOSED = ("secretariat", "dgs", "maire")


@router.get("/administration")
def home(place: Here) -> RedirectResponse:
    """Go to the guided set-up: it shows what is done, and leads everywhere."""
    return RedirectResponse(place.at(_PATH), status_code=303)


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the steps; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(f"{_PATH}/bureaux")
def make_desks(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Make the desks that are proposed, under the names that the form gives them."""
    visitor.check(sheet.text("csrf"))
    wanted = [
        ProposedDesk(sheet.text(f"name.{one}"), sheet.text(f"short.{one}"), sheet.text(f"holder.{one}"))
        for one in _PROPOSED
        if sheet.text(f"name.{one}")
    ]
    try:
        with platform.database.writing(visitor.principal) as session:
            first_steps.make_desks(session, visitor.principal, place.id, wanted)
    except (UsageError, Conflict) as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "bureaux")


@router.post(f"{_PATH}/types")
def make_types(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Make the circuit and the types that are proposed."""
    visitor.check(sheet.text("csrf"))
    named = {name: sheet.text(name) for name in ("approver_id", "signer_id", "city", "postal_code")}
    wanted = ProposedTypes(**named, mail="mail" in sheet, helios="helios" in sheet)
    try:
        with platform.database.writing(visitor.principal) as session:
            first_steps.make_types(session, visitor.principal, place.id, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, sheet=sheet)
    except (UsageError, Conflict) as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "types")


@router.post(f"{_PATH}/essai")
def try_it(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Send a letter of trial into a circuit, from a desk that the visitor holds."""
    visitor.check(sheet.text("csrf"))
    try:
        letter.send(platform, visitor.principal, place.id, sheet.text("desk"), sheet.text("subtype"))
    except (UsageError, Conflict) as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "essai")


@router.post(f"{_PATH}/{{step}}/passer")
def skip(platform: Parts, visitor: Administers, place: Here, step: FirstStep, sheet: Filled) -> RedirectResponse:
    """Skip a step, or take it up again."""
    visitor.check(sheet.text("csrf"))
    skips = "reprendre" not in sheet
    with platform.database.writing(PLATFORM) as session:
        first_steps.skip(session, platform.secrets, visitor.principal, place.id, step, skips=skips)
    return gone(place, _PATH, "passe" if skips else "repris")


def _shown(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, sheet: Sheet | None = None, **said: Any
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        stands = first_steps.stands(session, platform.secrets, place.organisation)
        there = [desk for desk in desks.desks_of(session, place.id) if desk.closed is None]
        people = [(person.id, person.name) for person in desks.seatable(session, place.organisation)]
    values: dict[str, Any] = {
        "stands": stands,
        "next": first_steps.next_step(stands),
        "desks": [(desk.id, desk.name) for desk in there if desk.may_act],
        "people": people,
        "proposed": [_proposed(one, sheet) for one in _PROPOSED],
        "told": {name: sheet.text(name) if sheet else "" for name in ("approver_id", "signer_id", "city", "postal_code")},
        "route": route_of(platform, place.id),
        **letter.choices(platform, visitor.principal, place.id),
    }
    return shown(request, _PAGE, visitor, place, **values | said)


def _proposed(one: str, sheet: Sheet | None) -> dict[str, str]:
    """Return a desk as the form proposes it, or as it was filled in."""
    if sheet is not None and f"name.{one}" in sheet:
        return {"id": one} | {what: sheet.text(f"{what}.{one}") for what in ("name", "short", "holder")}
    return {"id": one, "name": _t(f"proposed.{one}.name"), "short": _t(f"proposed.{one}.short"), "holder": ""}
