"""Giving a whole fonds back into a folder: every record of an organisation and of all below it, readable by anybody without us.

What lives here: the folder that is written, so that it may be stopped at any moment and taken up again: a file appears under its
name only once it is whole and on the disk, what is there is skipped, and at the end every file is read back. What does not: when
it runs (the command line), what is written (`archive.finding.fonds`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from archive.finding.decisions import holds_over
from archive.finding.fonds import (
    INDEX,
    PACKAGES,
    SUMS,
    Beside,
    Progress,
    around,
    beside,
    counted,
    found_package,
    index_in,
    name_of_package,
    name_of_proof,
    records,
    row_of,
    sums_of,
    write_down,
)
from archive.models import Record
from archive.places.places import fetch
from core.blobs import ObjectAltered, ObjectMissing
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.finding")
_PARTIAL = ".part"


def restitute(
    platform: Platform,
    organisation: Organisation,
    folder: Path,
    *,
    actor: str,
    told: Callable[[Progress], bool] | None = None,
) -> Progress:
    """Write a fonds to a folder, or go on where an earlier try stopped.

    Args:
        platform: where the fonds is.
        organisation: whose; that of all below it comes along.
        folder: made when it is not there.
        actor: who asked for it, for the journal.
        told: called after each record that was not there yet; it stops when the answer is False.

    Raises:
        ObjectAltered: the folder did not keep a package as it was given; what came before is in it.
        Unavailable: no place that answers holds a package whole.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with platform.database.reading(PLATFORM) as session:
        organisations = subtree(session, organisation.path)
        progress = counted(session, organisations)
        holds = holds_over(session, organisations)
    sealed, others = dict[str, str](), [INDEX]
    draft = _draft(folder / INDEX)
    with index_in(draft) as indexed:
        for record in records(platform, organisations):
            if record.eliminated is not None:
                indexed(row_of(record, holds))
                continue
            try:
                package, fetched = _package(platform, record, folder)
            except (ObjectMissing, ObjectAltered):
                progress.lost += 1
                indexed(row_of(record, holds))
                continue
            written = [one.name for one in beside(platform, record) if _beside(folder / one.name, one)]
            others += written
            progress.waiting += name_of_proof(record) not in written
            sealed[package] = record.sha256
            indexed(row_of(record, holds, package, written))
            progress.done += 1
            progress.size += record.size
            if fetched and told is not None and not told(progress):
                return progress
    _appear(draft, folder / INDEX)
    for name, octets in around(platform, organisation, holds, progress, volumes=False):
        _write(folder / name, octets)
        others.append(name)
    sums = _sums(folder, sealed, others)
    _write(folder / SUMS, sums)
    progress.finished = True
    with platform.database.writing(PLATFORM) as session:
        write_down(session, organisation.id, actor, progress, sums)
    return progress


def _package(platform: Platform, record: Record, folder: Path) -> tuple[str, bool]:
    """Write the package of a record; return its name, and whether it was not there yet."""

    def whole(name: str) -> bool:
        return (folder / name).exists() and (folder / name).stat().st_size == record.size

    if there := found_package(record, whole):
        return there, False
    draft = _draft(folder / PACKAGES / record.id)
    fetch(platform, record, draft)
    name = name_of_package(record, draft)
    _appear(draft, folder / name)
    return name, True


def _beside(target: Path, one: Beside) -> bool:
    """Write what stands beside a package, unless it is there as it stands today; False when there is nothing to write."""
    if target.exists() and not (one.newer and one.newer(target)):
        return True
    draft = _draft(target)
    if not one.write(draft):
        return target.exists()
    _appear(draft, target)
    return True


def _write(target: Path, octets: bytes) -> None:
    draft = _draft(target)
    draft.write_bytes(octets)
    _appear(draft, target)


def _draft(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(target.name + _PARTIAL)


def _appear(draft: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(target)


def _sums(folder: Path, sealed: Mapping[str, str], others: Sequence[str]) -> bytes:
    """Read every file back and return their digests; a package is held against what was sealed once more.

    Raises:
        ObjectAltered: the folder does not hold a package as it was sealed; it is taken away, so that the next run fetches it.
    """
    digests = {name: _digest(folder / name) for name in chain(others, sealed)}
    for name, expected in sealed.items():
        if not hmac.compare_digest(digests[name], expected):
            (folder / name).unlink()
            raise ObjectAltered(_messages("restitution.altered", name=name))
    return sums_of(digests)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
