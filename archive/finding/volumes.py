"""Giving a whole fonds back in volumes: ZIP files in the object store that, unpacked into one folder, are a restitution.

A volume is made in a temporary folder, stored under a name of its own, read back, and only then written down. What a worker that
was killed leaves is an object that nobody names, and the next one goes on behind the last volume that was written down. Beside
each volume stand the digests of what is in it, from which those of the whole are made at the end.
"""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Callable, Container, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path

from sqlmodel import Session, col, select

from archive.finding.decisions import Holds, holds_over
from archive.finding.fonds import (
    INDEX,
    SUMS,
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
from archive.finding.models import Restitution, RestitutionVolume
from archive.models import Record
from archive.places.places import fetch
from archive.stored_zip import StoredZip
from core.blobs import ObjectAltered, ObjectMissing
from core.database import ScopedSession
from core.errors import TabellionError
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from core.s3 import read_back

LARGEST = 1 << 30
"""Bytes of files with which a volume is full; what does not fit begins the next one, and a larger file has one to itself."""
_MOST_FILES = 50_000
_SUMS_OF = ".sums"
_messages = Catalogue("archive.finding")


def volumes_of(session: Session, restitution_id: str) -> list[RestitutionVolume]:
    """Return the volumes that were written down, in order."""
    own = select(RestitutionVolume).where(RestitutionVolume.restitution_id == restitution_id)
    return list(session.exec(own.order_by(col(RestitutionVolume.rank))))


def folder_of(restitution_id: str) -> str:
    """Return the provisional name below which the objects of a restitution are held."""
    return f"restitutions/{restitution_id}"


def key_of(volume: RestitutionVolume) -> str:
    """Return the provisional name under which a volume is held."""
    return f"{folder_of(volume.restitution_id)}/{volume.held}"


def write_on(
    platform: Platform,
    restitution: Restitution,
    organisation: Organisation,
    *,
    enough: Callable[[], bool],
    ending: Callable[[Restitution], None],
) -> Progress:
    """Write a fonds into volumes, behind those that there are.

    Args:
        platform: where the fonds is.
        restitution: what was asked for.
        organisation: whose fonds.
        enough: asked after each record; when it is, the volume is kept as it is, and the next call goes on.
        ending: called on the row once everything is kept, in the same transaction.

    Raises:
        ObjectAltered: the store altered a volume; what came before is kept.
        Unavailable: no place that answers holds a package whole, or the store does not answer.
        OSError: the temporary folder cannot be written.
    """
    with platform.database.reading(PLATFORM) as session:
        organisations = subtree(session, organisation.path)
        progress = counted(session, organisations)
        last = session.get(Record, restitution.last_id) if restitution.last_id else None
        kept = volumes_of(session, restitution.id)
        holds = holds_over(session, organisations)
    progress.done, progress.size = restitution.done, restitution.size
    with (
        tempfile.TemporaryDirectory(prefix="tabellion-") as folder,
        closing(_Volumes(platform, restitution, kept, Path(folder))) as volumes,
    ):
        there = volumes.digests(kept[-1:])  # which may have ended between the two files of a record
        for record in records(platform, organisations, last):
            if record.eliminated is None:
                given = volumes.give(record, there)
                if found_package(record, {*there, *given}.__contains__):
                    progress.done += 1
                    progress.size += record.size
            volumes.reached(record, progress)
            if enough():
                volumes.keep()
                return progress
        index = Path(folder) / INDEX
        found = _completed(platform, organisations, holds, volumes, index, enough)
        if found is None:
            volumes.keep()
            return progress
        found.total, found.eliminated, found.finished = progress.total, progress.eliminated, True
        progress = found
        try:
            rest: list[tuple[str, bytes | Path]] = [
                (INDEX, index),
                *around(platform, organisation, holds, progress, volumes=True),
            ]
        except TabellionError:
            volumes.keep()  # what came before is not to be fetched again
            raise
        volumes.finish(rest, progress, ending)
    return progress


def _completed(
    platform: Platform,
    organisations: list[str],
    holds: Holds,
    volumes: _Volumes,
    index: Path,
    enough: Callable[[], bool],
) -> Progress | None:
    """Add what the first passage could not have, such as proofs that waited, and write the index; None when it is not all."""
    found = Progress()
    there = volumes.digests(volumes.kept)
    with index_in(index) as indexed:
        for record in records(platform, organisations):
            if record.eliminated is not None:
                indexed(row_of(record, holds))
                continue
            given = volumes.give(record, there)
            there.update(given)
            if given and enough():
                return None
            package = found_package(record, there.__contains__)
            if package is None:
                found.lost += 1
                indexed(row_of(record, holds))
                continue
            found.waiting += name_of_proof(record) not in there
            found.done += 1
            found.size += record.size
            indexed(row_of(record, holds, package, there))
    return found


class _Volumes:
    """The volumes of a restitution: those that were kept, and the one that is being made.

    Attributes:
        kept: those that were written down, in order.
    """

    def __init__(self, platform: Platform, restitution: Restitution, kept: list[RestitutionVolume], folder: Path) -> None:
        self._platform, self._restitution, self._folder = platform, restitution, folder
        self.kept = kept
        self._last, self._done, self._size = restitution.last_id, restitution.done, restitution.size
        self._begin()

    def _begin(self) -> None:
        self._stream = (self._folder / "volume.zip").open("w+b")
        self._zip = StoredZip(self._stream, self._restitution.asked)
        self._made: dict[str, str] = {}
        self._octets = 0

    def close(self) -> None:
        """Give up what was not kept."""
        self._stream.close()

    def give(self, record: Record, there: Container[str]) -> dict[str, str]:
        """Add the files of a record that are not there yet, and return the digests of those that are now.

        A package that no place holds whole is passed over: one that is lost does not keep the others from their owner.
        """
        package, pieces = self._folder / "package", dict[str, Path]()
        try:
            if not found_package(record, there.__contains__):
                fetch(self._platform, record, package)
                pieces[name_of_package(record, package)] = package
            for rank, one in enumerate(beside(self._platform, record)):
                piece = self._folder / f"beside-{rank}"
                if one.name not in there and one.write(piece):
                    pieces[one.name] = piece
        except (ObjectMissing, ObjectAltered):
            pass
        except TabellionError:
            self.keep()  # what came before is not to be fetched again
            raise
        return {name: self._add(name, piece, piece.stat().st_size) for name, piece in pieces.items()}

    def _add(self, name: str, piece: Path, size: int) -> str:
        if self._made and (self._octets + size > LARGEST or len(self._made) >= _MOST_FILES):
            self.keep()
        self._made[name] = self._zip.add(name, piece).sha256
        self._octets += size
        return self._made[name]

    def reached(self, record: Record, progress: Progress) -> None:
        """Remember that all records up to this one were given: where the next turn goes on, once the volume is kept."""
        self._last, self._done, self._size = record.id, progress.done, progress.size

    def digests(self, volumes: list[RestitutionVolume]) -> dict[str, str]:
        """Return the digests of the files, by name, in these volumes and in the one that is being made.

        Raises:
            ObjectAltered: the store altered what was kept beside a volume.
        """
        found: dict[str, str] = {}
        for volume in volumes:
            with self._platform.objects.reading_held(f"{key_of(volume)}{_SUMS_OF}") as stream:
                sums: bytes = stream.read()
            if not hmac.compare_digest(hashlib.sha256(sums).hexdigest(), volume.sums_sha256):
                raise ObjectAltered(_messages("restitution.stored", rank=volume.rank))
            found |= {name: digest for digest, name in (line.split("  ") for line in sums.decode().splitlines())}
        return found | self._made

    def finish(self, rest: Sequence[tuple[str, bytes | Path]], progress: Progress, ending: Callable[[Restitution], None]) -> None:
        """Add what stands around the fonds, and the digests of everything; the volume and the end are one transaction."""
        for name, content in rest:
            self._made[name] = self._zip.add(name, content).sha256
        sums = sums_of(self.digests(self.kept))
        self._zip.add(SUMS, sums)
        self._last, self._done, self._size = None, progress.done, progress.size

        def then(session: ScopedSession, restitution: Restitution) -> None:
            ending(restitution)
            write_down(session, restitution.organisation_id, restitution.asked_by, progress, sums)

        self.keep(then)

    def keep(self, then: Callable[[ScopedSession, Restitution], None] | None = None) -> None:
        """Store the volume that is being made, read it back, write it down, and begin the next one.

        Raises:
            ObjectAltered: the store altered it.
            Unavailable: the store does not answer.
        """
        if not self._made:
            return
        self._zip.finish()
        self._stream.close()
        volume = self._stored()
        with self._platform.database.writing(PLATFORM) as session:
            restitution = session.get_one(Restitution, self._restitution.id)
            restitution.last_id, restitution.done, restitution.size = self._last, self._done, self._size
            session.add(volume)
            if then is not None:
                then(session, restitution)
            session.add(restitution)
        self.kept.append(volume)
        self._begin()

    def _stored(self) -> RestitutionVolume:
        objects, path, sums = self._platform.objects, self._folder / "volume.zip", sums_of(self._made)
        volume = RestitutionVolume(
            restitution_id=self._restitution.id,
            rank=len(self.kept) + 1,
            organisation_id=self._restitution.organisation_id,
            held=new_id(),
            sha256="",
            size=path.stat().st_size,
            sums_sha256=hashlib.sha256(sums).hexdigest(),
        )
        volume.sha256 = objects.hold_file(key_of(volume), path).sha256
        with objects.reading_held(key_of(volume)) as stream:
            if read_back(stream) != (volume.sha256, volume.size):
                raise ObjectAltered(_messages("restitution.stored", rank=volume.rank))
        objects.hold(f"{key_of(volume)}{_SUMS_OF}", BytesIO(sums), len(sums))
        return volume
