"""Circuits: ordered steps, and the desks that each one asks once a folder is known.

A circuit is never changed: a new version takes its place for the folders to come, and those under way keep theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, col, select

from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur.models import Circuit, Desk, FolderType, StepKind, Subtype

_messages = Catalogue("signing.parapheur")
MOST_STEPS = 50
MOST_PLACES = 50


class Who(StrEnum):
    """Which desk a step asks."""

    DESK = "desk"
    EMITTER = "emitter"
    HEAD = "head"
    VARIABLE = "variable"


class Place(BaseModel):
    """A desk named, or told by its part: the emitter, the head of the desk before, one that the emitter chooses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    who: Who = Who.DESK
    desk: str | None = Field(None, max_length=26, description="Identifier of the desk, when it is named.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.who is Who.DESK) != (self.desk is not None):
            raise ValueError(_messages("circuit.place"))
        return self


class Together(StrEnum):
    """Who decides when several desks are asked at once."""

    ANY = "any"
    ALL = "all"


class Step(BaseModel):
    """One step of a circuit.

    Attributes:
        kind: what is asked.
        places: of whom; several at once are in parallel.
        together: the first one decides, or all must act.
        notified: desks that are told when the step is done.
        approval_fields: metadata that must be given to approve, ``rejection_fields`` to reject.
        automatic: a seal that the platform sets by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: StepKind
    places: tuple[Place, ...] = Field(min_length=1, max_length=MOST_PLACES)
    together: Together = Together.ANY
    notified: tuple[str, ...] = ()
    approval_fields: tuple[str, ...] = ()
    rejection_fields: tuple[str, ...] = ()
    automatic: bool = False

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.kind is StepKind.OPINION:
            raise ValueError(_messages("circuit.opinion"))
        if self.kind in {StepKind.EXTERNAL, StepKind.MAIL, StepKind.SEAL} and len(self.places) > 1:
            raise ValueError(_messages("circuit.alone"))
        if self.automatic and self.kind is not StepKind.SEAL:
            raise ValueError(_messages("circuit.automatic"))
        return self


def current(session: Session, organisation_id: str, key: str) -> Circuit:
    """Return the version of a circuit that folders start with.

    Raises:
        NotFound: there is no circuit of that key.
    """
    wanted = select(Circuit).where(Circuit.organisation_id == organisation_id, Circuit.key == key, col(Circuit.current).is_(True))
    found = session.exec(wanted).first()
    if found is None:
        raise NotFound(_messages("circuit.unknown", key=key[:128]))
    return found


def all_current(session: Session, organisation_id: str) -> list[Circuit]:
    """Return the circuits of an organisation in force, by name."""
    wanted = select(Circuit).where(Circuit.organisation_id == organisation_id, col(Circuit.current).is_(True))
    return list(session.exec(wanted.order_by(Circuit.name, Circuit.key)))


def version_of(session: Session, circuit_id: str) -> Circuit:
    """Return one version of a circuit.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(Circuit).where(Circuit.id == circuit_id)).first()
    if found is None:
        raise NotFound(_messages("circuit.absent"))
    return found


def versions(session: Session, organisation_id: str, key: str) -> list[Circuit]:
    """Return the versions of a circuit, the newest first."""
    wanted = select(Circuit).where(Circuit.organisation_id == organisation_id, Circuit.key == key)
    return list(session.exec(wanted.order_by(col(Circuit.version).desc())))


def users_of(session: Session, organisation_id: str, key: str) -> list[str]:
    """Return the names of the open subtypes whose folders may take a circuit."""
    kinds = select(Subtype, FolderType.name).join(FolderType).where(Subtype.organisation_id == organisation_id)
    rows = session.exec(kinds.where(col(Subtype.closed).is_(None)).order_by(FolderType.name, Subtype.name))
    return [
        f"{type_name} – {kind.name}"
        for kind, type_name in rows
        if kind.options.get("creation_circuit") == key or any(row["circuit"] == key for row in kind.choice)
    ]


def retire(session: Session, circuit: Circuit) -> None:
    """Let no folder start in a circuit any more; those under way go on, and a new version brings it back.

    Raises:
        Conflict: subtypes use it; the message says which.
    """
    if users := users_of(session, circuit.organisation_id, circuit.key):
        raise Conflict(_messages("circuit.used", name=circuit.name, users=", ".join(users)))
    for version in versions(session, circuit.organisation_id, circuit.key):
        version.current = False
        session.add(version)


def steps_of(circuit: Circuit) -> tuple[Step, ...]:
    """Return the steps of a circuit."""
    return tuple(Step.model_validate(step) for step in circuit.steps)


def draw_up(session: Session, organisation_id: str, key: str, name: str, steps: Sequence[Step], *, new: bool = False) -> Circuit:
    """Write a circuit, or its next version; the versions before stay for the folders that run in them.

    Args:
        session: open to write.
        organisation_id: whose circuit it is.
        key: names it; lower-case letters, digits, hyphens.
        name: as people read it.
        steps: in order, 1 to 50.
        new: refuse to replace a circuit that is there.

    Raises:
        UsageError: no step, too many, a malformed key or name, a desk that is closed or not of the organisation, a head before
            anybody.
        Conflict: the key is taken, and a new circuit was meant.
    """
    _check(session, organisation_id, key, name, steps)
    before = versions(session, organisation_id, key)
    if new and before:
        raise Conflict(_messages("circuit.taken", key=key))
    for version in before:
        version.current = False
        session.add(version)
    written = Circuit(
        organisation_id=organisation_id,
        key=key,
        name=name.strip(),
        version=before[0].version + 1 if before else 1,
        steps=[step.model_dump(mode="json") for step in steps],
    )
    session.add(written)
    session.flush()
    return written


def _check(session: Session, organisation_id: str, key: str, name: str, steps: Sequence[Step]) -> None:
    if not (0 < len(key) <= 128 and key.isascii() and key.replace("-", "").isalnum() and key == key.lower()):
        raise UsageError(_messages("circuit.key"))
    if not 2 <= len(name.strip()) <= 255:
        raise UsageError(_messages("circuit.name"))
    if not 0 < len(steps) <= MOST_STEPS:
        raise UsageError(_messages("circuit.steps", most=MOST_STEPS))
    named = {place.desk for step in steps for place in step.places if place.desk} | {
        desk for step in steps for desk in step.notified
    }
    open_desks = select(Desk.id).where(
        col(Desk.id).in_(named), Desk.organisation_id == organisation_id, col(Desk.closed).is_(None)
    )
    if named - set(session.exec(open_desks).all()):
        raise UsageError(_messages("circuit.desk"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A step whose desks are known: the desks are asked in the same step, each once."""

    step: Step
    desks: tuple[str, ...]


def resolve(session: Session, steps: Sequence[Step], emitter: Desk, variables: Sequence[str]) -> list[Asked]:
    """Return the desks that each step asks of a folder.

    Args:
        session: to read desks.
        steps: of the circuit, in order.
        emitter: the desk that sends the folder.
        variables: identifiers of the desks chosen for the variable places, in their order.

    Raises:
        UsageError: a desk was not chosen, has no head, is closed or not of the organisation.
    """
    left, found = list(variables), list[Asked]()
    before: tuple[str, ...] = (emitter.id,)
    for step in steps:
        desks: list[str] = []
        for place in step.places:
            desks += _desks_at(session, place, emitter, left, before)
        before = tuple(dict.fromkeys(desks))
        _refuse_closed(session, emitter.organisation_id, before)
        found.append(Asked(step, before))
    return found


def _desks_at(session: Session, place: Place, emitter: Desk, left: list[str], before: tuple[str, ...]) -> list[str]:
    if place.who is Who.EMITTER:
        return [emitter.id]
    if place.who is Who.HEAD:
        return [_head(session, desk) for desk in before]
    if place.who is Who.VARIABLE:
        if not left:
            raise UsageError(_messages("circuit.variable"))
        return [left.pop(0)]
    return [place.desk] if place.desk else []


def _head(session: Session, desk_id: str) -> str:
    desk = session.get(Desk, desk_id)
    if desk is None or desk.parent_id is None:
        raise UsageError(_messages("circuit.head", desk=desk.name if desk else desk_id))
    return desk.parent_id


def _refuse_closed(session: Session, organisation_id: str, desk_ids: Sequence[str]) -> None:
    for desk_id in desk_ids:
        desk = session.get(Desk, desk_id)
        if desk is None or desk.organisation_id != organisation_id:
            raise UsageError(_messages("circuit.desk"))
        if desk.closed is not None:
            raise UsageError(_messages("circuit.closed", desk=desk.name))


def variable_count(steps: Sequence[Step]) -> int:
    """Return how many desks the emitter must choose."""
    return sum(place.who is Who.VARIABLE for step in steps for place in step.places)
