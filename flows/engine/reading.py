"""Reading dossiers for whoever looks at them: lists in keyset pages, one dossier, its files, its timeline.

What is seen is what the principal may *read*: the session narrows to the organisations in which that right is held. A
confidential dossier is seen by those who operate its organisation; other people meet it where they have to do with it. Software
sees all dossiers but those of people's folders that are confidential or drafts (``signing.parapheur.software``). Who *surveys*
dossiers sees that they exist and how they stand (``surveyed``), and of what they are about nothing: their identifier stands for
their title. Of a dossier whose record was eliminated nobody reads more than that, from the moment of the elimination on, whatever
its rows still hold. Nothing here knows HTTP, and nothing here writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import and_, case, func, literal, tuple_
from sqlmodel import col, or_, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from core import clock
from core.database import Database, ScopedSession, UtcDateTime
from core.errors import NotFound
from core.folding import holds
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import Principal, Right
from flows.engine.eliminated import Eliminated, eliminated_of, gone
from flows.engine.models import Dossier, DossierFile, Step
from flows.engine.seeing import readable, shown_to

_messages = Catalogue("flows.engine")
COUNTED_UP_TO = 10_000
TIMELINE = 500
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
    """A dossier as the list shows it, without what can be large.

    Attributes:
        title: its identifier for whoever surveys it only.
    """

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
    """A dossier with its files and what it waits for.

    Attributes:
        read: the session may read it; whoever only surveys it is shown ``title``, states and times, and nothing else of it.
        files: none for whoever only surveys it.
        eliminated: since when and why there is nothing to read of it; None for what is kept.
    """

    dossier: Dossier
    organisation: Organisation
    files: tuple[DossierFile, ...]
    step: Step | None
    read: bool = True
    eliminated: Eliminated | None = None

    @property
    def title(self) -> str:
        """What it is called; its identifier for whoever only surveys it."""
        return self.dossier.title if self.read else self.dossier.id

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What refused the document, then what was only a warning; nothing for whoever only surveys it."""
        return [*self.dossier.problems, *self.dossier.facts.get("warnings", ())] if self.read else []


@contextmanager
def opened(database: Database, principal: Principal) -> Iterator[ScopedSession]:
    """Open a session that sees what the principal may read, which is less than where it holds any right."""
    with database.reading(_where(principal, {Right.READ})) as session:
        yield session


@contextmanager
def surveyed(database: Database, principal: Principal) -> Iterator[ScopedSession]:
    """Open a session that also sees how the dossiers stand that the principal may survey; see ``Line`` and ``Seen``."""
    with database.reading(_where(principal, {Right.READ, Right.SURVEY})) as session:
        yield session


def _where(principal: Principal, rights: Collection[Right]) -> Principal:
    """Return the principal as it is where it holds one of these rights."""
    grants = {organisation: held for organisation, held in principal.grants.items() if not held.isdisjoint(rights)}
    return Principal(principal.actor, grants, everywhere=principal.everywhere, name=principal.name)


def organisations(session: ScopedSession) -> list[Organisation]:
    """Return the organisations that the session sees, by name."""
    wanted = select(Organisation).order_by(Organisation.name)
    if not session.principal.everywhere:
        wanted = wanted.where(col(Organisation.id).in_(session.principal.organisations))
    return list(session.exec(wanted))


def page(session: ScopedSession, wanted: Wanted, limit: int, after: Place | None = None, before: Place | None = None) -> Page:
    """Return a page of the list, newest first; ``before`` counts only when ``after`` is not given."""
    conditions = _wanted(session.principal, wanted)
    backwards = after is None and before is not None
    newest_first = (col(Dossier.created).desc(), col(Dossier.id).desc())
    oldest_first = (col(Dossier.created), col(Dossier.id))
    rows = session.execute(
        select(*_columns(session.principal))
        .where(*conditions, *beyond(after, before))
        .order_by(*(oldest_first if backwards else newest_first))
        .limit(limit + 1)
    ).all()
    more = len(rows) > limit
    lines = [Line(*row) for row in rows[:limit]]
    if backwards:
        lines.reverse()
    has_next = more if not backwards else True
    has_previous = more if backwards else after is not None
    total, exact = counted(session, select(Dossier.id).where(*conditions))
    return Page(
        tuple(lines),
        total,
        exact,
        Place(lines[-1].created, lines[-1].id) if lines and has_next else None,
        Place(lines[0].created, lines[0].id) if lines and has_previous else None,
    )


def parked_count(session: ScopedSession) -> int:
    """Return how many dossiers wait for an operator, counted up to the bound of every total."""
    return counted(session, select(Dossier.id).where(*_wanted(session.principal, Wanted(parked=True))))[0]


def counted(session: ScopedSession, wanted: Select[Any] | SelectOfScalar[Any]) -> tuple[int, bool]:
    """Return how many rows a list has in all, up to ``COUNTED_UP_TO``, and whether there are no more.

    Bounded: to count a million rows for a figure that nobody reads would cost more than the page.
    """
    total = int(session.exec(select(func.count()).select_from(wanted.limit(COUNTED_UP_TO + 1).subquery())).one())
    return min(total, COUNTED_UP_TO), total <= COUNTED_UP_TO


def seen(session: ScopedSession, dossier_id: str, *, although_eliminated: bool = False) -> Seen:
    """Return a dossier with its files, oldest first.

    Args:
        session: of ``opened`` or ``surveyed``.
        dossier_id: of the dossier.
        although_eliminated: what is left of one that was eliminated is wanted as well: that it was, how it went, and when.

    Raises:
        NotFound: there is none of that identifier, or the session does not see it.
        Gone: it was eliminated.
    """
    known = select(Dossier, readable(session.principal)).where(Dossier.id == dossier_id, shown_to(session.principal))
    found = session.exec(known).first()
    if found is None:
        raise NotFound(_messages("dossier.unseen"))
    dossier, read = found
    eliminated = eliminated_of(session, dossier_id)
    if eliminated is not None:
        if not although_eliminated:
            raise gone(eliminated)
        session.expunge(dossier)
        dossier.title, dossier.facts, dossier.problems, dossier.parked = dossier.id, {}, [], None
    own = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
    shown = read and eliminated is None
    files = session.exec(own.order_by(col(DossierFile.created), col(DossierFile.id))).all() if shown else ()
    step = session.exec(select(Step).where(Step.dossier_id == dossier_id)).first()
    owner = session.exec(select(Organisation).where(Organisation.id == dossier.organisation_id)).one()
    return Seen(dossier, owner, tuple(files), step, bool(read), eliminated)


def file_of(session: ScopedSession, dossier_id: str, file_id: str) -> DossierFile:
    """Return a file of a dossier.

    Raises:
        NotFound: the dossier has no such file, or the session does not see it.
        Gone: the dossier was eliminated.
    """
    known = select(Dossier.id).where(Dossier.id == dossier_id, readable(session.principal))
    if session.exec(known).first() is not None and (eliminated := eliminated_of(session, dossier_id)):
        raise gone(eliminated)
    own = select(DossierFile).where(DossierFile.id == file_id, DossierFile.dossier_id == dossier_id)
    found = session.exec(own.join(Dossier).where(readable(session.principal))).first()
    if found is None:
        raise NotFound(_messages("file.unseen"))
    return found


def file_with(session: ScopedSession, organisation_id: str, sha256: str) -> DossierFile | None:
    """Return a file of that digest, of a dossier of the organisation that the session may read; None when there is none."""
    same = select(DossierFile).where(DossierFile.sha256 == sha256, DossierFile.organisation_id == organisation_id)
    return session.exec(same.join(Dossier).where(readable(session.principal)).limit(1)).first()


def timeline(
    session: ScopedSession, dossier_id: str, limit: int = TIMELINE, before: str | None = None
) -> tuple[list[JournalEntry], bool]:
    """Return the last journal entries of a dossier, oldest first, and whether there are earlier ones.

    Args:
        session: of ``surveyed``.
        dossier_id: of the dossier.
        limit: how many at most.
        before: identifier of an entry: the last ones before it.
    """
    own = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
    if before is not None:
        there = select(JournalEntry.number).where(JournalEntry.id == before).scalar_subquery()
        own = own.where(col(JournalEntry.number) < there)
    newest = session.exec(own.order_by(col(JournalEntry.number).desc()).limit(limit + 1)).all()
    return list(reversed(newest[:limit])), len(newest) > limit


def _columns(principal: Principal) -> tuple[Any, ...]:
    """Return what a ``Line`` is made of, in its order."""
    title = case((readable(principal), col(Dossier.title)), else_=col(Dossier.id))
    return tuple(title if column is Dossier.title else column for column in _COLUMNS)


def _wanted(principal: Principal, wanted: Wanted) -> list[Any]:
    """Return the conditions of a list; nobody finds by its title what they may not read."""
    conditions: list[Any] = [shown_to(principal)]
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
        titled = and_(readable(principal), holds(Dossier.sought, wanted.text))
        conditions.append(or_(titled, col(Dossier.id) == wanted.text))
    return conditions


def beyond(after: Place | None, before: Place | None) -> list[Any]:
    """Return the condition that a dossier is older than one place of a list, or else newer than another; none of neither."""
    here = tuple_(col(Dossier.created), col(Dossier.id))
    if after is not None:
        return [here < tuple_(literal(after.created, UtcDateTime()), literal(after.id))]
    if before is not None:
        return [here > tuple_(literal(before.created, UtcDateTime()), literal(before.id))]
    return []


def _midnight(day: date) -> datetime:
    return datetime.combine(max(day, date(1900, 1, 1)), time(), clock.PARIS)
