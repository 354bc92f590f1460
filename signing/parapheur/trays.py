"""Trays (*bannettes*): what waits for a person, at which desk, and how much of it.

None of them is kept: each is a question to the tables, answered from an index and page by page. A count stops at a bound: beyond
it, the exact number is worth less than the time that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, false, func, literal, or_, tuple_
from sqlalchemy import select as select_rows
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from core import clock
from core.database import UtcDateTime
from core.folding import holds
from signing.parapheur.desks import Around
from signing.parapheur.models import Desk, Folder, FolderReading, FolderState, FolderType, Subtype, Task, TaskState

COUNTED_UP_TO = 1000


class Tray(StrEnum):
    """The trays, by the name that stands in an address."""

    TO_DO = "a-traiter"
    LATE = "en-retard"
    DELEGATED = "delegues"
    UPCOMING = "a-venir"
    RETRIEVABLE = "recuperables"
    FINISHED = "en-fin-de-circuit"
    REJECTED = "rejetes"
    DRAFTS = "brouillons"
    SENT = "suivi"
    TRASH = "corbeille"


_OF_TASKS = {Tray.TO_DO, Tray.LATE, Tray.DELEGATED, Tray.UPCOMING}
_OF_EMITTER = {
    Tray.FINISHED: FolderState.FINISHED,
    Tray.REJECTED: FolderState.REJECTED,
    Tray.DRAFTS: FolderState.DRAFT,
    Tray.SENT: FolderState.PENDING,
    Tray.TRASH: FolderState.TRASHED,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What narrows a tray; empty does not.

    Attributes:
        desk_id: one of the person's desks.
        text: a part of the title, or the identifier outside.
        kind: what is asked.
        subtype_id: of which kind.
    """

    desk_id: str = ""
    text: str = ""
    kind: str = ""
    subtype_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a tray: just after this line, or just before it."""

    since: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Line:
    """A folder as a tray shows it.

    Attributes:
        task_id: what is asked; None in trays of folders.
        kind: what is asked; empty in trays of folders.
        since: since when it lies there.
        late: the day by which it should be through has passed.
        read: the person has opened it.
    """

    folder_id: str
    task_id: str | None
    title: str
    summary: dict[str, Any]
    subtype: str
    kind: str
    desk_id: str
    emitter_id: str
    state: str
    since: datetime
    due: date | None
    late: bool
    read: bool
    organisation_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a tray; ``after`` and ``before`` are where the next one and the previous one start, when there is one."""

    lines: tuple[Line, ...]
    after: Place | None
    before: Place | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands around a line of a tray; ``rank`` counts from 1, and is None where the count stopped before it."""

    previous: Line | None
    next: Line | None
    rank: int | None
    total: Count


@dataclass(frozen=True, slots=True)
class Count:
    """How much lies in a tray; at least so much when it is not exact."""

    number: int
    exact: bool


def page(
    session: Session,
    desks: Around,
    tray: Tray,
    wanted: Wanted,
    limit: int,
    after: Place | None = None,
    before: Place | None = None,
) -> Page:
    """Return a page of a tray, what has waited longest first; the newest first where nothing waits."""
    lines, more = _lines(session, desks, tray, wanted, limit, after or before, backwards=before is not None)
    if not lines:
        return Page((), None)
    first, last = place_of(lines[0]), place_of(lines[-1])
    if before is not None:
        return Page(lines, last, first if more else None)
    return Page(lines, last if more else None, first if after else None)


def place_of(line: Line) -> Place:
    """Return the place of a line in its tray."""
    return Place(line.since, line.task_id or line.folder_id)


def _lines(
    session: Session, desks: Around, tray: Tray, wanted: Wanted, limit: int, at: Place | None, *, backwards: bool
) -> tuple[tuple[Line, ...], bool]:
    """Return lines that follow a place, or that come before it, in the order of the tray; and whether there are more."""
    since, identifier = _order(tray)
    rows = _columns(desks.person_id, tray).where(*_within(desks, tray, wanted))
    descends = _newest_first(tray) != backwards
    if at is not None:
        rows = rows.where(_beyond(tray, at, descends=descends))
    order = (since.desc(), identifier.desc()) if descends else (since, identifier)
    found = session.execute(rows.order_by(*order).limit(limit + 1)).all()
    lines = [_line(row, tray) for row in found[:limit]]
    return tuple(reversed(lines) if backwards else lines), len(found) > limit


def _beyond(tray: Tray, at: Place, *, descends: bool) -> ColumnElement[bool]:
    here, place = tuple_(*_order(tray)), tuple_(literal(at.since, UtcDateTime()), literal(at.id))
    return here < place if descends else here > place


def neighbours(session: Session, desks: Around, tray: Tray, wanted: Wanted, line_id: str) -> Neighbours | None:
    """Return what stands around a line, named by its task or its folder; None when it does not lie in the tray (any more)."""
    identifier = col(Task.id) if tray in _OF_TASKS else col(Folder.id)
    rows = _columns(desks.person_id, tray).where(*_within(desks, tray, wanted), identifier == line_id)
    found = session.execute(rows).first()
    if found is None:
        return None
    at = place_of(_line(found, tray))
    previous, _ = _lines(session, desks, tray, wanted, 1, at, backwards=True)
    following, _ = _lines(session, desks, tray, wanted, 1, at, backwards=False)
    before = [*_within(desks, tray, wanted), _beyond(tray, at, descends=not _newest_first(tray))]
    ahead = _counted(session, tray, wanted, before)
    return Neighbours(
        previous[0] if previous else None,
        following[0] if following else None,
        ahead.number + 1 if ahead.exact else None,
        count(session, desks, tray, wanted),
    )


def count(session: Session, desks: Around, tray: Tray, wanted: Wanted | None = None) -> Count:
    """Return how much lies in a tray, counted up to a bound."""
    wanted = wanted or Wanted()
    if tray is Tray.DELEGATED and not desks.stands_in:
        return Count(0, exact=True)
    return _counted(session, tray, wanted, _within(desks, tray, wanted))


def _counted(session: Session, tray: Tray, wanted: Wanted, conditions: Sequence[ColumnElement[bool]]) -> Count:
    return _bounded(session.execute(_number(tray, wanted, conditions)).scalar_one())


def _number(tray: Tray, wanted: Wanted, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    identifier = Task.id if tray in _OF_TASKS else Folder.id
    return select_rows(func.count()).select_from(_first(select_rows(col(identifier)), tray, wanted, conditions))


def _bounded(number: int) -> Count:
    return Count(min(number, COUNTED_UP_TO), number <= COUNTED_UP_TO)


def kinds(session: Session, desks: Around, tray: Tray, wanted: Wanted) -> dict[str, int]:
    """Return how much of each kind is asked in a tray of tasks, of the first thousand."""
    first = _first(select_rows(col(Task.kind).label("kind")), tray, wanted, _within(desks, tray, wanted), COUNTED_UP_TO)
    counted = session.execute(select_rows(first.c.kind, func.count()).group_by(first.c.kind))
    return {kind: number for kind, number in counted}  # noqa: C416 - rows are no pairs to mypy


def _first(
    rows: Select[Any], tray: Tray, wanted: Wanted, conditions: Sequence[ColumnElement[bool]], most: int = COUNTED_UP_TO + 1
) -> Subquery:
    """Return the first lines of a tray, to be counted; folders are looked up only where a condition asks about them."""
    alone = tray in {Tray.TO_DO, Tray.LATE} and not (wanted.text or wanted.subtype_id)
    source = rows.select_from(Task) if alone else _joined(rows, tray)
    return source.where(*conditions).limit(most).subquery()


def at_present(session: Session, folder_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the desks at which folders lie, by folder."""
    rows = select_rows(col(Task.folder_id), col(Task.desk_id)).where(
        col(Task.folder_id).in_(list(folder_ids)), col(Task.state) == TaskState.OPEN.value
    )
    found: dict[str, list[str]] = {folder_id: [] for folder_id in folder_ids}
    for folder_id, desk_id in session.execute(rows):
        found[folder_id].append(desk_id)
    return found


def counts(session: Session, desks: Around, wanted: Wanted | None = None) -> dict[Tray, Count]:
    """Return how much lies in each tray, asked all at once."""
    wanted = wanted or Wanted()
    asked = [tray for tray in Tray if tray is not Tray.DELEGATED or desks.stands_in]
    columns = [_number(tray, wanted, _within(desks, tray, wanted)).scalar_subquery().label(tray.name) for tray in asked]
    row = session.execute(select_rows(*columns)).one()
    return dict.fromkeys(Tray, Count(0, exact=True)) | {tray: _bounded(getattr(row, tray.name)) for tray in asked}


def _newest_first(tray: Tray) -> bool:
    return tray not in {Tray.TO_DO, Tray.LATE, Tray.DELEGATED}


def _order(tray: Tray) -> tuple[Any, Any]:
    if tray is Tray.UPCOMING or tray not in _OF_TASKS:
        return col(Folder.since), col(Task.id) if tray is Tray.UPCOMING else col(Folder.id)
    return col(Task.opened), col(Task.id)


def _joined(rows: Select[Any], tray: Tray) -> Select[Any]:
    if tray not in _OF_TASKS:
        return rows.select_from(Folder)
    return rows.select_from(Task).join(Folder, col(Folder.id) == col(Task.folder_id))


def _columns(person_id: str, tray: Tray) -> Select[Any]:
    read = exists().where(col(FolderReading.folder_id) == col(Folder.id), col(FolderReading.person_id) == person_id)
    of_task = (Task.id, Task.kind, Task.desk_id, Task.opened) if tray in _OF_TASKS else ()
    columns: list[Any] = [
        col(Folder.id).label("folder_id"),
        *(Folder.title, Folder.summary, Folder.emitter_id, Folder.state, Folder.since, Folder.due, Folder.last_desk_id),
        Folder.organisation_id,
        col(Subtype.name).label("subtype"),
        col(FolderType.name).label("type"),
        read.label("read"),
        *(col(column).label(f"task_{name}") for name, column in zip(("id", "kind", "desk", "opened"), of_task, strict=False)),
    ]
    return (
        _joined(select_rows(*columns), tray)
        .outerjoin(Subtype, col(Subtype.id) == col(Folder.subtype_id))
        .outerjoin(FolderType, col(FolderType.id) == col(Subtype.type_id))
    )


def _within(desks: Around, tray: Tray, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [_there(desks, tray, wanted.desk_id)]
    if wanted.text:
        conditions.append(or_(holds(Folder.sought, wanted.text), col(Folder.external_id) == wanted.text))
    if wanted.subtype_id:
        conditions.append(col(Folder.subtype_id) == wanted.subtype_id)
    if wanted.kind and tray in _OF_TASKS:
        conditions.append(col(Task.kind) == wanted.kind)
    return conditions


def _there(desks: Around, tray: Tray, only: str) -> ColumnElement[bool]:
    own = _narrowed((*desks.held, *desks.supervised), only)
    if tray is Tray.DELEGATED:
        return and_(col(Task.state) == TaskState.OPEN.value, _delegated(desks, only, col(Task.desk_id)))
    if tray in {Tray.TO_DO, Tray.LATE}:
        opened = and_(col(Task.desk_id).in_(own), col(Task.state) == TaskState.OPEN.value)
        return and_(opened, col(Task.due) < _today()) if tray is Tray.LATE else opened
    if tray is Tray.UPCOMING:
        ahead = and_(col(Task.desk_id).in_(own), col(Task.state) == TaskState.UPCOMING.value)
        return and_(ahead, col(Folder.state) == FolderState.PENDING.value)
    if tray is Tray.RETRIEVABLE:
        own_last = col(Folder.last_desk_id).in_(_narrowed(desks.held, only))
        # Who stands in takes back what was done there, not what was sent from there.
        done = and_(col(Folder.rank) > 0, _delegated(desks, only, col(Folder.last_desk_id)))
        return or_(own_last, done) if desks.stands_in else own_last
    return and_(col(Folder.emitter_id).in_(own), col(Folder.state) == _OF_EMITTER[tray].value)


def _delegated(desks: Around, only: str, place: Mapped[Any]) -> ColumnElement[bool]:
    ways = [
        and_(
            place == one.desk_id,
            *((col(Folder.subtype_id) == one.subtype_id,) if one.subtype_id else ()),
            *((col(Folder.subtype_id).in_(_subtypes(one.type_id)),) if one.type_id and not one.subtype_id else ()),
        )
        for one in desks.stands_in
        if one.desk_id not in desks.held and only in {"", one.desk_id, one.substitute_id}
    ]
    return or_(*ways) if ways else false()


def _subtypes(type_id: str) -> Select[Any]:
    return select_rows(col(Subtype.id)).where(col(Subtype.type_id) == type_id)


def _narrowed(desk_ids: Sequence[str], only: str) -> list[str]:
    return [desk_id for desk_id in dict.fromkeys(desk_ids) if only in {"", desk_id}]


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _line(row: Any, tray: Tray) -> Line:
    of_task = tray in _OF_TASKS
    desk = row.task_desk if of_task else (row.last_desk_id if tray is Tray.RETRIEVABLE else row.emitter_id)
    return Line(
        row.folder_id,
        row.task_id if of_task else None,
        row.title,
        row.summary,
        f"{row.type} – {row.subtype}" if row.subtype else "",
        row.task_kind if of_task else "",
        desk,
        row.emitter_id,
        row.state,
        row.task_opened if of_task and tray is not Tray.UPCOMING else row.since,
        row.due,
        row.due is not None and row.due < _today() and row.state == FolderState.PENDING.value,
        row.read,
        row.organisation_id,
    )


def names(session: Session, desk_ids: Sequence[str]) -> dict[str, str]:
    """Return the names of desks, by identifier."""
    found = session.execute(select_rows(col(Desk.id), col(Desk.name)).where(col(Desk.id).in_(list(desk_ids))))
    return {identifier: name for identifier, name in found}  # noqa: C416 - rows are no pairs to mypy
