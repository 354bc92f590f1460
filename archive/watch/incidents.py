"""Incidents: what is not as it was sealed, opened once, owned by a person, closed with what was done.

What lives here: their life and the questions that pages ask about them. What does not: what finds them (`archive.watch.audits`,
the extension of locks), what mends a copy (`archive.watch.restoring`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, literal, tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from archive.watch.models import Incident, IncidentState
from core import clock, journal
from core.database import UtcDateTime
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.principal import Principal, Right

_messages = Catalogue("archive.watch")
OPENED, OWNED, CLOSED = "archive.incident", "archive.incident_owned", "archive.incident_closed"
"""The journal entries of an incident's life."""
WATCHES = frozenset({Right.ARCHIVE, Right.OPERATE})
"""The rights of which one is enough to see incidents and to act on them."""
LONGEST_HOW, COUNTED_UP_TO = 1000, 1000
_LONGEST_SUBJECT = 300


class Kind(StrEnum):
    """What may be wrong; every one has its words and its advice in the catalogue."""

    COPY_MISSING = "copy.missing"
    COPY_ALTERED = "copy.altered"
    COPY_HIDDEN = "copy.hidden"
    COPY_UNLOCKED = "copy.unlocked"
    LOCK_SHORT = "lock.short"
    OBJECT_UNKNOWN = "object.unknown"
    OBJECT_ALTERED = "object.altered"
    OBJECT_MISSING = "object.missing"
    FACTS_DIFFER = "facts.differ"
    JOURNAL_FAULT = "journal.fault"
    PLACE_SILENT = "place.silent"


def open_incident(
    session: Session, *, organisation_id: str | None, kind: str, place: str, subject: str, facts: dict[str, Any]
) -> str:
    """Open an incident in the session's transaction, unless one of this kind, place and subject is open already.

    Args:
        session: a writing one.
        organisation_id: whose record it is about; None for what is about the platform, which the root of the tree owns.
        kind: one of ``Kind``.
        place: of the archive; empty when it is about the database.
        subject: the key of an object, or a table and the key of its row.
        facts: identifiers, digests, counts and codes; JSON without floats.

    Returns:
        The identifier of the incident that is open.
    """
    subject = subject[:_LONGEST_SUBJECT]
    found = _still_open(session, kind, place, subject)
    if found is None:
        owner = organisation_id or _root(session)
        about = facts.get("record")
        made = Incident(organisation_id=owner, kind=kind, place=place, subject=subject, facts=facts, record_id=about)
        try:
            with session.begin_nested():
                session.add(made)
                session.flush()
                told = {"incident": made.id, "kind": kind, "place": place, "subject": subject}
                journal.write(session, organisation_id=owner, kind=OPENED, actor="platform", facts=told)
        except IntegrityError:  # another process has just opened it
            found = _still_open(session, kind, place, subject)
            if found is None:
                raise
        else:
            return made.id
    found.seen, found.facts = clock.now(), facts
    session.add(found)
    session.flush()
    return found.id


def own(session: Session, incident_id: str, actor: str, person_id: str) -> None:
    """Have a person take an incident up; one that another has taken passes to them.

    Raises:
        NotFound: no such incident here.
        Conflict: it is closed.
    """
    incident = _locked(session, incident_id)
    if incident.owner_id == person_id:
        return
    incident.state, incident.owner_id = IncidentState.OWNED.value, person_id
    session.add(incident)
    _tell(session, incident, OWNED, actor)


def close(session: Session, incident_id: str, actor: str, person_id: str, how: str) -> None:
    """Close an incident with what was done; whoever closes it has answered for it.

    Raises:
        NotFound: no such incident here.
        Conflict: it is closed already.
        UsageError: nothing is said of what was done, or too much.
    """
    how = " ".join(how.split())
    if not how:
        raise UsageError(_messages("close.how"))
    if len(how) > LONGEST_HOW:
        raise UsageError(_messages("close.long", most=LONGEST_HOW))
    incident = _locked(session, incident_id)
    incident.state, incident.owner_id = IncidentState.CLOSED.value, person_id
    incident.closed, incident.how = clock.now(), how
    session.add(incident)
    _tell(session, incident, CLOSED, actor)


def incident_of(session: Session, incident_id: str) -> Incident:
    """Return an incident.

    Raises:
        NotFound: no such incident here.
    """
    found = session.exec(select(Incident).where(Incident.id == incident_id)).first()
    if found is None:
        raise NotFound(_messages("unknown"))
    return found


def listed(
    session: Session, *, closed: bool, count: int, kind: str = "", place: str = "", after: tuple[datetime, str] | None = None
) -> list[Incident]:
    """Return incidents, the newest first.

    Args:
        session: sees those of its organisations.
        closed: those that are closed, or those that are not.
        count: how many at most.
        kind: of this kind only, when given.
        place: of this place only, when given.
        after: the moment and the identifier of the last one seen.
    """
    opened, identifier = col(Incident.opened), col(Incident.id)
    asked = select(Incident).where(col(Incident.closed).is_not(None) if closed else col(Incident.closed).is_(None))
    if kind:
        asked = asked.where(Incident.kind == kind)
    if place:
        asked = asked.where(Incident.place == place)
    if after is not None:
        asked = asked.where(tuple_(opened, identifier) < tuple_(literal(after[0], UtcDateTime()), literal(after[1])))
    return list(session.exec(asked.order_by(opened.desc(), identifier.desc()).limit(count)))


def counts(session: Session) -> dict[str, int]:
    """Return how many incidents are not closed, by state."""
    asked = select(Incident.state, func.count()).where(col(Incident.closed).is_(None)).group_by(col(Incident.state))
    return dict(session.exec(asked).all())


def watcher(principal: Principal) -> Principal:
    """Return the principal as it is where it may watch, and nowhere else."""
    return replace(principal, grants={where: rights for where, rights in principal.grants.items() if rights & WATCHES})


@dataclass(frozen=True, slots=True)
class Standing:
    """How many incidents are not closed, of those that a session sees.

    Attributes:
        free: nobody has taken them up.
        mine: the person asked about has taken them up.
        exact: False when there are more than were counted.
    """

    total: int
    free: int
    mine: int
    exact: bool


def standing(session: Session, person_id: str) -> Standing:
    """Return how the incidents stand for a person; counted up to a bound."""
    asked = select(Incident.state, Incident.owner_id).where(col(Incident.closed).is_(None)).limit(COUNTED_UP_TO + 1)
    found = session.exec(asked).all()
    shown = found[:COUNTED_UP_TO]
    free = sum(state == IncidentState.OPEN.value for state, _ in shown)
    return Standing(len(shown), free, sum(owner == person_id for _, owner in shown), len(found) == len(shown))


def _still_open(session: Session, kind: str, place: str, subject: str) -> Incident | None:
    same = (Incident.kind == kind, Incident.place == place, Incident.subject == subject)
    return session.exec(select(Incident).where(*same, col(Incident.closed).is_(None))).first()


def _root(session: Session) -> str:
    root = session.exec(select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM.value)).first()
    if root is None:
        raise NotFound(_messages("root"))
    return root


def _locked(session: Session, incident_id: str) -> Incident:
    found = session.exec(select(Incident).where(Incident.id == incident_id).with_for_update()).first()
    if found is None:
        raise NotFound(_messages("unknown"))
    if found.closed is not None:
        raise Conflict(_messages("closed"))
    return found


def _tell(session: Session, incident: Incident, kind: str, actor: str) -> None:
    session.flush()
    told = {"incident": incident.id, "kind": incident.kind, "place": incident.place, "subject": incident.subject}
    journal.write(session, organisation_id=incident.organisation_id, kind=kind, actor=actor, facts=told)


@dataclass(frozen=True, slots=True)
class Words:
    """What people read of a kind of incident: its name, what it means, what to do."""

    name: str
    what: str
    advice: str


def words_of(kind: str) -> Words:
    """Return the words of a kind, in the locale in force; those that fit any for a code without words of its own."""
    key = f"kind.{kind}" if f"kind.{kind}" in _messages else "kind.other"
    return Words(_messages(key), _messages(f"{key}.what"), _messages(f"{key}.do"))
