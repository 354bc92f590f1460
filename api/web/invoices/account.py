"""“Compte Chorus Pro”: the technical account of the organisation, tried by a button, and how far the search has come."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from connectors.chorus.answers import Structure
from connectors.chorus.settings import ChorusAccount, Environment
from core import clock
from core.errors import Misconfigured, NeedsOperator, TabellionError
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.invoices import configuring, knowledge
from flows.invoices.models import Watch
from flows.invoices.settings import ACCOUNT

router = APIRouter()
PATH, _PAGE = "/administration/factures", "web/invoices/account.html"
_WARNS = 30
"""Days before the password ends from which the page says so."""


@router.get(PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the account; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep the account; a password that is left empty stays as it was."""
    visitor.check(sheet.text("csrf"))
    try:
        wanted = ChorusAccount.model_validate(_given(sheet, _kept(platform, place)))
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, sheet=sheet)
    configuring.keep(platform, visitor.principal, place.id, ACCOUNT, wanted)
    return gone(place, PATH, "compte")


@router.post(f"{PATH}/essai")
def attempt(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Try the account: ask for the structures that it may receive for, and when its password ends."""
    visitor.check(sheet.text("csrf"))
    visitor.principal.require(Right.ADMINISTER, place.id)
    try:
        chorus = knowledge.chorus_of(platform, place.id)
        structures, ends = chorus.structures(), chorus.account_expiry()
    except TabellionError as error:
        return _shown(request, platform, visitor, place, status=409, trouble=str(error))
    kept = _kept(platform, place)
    if kept is not None and ends is not None and ends != kept.expires:
        configuring.keep(platform, visitor.principal, place.id, ACCOUNT, kept.model_copy(update={"expires": ends}))
    return _shown(request, platform, visitor, place, structures=structures)


def _given(sheet: Sheet, kept: ChorusAccount | None) -> dict[str, Any]:
    login, password = sheet.text("login"), sheet.text("password")
    told = {"environment": sheet.text("environment"), "login": login}
    same = kept is not None and kept.login == login
    if password:
        return told | {"password": password}
    return told | ({"password": kept.password, "expires": kept.expires} if kept is not None and same else {"password": ""})


def _shown(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    place: Place,
    *,
    sheet: Sheet | None = None,
    structures: tuple[Structure, ...] | None = None,
    **said: Any,
) -> HTMLResponse:
    kept = _kept(platform, place)
    with platform.database.reading(PLATFORM) as session:
        watch = session.get(Watch, place.id)
    today = clock.in_paris(clock.now()).date()
    told = {"environment": Environment.SANDBOX.value, "login": ""}
    if sheet is not None:
        told = {name: sheet.text(name) for name in told}
    elif kept is not None:
        told = {"environment": kept.environment.value, "login": kept.login}
    values: dict[str, Any] = {
        "kept": kept,
        "told": told,
        "operator": _operator(platform, place),
        "watch": watch,
        "receives": _receives(platform, place),
        "days": _days(kept, today),
        "warns": _WARNS,
        "environments": [(one.value, words.of_page(_PAGE)(f"environment.{one.value}")) for one in Environment],
        "structures": structures,
    }
    return shown(request, _PAGE, visitor, place, **values | said)


def _days(kept: ChorusAccount | None, today: date) -> int | None:
    """Return how many days the password still lasts; None when nobody knows."""
    return None if kept is None or kept.expires is None else (kept.expires - today).days


def _kept(platform: Platform, place: Place) -> ChorusAccount | None:
    try:
        return knowledge.account_of(platform, place.id)
    except NeedsOperator:
        return None


def _operator(platform: Platform, place: Place) -> str:
    """Return to which Chorus Pro the platform speaks; empty when the operator configured none."""
    try:
        return knowledge.operator_of(platform, place.id).environment.value
    except (NeedsOperator, Misconfigured):
        return ""


def _receives(platform: Platform, place: Place) -> bool:
    try:
        return knowledge.reception_of(platform, place.id).open
    except NeedsOperator:
        return False
