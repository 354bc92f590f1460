"""The page of a dossier, and the part of it that follows the work while there is some; whoever surveys it sees how it stands."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path
from markupsafe import Markup
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from api import downloads, records
from api.marks import dangers_of
from api.v1.shapes import has_ended
from api.web.acts import resending
from api.web.dossier.eliminated import certificate_of
from api.web.dossier.objections import objections
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from api.words import day, label
from core import clock
from core.database import ScopedSession
from core.journal import JournalEntry
from core.people import Person
from core.platform import Platform
from core.principal import Right
from flows.engine import departed, reading, transitions
from flows.engine.diagram import draw
from flows.engine.models import Dossier
from flows.engine.reading import Seen
from flows.engine.table import End
from flows.engine.ways import way
from flows.invoices.issued.flow import SALES
from flows.registry import flow_named

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_PROBLEMS = 200
_NO_MORE = 286  # htmx: take this answer, and stop asking
_UNCHANGED = 204
_FACTS = (
    *("nom_fic", "libelle_col_bud", "id_coll", "cod_col", "cod_bud", "id_post"),
    *("dte_str", "typ_fic", "attachments", "arrived_signed", "remote_name"),
)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Followed:
    """What the following part shows.

    Attributes:
        record: identifier of its record; None while it has none, and for whoever only surveys it.
        doubtful: something of an act may have to be sent again, which those who operate decide.
        version: changes whenever what is shown changes.
    """

    seen: Seen
    entries: list[JournalEntry]
    actors: dict[str, str]
    record: str | None
    doubtful: bool
    version: str


@router.get("/dossiers/{dossier_id}")
def shown(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a dossier; ``fait`` says what the visitor has just done."""
    followed = _followed(platform, visitor, dossier_id)
    dossier, eliminated = followed.seen.dossier, followed.seen.eliminated
    flow = flow_named(dossier.flow)
    drawing = draw(flow, partial(label, flow=dossier.flow), dossier.state, label(f"flow.{dossier.flow}"))
    return render(
        request,
        "web/dossier/dossier.html",
        visitor=visitor,
        done=fait if fait in {"depot", "deja", "reprise", "renvoi", "envoye"} else "",
        drawing=Markup(drawing),  # noqa: S704  (drawn here, every word escaped)
        eliminated=eliminated,
        certificate=certificate_of(platform, visitor, eliminated) if eliminated else None,
        **_context(visitor, followed),
    )


@router.get("/dossiers/{dossier_id}/suivi")
def progress(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, version: str = "") -> Response:
    """Return the following part, or nothing when nothing has changed since the version that the browser shows."""
    followed = _followed(platform, visitor, dossier_id)
    ended = has_ended(followed.seen.dossier)
    if version == followed.version and not ended:
        return Response(status_code=_UNCHANGED)
    status = _NO_MORE if ended else 200
    return render(
        request, "web/dossier/progress.html", visitor=visitor, status=status, swapped=True, **_context(visitor, followed)
    )


@router.post("/dossiers/{dossier_id}/reprise")
def resume(platform: Parts, visitor: SignedIn, fields: Fields, dossier_id: Identifier) -> RedirectResponse:
    """Take a parked dossier up again."""
    visitor.check(fields.get("csrf"))
    with reading.surveyed(platform.database, visitor.principal) as session:
        dossier = reading.seen(session, dossier_id).dossier
    visitor.principal.require(Right.OPERATE, dossier.organisation_id)
    transitions.resume(platform.database, flow_named(dossier.flow), dossier_id, visitor.principal.actor)
    return RedirectResponse(f"/dossiers/{dossier_id}?fait=reprise", status_code=303)


@router.get("/dossiers/{dossier_id}/fichiers/{file_id}")
def file(platform: Parts, visitor: SignedIn, dossier_id: Identifier, file_id: Identifier) -> StreamingResponse:
    """Give a document out."""
    with reading.opened(platform.database, visitor.principal) as session:
        kept = reading.file_of(session, dossier_id, file_id)
    return downloads.document(platform, kept)


def _followed(platform: Platform, visitor: Visitor, dossier_id: str) -> Followed:
    with reading.surveyed(platform.database, visitor.principal) as session:
        seen = reading.seen(session, dossier_id, although_eliminated=True)
        entries, _ = reading.timeline(session, dossier_id)
        record = records.record_of(session, dossier_id) if seen.read else None
        actors = _names(session, entries)
        doubtful = resending.is_doubtful(session, seen.dossier)
    dossier = seen.dossier
    facts = (dossier.state, dossier.parked, seen.step and seen.step.trouble, len(entries), len(seen.files), record)
    return Followed(seen, entries, actors, record, doubtful, hashlib.sha256(repr(facts).encode()).hexdigest()[:16])


def _names(session: ScopedSession, entries: list[JournalEntry]) -> dict[str, str]:
    """Return the names of the people in a timeline, by actor: the journal itself holds none."""
    people = {entry.actor.removeprefix("person:") for entry in entries if entry.actor.startswith("person:")}
    found = session.exec(select(Person).where(col(Person.id).in_(people))) if people else ()
    return {f"person:{person.id}": person.name for person in found}


def _context(visitor: Visitor, followed: Followed) -> dict[str, Any]:
    seen = followed.seen
    dossier, flow = seen.dossier, flow_named(seen.dossier.flow)
    behind, ahead = way(flow, dossier.state)
    row = flow.rows[dossier.state]
    operates = visitor.principal.may(Right.OPERATE, dossier.organisation_id)
    return {
        "followed": followed,
        "dossier": dossier,
        "title": seen.title,
        "read": seen.read,
        "given": seen.read and seen.eliminated is None,
        "organisation": seen.organisation,
        "files": seen.files,
        "dangers": dangers_of(dossier, seen.files),
        "readable": any(kept.role == "pes" for kept in seen.files),
        "problems": seen.problems[:_PROBLEMS],
        "problem_count": len(seen.problems),
        "objections": objections(dossier.facts)[:_PROBLEMS] if seen.read else [],
        "trouble": seen.step.trouble if seen.step else None,
        "behind": behind,
        "ahead": ahead,
        "ended": isinstance(row, End),
        "failed": isinstance(row, End) and not row.good,
        "sends_again": followed.doubtful and operates,
        "may_resume": dossier.parked is not None and operates,
        "may_depart": operates and departed.may_be_said(dossier, flow),
        "said": _said(dossier) if seen.read else None,
        "sale": _is_to_decide(visitor, dossier),
        "facts": _plain_facts(dossier) if seen.read else {},
        "outside": _outside(dossier, read=seen.read),
        "bordereaux": dossier.facts.get("bordereaux", ()) if seen.read else (),
    }


def _is_to_decide(visitor: Visitor, dossier: Dossier) -> bool:
    """Tell whether an issued invoice waits for something that the visitor may do."""
    waits = dossier.flow == SALES.name and dossier.state in {"uncertain", "suspended"}
    return waits and visitor.principal.may(Right.DEPOSIT, dossier.organisation_id)


def _said(dossier: Dossier) -> dict[str, Any] | None:
    """Return on what evidence a dossier is considered sent, by whom and since when; None when nobody said so."""
    told = dossier.facts.get(departed.FACT)
    return told and {**told, "at": clock.from_iso(told["at"])}


def _outside(dossier: Dossier, *, read: bool) -> dict[str, str] | None:
    """Return where a dossier stands in a parapheur outside; None when it goes through none."""
    told = {"id": "", "reason": "", **dossier.facts.get("parapheur", {})}
    return (told if read else {**told, "reason": ""}) if "external" in told else None


def _plain_facts(dossier: Dossier) -> dict[str, str]:
    """Return the facts that are single values and have words to be shown by; the title is shown already."""
    known = {**dossier.facts, **dossier.facts.get("sending", {})}
    return {name: _shown(known[name]) for name in _FACTS if known.get(name) not in {None, "", dossier.title}}


def _shown(value: str | int) -> str:
    if isinstance(value, bool):
        return label(f"value.{str(value).lower()}")
    try:
        return day(date.fromisoformat(str(value))) if _ISO_DAY.fullmatch(str(value)) else str(value)
    except ValueError:  # a day that no calendar has is shown as it was written
        return str(value)
