"""“Courriers suivis” of the administration: delays, reminders, identity of each kind of send; how long the archive keeps it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from archive.retention.rules import mails_of
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import configuring
from flows.mail.kinds import BUILT_IN, CONFIGURED, Kind, kind_of

router = APIRouter()
_PATH, _PAGE = "/administration/courriers", "web/mails/terms.html"
_BOXES = ("asks_name", "answers")
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


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    typed = said.pop("typed", {})
    with platform.database.reading(PLATFORM) as session:
        kinds = [_of_kind(session, platform, place, name) for name in BUILT_IN]
        retention = mails_of(session, platform.secrets, place.id)
    for kind in kinds:
        kind["values"] |= typed.get(kind["name"], {})
    values: dict[str, Any] = {"kinds": kinds, "typed": set(typed), "retention": retention}
    return shown(request, _PAGE, visitor, place, **values | said)
