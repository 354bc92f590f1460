"""“Que se passe-t-il si…”: the circuit that a folder would take, and the people it would meet; nothing is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.administered import Identifier, Sheet, place_of, shown
from api.web.circuits.drawing import drawn_for
from api.web.types.subtypes import PATH, administered
from api.web.visitor import Administers, Parts
from core.errors import NotFound, UsageError
from signing.parapheur import desks, foresight, metadata, typology
from signing.parapheur.choice import EMITTER
from signing.parapheur.models import Desk, MetadataField
from signing.parapheur.typology import Kind

router = APIRouter()


@router.get(f"{PATH}/{{subtype_id}}/essai")
def trial(request: Request, platform: Parts, visitor: Administers, subtype_id: Identifier) -> HTMLResponse:
    """Show the form, and what would happen with what it says: the address holds it, so that it can be shared."""
    found, _ = administered(platform, visitor, subtype_id)
    place, asked = place_of(platform, visitor, found.organisation_id), Sheet(request.query_params)
    with platform.database.reading(visitor.principal) as session:
        kind = typology.kind_of(session, found.id)
        senders = [desk for desk in desks.desks_of(session, place.id) if desk.closed is None and desk.may_create]
        fields = _fields(session, kind)
        values: dict[str, Any] = {"trouble": "", "way": None, "steps": []}
        if "emitter" in asked:
            values |= _tried(session, kind, {desk.id: desk for desk in senders}, fields, asked)
    values |= {
        "kind": kind,
        "senders": [(desk.id, desk.name) for desk in senders],
        "desks": [(desk.id, desk.name) for desk in senders if desk.may_act],
        "fields": fields,
        "emitter": asked.text("emitter"),
        "given": {key: asked.text(f"field.{key}") for key in fields},
        "variables": asked.texts("variable"),
    }
    return shown(request, "web/types/trial.html", visitor, place, subtype=found, **values)


def _fields(session: Session, kind: Kind) -> dict[str, MetadataField | None]:
    """Return the metadata that may decide: those of the subtype, and those that its table asks for; None when undeclared."""
    keys = [use.key for use in kind.options.fields]
    keys += [condition.field for row in kind.rows for condition in row.when if condition.field != EMITTER]
    declared = metadata.declared(session, _owner(session, kind), keys)
    return {key: declared.get(key) for key in dict.fromkeys(keys)}


def _owner(session: Session, kind: Kind) -> str:
    return typology.subtype_of(session, kind.id).organisation_id


def _tried(
    session: Session, kind: Kind, senders: dict[str, Desk], fields: dict[str, MetadataField | None], asked: Sheet
) -> dict[str, Any]:
    given = {key: asked.text(f"field.{key}") for key in fields}
    try:
        emitter = senders.get(asked.text("emitter")) or desks.require_sender(session, _owner(session, kind), "")
        known = {key: field for key, field in fields.items() if field is not None}
        kept = metadata.checked(known, given, (), {})
        way = foresight.foresee(session, kind, emitter, kept, asked.texts("variable"))
    except (UsageError, NotFound) as refused:
        return {"trouble": str(refused)}
    return {"way": way, "steps": drawn_for(session, emitter.organisation_id, way.asked)}
