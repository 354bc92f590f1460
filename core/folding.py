"""Text as people look for it, capitals and accents aside, and the column that keeps a title so.

A database has its own idea of letters, or none (SQLite knows only those of ASCII): what is searched is therefore kept folded, and
what is asked is folded the same way.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, event
from sqlmodel import SQLModel, col

LONGEST = 400
"""Of a folded title, in characters: some letters come apart into several."""


def folded(text: str) -> str:
    """Return a text as one compares names: small letters, without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))


def keep_sought(model: type[SQLModel]) -> None:
    """Have the rows of a table keep their ``title`` folded as ``sought``, whoever writes them through the model."""
    for moment in ("before_insert", "before_update"):
        event.listen(model, moment, _follow)


def _follow(_mapper: object, _connection: object, row: Any) -> None:
    row.sought = folded(row.title)[:LONGEST]


def holds(sought: str, text: str) -> ColumnElement[bool]:
    """Return the condition that a folded column holds a text.

    Args:
        sought: the column, as the model names it.
        text: as it was typed.
    """
    return col(sought).contains(folded(text), autoescape=True)
