"""The circuit that a draft would take, as people read it: steps, desks, the names of those who hold them, desks to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from api.web.draft.form import MOST_VARIABLES, Typed
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur import desks, trays
from signing.parapheur.circuits import Asked, Step, Together, Who
from signing.parapheur.foresight import foresee
from signing.parapheur.models import Desk

_t = Catalogue("api.web.draft")


@dataclass(frozen=True, slots=True)
class Place:
    """A desk that is asked, and who holds it."""

    desk: str
    people: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A desk that the sender chooses: its rank among those, and which one stands."""

    rank: int
    chosen: str


@dataclass(frozen=True, slots=True)
class Line:
    """A step.

    Attributes:
        kind: what is asked; a ``StepKind``.
        together: how several desks act; empty for one alone.
        later: a part of it depends on a desk that is to be chosen before.
    """

    number: int
    kind: str
    together: str
    automatic: bool
    places: tuple[Place, ...]
    choices: tuple[Choice, ...]
    later: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What would run; a reason in place of the steps when nothing can.

    Attributes:
        reachable: the desks among which the sender chooses.
        missing: how many are still to be chosen.
    """

    name: str = ""
    lines: tuple[Line, ...] = ()
    reachable: tuple[Desk, ...] = ()
    missing: int = 0
    trouble: str = ""


def preview(session: Session, emitter: Desk, typed: Typed, kept: Mapping[str, str]) -> Preview:
    """Return the circuit that would run with what was typed, over the metadata that the draft keeps."""
    if typed.kind is None:
        return Preview(trouble=_t("circuit.no_kind"))
    fields = {key: value for key, value in (dict(kept) | typed.answers).items() if value}
    # A desk that is not chosen yet is stood for by the sender's: its step shows that it is to be chosen, and nothing else.
    filled = [*typed.variables, *[""] * (MOST_VARIABLES - len(typed.variables))]
    try:
        found = foresee(session, typed.kind, emitter, fields, [desk or emitter.id for desk in filled])
    except (UsageError, NotFound, Conflict) as error:
        return Preview(trouble=str(error))
    free = not typed.kind.rows[found.row].variables
    lines = tuple(_lines(session, found.asked, filled if free else []))
    choices = [choice for line in lines for choice in line.choices]
    reachable = tuple(desks.reachable(session, emitter)) if choices else ()
    return Preview(found.circuit.name, lines, reachable, sum(not choice.chosen for choice in choices))


def _lines(session: Session, asked: Sequence[Asked], filled: Sequence[str]) -> list[Line]:
    everyone = {desk for one in asked for desk in one.desks}
    names = trays.names(session, list(everyone))
    people = {desk: ", ".join(person.name for person in held) for desk, held in desks.holders(session, everyone).items()}
    lines, rank, unknown = list[Line](), 0, False
    for number, one in enumerate(asked, 1):
        own = sum(place.who is Who.VARIABLE for place in one.step.places) if filled else 0
        choices = tuple(Choice(rank + place, filled[rank + place]) for place in range(own))
        later = unknown and any(place.who is Who.HEAD for place in one.step.places)
        places = () if later else tuple(Place(names[desk], people[desk]) for desk in _known(one, len(choices)))
        lines.append(_line(number, one.step, places, choices, later=later))
        unknown = later or any(not choice.chosen for choice in choices)
        rank += own
    return lines


def _known(asked: Asked, choices: int) -> tuple[str, ...]:
    """Return the desks of a step that are not the sender's to choose."""
    if not choices:
        return asked.desks
    named = {place.desk for place in asked.step.places if place.who is Who.DESK}
    return tuple(desk for desk in asked.desks if desk in named)


def _line(number: int, step: Step, places: tuple[Place, ...], choices: tuple[Choice, ...], *, later: bool) -> Line:
    several = len(places) + len(choices) > 1
    together = "all" if step.together is Together.ALL else "any"
    return Line(number, step.kind.value, together if several else "", step.automatic, places, choices, later)
