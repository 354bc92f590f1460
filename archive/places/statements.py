"""Statements: what was decided about records in words that the journal cannot hold, under lock beside the packages.

A statement is a JSON object in canonical form under ``statements/<kind>/<identifier>.json``, in every place; the journal entry of
the decision names it by its digest. What lives here is how it is kept and read back; what it says is its room's business.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import col, select

from archive.models import Record
from archive.places import places
from archive.places.places import Place, places_of
from core.blobs import ObjectAltered, ObjectMissing
from core.canonical import NotCanonical, read_canonical
from core.errors import Misconfigured, Unavailable
from core.locked_objects import Version
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

FOLDER = "statements/"
"""What the keys of statements begin with."""
LARGEST = 32 * 1024 * 1024
"""Of a statement, in bytes: it may hold a signed document."""
OF_TRANSFER = "transfer"
"""The kind of what was found of a package that was handed over, by its dossier: it names what the package held."""
_log = structlog.get_logger()
_messages = Catalogue("archive.places")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SLOWEST = timedelta(days=30)
_KEY = re.compile(rf"{FOLDER}({_NAME.pattern})/({_NAME.pattern})\.json")


def keep(platform: Platform, kind: str, identifier: str, data: bytes) -> str:
    """Put a statement in every place under lock; the same bytes again change nothing.

    Args:
        platform: whose places.
        kind: of decision: letters, digits, ``_``, ``.`` and ``-``.
        identifier: of the decision, in the same letters; never used for another.
        data: the statement, canonical JSON (`core.canonical`).

    Returns:
        The SHA-256 of the statement, hexadecimal.

    Raises:
        ObjectAltered: another statement stands under that identifier.
        NotCanonical: the bytes are no canonical JSON.
        ValueError: the kind or the identifier is no name, or the statement is too large.
        Unavailable, Misconfigured: a place does not answer, or does not lock it; a second try goes on.
    """
    if not (_NAME.fullmatch(kind) and _NAME.fullmatch(identifier)) or len(data) > LARGEST:
        raise ValueError(f"no statement: {kind[:100]}/{identifier[:100]}, {len(data)} bytes")
    read_canonical(data)
    digest = hashlib.sha256(data).hexdigest()
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "statement.json"
        path.write_bytes(data)
        places.seal(platform, key_of(kind, identifier), path, digest)
    return digest


def key_of(kind: str, identifier: str) -> str:
    """Return the key of a statement."""
    return f"{FOLDER}{kind}/{identifier}.json"


def is_statement(key: str) -> bool:
    """Tell whether a key is that of a statement."""
    return _KEY.fullmatch(key) is not None


def of_destroyed(platform: Platform, keys: Sequence[str]) -> dict[str, Record]:
    """Return, of these keys, what was found of packages that were eliminated since, each with the record: it follows them."""
    dossiers = {dossier: key for key in keys if (dossier := transfer_of(key))}
    gone = select(Record).where(col(Record.dossier_id).in_(dossiers), col(Record.eliminated).is_not(None))
    with platform.database.reading(PLATFORM) as session:
        return {dossiers[record.dossier_id]: record for record in session.exec(gone) if record.dossier_id}


def transfer_of(key: str) -> str | None:
    """Return the dossier of the transfer that a statement is about; None for any other."""
    kind, identifier = found.groups() if (found := _KEY.fullmatch(key)) else ("", None)
    return identifier if kind == OF_TRANSFER else None


def read(platform: Platform, kind: str, identifier: str, sha256: str | None) -> bytes:
    """Return a statement from the first place that holds it as the journal names it.

    Args:
        platform: whose places.
        kind: of decision.
        identifier: of the decision.
        sha256: as the journal names it; None for one that it does not: it is held against what was noted when it was put there.

    Raises:
        ObjectMissing: no place that answers has anything under that identifier.
        ObjectAltered: what they have is not what the journal names.
        Unavailable: no place that answers has it, and one does not answer.
    """
    silent: Unavailable | Misconfigured | None = None
    found_another = False
    for place in places_of(platform):
        try:
            data = _first(place, key_of(kind, identifier))
        except (Unavailable, Misconfigured) as error:
            silent = error
            continue
        except ObjectMissing:
            continue
        except ObjectAltered:
            found_another = True
            continue
        if sha256 is None or hashlib.sha256(data).hexdigest() == sha256:
            return data
        found_another = True
    if silent is not None:
        raise silent
    if found_another:
        raise ObjectAltered(_messages("statement.altered", key=key_of(kind, identifier)))
    raise ObjectMissing(_messages("statement.missing", key=key_of(kind, identifier)))


def read_all(platform: Platform) -> Iterator[tuple[str, str, bytes]]:
    """Yield the kind, the identifier and the bytes of every statement that stands in a place, each once.

    The bytes are those of the first place where they are canonical JSON, as they were put there; whoever trusts them holds them
    against the journal.

    Raises:
        Unavailable, Misconfigured: no place answers.
    """
    met: set[str] = set()
    trouble: list[Unavailable | Misconfigured] = []
    known = places_of(platform)
    for place in known:
        try:
            for key in _keys(place):
                if key not in met and (data := _readable(place, key)) is not None:
                    met.add(key)
                    kind, identifier = key.removeprefix(FOLDER).removesuffix(".json").split("/")
                    yield kind, identifier, data
        except (Unavailable, Misconfigured) as error:
            _log.warning("place.silent", place=place.name, reason=str(error))
            trouble.append(error)
    if len(trouble) == len(known):
        raise trouble[0]


def due(place: Place, now: datetime, horizon: timedelta) -> Iterator[tuple[Version, datetime]]:
    """Yield the statements whose turn it is and that are locked for less than half of the horizon, with the end of their lock.

    No table lists them, so the place is asked; each one's turn comes once in a few weeks, by its name and the hour alone, without
    anything that would have to be remembered. One without a lock is given as one whose lock ends now.

    Raises:
        Unavailable: the place does not answer.
    """
    turns = _turns(horizon)
    turn = int(now.timestamp() // 3600) % turns
    for version in place.store.all_versions(prefix=FOLDER):
        if version.is_marker or zlib.crc32(version.key.encode()) % turns != turn:
            continue
        try:
            until = place.store.lock_of(version.key, version.version_id).until or now
        except (ObjectMissing, Misconfigured):  # what is the matter is found, and told, when it is to be extended
            until = now
        if until < now + horizon / 2:
            yield version, until


def _keys(place: Place) -> Iterator[str]:
    previous = ""
    for version in place.store.all_versions(prefix=FOLDER):
        if version.key != previous and is_statement(version.key):
            yield version.key
        previous = version.key


def _readable(place: Place, key: str) -> bytes | None:
    with suppress(ObjectMissing, ObjectAltered, NotCanonical):
        data = _first(place, key)
        read_canonical(data)
        return data
    return None


def _first(place: Place, key: str) -> bytes:
    """Return what was written first under a key: whatever came later lies on top of it."""
    return place.store.read_first(key, LARGEST)


def _turns(horizon: timedelta) -> int:
    """Return over how many hours the statements are spread: at most a month, and a small part of the horizon."""
    hours = min(_SLOWEST, horizon / 8) // timedelta(hours=1)
    return max(1, hours)
