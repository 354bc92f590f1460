"""“Circuits”: the list, one circuit in words, its editor; every change is a new version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.administered import Filled, Here, Identifier, Place, gone, place_of, shown
from api.web.circuits import draft, seal
from api.web.circuits.draft import Draft
from api.web.circuits.drawing import drawn
from api.web.rows import SAVE, button
from api.web.visitor import Administers, Parts, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from signing.parapheur import administration, blueprint, circuits, desks, metadata
from signing.parapheur.blueprint import CircuitPlan
from signing.parapheur.models import Circuit, Desk

router = APIRouter()
router.include_router(seal.router)
_t = Catalogue("api.web.circuits")
_PATH = "/administration/circuits"


@router.get(_PATH)
def listed(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the circuits in force; ``fait`` says what the visitor has just done."""
    return _list(request, platform, visitor, place, done=fait)


@router.get(f"{_PATH}/ajout")
def ask(request: Request, platform: Parts, visitor: Administers, place: Here) -> HTMLResponse:
    """Show the form by which a circuit is added."""
    return _form(request, platform, visitor, place, Draft())


@router.post(f"{_PATH}/ajout")
def add(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Add a circuit, or show the form with its rows moved."""
    visitor.check(sheet.text("csrf"))
    told, press = draft.filled_in(sheet), button(sheet.text("do"))
    if press.act != SAVE:
        return _form(request, platform, visitor, place, draft.pressed(told, press), moved=True)
    try:
        steps = draft.steps_of(told)
        with platform.database.writing(visitor.principal) as session:
            written = administration.draw_up(session, visitor.principal, place.id, told.key, told.name, steps, new=True)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, place, told, status=400, trouble=str(refused))
    return gone(place, f"{_PATH}/{written.id}", "ajout")


@router.post(f"{_PATH}/reprise")
def take(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Take the circuits of a file, each as a new version of the one of its key."""
    visitor.check(sheet.text("csrf"))
    try:
        plan = _circuits_in(sheet.file("file"))
        with platform.database.writing(visitor.principal) as session:
            for one in plan:
                steps = blueprint.steps_in(session, place.id, one)
                administration.draw_up(session, visitor.principal, place.id, one.key, one.name, steps)
    except UsageError as refused:
        return _list(request, platform, visitor, place, status=400, trouble=str(refused))
    return gone(place, _PATH, "repris")


def _circuits_in(octets: bytes) -> tuple[CircuitPlan, ...]:
    plan = blueprint.read(octets)
    if not plan.circuits:
        raise UsageError(_t("take.none"))
    return plan.circuits


@router.get(f"{_PATH}/{{circuit_id}}")
def one(request: Request, platform: Parts, visitor: Administers, circuit_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a version of a circuit; ``fait`` says what the visitor has just done."""
    return _circuit(request, platform, visitor, circuit_id, done=fait)


@router.get(f"{_PATH}/{{circuit_id}}/export.json")
def export(platform: Parts, visitor: Administers, circuit_id: Identifier) -> Response:
    """Give a circuit as a file."""
    with platform.database.reading(visitor.principal) as session:
        found = _administered(session, platform, visitor, circuit_id)
        plan = blueprint.draw_circuit(session, found)
    return as_file(plan, f"circuit-{found.key[:60]}.json")


def as_file(plan: blueprint.Blueprint, name: str) -> Response:
    """Return a set-up as a file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(plan.model_dump_json(indent=2), media_type="application/json", headers=headers)


@router.get(f"{_PATH}/{{circuit_id}}/etapes")
def edit(request: Request, platform: Parts, visitor: Administers, circuit_id: Identifier) -> HTMLResponse:
    """Show the form by which a circuit is changed."""
    with platform.database.reading(visitor.principal) as session:
        found = _administered(session, platform, visitor, circuit_id)
    told = draft.drafted(found.key, found.name, circuits.steps_of(found))
    place = place_of(platform, visitor, found.organisation_id)
    return _form(request, platform, visitor, place, told, circuit=found)


@router.post(f"{_PATH}/{{circuit_id}}/etapes")
def change(request: Request, platform: Parts, visitor: Administers, circuit_id: Identifier, sheet: Filled) -> Response:
    """Write the next version of a circuit, or show the form with its rows moved."""
    visitor.check(sheet.text("csrf"))
    with platform.database.reading(visitor.principal) as session:
        found = _administered(session, platform, visitor, circuit_id)
    place, press = place_of(platform, visitor, found.organisation_id), button(sheet.text("do"))
    told = draft.filled_in(sheet)
    if press.act != SAVE:
        return _form(request, platform, visitor, place, draft.pressed(told, press), circuit=found, moved=True)
    try:
        written = _next_version(platform, visitor, found, told)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, place, told, circuit=found, status=400, trouble=str(refused))
    return gone(place, f"{_PATH}/{written.id}", "change" if written.id != found.id else "pareil")


def _next_version(platform: Platform, visitor: Visitor, found: Circuit, told: Draft) -> Circuit:
    """Write the next version; the same steps under the same name are no version."""
    steps = draft.steps_of(told)
    with platform.database.writing(visitor.principal) as session:
        now = circuits.versions(session, found.organisation_id, found.key)[0]
        if now.id != found.id:
            raise Conflict(_t("edit.overtaken", version=now.version))
        if found.current and found.name == told.name and circuits.steps_of(found) == tuple(steps):
            return found
        return administration.draw_up(session, visitor.principal, found.organisation_id, found.key, told.name, steps)


@router.post(f"{_PATH}/{{circuit_id}}/retrait")
def retire(request: Request, platform: Parts, visitor: Administers, circuit_id: Identifier, sheet: Filled) -> Response:
    """Let no folder start in the circuit any more."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(visitor.principal) as session:
            found = _administered(session, platform, visitor, circuit_id)
            administration.retire(session, visitor.principal, found)
    except Conflict as refused:
        return _circuit(request, platform, visitor, circuit_id, status=409, trouble=str(refused))
    return _to_list(platform, visitor, found)


def _to_list(platform: Platform, visitor: Visitor, found: Circuit) -> RedirectResponse:
    return gone(place_of(platform, visitor, found.organisation_id), _PATH, "retire")


def _administered(session: Session, platform: Platform, visitor: Visitor, circuit_id: str) -> Circuit:
    """Return a circuit of an organisation that the visitor administers; another is not told from one that does not exist."""
    found = circuits.version_of(session, circuit_id)
    place_of(platform, visitor, found.organisation_id)
    return found


def _list(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        found = [
            (one, drawn(session, place.id, circuits.steps_of(one)), circuits.users_of(session, place.id, one.key))
            for one in circuits.all_current(session, place.id)
        ]
    return shown(request, "web/circuits/circuits.html", visitor, place, found=found, **said)


def _circuit(request: Request, platform: Platform, visitor: Visitor, circuit_id: str, **said: Any) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        found = _administered(session, platform, visitor, circuit_id)
        values: dict[str, Any] = {
            "circuit": found,
            "steps": drawn(session, found.organisation_id, circuits.steps_of(found)),
            "versions": circuits.versions(session, found.organisation_id, found.key),
            "users": circuits.users_of(session, found.organisation_id, found.key),
        }
    place = place_of(platform, visitor, found.organisation_id)
    return shown(request, "web/circuits/circuit.html", visitor, place, **values | said)


def _form(request: Request, platform: Platform, visitor: Visitor, place: Place, told: Draft, **said: Any) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        there = desks.desks_of(session, place.id)
        fields = [(key, field.name) for key, field in metadata.declared(session, place.id).items()]
    values: dict[str, Any] = {"circuit": None, "moved": False, "draft": told, "fields": fields}
    values |= {"kinds": draft.KINDS, "roles": draft.ROLES}
    # What a step names is offered whatever became of it: nothing changes without anybody having chosen it.
    named = {one for step in told.steps for one in (*step.places, *step.notified)}
    values["desks"] = _offered(desk for desk in there if (desk.closed is None and desk.may_act) or desk.id in named)
    values["told"] = _offered(desk for desk in there if desk.closed is None or desk.id in named)
    return shown(request, "web/circuits/edit.html", visitor, place, **values | said)


def _offered(found: Iterable[Desk]) -> list[tuple[str, str]]:
    return [(desk.id, desk.name) for desk in found]
