"""A third party as a page shows it: who, where, and to which account; what identifies a person or an account is masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.pes import labels
from schemas.pes.parts import ThirdParty

_NIR = "04"
_SHOWN = 4
_RIB = ("CodeEtab", "CodeGuic", "IdCpte", "CleRib")


@dataclass(frozen=True, slots=True)
class Account:
    """A bank account: its number, perhaps masked, and what stands beside it."""

    number: str
    bic: str
    bank: str
    holder: str


@dataclass(frozen=True, slots=True)
class Party:
    """A third party.

    Attributes:
        role: what it is to the debt, in words; empty for an expense.
        identifier: perhaps masked; ``identifier_kind`` of which kind, in words.
        address: its lines.
    """

    name: str
    role: str
    identifier: str
    identifier_kind: str
    reference: str
    category: str
    legal: str
    address: tuple[str, ...]
    accounts: tuple[Account, ...]


def party(found: ThirdParty, *, plain: bool) -> Party:
    """Return a third party as it is shown; ``plain`` shows bank details and social security numbers in full."""
    values = found.values
    names = (values.get("Civilite"), values.get("Prenom"), values.get("Nom"), values.get("ComplNom"))
    kind = values.get("NatIdTiers")
    identifier = values.get("IdTiers", "")
    town = " ".join(filter(None, (values.get("CP"), values.get("Ville"))))
    lines = (values.get("Adr1"), values.get("Adr2"), values.get("Adr3"), town)
    return Party(
        " ".join(filter(None, names)),
        labels.code("TypTiers", values.get("TypTiers")),
        identifier if plain or kind != _NIR else masked(identifier),
        labels.code("NatIdTiers", kind),
        values.get("RefTiers", ""),
        labels.code("CatTiers", values.get("CatTiers")),
        labels.code("NatJur", values.get("NatJur")),
        tuple(line for line in lines if line),
        tuple(_account(one, plain=plain) for one in found.accounts),
    )


def masked(number: str) -> str:
    """Return a number of which the last four characters are left, or none when that would be most of it."""
    kept = number[-_SHOWN:] if len(number) >= 2 * _SHOWN else ""
    return f"••••{kept}"


def _account(values: Mapping[str, str], *, plain: bool) -> Account:
    number = values.get("IBAN") or "".join(values.get(name, "") for name in _RIB)
    spaced = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    shown = spaced if plain else masked(number) if number else ""
    return Account(shown, values.get("BIC", "") if plain else "", values.get("LibBanc", ""), values.get("TitCpte", ""))
