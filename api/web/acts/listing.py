"""“Actes”: the list, narrowed by what stands in the address, in pages that go forwards and backwards from an act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from sqlalchemy import literal, tuple_
from sqlmodel import Session, col, or_, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import cursors
from api.web.acts.standing import GROUPS, colour, control_of, presses, unanswered
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core import clock
from core.database import UtcDateTime
from core.folding import holds
from core.platform import Platform
from core.principal import Right
from flows.actes import drafts
from flows.actes.act import Act
from flows.actes.drafts import ActesDraft
from flows.actes.flow import ACTES
from flows.actes.legality import Clock
from flows.actes.models import ActesMessage
from flows.engine import reading
from flows.engine.models import Dossier
from flows.engine.reading import Place
from schemas.actes.codes import NATURES, MessageCode

router = APIRouter()
_A_PAGE = 25
_PARKED = "arret"
_DONE = frozenset({"brouillon"})
_BEFORE_DAY = "___-_________-"  # département and SIREN, in an identifier of an act


@dataclass(frozen=True, slots=True)
class Line:
    """An act as the list shows it.

    Attributes:
        waiting: letters that nobody has answered, and against whose silence time runs.
    """

    dossier: Dossier
    act: Act
    clock: Clock | None
    waiting: int
    colour: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, newest first."""

    lines: tuple[Line, ...]
    after: Place | None
    before: Place | None


def _filters(
    q: Annotated[str, Query(max_length=100)] = "",
    etat: Annotated[str, Query(max_length=20)] = "",
    nature: Annotated[str, Query(max_length=2)] = "",
    annee: Annotated[str, Query(max_length=4)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> dict[str, str]:
    return {"q": q.strip(), "etat": etat, "nature": nature, "annee": annee, "organisation": organisation}


Filters = Annotated[dict[str, str], Depends(_filters)]
"""What the list is narrowed by, as its address says it; a filter that names nothing finds nothing."""


@router.get("/actes")
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Filters,
    apres: Annotated[str, Query(max_length=200)] = "",
    avant: Annotated[str, Query(max_length=200)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a page of the list; ``fait`` says what the visitor has just done."""
    today = clock.in_paris(clock.now()).date()
    with reading.opened(platform.database, visitor.principal) as session:
        page = page_of(session, filters, today, cursors.read(apres), cursors.read(avant))
        organisations = reading.organisations(session)
    return render(
        request,
        "web/acts/list.html",
        visitor=visitor,
        page=page,
        filters=filters,
        filtered=any(filters.values()),
        groups=[*GROUPS, _PARKED],
        natures=[(str(one.code), one.label) for one in NATURES.values()],
        labels={one.code: one.label for one in NATURES.values()},
        years=range(today.year, today.year - 8, -1),
        organisations=organisations,
        names={one.id: one.name for one in organisations},
        may_operate=bool(visitor.where(Right.OPERATE)),
        drafts=_drafts(platform, visitor) if not (apres or avant or any(filters.values())) else [],
        draft_days=drafts.LASTS.days,
        done=fait if fait in _DONE else "",
        export=_written("/actes.csv", filters),
        next=_address(filters, apres=cursors.written(page.after)),
        previous=_address(filters, avant=cursors.written(page.before)),
    )


def _drafts(platform: Platform, visitor: Visitor) -> list[tuple[ActesDraft, date]]:
    """Return what the visitor has not sent yet, with the last day on which each is there."""
    return [(one, clock.in_paris(one.expires).date()) for one in drafts.own(platform, visitor.principal)]


def _narrowed(filters: dict[str, str]) -> list[Any]:
    conditions: list[Any] = []
    if filters["etat"] == _PARKED:
        conditions.append(col(Dossier.parked).is_not(None))
    elif filters["etat"]:
        conditions.append(col(Dossier.state).in_(GROUPS.get(filters["etat"], ())))
    if filters["nature"]:
        known = NATURES.get(_whole(filters["nature"]))
        conditions.append(col(ActesMessage.id_acte).like(f"%-{known.abbreviation if known else '?'}"))
    if filters["annee"]:
        conditions.append(col(ActesMessage.id_acte).like(f"{_BEFORE_DAY}{_whole(filters['annee']):04d}%"))
    if filters["organisation"]:
        conditions.append(col(Dossier.organisation_id) == filters["organisation"])
    if text := filters["q"]:
        conditions.append(
            or_(
                holds(Dossier.sought, text),
                col(ActesMessage.id_acte).icontains(text, autoescape=True),
                col(Dossier.id) == text,
            )
        )
    return conditions


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def page_of(
    session: Session,
    filters: dict[str, str],
    today: date,
    after: Place | None = None,
    before: Place | None = None,
    size: int = _A_PAGE,
) -> Page:
    """Return a page of the list, newest first; ``before`` counts only when ``after`` is not given."""
    backwards = after is None and before is not None
    here = tuple_(col(Dossier.created), col(Dossier.id))
    wanted = (
        select(Dossier)
        .join(ActesMessage, col(ActesMessage.dossier_id) == col(Dossier.id))
        .where(Dossier.flow == ACTES.name, ActesMessage.code == MessageCode.ACTE.value)
        .where(col(Dossier.confidential).is_(False), *_narrowed(filters))
        .limit(size + 1)
    )
    if after is not None:
        wanted = wanted.where(here < tuple_(literal(after.created, UtcDateTime()), literal(after.id)))
    elif before is not None:
        wanted = wanted.where(here > tuple_(literal(before.created, UtcDateTime()), literal(before.id)))
    order = (col(Dossier.created), col(Dossier.id))
    found = list(session.exec(wanted.order_by(*(order if backwards else [one.desc() for one in order]))))
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    return Page(
        _lines(session, found, today),
        Place(found[-1].created, found[-1].id) if found and (more or backwards) else None,
        Place(found[0].created, found[0].id) if found and (more if backwards else after is not None) else None,
    )


def _lines(session: Session, found: Sequence[Dossier], today: date) -> tuple[Line, ...]:
    of: dict[str, list[ActesMessage]] = {one.id: [] for one in found}
    for message in session.exec(select(ActesMessage).where(col(ActesMessage.dossier_id).in_(of)).order_by(col(ActesMessage.id))):
        of[message.dossier_id].append(message)
    return tuple(
        Line(one, Act.from_facts(one.facts), control_of(one, of[one.id], today), _pressing(of[one.id]), colour(one))
        for one in found
    )


def _pressing(messages: Sequence[ActesMessage]) -> int:
    return sum(presses(letter) for letter in unanswered(messages))


def _address(filters: dict[str, str], **place: str | None) -> str | None:
    return _written("/actes", {**filters, **place}) if any(place.values()) else None


def _written(path: str, told: Mapping[str, str | None]) -> str:
    query = urlencode({name: value for name, value in told.items() if value})
    return f"{path}?{query}" if query else path
