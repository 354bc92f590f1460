"""Giving a whole fonds back: every record of an organisation and of all below it, readable by anybody without us.

What lives here: the folder that is written, so that it may be stopped at any moment and taken up again: a file appears under its
name only once it is whole and on the disk, what is there is skipped, and at the end every file is read back. What does not: when
it runs (the command line, `archive.finding.restitutions`), who may ask for it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files as resources
from pathlib import Path

from sqlalchemy import func, literal, tuple_
from sqlmodel import col, select

from archive import spreadsheet
from archive.models import Record
from archive.places.places import fetch
from archive.proof.proving import standing_of, write_evidence
from archive.retention.exchange import given_out
from core import clock, journal
from core.blobs import ObjectAltered
from core.database import ScopedSession, UtcDateTime
from core.errors import Unavailable
from core.messages import Catalogue, speaking
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM

RESTITUTED = "archive.restituted"
"""The journal entry of a restitution that was completed."""
README, INDEX, RULES, SUMS = "LISEZ-MOI.txt", "index.csv", "regles.csv", "SHA256SUMS"
_COLUMNS = (
    *("identifiant", "objet", "nature", "producteur", "date", "scellée le", "sha256 du paquet", "octets"),
    *("règle de conservation", "sort final", "à conserver jusqu’au", "règle d’accès", "communicable le", "éliminée le"),
    *("paquet", "preuve"),
)
_messages = Catalogue("archive.finding")
_AT_ONCE = 200
_PIECE = 1 << 20
_PARTIAL = ".part"


@dataclass(slots=True)
class Progress:
    """How far a restitution has come.

    Attributes:
        total: records that are to be given back.
        done: those that stand in the folder, whole.
        size: bytes of their packages.
        eliminated: records that were destroyed: the index names them.
        waiting: records whose proof waits for a timestamp; run again, it is added.
        finished: the index, the rules and the sums are there too, and every file was read back.
    """

    total: int = 0
    done: int = 0
    size: int = 0
    eliminated: int = 0
    waiting: int = 0
    finished: bool = False


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
        ObjectMissing, ObjectAltered: no place holds a package whole; what came before it is in the folder.
        Unavailable: no place that answers holds it whole.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with platform.database.reading(PLATFORM) as session:
        organisations = subtree(session, organisation.path)
        progress = _counted(session, organisations)
    rows: list[tuple[str, ...]] = []
    for record in _records(platform, organisations):
        if record.eliminated is not None:
            rows.append(_row(record, "", ""))
            continue
        package, proof = _names(record)
        fetched = _package(platform, record, folder / package)
        if not _proof(platform, record, folder / proof):
            progress.waiting, proof = progress.waiting + 1, ""
        rows.append(_row(record, package, proof))
        progress.done += 1
        progress.size += record.size
        if fetched and told is not None and not told(progress):
            return progress
    _write(folder / INDEX, spreadsheet.written([_COLUMNS, *rows]))
    with platform.database.reading(PLATFORM) as session:
        _write(folder / RULES, given_out(session, organisation.id))
    _write(folder / README, _readme(organisation, progress).encode())
    sums = _sums(folder, rows)
    _write(folder / SUMS, sums)
    progress.finished = True
    facts = {"records": progress.done, "size": progress.size, "sums_sha256": hashlib.sha256(sums).hexdigest()}
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=organisation.id, kind=RESTITUTED, actor=actor, facts=facts)
    return progress


def _counted(session: ScopedSession, organisations: list[str]) -> Progress:
    own = select(func.count()).select_from(Record).where(col(Record.organisation_id).in_(organisations))
    gone = session.exec(own.where(col(Record.eliminated).is_not(None))).one()
    return Progress(total=session.exec(own).one() - gone, eliminated=gone)


def _records(platform: Platform, organisations: list[str]) -> Iterator[Record]:
    """Yield the records, oldest first; no connection is held meanwhile."""
    after: Record | None = None
    while True:
        wanted = select(Record).where(col(Record.organisation_id).in_(organisations))
        if after is not None:
            here = tuple_(col(Record.sealed), col(Record.id))
            wanted = wanted.where(here > tuple_(literal(after.sealed, UtcDateTime()), literal(after.id)))
        with platform.database.reading(PLATFORM) as session:
            batch = session.exec(wanted.order_by(col(Record.sealed), col(Record.id)).limit(_AT_ONCE)).all()
        yield from batch
        if len(batch) < _AT_ONCE:
            return
        after = batch[-1]


def _names(record: Record) -> tuple[str, str]:
    year = clock.in_paris(record.sealed).year
    return f"paquets/{year}/{record.id}.zip", f"preuves/{year}/preuve-{record.id}.zip"


def _package(platform: Platform, record: Record, target: Path) -> bool:
    """Write the package of a record; False when it was there."""
    if target.exists() and target.stat().st_size == record.size:
        return False
    _appearing(target, partial(fetch, platform, record))
    return True


def _proof(platform: Platform, record: Record, target: Path) -> bool:
    """Write the evidence of a record; False while it waits for a timestamp."""
    if target.exists():
        return True
    try:
        _appearing(target, partial(write_evidence, platform, PLATFORM, record.id))
    except Unavailable:
        with platform.database.reading(PLATFORM) as session:
            if standing_of(session, record.entry_id).stamped is not None:
                raise
        return False
    return True


def _appearing(target: Path, write: Callable[[Path], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + _PARTIAL)
    write(draft)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(target)


def _write(target: Path, octets: bytes) -> None:
    def write(draft: Path) -> None:
        draft.write_bytes(octets)

    _appearing(target, write)


def _sums(folder: Path, rows: list[tuple[str, ...]]) -> bytes:
    """Read every file back and return their digests; a package is held against what was sealed once more.

    Raises:
        ObjectAltered: the folder does not hold a package as it was sealed; it is taken away, so that the next run fetches it.
    """
    sealed = {row[-2]: row[6] for row in rows if row[-2]}
    names = [README, INDEX, RULES, *sealed, *(row[-1] for row in rows if row[-1])]
    lines = []
    for name in sorted(names):
        digest = _digest(folder / name)
        if name in sealed and not hmac.compare_digest(digest, sealed[name]):
            (folder / name).unlink()
            raise ObjectAltered(_messages("restitution.altered", name=name))
        lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _row(record: Record, package: str, proof: str) -> tuple[str, ...]:
    return (
        *(record.id, record.title, record.kind, record.producer, record.dated.isoformat(), clock.iso(record.sealed)),
        *(record.sha256, str(record.size), record.rule, record.final_action),
        record.keep_until.isoformat() if record.keep_until else "",
        record.access,
        record.open_from.isoformat() if record.open_from else "",
        clock.iso(record.eliminated) if record.eliminated else "",
        *(package, proof),
    )


def _readme(organisation: Organisation, progress: Progress) -> str:
    text = resources("archive.finding").joinpath("locale/restitution.fr.txt").read_text("utf-8")
    with speaking("fr"):
        waiting = _messages("restitution.waiting", count=progress.waiting) if progress.waiting else ""
    return text.format(
        organisation=" ".join(organisation.name.split()),
        number=organisation.siret or organisation.siren or organisation.id,
        made=f"{clock.in_paris(clock.now()):%d/%m/%Y %H:%M}",
        records=progress.done,
        eliminated=progress.eliminated,
        waiting=waiting,
    )
