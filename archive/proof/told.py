"""What was said of a timestamping authority when it stamped, read back from the places, and remembered within the process.

Each is a statement (`archive.places.statements`), ``authority/<SHA-256 of the certificate>-<day of UTC>``, one for an authority
and a day: canonical JSON with ``at``, ``certificates`` (the authority's first, the anchor last), ``lists`` and ``answers``, these
three DER in base64. Who signed them is believed, or not, by whoever verifies.

Thousands of proofs in a row are of one day, and a fonds that is given back has millions: what was read is remembered, as many
bytes of it as a process can spare; that there was nothing, and that a place was silent, for a few minutes. What lives here: their
names, their form, their reading. What does not: how they are brought (`archive.proof.authorities`).
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import inf
from weakref import WeakKeyDictionary

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from archive.places import statements
from archive.places.places import Place, places_of
from core import clock
from core.blobs import ObjectAltered, ObjectMissing, ObjectStore
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from signing.timestamp.parts import Parts
from signing.timestamp.token import Timestamp

STATEMENT = "authority"
"""The kind of these statements."""
FOLDER = f"{statements.FOLDER}{STATEMENT}/"
"""What their keys begin with."""
LARGEST_MEMORY = 32 << 20
"""Of what is remembered of an archive, in bytes."""
_ENTRY = 1 << 10
"""What a line of the memory takes besides what was said."""
_A_WHILE = timedelta(minutes=5).total_seconds()
_ONE_DAY = timedelta(days=1)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of an authority one day, and its path as it then was: certificates, lists and OCSP answers, DER."""

    certificates: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement: what was told, and when it had been brought."""

    told: Told
    at: datetime

    @property
    def size(self) -> int:
        return sum(map(len, (*self.told.certificates, *self.told.lists, *self.told.answers)))


def name_of(authority: x509.Certificate, day: date) -> str:
    """Return the identifier of the statement about an authority on a day of UTC."""
    return f"{authority.fingerprint(hashes.SHA256()).hex()}-{day:%Y%m%d}"


def told_of(platform: Platform, token: bytes) -> Told:
    """Return what was first said of the authority of a token after it stamped; nothing when nothing was kept, or can be read.

    Raises:
        TokenUnreadable: it is no token.
    """
    authority, stamped = Parts.read(token).signer, Timestamp.read(token).gen_time.replace(microsecond=0)
    said = _since(platform, authority, clock.as_utc(stamped).date())
    if said is not None and said.at < stamped:  # it was brought earlier on that day
        said = _since(platform, authority, said.at.date() + _ONE_DAY)
    return said.told if said is not None else Told()


def forget_missing(platform: Platform) -> None:
    """Have what was not found looked for again: something was kept."""
    _memory_of(platform).forget_missing()


def _since(platform: Platform, authority: x509.Certificate, day: date) -> _Said | None:
    """Return the first statement about an authority on a day or later, from the first place that answers and has one."""
    name, memory = name_of(authority, day), _memory_of(platform)
    known, said = memory.recall(name)
    if not known:
        said = _found(platform, memory, name)
        memory.keep(name, said)
    return said


def _found(platform: Platform, memory: _Memory, name: str) -> _Said | None:
    for place in places_of(platform):
        if memory.is_silent(place.name):
            continue
        try:
            said = next(_standing(place, name), None)
        except (Unavailable, Misconfigured) as error:
            _log.warning("place.silent", place=place.name, reason=str(error))
            memory.note_silent(place.name)
            continue
        if said is not None:
            return said
    return None


def _standing(place: Place, name: str) -> Iterator[_Said]:
    """Yield the statements about an authority in a place that can be read, from that of a name on."""
    prefix, _, _ = name.rpartition("-")
    before = FOLDER + name  # comes just before the key, which goes on with the suffix
    for version in place.store.all_versions(before, prefix=f"{FOLDER}{prefix}-"):
        if not statements.is_statement(version.key) or version.is_marker:
            continue
        try:
            yield _read(place.store.read_first(version.key, statements.LARGEST))
        except (ObjectMissing, ObjectAltered, ValueError, TypeError, KeyError) as error:
            _log.warning("authority.unread", key=version.key, place=place.name, reason=str(error))


def _read(data: bytes) -> _Said:
    said = json.loads(data)
    parts = (tuple(base64.b64decode(one) for one in said[key]) for key in ("certificates", "lists", "answers"))
    return _Said(Told(*parts), clock.from_iso(said["at"]))


class _Memory:
    """What was read of the statements of one archive, the least used forgotten first; for the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, tuple[_Said | None, float]] = OrderedDict()
        self._silent: dict[str, float] = {}
        self._size = 0

    def recall(self, name: str) -> tuple[bool, _Said | None]:
        """Return whether a name was looked for, and what was found."""
        with self._lock:
            said, until = self._lines.get(name, (None, 0.0))
            if time.monotonic() >= until:
                return False, None
            self._lines.move_to_end(name)
            return True, said

    def keep(self, name: str, said: _Said | None) -> None:
        with self._lock:
            self._drop(name)
            self._lines[name] = (said, inf if said is not None else time.monotonic() + _A_WHILE)
            self._size += _cost(said)
            while self._size > LARGEST_MEMORY:
                self._drop(next(iter(self._lines)))

    def forget_missing(self) -> None:
        with self._lock:
            for name in [name for name, (said, _) in self._lines.items() if said is None]:
                self._drop(name)

    def is_silent(self, place: str) -> bool:
        """Tell whether a place was silent a moment ago: whoever comes next does not wait for it again."""
        with self._lock:
            return time.monotonic() < self._silent.get(place, 0.0)

    def note_silent(self, place: str) -> None:
        with self._lock:
            self._silent[place] = time.monotonic() + _A_WHILE

    def _drop(self, name: str) -> None:
        if name in self._lines:
            self._size -= _cost(self._lines.pop(name)[0])


def _cost(said: _Said | None) -> int:
    return _ENTRY + (said.size if said is not None else 0)


_memories: WeakKeyDictionary[ObjectStore, _Memory] = WeakKeyDictionary()
_opening = threading.Lock()


def _memory_of(platform: Platform) -> _Memory:
    """Return what this process remembers of an archive, which its principal place stands for."""
    with _opening:
        return _memories.setdefault(platform.objects, _Memory())
