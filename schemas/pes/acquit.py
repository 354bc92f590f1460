"""PES Acquit: what Hélios answers to one PES Aller, both versions read into one tree of elements, pièces and lines.

A message from the State is read as far as it goes: what is missing is None, and each flaw a warning. Which flow it answers is
the platform's business; how one is written, that of ``writer.py``.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.pes.header import Header
from schemas.pes.reader import PesDocument, flag, read, value

_NUMBERED = re.compile(r"^(\d{4}) - ")
_OF_THE_WHOLE_FLOW = frozenset({"0", "1", "2", "3"})  # technique, and the three kinds of signature
_BOOKED = frozenset({"5", "6", "7", "8", "9", "10", "11", "12"})  # what enters the books, unlike supporting documents (4)
messages = Catalogue("schemas.pes")


class Answer(StrEnum):
    """What an acquit says of the flow as a whole (domain rule A06)."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One reason for a refusal.

    Attributes:
        code: NumAnoAck (``ERREUR_…``).
        label: LibelleAnoAck, verbatim.
    """

    code: str | None
    label: str | None

    @property
    def number(self) -> str | None:
        """The four digits that open the label of a business error (``1971 - …``), None when there are none."""
        match = _NUMBERED.match(self.label or "")
        return match.group(1) if match else None

    def as_json(self) -> dict[str, Any]:
        """Return the fields and the number."""
        return asdict(self) | {"number": self.number}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a pièce that is objected to."""

    number: str | None
    anomalies: tuple[Anomaly, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {"number": self.number, "anomalies": [anomaly.as_json() for anomaly in self.anomalies]}


@dataclass(frozen=True, slots=True)
class Piece:
    """A pièce (mandat or titre) that is objected to, itself or by its lines."""

    number: str | None
    anomalies: tuple[Anomaly, ...] = ()
    lines: tuple[Line, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {
            "number": self.number,
            "anomalies": [anomaly.as_json() for anomaly in self.anomalies],
            "lines": [line.as_json() for line in self.lines],
        }


@dataclass(frozen=True, slots=True)
class Element:
    """One thing that Hélios accepted or refused.

    Attributes:
        domain: DomaineAck as written (``0`` technique … ``4`` PJ, ``5`` dépense, ``6`` recette … ``99``).
        accepted: EtatAck; None when it is absent or unreadable.
        bordereau: NumBord; ``exercice`` its year.
        id_marche: of a contract; ``id_unique`` of a supporting document.
        anomalies: of the element itself.
        pieces: those objected to.
    """

    domain: str | None
    accepted: bool | None
    bordereau: str | None = None
    exercice: str | None = None
    id_marche: str | None = None
    id_unique: str | None = None
    anomalies: tuple[Anomaly, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def label(self) -> str:
        """The domain in words, in the current language."""
        key = f"acquit.domain.{self.domain}"
        return messages(key) if key in messages else messages("acquit.domain.other", domain=self.domain or "?")

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        names = ("domain", "accepted", "bordereau", "exercice", "id_marche", "id_unique")
        return {name: getattr(self, name) for name in names} | {
            "anomalies": [anomaly.as_json() for anomaly in self.anomalies],
            "pieces": [piece.as_json() for piece in self.pieces],
        }


@dataclass(frozen=True, slots=True)
class Acquit:
    """One acquit.

    Attributes:
        header: copied by Hélios from the flow that it answers: ``nom_fic`` and ``cod_col`` find the flow.
        elements: in the order of the file.
        flaws: what could not be read as it should, warnings only.
    """

    header: Header
    elements: tuple[Element, ...]
    flaws: tuple[Problem, ...] = ()

    @property
    def answer(self) -> Answer | None:
        """Accepted, partial or refused; None when the acquit tells nothing: a person has to look (domain rule A06).

        Refused: nothing that enters the books was accepted, or the flow failed as a whole (technique, signature). A flow of
        supporting documents alone is judged on these. Nothing is refused that says neither yes nor no.
        """
        if not self.elements or all(element.accepted is None for element in self.elements):
            return None
        if all(element.accepted for element in self.elements):
            return Answer.ACCEPTED
        if any(element.domain in _OF_THE_WHOLE_FLOW and element.accepted is False for element in self.elements):
            return Answer.REFUSED
        judged = [element.accepted for element in self.elements if element.domain in _BOOKED]
        states = judged or [element.accepted for element in self.elements]
        if any(states):
            return Answer.PARTIAL
        return None if None in states else Answer.REFUSED

    def as_json(self) -> dict[str, Any]:
        """Return everything but the flaws, JSON values only, for storage."""
        return {
            "nom_fic": self.header.nom_fic,
            "cod_col": self.header.cod_col,
            "answer": self.answer.value if self.answer else None,
            "elements": [element.as_json() for element in self.elements],
        }


def read_acquit(path: Path) -> Acquit:
    """Read an acquit file, valid or not.

    Raises:
        DoctypeRefused: a DOCTYPE is declared.
        Malformed: not well-formed XML.
    """
    return acquit_of(read(path))


def acquit_of(document: PesDocument) -> Acquit:
    """Return the acquit that a parsed document holds."""
    found = document.root.findall("ACQUIT/ElementACQUIT")
    elements = tuple(_element(element) for element in found)
    flaws = [
        _flaw("A06.state", found[rank].sourceline, f"/*/ACQUIT/ElementACQUIT[{rank + 1}]")
        for rank, element in enumerate(elements)
        if element.accepted is None
    ]
    if not elements:
        flaws.append(_flaw("A06.empty", document.root.sourceline, "/*/ACQUIT"))
    return Acquit(header=document.header, elements=elements, flaws=tuple(flaws))


def _element(element: etree._Element) -> Element:
    pieces = tuple(_piece(piece) for piece in element.iterchildren("DetailPiece"))
    flat = tuple(_anomalies([element]))  # the first version has pièce, line and anomaly side by side
    anomalies = tuple(_anomalies(element.iterchildren("Erreur")))
    if number := value(element, "NumPiece"):
        line = value(element, "NumLigne")
        lines = (Line(line, flat),) if line else ()
        pieces = (Piece(number, () if line else flat, lines), *pieces)
    else:
        anomalies = flat + anomalies
    return Element(
        domain=value(element, "DomaineAck"),
        accepted=flag(value(element, "EtatAck")),
        bordereau=value(element, "NumBord"),
        exercice=value(element, "ExerciceBord"),
        id_marche=value(element, "IdMarche"),
        id_unique=value(element, "IdUnique"),
        anomalies=anomalies,
        pieces=pieces,
    )


def _piece(element: etree._Element) -> Piece:
    return Piece(
        number=value(element, "NumPiece"),
        anomalies=tuple(_anomalies(element.iterchildren("Erreur"))),
        lines=tuple(
            Line(value(line, "NumLigne"), tuple(_anomalies(line.iterchildren("Erreur"))))
            for line in element.iterchildren("DetailLigne")
        ),
    )


def _anomalies(elements: Any) -> list[Anomaly]:
    found = [Anomaly(value(element, "NumAnoAck"), value(element, "LibelleAnoAck")) for element in elements]
    return [anomaly for anomaly in found if anomaly.code or anomaly.label]


def _flaw(key: str, line: int, path: str) -> Problem:
    return Problem(
        rule="A06",
        severity=Severity.WARNING,
        message=messages(f"{key}.message"),
        line=line,
        path=path,
        expected=messages(f"{key}.expected"),
        mend=messages("A06.mend"),
    )
