"""A question to the inverted index, and how each database writes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """Records that have a token, or any token that begins so."""

    token: str
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """Records for which all parts hold; at least one part."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Records for which a part holds; at least one part."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Records of the first for which the second does not hold."""

    kept: Expression
    left_out: Expression


Expression = Term | Every | Some | Without


def some_of(tokens: Iterable[str]) -> Some:
    """Return the question for any of these tokens."""
    return Some(tuple(Term(token) for token in tokens))


def every_of(expression: Expression) -> tuple[Expression, ...]:
    """Return the questions that must all hold for this one to hold."""
    return tuple(part for each in expression.parts for part in every_of(each)) if isinstance(expression, Every) else (expression,)


def uses_beginning(expression: Expression) -> bool:
    """Tell whether the beginning of a word is asked for anywhere in a question."""
    match expression:
        case Term(_, beginning):
            return beginning
        case Every(parts) | Some(parts):
            return any(map(uses_beginning, parts))
        case Without(kept, left_out):
            return uses_beginning(kept) or uses_beginning(left_out)


def tsquery(expression: Expression) -> str:
    """Write a question as PostgreSQL reads it (``tsquery``), every token quoted."""
    match expression:
        case Term(token, beginning):
            quoted = token.replace("\\", "\\\\").replace("'", "''")
            return f"'{quoted}'{':*' if beginning else ''}"
        case Every(parts):
            return "(" + " & ".join(map(tsquery, parts)) + ")"
        case Some(parts):
            return "(" + " | ".join(map(tsquery, parts)) + ")"
        case Without(kept, left_out):
            return f"({tsquery(kept)} & !{tsquery(left_out)})"


def fts5(expression: Expression) -> str:
    """Write a question as SQLite reads it (FTS5), every token quoted."""
    match expression:
        case Term(token, beginning):
            quoted = token.replace('"', '""')
            return f'"{quoted}"{"*" if beginning else ""}'
        case Every(parts):
            return "(" + " AND ".join(map(fts5, parts)) + ")"
        case Some(parts):
            return "(" + " OR ".join(map(fts5, parts)) + ")"
        case Without(kept, left_out):
            return f"({fts5(kept)} NOT {fts5(left_out)})"
