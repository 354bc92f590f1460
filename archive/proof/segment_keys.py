"""The keys of segments, which of them a place has, and how one is fetched from there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from archive.places.places import Place
from core.blobs import SealedObject
from core.locked_bucket import first_version

PREFIX = "journal/"
_KEY = re.compile(r"journal/\d{12}\.zip")


def key_of(size: int) -> str:
    """Return the key of the segment that ends with the head of a size."""
    return f"{PREFIX}{size:012d}.zip"


def size_of(key: str) -> int | None:
    """Return the size of the head that a segment ends with, by its key; None for the key of anything else."""
    return int(key.removeprefix(PREFIX).removesuffix(".zip")) if _KEY.fullmatch(key) else None


def versions_in(place: Place, after: int) -> Iterator[tuple[str, Place, str]]:
    """Yield what a place has: of each key the first version, whatever was written on top."""
    # A marker hides a key from those who ask for it by name alone, and from nobody else.
    listed = place.store.all_versions(key_of(after), prefix=PREFIX)
    versions = (version for version in listed if _KEY.fullmatch(version.key))
    for key, group in itertools.groupby(versions, key=lambda version: version.key):
        first = first_version(list(group))
        if first is not None:
            yield key, place, first.version_id


def sizes_in(place: Place, after: int = 0) -> Iterator[int]:
    """Yield the sizes of the heads, after one, whose segments a place has.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    for key, _, _ in versions_in(place, after):
        yield size_of(key) or 0


def fetch(place: Place, key: str, version: str, folder: Path, sha256: str | None = None) -> tuple[Path, str]:
    """Fetch a segment from a place; return the file and its digest, which is taken as it stands where none is expected.

    Raises:
        ObjectMissing: the place has no such version.
        ObjectAltered: it has another digest than the one expected.
        Unavailable: the place does not answer.
    """
    digest = sha256 or place.store.standing(key, version).sha256
    target = folder / "segment.zip"
    place.store.fetch_sealed(SealedObject(place.store.archive, key, version, digest, 0), target)
    return target, digest
