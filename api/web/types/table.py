"""The decision table of a subtype: ordered rows, the last one by default; written whole, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Identifier, Place, Sheet, gone, place_of, reason, shown
from api.web.rows import SAVE, Button, button, moved
from api.web.types.subtypes import PATH, administered
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.platform import Platform
from signing.parapheur import administration, circuits, desks, metadata, typology
from signing.parapheur.administration import SubtypeDetails
from signing.parapheur.choice import EMITTER, MOST_ROWS, Condition, Operator, Row
from signing.parapheur.models import Subtype
from signing.parapheur.typology import Protocol

router = APIRouter()
_PAGE = "web/types/table.html"
_MOST_CONDITIONS = 20
# What every PES says of itself, whether it was declared or not.
_OF_PES = ("pes.montant", "pes.mandats", "pes.titres", "pes.budget", "pes.collectivite")


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A row as the form tells it; a condition is a metadata, an operator and a value."""

    when: tuple[tuple[str, str, str], ...] = ()
    circuit: str = ""
    variables: tuple[str, ...] = ()


Draft = tuple[DraftRow, ...]


@router.get(f"{PATH}/{{subtype_id}}/choix")
def table(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show the table; ``fait`` says what the visitor has just done."""
    found, _ = administered(platform, visitor, subtype_id)
    with platform.database.reading(visitor.principal) as session:
        rows = _drafted(typology.kind_of(session, subtype_id).rows)
    return _form(request, platform, visitor, found, rows, done=fait)


@router.post(f"{PATH}/{{subtype_id}}/choix")
def change(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier, sheet: Filled) -> Response:
    """Write the table, or show it with its rows moved."""
    visitor.check(sheet.text("csrf"))
    found, _ = administered(platform, visitor, subtype_id)
    told, press = _filled_in(sheet), button(sheet.text("do"))
    if press.act != SAVE:
        return _form(request, platform, visitor, found, _pressed(told, press), moved=True)
    try:
        rows = _rows(told)
        with platform.database.writing(visitor.principal) as session:
            kept, kind = typology.subtype_of(session, subtype_id), typology.kind_of(session, subtype_id)
            details = SubtypeDetails(kind.name, kind.options, rows, kind.description)
            administration.change_subtype(session, visitor.principal, kept, details)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, found, told, status=400, trouble=str(refused))
    return gone(place_of(platform, visitor, found.organisation_id), f"{PATH}/{found.id}/choix", "table")


def _drafted(rows: Sequence[Row]) -> Draft:
    return tuple(
        DraftRow(tuple((one.field, one.operator.value, one.value) for one in row.when), row.circuit, row.variables)
        for row in rows
    )


def _filled_in(sheet: Sheet) -> Draft:
    """Return the rows that a form holds; a condition without a metadata is none."""
    count = min(sheet.number("rows", otherwise=0), MOST_ROWS)
    return tuple(
        DraftRow(
            tuple(
                (field, sheet.text(f"operator.{rank}.{part}"), sheet.text(f"value.{rank}.{part}"))
                for part in range(_MOST_CONDITIONS)
                if (field := sheet.text(f"field.{rank}.{part}"))
            ),
            sheet.text(f"circuit.{rank}"),
            sheet.texts(f"variables.{rank}"),
        )
        for rank in range(count)
    )


def _pressed(told: Draft, press: Button) -> Draft:
    """Return the rows once a button was pressed; the last one stays by default, and last."""
    ruled, default = told[:-1], told[-1:]
    if press.act == "add" and len(told) < MOST_ROWS:
        return (*ruled, replace(default[0], when=()) if default else DraftRow(), *default)
    return (*moved(ruled, press), *default)


def _rows(told: Draft) -> tuple[Row, ...]:
    """Return the rows that are told.

    Raises:
        UsageError: one does not hold; the message says which.
    """
    sentences, found = words.of_page(_PAGE), list[Row]()
    for rank, row in enumerate(told, 1):
        if not row.when and rank < len(told):
            raise UsageError(sentences("wrong.when", rank=rank))
        if not row.circuit:
            raise UsageError(sentences("wrong.circuit", rank=rank))
        try:
            when = tuple(Condition(field=field, operator=Operator(how), value=value) for field, how, value in row.when)
            found.append(Row(when=when, circuit=row.circuit, variables=row.variables))
        except ValidationError as error:
            raise UsageError(sentences("wrong.row", rank=rank, reason=reason(error, sentences))) from error
        except ValueError as error:
            raise UsageError(sentences("wrong.operator", rank=rank)) from error
    return tuple(found)


def _form(request: Request, platform: Platform, visitor: Visitor, found: Subtype, told: Draft, **said: Any) -> HTMLResponse:
    place = place_of(platform, visitor, found.organisation_id)
    with platform.database.reading(visitor.principal) as session:
        values = {"subtype": found, "rows": told, "moved": False, **_choices(session, place, found, told)}
    return shown(request, _PAGE, visitor, place, **values | said)


def _choices(session: Session, place: Place, found: Subtype, told: Draft) -> dict[str, Any]:
    """Return what the form offers; what a row names already is offered too, even when it is not there any more."""
    kind = typology.kind_of(session, found.id)
    names = {key: field.name for key, field in metadata.declared(session, place.id).items()}
    if kind.signing.protocol is Protocol.HELIOS:
        names = {key: key for key in _OF_PES} | names
    names |= {field: field for row in told for field, _, _ in row.when if field not in {*names, EMITTER}}
    known = [(one.key, one.name) for one in circuits.all_current(session, place.id)]
    gone_by = {row.circuit for row in told if row.circuit} - {key for key, _ in known}
    return {
        "kind": kind,
        "emitter": EMITTER,
        "fields": sorted(names.items(), key=lambda pair: pair[1].casefold()),
        "operators": list(Operator),
        "circuits": [*known, *((key, key) for key in sorted(gone_by))],
        "desks": [(desk.id, desk.name) for desk in desks.desks_of(session, place.id) if desk.closed is None],
    }
