"""What the DGFiP answered, beside what it answers: the acquit that a dossier keeps, found by bordereau, pièce and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.pes.seen import Bordereau

_DOMAINS = {"depense": "5", "recette": "6"}
_DOCUMENTS = "4"


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason of the DGFiP's: its code, when it has one, and its words, verbatim."""

    code: str | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one element; ``accepted`` None when the acquit does not say."""

    accepted: bool | None
    objections: tuple[Objection, ...] = ()


class Answers:
    """An acquit, asked by element."""

    def __init__(self, acquit: Mapping[str, Any] | None) -> None:
        elements = (acquit or {}).get("elements", ())
        self._bordereaux = {
            (element["domain"], _plain(element["exercice"]), _plain(element["bordereau"])): element
            for element in elements
            if element["bordereau"]
        }
        self._documents = {
            element["id_unique"]: element for element in elements if element["domain"] == _DOCUMENTS and element["id_unique"]
        }

    def of_bordereau(self, bordereau: Bordereau | None) -> Answer | None:
        """Return what was answered to a bordereau; None when nothing was."""
        element = self._element(bordereau)
        return None if element is None else Answer(element["accepted"], tuple(_said(element)))

    def of_piece(self, bordereau: Bordereau | None, number: str | None) -> Answer | None:
        """Return what is objected to a pièce itself or to any of its lines; None when nothing is."""
        found = self._piece(bordereau, number)
        if found is None:
            return None
        return Answer(False, (*_said(found), *(one for line in found["lines"] for one in _said(line))))

    def of_line(self, bordereau: Bordereau | None, piece: str | None, number: str | None) -> Answer | None:
        """Return what is objected to a line; None when nothing is."""
        found = self._piece(bordereau, piece)
        lines = () if found is None else found["lines"]
        return next((Answer(False, tuple(_said(line))) for line in lines if _plain(line["number"]) == _plain(number)), None)

    def of_document(self, unique_id: str | None) -> Answer | None:
        """Return what was answered to a supporting document; None when nothing was."""
        element = self._documents.get(unique_id)
        return None if element is None else Answer(element["accepted"], tuple(_said(element)))

    def _element(self, bordereau: Bordereau | None) -> Mapping[str, Any] | None:
        if bordereau is None:
            return None
        domain = _DOMAINS.get(bordereau.domain or "")
        return self._bordereaux.get((domain, _plain(bordereau.exer), _plain(bordereau.number)))

    def _piece(self, bordereau: Bordereau | None, number: str | None) -> Mapping[str, Any] | None:
        element = self._element(bordereau)
        pieces = () if element is None else element["pieces"]
        return next((piece for piece in pieces if _plain(piece["number"]) == _plain(number)), None)


def _said(part: Mapping[str, Any]) -> Iterator[Objection]:
    return (Objection(anomaly["code"], anomaly["label"]) for anomaly in part["anomalies"])


def _plain(number: str | None) -> str:
    """Return a number without the zeros before it: Hélios does not always write those that it was sent."""
    return (number or "").lstrip("0")
