"""What senders were told already: written before the message leaves, so that nothing is told twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Index
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, select

from core import clock
from core.database import Database, Owned, UtcDateTime
from core.identifiers import new_id
from core.principal import PLATFORM


class MailAlert(Owned, table=True):
    """That a person was told something of a send of theirs; once.

    Attributes:
        occasion: ``failed:<recipient>:<since>``, ``deadline:<day>``, ``summary:<day>``.
        at: when, just before the message left.
    """

    __tablename__ = "mail_alert"
    __table_args__ = (Index("mail_alert_once", "person_id", "dossier_id", "occasion", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    person_id: str = Field(foreign_key="person.id", max_length=26)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26, index=True)
    occasion: str = Field(max_length=80)
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


@dataclass(frozen=True, slots=True)
class Due:
    """What is about to be told of a send."""

    organisation_id: str
    dossier_id: str
    occasion: str


def told(session: Session, dossier_ids: Collection[str]) -> dict[tuple[str, str], set[str]]:
    """Return the occasions that were told, by person and send."""
    found = defaultdict(set)
    for one in session.exec(select(MailAlert).where(col(MailAlert.dossier_id).in_(dossier_ids))):
        found[one.person_id, one.dossier_id].add(one.occasion)
    return found


def claim(database: Database, person_id: str, due: Iterable[Due]) -> list[str]:
    """Write down that a person is told; return the rows' identifiers, none when somebody else has told part of it meanwhile."""
    now = clock.now()
    rows = [
        MailAlert(
            organisation_id=one.organisation_id, person_id=person_id, dossier_id=one.dossier_id, occasion=one.occasion, at=now
        )
        for one in due
    ]
    try:
        with database.writing(PLATFORM) as session:
            session.add_all(rows)
    except IntegrityError:
        return []
    return [row.id for row in rows]


def release(database: Database, alert_ids: Sequence[str]) -> None:
    """Take back what was certainly not told: it is due again."""
    with database.writing(PLATFORM) as session:
        for row in session.exec(select(MailAlert).where(col(MailAlert.id).in_(alert_ids))):
            session.delete(row)
