"""What the simulated as@lae keeps: transfers, and large ones that still come in pieces; nothing is lost when it is killed.

Everything appears whole, by a rename: a transfer is a folder of its manifest and its attachments, named after its identifier.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from core import clock
from core.identifiers import new_id

MANIFEST, ATTACHMENTS, STATE = "bordereau.xml", "archive.tar.gz", "state.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A transfer as it was received.

    Attributes:
        code: with which it is answered.
        comment: what is said with it.
    """

    folder: Path
    received: datetime
    code: str
    comment: str

    @property
    def manifest(self) -> Path:
        """The file of its manifest."""
        return self.folder / MANIFEST


class Store:
    """The folder of the simulator."""

    def __init__(self, folder: Path) -> None:
        self._transfers, self._sessions, self._incoming = folder / "transfers", folder / "sessions", folder / "incoming"
        for one in (self._transfers, self._sessions, self._incoming):
            one.mkdir(parents=True, exist_ok=True)

    def known(self, sender: str, identifier: str) -> Kept | None:
        """Return a transfer that was received; None when there is none."""
        folder = self._transfers / _name(sender, identifier)
        if not folder.exists():
            return None
        told = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return Kept(folder, clock.from_iso(told["received"]), told["code"], told["comment"])

    def count(self) -> int:
        """Return how many transfers were received."""
        return sum(1 for _ in self._transfers.iterdir())

    def room(self) -> Path:
        """Return an empty folder, for what has not come whole."""
        folder = self._incoming / new_id()
        folder.mkdir()
        return folder

    def keep(self, sender: str, identifier: str, room: Path, code: str, comment: str) -> bool:
        """Keep what stands in a room as a transfer; False when there is one of that identifier."""
        told = {"received": clock.iso(clock.now()), "code": code, "comment": comment}
        (room / STATE).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        try:
            room.rename(self._transfers / _name(sender, identifier))
        except OSError:
            shutil.rmtree(room)
            return False
        return True

    def begin(self, manifest: bytes) -> str:
        """Open a session for a transfer whose attachments come in pieces, and return its identifier."""
        session, room = new_id(), self.room()
        (room / MANIFEST).write_bytes(manifest)
        room.rename(self._sessions / session)
        return session

    def piece(self, session: str, index: int, count: int, content: bytes) -> Path | None:
        """Keep a piece; return the folder of the session once all of them are there, put together in it.

        Raises:
            KeyError: there is no such session.
        """
        folder = self._sessions / session
        if not session.isalnum() or not folder.is_dir():
            raise KeyError(session)
        target = folder / f"piece-{index:06}"
        target.with_suffix(".part").write_bytes(content)
        target.with_suffix(".part").rename(target)
        pieces = sorted(one for one in folder.iterdir() if one.name.startswith("piece-") and not one.suffix)
        if [one.name for one in pieces] != [f"piece-{rank:06}" for rank in range(1, count + 1)]:
            return None
        with (folder / ATTACHMENTS).open("wb") as whole:
            for one in pieces:
                whole.write(one.read_bytes())
        for one in pieces:
            one.unlink()
        return folder


def _name(sender: str, identifier: str) -> str:
    return f"{quote(sender, safe='')}+{quote(identifier, safe='')}"
