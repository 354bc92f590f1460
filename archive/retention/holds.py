"""Holds (*gels*): records that nobody destroys until the hold is lifted, whatever their rules say.

A hold is a decision of the database, a statement under lock, a journal entry, and a legal hold of the store on every copy. The
decision comes first: from its commit on, no elimination takes the records (`archive.elimination.executing`). What a place could
not be told because it did not answer is told by ``settle``, again and again. What the package of a record says of holds becomes
one of these (`archive.elimination.package_holds`), and is lifted like them. ``HoldRule`` in what is given out is not made here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import structlog
from sqlalchemy import tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from archive.elimination.models import EliminationLine
from archive.elimination.states import Outcome
from archive.finding import index
from archive.finding.models import RecordState
from archive.models import Record
from archive.places import locks, statements
from archive.retention.models import RecordHeld, RecordHold
from core import clock, journal
from core.canonical import canonical_bytes
from core.errors import Conflict, NotFound, TabellionError, UsageError
from core.identifiers import id_of, new_id
from core.messages import Catalogue, speaking
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive.retention")
_log = structlog.get_logger()
ACTOR, QUEUE, EVERY = "archive.holds", "archive", timedelta(minutes=5)
PLACED, LIFTED = "archive.hold_placed", "archive.hold_lifted"
"""The journal entries of a hold."""
STATEMENT, LIFT_STATEMENT = "hold", "hold_lifted"
MOST, LONGEST_REASON, LONGEST_OWNER = 1000, 1000, 200
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hold as somebody wants it.

    Attributes:
        reason: in words.
        owner: who answers for it: a service, a function.
        review: the day on which somebody is to look whether it must stand any longer.
        records: by their identifiers.
        key: by which a repeat of the same wish is known.
    """

    reason: str
    owner: str
    review: date
    records: tuple[str, ...]
    key: str | None = None


def put_once(platform: Platform, principal: Principal, organisation_id: str, wanted: Wanted) -> tuple[str, bool]:
    """Put records under a hold, or return the one that the same wish under the same key has put.

    Returns:
        The identifier of the hold, and whether this call put it.

    Raises:
        Conflict: the key was used for another hold, which ``existing`` names; or as ``put``, as everything else.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    if same := _repeated(platform, organisation_id, wanted):
        return same, False
    try:
        return put(platform, principal, organisation_id, wanted), True
    except IntegrityError:
        # It came twice at the same moment: the other one has committed, so it is known now.
        same = _repeated(platform, organisation_id, wanted)
        if same is None:
            raise
        return same, False


def _repeated(platform: Platform, organisation_id: str, wanted: Wanted) -> str | None:
    if wanted.key is None:
        return None
    with platform.database.reading(PLATFORM) as session:
        own = (RecordHold.organisation_id == organisation_id, RecordHold.idempotency_key == wanted.key)
        hold = session.exec(select(RecordHold).where(*own)).first()
        if hold is None:
            return None
        records = set(session.exec(select(RecordHeld.record_id).where(RecordHeld.hold_id == hold.id)))
    if (hold.reason, hold.owner, hold.review, records) != (*_words(wanted), wanted.review, set(wanted.records)):
        raise Conflict(_messages("hold.key_taken", key=wanted.key), hold.id)
    return hold.id


def put(platform: Platform, principal: Principal, organisation_id: str, wanted: Wanted) -> str:
    """Put records of an organisation, or of those below it, under a hold.

    Returns:
        The identifier of the hold.

    Raises:
        Forbidden: the principal manages no archives there.
        UsageError: no reason, no owner, a day of review that is past, no record or too many.
        NotFound: a record is not there.
        Conflict: a record was destroyed, or is being destroyed.
        Unavailable: a place of the archive does not answer: there is no hold.
    """
    principal.require(Right.ARCHIVE, organisation_id)
    checked = _checked(wanted)
    with platform.database.reading(PLATFORM) as session:
        _records(session, organisation_id, checked.records)
    hold = RecordHold(
        id=new_id(),
        organisation_id=organisation_id,
        reason=checked.reason,
        owner=checked.owner,
        review=checked.review,
        statement="",
        placed_by=principal.actor,
        idempotency_key=checked.key,
    )
    place(platform, hold, checked.records)
    return hold.id


def place(platform: Platform, hold: RecordHold, records: Sequence[str]) -> None:
    """Put records under a hold whose words are known to be well formed: its statement, the decision, and the places.

    Raises:
        NotFound, Conflict, Unavailable: as ``put``.
        IntegrityError: its key, or the package that names it, has a hold already.
    """
    hold.statement = statements.keep(platform, STATEMENT, hold.id, _statement(hold, records))
    identifier, owner, actor = hold.id, hold.organisation_id, hold.placed_by
    with platform.database.writing(PLATFORM) as session:
        found = _records(session, owner, records, locked=True)
        session.add(hold)
        session.flush()
        for one in found:
            session.add(RecordHeld(hold_id=hold.id, record_id=one.id, organisation_id=one.organisation_id))
            index.mark(session, one.id, RecordState.HELD)
        facts = {
            "hold": hold.id,
            "records": sorted(records),
            "review": hold.review.isoformat(),
            "statement": hold.statement,
        }
        journal.write(session, organisation_id=owner, kind=PLACED, actor=actor, facts=facts)
    settle(platform, identifier)


def _words(wanted: Wanted) -> tuple[str, str]:
    return wanted.reason.strip(), wanted.owner.strip()


def _checked(wanted: Wanted) -> Wanted:
    (reason, owner), records = _words(wanted), tuple(dict.fromkeys(wanted.records))
    _require_reason(reason, "hold.reason")
    if not 0 < len(owner) <= LONGEST_OWNER or not owner.isprintable():
        raise UsageError(_messages("hold.owner", most=LONGEST_OWNER))
    if wanted.review < clock.in_paris(clock.now()).date():
        raise UsageError(_messages("hold.review"))
    if not 0 < len(records) <= MOST:
        raise UsageError(_messages("hold.records", most=MOST))
    return replace(wanted, reason=reason, owner=owner, records=records)


def _require_reason(reason: str, otherwise: str) -> None:
    if not 0 < len(reason) <= LONGEST_REASON or "\0" in reason:
        raise UsageError(_messages(otherwise, most=LONGEST_REASON))


def _records(session: Session, organisation_id: str, wanted: Sequence[str], *, locked: bool = False) -> list[Record]:
    """Return the records, all there and none destroyed; locked, so that no elimination takes one meanwhile."""
    below = subtree(session, session.get_one(Organisation, organisation_id).path)
    query = select(Record).where(col(Record.id).in_(wanted), col(Record.organisation_id).in_(below)).order_by(Record.id)
    found = list(session.exec(query.with_for_update() if locked else query))
    if missing := sorted(set(wanted) - {one.id for one in found}):
        raise NotFound(_messages("hold.record_unknown", record=missing[0][:26]))
    under_way = select(EliminationLine.record_id).where(
        col(EliminationLine.record_id).in_(wanted), EliminationLine.outcome == Outcome.DESTROYING.value
    )
    gone = {one.id for one in found if one.eliminated is not None} | set(session.exec(under_way))
    if gone:
        raise Conflict(_messages("hold.destroyed", record=min(gone)))
    return found


def _statement(hold: RecordHold, records: Sequence[str]) -> bytes:
    told = {"id", "organisation_id", "reason", "owner", "review", "placed_by"}
    said = hold.model_dump(mode="json", include=told | ({"package_of", "ends"} if hold.package_of else set()))
    return canonical_bytes(said | {"placed": clock.iso(hold.placed), "records": sorted(records)})


def lift(platform: Platform, principal: Principal, hold_id: str, reason: str) -> None:
    """Lift a hold; records that another one holds stay held.

    Args:
        platform: whose archive it is.
        principal: who lifts it.
        hold_id: of the hold.
        reason: why, in words: a statement under lock of its own, named in the journal by its digest.

    Raises:
        NotFound: there is no such hold for the principal.
        Forbidden: the principal manages no archives there.
        UsageError: no reason.
        Conflict: it was lifted before.
        Unavailable: a place of the archive does not answer: it stands.
    """
    with platform.database.reading(principal) as session:
        visible = session.exec(select(RecordHold).where(RecordHold.id == hold_id)).first()
    if visible is None:
        raise NotFound(_messages("hold.unknown"))
    principal.require(Right.ARCHIVE, visible.organisation_id)
    _require_standing(visible)
    why = reason.strip()
    _require_reason(why, "hold.lift_reason")
    lifted = clock.now()
    said = {"hold": hold_id, "reason": why, "lifted": clock.iso(lifted), "lifted_by": principal.actor}
    _lift(platform, said, new_id(), lifted)


def _lift(platform: Platform, said: dict[str, str], statement: str, at: datetime) -> None:
    """Lift a hold as a statement says, under its identifier: its words under lock first, then the decision, then the places."""
    digest = statements.keep(platform, LIFT_STATEMENT, statement, canonical_bytes(said))
    with platform.database.writing(PLATFORM) as session:
        hold = session.exec(select(RecordHold).where(RecordHold.id == said["hold"]).with_for_update()).one()
        _require_standing(hold)
        actor = said["lifted_by"]
        write_lift(session, hold, at, actor, said["reason"])
        facts = {"hold": hold.id, "statement": statement, "sha256": digest}
        journal.write(session, organisation_id=hold.organisation_id, kind=LIFTED, actor=actor, facts=facts, at=at)
    settle(platform, said["hold"])


def write_lift(session: Session, hold: RecordHold, at: datetime, actor: str, why: str | None) -> None:
    """Write in the session's transaction that a hold is lifted: places are told next, records that no other one holds are kept.

    Args:
        session: a writing one.
        hold: one that stands, of the session.
        at: when.
        actor: who lifted it, as the journal names them.
        why: in words; None for one that was lifted when nobody was asked.
    """
    hold.lifted, hold.lifted_by, hold.lift_reason = at, actor, why
    session.flush()
    rows = list(session.exec(select(RecordHeld).where(RecordHeld.hold_id == hold.id)))
    for row in rows:
        row.told = False
    let_go = {row.record_id for row in rows}
    for record_id in let_go - held(session, let_go):
        index.mark(session, record_id, RecordState.KEPT)


def _require_standing(hold: RecordHold) -> None:
    if hold.lifted is not None:
        raise Conflict(_messages("hold.lifted", day=f"{clock.in_paris(hold.lifted):%d/%m/%Y}"))


def held(session: Session, records: Collection[str]) -> set[str]:
    """Return which of these records are under a hold that stands."""
    running = (
        select(RecordHeld.record_id)
        .join(RecordHold, col(RecordHold.id) == col(RecordHeld.hold_id))
        .where(col(RecordHold.lifted).is_(None), col(RecordHeld.record_id).in_(records))
    )
    return set(session.exec(running))


def standing_on(session: Session, records: Collection[str]) -> dict[str, list[RecordHold]]:
    """Return the holds that stand over these records, the oldest first; records that none holds are not named."""
    running = (
        select(RecordHeld.record_id, RecordHold)
        .join(RecordHold, col(RecordHold.id) == col(RecordHeld.hold_id))
        .where(col(RecordHold.lifted).is_(None), col(RecordHeld.record_id).in_(records))
        .order_by(RecordHold.id)
    )
    found: dict[str, list[RecordHold]] = {}
    for record_id, hold in session.exec(running):
        found.setdefault(record_id, []).append(hold)
    return found


def settle_all(platform: Platform, _key: str = "") -> None:
    """Lift the holds whose day has passed, then tell the places what they do not know yet (``archive.holds``)."""
    _lift_ended(platform)
    settle(platform)


def _lift_ended(platform: Platform) -> None:
    today = clock.in_paris(clock.now()).date()
    over = select(RecordHold).where(col(RecordHold.lifted).is_(None), col(RecordHold.ends) < today).order_by(RecordHold.id)
    with platform.database.reading(PLATFORM) as session:
        ended = [(hold.id, hold.ends) for hold in session.exec(over) if hold.ends]
    for hold_id, last in ended:
        said = _ended(hold_id, last)
        # The next turn, after a place was silent, finds what this one wrote in the others: an orphan under lock stays for years.
        statement = id_of(clock.from_iso(said["lifted"]), canonical_bytes(said))
        try:
            _lift(platform, said, statement, clock.now())
        except TabellionError as error:  # lifted meanwhile, or a place is silent: the next turn looks again
            _log.warning("hold.ended_stands", hold=hold_id, reason=type(error).__name__)


def _ended(hold_id: str, last: date) -> dict[str, str]:
    """Return what is said of a hold whose day is over, at every turn the same: it ended with that day, whenever that is seen."""
    over = datetime.combine(last + timedelta(days=1), time.min, clock.PARIS)
    with speaking("fr"):  # its statement is read by French archivists
        why = _messages("hold.ended", day=f"{last:%d/%m/%Y}")
    return {"hold": hold_id, "reason": why, "lifted": clock.iso(over), "lifted_by": PLATFORM.actor}


def settle(platform: Platform, hold_id: str | None = None) -> int:
    """Tell the places what the holds say and they do not know yet; what one cannot be told stays for the next turn.

    Args:
        platform: whose archive it is.
        hold_id: of one hold; all of them when not given.

    Returns:
        How many records were settled.
    """
    settled, after = 0, ("", "")
    while True:
        with platform.database.reading(PLATFORM) as session:
            waiting = session.exec(_waiting(hold_id, after)).all()
        if not waiting:
            return settled
        for row, hold in waiting:
            settled += _told(platform, row, hold)
            after = row.hold_id, row.record_id


def _waiting(hold_id: str | None, after: tuple[str, str]) -> Select[RecordHeld, RecordHold]:
    """Return the next records, by key: one that a place refuses again and again does not hide those behind it."""
    key = col(RecordHeld.hold_id), col(RecordHeld.record_id)
    query = (
        select(RecordHeld, RecordHold)
        .join(RecordHold, col(RecordHold.id) == col(RecordHeld.hold_id))
        .where(~col(RecordHeld.told), tuple_(*key) > after)
    )
    return (query.where(RecordHeld.hold_id == hold_id) if hold_id else query).order_by(*key).limit(_AT_ONCE)


def _told(platform: Platform, row: RecordHeld, hold: RecordHold) -> bool:
    with platform.database.reading(PLATFORM) as session:
        stands = row.record_id in held(session, {row.record_id})
    try:
        (locks.hold if stands else locks.release)(platform, row.record_id)
    except TabellionError as error:
        _log.warning("hold.unsettled", hold=hold.id, record=row.record_id, reason=type(error).__name__)
        return False
    with platform.database.writing(PLATFORM) as session:
        session.get_one(RecordHeld, (row.hold_id, row.record_id)).told = True
        session.flush()
        if stands != (row.record_id in held(session, {row.record_id})):
            # A hold was put or lifted meanwhile: what the places were told last may not be what holds, and they are told again.
            for other in session.exec(select(RecordHeld).where(RecordHeld.record_id == row.record_id)):
                other.told = False
    return True
