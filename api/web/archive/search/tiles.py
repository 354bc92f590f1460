"""What an archivist sees first of a day: how much is due, what is open, how old the last anchor is; of what there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from api.web.visitor import Visitor
from archive.finding import search
from archive.finding.models import RecordState
from archive.finding.search import Wanted
from archive.watch.state import anchors
from core import clock
from core.platform import Platform
from core.principal import Right
from schemas.seda.model import FinalAction


@dataclass(frozen=True, slots=True)
class Tiles:
    """The figures of the home page.

    Attributes:
        due: how many records reach the end of their retention by the end of the year and are then to be destroyed.
        exact: False when there are more than are counted.
        by: the end of the year.
        anchor_hours: age of the last head of the journal; None before the first one.
        old: it is older than it should be.
    """

    due: int
    exact: bool
    by: date
    anchor_hours: int | None
    old: bool


def tiles_of(platform: Platform, visitor: Visitor) -> Tiles | None:
    """Return the figures for an archivist; None for anybody else."""
    if not visitor.where(Right.ARCHIVE):
        return None
    at = clock.now()
    by = clock.in_paris(at).date().replace(month=12, day=31)
    due = Wanted(due_by=by, final_action=FinalAction.DESTROY.value, states=(RecordState.KEPT,), limit=1)
    counts = search.find(platform, visitor.principal, due).counts or search.Counts()
    with platform.database.reading(visitor.principal) as session:
        anchored = anchors(session)
    return Tiles(counts.total, counts.exact, by, anchored.hours(at), anchored.is_old(at))
