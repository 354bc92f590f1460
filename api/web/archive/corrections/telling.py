"""Corrections as pages tell them: what changes, who made them, and who decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from archive.correction.models import RecordCorrection
from archive.correction.wording import changes
from core.people import Person

_PERSON = "person:"


@dataclass(frozen=True, slots=True)
class Told:
    """A correction in words.

    Attributes:
        changes: a line for each fact of the record that it changes.
        made_by, decided_by: names of people; of software, what the journal calls it.
    """

    correction: RecordCorrection
    changes: tuple[str, ...]
    made_by: str
    decided_by: str


def told(session: Session, corrections: Iterable[RecordCorrection]) -> list[Told]:
    """Return corrections in words; the session is the platform's own, for the names."""
    found = list(corrections)
    actors = {actor for one in found for actor in (one.proposed_by, one.decided_by) if actor}
    people = select(Person).where(col(Person.id).in_([actor.removeprefix(_PERSON) for actor in actors]))
    names = {f"{_PERSON}{person.id}": person.name for person in session.exec(people)}
    return [Told(one, changes(one), _name(names, one.proposed_by), _name(names, one.decided_by or "")) for one in found]


def _name(names: dict[str, str], actor: str) -> str:
    return names.get(actor, actor)
