"""One subtype: its options, the metadata that it uses, its closing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.web.administered import Filled, Identifier, Place, Sheet, gone, place_of, reason, shown
from api.web.rows import SAVE, Button, button, moved
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.helios.knowledge import route_of
from signing.parapheur import administration, circuits, desks, metadata, typology
from signing.parapheur.administration import SubtypeDetails
from signing.parapheur.choice import Row
from signing.parapheur.models import FolderType, Subtype
from signing.parapheur.typology import FieldUse, SubtypeOptions

router = APIRouter()
_t = Catalogue("api.web.types")
_TYPES = "/administration/types"
PATH, _PAGE = f"{_TYPES}/sous-types", "web/types/subtype.html"
_BOXES = ("annexes", "annexes_printed", "reading_mandatory", "paper_signature", "recall_after_reading")


@dataclass(frozen=True, slots=True)
class Draft:
    """A subtype as its form tells it.

    Attributes:
        options: values of ``SubtypeOptions`` as they are written, its fields aside.
        uses: what it does with its metadata.
        circuit: of a new one, the circuit of its default row.
    """

    name: str
    description: str
    options: dict[str, Any]
    uses: tuple[FieldUse, ...] = ()
    circuit: str = ""

    def as_options(self) -> SubtypeOptions:
        """Return the options that are told.

        Raises:
            ValidationError: one does not hold.
        """
        return SubtypeOptions.model_validate(self.options | {"fields": self.uses})


@router.get(f"{_TYPES}/{{type_id}}/ajout")
def ask(request: Request, platform: Parts, visitor: Administers, type_id: Identifier) -> HTMLResponse:
    """Show the form by which a subtype is added."""
    return _form(request, platform, visitor, _of(platform, visitor, type_id), None, _drafted("", "", SubtypeOptions()))


@router.post(f"{_TYPES}/{{type_id}}/ajout")
def add(request: Request, platform: Parts, visitor: Administers, type_id: Identifier, sheet: Filled) -> Response:
    """Add a subtype whose table has one row, or show the form with its metadata moved."""
    visitor.check(sheet.text("csrf"))
    of, told, press = _of(platform, visitor, type_id), _filled_in(sheet), button(sheet.text("do"))
    if press.act != SAVE:
        return _form(request, platform, visitor, of, None, _pressed(told, press, sheet), moved=True)
    try:
        details = SubtypeDetails(told.name, told.as_options(), _default_row(told), told.description)
        with platform.database.writing(visitor.principal) as session:
            added = administration.add_subtype(session, visitor.principal, typology.type_of(session, type_id), details)
    except (ValidationError, UsageError, Conflict) as refused:
        return _form(request, platform, visitor, of, None, told, status=400, trouble=_why(refused))
    return gone(place_of(platform, visitor, added.organisation_id), f"{PATH}/{added.id}", "ajout")


@router.get(f"{PATH}/{{subtype_id}}")
def one(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a subtype; ``fait`` says what the visitor has just done."""
    found, of = administered(platform, visitor, subtype_id)
    told = _drafted(found.name, found.description, SubtypeOptions.model_validate(found.options))
    return _form(request, platform, visitor, of, found, told, done=fait)


@router.post(f"{PATH}/{{subtype_id}}")
def change(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier, sheet: Filled) -> Response:
    """Change the options of a subtype, or show the form with its metadata moved."""
    visitor.check(sheet.text("csrf"))
    (found, of), press = administered(platform, visitor, subtype_id), button(sheet.text("do"))
    told = _filled_in(sheet)
    if press.act != SAVE:
        return _form(request, platform, visitor, of, found, _pressed(told, press, sheet), moved=True)
    try:
        options = told.as_options()
        with platform.database.writing(visitor.principal) as session:
            kept = typology.subtype_of(session, subtype_id)
            rows = typology.kind_of(session, subtype_id).rows
            details = SubtypeDetails(told.name, options, rows, told.description)
            administration.change_subtype(session, visitor.principal, kept, details)
    except (ValidationError, UsageError, Conflict) as refused:
        return _form(request, platform, visitor, of, found, told, status=400, trouble=_why(refused))
    return _gone(platform, visitor, found, "change")


@router.post(f"{PATH}/{{subtype_id}}/fermeture")
def close(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier, sheet: Filled) -> Response:
    """Let no folder of the subtype start any more."""
    visitor.check(sheet.text("csrf"))
    found, of = administered(platform, visitor, subtype_id)
    route = route_of(platform, found.organisation_id)
    if route is not None and route.subtype == found.id:
        told = _drafted(found.name, found.description, SubtypeOptions.model_validate(found.options))
        return _form(request, platform, visitor, of, found, told, status=409, trouble=_t("close.route"))
    with platform.database.writing(visitor.principal) as session:
        administration.close_kind(session, visitor.principal, typology.subtype_of(session, subtype_id))
    return _gone(platform, visitor, found, "ferme")


@router.post(f"{PATH}/{{subtype_id}}/reouverture")
def reopen(platform: Parts, visitor: Administers, subtype_id: Identifier, sheet: Filled) -> RedirectResponse:
    """Let folders of the subtype start again."""
    visitor.check(sheet.text("csrf"))
    found, _ = administered(platform, visitor, subtype_id)
    with platform.database.writing(visitor.principal) as session:
        administration.reopen_kind(session, visitor.principal, typology.subtype_of(session, subtype_id))
    return _gone(platform, visitor, found, "rouvert")


def administered(platform: Platform, visitor: Visitor, subtype_id: str) -> tuple[Subtype, FolderType]:
    """Return a subtype, with its type, of an organisation that the visitor administers.

    Raises:
        NotFound: there is none, or the visitor does not administer it: not told apart.
    """
    with platform.database.reading(visitor.principal) as session:
        found = typology.subtype_of(session, subtype_id)
        of = typology.type_of(session, found.type_id)
    place_of(platform, visitor, found.organisation_id)
    return found, of


def _of(platform: Platform, visitor: Visitor, type_id: str) -> FolderType:
    with platform.database.reading(visitor.principal) as session:
        of = typology.type_of(session, type_id)
    place_of(platform, visitor, of.organisation_id)
    return of


def _default_row(told: Draft) -> tuple[Row, ...]:
    if not told.circuit:
        raise UsageError(_t("subtype.circuit.none"))
    return (Row(circuit=told.circuit),)


def _gone(platform: Platform, visitor: Visitor, found: Subtype, done: str) -> RedirectResponse:
    return gone(place_of(platform, visitor, found.organisation_id), f"{PATH}/{found.id}", done)


def _why(refused: ValidationError | UsageError | Conflict) -> str:
    return reason(refused, words.of_page(_PAGE)) if isinstance(refused, ValidationError) else str(refused)


def _drafted(name: str, description: str, options: SubtypeOptions) -> Draft:
    return Draft(name, description, options.model_dump(mode="json", exclude={"fields"}), options.fields)


def _filled_in(sheet: Sheet) -> Draft:
    options: dict[str, Any] = {name: name in sheet for name in _BOXES}
    options["main_documents"] = sheet.number("main_documents", otherwise=1)
    options["recall_minutes"] = sheet.number("recall_minutes", otherwise=0)
    options["creation_circuit"] = sheet.text("creation_circuit") or None
    options["creation_desks"] = list(sheet.texts("creation_desks"))
    uses = tuple(
        FieldUse(
            key=key[:60],
            mandatory=f"mandatory.{key}" in sheet,
            editable=f"editable.{key}" in sheet,
            default=sheet.text(f"default.{key}")[: metadata.LONGEST_VALUE],
        )
        for key in sheet.texts("use")
    )
    return Draft(sheet.text("name"), sheet.text("description"), options, uses, sheet.text("circuit"))


def _pressed(told: Draft, press: Button, sheet: Sheet) -> Draft:
    """Return the draft once a button was pressed that changes its metadata."""
    key = sheet.text("added")[:60]
    if press.act == "add" and key and key not in {use.key for use in told.uses}:
        return replace(told, uses=(*told.uses, FieldUse(key=key)))
    return replace(told, uses=moved(told.uses, press))


def _form(
    request: Request, platform: Platform, visitor: Visitor, of: FolderType, found: Subtype | None, told: Draft, **said: Any
) -> HTMLResponse:
    place = place_of(platform, visitor, of.organisation_id)
    with platform.database.reading(visitor.principal) as session:
        values = {"type": of, "subtype": found, "draft": told, "moved": False, **_choices(session, place)}
        values["pending"] = typology.pending_count(session, found.id) if found else 0
        values["rows"] = typology.kind_of(session, found.id).rows if found else ()
    return shown(request, _PAGE, visitor, place, **values | said)


def _choices(session: Session, place: Place) -> dict[str, Any]:
    senders = [desk for desk in desks.desks_of(session, place.id) if desk.closed is None and desk.may_create]
    return {
        "circuits": [(one.key, one.name) for one in circuits.all_current(session, place.id)],
        "desks": [(desk.id, desk.name) for desk in senders],
        "fields": metadata.declared(session, place.id),
    }
