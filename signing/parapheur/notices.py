"""Notices: what people are to be told, each at the moment that they have chosen; the outbox from which mail is sent.

A notice is written in the transaction of what it tells. Which words it becomes, and how it leaves, is decided above.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from core import clock
from signing.parapheur.desks import StandIn, covers, holders
from signing.parapheur.models import Delegation, Folder, Notice, SignatoryProfile, Subtype


class Category(StrEnum):
    """Why somebody is told."""

    TO_DO = "to_do"
    DELEGATED = "delegated"
    LATE = "late"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    NOTIFIED = "notified"
    FINISHED = "finished"


class Frequency(StrEnum):
    """How somebody wants to be told."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    NEVER = "never"


def notify(session: Session, folder: Folder, desk_id: str, category: Category) -> bool:
    """Tell the holders of a desk; those who stand in for it as well, when it has something to do.

    Returns:
        Whether there is anybody to tell, be it that they want to hear nothing.
    """
    now = clock.now()
    told = {person.id: (desk_id, category) for person in holders(session, [desk_id])[desk_id]}
    if category in {Category.TO_DO, Category.LATE}:
        for substitute in _substitutes(session, folder, desk_id, now):
            for person in holders(session, [substitute])[substitute]:
                told.setdefault(person.id, (desk_id, Category.DELEGATED if category is Category.TO_DO else category))
    for person_id, (at, why) in told.items():
        due = _due(session, person_id, now)
        if due is not None and not _told_already(session, person_id, folder.id, why):
            session.add(
                Notice(
                    organisation_id=folder.organisation_id,
                    person_id=person_id,
                    folder_id=folder.id,
                    desk_id=at,
                    category=why.value,
                    due=due,
                )
            )
    return bool(told)


def _told_already(session: Session, person_id: str, folder_id: str, category: Category) -> bool:
    """Tell whether the same notice still waits to be sent."""
    waiting = select(Notice.id).where(
        Notice.person_id == person_id,
        Notice.folder_id == folder_id,
        Notice.category == category.value,
        col(Notice.sent).is_(None),
    )
    return session.exec(waiting).first() is not None


def _substitutes(session: Session, folder: Folder, desk_id: str, at: datetime) -> list[str]:
    """Return the desks that stand in for a desk, for folders of this kind."""
    subtype = session.get(Subtype, folder.subtype_id) if folder.subtype_id else None
    active = select(Delegation).where(Delegation.desk_id == desk_id, Delegation.starts <= at)
    return [
        found.substitute_id
        for found in session.exec(active)
        if (found.ends is None or found.ends > at)
        and covers(
            StandIn(found.desk_id, found.substitute_id, found.type_id, found.subtype_id),
            subtype.type_id if subtype else None,
            folder.subtype_id,
        )
    ]


def _due(session: Session, person_id: str, now: datetime) -> datetime | None:
    profile = session.get(SignatoryProfile, person_id)
    if profile is None or profile.frequency == Frequency.IMMEDIATE.value:
        return now
    return next_digest(profile.digest_hour, now) if profile.frequency == Frequency.DAILY.value else None


def next_digest(hour: int, now: datetime) -> datetime:
    """Return the next moment at which French clocks show a full hour."""
    today = clock.in_paris(now).replace(hour=hour, minute=0, second=0, microsecond=0)
    return clock.as_utc(today if today > clock.in_paris(now) else today + timedelta(days=1))
