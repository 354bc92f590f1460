"""The places of the archive: whether each answers, what it holds, when it was last read; the audits; how old the proof is.

States and volumes only. What a place holds is counted over the organisations that the visitor watches; the passes of the audits,
which run over all of them, are shown to whoever operates the platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.archive.watching import operates_all, watched
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from archive.places.places import Place, places_of
from archive.replication import rounds
from archive.replication.models import Replication
from archive.watch import audits, state
from archive.watch.audits import AuditKind, Duty
from archive.watch.state import Held
from core import clock
from core.errors import Misconfigured, Unavailable
from core.messages import Catalogue

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
        lacking: of how many records it has no copy.
        filling: the round that brings it what it lacks; None before the first, and for who does not operate the platform.
    """

    name: str
    audit_days: int
    trouble: str
    skew: int
    held: Held
    overdue: bool
    lacking: int
    filling: Replication | None


@router.get("/archives/lieux")
def shown(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show the places."""
    with watched(platform.database, visitor.principal) as session:
        kept = state.kept(session)
        held = state.held_in(session, kept)
        anchors = state.anchors(session)
    now, operates = clock.now(), operates_all(platform, visitor)
    filling = rounds.filling(platform) if operates else {}
    return render(
        request,
        "web/archive/places/places.html",
        visitor=visitor,
        places=[
            _shown(place, held.get(place.name, _NOTHING), kept.count, filling.get(place.name)) for place in places_of(platform)
        ],
        anchors=anchors,
        hours=anchors.hours(now),
        old=anchors.is_old(now),
        runs=audits.last_runs(platform, now - timedelta(days=31))[:30] if operates else None,
        behind=[_named(duty) for duty in audits.behind(platform)] if operates else [],
        audits={kind.value: _watch(f"audit.{kind.value}") for kind in AuditKind},
    )


def _named(duty: Duty) -> str:
    name = _watch(f"audit.{duty.kind.value}")
    return f"{name} ({duty.place})" if duty.place else name


def _shown(place: Place, held: Held, kept: int, filling: Replication | None) -> Shown:
    trouble, skew = "", 0.0
    try:
        skew = place.store.clock_skew()
    except (Unavailable, Misconfigured) as error:
        trouble = str(error)
    late = held.oldest is not None and held.oldest < clock.now() - timedelta(days=place.audit_days)
    lacking, skewed = max(kept - held.copies, 0), round(skew) if abs(skew) > _SKEWED else 0
    return Shown(place.name, place.audit_days, trouble, skewed, held, late, lacking, filling)
