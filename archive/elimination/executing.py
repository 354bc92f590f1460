"""Destroying what was decided: every version in every place, once no lock and no hold stands, and never before its day.

A scheduled run (``archive.eliminate``), hence once at a time on the whole platform; bounded, and stopped at any instruction it
goes on at the next turn. Each line takes these steps, each in a transaction of its own:

1. it is looked at again: what may no longer be destroyed is ``skipped``, with the reason; what a lock still keeps is ``waiting``;
2. it is ``destroying``: from there on no hold is put over the record (`archive.retention.holds`), and the removal begins;
3. its copies are removed from every place, and their absence is verified; a place that does not answer is tried again;
4. it is ``destroyed``: the words of the record are blanked, its digests and its leaf stay, the journal tells it.

What does not live here: the working copies of dossiers, which the floor above destroys in its turn (``flows.emptying``) of every
line that is destroyed. The certificate waits for that. What another process wrote meanwhile is found some days later
(`archive.elimination.remnants`), which the certificate does not wait for. The same run looks into packages that nobody looked
into yet (`archive.elimination.inside`), before anybody lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import delete
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.elimination import concluding, inside, remnants
from archive.elimination.analysis import Reason, Verdict, verdicts
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import ELIMINATED, Outcome, State, Status
from archive.finding import index
from archive.models import Record, RecordCopy, RecordFile
from archive.places import locks
from archive.places.locks import Removal
from archive.places.places import copies_of, places_of
from archive.proof.evidence import LEAF_DIGEST
from core import clock, journal
from core.errors import Conflict, TabellionError
from core.platform import Platform
from core.principal import PLATFORM

ACTOR, QUEUE, EVERY = "archive.eliminate", "archive", timedelta(minutes=1)
_log = structlog.get_logger()
_AT_ONCE = 500
_LATER = timedelta(hours=1)
_GONE = frozenset({Removal.REMOVED, Removal.ABSENT})


def run(platform: Platform, _key: str = "") -> None:
    """Go on with every elimination that was ordered, oldest first; a bounded number of lines each."""
    with platform.database.reading(PLATFORM) as session:
        ordered = select(Elimination.id).where(Elimination.state == State.EXECUTING.value).order_by(Elimination.id)
        under_way = list(session.exec(ordered))
    for elimination_id in under_way:
        try:
            _go_on(platform, elimination_id)
        except TabellionError as error:  # one list that stands still holds up no other
            _log.warning("elimination.troubled", elimination=elimination_id, reason=type(error).__name__)
    remnants.look(platform)
    inside.look(platform)


def _go_on(platform: Platform, elimination_id: str) -> None:
    with platform.database.reading(PLATFORM) as session:
        due = list(session.exec(_due(elimination_id).limit(_AT_ONCE)))
    for record_id in due:
        _destroy(platform, elimination_id, record_id)
    with platform.database.reading(PLATFORM) as session:
        left = session.exec(_open(elimination_id).limit(1)).first() or session.exec(_full(elimination_id).limit(1)).first()
    if left is None:
        concluding.conclude(platform, elimination_id)


def _open(elimination_id: str) -> SelectOfScalar[str]:
    unsettled = (Outcome.DUE.value, Outcome.WAITING.value, Outcome.DESTROYING.value)
    return select(EliminationLine.record_id).where(
        EliminationLine.elimination_id == elimination_id,
        col(EliminationLine.accepted).is_(True),
        col(EliminationLine.outcome).in_(unsettled),
    )


def _full(elimination_id: str) -> SelectOfScalar[str]:
    """Return what chooses the lines whose working copies are still there."""
    return select(EliminationLine.record_id).where(
        EliminationLine.elimination_id == elimination_id,
        EliminationLine.outcome == Outcome.DESTROYED.value,
        col(EliminationLine.emptied).is_(None),
    )


def _due(elimination_id: str) -> SelectOfScalar[str]:
    """Return what chooses the lines whose turn it is: those that were begun first."""
    waits = col(EliminationLine.waits_until)
    not_begun = col(EliminationLine.outcome) != Outcome.DESTROYING.value
    return _open(elimination_id).where(waits.is_(None) | (waits <= clock.now())).order_by(not_begun, EliminationLine.record_id)


def _destroy(platform: Platform, elimination_id: str, record_id: str) -> None:
    """Take a line as far as it goes now."""
    if _lacks_a_place(platform, record_id):
        # A copy stands where this process cannot remove it: what is not destroyed everywhere is not destroyed.
        _log.warning("elimination.place_unknown", elimination=elimination_id, record=record_id)
        _wait(platform, elimination_id, record_id, clock.now() + _LATER, Reason.PLACE_UNKNOWN)
        return
    if not _begun(platform, elimination_id, record_id):
        return
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, record_id)
    try:
        removed = locks.remove(platform, record)
    except Conflict as error:
        # The store keeps what the database took for free: nothing was deleted, and the store is asked again later.
        _log.warning("elimination.locked", elimination=elimination_id, record=record_id, reason=str(error))
        _wait(platform, elimination_id, record_id, clock.now() + _LATER)
        return
    if not set(removed.values()) <= _GONE:
        _log.warning("elimination.unreachable", elimination=elimination_id, record=record_id)
        return
    _write_down(platform, elimination_id, record_id, removed)


def _begun(platform: Platform, elimination_id: str, record_id: str) -> bool:
    """Look at a line again, and tell whether its copies are to be removed now; what else it is, is written down."""
    with platform.database.reading(PLATFORM) as session:
        line = session.get_one(EliminationLine, (elimination_id, record_id))
        if line.outcome == Outcome.DESTROYING:
            return True
        verdict = _verdict(session, record_id)
    verdict = inside.examined(platform, verdict, _today())
    with platform.database.writing(PLATFORM) as session:
        # Under the record's lock no hold is put meanwhile: whoever puts one takes the same.
        session.exec(select(Record).where(Record.id == record_id).with_for_update()).one()
        line = session.get_one(EliminationLine, (elimination_id, record_id))
        now = _verdict(session, record_id)
        found = verdict if now.status is Status.DESTROY else now
        locked = max((copy.locked_until for copy in copies_of(session, record_id)), default=clock.now())
        if found.status is not Status.DESTROY:
            line.status, line.reasons = found.status.value, [reason.value for reason in found.reasons]
            line.outcome, line.settled, line.waits_until = Outcome.SKIPPED.value, clock.now(), None
        elif locked > clock.now():
            line.outcome, line.waits_until = Outcome.WAITING.value, locked
        else:
            line.outcome, line.waits_until, line.reasons = Outcome.DESTROYING.value, None, []
        return line.outcome == Outcome.DESTROYING


def _verdict(session: Session, record_id: str) -> Verdict:
    (found,) = verdicts(session, [session.get_one(Record, record_id)], _today())
    return found


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _lacks_a_place(platform: Platform, record_id: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        return not {copy.place for copy in copies_of(session, record_id)} <= {place.name for place in places_of(platform)}


def _wait(platform: Platform, elimination_id: str, record_id: str, until: datetime, *reasons: Reason) -> None:
    with platform.database.writing(PLATFORM) as session:
        line = session.get_one(EliminationLine, (elimination_id, record_id))
        if not (reasons and line.outcome == Outcome.DESTROYING):  # there is no way back from it but the store's own word
            line.outcome = Outcome.WAITING.value
        line.waits_until, line.reasons = until, [reason.value for reason in reasons]


def _write_down(platform: Platform, elimination_id: str, record_id: str, removed: Mapping[str, Removal]) -> None:
    at = clock.now()
    places = {place: result.value for place, result in sorted(removed.items())}
    with platform.database.writing(PLATFORM) as session:
        record = session.get_one(Record, record_id)
        record.eliminated, record.title = at, ""
        session.flush()
        connection = session.connection()
        named = session.exec(select(RecordFile.sha256).where(RecordFile.record_id == record_id)).all()
        for table in (RecordFile, RecordCopy):
            connection.execute(delete(table).where(col(table.record_id) == record_id))
        index.remove(session, record_id)
        line = session.get_one(EliminationLine, (elimination_id, record_id))
        line.outcome, line.settled = Outcome.DESTROYED.value, at
        line.result = {"places": places}
        line.contents = sorted({digest for digest in named if digest} | {record.sha256})
        facts = {"record": record_id, LEAF_DIGEST: record.sha256, "elimination": elimination_id, "places": places}
        journal.write(
            session,
            organisation_id=record.organisation_id,
            dossier_id=record.dossier_id,
            kind=ELIMINATED,
            actor="platform",
            facts=facts,
        )
