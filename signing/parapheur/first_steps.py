"""The first set-up of a parapheur: what is there already, what is proposed to a mairie that has nothing yet, what was skipped.

Nothing is remembered that can be seen: a step is done when what it makes is there. Only that somebody skipped one is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from core import journal
from core.configuration import Configuration, configuration_of, configure
from core.errors import Conflict
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import Principal, Right
from core.secrets import SecretBox
from signing.parapheur import administration, circuits, desks, seal_keeping, typology
from signing.parapheur.administration import DeskDetails, SubtypeDetails
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.models import Capacity, Desk, Folder, Seat, StepKind
from signing.parapheur.typology import Protocol, SignatureFormat, SubtypeOptions, TypeOptions

_messages = Catalogue("signing.parapheur")
SKIPPED = "parapheur.first_steps"
PROPOSED_CIRCUIT = "visa-signature"


class FirstStep(StrEnum):
    """The steps, in order, by the name that stands in an address."""

    PEOPLE = "personnes"
    DESKS = "bureaux"
    TYPES = "types"
    SEAL = "cachet"
    TRIAL = "essai"


class Skipped(BaseModel):
    """The steps that somebody chose not to take, for now."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[FirstStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a step stands.

    Attributes:
        count: how much of what it makes is there.
        done: enough of it.
    """

    step: FirstStep
    count: int
    done: bool
    skipped: bool


def stands(session: Session, box: SecretBox, organisation: Organisation) -> list[Stand]:
    """Return where each step stands; the session is the platform's, since a seal may come from above."""
    skipped = _skipped(session, box, organisation.id)
    held = select(Seat.desk_id).where(Seat.organisation_id == organisation.id, Seat.capacity == Capacity.HOLDER.value)
    open_desks = select(Desk.id).where(Desk.organisation_id == organisation.id, col(Desk.closed).is_(None))
    seal = seal_keeping.shown(session, box, organisation.id)
    sent = select(Folder.id).where(Folder.organisation_id == organisation.id).limit(1)
    counts = {
        FirstStep.PEOPLE: (len(desks.seatable(session, organisation)), 2),
        FirstStep.DESKS: (len(session.exec(open_desks.where(col(Desk.id).in_(held))).all()), 2),
        FirstStep.TYPES: (len(typology.kinds(session, organisation.id)), 1),
        FirstStep.SEAL: (int(seal is not None and not seal.trouble), 1),
        FirstStep.TRIAL: (len(session.exec(sent).all()), 1),
    }
    return [Stand(step, count, count >= least, step in skipped) for step, (count, least) in counts.items()]


def next_step(found: Sequence[Stand]) -> FirstStep | None:
    """Return the first step that is neither done nor skipped; None when there is none."""
    return next((one.step for one in found if not one.done and not one.skipped), None)


def skip(session: Session, box: SecretBox, principal: Principal, organisation_id: str, step: FirstStep, *, skips: bool) -> None:
    """Skip a step, or take it up again.

    Raises:
        Forbidden: the principal does not administer the organisation.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    there = _skipped(session, box, organisation_id)
    kept = tuple(one for one in FirstStep if (one in there and one is not step) or (one is step and skips))
    configure(session, box, organisation_id, SKIPPED, Skipped(steps=kept))
    facts = {"configuration": SKIPPED}
    kind = "configuration.changed"
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)


def _skipped(session: Session, box: SecretBox, organisation_id: str) -> tuple[FirstStep, ...]:
    if session.get(Configuration, (organisation_id, SKIPPED)) is None:
        return ()
    return configuration_of(session, box, organisation_id, SKIPPED, Skipped).steps


@dataclass(frozen=True, slots=True)
class ProposedDesk:
    """A desk to make: its name and short name, and who is to hold it, if anybody."""

    name: str
    short_name: str
    holder: str = ""


def make_desks(session: Session, principal: Principal, organisation_id: str, wanted: Sequence[ProposedDesk]) -> list[Desk]:
    """Make desks, each below the next one: those who prepare first, the head last.

    Raises:
        Forbidden, UsageError, Conflict: see ``administration.add_desk`` and ``administration.seat``.
    """
    above, made = None, list[Desk]()
    for one in reversed(wanted):
        details = DeskDetails(one.name, one.short_name, parent_id=above)
        desk = administration.add_desk(session, principal, organisation_id, details)
        if one.holder:
            administration.seat(session, principal, desk, one.holder, Capacity.HOLDER)
        above = desk.id
        made.append(desk)
    return made[::-1]


@dataclass(frozen=True, slots=True)
class ProposedTypes:
    """A circuit of a visa and a signature, and the types whose folders take it.

    Attributes:
        approver_id, signer_id: identifiers of the desks that approve and that sign.
        city, postal_code: where the PES are signed.
        mail: a type “Courrier” is wanted; ``helios`` one for the PES.
    """

    approver_id: str
    signer_id: str
    city: str = ""
    postal_code: str = ""
    mail: bool = True
    helios: bool = True


def make_types(session: Session, principal: Principal, organisation_id: str, wanted: ProposedTypes) -> None:
    """Make the circuit and the types that are proposed; their names are words of the catalogue.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: a desk that is closed or of elsewhere.
        Conflict: a type of that name is there.
    """
    if any(one.key == PROPOSED_CIRCUIT for one in circuits.all_current(session, organisation_id)):
        raise Conflict(_messages("circuit.taken", key=PROPOSED_CIRCUIT))
    steps = (
        Step(kind=StepKind.VISA, places=(Place(desk=wanted.approver_id),)),
        Step(kind=StepKind.SIGNATURE, places=(Place(desk=wanted.signer_id),)),
    )
    name = _messages("first.circuit")
    administration.draw_up(session, principal, organisation_id, PROPOSED_CIRCUIT, name, steps)
    if wanted.mail:
        signing = TypeOptions(city=wanted.city, postal_code=wanted.postal_code)
        _make_type(session, principal, organisation_id, "mail", signing)
    if wanted.helios:
        signing = TypeOptions(
            format=SignatureFormat.PES, protocol=Protocol.HELIOS, city=wanted.city, postal_code=wanted.postal_code
        )
        _make_type(session, principal, organisation_id, "helios", signing)


def _make_type(session: Session, principal: Principal, organisation_id: str, what: str, signing: TypeOptions) -> None:
    of = administration.add_type(session, principal, organisation_id, _messages(f"first.{what}.type"), signing)
    details = SubtypeDetails(_messages(f"first.{what}.subtype"), SubtypeOptions(), (Row(circuit=PROPOSED_CIRCUIT),))
    administration.add_subtype(session, principal, of, details)
