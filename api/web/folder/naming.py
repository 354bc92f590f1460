"""Names of the desks and people of a folder: what it keeps are identifiers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from core.messages import Catalogue
from core.people import Person
from signing.parapheur import trays
from signing.parapheur.desks import holders
from signing.parapheur.models import FolderEvent, Task

messages = Catalogue("api.web.folder")


@dataclass(frozen=True, slots=True)
class Names:
    """Names by identifier.

    Attributes:
        people: by actor, as the journal names them.
        holding: who holds each desk now.
    """

    desks: dict[str, str]
    people: dict[str, str]
    holding: dict[str, tuple[str, ...]]

    def desk(self, desk_id: str | None) -> str:
        """Return the name of a desk, or nothing."""
        return self.desks.get(desk_id or "", "")

    def actor(self, actor: str | None) -> str:
        """Return who acted, in words."""
        kind = (actor or "").partition(":")[0]
        return self.people.get(actor or "") or messages("actor.software" if kind == "token" else "actor.platform")

    def holders(self, desk_id: str) -> str:
        """Return who holds a desk, in one line."""
        return ", ".join(self.holding.get(desk_id, ()))


def names_of(session: Session, tasks: Iterable[Task], events: Iterable[FolderEvent], author: str, *desks: str) -> Names:
    """Return the names that a folder's circuit and history need."""
    tasks, events = list(tasks), list(events)
    told = {event.facts.get(key) for event in events for key in ("to", "of")}
    beside = {one for event in events for one in (event.desk_id, event.behalf_id)}
    wanted = {*desks, *(task.desk_id for task in tasks), *(task.behalf_id for task in tasks), *beside, *told} - {None}
    identifiers = sorted(str(one) for one in wanted)
    actors = {author, *(event.actor for event in events), *(task.actor or "" for task in tasks)}
    people = [actor.removeprefix("person:") for actor in actors if actor.startswith("person:")]
    found = session.exec(select(Person).where(col(Person.id).in_(people))) if people else ()
    return Names(
        trays.names(session, identifiers),
        {f"person:{person.id}": person.name for person in found},
        {desk: tuple(person.name for person in held) for desk, held in holders(session, identifiers).items()},
    )
