"""What a stage is given, and the ways in which it may end.

A stage returns ``Advance`` (to the next state, by a named outcome) or ``Later`` (the same stage again, when told). Trouble is
raised: ``Refused`` is definitive and carries its problems; ``Unavailable`` is tried again with back-off; ``NeedsOperator`` and
``Misconfigured`` park the dossier. Any other exception is a fault of ours: tried a few times, then parked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform

_messages = Catalogue("flows.engine")


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A document of the dossier: its role in the flow, and its digest in the object store."""

    role: str
    name: str
    media_type: str
    sha256: str
    size: int
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """The stage is done.

    Attributes:
        outcome: one of the stage's declared outcomes.
        facts: merged into the dossier's facts.
        files: added to the dossier.
        journal: facts of the journal entry: identifiers, digests, codes.
        apply: further writes to make in the very transaction that records the outcome.
    """

    outcome: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[KeptFile, ...] = ()
    journal: Mapping[str, Any] = field(default_factory=dict)
    apply: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """The stage cannot be done yet; it will be performed again from the start.

    Attributes:
        due: when.
        reason: why, for the person who looks at the dossier.
    """

    due: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Work:
    """A dossier in the hands of a stage.

    Attributes:
        folder: a private folder, emptied when the stage ends.
        attempt: 1 the first time since the state was entered.
        note: writes facts and a journal entry at once, provided that the lease still holds: for what must be known before
            something leaves (law 4). Takes a kind (its last part) and the facts.
    """

    platform: Platform
    dossier_id: str
    organisation_id: str
    title: str
    state: str
    facts: dict[str, Any]
    files: tuple[KeptFile, ...]
    folder: Path
    attempt: int
    note: Callable[..., None]

    def file(self, role: str) -> KeptFile:
        """Return the newest document of a role.

        Raises:
            NotFound: the dossier has none.
        """
        for kept in reversed(self.files):
            if kept.role == role:
                return kept
        raise NotFound(_messages("file.missing", role=role))

    def fetch(self, role: str) -> Path:
        """Bring the newest document of a role into the folder and return its path; its digest has been checked."""
        kept = self.file(role)
        path = self.folder / f"{role}-{kept.sha256[:12]}"
        if not path.exists():
            self.platform.objects.fetch(kept.sha256, path)
        return path

    def keep(self, role: str, path: Path, name: str, media_type: str) -> KeptFile:
        """Put a file of the folder into the object store; it joins the dossier when given to ``Advance``."""
        blob = self.platform.objects.put_file(path)
        return KeptFile(role, name, media_type, blob.sha256, blob.size)


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
