"""Pièces, lines and third parties of a bordereau, as the rules look at them: read in one pass over the tree, a pièce at a time.

Only elements that a rule asks every pièce or line for are read. Each is a value of what it stands in (pièce, line or third
party), without the blanks around it; one without a value is an empty text there, for that it is present may count. Of a name the
first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from lxml import etree

from schemas.pes import identities
from schemas.pes.reader import Bordereau, PesDocument, whole
from schemas.pes.roots import DS

DEPENSE, RECETTE = "depense", "recette"
_YEAR = re.compile(r"[+0]*([0-9]{4})(?![0-9])")
_REMEMBERED = 1 << 12
_SIGNATURE = f"{{{DS}}}Signature"
# Each name costs a comparison at every element: what only few lines are asked for, the rules look for themselves.
_SHARED = (
    *("LigneDePiece", "Tiers", "IdPce", "TypPce", "NatPce", "IdLigne", "MtHT", "MtTVA", "NatPceOrig"),
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
    """A line of a pièce."""

    piece: Piece
    element: etree._Element
    values: dict[str, str] = field(default_factory=dict)
    parties: list[ThirdParty] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Piece:
    """A mandat or a titre.

    Attributes:
        kind: TypBord, TypPce and NatPce, which are understood together.
        again: a pièce before it in the bordereau has its number.
    """

    flow: Flow
    bordereau: Bordereau
    element: etree._Element
    kind: tuple[str, str, str] = ("", "", "")
    again: bool = False
    values: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def domain(self) -> str:
        """``depense`` or ``recette``."""
        return self.bordereau.domain


def pieces_of(flow: Flow, bordereau: Bordereau) -> Iterator[Piece]:
    """Yield the pièces of a bordereau, each whole."""
    piece: Piece | None = None
    values: dict[str, str] = {}
    lines: list[Line] = []
    numbers: set[int] = set()
    # One walk for the bordereau: to begin one takes as long as a line of it.
    for element in bordereau.element.iter("Piece", _SIGNATURE, *_NAMES[bordereau.domain]):
        name = element.tag
        if name == "Piece" or name == _SIGNATURE:
            if piece is not None:
                yield _whole(piece, numbers)
            piece = Piece(flow, bordereau, element)
            values, lines = piece.values, piece.lines
            if name == _SIGNATURE:
                return
        elif name == "LigneDePiece" and piece is not None:
            lines.append(Line(piece, element))
            values = lines[-1].values
        elif name == "Tiers" and lines:
            lines[-1].parties.append(ThirdParty(lines[-1], element))
            values = lines[-1].parties[-1].values
        elif name not in values:
            text = element.get("V")
            values[name] = text.strip() if text else ""
    if piece is not None:
        yield _whole(piece, numbers)


def _whole(piece: Piece, numbers: set[int]) -> Piece:
    """Say of a pièce what its values tell, now that all were read."""
    piece.kind = (piece.bordereau.typ_bord or "", piece.values.get("TypPce", ""), piece.values.get("NatPce", ""))
    number = whole(piece.values.get("IdPce"))
    if number is not None:
        piece.again = number in numbers
        numbers.add(number)
    return piece


def year_of(text: str | None) -> int | None:
    """Return the year of a date or of an exercise; None when there is none."""
    found = _YEAR.match(text or "")
    return int(found[1]) if found else None
