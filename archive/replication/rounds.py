"""The rounds: a place is gone through, papers before records, and what it lacks is brought there, bit by bit.

What lives here: where a round stands, how much one run of it does, when the next one begins. What does not: what is brought
(`archive.replication.papers`, `copies`).

A place that was added after records were sealed has no copy of them: a scheduled run fills it, and looks again once a day. One
that was lost is told by its objects, not by the database, which names copies there: an operator has it restored, in one go.
Each may be stopped at any moment and run again: what stands in the place already is found there, and written down once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from sqlmodel import select

from archive.places.places import Place, places_of
from archive.replication import copies, papers
from archive.replication.models import PAPERS, RECORDS, Replication, Task
from archive.replication.turns import Turn
from archive.watch.looking import Budget
from core import clock
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM

ACTOR, QUEUE, EVERY = "archive.replicate", "archive", timedelta(minutes=1)
_AGAIN = timedelta(days=1)
"""A place is gone through again after this time: a process that did not know of it yet may have sealed without it."""
_RUN = Budget(500, 1 << 30)
"""What one run writes at most: other runs of the queue wait meanwhile."""
_TURN = Budget(200, 1 << 30)
_log = structlog.get_logger()
Half = Callable[[Platform, Place, str, Budget], Turn]
Progress = Callable[[Replication, Turn], None]
"""Told after every turn."""


def go_on(platform: Platform, _key: str = "") -> None:
    """Go on filling the places, a bounded number of objects in each (``archive.replicate``); a silent one stops itself only."""
    known = places_of(platform)
    for place in known if len(known) > 1 else ():
        try:
            run = _due(platform, place)
            if run is not None:
                place.store.prepare()
                _fill_some(platform, place, run)
        except (Unavailable, Misconfigured) as error:
            _log.warning("replication.silent", place=place.name, reason=str(error))


def fill(platform: Platform, place: Place, told: Progress) -> Replication:
    """Bring everything that a place lacks now; return what was done. The scheduled round goes on by itself.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us, or no other does.
    """
    place.store.prepare()
    run = Replication(place=place.name, task=Task.FILL.value)
    while run.ended is None:
        told(run, _go(platform, place, run, _TURN, copies.bring))
    return run


def restore(platform: Platform, place: Place, source: str | None, told: Progress, *, anew: bool) -> Replication:
    """Write again every copy of a place that is gone, altered or covered, and bring its papers; return what was done.

    Args:
        platform: whose archive.
        place: the one that was lost.
        source: the only place to take packages from; the first that gives each whole when not given.
        told: what to tell after every turn.
        anew: begin again, where otherwise a round that was stopped is gone on with.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us, or no other does.
    """
    place.store.prepare()
    begun = None if anew else interrupted(platform, place)
    run = begun or Replication(place=place.name, task=Task.RESTORE.value)
    while run.ended is None:
        turn = _go(platform, place, run, _TURN, partial(copies.mend, source=source))
        _keep(platform, run)
        told(run, turn)
    return run


def interrupted(platform: Platform, place: Place) -> Replication | None:
    """Return the restoration of a place that was stopped before its end; None when there is none."""
    last = _last(platform, place, Task.RESTORE)
    return last if last is not None and last.ended is None else None


def filling(platform: Platform) -> dict[str, Replication]:
    """Return how the last round of filling stands, by place; places without one are not named."""
    with platform.database.reading(PLATFORM) as session:
        return {run.place: run for run in session.exec(select(Replication).where(Replication.task == Task.FILL.value))}


def _due(platform: Platform, place: Place) -> Replication | None:
    """Return the round to go on with, begun when it is time; None when the last one was begun less than a day ago."""
    last = _last(platform, place, Task.FILL)
    if last is None or (last.ended is not None and clock.now() >= last.started + _AGAIN):
        return Replication(place=place.name, task=Task.FILL.value)
    return last if last.ended is None else None


def _last(platform: Platform, place: Place, task: Task) -> Replication | None:
    with platform.database.reading(PLATFORM) as session:
        return session.get(Replication, (place.name, task.value))


def _fill_some(platform: Platform, place: Place, run: Replication) -> None:
    count, size = _RUN.count, _RUN.size
    _keep(platform, run)
    while run.ended is None and count > 0 and size > 0:
        turn = _go(platform, place, run, Budget(count, size), copies.bring)
        _keep(platform, run)
        for failure in turn.failures:
            _log.warning("replication.failed", place=place.name, key=failure.key)
        count, size = count - turn.copied - len(turn.failures), size - turn.size


def _go(platform: Platform, place: Place, run: Replication, budget: Budget, records: Half) -> Turn:
    """Take one turn of a round, and count it."""
    if run.cursor.startswith(RECORDS):
        turn = records(platform, place, run.cursor.removeprefix(RECORDS), budget)
        run.cursor = f"{RECORDS}{turn.cursor or ''}"
        run.ended = clock.now() if turn.cursor is None else None
    else:
        turn = papers.carry(platform, place, run.cursor.removeprefix(PAPERS), budget)
        run.cursor = RECORDS if turn.cursor is None else f"{PAPERS}{turn.cursor}"
    run.copied += turn.copied
    run.failed += len(turn.failures)
    return turn


def _keep(platform: Platform, run: Replication) -> None:
    with platform.database.writing(PLATFORM) as session:
        session.merge(run)
