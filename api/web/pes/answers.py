"""What the DGFiP answered, beside what it answers: the acquit that a dossier keeps, found by bordereau, pièce and line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.pes.seen import Bordereau

# DomaineAck: that of the books, and of recette also that of rolls; the signature of a bordereau; what refuses a flow as a whole.
_DOMAINS = {"depense": ("5",), "recette": ("6", "7")}
_SIGNATURE, _DOCUMENTS = "3", "4"
_OF_THE_FLOW = frozenset({"0", "1", "2", _SIGNATURE})


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
        self._bordereaux: dict[tuple[str | None, str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for element in elements:
            if element["bordereau"]:
                key = (element["domain"], _plain(element["exercice"]), _plain(element["bordereau"]))
                self._bordereaux[key].append(element)
        self._documents = {
            element["id_unique"]: element for element in elements if element["domain"] == _DOCUMENTS and element["id_unique"]
        }
        self._refuses_all = any(
            element["accepted"] is False and element["domain"] in _OF_THE_FLOW and not element["bordereau"]
            for element in elements
        )

    def of_bordereau(self, bordereau: Bordereau | None) -> Answer | None:
        """Return what was answered to a bordereau, or to the flow as a whole; None when nothing was.

        An acquit tells a number and a year, not the kind of a bordereau: where it accepts one of two and refuses the other, it
        does not say which.
        """
        found = self._elements(bordereau)
        if not found:
            return Answer(False) if self._refuses_all and bordereau is not None else None
        states = {element["accepted"] for element in found}
        return Answer(states.pop() if len(states) == 1 else None, tuple(one for element in found for one in _said(element)))

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

    def _elements(self, bordereau: Bordereau | None) -> list[Mapping[str, Any]]:
        if bordereau is None:
            return []
        place = (_plain(bordereau.exer), _plain(bordereau.number))
        books = [one for domain in _DOMAINS.get(bordereau.domain or "", ()) for one in self._bordereaux.get((domain, *place), ())]
        signature = self._bordereaux.get((_SIGNATURE, *place), ())
        return [*books, *(one for one in signature if one["accepted"] is False)]

    def _piece(self, bordereau: Bordereau | None, number: str | None) -> Mapping[str, Any] | None:
        pieces = (piece for element in self._elements(bordereau) for piece in element["pieces"])
        return next((piece for piece in pieces if _plain(piece["number"]) == _plain(number)), None)


def _said(part: Mapping[str, Any]) -> Iterator[Objection]:
    return (Objection(anomaly["code"], anomaly["label"]) for anomaly in part["anomalies"])


def _plain(number: str | None) -> str:
    """Return a number without the zeros before it: Hélios does not always write those that it was sent."""
    return (number or "").lstrip("0")
