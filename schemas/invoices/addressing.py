"""Where an invoice is sent, as the directory of the reform tells it: electronic addresses, what a recipient asks of invoices.

An electronic address has scheme 0225 and one of four levels: ``SIREN``, ``SIREN_SIRET``, ``SIREN_SIRET_CODE``, whose code is a
code service for a public body, and ``SIREN_SUFFIX`` (XP Z12-013, directory service; BR-FR-21 to BR-FR-25).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import UsageError
from core.identifiers import Siren, Siret
from schemas.invoices.parties import Identifier
from schemas.invoices.wording import messages

ADDRESSES = "0225"
"""Scheme of electronic addresses."""
PUBLIC_INVOICES = "FACTURES_PUBLIQUES"
"""Code service that every public body has, for invoices of other public bodies; suppliers do not choose it."""

_LONGEST = 125
_WRITABLE = re.compile(r"[A-Za-z0-9\-_.]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What an electronic address names: a legal unit, and at most an establishment with a code, or a suffix."""

    siren: Siren
    siret: Siret | None = None
    code: str = ""
    suffix: str = ""

    @property
    def address(self) -> Identifier | None:
        """The electronic address; None when the code holds what no address may: letters, digits and ``- _ .``, 125 in all."""
        parts = (self.siren, self.siret or "", self.code, self.suffix)
        value = "_".join(part for part in parts if part)
        return Identifier(value, ADDRESSES) if len(value) <= _LONGEST and _WRITABLE.fullmatch(value) else None

    @classmethod
    def of(cls, address: str) -> Place:
        """Return what an electronic address names.

        Raises:
            UsageError: it is none.
        """
        if len(address) > _LONGEST or not _WRITABLE.fullmatch(address) or address.endswith("_"):
            raise UsageError(messages("address.strange", found=address[:_LONGEST]))
        siren, _, rest = address.partition("_")
        unit = Siren(siren)
        siret, _, code = rest.partition("_")
        if len(siret) != Siret.length or not siret.startswith(unit):
            return cls(unit, suffix=rest)
        return cls(unit, Siret(siret), code)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a recipient.

    Attributes:
        code: *code service*, which routes invoices.
        active: whether it takes invoices today.
        engagement: whether invoices must bear a *numéro d'engagement*; None when it was not told.
        address: None when the code cannot stand in an address.
    """

    code: str
    name: str
    active: bool
    engagement: bool | None
    address: Identifier | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whoever receives invoices at an establishment.

    Attributes:
        active: whether it takes invoices today; None when it was not told.
        service, engagement: whether invoices must bear a *code service*, a *numéro d'engagement*; None when it was not told.
        either: whether they must bear one of the two.
        address: of the establishment.
        services: all, ``PUBLIC_INVOICES`` and closed ones among them.
    """

    siret: Siret
    name: str
    active: bool | None
    service: bool | None
    engagement: bool | None
    either: bool | None
    address: Identifier | None
    services: tuple[Service, ...]
