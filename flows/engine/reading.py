"""Reading dossiers for whoever looks at them: lists in keyset pages, one dossier, its files, its timeline.

What is seen is what the principal may *read*: the session narrows to the organisations in which that right is held. A
confidential dossier is seen by software, which sent it, and by those who operate its organisation; other people meet it where
they have to do with it. Nothing here knows HTTP, and nothing here writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, literal, true, tuple_
from sqlmodel import col, or_, select

from core import clock
from core.database import Database, ScopedSession, UtcDateTime
from core.errors import NotFound
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import Principal, Right
from flows.engine.models import Dossier, DossierFile, Step
from flows.engine.table import End, Flow

_messages = Catalogue("flows.engine")
COUNTED_UP_TO = 10_000
_TIMELINE = 500
_COLUMNS = (
    Dossier.id,
    Dossier.organisation_id,
    Dossier.flow,
    Dossier.title,
    Dossier.state,
    Dossier.since,
    Dossier.parked,
    Dossier.created,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dossiers to list; what is left empty does not narrow.

    Attributes:
        parked: True for those an operator must look at, False for the others, None for all.
        created_from: first day of deposit, in metropolitan France.
        created_to: last day of deposit, included.
        text: a part of the title, or a whole identifier.
    """

    organisations: tuple[str, ...] = ()
    flow: str | None = None
    states: tuple[str, ...] = ()
    parked: bool | None = None
    created_from: date | None = None
    created_to: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list, newest first: just after, or just before, this dossier."""

    created: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Line:
    """A dossier as the list shows it, without what can be large."""

    id: str
    organisation_id: str
    flow: str
    title: str
    state: str
    since: datetime
    parked: str | None
    created: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        total: how many dossiers are wanted in all; ``COUNTED_UP_TO`` when there are more.
        exact: False when there are more than were counted.
        after: where the next page starts; None on the last one.
        before: where the previous page ends; None on the first one.
    """

    lines: tuple[Line, ...]
    total: int
    exact: bool
    after: Place | None
    before: Place | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A dossier with its files and what it waits for."""

    dossier: Dossier
    organisation: Organisation
    files: tuple[DossierFile, ...]
    step: Step | None

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What refused the document, then what was only a warning."""
        return [*self.dossier.problems, *self.dossier.facts.get("warnings", ())]


@contextmanager
def opened(database: Database, principal: Principal) -> Iterator[ScopedSession]:
    """Open a session that sees what the principal may read, which is less than where it holds any right."""
    grants = {organisation: rights for organisation, rights in principal.grants.items() if Right.READ in rights}
    reader = Principal(principal.actor, grants, everywhere=principal.everywhere, name=principal.name)
    with database.reading(reader) as session:
        yield session


def organisations(session: ScopedSession) -> list[Organisation]:
    """Return the organisations that the session sees, by name."""
    wanted = select(Organisation).order_by(Organisation.name)
    if not session.principal.everywhere:
        wanted = wanted.where(col(Organisation.id).in_(session.principal.organisations))
    return list(session.exec(wanted))


def page(session: ScopedSession, wanted: Wanted, limit: int, after: Place | None = None, before: Place | None = None) -> Page:
    """Return a page of the list, newest first; ``before`` counts only when ``after`` is not given."""
    conditions = [_open_to(session.principal), *_conditions(wanted)]
    backwards = after is None and before is not None
    newest_first = (col(Dossier.created).desc(), col(Dossier.id).desc())
    oldest_first = (col(Dossier.created), col(Dossier.id))
    rows = session.execute(
        select(*_COLUMNS)  # type: ignore[call-overload]
        .where(*conditions, *_beyond(after, before))
        .order_by(*(oldest_first if backwards else newest_first))
        .limit(limit + 1)
    ).all()
    more = len(rows) > limit
    lines = [Line(*row) for row in rows[:limit]]
    if backwards:
        lines.reverse()
    has_next = more if not backwards else True
    has_previous = more if backwards else after is not None
    total = _count(session, conditions)
    return Page(
        tuple(lines),
        min(total, COUNTED_UP_TO),
        total <= COUNTED_UP_TO,
        Place(lines[-1].created, lines[-1].id) if lines and has_next else None,
        Place(lines[0].created, lines[0].id) if lines and has_previous else None,
    )


def parked_count(session: ScopedSession) -> int:
    """Return how many dossiers wait for an operator, counted up to the bound of every total."""
    return min(_count(session, [_open_to(session.principal), *_conditions(Wanted(parked=True))]), COUNTED_UP_TO)


def seen(session: ScopedSession, dossier_id: str) -> Seen:
    """Return a dossier with its files, oldest first.

    Raises:
        NotFound: there is none of that identifier, or the session does not see it.
    """
    dossier = session.exec(select(Dossier).where(Dossier.id == dossier_id, _open_to(session.principal))).first()
    if dossier is None:
        raise NotFound(_messages("dossier.unseen"))
    files = session.exec(
        select(DossierFile).where(DossierFile.dossier_id == dossier_id).order_by(col(DossierFile.created), col(DossierFile.id))
    ).all()
    step = session.exec(select(Step).where(Step.dossier_id == dossier_id)).first()
    owner = session.exec(select(Organisation).where(Organisation.id == dossier.organisation_id)).one()
    return Seen(dossier, owner, tuple(files), step)


def file_of(session: ScopedSession, dossier_id: str, file_id: str) -> DossierFile:
    """Return a file of a dossier.

    Raises:
        NotFound: the dossier has no such file, or the session does not see it.
    """
    own = select(DossierFile).where(DossierFile.id == file_id, DossierFile.dossier_id == dossier_id)
    found = session.exec(own.join(Dossier).where(_open_to(session.principal))).first()
    if found is None:
        raise NotFound(_messages("file.unseen"))
    return found


def timeline(session: ScopedSession, dossier_id: str) -> list[JournalEntry]:
    """Return the last journal entries of a dossier, oldest first."""
    newest = session.exec(
        select(JournalEntry)
        .where(JournalEntry.dossier_id == dossier_id)
        .order_by(col(JournalEntry.number).desc())
        .limit(_TIMELINE)
    ).all()
    return list(reversed(newest))


def _count(session: ScopedSession, conditions: Sequence[Any]) -> int:
    # Bounded: to count a million rows for a figure that nobody reads would cost more than the page.
    counted = select(Dossier.id).where(*conditions).limit(COUNTED_UP_TO + 1).subquery()
    return int(session.exec(select(func.count()).select_from(counted)).one())


def _open_to(principal: Principal) -> Any:
    """Return the condition under which a dossier is seen by whoever may read the dossiers of its organisation."""
    if principal.everywhere or not principal.actor.startswith("person:"):
        return true()
    operated = [organisation for organisation in principal.organisations if principal.may(Right.OPERATE, organisation)]
    return or_(col(Dossier.confidential).is_(False), col(Dossier.organisation_id).in_(operated))


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.organisations:
        conditions.append(col(Dossier.organisation_id).in_(wanted.organisations))
    if wanted.flow:
        conditions.append(col(Dossier.flow) == wanted.flow)
    if wanted.states:
        conditions.append(col(Dossier.state).in_(wanted.states))
    if wanted.parked is not None:
        parked = col(Dossier.parked).is_not(None)
        conditions.append(parked if wanted.parked else ~parked)
    if wanted.created_from:
        conditions.append(col(Dossier.created) >= _midnight(wanted.created_from))
    if wanted.created_to and wanted.created_to < date.max:
        conditions.append(col(Dossier.created) < _midnight(wanted.created_to + timedelta(days=1)))
    if wanted.text:
        conditions.append(or_(col(Dossier.title).icontains(wanted.text, autoescape=True), col(Dossier.id) == wanted.text))
    return conditions


def _beyond(after: Place | None, before: Place | None) -> list[Any]:
    here = tuple_(col(Dossier.created), col(Dossier.id))
    if after is not None:
        return [here < tuple_(literal(after.created, UtcDateTime()), literal(after.id))]
    if before is not None:
        return [here > tuple_(literal(before.created, UtcDateTime()), literal(before.id))]
    return []


def _midnight(day: date) -> datetime:
    return datetime.combine(max(day, date(1900, 1, 1)), time(), clock.PARIS)


def way(flow: Flow, state: str) -> tuple[list[str], list[str]]:
    """Return the states on the way to a state, itself last, and those still ahead on the shortest way to a good end."""
    behind = _shortest(flow, flow.start, lambda reached: reached == state)
    ahead = _shortest(flow, state, lambda reached: isinstance(row := flow.rows[reached], End) and row.good)
    return behind or [state], ahead[1:]


def _shortest(flow: Flow, start: str, arrived: Callable[[str], bool]) -> list[str]:
    paths, known = deque([[start]]), {start}
    while paths:
        path = paths.popleft()
        if arrived(path[-1]):
            return path
        for target in flow.rows[path[-1]].leads.values():
            if target not in known:
                known.add(target)
                paths.append([*path, target])
    return []
