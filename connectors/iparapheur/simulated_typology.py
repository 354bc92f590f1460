"""What the simulated parapheur is set up with: people and their desks, types and sub-types, circuits, metadata."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum

from connectors.iparapheur.messages import Nature

TENANT = "valmorin"


class Action(StrEnum):
    """What a step asks for."""

    VISA = "VISA"
    SIGNATURE = "SIGNATURE"
    SEAL = "SEAL"
    MAIL = "SECURE_MAIL"


class SignatureFormat(StrEnum):
    """How the documents of a type are signed."""

    AUTO = "AUTO"
    PADES = "PADES"
    CADES = "PKCS7"
    XADES = "XADES_DETACHED"
    PES = "PES_V2"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has an account, and the desk that they hold.

    Attributes:
        login: of the account, the tenant included.
        password: of the account.
        name: first name, then name.
        desk: name of the desk.
    """

    login: str
    password: str = field(repr=False)
    name: str
    desk: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a circuit.

    Attributes:
        action: what is to be done.
        desks: where; with several, the first to act decides, or all must act.
        every: all must act.
    """

    action: Action
    desks: tuple[str, ...]
    every: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """A declared metadata."""

    name: str
    label: str
    nature: Nature


@dataclass(frozen=True, slots=True)
class Subtype:
    """A sub-type.

    Attributes:
        name: within its type.
        steps: its circuit.
        mandatory: names of metadata without which nothing is created.
        optional: names of other metadata.
        several: more than one main document is taken.
    """

    name: str
    steps: tuple[Step, ...]
    mandatory: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class Type:
    """A type.

    Attributes:
        name: unique.
        format: of its signatures.
        subtypes: at least one.
        creators: desks that may create dossiers of it; none means all.
    """

    name: str
    format: SignatureFormat
    subtypes: tuple[Subtype, ...]
    creators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Typology:
    """All of it."""

    people: tuple[Person, ...]
    types: tuple[Type, ...]
    metadata: tuple[Metadata, ...]

    def person(self, login: str) -> Person | None:
        """Return who has an account."""
        return next((one for one in self.people if one.login == login), None)

    def holder(self, desk: str) -> Person:
        """Return who holds a desk."""
        return next(one for one in self.people if one.desk == desk)

    def creatable(self, desk: str) -> tuple[Type, ...]:
        """Return the types that a desk may create dossiers of."""
        return tuple(one for one in self.types if not one.creators or desk in one.creators)

    def subtype(self, desk: str, kind: str, name: str) -> tuple[Type, Subtype] | None:
        """Return a type and its sub-type, named or by identifier, if the desk may create dossiers of them."""
        for one in self.creatable(desk):
            if kind in {one.name, identifier(one.name)}:
                found = (each for each in one.subtypes if name in {each.name, identifier(one.name, each.name)})
                return next(((one, each) for each in found), None)
        return None


def identifier(*names: str) -> str:
    """Return the UUID of something that has a name: always the same for the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((TENANT, *names))))


EMITTER, MANAGER, ACCOUNTS, MAYOR = "Guichet", "Direction générale", "Finances", "Maire"

_VISA = Step(Action.VISA, (MANAGER,))
_SIGNATURE = Step(Action.SIGNATURE, (MAYOR,))
_SIGNED = (Subtype("signature", (_SIGNATURE,)),)

DEMONSTRATION = Typology(
    people=(
        Person(f"logiciel@{TENANT}", "guichet:2026", "Logiciel métier", EMITTER),
        Person(f"direction@{TENANT}", "direction-2026", "Dominique Vasseur", MANAGER),
        Person(f"finances@{TENANT}", "finances-2026", "Alix Morand", ACCOUNTS),
        Person(f"maire@{TENANT}", "maire-2026", "Camille Aubry", MAYOR),
    ),
    types=(
        Type(
            "Actes",
            SignatureFormat.AUTO,
            (
                Subtype("visa sans meta", (_VISA,)),
                Subtype("visa avec meta", (_VISA,), ("urgent",), ("service",)),
                Subtype("visa et signature", (_VISA, _SIGNATURE)),
                Subtype("visas de tous", (Step(Action.VISA, (MANAGER, ACCOUNTS), every=True),)),
                Subtype("visa de l’un", (Step(Action.VISA, (MANAGER, ACCOUNTS)),)),
                Subtype("signature", (_SIGNATURE,)),
                Subtype("mail", (Step(Action.MAIL, (MANAGER,)),)),
            ),
        ),
        Type("Actes multiples", SignatureFormat.AUTO, (Subtype("signature", (_SIGNATURE,), several=True),)),
        Type("PDF", SignatureFormat.PADES, (*_SIGNED, Subtype("cachet", (Step(Action.SEAL, (MANAGER,)),)))),
        Type("CAdES", SignatureFormat.CADES, _SIGNED),
        Type("XAdES", SignatureFormat.XADES, _SIGNED),
        Type("HELIOS", SignatureFormat.PES, _SIGNED),
        Type("Arrêtés du maire", SignatureFormat.AUTO, _SIGNED, creators=(MAYOR,)),
    ),
    metadata=(
        Metadata("urgent", "Dossier urgent", Nature.BOOLEAN),
        Metadata("service", "Service instructeur", Nature.TEXT),
    ),
)
"""A town that does not exist."""
