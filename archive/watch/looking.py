"""What every audit speaks in: how much it may look at in one go, what it found wrong, where it goes on from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from archive.places.places import Place, places_of
from archive.proof.hashes import plain_name
from archive.watch.incidents import Kind
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform

_messages = Catalogue("archive.watch")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is not as it should be; it becomes an incident.

    Attributes:
        place: of the archive; empty when it is about the database.
        subject: the key of an object, or a table and the key of its row.
        facts: identifiers, digests, counts and codes; JSON without floats.
        organisation_id: whose record it is about; None when it is about the platform.
    """

    kind: Kind
    place: str
    subject: str
    facts: dict[str, Any] = field(default_factory=dict)
    organisation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be looked at in one go: so many things, or, once one has been looked at, so many bytes."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Look:
    """What one go gave.

    Attributes:
        looked: how many things were looked at.
        size: how many bytes were read.
        cursor: where the next go begins; None at the end of the pass.
    """

    looked: int
    size: int
    troubles: tuple[Trouble, ...]
    cursor: str | None


class Audit(Protocol):
    """One kind of audit: a module of this room that has these two functions."""

    def total(self, platform: Platform, place: str) -> int:
        """Return how many things there are to look at, roughly: what is sealed meanwhile waits for the next pass."""

    def look(self, platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
        """Look at what comes next after a cursor, empty at the beginning of a pass that was begun at a moment.

        Raises:
            Unavailable: the place does not answer; nothing is known of what it holds.
        """


def place_named(platform: Platform, name: str) -> Place:
    """Return a place of the archive by its name.

    Raises:
        UsageError: there is none of that name; the message names those that there are.
    """
    known = places_of(platform)
    found = next((place for place in known if place.name == name), None)
    if found is None:
        raise UsageError(_messages("place.unknown", found=name[:40], known=", ".join(place.name for place in known)))
    return found


def digest_of_file(path: Path, algorithm: str) -> str | None:
    """Return the digest of a file, hexadecimal, by the name that SEDA gives to its algorithm; None when there is no such hash."""
    name = plain_name(algorithm)
    if name not in hashlib.algorithms_available:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, name).hexdigest()
