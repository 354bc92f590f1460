"""Decisions anew: rules of retention and holds, from their statements under lock and what the journal says of them.

What lives here: rules with their choices, holds. What does not: eliminations, whose certificate is a record like any other and
whose traces stand in the journal; agreements and people, which are the business of the database's backups.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from archive.finding import index
from archive.finding.models import RecordState
from archive.models import Record
from archive.places import statements
from archive.rebuilding.journal import entries
from archive.retention.changing import CHOSEN, FOLLOWED, WITHDRAWN, end_before
from archive.retention.changing import STATEMENT as RULE
from archive.retention.holds import LIFT_STATEMENT, LIFTED, PLACED, STATEMENT, write_lift
from archive.retention.models import RecordHeld, RecordHold, RuleChoice, RuleVersion
from core import journal
from core.clock import from_iso
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM


def restore_rules(platform: Platform, after: int = 0) -> None:
    """Write the versions of rules that are not there, and the choices among them, as they were made one after the other.

    Args:
        platform: its places, and its database, in which the journal is.
        after: number of the entry after which the journal tells of any that are not there.

    Raises:
        ObjectMissing, ObjectAltered: a statement that the journal names is in no place, or is another one.
        Unavailable: no place that answers has one.
    """
    for entry in entries(platform, FOLLOWED, WITHDRAWN, CHOSEN, after=after):
        if entry.kind == FOLLOWED and _stands(platform, entry.facts["rule"]):
            continue
        said = _statement_of(platform, entry) if entry.kind == FOLLOWED else {}
        with platform.database.writing(PLATFORM) as session:
            _RULES[entry.kind](session, entry, said)


def _stands(platform: Platform, rule: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        return session.get(RuleVersion, rule) is not None


def _statement_of(platform: Platform, entry: JournalEntry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(statements.read(platform, RULE, entry.facts["rule"], entry.facts["statement"]))
    return found


def _follow(session: Session, entry: JournalEntry, said: dict[str, Any]) -> None:
    del entry
    moments = {"since": date.fromisoformat(said["since"]), "created": from_iso(said["created"])}
    row = RuleVersion(**said | moments)
    end_before(session, row)
    session.add(row)


def _withdraw(session: Session, entry: JournalEntry, said: dict[str, Any]) -> None:
    del said
    session.get_one(RuleVersion, entry.facts["rule"]).until = date.fromisoformat(entry.facts["until"])


def _choose(session: Session, entry: JournalEntry, said: dict[str, Any]) -> None:
    del said
    kind, category, code = (entry.facts[name] for name in ("kind", "category", "code"))
    own = session.get(RuleChoice, (entry.organisation_id, kind, category))
    if own is not None:
        session.delete(own)
        session.flush()
    if code is not None:
        made = {"organisation_id": entry.organisation_id, "kind": kind, "category": category, "code": code}
        session.add(RuleChoice(**made, chosen=entry.at, chosen_by=entry.actor))


_RULES = {FOLLOWED: _follow, WITHDRAWN: _withdraw, CHOSEN: _choose}


def restore_holds(platform: Platform, after: int = 0) -> int:
    """Write every hold that the journal tells of, unless it is there, lift those lifted since, and return how many stand.

    The journal names each statement by its digest: nobody adds a hold, or changes its words, by writing to a place. The places
    are told again what they are to hold at the next turn (`archive.retention.holds.settle`).

    Args:
        platform: its places, and its database, in which the journal is.
        after: number of the entry after which the journal tells of any that are not there as it says.

    Raises:
        ObjectMissing, ObjectAltered: a statement that the journal names is in no place, or is another one.
        Unavailable: no place that answers has one.
    """
    for entry in entries(platform, PLACED, after=after):
        hold, digest = entry.facts["hold"], entry.facts["statement"]
        with platform.database.reading(PLATFORM) as session:
            if session.get(RecordHold, hold) is not None:
                continue
        said = json.loads(statements.read(platform, STATEMENT, hold, digest))
        lifted = _lifted(platform, entry)
        why = _why_lifted(platform, lifted) if lifted else None
        with platform.database.writing(PLATFORM) as session:
            _restore(session, said, digest, lifted, why)
    for entry in entries(platform, LIFTED, after=after):
        _lift(platform, entry)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(RecordHold).where(col(RecordHold.lifted).is_(None))).one()


def _lift(platform: Platform, entry: JournalEntry) -> None:
    """Lift a hold that stood when the database was saved; what was made anew is lifted from its first moment."""
    with platform.database.reading(PLATFORM) as session:
        if session.get_one(RecordHold, entry.facts["hold"]).lifted is not None:
            return
    why = _why_lifted(platform, entry)
    with platform.database.writing(PLATFORM) as session:
        write_lift(session, session.get_one(RecordHold, entry.facts["hold"]), entry.at, entry.actor, why)


def _why_lifted(platform: Platform, lifted: JournalEntry) -> str | None:
    """Return why a hold was lifted; None for one that was lifted when nobody was asked."""
    if "statement" not in lifted.facts:
        return None
    named = lifted.facts["statement"], lifted.facts["sha256"]
    return str(json.loads(statements.read(platform, LIFT_STATEMENT, *named))["reason"])


def _lifted(platform: Platform, placed: JournalEntry) -> JournalEntry | None:
    told = (journal.about(placed.facts["hold"]), JournalEntry.kind == LIFTED)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(JournalEntry).where(*told, JournalEntry.organisation_id == placed.organisation_id)).first()


def _restore(session: Session, said: dict[str, Any], statement: str, lifted: JournalEntry | None, why_lifted: str | None) -> None:
    hold = RecordHold(
        id=said["id"],
        organisation_id=said["organisation_id"],
        reason=said["reason"],
        owner=said["owner"],
        statement=statement,
        review=date.fromisoformat(said["review"]),
        placed=from_iso(said["placed"]),
        placed_by=said["placed_by"],
        lifted=lifted.at if lifted else None,
        lifted_by=lifted.actor if lifted else None,
        lift_reason=why_lifted,
        package_of=said.get("package_of"),
        ends=date.fromisoformat(said["ends"]) if said.get("ends") else None,
    )
    session.add(hold)
    session.flush()
    for record in session.exec(select(Record).where(col(Record.id).in_(said["records"]))).all():
        owner = record.organisation_id
        session.add(RecordHeld(hold_id=hold.id, record_id=record.id, organisation_id=owner))
        if lifted is None and record.eliminated is None:
            index.mark(session, record.id, RecordState.HELD)
    session.flush()
