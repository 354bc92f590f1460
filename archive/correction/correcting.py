"""Who corrects the rules of a record that is sealed: an archivist, and where that loosens them the control of the State too.

The law goes by content, and a rule goes by kind: what was sealed under the wrong one is put right by a decision. It is a
statement under lock, a journal entry that names what the record said and says, and the record's row, which search, analyses and
restitutions follow. More closed, or kept longer, takes one person; anything else is proposed by one and agreed to by another, and
nothing changes before. The package stays what was sealed, and so does every lock of it: what is kept longer is locked longer by
the next extension (`archive.places.extending`), what is kept for less long waits for the end of its locks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from archive.correction.models import STATEMENT, CorrectionState, RecordCorrection
from archive.correction.terms import Terms, loosens
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import Outcome, State
from archive.finding import index
from archive.finding.seeing import record_of
from archive.models import Record
from archive.places import statements
from archive.retention.referential import rule_named
from archive.retention.rules import AccessDelay, Category, Delay, RetentionRule
from core import clock, journal
from core.canonical import canonical_bytes
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.correction")
PROPOSED, CORRECTED, DECLINED = (f"archive.correction_{what}" for what in ("proposed", "applied", "declined"))
"""The journal entries of a correction."""
LONGEST_REASON = 1000
FIRST_DAY = date(1000, 1, 1)
"""Before it, a day from which a rule counts is a slip of the pen; so is any that has not come."""
_PERSON = "person:"
_Kind = TypeVar("_Kind", bound=Delay)
_SETTLED = (Outcome.DESTROYED.value, Outcome.SKIPPED.value)


@dataclass(frozen=True, slots=True)
class Access:
    """How long a record is to be hidden.

    Attributes:
        rule: by its identifier; the version in force counts.
        start: the day from which it counts; None for a record that stays closed until another correction opens it.
    """

    rule: str
    start: date | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a record is to be kept.

    Attributes:
        rule: by its identifier; the version in force counts.
        start: the day from which it counts.
        final_action: what happens then; what the rule says when not given.
    """

    rule: str
    start: date
    final_action: FinalAction | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A correction as somebody wants it; what is None stays as it is."""

    reason: str
    access: Access | None = None
    retention: Retention | None = None


def correct(platform: Platform, principal: Principal, record_id: str, wanted: Wanted) -> str:
    """Correct the rules of a record, or propose it where another person has to agree.

    Returns:
        The identifier of the correction; its row tells whether it is applied.

    Raises:
        NotFound: there is no such record for the principal.
        Forbidden: the principal manages no archives there; or is no person, and the correction loosens the rules.
        UsageError: no reason, a rule that is not in force there or is of another category, a day that cannot be, or no change.
        Conflict: the record was destroyed, is on a list of eliminations with its visa, or waits for the answer to a proposal.
        Unavailable: a place of the archive does not answer: nothing is corrected.
    """
    with platform.database.reading(principal) as session:
        seen = record_of(session, record_id)
    principal.require(Right.ARCHIVE, seen.organisation_id)
    reason = wanted.reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON or "\0" in reason:
        raise UsageError(_messages("reason", most=LONGEST_REASON))
    with platform.database.reading(PLATFORM) as session:
        record = _standing(session, record_id)
        before, after = Terms.of(record), _wanted(session, record, wanted)
    if after == before:
        raise UsageError(_messages("same"))
    correction = RecordCorrection(
        id=new_id(),
        organisation_id=record.organisation_id,
        record_id=record.id,
        state=CorrectionState.PROPOSED.value,
        before=before.as_json(),
        after=after.as_json(),
        kept_from=wanted.retention.start if wanted.retention and after.retention != before.retention else None,
        hidden_from=wanted.access.start if wanted.access and after.hiding != before.hiding else None,
        reason=reason,
        proposed_by=principal.actor,
    )
    if loosens(before, after):
        _require_person(principal)
        return _propose(platform, correction)
    return _decide(platform, correction, principal.actor, correction.proposed)


def _wanted(session: Session, record: Record, wanted: Wanted) -> Terms:
    """Return what a record would say."""
    terms = Terms.of(record)
    rule, final_action, keep_until = terms.retention
    access, open_from = terms.hiding
    if (kept := wanted.retention) is not None:
        retention = _rule(session, record, kept.rule, Category.APPRAISAL, RetentionRule)
        rule, keep_until = _named(retention), retention.end_from(_day(kept.start))
        final_action = (kept.final_action or retention.final_action).value
    if (hidden := wanted.access) is not None:
        delay = _rule(session, record, hidden.rule, Category.ACCESS, AccessDelay)
        access, open_from = _named(delay), delay.opens(_day(hidden.start)) if hidden.start else None
    return Terms(rule, final_action, keep_until, access, open_from)


def _rule(session: Session, record: Record, code: str, category: Category, kind: type[_Kind]) -> _Kind:
    try:
        found = rule_named(session, record.organisation_id, code, category)
    except NotFound as error:
        words = _messages(f"category.{category.value}")
        raise UsageError(_messages("rule", identifier=code[:40], category=words)) from error
    if not isinstance(found, kind):
        raise TypeError(f"{code[:40]} is of another category")
    return found


def _named(rule: Delay) -> str:
    return f"{rule.identifier} v{rule.version}"


def _day(day: date) -> date:
    today = clock.in_paris(clock.now()).date()
    if not FIRST_DAY <= day <= today:
        raise UsageError(_messages("day", found=f"{day:%d/%m/%Y}", first=f"{FIRST_DAY:%d/%m/%Y}", last=f"{today:%d/%m/%Y}"))
    return day


def _propose(platform: Platform, correction: RecordCorrection) -> str:
    identifier = correction.id
    with platform.database.writing(PLATFORM) as session:
        record = _standing(session, correction.record_id, locked=True)
        _require_unmoved(record, correction)
        if proposal_on(session, record.id) is not None:
            raise Conflict(_messages("proposed"))
        _tell(session, correction, PROPOSED, correction.proposed_by, correction.proposed)
        session.add(correction)
    return identifier


def proposal_on(session: Session, record_id: str) -> RecordCorrection | None:
    """Return the correction of a record that waits for another person; None when there is none."""
    own = select(RecordCorrection).where(RecordCorrection.record_id == record_id)
    return session.exec(own.where(RecordCorrection.state == CorrectionState.PROPOSED.value)).first()


def agree(platform: Platform, principal: Principal, correction_id: str) -> None:
    """Agree to a correction that another person proposed: the record says it from then on.

    Raises:
        NotFound: there is no such correction for the principal.
        Forbidden: the principal is no person, does not control the archives there, or proposed it.
        Conflict: it was decided before, or the record moved since; or as ``correct``.
        Unavailable: a place of the archive does not answer: nothing is corrected.
    """
    correction = _proposal(platform, principal, correction_id)
    principal.require(Right.CONTROL, correction.organisation_id)
    _require_person(principal)
    if principal.actor == correction.proposed_by:
        raise Forbidden(_messages("another"))
    with platform.database.reading(PLATFORM) as session:
        _require_unmoved(_standing(session, correction.record_id), correction)
    _decide(platform, correction, principal.actor, clock.now())


def decline(platform: Platform, principal: Principal, correction_id: str) -> None:
    """Give a proposed correction up: whoever may agree to it refuses it, whoever manages the archives there withdraws it.

    Raises:
        NotFound: there is no such correction for the principal.
        Forbidden: the principal neither controls nor manages the archives there.
        Conflict: it was decided before.
    """
    correction = _proposal(platform, principal, correction_id)
    if not principal.may(Right.ARCHIVE, correction.organisation_id):
        principal.require(Right.CONTROL, correction.organisation_id)
    at = clock.now()
    with platform.database.writing(PLATFORM) as session:
        found = _undecided(session, correction_id)
        settle(found, CorrectionState.DECLINED, principal.actor, at)
        _tell(session, found, DECLINED, principal.actor, at)


def decides(principal: Principal, correction: RecordCorrection) -> bool:
    """Tell whether a principal may agree to a correction as it stands."""
    waits = correction.state == CorrectionState.PROPOSED
    return waits and principal.may(Right.CONTROL, correction.organisation_id) and principal.actor != correction.proposed_by


def awaited(session: Session, principal: Principal, most: int) -> int:
    """Return how many corrections wait for an agreement that a principal may give; counted up to a bound."""
    controlled = [one for one in principal.organisations if principal.may(Right.CONTROL, one)]
    asked = select(RecordCorrection.id).where(
        RecordCorrection.state == CorrectionState.PROPOSED.value,
        RecordCorrection.proposed_by != principal.actor,
        col(RecordCorrection.organisation_id).in_(controlled),
    )
    return len(session.exec(asked.limit(most)).all())


def _proposal(platform: Platform, principal: Principal, correction_id: str) -> RecordCorrection:
    with platform.database.reading(principal) as session:
        found = session.exec(select(RecordCorrection).where(RecordCorrection.id == correction_id)).first()
    if found is None:
        raise NotFound(_messages("unknown"))
    _require_proposed(found)
    return found


def _undecided(session: Session, correction_id: str) -> RecordCorrection:
    found = session.exec(select(RecordCorrection).where(RecordCorrection.id == correction_id).with_for_update()).one()
    _require_proposed(found)
    return found


def _decide(platform: Platform, correction: RecordCorrection, actor: str, at: datetime) -> str:
    """Put the decision under lock, then have the record say it."""
    identifier, statement = correction.id, new_id()
    digest = statements.keep(platform, STATEMENT, statement, _statement(correction, actor, at))
    with platform.database.writing(PLATFORM) as session:
        record = _standing(session, correction.record_id, locked=True)
        _require_unmoved(record, correction)
        stands = session.exec(select(RecordCorrection.id).where(RecordCorrection.id == identifier)).first()
        decided = _undecided(session, identifier) if stands else correction
        session.add(decided)
        decided.statement, decided.digest = statement, digest
        apply(session, record, decided, actor, at)
        _tell(session, decided, CORRECTED, actor, at, statement=statement, sha256=digest)
    return identifier


def apply(session: Session, record: Record, correction: RecordCorrection, actor: str, at: datetime) -> None:
    """Have a record and the index say what a correction says, in the session's transaction."""
    settle(correction, CorrectionState.APPLIED, actor, at)
    before = index.ruled(record)
    Terms.read(correction.after).write(record)
    session.flush()
    index.follow_rules(session, record, before)


def settle(correction: RecordCorrection, state: CorrectionState, actor: str, at: datetime) -> None:
    """Say what became of a correction, by whom and when."""
    correction.state, correction.decided, correction.decided_by = state.value, at, actor


def _standing(session: Session, record_id: str, *, locked: bool = False) -> Record:
    """Return a record that may be corrected; locked, so that no elimination takes it meanwhile."""
    query = select(Record).where(Record.id == record_id)
    record = session.exec(query.with_for_update() if locked else query).one()
    if record.eliminated is not None:
        raise Conflict(_messages("eliminated"))
    under_visa = (
        select(EliminationLine.record_id)
        .join(Elimination, col(Elimination.id) == col(EliminationLine.elimination_id))
        .where(
            EliminationLine.record_id == record_id,
            col(EliminationLine.accepted).is_(True),
            col(EliminationLine.outcome).not_in(_SETTLED),
            col(Elimination.state).in_((State.VISA.value, State.EXECUTING.value)),
        )
    )
    if session.exec(under_visa.limit(1)).first() is not None:
        raise Conflict(_messages("under_visa"))
    return record


def _require_unmoved(record: Record, correction: RecordCorrection) -> None:
    if Terms.of(record).as_json() != correction.before:
        raise Conflict(_messages("moved"))


def _require_proposed(correction: RecordCorrection) -> None:
    if correction.state != CorrectionState.PROPOSED:
        raise Conflict(_messages(f"already.{correction.state}"))


def _require_person(principal: Principal) -> None:
    if not principal.actor.startswith(_PERSON):
        raise Forbidden(_messages("person"))


def _statement(correction: RecordCorrection, actor: str, at: datetime) -> bytes:
    told = {"id", "organisation_id", "record_id", "before", "after", "kept_from", "hidden_from", "reason", "proposed_by"}
    said = correction.model_dump(mode="json", include=told)
    return canonical_bytes(said | {"proposed": clock.iso(correction.proposed), "decided": clock.iso(at), "decided_by": actor})


def _tell(session: Session, correction: RecordCorrection, kind: str, actor: str, at: datetime, **named: Any) -> None:
    facts = correction.model_dump(mode="json", include={"before", "after", "kept_from", "hidden_from"})
    facts |= {"record": correction.record_id, "correction": correction.id, **named}
    owner = correction.organisation_id
    journal.write(session, organisation_id=owner, kind=kind, actor=actor, facts=facts, at=at)
