"""What the simulator remembers across restarts: what it received, what it answered, what Hélios has already taken.

One SQLite file. ``received.jsonl`` beside it tells the same deliveries in clear, one line each, for whoever counts them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS received (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, file TEXT NOT NULL UNIQUE, remote_name TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, nom_fic TEXT, time TEXT NOT NULL, decided INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS undecided ON received (decided) WHERE decided = 0;
CREATE TABLE IF NOT EXISTS answer (
    name TEXT PRIMARY KEY, account TEXT NOT NULL, rank INTEGER NOT NULL, published INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS unpublished ON answer (published) WHERE published = 0;
CREATE TABLE IF NOT EXISTS taken (what TEXT PRIMARY KEY, rank INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery.

    Attributes:
        rank: 1 for the first delivery ever, then one more each time.
        account: who delivered.
        file: where it is kept, relative to the folder of received files.
        remote_name: final name under which it was published.
        sha256: digest of the content, hexadecimal.
        size: bytes.
        nom_fic: ``NomFic`` of the envelope; None when there is none.
        time: RFC 3339, UTC.
    """

    rank: int
    account: str
    file: str
    remote_name: str
    sha256: str
    size: int
    nom_fic: str | None
    time: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An acquit that was decided.

    Attributes:
        name: of the file; never used twice.
        account: who will find it.
    """

    name: str
    account: str


_RECEIVED = "SELECT rank, account, file, remote_name, sha256, size, nom_fic, time FROM received"


class Ledger:
    """The simulator's memory; every method may be called from any thread, and is one transaction."""

    def __init__(self, folder: Path) -> None:
        """Open or create the ledger, and bring the journal up to it."""
        self._journal = folder / "received.jsonl"
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "ledger.sqlite3", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self._complete_journal()

    def receive(self, delivery: Received) -> Received:
        """Note a delivery once, whatever its rank says, and return it with its rank."""
        with self._transaction() as database:
            rank = database.execute(
                "INSERT INTO received (account, file, remote_name, sha256, size, nom_fic, time) VALUES (?,?,?,?,?,?,?)",
                list(asdict(delivery).values())[1:],
            ).lastrowid
            noted = Received(**(asdict(delivery) | {"rank": rank}))
        self._tell([noted])
        return noted

    def received(self) -> list[Received]:
        """Return all deliveries, oldest first."""
        with self._transaction() as database:
            return [Received(*row) for row in database.execute(f"{_RECEIVED} ORDER BY rank")]

    def undecided(self) -> list[Received]:
        """Return the deliveries that wait for a decision, oldest first."""
        with self._transaction() as database:
            return [Received(*row) for row in database.execute(f"{_RECEIVED} WHERE decided = 0 ORDER BY rank")]

    def taken(self, candidates: Iterable[str]) -> set[str]:
        """Return those of the candidates that Hélios took already."""
        with self._transaction() as database:
            return {what for what in candidates if database.execute("SELECT 1 FROM taken WHERE what = ?", (what,)).fetchone()}

    def decide(self, delivery: Received, taken: Iterable[str], answers: Iterable[Answer]) -> bool:
        """Note at once what Hélios takes from a delivery and the answers to it, none of them published yet.

        Returns:
            False when the delivery was decided before: nothing is noted then.
        """
        with self._transaction() as database:
            changed = database.execute("UPDATE received SET decided = 1 WHERE rank = ? AND decided = 0", (delivery.rank,))
            if not changed.rowcount:
                return False
            database.executemany("INSERT OR IGNORE INTO taken VALUES (?, ?)", [(what, delivery.rank) for what in taken])
            database.executemany(
                "INSERT INTO answer (name, account, rank) VALUES (?, ?, ?)",
                [(answer.name, answer.account, delivery.rank) for answer in answers],
            )
        return True

    def unpublished(self) -> list[Answer]:
        """Return the answers decided and not yet known to be published."""
        with self._transaction() as database:
            return [Answer(*row) for row in database.execute("SELECT name, account FROM answer WHERE published = 0")]

    def published(self, answer: Answer) -> None:
        """Note that an answer is published."""
        with self._transaction() as database:
            database.execute("UPDATE answer SET published = 1 WHERE name = ?", (answer.name,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _tell(self, deliveries: Iterable[Received]) -> None:
        lines = "".join(json.dumps(asdict(delivery), ensure_ascii=False) + "\n" for delivery in deliveries)
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(lines)

    def _complete_journal(self) -> None:
        """Add the lines that a crash left unwritten, a torn one first taken away."""
        text = self._journal.read_bytes() if self._journal.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            self._journal.write_bytes(whole)
        told = {json.loads(line)["rank"] for line in whole.splitlines()}
        self._tell(delivery for delivery in self.received() if delivery.rank not in told)
