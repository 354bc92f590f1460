"""What the flows share when they write to people of the platform: whom they may write to, and where its pages are."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, select

from core.people import Person
from core.settings import Settings
from signing.parapheur.models import SignatoryProfile
from signing.parapheur.notices import Frequency


def readers(session: Session, person_ids: Collection[str]) -> dict[str, Person]:
    """Return those of some people who are written to, by identifier: neither suspended, nor refusing mail."""
    refuses = select(SignatoryProfile.person_id).where(SignatoryProfile.frequency == Frequency.NEVER.value)
    wanted = select(Person).where(col(Person.id).in_(person_ids), col(Person.suspended).is_(None))
    return {person.id: person for person in session.exec(wanted.where(col(Person.id).not_in(refuses)))}


def root_of(settings: Settings) -> str:
    """Return the address under which people reach the platform, without its last slash."""
    return (settings.public_url or f"http://{settings.http_host}:{settings.http_port}").rstrip("/")
