"""What the simulated ministry remembers across restarts: what it received, the acts it knows, the letters and mails it wrote.

One SQLite file. The same archive received twice is two deliveries: whoever counts sees both.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, file TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, client TEXT NOT NULL, time TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS act (
    id_acte TEXT PRIMARY KEY, sender TEXT NOT NULL, application TEXT NOT NULL, addresses TEXT NOT NULL,
    received TEXT NOT NULL, state TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS letter (
    id_acte TEXT NOT NULL, code TEXT NOT NULL, day TEXT NOT NULL, answered TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id_acte, code, day)
);
CREATE TABLE IF NOT EXISTS mail (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, file TEXT NOT NULL UNIQUE, addresses TEXT NOT NULL, message TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS counter (what TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One archive that came in.

    Attributes:
        rank: 1 for the first ever, then one more each time.
        name: of the archive, as the request said it.
        file: where it is kept, relative to the folder of received files.
        sha256: digest of the archive, hexadecimal.
        size: bytes.
        client: common name of the certificate that was shown.
        time: RFC 3339, UTC.
        outcome: what was answered, codes of messages; ``duplicate`` or ``silence``; empty until it is decided.
    """

    rank: int
    name: str
    file: str
    sha256: str
    size: int
    client: str
    time: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class KnownAct:
    """An act that was acknowledged.

    Attributes:
        id_acte: its identifier.
        sender: SIREN, department, arrondissement and nature of the collectivité, joined by commas.
        application: quadrigramme of its envelope.
        addresses: where answers go, joined by spaces.
        received: day, ISO 8601.
        state: ``received`` or ``cancelled``.
    """

    id_acte: str
    sender: str
    application: str
    addresses: str
    received: str
    state: str = "received"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter about an act.

    Attributes:
        id_acte: of the act.
        code: of the message that carried it (``3-1``).
        day: its date, ISO 8601.
        answered: codes of the messages that answered it, joined by spaces.
    """

    id_acte: str
    code: str
    day: str
    answered: str = ""


@dataclass(frozen=True, slots=True)
class WrittenMail:
    """A mail that was written.

    Attributes:
        rank: in the order of writing.
        file: of its octets, relative to the folder of mails.
        addresses: of its recipients.
        message: code of the message that it carries.
    """

    rank: int
    file: str
    addresses: tuple[str, ...]
    message: str


_DELIVERY = "SELECT rank, name, file, sha256, size, client, time, outcome FROM delivery"


class Ledger:
    """The simulator's memory; every method may be called from any thread, and is one transaction."""

    def __init__(self, folder: Path) -> None:
        """Open or create the ledger."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "ledger.sqlite3", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def receive(self, delivery: Delivery) -> None:
        """Note a delivery, whatever its rank says."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO delivery (name, file, sha256, size, client, time, outcome) VALUES (?,?,?,?,?,?,?)",
                astuple(delivery)[1:],
            )

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries, oldest first."""
        with self._transaction() as database:
            return [Delivery(*row) for row in database.execute(f"{_DELIVERY} ORDER BY rank")]

    def undecided(self) -> list[Delivery]:
        """Return the deliveries that wait for a decision, oldest first."""
        return [delivery for delivery in self.deliveries() if not delivery.outcome]

    def earlier(self, delivery: Delivery) -> list[Delivery]:
        """Return the deliveries under the same name that came before."""
        return [one for one in self.deliveries() if one.name == delivery.name and one.rank < delivery.rank]

    def decide(
        self,
        delivery: Delivery,
        outcome: str,
        *,
        acts: Iterable[KnownAct],
        answered: Iterable[Letter],
        mails: Iterable[WrittenMail],
    ) -> bool:
        """Note at once all that follows from a delivery; false, and nothing, when it was decided before."""
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE delivery SET outcome = ? WHERE rank = ? AND outcome = ''", (outcome, delivery.rank)
            )
            if not changed.rowcount:
                return False
            database.executemany("INSERT OR REPLACE INTO act VALUES (?,?,?,?,?,?)", map(astuple, acts))
            database.executemany("INSERT OR REPLACE INTO letter VALUES (?,?,?,?)", map(astuple, answered))
            _write(database, mails)
            return True

    def send(self, letter: Letter, mails: Iterable[WrittenMail]) -> None:
        """Note a letter, and the mails that carry it."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO letter VALUES (?,?,?,?)", astuple(letter))
            _write(database, mails)

    def act(self, id_acte: str) -> KnownAct | None:
        """Return an act, if it is known."""
        with self._transaction() as database:
            row = database.execute("SELECT * FROM act WHERE id_acte = ?", (id_acte,)).fetchone()
        return KnownAct(*row) if row else None

    def acts(self) -> list[KnownAct]:
        """Return the acts that are known."""
        with self._transaction() as database:
            return [KnownAct(*row) for row in database.execute("SELECT * FROM act ORDER BY id_acte")]

    def letters(self, id_acte: str) -> list[Letter]:
        """Return the letters about an act."""
        with self._transaction() as database:
            rows = database.execute("SELECT * FROM letter WHERE id_acte = ? ORDER BY day, code", (id_acte,)).fetchall()
        return [Letter(*row) for row in rows]

    def unsent(self) -> list[WrittenMail]:
        """Return the mails that are not known to have been taken, in the order of writing."""
        with self._transaction() as database:
            rows = database.execute("SELECT rank, file, addresses, message FROM mail WHERE sent = 0 ORDER BY rank").fetchall()
        return [WrittenMail(rank, file, tuple(json.loads(addresses)), message) for rank, file, addresses, message in rows]

    def sent(self, mail: WrittenMail) -> None:
        """Note that a mail was taken."""
        with self._transaction() as database:
            database.execute("UPDATE mail SET sent = 1 WHERE rank = ?", (mail.rank,))

    def count(self, what: str, start: int = 1) -> int:
        """Return the next number of a counter, which begins at a start."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO counter VALUES (?, ?)", (what, start - 1))
            database.execute("UPDATE counter SET value = value + 1 WHERE what = ?", (what,))
            return int(database.execute("SELECT value FROM counter WHERE what = ?", (what,)).fetchone()[0])

    def told(self) -> dict[str, object]:
        """Return everything, for a person to read."""
        acts = [asdict(act) | {"letters": [asdict(one) for one in self.letters(act.id_acte)]} for act in self.acts()]
        return {"deliveries": [asdict(one) for one in self.deliveries()], "acts": acts, "unsent": len(self.unsent())}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _write(database: sqlite3.Connection, mails: Iterable[WrittenMail]) -> None:
    database.executemany(
        "INSERT INTO mail (file, addresses, message) VALUES (?, ?, ?)",
        [(mail.file, json.dumps(mail.addresses), mail.message) for mail in mails],
    )
