"""An act as its dossier keeps it: what the collectivité says of it, and its files in order; JSON among the facts, values here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.actes.codes import BUDGET_MATIERE, BUDGET_NATURE, NATURES
from schemas.actes.names import IdActe


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """A file of an act that is in the object store already.

    Attributes:
        type: typology code, when one was chosen.
        signature: a detached signature over it.
    """

    name: str
    media_type: str
    sha256: str
    size: int
    type: str | None = None
    signature: JoinedFile | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of an act.

    Attributes:
        role: of the file in the dossier: ``document``, ``annex.1``, ``annex.2`` …
        type: typology code; None when nobody chose one.
        signature_role: of the detached signature over it, when there is one.
    """

    role: str
    type: str | None = None
    signature_role: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What a collectivité says of an act.

    Attributes:
        decision_date: the day on which it was decided.
        number: the collectivité's own.
        nature: 1 to 6.
        matieres: codes of the matière, level by level.
        subject: in plain words.
        pieces: the main document first.
        paper: a paper copy follows.
        previous: identifier of the act that this one replaces.
    """

    number: str
    decision_date: date
    nature: int
    matieres: tuple[int, ...]
    subject: str
    pieces: tuple[Piece, ...]
    paper: bool = False
    previous: str | None = None

    @property
    def is_budget(self) -> bool:
        """A budget, of nature 5 and matière 7.1: in XML as the ministry's own application reads it, or in PDF."""
        return self.nature == BUDGET_NATURE and self.matieres[:2] == BUDGET_MATIERE

    @property
    def main_type(self) -> str:
        """The typology of its main document when none was chosen."""
        return NATURES[self.nature].main_type

    def identifier(self, department: str, siren: str) -> IdActe:
        """Return the identifier that the State will know it by.

        Raises:
            UnwritableName: a part of it does not fit the norm.
        """
        nature = NATURES[self.nature].abbreviation
        return IdActe.build(department=department, siren=siren, day=self.decision_date, number=self.number, nature=nature)

    def as_facts(self) -> dict[str, Any]:
        """Return the act as JSON values."""
        return {
            "number": self.number,
            "decision_date": self.decision_date.isoformat(),
            "nature": self.nature,
            "matieres": list(self.matieres),
            "subject": self.subject,
            "paper": self.paper,
            "previous": self.previous,
            "pieces": [[piece.role, piece.type, piece.signature_role] for piece in self.pieces],
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Act:
        """Return the act that a dossier's facts hold."""
        act = facts["act"]
        return cls(
            act["number"],
            date.fromisoformat(act["decision_date"]),
            act["nature"],
            tuple(act["matieres"]),
            act["subject"],
            tuple(Piece(*piece) for piece in act["pieces"]),
            act["paper"],
            act["previous"],
        )
