"""Envelopes of ACTES as values, and who stands in them; ``messages.py`` holds what travels inside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SignedFile:
    """``FichierSigne``: a file that a message names.

    Attributes:
        name: ``NomFichier``.
        signature: a detached signature as text (PKCS#7 in base 64); the markup, when the element holds XML.
    """

    name: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Referent:
    """The person to turn to."""

    name: str | None = None
    telephone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Collectivite:
    """``IDCL``: how the State knows a collectivité.

    Attributes:
        siren: nine digits.
        department: three characters.
        arrondissement: one digit.
        nature: two digits (``31`` commune); the list belongs to the State and grows.
    """

    siren: str
    department: str
    arrondissement: str
    nature: str


@dataclass(frozen=True, slots=True)
class EnveloppeCLMISILL:
    """The envelope that a collectivité sends.

    Attributes:
        addresses: where the State mails everything about this envelope.
        forms: the files of its messages.
    """

    sender: Collectivite
    addresses: tuple[str, ...]
    forms: tuple[SignedFile, ...]
    referent: Referent | None = None


class OfficeKind(StrEnum):
    """What kind of office of the State speaks, as names of envelopes write it."""

    SGAR = "SGAR"
    PREFECTURE = "PREF"
    SOUS_PREFECTURE = "SPREF"


@dataclass(frozen=True, slots=True)
class Office:
    """An office of the State; only a sous-préfecture has an arrondissement."""

    kind: OfficeKind
    department: str
    arrondissement: str | None = None

    def __str__(self) -> str:
        """Return the office as names of envelopes write it: ``SPREF0441``."""
        return f"{self.kind.value}{self.department}{self.arrondissement or ''}"


@dataclass(frozen=True, slots=True)
class EnveloppeMISILLCL:
    """The envelope that the State sends.

    Attributes:
        sender: None when it cannot be read.
        recipient: SIREN of the collectivité, the only way to route what names no act.
    """

    sender: Office | None
    recipient: str
    forms: tuple[SignedFile, ...]
    referent: Referent | None = None


Envelope = EnveloppeCLMISILL | EnveloppeMISILLCL
