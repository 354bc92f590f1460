"""The codes of a budget in words, in the current language; a code that is not known shows bare."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency

from core.messages import Catalogue, current_locale
from schemas.budget.model import Section

messages = Catalogue("schemas.budget")
_COMMERCIAL = "M4"


def code(name: str, value: str | None) -> str:
    """Return what a code means.

    Args:
        name: of the element that holds it (``NatDec``, ``CodTypBud``, ``NatVote``, ``annexe`` for a block of annexes …).
        value: the code as written; None gives nothing.

    Returns:
        The words; the code itself when no catalogue knows it.
    """
    if value is None:
        return ""
    key = f"code.{name}.{value}"
    return messages(key) if key in messages else value


def known(name: str, value: str) -> bool:
    """Tell whether the code has words."""
    return f"code.{name}.{value}" in messages


def decision(nature: str | None, number: str | None = None) -> str:
    """Return what was decided: « décision modificative n° 2 »."""
    words = code("NatDec", nature)
    return messages("decision.numbered", decision=words, number=number) if number and nature == "02" else words


def section(which: Section, nomenclature: str | None = None) -> str:
    """Return what a section is called: functioning is *exploitation* for the commercial services of M4 and its children."""
    if which is Section.FUNCTIONING and (nomenclature or "").startswith(_COMMERCIAL):
        return messages("section.exploitation")
    return messages(f"section.{which.name.lower()}")


def chapter(number: str) -> str | None:
    """Return what a chapter by nature is called in most accounting plans; None for one by function, and for one not known.

    Chapters of third parties (45…) bear the number of the operation behind.
    """
    for known in (number, number[:2] if number.startswith("45") else number):
        if (key := f"chapter.{known}") in messages:
            return messages(key)
    return None


def field(name: str) -> str:
    """Return what a column of amounts is called; its own name when no catalogue knows it."""
    key = f"field.{name}"
    return messages(key) if key in messages else name


def euros(amount: Decimal) -> str:
    """Return an amount of euros as people of the current language write it."""
    return str(format_currency(amount, "EUR", locale=current_locale()))
