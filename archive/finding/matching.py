"""The inverted index as each database keeps it: writing the words of a record, and the newest numbers for which a question holds.

FTS5 walks from the newest number down by itself; how GIN is brought to do so is told in `archive.finding.gin`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from archive.finding import gin
from archive.finding.expression import Every, Expression, Without, fts5, some_of
from archive.finding.scope import Scope

_PUT_SQLITE = text("INSERT INTO record_words (rowid, words) VALUES (:number, :words)")
_PUT_POSTGRESQL = text(
    "INSERT INTO record_words (number, organisation_id, words)"
    " VALUES (:number, :organisation, array_to_tsvector(CAST(:words AS text[])))"
)
_TAKE_SQLITE = text("DELETE FROM record_words WHERE rowid = :number")
_TAKE_POSTGRESQL = text("DELETE FROM record_words WHERE number = :number")
_WORDS_SQLITE = text("SELECT words FROM record_words WHERE rowid = :number")
_SWAP_SQLITE = text("UPDATE record_words SET words = :words WHERE rowid = :number")
_SWAP_POSTGRESQL = text(
    "UPDATE record_words SET words = ts_delete(words, CAST(:old AS text[])) || array_to_tsvector(CAST(:new AS text[]))"
    " WHERE number = :number"
)
# Ten thousand numbers come and go as one text: as rows they would cost more than the search.
_MATCH_SQLITE = """
SELECT group_concat(number) FROM (
    SELECT rowid AS number FROM record_words WHERE record_words MATCH :question {more} ORDER BY rowid DESC LIMIT :most
)
"""
_FACETS = """
WITH found AS MATERIALIZED (SELECT kind, producer, year, state, organisation_id FROM indexed_record WHERE number {among})
SELECT 'kind', kind, count(*) FROM found GROUP BY kind
UNION ALL SELECT 'producer', producer, count(*) FROM found GROUP BY producer
UNION ALL SELECT 'year', CAST(year AS text), count(*) FROM found GROUP BY year
UNION ALL SELECT 'state', state, count(*) FROM found GROUP BY state
UNION ALL SELECT 'organisation', organisation_id, count(*) FROM found GROUP BY organisation_id
"""
_AMONG_SQLITE = "IN (SELECT value FROM json_each(:among))"


@dataclass(frozen=True, slots=True)
class Entry:
    """The words of a record, under its number.

    Attributes:
        organisation_id: whose record it is.
    """

    number: int
    organisation_id: str
    tokens: Collection[str]


def put(connection: Connection, entries: Iterable[Entry]) -> None:
    """Write the words of records that have none yet."""
    if _is_sqlite(connection):
        rows = [{"number": entry.number, "words": f" {' '.join(entry.tokens)} "} for entry in entries]
        connection.execute(_PUT_SQLITE, rows)
        return
    connection.execute(
        _PUT_POSTGRESQL,
        [
            {
                "number": entry.number,
                "organisation": entry.organisation_id,
                "words": [*entry.tokens, *gin.slices(entry.number)],
            }
            for entry in entries
        ],
    )


def take(connection: Connection, number: int) -> None:
    """Take the words of a record out."""
    connection.execute(_TAKE_SQLITE if _is_sqlite(connection) else _TAKE_POSTGRESQL, {"number": number})


def take_all(connection: Connection) -> None:
    """Take the words of every record out."""
    connection.execute(text("DELETE FROM record_words"))


def swap(connection: Connection, number: int, old: Collection[str], new: Collection[str]) -> None:
    """Put tokens in the place of others; a record that has no words gets none."""
    if not _is_sqlite(connection):
        connection.execute(_SWAP_POSTGRESQL, {"number": number, "old": list(old), "new": list(new)})
        return
    words = connection.execute(_WORDS_SQLITE, {"number": number}).scalar()
    if words is not None:
        kept = [word for word in words.split() if word not in old]
        connection.execute(_SWAP_SQLITE, {"number": number, "words": f" {' '.join([*kept, *new])} "})


def newest(
    connection: Connection,
    question: Expression,
    most: int,
    *,
    scope: Scope | None = None,
    hidden: Expression | None = None,
    below: int | None = None,
    among: Collection[int] | None = None,
) -> list[int]:
    """Return the numbers for which a question holds, highest first.

    Args:
        connection: to the database.
        question: what is asked.
        most: how many are wanted.
        scope: only records of these organisations; None for all there are.
        hidden: but for these, which are a small part of all.
        below: only numbers below this one.
        among: only these numbers, which are few.
    """
    if among is not None:
        among = [number for number in among if below is None or number < below]
    if not _is_sqlite(connection):
        return gin.newest(connection, question, most, scope=scope, hidden=hidden, below=below, among=among)
    within = Every((question, some_of(scope.tokens))) if scope else question
    within = Without(within, hidden) if hidden else within
    more = ""
    given: dict[str, object] = {}
    if among is not None:
        condition, given = _among(connection, among)
        more = f"AND rowid {condition}"
    elif below is not None:
        more, given = "AND rowid < :below", {"below": below}
    written = connection.execute(
        text(_MATCH_SQLITE.format(more=more)), {"question": fts5(within), "most": most, **given}
    ).scalar()
    return gin.numbers(written)


def facets(connection: Connection, numbers: Collection[int]) -> list[tuple[str, str, int]]:
    """Return how many of these records there are of each kind, producer, year, state and organisation."""
    among, given = _among(connection, numbers)
    rows = connection.execute(text(_FACETS.format(among=among)), given)
    return [(name, value, count) for name, value, count in rows]


def _among(connection: Connection, numbers: Collection[int]) -> tuple[str, dict[str, object]]:
    """Return the condition that a number is among these, and what it is given."""
    if _is_sqlite(connection):
        return _AMONG_SQLITE, {"among": f"[{','.join(map(str, numbers))}]"}
    return gin.AMONG, {"among": gin.array(numbers)}


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
