"""What a folder would go through if it started now: the row of the decision table that holds, the circuit, the desks asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from signing.parapheur import binding, choice, circuits, metadata
from signing.parapheur.models import Circuit, Desk
from signing.parapheur.typology import Kind


@dataclass(frozen=True, slots=True)
class Way:
    """The way that a folder would take, its desks not asked yet.

    Attributes:
        row: rank of the row of the decision table that holds, from 0.
        circuit: the circuit in force that it names.
        steps: of the circuit, those of a creation circuit before them.
        variables: the desks that the row gives to the variable steps; the emitter chooses when there is none.
    """

    row: int
    circuit: Circuit
    steps: tuple[circuits.Step, ...]
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would run.

    Attributes:
        row: rank of the row of the decision table that holds, from 0.
        circuit: the circuit in force that it names.
        asked: the steps with their desks.
    """

    row: int
    circuit: Circuit
    asked: tuple[circuits.Asked, ...]


def foresee(session: Session, kind: Kind, emitter: Desk, fields: Mapping[str, str], variables: Sequence[str] = ()) -> Foreseen:
    """Return what a folder of a kind would go through; see ``way``.

    Args:
        session: to read circuits and desks.
        kind: of folder.
        emitter: the desk that sends it.
        fields: its metadata by key.
        variables: desks chosen for the variable steps, where the row names none.

    Raises:
        UsageError: see ``way``; a desk to choose, closed or missing.
        NotFound: see ``way``.
    """
    taken = way(session, kind, emitter, fields)
    asked = circuits.resolve(session, taken.steps, emitter, taken.variables or variables)
    return Foreseen(taken.row, taken.circuit, tuple(asked))


def way(session: Session, kind: Kind, emitter: Desk, fields: Mapping[str, str]) -> Way:
    """Return the way of a folder of a kind, sent by a desk, with metadata by key; defaults of the kind stand in for the rest.

    Raises:
        UsageError: a table that gives nothing.
        NotFound: a circuit that is not there any more.
    """
    values = {use.key: use.default for use in kind.options.fields if use.default} | dict(fields)
    declared = metadata.declared(session, emitter.organisation_id)
    row = choice.choose(kind.rows, declared, values, emitter.short_name)
    circuit = circuits.current(session, emitter.organisation_id, row.circuit)
    before = _before(session, emitter.organisation_id, kind)
    return Way(kind.rows.index(row), circuit, (*before, *circuits.steps_of(circuit)), row.variables)


def _before(session: Session, organisation_id: str, kind: Kind) -> tuple[circuits.Step, ...]:
    key = kind.options.creation_circuit
    return circuits.steps_of(circuits.current(session, organisation_id, key)) if key else ()


def unsigned(session: Session, organisation_id: str, kind: Kind) -> list[str]:
    """Return the names of the circuits that a kind of folder may take, and at whose end nothing would be signed.

    Raises:
        NotFound: a circuit that is not there any more.
    """
    if binding.signs(_before(session, organisation_id, kind)):
        return []
    found = [circuits.current(session, organisation_id, key) for key in dict.fromkeys(row.circuit for row in kind.rows)]
    return [one.name for one in found if not binding.signs(circuits.steps_of(one))]
