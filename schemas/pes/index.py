"""Writing what a PES holds into an index that a page can ask: one SQLite file, filled while the flow is read.

What has been read is committed several times a second, so that the first page opens while the rest is still to come. The file is
derived: it can be thrown away and made again at any time. How it is asked is in ``lookup.py``; where it is kept, in ``shelf.py``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from schemas.pes import parts
from schemas.pes.contents import read_contents
from schemas.pes.header import Header
from schemas.pes.parts import Event, Flaw, Line, Piece, PieceEnd, Reference, ThirdParty

VERSION = 1
"""Changes with the tables below; an index of another version is not asked."""

_CHUNK = 1 << 16
_EVERY = 0.25  # seconds between commits
_NAMES = 50
_LARGEST_CENTS = 10**17  # what an integer of the index holds, with room
_NIR = "04"
SOON = 60
"""Lines after which there is a first page to show."""

PIECE = 32
"""Bits by which the rank of a pièce is shifted in the number of a line, so that lines of one pièce stand together."""

TABLES = """
CREATE TABLE flow (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE flaw (code TEXT NOT NULL, line INTEGER NOT NULL, found TEXT NOT NULL);
CREATE TABLE bordereau (
  id INTEGER PRIMARY KEY, domain TEXT, xml_id TEXT, number TEXT, exer TEXT, kind TEXT, issued TEXT, nbr_pce INTEGER,
  ht TEXT, tva TEXT, cumul TEXT, read INTEGER NOT NULL DEFAULT 0, signed INTEGER NOT NULL DEFAULT 0,
  pieces INTEGER NOT NULL DEFAULT 0, lines INTEGER NOT NULL DEFAULT 0,
  sum_ht TEXT NOT NULL DEFAULT '0', sum_tva TEXT NOT NULL DEFAULT '0');
CREATE TABLE piece (
  id INTEGER PRIMARY KEY, bordereau INTEGER NOT NULL, number TEXT, kind TEXT, nature TEXT, subject TEXT, due TEXT,
  more TEXT NOT NULL, read INTEGER NOT NULL DEFAULT 0, lines INTEGER NOT NULL DEFAULT 0,
  sum_ht TEXT NOT NULL DEFAULT '0', sum_tva TEXT NOT NULL DEFAULT '0',
  cents INTEGER, tiers TEXT, others INTEGER NOT NULL DEFAULT 0, documents INTEGER NOT NULL DEFAULT 0);
CREATE INDEX piece_of_bordereau ON piece (bordereau, id);
CREATE TABLE line (id INTEGER PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE reference (
  id INTEGER PRIMARY KEY, piece INTEGER NOT NULL, line INTEGER NOT NULL, unique_id TEXT, support TEXT, name TEXT, kind TEXT);
CREATE INDEX reference_of_piece ON reference (piece, line);
CREATE INDEX reference_to ON reference (unique_id);
CREATE TABLE attachment (
  id INTEGER PRIMARY KEY, unique_id TEXT, name TEXT, kind TEXT, description TEXT, declared TEXT,
  start INTEGER NOT NULL, "end" INTEGER NOT NULL, packing TEXT NOT NULL, media_type TEXT, targets TEXT NOT NULL);
CREATE INDEX attachment_named ON attachment (unique_id);
CREATE VIRTUAL TABLE words USING fts5 (piece, tiers, line, content='', tokenize='unicode61 remove_diacritics 2');
"""


def build(argument: dict[str, str]) -> dict[str, int]:
    """Read the file named ``source`` once, forwards (a pipe will do), into the index named ``target``; run in the sandbox.

    Returns:
        How many pièces and lines were read.
    """
    with Path(argument["source"]).open("rb", buffering=0) as stream:
        return write_index(iter(lambda: stream.read(_CHUNK), b""), Path(argument["target"]))


def write_index(chunks: Iterable[bytes], target: Path) -> dict[str, int]:
    """Write the index of a PES given in pieces; a flow that cannot be read to its end gives what was read, and a flaw."""
    database = sqlite3.connect(target, isolation_level=None)
    try:
        # Nobody loses anything when the machine stops: an index that was not finished is made again.
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000; BEGIN;" + TABLES)
        writing = _Writing(database)
        for event in read_contents(writing.paced(chunks)):
            writing.write(event)
        writing.commit()
        return {"pieces": writing.pieces, "lines": writing.lines}
    finally:
        database.close()


class _Writing:
    """An index under way."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.pieces = self.lines = 0
        self._database = database
        self._committed = 0.0
        self._read = 0
        self._bodies: list[str] = []
        self._names: list[str] = []
        self._piece = ""
        self._tiers: dict[str, None] = {}
        self._documents = 0
        self._rows: dict[str, list[tuple[Any, ...]]] = {"line": [], "words": []}

    def paced(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Give the pieces on, committing before the next is waited for: an attachment, or a slow store, may last for long."""
        for chunk in chunks:
            self._read += len(chunk)
            yield chunk
            if time.monotonic() - self._committed > _EVERY:
                self.commit()

    def commit(self) -> None:
        """Let readers see everything so far."""
        self._flush()
        self._tell("read", str(self._read))
        self._tell("counted", json.dumps([self.pieces, self.lines]))
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")
        self._committed = time.monotonic()

    def write(self, event: Event) -> None:
        """Take what was read next."""
        match event:
            case Line():
                self._line(event)
            case Piece():
                self._begin_piece(event)
            case PieceEnd():
                self._end_piece(event)
            case Reference():
                self._reference(event)
            case Header():
                self._tell("header", json.dumps(event.as_json()))
            case parts.Body():
                self._bodies.append(event.name)
                self._tell("bodies", json.dumps(self._bodies))
                self.commit()
            case Flaw():
                self._database.execute("INSERT INTO flaw VALUES (?, ?, ?)", (event.code, event.line, event.found))
            case parts.FlowEnd():
                self._tell("signed", json.dumps(event.signed))
            case _:
                self._write_rare(event)

    def _write_rare(self, event: parts.Bordereau | parts.BordereauEnd | parts.Attachment) -> None:
        execute = self._database.execute
        match event:
            case parts.Bordereau():
                identity = (event.rank, event.domain, event.xml_id, event.number, event.exer, event.kind, event.issued)
                amounts = (_whole(event.nbr_pce), _text(event.ht), _text(event.tva), _text(event.cumul))
                execute(
                    "INSERT INTO bordereau (id, domain, xml_id, number, exer, kind, issued, nbr_pce, ht, tva, cumul)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    identity + amounts,
                )
            case parts.BordereauEnd():
                sums = event.sums
                execute(
                    "UPDATE bordereau SET read = 1, signed = ?, pieces = ?, lines = ?, sum_ht = ?, sum_tva = ? WHERE id = ?",
                    (event.signed, sums.pieces, sums.lines, str(sums.ht), str(sums.tva), event.rank),
                )
            case parts.Attachment():
                named = (event.rank, event.unique_id, event.name, event.kind, event.description, event.declared)
                place = (event.start, event.end, event.found.packing, event.found.media_type, json.dumps(event.targets))
                execute("INSERT INTO attachment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", named + place)

    def _begin_piece(self, piece: Piece) -> None:
        numbers = (piece.more.get(name) for name in ("NumeroFacture", "NumeroMarche", "NumeroEngagement"))
        self._piece = " ".join(filter(None, (piece.number, piece.subject, *numbers, *self._names)))
        self._tiers = {}
        self.pieces += 1
        self._database.execute(
            "INSERT INTO piece (id, bordereau, number, kind, nature, subject, due, more) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                piece.rank,
                piece.bordereau,
                piece.number,
                piece.kind,
                piece.nature,
                piece.subject,
                piece.due,
                json.dumps(dict(piece.more)),
            ),
        )

    def _end_piece(self, end: PieceEnd) -> None:
        sums = end.sums
        if not sums.lines:
            self._rows["words"].append((end.rank << PIECE, self._piece, "", ""))
        first = next(iter(self._tiers), None)
        others = max(0, len(self._tiers) - 1)
        row = (sums.lines, str(sums.ht), str(sums.tva), _cents(sums.ht + sums.tva), first, others, self._documents, end.rank)
        self._database.execute(
            "UPDATE piece SET read = 1, lines = ?, sum_ht = ?, sum_tva = ?, cents = ?, tiers = ?, others = ?, documents = ?"
            " WHERE id = ?",
            row,
        )
        self._names, self._documents = [], 0

    def _line(self, line: Line) -> None:
        self.lines += 1
        for third_party in line.third_parties:
            if len(self._tiers) < _NAMES and (name := _name(third_party)):
                self._tiers[name] = None
        people = [[dict(one.values), [dict(account) for account in one.accounts]] for one in line.third_parties]
        facts = json.dumps({"values": dict(line.values), "tiers": people}, ensure_ascii=False)
        number = line.piece << PIECE | line.rank
        self._rows["line"].append((number, facts))
        self._rows["words"].append((number, self._piece, _words_of_people(line.third_parties), _words_of_line(line)))
        if self.lines == SOON:
            self.commit()

    def _reference(self, reference: Reference) -> None:
        self._documents += 1
        if len(self._names) < _NAMES:
            self._names += filter(None, (reference.name, reference.unique_id))
        self._database.execute(
            "INSERT INTO reference (piece, line, unique_id, support, name, kind) VALUES (?, ?, ?, ?, ?, ?)",
            (reference.piece, reference.line, reference.unique_id, reference.support, reference.name, reference.kind),
        )

    def _flush(self) -> None:
        self._database.executemany("INSERT INTO line VALUES (?, ?)", self._rows["line"])
        self._database.executemany("INSERT INTO words (rowid, piece, tiers, line) VALUES (?, ?, ?, ?)", self._rows["words"])
        self._rows = {"line": [], "words": []}

    def _tell(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO flow VALUES (?, ?)", (name, value))


def _name(third_party: ThirdParty) -> str:
    values = third_party.values
    return " ".join(filter(None, (values.get("Nom"), values.get("Prenom"), values.get("ComplNom"))))


def _words_of_people(people: tuple[ThirdParty, ...]) -> str:
    """Return what a third party is found by: a number of social security or of an account must not be guessed by searching."""
    words = []
    for one in people:
        values = one.values
        words += [_name(one), values.get("RefTiers", "")]
        if values.get("NatIdTiers") != _NIR:
            words.append(values.get("IdTiers", ""))
    return " ".join(words)


def _words_of_line(line: Line) -> str:
    names = ("ObjLignePce", "LibVir1", "LibVir2", "Facture", "IdMarche", "Nature", "Fonction", "Operation", "CodProdLoc")
    return " ".join(text for name in names if (text := line.values.get(name)))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _cents(value: Decimal) -> int | None:
    """Return whole cents, for comparing; None for what no budget holds."""
    return int((value * 100).to_integral_value()) if abs(value) < _LARGEST_CENTS // 100 else None


def _whole(value: int | None) -> int | None:
    return value if value is not None and abs(value) < _LARGEST_CENTS else None
