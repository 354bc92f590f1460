"""The numbered rules on third parties, their addresses and accounts: B08 to B11, asked by `schemas.pes.bordereaux`."""

from __future__ import annotations

from collections.abc import Iterator

from core.problems import Problem
from schemas.pes import identities
from schemas.pes.findings import at
from schemas.pes.labels import identifier_form
from schemas.pes.pieces import DEPENSE, ThirdParty
from schemas.pes.reader import flag, value, whole

_RIB = ("CodeEtab", "CodeGuic", "IdCpte", "CleRib")
_NIR = "04"
_FRANCE, _ABROAD, _OVERSEAS = 100, "99999", "98"
_CORRECTION, _OF_A_TITRE = "02", "09"


def _b08_iban(party: ThirdParty) -> Iterator[Problem]:
    """The keys of accounts; the BIC of one abroad."""
    values = party.values
    if "CpteBancaire" not in values:
        return
    iban, bic = values.get("IBAN"), values.get("BIC")
    if iban:
        if not party.line.piece.flow.iban_holds(iban):
            yield _within(party, "CpteBancaire", "B08", found=iban)
        elif not bic and identities.is_abroad(iban):
            yield _within(party, "CpteBancaire", "B08", "abroad", iban)
    elif values.get("CleRib"):
        rib = [value(party.element, f"CpteBancaire/{name}") or "" for name in _RIB]
        if all(rib) and not identities.rib_holds(*rib):
            yield _within(party, "CpteBancaire", "B08", "rib", " ".join(rib))
    if bic and not identities.is_bic(bic):
        yield _within(party, "CpteBancaire", "B08", "bic", bic)


def _b09_identifier(party: ThirdParty) -> Iterator[Problem]:
    """The identifier of a third party goes with its nature; that of a person insured is for hospitals."""
    values = party.values
    identifier, nature = values.get("IdTiers"), values.get("NatIdTiers")
    if identifier is None and nature is None:
        return
    if identifier is None or nature is None:
        yield _within(party, "InfoTiers", "B09", "alone", identifier or nature)
    elif identifier and not party.line.piece.flow.identifier_holds(identifier, nature, values.get("CatTiers")):
        yield _within(party, "InfoTiers", "B09", found=identifier, expected=identifier_form(nature))
    elif nature == _NIR and not _may_name_a_nir(party):
        yield _within(party, "InfoTiers", "B09", "nir")


def _may_name_a_nir(party: ThirdParty) -> bool:
    piece = party.line.piece
    return piece.flow.of_a_hospital and (piece.domain != DEPENSE or piece.kind[1:] == (_CORRECTION, _OF_A_TITRE))


def _b10_person(party: ThirdParty) -> Iterator[Problem]:
    """A natural person has a title and a first name; who is none has neither, in dépense."""
    values = party.values
    category, told = values.get("CatTiers"), [name for name in ("Civilite", "Prenom") if name in values]
    if category == identities.PERSON and len(told) < 2:
        yield _within(party, "InfoTiers", "B10", "missing", value(party.element, "InfoTiers/Nom"))
    elif category and category != identities.PERSON and told and party.line.piece.domain == DEPENSE:
        yield _within(party, "InfoTiers", "B10", found=value(party.element, "InfoTiers/Nom"))


def _b11_abroad(party: ThirdParty) -> Iterator[Problem]:
    """The country of one who lives abroad, and the postcode that says so; overseas communities and Monaco have their own."""
    values = party.values
    lives_abroad = flag(values.get("CodRes"))
    if lives_abroad is None:
        return
    country = values.get("CodPays")
    if not lives_abroad:
        if country and whole(country) != _FRANCE:
            yield _within(party, "Adresse", "B11", found=country)
    elif country is None:
        yield _within(party, "Adresse", "B11", "missing")
    elif not (postcode := value(party.element, "Adresse/CP") or _ABROAD).startswith((_ABROAD, _OVERSEAS)):
        yield _within(party, "Adresse", "B11", "postcode", postcode, _ABROAD)


RULES = (_b08_iban, _b09_identifier, _b10_person, _b11_abroad)


def _within(
    party: ThirdParty, name: str, rule: str, variant: str = "", found: str | None = None, expected: str | None = None
) -> Problem:
    element = party.element.find(name)
    return at(party.element if element is None else element, rule, variant, found=found, expected=expected)
