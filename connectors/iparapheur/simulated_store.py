"""What the simulated parapheur keeps on disk: one row a dossier, one file a document. A crash loses nothing that was told."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from connectors.iparapheur.messages import Visibility
from connectors.iparapheur.simulated_typology import Action, SignatureFormat
from core.identifiers import new_id

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dossier (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, legacy_id TEXT UNIQUE, record TEXT NOT NULL
);
"""


class Stage(StrEnum):
    """Where a dossier stands."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    FINISHED = "FINISHED"
    REJECTED = "REJECTED"
    TRASHED = "TRASHED"


class Octets(BaseModel):
    """A stored file, by digest."""

    name: str
    media: str
    sha256: str


class Kept(Octets):
    """A document of a dossier, and its detached signatures in their order."""

    main: bool
    signatures: list[Octets] = []


class Stop(BaseModel):
    """A step of the circuit that the dossier follows, and the desks that have acted."""

    action: Action
    desks: list[str]
    every: bool
    done: list[str] = []


class Line(BaseModel):
    """Something that happened.

    ``action`` is empty where the REST service tells nothing of it.
    """

    moment: datetime
    login: str
    desk: str
    status: str
    note: str
    action: str = ""


class Dossier(BaseModel):
    """A dossier of the simulated parapheur."""

    id: str
    legacy_id: str | None
    name: str
    type: str
    subtype: str
    format: SignatureFormat
    emitter: str
    desk: str
    visibility: Visibility
    email: str | None = None
    due: date | None = None
    public_note: str = ""
    private_note: str = ""
    place: str | None = None
    metadata: dict[str, str] = {}
    documents: list[Kept] = []
    circuit: list[Stop] = []
    current: int = 0
    read: bool = False
    stage: Stage = Stage.DRAFT
    history: list[Line] = []

    @property
    def known_as(self) -> str:
        """The identifier that the SOAP service gives: that of whoever created it, when there is one."""
        return self.legacy_id or self.id

    @property
    def stop(self) -> Stop:
        """The step under way."""
        return self.circuit[self.current]


class Store:
    """The simulator's memory; every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        """Open or create the memory."""
        self._documents = folder / "documents"
        self._documents.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(folder / "dossiers.sqlite3", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_SCHEMA)

    def keep(self, source: Path) -> str:
        """Keep a file and return its SHA-256."""
        with source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        target = self.path(sha256)
        if not target.exists():
            draft = target.with_name(new_id())
            shutil.copyfile(source, draft)
            draft.replace(target)
        return sha256

    def path(self, sha256: str) -> Path:
        """Return where a kept file is."""
        return self._documents / sha256

    def add(self, dossier: Dossier) -> bool:
        """Keep a new dossier; False when its identifier is taken."""
        with self._lock:
            row = (dossier.id, dossier.legacy_id, dossier.model_dump_json())
            try:
                self._database.execute("INSERT INTO dossier (id, legacy_id, record) VALUES (?, ?, ?)", row)
            except sqlite3.IntegrityError:
                return False
        return True

    def find(self, identifier: str) -> Dossier | None:
        """Return a dossier by either of its identifiers."""
        with self._lock:
            row = self._database.execute(
                "SELECT record FROM dossier WHERE id = ? OR legacy_id = ?", (identifier, identifier)
            ).fetchone()
        return Dossier.model_validate_json(row[0]) if row else None

    def all(self) -> list[Dossier]:
        """Return every dossier, oldest first."""
        with self._lock:
            rows = self._database.execute("SELECT record FROM dossier ORDER BY rank").fetchall()
        return [Dossier.model_validate_json(row[0]) for row in rows]

    @contextmanager
    def changing(self, identifier: str) -> Iterator[Dossier | None]:
        """Lend a dossier alone, and keep what became of it unless the block fails; one that is gone is None."""
        with self._lock:
            dossier = self.find(identifier)
            yield dossier
            if dossier is not None:
                self._database.execute("UPDATE dossier SET record = ? WHERE id = ?", (dossier.model_dump_json(), dossier.id))

    def erase(self, identifier: str) -> None:
        """Forget a dossier; its identifier can be used again."""
        with self._lock:
            self._database.execute("DELETE FROM dossier WHERE id = ?", (identifier,))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()
