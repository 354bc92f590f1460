"""“Courriers suivis” of the administration: delays, reminders, identity, approval of each kind of send; how long it is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.types.routing import choices
from api.web.visitor import Administers, Parts, Visitor
from archive.retention.referential import rules_for
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import configuring, validating
from flows.mail.kinds import BUILT_IN, CONFIGURED, Kind, kind_of
from flows.parapheur.settings import ParapheurRoute

router = APIRouter()
_PATH, _PAGE = "/administration/courriers", "web/mails/terms.html"
_BOXES = ("asks_name", "answers")
_ROUTE = ("subtype", "emitter", "visibility")
_FIELDS = ("withdraw_days", "readable_days", "reminders", "level", *_BOXES)


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the terms of every kind; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep the terms of one kind, or take the organisation's own away."""
    visitor.check(sheet.text("csrf"))
    name = sheet.text("kind")
    if sheet.text("do") == "visa":
        return _approved_by(request, platform, visitor, place, sheet)
    if name in BUILT_IN and sheet.text("do") == "back":
        configuring.give_back(platform, visitor.principal, place.id, name)
        return gone(place, _PATH, "origine")
    try:
        configuring.keep(platform, visitor.principal, place.id, name, _told(sheet, name))
    except (ValidationError, UsageError) as error:
        why = reason(error, _words()) if isinstance(error, ValidationError) else str(error)
        said = _words()("terms.trouble", kind=_words()(f"kind.{name}"), why=why) if name in BUILT_IN else why
        return _shown(request, platform, visitor, place, status=400, trouble=said, typed={name: _typed(sheet, name)})
    return gone(place, _PATH, "delais")


def _approved_by(request: Request, platform: Platform, visitor: Visitor, place: Place, sheet: Sheet) -> Response:
    """Keep who approves sends of one kind, or take that away."""
    name = sheet.text("kind")
    given = {field: sheet.text(f"{name}.{field}") for field in _ROUTE}
    try:
        route = ParapheurRoute.model_validate(given) if given["subtype"] else None
        configuring.keep_visa(platform, visitor.principal, place.id, name, route)
    except (ValidationError, UsageError) as error:
        why = _words()("terms.visa.emitter.missing") if isinstance(error, ValidationError) else str(error)
        return _shown(request, platform, visitor, place, status=400, trouble=why, chosen={name: given})
    return gone(place, _PATH, "validation" if route else "sans-validation")


def _words() -> words.PageWords:
    return words.of_page(_PAGE)


def _told(sheet: Sheet, name: str) -> configuring.Told:
    days = [text.strip() for text in sheet.text(f"{name}.reminders").replace(";", ",").split(",") if text.strip()]
    if wrong := next((day for day in days if not (day.isascii() and day.isdigit() and len(day) < 5)), ""):
        raise UsageError(_words()("terms.reminder.wrong", found=wrong[:40]))
    return configuring.Told(
        sheet.number(f"{name}.withdraw_days", otherwise=0),
        sheet.number(f"{name}.readable_days", otherwise=0),
        tuple(sorted({int(day) for day in days})),
        sheet.number(f"{name}.level", otherwise=-1),
        *(f"{name}.{box}" in sheet for box in _BOXES),
    )


def _typed(sheet: Sheet, name: str) -> dict[str, Any]:
    return {one: f"{name}.{one}" in sheet if one in _BOXES else sheet.text(f"{name}.{one}")[:200] for one in _FIELDS}


def _values(kind: Kind) -> dict[str, Any]:
    told = kind.model_dump(include=set(_FIELDS))
    return {**told, "reminders": ", ".join(map(str, kind.reminders)), "level": str(kind.level)}


def _hints(name: str, above: Kind | None) -> dict[str, str]:
    """Return, for each field, what it would be otherwise."""
    others = {"terms.built": BUILT_IN[name], **({"terms.above": above} if above else {})}
    return {field: " ".join(_words()(key, value=_said(kind, field)) for key, kind in others.items()) for field in _FIELDS}


def _said(kind: Kind, field: str) -> str:
    value = _values(kind)[field]
    if field in _BOXES:
        return _words()("terms.yes" if value else "terms.no")
    if field == "level":
        return _words()(f"terms.level.{value}")
    return str(value) or _words()("terms.reminders.none")


def _of_kind(session: Session, platform: Platform, place: Place, name: str) -> dict[str, Any]:
    above = configuring.inherited(session, platform.secrets, place.id, name)
    own = session.get(Configuration, (place.id, f"{CONFIGURED}{name}")) is not None
    return {
        "name": name,
        "source": "own" if own else "above" if above else "built",
        "above": above is not None,
        "values": _values(kind_of(session, platform.secrets, place.id, name)),
        "hints": _hints(name, above),
        "levels": [(str(level), _words()(f"terms.level.{level}")) for level in configuring.levels_of(name)],
    }


def _visa_of(platform: Platform, place: Place, name: str, chosen: dict[str, str] | None) -> dict[str, Any]:
    """Return who approves sends of a kind, and what may be chosen instead."""
    with platform.database.reading(PLATFORM) as session:
        route = validating.route_of(session, platform.secrets, place.id, name)
    told = choices(platform, place, validating.way_of(name), route)
    return told | ({"given": chosen} if chosen else {})


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    typed, chosen = said.pop("typed", {}), said.pop("chosen", {})
    with platform.database.reading(PLATFORM) as session:
        kinds = [_of_kind(session, platform, place, name) for name in BUILT_IN]
        retention = rules_for(session, place.id, "mail").appraisal
    visas = {name: _visa_of(platform, place, name, chosen.get(name)) for name in BUILT_IN}
    for kind in kinds:
        kind["values"] |= typed.get(kind["name"], {})
    values: dict[str, Any] = {"kinds": kinds, "visas": visas, "typed": {*typed, *chosen}, "retention": retention}
    return shown(request, _PAGE, visitor, place, **values | said)
