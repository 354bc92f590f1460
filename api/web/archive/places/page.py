"""The places of the archive: whether each answers, what it holds, when it was last read; the audits; how old the proof is.

States and volumes only. What a place holds is counted over the organisations that the visitor watches; the passes of the audits,
which run over all of them, are shown to whoever operates the platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.archive.watching import watched
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.places.places import Place, places_of
from archive.watch import audits, state
from archive.watch.audits import AuditKind
from archive.watch.state import Held
from core import clock
from core.errors import Misconfigured, Unavailable
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
_watch = Catalogue("archive.watch")
_NOTHING = Held(0, 0, None, None, 0)
_SKEWED = 5
"""Seconds by which the clock of a place may be off: it is what ends the locks."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A place as the page shows it.

    Attributes:
        trouble: why it does not answer; empty when it does.
        skew: by how many seconds its clock is ahead, when that is too much; 0 otherwise.
        overdue: something was not read back within the rhythm of the place.
    """

    name: str
    audit_days: int
    trouble: str
    skew: int
    held: Held
    overdue: bool


@router.get("/archives/lieux")
def shown(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show the places."""
    with watched(platform.database, visitor.principal) as session:
        held = state.held_in(session)
        anchors = state.anchors(session)
    now = clock.now()
    return render(
        request,
        "web/archive/places/places.html",
        visitor=visitor,
        places=[_shown(place, held.get(place.name, _NOTHING)) for place in places_of(platform)],
        anchors=anchors,
        hours=anchors.hours(now),
        old=anchors.is_old(now),
        runs=audits.last_runs(platform, now - timedelta(days=31))[:30] if _operates(platform, visitor) else None,
        audits={kind.value: _watch(f"audit.{kind.value}") for kind in AuditKind},
    )


def _shown(place: Place, held: Held) -> Shown:
    trouble, skew = "", 0.0
    try:
        skew = place.store.clock_skew()
    except (Unavailable, Misconfigured) as error:
        trouble = str(error)
    late = held.oldest is not None and held.oldest < clock.now() - timedelta(days=place.audit_days)
    return Shown(place.name, place.audit_days, trouble, round(skew) if abs(skew) > _SKEWED else 0, held, late)


def _operates(platform: Platform, visitor: Visitor) -> bool:
    """Tell whether the visitor operates the platform as a whole."""
    wanted = col(Organisation.id).in_(visitor.where(Right.OPERATE))
    with platform.database.reading(PLATFORM) as session:
        asked = select(Organisation.id).where(wanted, Organisation.kind == OrganisationKind.PLATFORM.value)
        return session.exec(asked).first() is not None
