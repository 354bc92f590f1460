"""What the DGFiP objects to, read from the acquit that the dossier keeps: one line for each, with its place and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.words import messages


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason of the DGFiP's.

    Attributes:
        where: bordereau, pièce and line, in words.
        code: the DGFiP's own, when there is one.
        label: the DGFiP's words, verbatim.
    """

    where: str
    code: str | None
    label: str


def objections(facts: Mapping[str, Any]) -> list[Objection]:
    """Return what an acquit objects to, in its order; nothing when there is no acquit, or when it accepts everything."""
    return [found for element in facts.get("acquit", {}).get("elements", ()) for found in _of_element(element)]


def _of_element(element: Mapping[str, Any]) -> Iterator[Objection]:
    places = [_place("bordereau", element["bordereau"])]
    if element["accepted"] is False and not element["anomalies"] and not element["pieces"]:
        yield Objection(_joined(places), None, messages("objection.unexplained"))
    yield from _said(element, places)
    for piece in element["pieces"]:
        at_piece = [*places, _place("piece", piece["number"])]
        yield from _said(piece, at_piece)
        for line in piece["lines"]:
            yield from _said(line, [*at_piece, _place("line", line["number"])])


def _said(part: Mapping[str, Any], places: list[str]) -> Iterator[Objection]:
    for anomaly in part["anomalies"]:
        yield Objection(_joined(places), anomaly["code"], anomaly["label"] or messages("objection.unexplained"))


def _place(kind: str, number: str | None) -> str:
    return messages(f"objection.{kind}", number=number) if number else ""


def _joined(places: list[str]) -> str:
    return ", ".join(place for place in places if place) or messages("objection.whole")
