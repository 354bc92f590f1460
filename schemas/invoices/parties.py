"""Who an invoice is between: the parties of EN 16931, by the numbers of its terms (BT, BG)."""

from __future__ import annotations

from dataclasses import dataclass

SIREN, SIRET, SERVICE = "0002", "0009", "0224"
"""Schemes of identifiers (ISO/IEC 6523): a legal unit, an establishment, a code service."""

_SIREN_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Identifier:
    """A value and the scheme that gives it its meaning (ISO/IEC 6523 or EAS code); the scheme may be empty."""

    value: str
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; the country is ISO 3166-1 alpha-2."""

    lines: tuple[str, ...] = ()
    postcode: str = ""
    city: str = ""
    subdivision: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to ask: personal data, shown to those who may read the invoice and nowhere else."""

    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """Seller (BG-4), buyer (BG-7), payee (BG-10), tax representative (BG-11) or the place of delivery (BG-13).

    Attributes:
        name: BT-27, BT-44, BT-59, BT-62, BT-70.
        trading_name: BT-28, BT-45.
        legal_id: BT-30, BT-47, BT-61; of scheme 0002 when it is a SIREN.
        identifiers: BT-29, BT-46, BT-60, BT-71.
        vat: BT-31, BT-48, BT-63.
        tax_id: BT-32, another registration with the tax authority.
        address: BG-5, BG-8, BG-12, BG-15.
        electronic: BT-34, BT-49.
        legal_form: BT-33, in the seller's words.
        contact: BG-6, BG-9.
    """

    name: str = ""
    trading_name: str = ""
    legal_id: Identifier | None = None
    identifiers: tuple[Identifier, ...] = ()
    vat: str = ""
    tax_id: str = ""
    address: Address = Address()
    electronic: Identifier | None = None
    legal_form: str = ""
    contact: Contact | None = None

    @property
    def siren(self) -> str:
        """The SIREN as it is written, from the legal identifier or else the SIRET; empty when there is none."""
        if self.legal_id is not None and self.legal_id.scheme in {SIREN, ""} and len(self.legal_id.value) == _SIREN_LENGTH:
            return self.legal_id.value
        return self.siret[:_SIREN_LENGTH]

    @property
    def siret(self) -> str:
        """The SIRET as it is written; empty when there is none."""
        every = (*self.identifiers, *((self.legal_id,) if self.legal_id else ()))
        return next((one.value for one in every if one.scheme == SIRET), "")


NOBODY = Party()
"""A party of which nothing is said."""
