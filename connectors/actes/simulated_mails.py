"""What the simulated mailbox keeps across restarts: folders in SQLite, mails in files, each change one transaction."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import iso, now
from core.identifiers import new_id

INBOX = "INBOX"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
    account TEXT NOT NULL, name TEXT NOT NULL, validity INTEGER NOT NULL, next INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (account, name)
);
CREATE TABLE IF NOT EXISTS mail (
    account TEXT NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
    flags TEXT NOT NULL DEFAULT '', time TEXT NOT NULL, PRIMARY KEY (account, folder, uid)
);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    r"""A mail of a folder.

    Attributes:
        uid: never given twice in a folder.
        file: of its octets.
        size: bytes.
        flags: such as ``\Seen``.
        time: when it came, RFC 3339.
    """

    uid: int
    file: Path
    size: int
    flags: frozenset[str]
    time: str


class MailStore:
    """Folders of accounts; every method may be called from any thread, and is one transaction."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, made when absent."""
        self._octets = folder / "mails"
        self._octets.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "mails.sqlite3", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the folder."""
        self._database.close()

    def create(self, account: str, name: str) -> bool:
        """Make a folder; False when there is one."""
        with self._transaction() as database:
            validity = database.execute("SELECT COALESCE(MAX(validity), 1700000000) + 1 FROM folder").fetchone()[0]
            made = database.execute("INSERT OR IGNORE INTO folder VALUES (?, ?, ?, 1)", (account, name, validity))
            return made.rowcount == 1

    def folders(self, account: str) -> list[str]:
        """Return the names of an account's folders."""
        with self._transaction() as database:
            return [row[0] for row in database.execute("SELECT name FROM folder WHERE account = ? ORDER BY name", (account,))]

    def validity(self, account: str, name: str) -> tuple[int, int] | None:
        """Return UIDVALIDITY and UIDNEXT; None when there is no such folder."""
        with self._transaction() as database:
            found: tuple[int, int] | None = database.execute(
                "SELECT validity, next FROM folder WHERE account = ? AND name = ?", (account, name)
            ).fetchone()
            return found

    def add(self, account: str, name: str, octets: bytes) -> int:
        """Keep a mail in an existing folder, on disk before it is said to be kept, and return its UID."""
        file = self._octets / f"{new_id()}.eml"
        with file.open("xb") as stream:
            stream.write(octets)
            os.fsync(stream.fileno())
        with self._transaction() as database:
            return _insert(database, account, name, (file.name, len(octets), "", iso(now())))

    def mails(self, account: str, name: str) -> list[Kept]:
        """Return the mails of a folder by UID."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT uid, file, size, flags, time FROM mail WHERE account = ? AND folder = ? ORDER BY uid", (account, name)
            ).fetchall()
        return [Kept(uid, self._octets / file, size, frozenset(flags.split()), time) for uid, file, size, flags, time in rows]

    def flag(self, account: str, name: str, uid: int, flags: Iterable[str]) -> None:
        """Set the flags of a mail."""
        with self._transaction() as database:
            database.execute(
                "UPDATE mail SET flags = ? WHERE account = ? AND folder = ? AND uid = ?",
                (" ".join(sorted(flags)), account, name, uid),
            )

    def copy(self, account: str, name: str, uids: Iterable[int], target: str, *, moves: bool) -> dict[int, int]:
        """Copy or move mails to an existing folder, all at once; return the new UID of each that is there."""
        given = {}
        with self._transaction() as database:
            for uid in uids:
                key = (account, name, uid)
                row = database.execute(
                    "SELECT file, size, flags, time FROM mail WHERE account = ? AND folder = ? AND uid = ?", key
                ).fetchone()
                if row:
                    given[uid] = _insert(database, account, target, row)
                    if moves:
                        database.execute("DELETE FROM mail WHERE account = ? AND folder = ? AND uid = ?", key)
        return given

    def remove(self, account: str, name: str, uids: Iterable[int]) -> None:
        """Take mails away."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM mail WHERE account = ? AND folder = ? AND uid = ?", [(account, name, uid) for uid in uids]
            )

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


def _insert(database: sqlite3.Connection, account: str, name: str, row: tuple[str, int, str, str]) -> int:
    (uid,) = database.execute("SELECT next FROM folder WHERE account = ? AND name = ?", (account, name)).fetchone()
    database.execute("UPDATE folder SET next = next + 1 WHERE account = ? AND name = ?", (account, name))
    database.execute("INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?)", (account, name, uid, *row))
    return int(uid)
