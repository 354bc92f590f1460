"""Where in a flow a problem is, by the numbers that people know things by: a whole flow may stand on one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem
from schemas.pes.reader import value

_LONGEST = 50
_RANK = r"(?:\[\d+\])?"
_PARTS = rf"PJ{_RANK}|Bordereau{_RANK}(?:/Piece{_RANK}(?:/LigneDePiece{_RANK})?)?"
_PLACE = re.compile(rf"/[^/]+/(PES_\w+{_RANK}/(?:{_PARTS}))(?![\w.-])")
_NUMBERS = {
    "Bordereau": ("BlocBordereau/IdBord",),
    "Piece": ("BlocPiece/InfoPce/IdPce", "BlocPiece/IdPce"),
    "LigneDePiece": ("BlocLignePiece/InfoLignePce/IdLigne", "BlocLignePiece/InfoLignePiece/IdLigne"),
    "PJ": ("IdUnique",),
}
_IN_RECETTE = "boolean(ancestor::*[starts-with(name(), 'PES_Recette')])"
_KINDS = {"Bordereau": "bordereau", "LigneDePiece": "line", "PJ": "attachment"}
_messages = Catalogue("schemas.pes")


def placed(problems: Iterable[Problem], root: etree._Element) -> list[Problem]:
    """Return problems whose messages end with the bordereau, pièce and line, or the attachment, that they are in.

    Args:
        problems: with paths as `lxml` writes them.
        root: of the flow.
    """

    @cache
    def told(path: str) -> str:
        (element,) = root.xpath(f"/*/{path}")
        return ", ".join(reversed(list(_numbers(element))))

    def said(problem: Problem) -> Problem:
        match = _PLACE.match(problem.path or "")
        place = told(match[1]) if match else ""
        return replace(problem, message=f"{problem.message} {place[:1].upper()}{place[1:]}.") if place else problem

    return [said(problem) for problem in problems]


def _numbers(element: etree._Element) -> Iterator[str]:
    """Yield what bears a number, the innermost first."""
    for one in (element, *element.iterancestors()):
        number = next((found for place in _NUMBERS.get(one.tag, ()) if (found := value(one, place))), None)
        if number is not None:
            domain = "recette" if one.xpath(_IN_RECETTE) else "depense"
            kind = _KINDS.get(one.tag, domain)
            yield _messages(f"place.{kind}", number=number[:_LONGEST])
