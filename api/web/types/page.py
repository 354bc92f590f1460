"""“Types”: the classification, and how documents of a type are signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.web.administered import Filled, Here, Identifier, Place, Sheet, gone, place_of, reason, shown
from api.web.types import fields, routing, subtypes, table, trial
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.platform import Platform
from signing.parapheur import administration, circuits, typology
from signing.parapheur.models import FolderType
from signing.parapheur.typology import ADMITTED, Protocol, SignatureFormat, TypeOptions

router = APIRouter()
_PATH, _PAGE = "/administration/types", "web/types/type.html"


@router.get(_PATH)
def listed(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the types with their subtypes; ``fait`` says what the visitor has just done."""
    with platform.database.reading(visitor.principal) as session:
        found = typology.types(session, place.id)
        kinds = typology.kinds(session, place.id, closed=True)
        names = {one.key: one for one in circuits.all_current(session, place.id)}
        closed = {kind.id for kind in kinds} - {kind.id for kind in typology.kinds(session, place.id)}
        pending = {kind.id: typology.pending_count(session, kind.id) for kind in kinds}
    values: dict[str, Any] = {
        "types": [
            (of, TypeOptions.model_validate(of.signing), [kind for kind in kinds if kind.type_id == of.id]) for of in found
        ],
        "circuits": names,
        "closed": closed,
        "pending": pending,
        "most": typology.COUNTED_UP_TO,
    }
    return shown(request, "web/types/types.html", visitor, place, done=fait, **values)


@router.get(f"{_PATH}/ajout")
def ask(request: Request, visitor: Administers, place: Here) -> HTMLResponse:
    """Show the form by which a type is added."""
    return _form(request, visitor, place, None, "", _raw(TypeOptions()))


@router.post(f"{_PATH}/ajout")
def add(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Add a type."""
    visitor.check(sheet.text("csrf"))

    def keep(session: Session, name: str, options: TypeOptions) -> FolderType:
        return administration.add_type(session, visitor.principal, place.id, name, options)

    return _kept(request, platform, visitor, place, None, sheet, keep)


# Addresses with a word of their own stand before those that hold an identifier.
for part in (fields, routing, subtypes, table, trial):
    router.include_router(part.router)


@router.get(f"{_PATH}/{{type_id}}")
def one(request: Request, platform: Parts, visitor: Administers, type_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a type; ``fait`` says what the visitor has just done."""
    with platform.database.reading(visitor.principal) as session:
        found, place = _administered(session, platform, visitor, type_id)
    return _form(request, visitor, place, found, found.name, _raw(TypeOptions.model_validate(found.signing)), done=fait)


@router.post(f"{_PATH}/{{type_id}}")
def change(request: Request, platform: Parts, visitor: Administers, type_id: Identifier, sheet: Filled) -> Response:
    """Change a type."""
    visitor.check(sheet.text("csrf"))
    with platform.database.reading(visitor.principal) as session:
        found, place = _administered(session, platform, visitor, type_id)

    def keep(session: Session, name: str, options: TypeOptions) -> FolderType:
        kept = typology.type_of(session, type_id)
        administration.change_type(session, visitor.principal, kept, name, options)
        return kept

    return _kept(request, platform, visitor, place, found, sheet, keep)


@router.post(f"{_PATH}/{{type_id}}/fermeture")
def close(platform: Parts, visitor: Administers, type_id: Identifier, sheet: Filled) -> RedirectResponse:
    """Let no folder of the type start any more."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        found, place = _administered(session, platform, visitor, type_id)
        administration.close_kind(session, visitor.principal, found)
    return gone(place, f"{_PATH}/{type_id}", "ferme")


@router.post(f"{_PATH}/{{type_id}}/reouverture")
def reopen(platform: Parts, visitor: Administers, type_id: Identifier, sheet: Filled) -> RedirectResponse:
    """Let folders of the type start again."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        found, place = _administered(session, platform, visitor, type_id)
        administration.reopen_kind(session, visitor.principal, found)
    return gone(place, f"{_PATH}/{type_id}", "rouvert")


def _administered(session: Session, platform: Platform, visitor: Visitor, type_id: str) -> tuple[FolderType, Place]:
    found = typology.type_of(session, type_id)
    return found, place_of(platform, visitor, found.organisation_id)


Keep = Callable[[Session, str, TypeOptions], FolderType]


def _kept(
    request: Request, platform: Platform, visitor: Visitor, place: Place, found: FolderType | None, sheet: Sheet, keep: Keep
) -> Response:
    """Keep what a form says of a type, or show it again with what is wrong."""
    name, given = sheet.text("name"), _given(sheet)
    try:
        options = TypeOptions.model_validate(given)
        with platform.database.writing(visitor.principal) as session:
            kept = keep(session, name, options)
    except ValidationError as error:
        trouble = reason(error, words.of_page(_PAGE))
    except (UsageError, Conflict) as refused:
        trouble = str(refused)
    else:
        return gone(place, f"{_PATH}/{kept.id}", "change" if found else "ajout")
    return _form(request, visitor, place, found, name, given, status=400, trouble=trouble)


def _given(sheet: Sheet) -> dict[str, Any]:
    plain = {name: sheet.text(name) for name in ("format", "protocol", "city", "postal_code")}
    numbers = {name: sheet.text(name).replace(",", ".") or default for name, default in (("page", "1"), ("x", "0"), ("y", "0"))}
    return plain | numbers | {"visible": "visible" in sheet}


def _raw(options: TypeOptions) -> dict[str, Any]:
    return options.model_dump(mode="json")


def _form(
    request: Request,
    visitor: Visitor,
    place: Place,
    found: FolderType | None,
    name: str,
    given: dict[str, Any],
    **said: Any,
) -> HTMLResponse:
    values = {
        "type": found,
        "name": name,
        "given": given,
        "formats": list(SignatureFormat),
        "protocols": list(Protocol),
        "admitted": {protocol.value: sorted(one.value for one in formats) for protocol, formats in ADMITTED.items()},
    }
    return shown(request, _PAGE, visitor, place, **values | said)
