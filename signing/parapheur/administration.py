"""What an administrator does to the parapheur of an organisation: desks and seats, types, metadata, circuits.

Each act is allowed, done and written in the journal in one transaction, with identifiers and keys only. What can be done at all
is decided in the rooms beside this one; who may do it, here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from core import journal
from core.errors import UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import Principal, Right
from signing.parapheur import circuits, desks, metadata, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Step
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Capacity, Circuit, Desk, FolderType, MetadataField, Subtype
from signing.parapheur.typology import SubtypeOptions, TypeOptions

_messages = Catalogue("signing.parapheur")


@dataclass(frozen=True, slots=True)
class DeskDetails:
    """A desk as an administrator describes it; see ``models.Desk``."""

    name: str
    short_name: str
    description: str = ""
    parent_id: str | None = None
    may_create: bool = True
    may_act: bool = True
    may_chain: bool = False
    associated: tuple[str, ...] = ()


def add_desk(session: Session, principal: Principal, organisation_id: str, wanted: DeskDetails) -> Desk:
    """Add a desk; see ``desks.add_desk`` and ``desks.allow``.

    Raises:
        Forbidden: the principal does not administer the organisation.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    parent, said = wanted.parent_id, wanted.description
    desk = desks.add_desk(session, organisation_id, wanted.name, wanted.short_name, parent_id=parent, description=said)
    _allow(session, desk, wanted)
    _note(session, principal, organisation_id, "desk.added", desk=desk.id)
    return desk


def change_desk(session: Session, principal: Principal, desk: Desk, wanted: DeskDetails) -> None:
    """Change a desk; see ``desks.change_desk`` and ``desks.allow``.

    Raises:
        Forbidden: the principal does not administer its organisation.
    """
    principal.require(Right.ADMINISTER, desk.organisation_id)
    parent, said = wanted.parent_id, wanted.description
    desks.change_desk(session, desk, wanted.name, wanted.short_name, parent_id=parent, description=said)
    _allow(session, desk, wanted)
    _note(session, principal, desk.organisation_id, "desk.changed", desk=desk.id)


def _allow(session: Session, desk: Desk, wanted: DeskDetails) -> None:
    desks.allow(
        session,
        desk,
        may_create=wanted.may_create,
        may_act=wanted.may_act,
        may_chain=wanted.may_chain,
        associated=wanted.associated,
    )


def close_desk(session: Session, principal: Principal, desk: Desk) -> None:
    """Close a desk; see ``desks.close_desk``."""
    principal.require(Right.ADMINISTER, desk.organisation_id)
    desks.close_desk(session, desk)
    _note(session, principal, desk.organisation_id, "desk.closed", desk=desk.id)


def reopen_desk(session: Session, principal: Principal, desk: Desk) -> None:
    """Open a closed desk again."""
    principal.require(Right.ADMINISTER, desk.organisation_id)
    desks.reopen_desk(session, desk)
    _note(session, principal, desk.organisation_id, "desk.reopened", desk=desk.id)


def seat(session: Session, principal: Principal, desk: Desk, person_id: str, capacity: Capacity) -> None:
    """Give a person a seat at a desk.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: the person has no role there.
    """
    principal.require(Right.ADMINISTER, desk.organisation_id)
    organisation = session.get_one(Organisation, desk.organisation_id)
    if person_id not in {person.id for person in desks.seatable(session, organisation)}:
        raise UsageError(_messages("seat.person"))
    desks.seat(session, desk, person_id, capacity)
    _note(session, principal, desk.organisation_id, "seat.given", desk=desk.id, person=person_id, capacity=capacity.value)


def unseat(session: Session, principal: Principal, desk: Desk, person_id: str, capacity: Capacity) -> None:
    """Take a seat away."""
    principal.require(Right.ADMINISTER, desk.organisation_id)
    desks.unseat(session, desk, person_id, capacity)
    _note(session, principal, desk.organisation_id, "seat.taken", desk=desk.id, person=person_id, capacity=capacity.value)


def add_type(session: Session, principal: Principal, organisation_id: str, name: str, options: TypeOptions) -> FolderType:
    """Add a type; see ``typology.add_type``."""
    principal.require(Right.ADMINISTER, organisation_id)
    added = typology.add_type(session, organisation_id, name, options)
    _note(session, principal, organisation_id, "type.added", type=added.id)
    return added


def change_type(session: Session, principal: Principal, found: FolderType, name: str, options: TypeOptions) -> None:
    """Change a type; see ``typology.change_type``."""
    principal.require(Right.ADMINISTER, found.organisation_id)
    typology.change_type(session, found, name, options)
    _note(session, principal, found.organisation_id, "type.changed", type=found.id)


@dataclass(frozen=True, slots=True)
class SubtypeDetails:
    """A subtype as an administrator describes it; see ``models.Subtype``."""

    name: str
    options: SubtypeOptions
    rows: tuple[Row, ...]
    description: str = ""


def add_subtype(session: Session, principal: Principal, of: FolderType, wanted: SubtypeDetails) -> Subtype:
    """Add a subtype to a type; see ``typology.add_subtype``."""
    principal.require(Right.ADMINISTER, of.organisation_id)
    added = typology.add_subtype(session, of, wanted.name, wanted.options, wanted.rows, wanted.description)
    _note(session, principal, of.organisation_id, "subtype.added", subtype=added.id)
    return added


def change_subtype(session: Session, principal: Principal, found: Subtype, wanted: SubtypeDetails) -> None:
    """Change a subtype; see ``typology.change_subtype``."""
    principal.require(Right.ADMINISTER, found.organisation_id)
    typology.change_subtype(session, found, wanted.name, wanted.options, wanted.rows, wanted.description)
    _note(session, principal, found.organisation_id, "subtype.changed", subtype=found.id)


def close_kind(session: Session, principal: Principal, found: Subtype | FolderType) -> None:
    """Close a type or a subtype; see ``typology.close``."""
    principal.require(Right.ADMINISTER, found.organisation_id)
    typology.close(session, found)
    _note_kind(session, principal, found, "closed")


def reopen_kind(session: Session, principal: Principal, found: Subtype | FolderType) -> None:
    """Open a type or a subtype again."""
    principal.require(Right.ADMINISTER, found.organisation_id)
    typology.reopen(session, found)
    _note_kind(session, principal, found, "reopened")


def _note_kind(session: Session, principal: Principal, found: Subtype | FolderType, what: str) -> None:
    if isinstance(found, Subtype):
        _note(session, principal, found.organisation_id, f"subtype.{what}", subtype=found.id)
    else:
        _note(session, principal, found.organisation_id, f"type.{what}", type=found.id)


def declare_field(
    session: Session,
    principal: Principal,
    organisation_id: str,
    key: str,
    name: str,
    kind: MetadataKind,
    choices: Sequence[str] = (),
) -> MetadataField:
    """Declare a metadata; see ``metadata.declare``."""
    principal.require(Right.ADMINISTER, organisation_id)
    field = metadata.declare(session, organisation_id, key, name, kind, choices)
    _note(session, principal, organisation_id, "metadata.declared", key=key)
    return field


def change_field(session: Session, principal: Principal, field: MetadataField, name: str, choices: Sequence[str]) -> None:
    """Change a metadata; see ``metadata.change``."""
    principal.require(Right.ADMINISTER, field.organisation_id)
    metadata.change(session, field, name, choices)
    _note(session, principal, field.organisation_id, "metadata.changed", key=field.key)


def withdraw_field(session: Session, principal: Principal, field: MetadataField) -> None:
    """Take a metadata away; see ``metadata.withdraw``."""
    principal.require(Right.ADMINISTER, field.organisation_id)
    metadata.withdraw(session, field)
    _note(session, principal, field.organisation_id, "metadata.withdrawn", key=field.key)


def draw_up(
    session: Session, principal: Principal, organisation_id: str, key: str, name: str, steps: Sequence[Step], *, new: bool = False
) -> Circuit:
    """Write a circuit, or its next version; see ``circuits.draw_up``."""
    principal.require(Right.ADMINISTER, organisation_id)
    written = circuits.draw_up(session, organisation_id, key, name, steps, new=new)
    kind = "circuit.added" if written.version == 1 else "circuit.changed"
    _note(session, principal, organisation_id, kind, circuit=written.id, key=key, version=str(written.version))
    return written


def retire(session: Session, principal: Principal, circuit: Circuit) -> None:
    """Let no folder start in a circuit any more; see ``circuits.retire``."""
    principal.require(Right.ADMINISTER, circuit.organisation_id)
    circuits.retire(session, circuit)
    _note(session, principal, circuit.organisation_id, "circuit.retired", circuit=circuit.id, key=circuit.key)


def _note(session: Session, principal: Principal, organisation_id: str, kind: str, **identifiers: str) -> None:
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=dict(identifiers))
