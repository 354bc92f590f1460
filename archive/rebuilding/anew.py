"""Packages that stand in a place and that no journal names: sealed after the last head that was copied, entered as records now.

What lives here: which they are, and what is said of a package by its key and its manifest alone. What does not: the writing of a
record (`archive.sealing`), what is no package of ours, which the audit of existence tells of.
"""

from __future__ import annotations

import heapq
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlmodel import Session, select

from archive import sealing
from archive.describing import Description, describe
from archive.ingest.inspection import manifest_of
from archive.ingest.rules import Kept, kept_by
from archive.models import Record
from archive.places import places
from archive.places.places import Place, places_of
from archive.retention.defaults import CORRESPONDENCE, PRIVATE_LIFE
from archive.sealing import Sealing
from archive.watch.papers import is_paper
from core.blobs import ObjectAltered, SealedObject
from core.errors import NotFound, UnreadableInput
from core.locked_objects import PROBES
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.reader import Manifest

KIND = "transfer"
"""Of a package that came from a dossier: what made it is not known any more."""
_ID = "[0-9A-HJKMNP-TV-Z]{26}"
_KEY = re.compile(
    rf"(?P<organisation>{_ID})/(?:(?P<dossier>{_ID})|(?P<kind>[a-z][a-z0-9.]{{0,19}}))/(?P<digest>[0-9a-f]{{16}})\.zip"
)
"""As `archive.sealing.intent_of` gives them."""


def enter(platform: Platform, left: Callable[[str | None], bool], looked: Callable[[int], None]) -> Iterator[tuple[str, bool]]:
    """Enter what no record names, in every place; yield each key, and whether there is a record of it now.

    There is none of what is no package, of nobody who is known, under a key that is not its own or holds other bytes elsewhere,
    or of a dossier that has its record: an earlier try of the same sealing left it.

    Args:
        platform: its places, and its new database.
        left: tells whether a package of a dossier, or of none, is left to whoever seals it: a second try finds it there.
        looked: told how many keys were looked at.

    Raises:
        Misconfigured: a place cannot lock, or refuses us.
        Unavailable: a place does not answer.
    """
    for key, place in _unnamed(platform, looked):
        named = _KEY.fullmatch(key)
        if named is None or not left(named["dossier"]):
            yield key, _entered(platform, place, key)


def _unnamed(platform: Platform, looked: Callable[[int], None]) -> Iterator[tuple[str, Place]]:
    """Yield the keys that no record has, in their order, each with the first place that has it."""
    listed = heapq.merge(*map(_keys, places_of(platform)), key=lambda found: found[0])
    for count, (key, group) in enumerate(itertools.groupby(listed, key=lambda found: found[0]), start=1):
        looked(count)
        with platform.database.reading(PLATFORM) as session:
            named = session.exec(select(Record.id).where(Record.key == key)).first() is not None
        if not named:
            yield next(group)


def _keys(place: Place) -> Iterator[tuple[str, Place]]:
    for version in place.store.all_versions():
        if not version.is_marker and not is_paper(version.key) and not version.key.startswith(PROBES):
            yield version.key, place


def _entered(platform: Platform, place: Place, key: str) -> bool:
    named = _KEY.fullmatch(key)
    if named is None:
        return False
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        read = _read(place, key, Path(folder))
    if read is None:
        return False
    found, description, manifest = read
    with platform.database.reading(PLATFORM) as session:
        if not found.sha256.startswith(named["digest"]) or not _may_be(session, named["organisation"], named["dossier"]):
            return False
        kept = _kept(session, named["organisation"], manifest)
    try:
        copies = places.seal_again(platform, key, found.sha256, found.size)
    except ObjectAltered:
        return False
    kind = named["kind"] or KIND
    hidden = {"confidential": True, "withheld": True}
    told = Sealing(named["organisation"], named["dossier"], kind, kept.appraisal, kept.access, **hidden)
    with platform.database.writing(PLATFORM) as session:
        sealing.record(session, told, kept.applied(description), copies)
    return True


def _read(place: Place, key: str, folder: Path) -> tuple[SealedObject, Description, Manifest] | None:
    package = folder / "package"
    found, _ = place.store.fetch_first(key, package)
    try:
        description = describe(package)
    except UnreadableInput:
        return None
    manifest = manifest_of(package, folder / "manifest.xml")
    return None if manifest is None else (found, description, manifest)


def _may_be(session: Session, organisation_id: str, dossier_id: str | None) -> bool:
    """Tell whether there may be a record of a dossier of an organisation: it is known, and has none of that dossier."""
    if session.get(Organisation, organisation_id) is None:
        return False
    own = select(Record.id).where(Record.dossier_id == dossier_id)
    return dossier_id is None or session.exec(own).first() is None


def _kept(session: Session, organisation_id: str, manifest: Manifest) -> Kept:
    """Return by which rules a package is kept, as a transfer of it would be; by one unknown, for ever, and shown to few."""
    try:
        return kept_by(session, organisation_id, manifest)
    except NotFound:
        return Kept(CORRESPONDENCE, None, PRIVATE_LIFE, None)
