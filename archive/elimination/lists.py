"""The list of an elimination: made by an analysis, edited by the archivist, given up; and how it is read.

What lives here: all that happens before others decide. What does not: the decisions (`archive.elimination.deciding`), what is
printed (`archive.elimination.bordereau`), the destruction (`archive.elimination.executing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, insert
from sqlalchemy import select as _select
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.elimination import inside
from archive.elimination.analysis import Analysis, Criteria, Verdict, analyse
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import Outcome, State, Status
from archive.models import Record
from core import journal
from core.errors import Conflict, NotFound, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive.elimination")
MADE, ABANDONED = "archive.elimination_made", "archive.elimination_abandoned"
OPEN = (State.DRAFT, State.PROPOSED, State.AGREED, State.VISA, State.EXECUTING)
_BEFORE_VISA = (State.DRAFT, State.PROPOSED, State.AGREED)
_ROWS = 500


def make(platform: Platform, principal: Principal, organisation_id: str, as_of: date, criteria: Criteria) -> str:
    """Analyse the records of an organisation and of those below it, and keep what was found as a list to be edited.

    Returns:
        The identifier of the elimination.

    Raises:
        Forbidden: the principal manages no archives there.
        UsageError: the organisation is the platform itself; too many records are due; or none is.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    with platform.database.reading(PLATFORM) as session:
        if session.get_one(Organisation, organisation_id).kind == OrganisationKind.PLATFORM:
            raise UsageError(_messages("list.platform"))
        analysis = analyse(session, organisation_id, as_of, criteria, _listed())
        analysis.found = inside.only_examined(session, analysis.found)
    if not analysis.found:
        raise UsageError(_messages("list.empty", day=f"{as_of:%d/%m/%Y}", kept=analysis.kept))
    elimination = Elimination(
        id=new_id(),
        organisation_id=organisation_id,
        state=State.DRAFT.value,
        as_of=as_of,
        criteria=criteria.as_json(),
        kept=analysis.kept,
        made_by=principal.actor,
    )
    with platform.database.writing(PLATFORM) as session:
        _keep(session, elimination, analysis)
    return elimination.id


def _listed() -> SelectOfScalar[str]:
    """Return what chooses the records that a list proposes that has not come to its end."""
    return (
        select(EliminationLine.record_id)
        .join(Elimination, col(Elimination.id) == col(EliminationLine.elimination_id))
        .where(col(Elimination.state).in_(OPEN), EliminationLine.chosen)
    )


def _keep(session: Session, elimination: Elimination, analysis: Analysis) -> None:
    session.add(elimination)
    session.flush()
    rows = [_row(elimination.id, verdict) for verdict in analysis.found]
    for first in range(0, len(rows), _ROWS):
        session.connection().execute(insert(EliminationLine), rows[first : first + _ROWS])
    counts = Counter(verdict.status.value for verdict in analysis.found)
    facts = {"kept": analysis.kept, "destroy": counts[Status.DESTROY], "conflict": counts[Status.CONFLICT]}
    write(session, elimination, MADE, elimination.made_by, as_of=elimination.as_of.isoformat(), **facts)


def _row(elimination_id: str, verdict: Verdict) -> dict[str, object]:
    return {
        "elimination_id": elimination_id,
        "record_id": verdict.record_id,
        "organisation_id": verdict.organisation_id,
        "status": verdict.status.value,
        "reasons": [reason.value for reason in verdict.reasons],
        "chosen": verdict.status is Status.DESTROY,
        "accepted": None,
        "outcome": Outcome.DUE.value,
        "waits_until": None,
        "result": {},
        "settled": None,
    }


def edit(platform: Platform, principal: Principal, elimination_id: str, records: Collection[str], *, chosen: bool) -> int:
    """Put lines of a draft on the list, or take them off it.

    Returns:
        How many lines changed.

    Raises:
        NotFound: there is no such elimination for the principal.
        Forbidden: the principal manages no archives there.
        Conflict: it is no draft any more; or a line to be put on is in conflict.
    """
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, Right.ARCHIVE, State.DRAFT)
        wanted = select(EliminationLine).where(
            EliminationLine.elimination_id == elimination.id, col(EliminationLine.record_id).in_(records)
        )
        changed = [line for line in session.exec(wanted) if line.chosen != chosen]
        for line in changed:
            if chosen and line.status != Status.DESTROY.value:
                raise Conflict(_messages("list.conflict", record=line.record_id))
            line.chosen = chosen
    return len(changed)


def abandon(platform: Platform, principal: Principal, elimination_id: str) -> None:
    """Give an elimination up; possible until the visa.

    Raises:
        NotFound: there is no such elimination for the principal.
        Forbidden: the principal manages no archives there.
        Conflict: the visa is given, or it came to its end before.
    """
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, Right.ARCHIVE, *_BEFORE_VISA)
        elimination.state = State.ABANDONED.value
        write(session, elimination, ABANDONED, principal.actor)


def visible(session: Session, elimination_id: str) -> Elimination:
    """Return an elimination that the session sees.

    Raises:
        NotFound: there is none.
    """
    found = session.exec(select(Elimination).where(Elimination.id == elimination_id)).first()
    if found is None:
        raise NotFound(_messages("elimination.unknown"))
    return found


def locked(session: Session, principal: Principal, elimination_id: str, right: Right, *states: State) -> Elimination:
    """Return an elimination under a row lock, for whoever holds a right there, in one of these states.

    Raises:
        NotFound: there is none where the principal holds anything.
        Forbidden: the right is not held there.
        Conflict: it stands elsewhere.
    """
    found = session.exec(select(Elimination).where(Elimination.id == elimination_id).with_for_update()).first()
    if found is None or not (principal.everywhere or found.organisation_id in principal.grants):
        raise NotFound(_messages("elimination.unknown"))
    principal.require(right, found.organisation_id)
    if found.state not in states:
        raise Conflict(_messages("elimination.elsewhere", state=_messages(f"state.{found.state}")))
    return found


def write(session: Session, elimination: Elimination, kind: str, actor: str, **facts: object) -> None:
    """Write a journal entry about an elimination."""
    told = {"elimination": elimination.id, **facts}
    journal.write(session, organisation_id=elimination.organisation_id, kind=kind, actor=actor, facts=told)


@dataclass(frozen=True, slots=True)
class Line:
    """A line with the record that it is about."""

    line: EliminationLine
    record: Record


def lines(
    session: Session, elimination_id: str, *, shown: str = "", after: str = "", limit: int = 50
) -> tuple[list[Line], str | None]:
    """Return a page of the lines of an elimination, by record, and where the next one starts; None when this is the last.

    Args:
        session: one that sees it.
        elimination_id: of it.
        shown: ``chosen``, ``off`` (of those that could be), ``conflict``, or one of ``Outcome``; all when empty.
        after: the record that ended the page before.
        limit: how many.
    """
    query = (
        select(EliminationLine, Record)
        .join(Record, col(Record.id) == col(EliminationLine.record_id))
        .where(EliminationLine.elimination_id == elimination_id, col(EliminationLine.record_id) > after)
    )
    match shown:
        case "":
            pass
        case "chosen":
            query = query.where(EliminationLine.chosen)
        case "off":
            query = query.where(~col(EliminationLine.chosen), EliminationLine.status == Status.DESTROY.value)
        case "conflict":
            query = query.where(EliminationLine.status == Status.CONFLICT.value)
        case "refused":
            query = query.where(col(EliminationLine.accepted).is_(False))
        case outcome:
            query = query.where(EliminationLine.outcome == outcome)
    rows = session.exec(query.order_by(EliminationLine.record_id).limit(limit + 1)).all()
    found = [Line(line, record) for line, record in rows[:limit]]
    return found, found[-1].line.record_id if len(rows) > limit else None


def sizes(session: Session, eliminations: Collection[str]) -> dict[str, int]:
    """Return how many records are on each of these lists; those that have none are not named."""
    line = EliminationLine
    on_list = _select(line.elimination_id, func.count()).where(col(line.elimination_id).in_(eliminations), line.chosen)  # type: ignore[call-overload]
    return dict(session.exec(on_list.group_by(line.elimination_id)).all())


def counts(session: Session, elimination_id: str) -> dict[str, int]:
    """Return how many lines there are by what ``lines`` may be asked to show."""
    of_it = EliminationLine.elimination_id == elimination_id
    told = (EliminationLine.status, EliminationLine.chosen, EliminationLine.accepted, EliminationLine.outcome)
    grouped = session.exec(_select(*told, func.count()).where(of_it).group_by(*told))  # type: ignore[call-overload]
    found: Counter[str] = Counter()
    for status, chosen, accepted, outcome, count in grouped:
        found[""] += count
        found["chosen"] += count if chosen else 0
        found["off"] += count if not chosen and status == Status.DESTROY.value else 0
        found["conflict"] += count if status == Status.CONFLICT.value else 0
        found["refused"] += count if accepted is False else 0
        found["accepted"] += count if accepted else 0
        if outcome:
            found[outcome] += count
    return found
