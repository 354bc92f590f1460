"""What has just been done, told on the page that follows: of one folder, or of each of several.

What came of several travels in the address, sealed: reloading the page tells it again, and nobody else can write it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from core.errors import Misconfigured, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from signing.parapheur import access
from signing.parapheur.recall import may_undo

messages = Catalogue("api.web.trays")
DONE = frozenset(
    {"vise", "signe", "cachete", "rejete", "papier", "avis", "avis-demande", "transfere", "annote", "importe", "recupere"}
    | {"corbeille", "courriel", "efface", "force", "annexe", "annexe-retiree", "emplacement", "rappel"}
)
_LONGEST_REASON = 300
_LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to a folder.

    Attributes:
        what: one of ``DONE``.
        folder_id: the folder, when the visitor may see it still; empty otherwise.
        undo: it may be taken back.
    """

    what: str
    title: str
    folder_id: str
    undo: bool

    @property
    def words(self) -> str:
        """What was done, and to which folder."""
        return messages(f"done.{self.what}.of", title=self.title) if self.title else messages(f"done.{self.what}")

    @property
    def undo_words(self) -> str:
        """The name of the way back."""
        return messages("done.undo")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one folder among several; no reason when it was done."""

    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """What came of several folders."""

    gesture: str
    of: tuple[Result, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those that were not done."""
        return tuple(one for one in self.of if one.reason)


def done(session: Session, principal: Principal, what: str, folder_id: str) -> Done | None:
    """Return what was done to a folder, with its title as it stands; None when the address tells nothing that there is."""
    if what not in DONE:
        return None
    try:
        found = access.seen(session, principal, folder_id)
    except NotFound:
        return Done(what, "", "", undo=False)
    undo = what not in {"recupere", "annote", "annexe", "annexe-retiree", "emplacement", "rappel"} and may_undo(
        session, principal, found.folder
    )
    return Done(what, found.folder.title, folder_id, undo)


def written(platform: Platform, gesture: str, results: Sequence[Result]) -> str:
    """Return results as they stand in an address."""
    told = [gesture, [[one.title, one.reason[:_LONGEST_REASON]] for one in results]]
    packed = zlib.compress(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())
    return platform.secrets.encrypt(packed).decode("ascii")


def read(platform: Platform, told: str) -> Results | None:
    """Return the results that an address bears; None when it bears none that were written here."""
    if not told:
        return None
    try:
        packed = platform.secrets.decrypt(told.encode("ascii", "replace"))
    except Misconfigured:
        return None
    gesture, results = json.loads(zlib.decompressobj().decompress(packed, _LARGEST))
    return Results(gesture, tuple(Result(title, reason) for title, reason in results))
