"""Asking an index of a PES: summary, pages of pièces and of lines, references and supporting documents.

The file was written from what a stranger sent: it is opened read-only, and nothing that it may define is run. Each answer is
bounded.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.errors import NotFound
from core.messages import Catalogue
from schemas.pes.header import Header
from schemas.pes.index import PIECE, SOON
from schemas.pes.parts import Flaw, Sums, ThirdParty
from schemas.pes.seen import Attachment, Bordereau, Line, Page, Piece, Reference, Summary, Wanted

messages = Catalogue("schemas.pes")
COUNTED_UP_TO = 10_000
_MOST_WORDS = 12
_MOST_BORDEREAUX = 1_000
_RANK = (1 << PIECE) - 1


class Unreadable(NotFound):
    """The index is not there any more, or not yet, or is broken: it can be made again."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an index, perhaps one that is still being written.

    Raises:
        Unreadable: here, or at any question within the block.
    """
    database = None
    try:
        database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=2, isolation_level=None)
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA query_only=ON")
        database.execute("PRAGMA cell_size_check=ON")
        database.execute("BEGIN")  # what one page shows is of one moment
        yield database
    except sqlite3.Error as error:
        raise Unreadable(messages("shelf.stopped")) from error
    finally:
        if database is not None:
            database.close()


def begun(database: sqlite3.Connection) -> bool:
    """Tell whether there is a first page to show: lines enough to fill it, or all of them, since documents come after."""
    told = _told(database)
    return "header" in told and (told.get("counted", (0, 0))[1] >= SOON or "pj" in told.get("bodies", ()))


def summary(database: sqlite3.Connection) -> Summary:
    """Return what is known of the flow."""
    told = _told(database)
    rows = database.execute(_select(_BORDEREAU, "bordereau", (), "ORDER BY id LIMIT ?"), (_MOST_BORDEREAUX,))
    pieces, lines = told.get("counted", (0, 0))
    return Summary(
        Header(**told["header"]) if "header" in told else None,
        tuple(told.get("bodies", ())),
        tuple(Flaw(*row) for row in database.execute("SELECT code, line, found FROM flaw")),
        tuple(map(_bordereau, rows)),
        _one(database, "SELECT count(*) FROM bordereau"),
        told.get("read", 0),
        pieces,
        lines,
        _one(database, "SELECT count(*) FROM attachment"),
        told.get("signed", False),
    )


def pieces(
    database: sqlite3.Connection, wanted: Wanted, limit: int, after: int | None = None, before: int | None = None
) -> Page[Piece]:
    """Return a page of pièces; ``before`` counts only when ``after`` is not given."""
    backwards = after is None and before is not None
    conditions, values = _conditions(wanted)
    match = _match(wanted.text, wanted.tiers)
    if match is None:
        source, column, bound = "piece", "piece.id", after if not backwards else before
    else:
        source, column = "words JOIN piece ON piece.id = words.rowid >> 32", "words.rowid"
        conditions, values = ["words MATCH ?", *conditions], [match, *values]
        # Past the last line of the one that was shown, or before the first.
        bound = (before or 0) << PIECE if backwards else None if after is None else (after + 1 << PIECE) - 1
    total = _count(database, "DISTINCT piece.id", source, conditions, values)
    if bound is not None:
        conditions, values = [*conditions, f"{column} {'<' if backwards else '>'} ?"], [*values, bound]
    rows = database.execute(_select(_PIECE, source, conditions, _order(column, backwards=backwards)), values)
    found = [_piece(row) for row in _distinct(rows, limit + 1)]
    return _page(found, total, limit, backwards=backwards, began=after is None)


def piece(database: sqlite3.Connection, rank: int) -> Piece | None:
    """Return one pièce, None when there is none of that rank."""
    row = database.execute(_select(_PIECE, "piece", ("piece.id = ?",)), (rank,)).fetchone()
    return _piece(row) if row else None


def bordereau(database: sqlite3.Connection, rank: int) -> Bordereau | None:
    """Return one bordereau, None when there is none of that rank."""
    row = database.execute(_select(_BORDEREAU, "bordereau", ("id = ?",)), (rank,)).fetchone()
    return _bordereau(row) if row else None


def lines(
    database: sqlite3.Connection, piece: int, text: str, limit: int, after: int | None = None, before: int | None = None
) -> Page[Line]:
    """Return a page of the lines of a pièce, those in which the words stand; ``before`` counts only without ``after``."""
    backwards = after is None and before is not None
    match = _match(text, "")
    first, last = piece << PIECE, (piece + 1 << PIECE) - 1
    source, column = ("line", "line.id") if match is None else ("words JOIN line ON line.id = words.rowid", "words.rowid")
    conditions = [f"{column} BETWEEN ? AND ?"]
    values: list[Any] = [first, last]
    if match is not None:
        conditions, values = ["words MATCH ?", *conditions], [match, *values]
    total = _count(database, "1", source, conditions, values)
    bound = before if backwards else after
    if bound is not None:
        conditions, values = [*conditions, f"{column} {'<' if backwards else '>'} ?"], [*values, first | bound]
    query = _select("line.id, line.facts", source, conditions, f"{_order(column, backwards=backwards)} LIMIT ?")
    rows = database.execute(query, (*values, limit + 1))
    return _page([_line(row) for row in rows], total, limit, backwards=backwards, began=after is None)


def references(database: sqlite3.Connection, piece: int, limit: int) -> tuple[Reference, ...]:
    """Return the supporting documents that a pièce and its lines name."""
    rows = database.execute(
        _select(_REFERENCE, "reference", ("piece = ?",), "ORDER BY line, reference.id LIMIT ?"), (piece, limit)
    )
    return tuple(Reference(*row) for row in rows)


def unresolved(database: sqlite3.Connection, limit: int) -> tuple[Reference, ...]:
    """Return the references to electronic documents that the flow does not hold (domain rule P04)."""
    rows = database.execute(_select(_REFERENCE, "reference", (_ELECTRONIC, _MISSING), "ORDER BY reference.id LIMIT ?"), (limit,))
    return tuple(Reference(*row) for row in rows)


def attachments(database: sqlite3.Connection, limit: int, after: int = 0, *, loose: bool = False) -> tuple[Attachment, ...]:
    """Return supporting documents in the order of the file, those after a rank; ``loose`` keeps those that nothing names."""
    conditions = ("id > ?", _LOOSE) if loose else ("id > ?",)
    rows = database.execute(_select(_ATTACHMENT, "attachment", conditions, "ORDER BY id LIMIT ?"), (after, limit))
    return tuple(_attachment(row) for row in rows)


def loose_ends(database: sqlite3.Connection) -> tuple[int, int]:
    """Return how many supporting documents nothing names, and how many references lead to none, up to the bound of counts."""
    loose = _count(database, "1", "attachment", (_LOOSE,), ())
    return loose, _count(database, "1", "reference", (_ELECTRONIC, _MISSING), ())


def attachment(database: sqlite3.Connection, rank: int) -> Attachment | None:
    """Return one supporting document, None when there is none of that rank."""
    row = database.execute(_select(_ATTACHMENT, "attachment", ("id = ?",)), (rank,)).fetchone()
    return _attachment(row) if row else None


_BORDEREAU = (
    "id, domain, xml_id, number, exer, kind, issued, nbr_pce, ht, tva, cumul, read, signed, pieces, lines, sum_ht, sum_tva"
)
_PIECE = (
    "piece.id, bordereau, number, kind, nature, subject, due, more, read, lines, sum_ht, sum_tva, piece.tiers, others, documents"
)
_REFERENCE = (
    "piece, line, unique_id, support, name, kind,"
    " (SELECT min(attachment.id) FROM attachment WHERE attachment.unique_id = reference.unique_id)"
)
_ATTACHMENT = (
    'id, unique_id, name, kind, description, declared, start, "end", packing, media_type, targets,'
    " (SELECT min(piece) FROM reference WHERE reference.unique_id = attachment.unique_id)"
)

_ELECTRONIC = "coalesce(support, '01') NOT IN ('02', '03')"
_LOOSE = "targets = '[]' AND NOT EXISTS (SELECT 1 FROM reference WHERE reference.unique_id = attachment.unique_id)"
_MISSING = "NOT EXISTS (SELECT 1 FROM attachment WHERE attachment.unique_id = reference.unique_id)"


def _told(database: sqlite3.Connection) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in database.execute("SELECT name, value FROM flow")}


def _select(columns: str, source: str, conditions: Sequence[str], rest: str = "") -> str:
    """Return a query put together from words of this module: whatever comes from elsewhere is a value."""
    return f"SELECT {columns} FROM {source} WHERE {' AND '.join(conditions) or '1'} {rest}"  # noqa: S608


def _order(column: str, *, backwards: bool) -> str:
    return f"ORDER BY {column} DESC" if backwards else f"ORDER BY {column}"


def _count(database: sqlite3.Connection, counted: str, source: str, conditions: Sequence[str], values: Sequence[Any]) -> int:
    rows = database.execute(_select(counted, source, conditions, "LIMIT ?"), (*values, COUNTED_UP_TO + 1))
    return sum(1 for _ in rows)


def _conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for condition, value in (
        ("piece.bordereau = ?", wanted.bordereau),
        ("piece.cents >= ?", None if wanted.least is None else int(wanted.least * 100)),
        ("piece.cents <= ?", None if wanted.most is None else int(wanted.most * 100)),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values


def _match(text: str, tiers: str) -> str | None:
    """Return the FTS5 expression of what a person typed, None when it holds no word; each word may be only begun."""
    asked, people = _words(text), _words(tiers)
    parts = [asked] if asked else []
    return " AND ".join([*parts, *([f"tiers : ({people})"] if people else [])]) or None


def _words(text: str) -> str:
    quoted = [word.replace('"', "") for word in text.split()[:_MOST_WORDS]]
    return " AND ".join(f'"{word}"*' for word in quoted if any(character.isalnum() for character in word))


def _distinct(rows: sqlite3.Cursor, limit: int) -> Iterator[tuple[Any, ...]]:
    """Give the first rows of each pièce: many lines of one may be found, and they follow each other."""
    last = None
    for row in rows:
        if row[0] != last:
            last = row[0]
            yield row
            limit -= 1
        if not limit:
            return


def _page(rows: list[Any], total: int, limit: int, *, backwards: bool, began: bool) -> Page[Any]:
    more = len(rows) > limit
    kept = rows[:limit]
    if backwards:
        kept.reverse()
    has_next = more if not backwards else True
    has_previous = more if backwards else not began
    return Page(
        tuple(kept),
        min(total, COUNTED_UP_TO),
        total <= COUNTED_UP_TO,
        kept[-1].id if kept and has_next else None,
        kept[0].id if kept and has_previous else None,
    )


def _one(database: sqlite3.Connection, query: str, values: Sequence[Any] = ()) -> int:
    return int(database.execute(query, values).fetchone()[0])


def _bordereau(row: Sequence[Any]) -> Bordereau:
    ht, tva, cumul, read, signed, pieces, lines, sum_ht, sum_tva = row[8:]
    sums = Sums(pieces, lines, Decimal(sum_ht), Decimal(sum_tva))
    rank, domain, xml_id, number, exer, kind, issued, nbr_pce = row[:8]
    named = (rank, domain, xml_id, number, exer, kind, issued, nbr_pce)
    return Bordereau(*named, _decimal(ht), _decimal(tva), _decimal(cumul), bool(read), bool(signed), sums)


def _piece(row: Sequence[Any]) -> Piece:
    rank, bordereau_, number, kind, nature, subject, due, more, read, lines, ht, tva, tiers, others, documents = row
    sums = Sums(1, lines, Decimal(ht), Decimal(tva))
    named = (rank, bordereau_, number, kind, nature, subject, due)
    return Piece(*named, json.loads(more), bool(read), sums, tiers, others, documents)


def _line(row: Sequence[Any]) -> Line:
    facts = json.loads(row[1])
    people = tuple(ThirdParty(values, tuple(accounts)) for values, accounts in facts["tiers"])
    return Line(row[0] & _RANK, facts["values"], people)


def _attachment(row: Sequence[Any]) -> Attachment:
    rank, unique_id, name, kind, description, declared, start, end, packing, media_type, targets, named_by = row
    place = (start, end, packing, media_type, tuple(json.loads(targets)), named_by)
    return Attachment(rank, unique_id, name, kind, description, declared, *place)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
