"""What the simulated Chorus Pro keeps, in one SQLite file: ten thousand invoices are cheap, and a restart forgets nothing.

An invoice is a row; its documents are made when they are asked for.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.chorus.simulated_world import COMMUNE, SUPPLIER, SUPPLIER_NAME
from connectors.chorus.statuses import Status
from core.clock import from_iso, in_paris, iso

_FIRST = 10_000_001
_SCHEMA = """
CREATE TABLE IF NOT EXISTS invoice (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body INTEGER NOT NULL, desk INTEGER, number TEXT NOT NULL, supplier TEXT NOT NULL,
    supplier_name TEXT NOT NULL, type TEXT NOT NULL, frame TEXT NOT NULL, issued TEXT NOT NULL, deposited TEXT NOT NULL,
    status TEXT NOT NULL, moved TEXT NOT NULL, comment TEXT NOT NULL, net INTEGER NOT NULL, gross INTEGER NOT NULL,
    engagement TEXT NOT NULL, market TEXT NOT NULL, mandate TEXT NOT NULL, downloaded INTEGER NOT NULL, shape TEXT NOT NULL,
    pieces INTEGER NOT NULL, weight INTEGER NOT NULL, flow TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS invoice_moved ON invoice (body, kind, moved);
CREATE INDEX IF NOT EXISTS invoice_flow ON invoice (flow) WHERE flow <> '';
CREATE INDEX IF NOT EXISTS invoice_number ON invoice (supplier, number);
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY, invoice INTEGER NOT NULL, status TEXT NOT NULL, moment TEXT NOT NULL, comment TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS step_invoice ON step (invoice);
CREATE TABLE IF NOT EXISTS token (value TEXT PRIMARY KEY, until TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deposit (number TEXT PRIMARY KEY, settled INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS piece (id INTEGER PRIMARY KEY, login TEXT NOT NULL, name TEXT NOT NULL, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS call (
    id INTEGER PRIMARY KEY, moment TEXT NOT NULL, login TEXT NOT NULL, service TEXT NOT NULL, status INTEGER NOT NULL,
    request TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Invoice:
    """A payment request.

    Attributes:
        kind: FACTURE, FACTURE_TRAVAUX, or MOE and MOA, which the search of works invoices finds.
        body, desk: structure that it is for, and its service.
        deposited, moved: RFC 3339 in UTC, whole seconds, so that they compare as texts.
        net, gross: cents.
        downloaded: 1 once somebody downloaded it.
        shape: how its pieces are made: see ``simulated_documents.Shape``.
        pieces: how many supporting ones it has.
        weight: octets of the first supporting piece, when it is to be large.
        flow: number of the deposit that it came by.
    """

    kind: str
    body: int
    desk: int | None
    number: str
    supplier: str
    supplier_name: str
    type: str
    frame: str
    issued: str
    deposited: str
    status: str
    moved: str
    comment: str
    net: int
    gross: int
    engagement: str
    market: str
    mandate: str
    downloaded: int
    shape: str
    pieces: int
    weight: int
    flow: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A status that an invoice went through."""

    id: int
    status: str
    moment: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class Call:
    """Something that was asked: a service, by whom, with what body, and the status of HTTP that it was answered with."""

    moment: datetime
    login: str
    service: str
    status: int
    request: Mapping[str, Any]


_COLUMNS = tuple(one.name for one in fields(Invoice))
_INSERT = f"INSERT INTO invoice ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM invoice"  # noqa: S608 - our own names
_BEFORE = ("DEPOSEE", "EN_COURS_ACHEMINEMENT")


class Store:
    """The simulator's memory; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)

    def add(self, invoices: Iterable[Invoice]) -> list[int]:
        """Keep new invoices, with the way that they came by, and return their identifiers."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            (last,) = self._database.execute("SELECT coalesce(max(id), ?) FROM invoice", (_FIRST - 1,)).fetchone()
            rows = [(*astuple(one)[:-1], rank) for rank, one in enumerate(invoices, last + 1)]
            self._database.executemany(_INSERT, rows)
            known = [Invoice(*row) for row in rows]
            steps = [(one.id, code, one.deposited, "") for one in known for code in _BEFORE]
            steps += [(one.id, one.status, one.moved, one.comment) for one in known if one.status not in _BEFORE]
            self._database.executemany("INSERT INTO step (invoice, status, moment, comment) VALUES (?, ?, ?, ?)", steps)
        return [one.id for one in known]

    def find(self, known: int) -> Invoice | None:
        """Return an invoice."""
        found = self.search(["id = ?"], [known], 1, 0)[1]
        return found[0] if found else None

    def search(self, where: Sequence[str], values: Sequence[Any], limit: int, offset: int) -> tuple[int, list[Invoice]]:
        """Return how many invoices fulfil all conditions, and some of them, oldest first."""
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        with self._lock:
            (total,) = self._database.execute(f"SELECT count(*) FROM invoice{condition}", values).fetchone()  # noqa: S608
            rows = self._database.execute(f"{_SELECT}{condition} ORDER BY id LIMIT ? OFFSET ?", [*values, limit, offset])
            return int(total), [Invoice(*row) for row in rows]

    def move(self, known: int, status: str, moment: datetime, *, comment: str = "", mandate: str = "") -> None:
        """Give an invoice another status."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "UPDATE invoice SET status = ?, moved = ?, comment = ?, mandate = coalesce(nullif(?, ''), mandate) WHERE id = ?",
                (status, stamp(moment), comment, mandate, known),
            )
            self._database.execute(
                "INSERT INTO step (invoice, status, moment, comment) VALUES (?, ?, ?, ?)", (known, status, stamp(moment), comment)
            )

    def correct(self, known: int, changed: Mapping[str, Any]) -> None:
        """Change what an invoice says, as its supplier may while it has it again; by the names of its columns."""
        assigned = ", ".join(f"{column} = ?" for column in _COLUMNS if column in changed)
        values = [changed[column] for column in _COLUMNS if column in changed]
        with self._lock:
            self._database.execute(f"UPDATE invoice SET {assigned} WHERE id = ?", [*values, known])  # noqa: S608 - our own names

    def steps(self, known: int) -> list[Step]:
        """Return the statuses that an invoice went through, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, status, moment, comment FROM step WHERE invoice = ? ORDER BY id", (known,)
            ).fetchall()
        return [Step(rank, status, from_iso(moment), comment) for rank, status, moment, comment in rows]

    def mark_downloaded(self, known: Iterable[int]) -> None:
        """Note that invoices were downloaded."""
        with self._lock:
            self._database.executemany("UPDATE invoice SET downloaded = 1 WHERE id = ?", [(one,) for one in known])

    def keep_token(self, value: str, until: datetime) -> None:
        """Keep a token that was given."""
        with self._lock:
            self._database.execute("INSERT INTO token VALUES (?, ?)", (value, iso(until)))

    def token_end(self, value: str) -> datetime | None:
        """Return until when a token is good; None when it is not known."""
        with self._lock:
            row = self._database.execute("SELECT until FROM token WHERE value = ?", (value,)).fetchone()
        return from_iso(row[0]) if row else None

    def forget_tokens(self) -> None:
        """Let every token given so far be unknown."""
        with self._lock:
            self._database.execute("DELETE FROM token")

    def keep_deposit(self, number: str, record: Mapping[str, Any], *, settled: bool) -> None:
        """Keep a deposit, or what became of it."""
        with self._lock:
            values = (number, settled, json.dumps(record))
            self._database.execute("INSERT OR REPLACE INTO deposit VALUES (?, ?, ?)", values)

    def unsettled(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the deposits that have not come to their end, with their numbers."""
        with self._lock:
            rows = self._database.execute("SELECT number, record FROM deposit WHERE settled = 0 ORDER BY number").fetchall()
        return [(number, dict(json.loads(record))) for number, record in rows]

    def deposit(self, number: str) -> dict[str, Any] | None:
        """Return a deposit."""
        with self._lock:
            row = self._database.execute("SELECT record FROM deposit WHERE number = ?", (number,)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def deposits(self) -> int:
        """Return how many deposits there are."""
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM deposit").fetchone()[0])

    def keep_piece(self, login: str, name: str, octets: bytes) -> int:
        """Keep a supporting piece and return its number."""
        with self._lock:
            values = (login, name, octets)
            return int(self._database.execute("INSERT INTO piece (login, name, octets) VALUES (?, ?, ?)", values).lastrowid or 0)

    def owns_piece(self, login: str, known: int) -> bool:
        """Tell whether a supporting piece was handed over by an account."""
        with self._lock:
            return bool(self._database.execute("SELECT 1 FROM piece WHERE id = ? AND login = ?", (known, login)).fetchone())

    def note(self, call: Call) -> None:
        """Note something that was asked."""
        with self._lock:
            self._database.execute(
                "INSERT INTO call (moment, login, service, status, request) VALUES (?, ?, ?, ?, ?)",
                (iso(call.moment), call.login, call.service, call.status, json.dumps(call.request)),
            )

    def calls(self) -> list[Call]:
        """Return all that was asked, oldest first."""
        with self._lock:
            rows = self._database.execute("SELECT moment, login, service, status, request FROM call ORDER BY id").fetchall()
        return [Call(from_iso(moment), login, service, status, json.loads(body)) for moment, login, service, status, body in rows]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()


def stamp(moment: datetime) -> str:
    """Return a moment as it is kept."""
    return iso(moment.replace(microsecond=0))


def ordinary(moment: datetime, number: str, **given: Any) -> Invoice:
    """Return an invoice that was made available at a moment; a plain one of the demonstration, where nothing else is given."""
    plain: dict[str, Any] = {
        "kind": "FACTURE",
        "body": COMMUNE,
        "desk": None,
        "number": number,
        "supplier": SUPPLIER,
        "supplier_name": SUPPLIER_NAME,
        "type": "FACTURE",
        "frame": "A1",
        "issued": in_paris(moment).date().isoformat(),
        "deposited": stamp(moment),
        "status": Status.AVAILABLE.value,
        "moved": stamp(moment),
        "comment": "",
        "net": 100_00,
        "gross": 120_00,
        "engagement": "",
        "market": "",
        "mandate": "",
        "downloaded": 0,
        "shape": "pdf",
        "pieces": 0,
        "weight": 0,
        "flow": "",
    }
    return Invoice(**plain | given)
