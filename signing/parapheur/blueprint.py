"""The set-up of a parapheur as a file: desks, metadata, circuits, types, by name, so that another organisation can take it.

No person, no key, no document stands in it. What is there already under the same name stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session

from core import journal
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from core.principal import Principal, Right
from signing.parapheur import circuits, desks, metadata, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Step
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Circuit, Desk
from signing.parapheur.typology import Kind, SubtypeOptions, TypeOptions

_messages = Catalogue("signing.parapheur")
FORMAT = "tabellion.parapheur/1"
_MOST = 5000


class DeskPlan(BaseModel):
    """A desk; others are named by their short names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    short_name: str
    description: str = ""
    parent: str | None = None
    may_create: bool = True
    may_act: bool = True
    may_chain: bool = False
    associated: tuple[str, ...] = ()


class FieldPlan(BaseModel):
    """A metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    name: str
    kind: MetadataKind
    choices: tuple[str, ...] = ()


class CircuitPlan(BaseModel):
    """A circuit; its steps are those of ``circuits.Step``, desks by their short names in place of their identifiers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    name: str
    steps: tuple[dict[str, object], ...]


class SubtypePlan(BaseModel):
    """A subtype; desks by their short names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    options: SubtypeOptions
    rows: tuple[Row, ...]


class TypePlan(BaseModel):
    """A type with its subtypes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    signing: TypeOptions
    subtypes: tuple[SubtypePlan, ...] = ()


class Blueprint(BaseModel):
    """A whole set-up, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(FORMAT, pattern=f"^{FORMAT}$")
    desks: tuple[DeskPlan, ...] = Field((), max_length=_MOST)
    metadata: tuple[FieldPlan, ...] = Field((), max_length=_MOST)
    circuits: tuple[CircuitPlan, ...] = Field((), max_length=_MOST)
    types: tuple[TypePlan, ...] = Field((), max_length=_MOST)


@dataclass(frozen=True, slots=True)
class Built:
    """How much was added, and how much was left because something of that name is there."""

    added: int
    left: int


def read(octets: bytes) -> Blueprint:
    """Return the set-up that a file holds.

    Raises:
        UnreadableInput: it holds none.
    """
    try:
        return Blueprint.model_validate_json(octets)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:6]) or "–"
        raise UnreadableInput(_messages("blueprint.unreadable", place=place)) from error


def draw(session: Session, organisation_id: str) -> Blueprint:
    """Return the set-up of an organisation: what is open and in force."""
    there = [desk for desk in desks.desks_of(session, organisation_id) if desk.closed is None]
    short = {desk.id: desk.short_name for desk in there}
    fields = metadata.declared(session, organisation_id).values()
    kinds = typology.kinds(session, organisation_id)
    return Blueprint(
        desks=tuple(_desk_plan(desk, short) for desk in there),
        metadata=tuple(
            FieldPlan(key=one.key, name=one.name, kind=MetadataKind(one.kind), choices=tuple(one.choices)) for one in fields
        ),
        circuits=tuple(circuit_plan(one, short) for one in circuits.all_current(session, organisation_id)),
        types=tuple(
            TypePlan(
                name=of.name,
                signing=TypeOptions.model_validate(of.signing),
                subtypes=tuple(_subtype_plan(kind, short) for kind in kinds if kind.type_id == of.id),
            )
            for of in typology.types(session, organisation_id)
            if of.closed is None
        ),
    )


def draw_circuit(session: Session, circuit: Circuit) -> Blueprint:
    """Return a set-up that holds one circuit and nothing else."""
    short = {desk.id: desk.short_name for desk in desks.desks_of(session, circuit.organisation_id)}
    return Blueprint(circuits=(circuit_plan(circuit, short),))


def circuit_plan(circuit: Circuit, short: Mapping[str, str]) -> CircuitPlan:
    """Return a circuit with its desks by their short names."""
    steps = tuple(_renamed(step.model_dump(mode="json"), short) for step in circuits.steps_of(circuit))
    return CircuitPlan(key=circuit.key, name=circuit.name, steps=steps)


def _desk_plan(desk: Desk, short: Mapping[str, str]) -> DeskPlan:
    return DeskPlan(
        name=desk.name,
        short_name=desk.short_name,
        description=desk.description,
        parent=short.get(desk.parent_id or ""),
        may_create=desk.may_create,
        may_act=desk.may_act,
        may_chain=desk.may_chain,
        associated=tuple(short[one] for one in desk.associated if one in short),
    )


def _subtype_plan(kind: Kind, short: Mapping[str, str]) -> SubtypePlan:
    senders = tuple(short[one] for one in kind.options.creation_desks if one in short)
    options = kind.options.model_copy(update={"creation_desks": senders})
    rows = tuple(row.model_copy(update={"variables": tuple(short.get(one, one) for one in row.variables)}) for row in kind.rows)
    return SubtypePlan(name=kind.name, description=kind.description, options=options, rows=rows)


def build(session: Session, principal: Principal, organisation_id: str, plan: Blueprint) -> Built:
    """Add to an organisation what a set-up holds and it has not.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: a desk, a circuit or a metadata that is named stands neither in the set-up nor in the organisation; a part
            that does not hold.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    done = [
        *_add_desks(session, organisation_id, plan.desks),
        *(_add_field(session, organisation_id, one) for one in plan.metadata),
        *(_add_circuit(session, organisation_id, one) for one in plan.circuits),
        *(added for one in plan.types for added in _add_type(session, organisation_id, one)),
    ]
    built = Built(sum(done), len(done) - sum(done))
    facts = {"added": built.added, "left": built.left}
    journal.write(session, organisation_id=organisation_id, kind="parapheur.imported", actor=principal.actor, facts=facts)
    return built


def _add_desks(session: Session, organisation_id: str, plans: Sequence[DeskPlan]) -> list[bool]:
    """Add the desks that are missing, then put them in their places: a head may stand after those below it."""
    before = _identifiers(session, organisation_id)
    missing = [plan for plan in plans if plan.short_name not in before]
    made = {plan.short_name: desks.add_desk(session, organisation_id, plan.name, plan.short_name) for plan in missing}
    known = before | {short: desk.id for short, desk in made.items()}
    for plan in missing:
        desk, parent = made[plan.short_name], _known(known, plan.parent) if plan.parent else None
        desks.change_desk(session, desk, plan.name, plan.short_name, parent_id=parent, description=plan.description)
        desks.allow(
            session,
            desk,
            may_create=plan.may_create,
            may_act=plan.may_act,
            may_chain=plan.may_chain,
            associated=[_known(known, one) for one in plan.associated],
        )
    return [plan.short_name in made for plan in plans]


def _add_field(session: Session, organisation_id: str, plan: FieldPlan) -> bool:
    if metadata.declared(session, organisation_id, [plan.key]):
        return False
    metadata.declare(session, organisation_id, plan.key, plan.name, plan.kind, plan.choices)
    return True


def _add_circuit(session: Session, organisation_id: str, plan: CircuitPlan) -> bool:
    if any(one.current for one in circuits.versions(session, organisation_id, plan.key)):
        return False
    circuits.draw_up(session, organisation_id, plan.key, plan.name, steps_in(session, organisation_id, plan))
    return True


def _add_type(session: Session, organisation_id: str, plan: TypePlan) -> list[bool]:
    there = {of.name: of for of in typology.types(session, organisation_id)}
    of = there.get(plan.name) or typology.add_type(session, organisation_id, plan.name, plan.signing)
    known, kinds = _identifiers(session, organisation_id), typology.kinds(session, organisation_id, closed=True)
    done = [plan.name not in there]
    for one in plan.subtypes:
        missing = not any((kind.type_id, kind.name) == (of.id, one.name) for kind in kinds)
        if missing:
            senders = tuple(_known(known, short) for short in one.options.creation_desks)
            options = one.options.model_copy(update={"creation_desks": senders})
            rows = [
                row.model_copy(update={"variables": tuple(_known(known, short) for short in row.variables)}) for row in one.rows
            ]
            typology.add_subtype(session, of, one.name, options, rows, one.description)
        done.append(missing)
    return done


def steps_in(session: Session, organisation_id: str, plan: CircuitPlan) -> list[Step]:
    """Return the steps of a circuit of a file, for the desks of an organisation.

    Raises:
        UsageError: a desk that the organisation has not; a step that does not hold.
    """
    known = _identifiers(session, organisation_id)
    named = {short for step in plan.steps for short in _named(step)}
    known |= {short: _known(known, short) for short in named}
    try:
        return [Step.model_validate(_renamed(step, known)) for step in plan.steps]
    except ValidationError as error:
        raise UnreadableInput(_messages("blueprint.circuit", name=plan.name[:255])) from error


def _identifiers(session: Session, organisation_id: str) -> dict[str, str]:
    return {desk.short_name: desk.id for desk in desks.desks_of(session, organisation_id)}


def _known(known: Mapping[str, str], short: str) -> str:
    if short not in known:
        raise UsageError(_messages("blueprint.desk", name=short[:60]))
    return known[short]


def _named(step: Mapping[str, object]) -> list[str]:
    """Return the names of desks in a step of a file, whatever its shape: it has not been read yet."""
    places, notified = step.get("places"), step.get("notified")
    found = [place.get("desk") for place in places if isinstance(place, dict)] if isinstance(places, list | tuple) else []
    found += list(notified) if isinstance(notified, list | tuple) else []
    return [one for one in found if isinstance(one, str)]


def _renamed(step: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return a step with its desks under other names."""
    places, notified = step.get("places"), step.get("notified")
    told = dict(step)
    if isinstance(places, list | tuple):
        told["places"] = [
            {**one, "desk": names.get(one["desk"], one["desk"])}
            if isinstance(one, dict) and isinstance(one.get("desk"), str)
            else one
            for one in places
        ]
    if isinstance(notified, list | tuple):
        told["notified"] = [names.get(one, one) if isinstance(one, str) else one for one in notified]
    return told
