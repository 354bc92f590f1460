"""“Métadonnées”: what folders may bear beside their documents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.administered import Filled, Here, Identifier, Place, Sheet, gone, place_of, shown
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from signing.parapheur import administration, metadata
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import MetadataField

router = APIRouter()
_t = Catalogue("api.web.types")
_PATH = "/administration/metadonnees"


@router.get(_PATH)
def listed(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the metadata; ``fait`` says what the visitor has just done."""
    return _list(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def declare(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Declare a metadata."""
    visitor.check(sheet.text("csrf"))
    given = {name: sheet.text(name) for name in ("key", "name", "kind", "choices")}
    try:
        kind = _kind(given["kind"])
        with platform.database.writing(visitor.principal) as session:
            administration.declare_field(session, visitor.principal, place.id, given["key"], given["name"], kind, _choices(sheet))
    except (UsageError, Conflict) as refused:
        return _list(request, platform, visitor, place, status=400, trouble=str(refused), given=given)
    return gone(place, _PATH, "declaree")


@router.get(f"{_PATH}/{{field_id}}")
def one(request: Request, platform: Parts, visitor: Administers, field_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a metadata; ``fait`` says what the visitor has just done."""
    return _field(request, platform, visitor, field_id, done=fait)


@router.post(f"{_PATH}/{{field_id}}")
def change(request: Request, platform: Parts, visitor: Administers, field_id: Identifier, sheet: Filled) -> Response:
    """Give a metadata another name or other choices."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(visitor.principal) as session:
            field = _administered(session, platform, visitor, field_id)
            administration.change_field(session, visitor.principal, field, sheet.text("name"), _choices(sheet))
    except UsageError as refused:
        return _field(request, platform, visitor, field_id, status=400, trouble=str(refused))
    return gone(place_of(platform, visitor, field.organisation_id), f"{_PATH}/{field_id}", "changee")


@router.post(f"{_PATH}/{{field_id}}/retrait")
def withdraw(request: Request, platform: Parts, visitor: Administers, field_id: Identifier, sheet: Filled) -> Response:
    """Take a metadata away, or say what uses it."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(visitor.principal) as session:
            field = _administered(session, platform, visitor, field_id)
            place = place_of(platform, visitor, field.organisation_id)
            administration.withdraw_field(session, visitor.principal, field)
    except Conflict as refused:
        return _field(request, platform, visitor, field_id, status=409, trouble=str(refused))
    return _left(place)


def _left(place: Place) -> RedirectResponse:
    return gone(place, _PATH, "retiree")


def _administered(session: Session, platform: Platform, visitor: Visitor, field_id: str) -> MetadataField:
    field = metadata.field_of(session, field_id)
    place_of(platform, visitor, field.organisation_id)
    return field


def _kind(told: str) -> MetadataKind:
    try:
        return MetadataKind(told)
    except ValueError as error:
        raise UsageError(_t("field.kind.wrong")) from error


def _choices(sheet: Sheet) -> list[str]:
    """Return the choices: one a line, each once."""
    lines = (line.strip() for line in sheet.text("choices").splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _list(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        found = [(field, metadata.users_of(session, field)) for field in metadata.declared(session, place.id).values()]
    values: dict[str, Any] = {"found": found, "kinds": list(MetadataKind), "given": {}}
    return shown(request, "web/types/fields.html", visitor, place, **values | said)


def _field(request: Request, platform: Platform, visitor: Visitor, field_id: str, **said: Any) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        field = _administered(session, platform, visitor, field_id)
        users = metadata.users_of(session, field)
    place = place_of(platform, visitor, field.organisation_id)
    return shown(request, "web/types/field.html", visitor, place, field=field, users=users, **said)
