"""The newest numbers for which a question holds, from the inverted index of PostgreSQL (``tsvector`` under GIN).

GIN gives all that match, in no order, and a record is read for each of them. What matches little is read whole. What matches much
is asked in windows of numbers, from the newest down, until there are enough: every record has tokens for the slices that its
number stands in, so that a window is part of the question; one statement asks them all, and stops by itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from sqlalchemy import Connection, text

from archive.finding.expression import Expression, every_of, some_of, tsquery, uses_beginning
from archive.finding.ladder import ladder, rungs
from archive.finding.scope import Scope

AMONG = "= ANY(CAST(:among AS bigint[]))"
_SLICE = 12  # bits: a slice is 4096 numbers
_WIDEST = 8  # slices of a window
_WIDEST_OF_BEGINNINGS = 256
_FEW = 20_000
_MANY_TOKENS = 8
_HIGHEST = text("SELECT max(number) FROM record_words")
_WHOLE = """
SELECT string_agg(CAST(number AS text), ',') FROM (
    SELECT number FROM record_words WHERE {asked} LIMIT :most
) AS found
"""
_EXPECTED = "EXPLAIN (FORMAT JSON) SELECT number FROM record_words WHERE {asked}"
# Each window in the order of the list, its records newest first: the limit stops at the newest that are enough.
_WINDOWS = """
SELECT string_agg(CAST(number AS text), ',') FROM (
    SELECT found.number FROM unnest(CAST(:windows AS text[])) WITH ORDINALITY AS wanted(slices, rank)
    CROSS JOIN LATERAL (
        SELECT number FROM record_words
        WHERE words @@ CAST(wanted.slices AS tsquery) AND {asked}
        ORDER BY number DESC OFFSET 0
    ) AS found
    ORDER BY wanted.rank LIMIT :most
) AS newest
"""


def newest(
    connection: Connection,
    question: Expression,
    most: int,
    *,
    scope: Scope | None,
    hidden: Expression | None,
    below: int | None,
    among: Collection[int] | None,
) -> list[int]:
    """Return the numbers for which a question holds, highest first; see ``matching.newest``."""
    parts = every_of(question)
    further: list[str] = []
    given: dict[str, object] = {"most": most}
    if scope is not None and scope.dense and len(scope.tokens) > _MANY_TOKENS:
        # Each record would be held against every token: of a large part of all records, their owner is looked at instead.
        further.append("organisation_id = ANY(CAST(:owners AS text[]))")
        given["owners"] = array(scope.organisations)
    elif scope is not None:
        parts = (*parts, some_of(scope.tokens))
    if hidden is not None:
        # In the question, GIN would walk through all that is hidden once more in each window: what is rare it reads first.
        further.append("NOT words @@ CAST(:hidden AS tsquery)")
        given["hidden"] = tsquery(hidden)
    if among is not None:
        further.append(f"number {AMONG}")
        given["among"] = array(among)
    if below is not None:
        further.append("number < :below")
        given["below"] = below
    # A clause for each part: GIN steps from one to where the next may match; of a single question it reads a part to its end.
    given |= {f"part{place}": tsquery(part) for place, part in enumerate(parts)}
    asked = " AND ".join((*(f"words @@ CAST(:part{place} AS tsquery)" for place in range(len(parts))), *further))
    if among is not None:
        return numbers(connection.execute(text(_WHOLE.format(asked=asked)), given | {"most": len(among)}).scalar())[:most]
    if _expected(connection, asked, given) <= _FEW:
        found = numbers(connection.execute(text(_WHOLE.format(asked=asked)), given | {"most": _FEW}).scalar())
        if len(found) < _FEW:
            return found[:most]
    highest = connection.execute(_HIGHEST).scalar() or 0
    last = min(highest, below - 1 if below is not None else highest) >> _SLICE
    widest = _WIDEST_OF_BEGINNINGS if uses_beginning(question) else _WIDEST
    windows = [tsquery(some_of(rungs("#", *window))) for window in _windows(last, widest)]
    written = connection.execute(text(_WINDOWS.format(asked=asked)), given | {"windows": windows}).scalar()
    return numbers(written)


def slices(number: int) -> list[str]:
    """Return the tokens of the slices that a number stands in."""
    return ladder("#", number >> _SLICE)


def numbers(written: str | None) -> list[int]:
    """Return the numbers of a list as the database writes it, highest first.

    Ten thousand numbers come and go as one text: as rows they would cost more than the search.
    """
    return sorted(map(int, written.split(",")), reverse=True) if written else []


def array(values: Collection[int] | Collection[str]) -> str:
    """Return numbers or identifiers as PostgreSQL reads an array."""
    return f"{{{','.join(map(str, values))}}}"


def _expected(connection: Connection, asked: str, given: dict[str, object]) -> int:
    """Return how many records the database expects to match, by its statistics."""
    plan = connection.execute(text(_EXPECTED.format(asked=asked)), given).scalar_one()
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def _windows(last: int, widest: int) -> Iterator[tuple[int, int]]:
    """Yield windows of slices from the last down, both ends included, each twice as wide until they are wide enough.

    The wide ones begin where a wider step of the ladder does: each is one token.
    """
    width = min(widest, _WIDEST) if widest > _WIDEST else 1
    while last >= 0:
        first = max(0, last - width + 1)
        if width >= _WIDEST:
            first -= first % _WIDEST
        yield first, last
        last, width = first - 1, min(widest, width * 2)
