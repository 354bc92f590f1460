"""Pièces, lines and third parties of a bordereau, as the rules look at them: read in one pass over the tree, one at a time.

Only elements that a rule asks every pièce or line for are read. Each is a value of what it stands in (pièce, line or third
party), without the blanks around it; one without a value is an empty text there, for that it is present may count. Of a name the
first one counts. A pièce may have 999 999 lines, and a line of a titre any number of third parties: of those that were read, what
they stand in keeps only what its own rules ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from lxml import etree

from schemas.pes import identities
from schemas.pes.reader import Bordereau, PesDocument, value, whole
from schemas.pes.roots import DS

DEPENSE, RECETTE = "depense", "recette"
_YEAR = re.compile(r"[+0]*([0-9]{4})(?![0-9])")
_REMEMBERED = 1 << 12
_SIGNATURE = f"{{{DS}}}Signature"
_DEPTHS = {"Piece": 0, _SIGNATURE: 0, "LigneDePiece": 1, "Tiers": 2}
_DEBTOR, EMPLOYER = "01", "05"
_SIRET = "01"
# Each name costs a comparison at every element: what only few lines are asked for, the rules look for themselves.
_SHARED = (
    *("IdPce", "TypPce", "NatPce", "IdLigne", "MtHT", "MtTVA", "NatPceOrig"),
    *("IdTiers", "NatIdTiers", "CatTiers", "Civilite", "Prenom", "CodRes", "CodPays", "CpteBancaire", "BIC", "IBAN", "CleRib"),
)
_NAMES = {
    DEPENSE: (*_SHARED, "ModRegl"),
    RECETTE: (
        *(*_SHARED, "IdRol", "DteAsp", "Edition", "DebFact", "FinFact", "Majo", "DteMajo", "TxMajo"),
        *("AncienICS", "AncienneBanque", "TypTiers"),
    ),
}


@dataclass(frozen=True, slots=True)
class Flow:
    """What the rules know beside the bordereau at hand.

    Attributes:
        document: the flow.
        iban_holds: `identities.iban_holds`, which remembers what it was last asked; ``identifier_holds`` likewise.
    """

    document: PesDocument
    iban_holds: Callable[[str], bool]
    identifier_holds: Callable[[str, str, str | None], bool]

    @classmethod
    def of(cls, document: PesDocument) -> Self:
        """Return what is known of a flow."""
        remember = lru_cache(_REMEMBERED)
        return cls(document, remember(identities.iban_holds), remember(identities.identifier_holds))

    @property
    def of_a_hospital(self) -> bool:
        """Its accounts are kept by M21 or M22: these alone name a FinJur."""
        return self.document.header.fin_jur is not None


@dataclass(slots=True, eq=False)
class ThirdParty:
    """A third party of a line."""

    line: Line
    element: etree._Element
    values: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Line:
    """A line of a pièce.

    Attributes:
        again: a line before it in the pièce has its number.
        with_account: one of its third parties has a bank account; ``with_employer``: one is the employer of a patient.
    """

    piece: Piece
    element: etree._Element
    values: dict[str, str] = field(default_factory=dict)
    again: bool = False
    with_account: bool = False
    with_employer: bool = False


@dataclass(slots=True)
class Debtors:
    """What is kept of the main debtors of a pièce.

    Attributes:
        first: who the first one is; ``several``: another one is somebody else, several lines charge the same one.
        persons_only: each is a natural person; ``by_siret``: one is told by its SIRET.
    """

    first: tuple[str | None, ...] | None = None
    several: bool = False
    persons_only: bool = True
    by_siret: bool = False

    def add(self, party: ThirdParty) -> None:
        """Take one more into account."""
        values, info = party.values, party.element.find("InfoTiers")
        self.persons_only = self.persons_only and values.get("CatTiers") == identities.PERSON
        self.by_siret = self.by_siret or bool(values.get("NatIdTiers") == _SIRET and values.get("IdTiers"))
        if info is not None and not self.several:
            told = tuple(value(info, name) for name in ("IdTiers", "Nom", "ComplNom", "Prenom"))
            self.several = self.first not in (None, told)
            self.first = told


@dataclass(slots=True, eq=False)
class Piece:
    """A mandat or a titre.

    Attributes:
        again: a pièce before it in the bordereau has its number.
        numbers: of its lines.
        debtors: of all its lines.
    """

    flow: Flow
    bordereau: Bordereau
    element: etree._Element
    values: dict[str, str] = field(default_factory=dict)
    again: bool = False
    numbers: set[int] = field(default_factory=set)
    debtors: Debtors = field(default_factory=Debtors)

    @property
    def domain(self) -> str:
        """``depense`` or ``recette``."""
        return self.bordereau.domain

    @property
    def kind(self) -> tuple[str, str, str]:
        """TypBord, TypPce and NatPce, which are understood together; known before its first line."""
        return (self.bordereau.typ_bord or "", self.values.get("TypPce", ""), self.values.get("NatPce", ""))


def parts_of(flow: Flow, bordereau: Bordereau) -> Iterator[Piece | Line | ThirdParty]:
    """Yield the third parties, lines and pièces of a bordereau, each once it was read, hence after what stands in it."""
    standing: list[Any] = []
    values: dict[str, str] = {}
    numbers: set[int] = set()
    # One walk for the bordereau: to begin one takes as long as a line of it.
    for element in bordereau.element.iter(*_DEPTHS, *_NAMES[bordereau.domain]):
        name = element.tag
        depth = _DEPTHS.get(name)
        if depth is None:
            if name not in values:
                text = element.get("V")
                values[name] = text.strip() if text else ""
        elif depth <= len(standing):  # elsewhere it is the schema's to tell
            yield from _read(standing, depth, numbers)
            if name == _SIGNATURE:
                return
            standing.append(_PARTS[depth](standing[-1], element) if standing else Piece(flow, bordereau, element))
            values = standing[-1].values
    yield from _read(standing, 0, numbers)


def _read(standing: list[Any], depth: int, numbers: set[int]) -> Iterator[Piece | Line | ThirdParty]:
    """Take away what was read, the innermost first, having told of it to what it stands in."""
    while len(standing) > depth:
        part = standing.pop()
        if isinstance(part, ThirdParty):
            _note_party(part)
        elif isinstance(part, Line):
            part.again = _is_known(part.values.get("IdLigne"), part.piece.numbers)
        else:
            part.again = _is_known(part.values.get("IdPce"), numbers)
        yield part


def _note_party(party: ThirdParty) -> None:
    line, role = party.line, party.values.get("TypTiers")
    line.with_account = line.with_account or "CpteBancaire" in party.values
    line.with_employer = line.with_employer or role == EMPLOYER
    if role == _DEBTOR:
        line.piece.debtors.add(party)


def _is_known(text: str | None, numbers: set[int]) -> bool:
    number = whole(text)
    if number is None:  # which the schema tells
        return False
    known = number in numbers
    numbers.add(number)
    return known


_PARTS = {1: Line, 2: ThirdParty}


def year_of(text: str | None) -> int | None:
    """Return the year of a date or of an exercise; None when there is none."""
    found = _YEAR.match(text or "")
    return int(found[1]) if found else None
