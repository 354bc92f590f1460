"""What is given back of a whole fonds, wherever it is written: which records, under which names, index and instructions.

What does not live here: a folder (`archive.finding.restitution`), volumes in the object store (`archive.finding.volumes`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from sqlalchemy import func, literal, tuple_
from sqlmodel import col, select

from archive import spreadsheet
from archive.ingest.inspection import suffix_of
from archive.models import Record
from archive.proof.proving import standing_of, write_evidence
from archive.retention.exchange import given_out
from core import clock, journal
from core.database import ScopedSession, UtcDateTime
from core.errors import Unavailable
from core.messages import Catalogue, speaking
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

RESTITUTED = "archive.restituted"
"""The journal entry of a restitution that was completed."""
README, INDEX, RULES, SUMS = "LISEZ-MOI.txt", "index.csv", "regles.csv", "SHA256SUMS"
PACKAGES = "paquets"
"""The folder of the packages, by year."""
Row = tuple[str, ...]
"""A line of the index: see ``row_of``."""
_COLUMNS = (
    *("identifiant", "objet", "nature", "producteur", "date", "scellée le", "sha256 du paquet", "octets"),
    *("règle de conservation", "sort final", "à conserver jusqu’au", "règle d’accès", "communicable le", "éliminée le"),
    *("paquet", "preuve"),
)
_messages = Catalogue("archive.finding")
_AT_ONCE = 200
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tar.bz2")


@dataclass(slots=True)
class Progress:
    """How far a restitution has come.

    Attributes:
        total: records that are to be given back.
        done: those that were written, whole.
        size: bytes of their packages.
        eliminated: records that were destroyed: the index names them.
        waiting: records whose proof waits for a timestamp; run again, it is added.
        lost: records whose package no place holds whole: the index names them, and what had been sealed.
        finished: the index, the rules and the sums are there too, and every file was read back.
    """

    total: int = 0
    done: int = 0
    size: int = 0
    eliminated: int = 0
    waiting: int = 0
    lost: int = 0
    finished: bool = False


def counted(session: ScopedSession, organisations: list[str]) -> Progress:
    """Return how many records there are to give back, none of them done."""
    own = select(func.count()).select_from(Record).where(col(Record.organisation_id).in_(organisations))
    gone = session.exec(own.where(col(Record.eliminated).is_not(None))).one()
    return Progress(total=session.exec(own).one() - gone, eliminated=gone)


def records(platform: Platform, organisations: list[str], after: Record | None = None) -> Iterator[Record]:
    """Yield the records sealed after one, oldest first; no connection is held meanwhile."""
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


def name_of_package(record: Record, package: Path) -> str:
    """Return the name of a record's package: what was handed over stays as it came, and its name says what it is."""
    return _package_named(record, suffix_of(package))


def found_package(record: Record, there: Callable[[str], bool]) -> str | None:
    """Return the name under which a record's package is there; None when it is not."""
    return next((name for name in (_package_named(record, suffix) for suffix in _SUFFIXES) if there(name)), None)


def _package_named(record: Record, suffix: str) -> str:
    return f"{PACKAGES}/{clock.in_paris(record.sealed).year}/{record.id}{suffix}"


def name_of_proof(record: Record) -> str:
    """Return the name of a record's evidence."""
    return f"preuves/{clock.in_paris(record.sealed).year}/preuve-{record.id}.zip"


def write_proof(platform: Platform, record: Record, target: Path) -> bool:
    """Write the evidence of a record to a file; False while it waits for a timestamp.

    Raises:
        Unavailable: no place that answers holds the record whole.
    """
    try:
        write_evidence(platform, PLATFORM, record.id, target)
    except Unavailable:
        with platform.database.reading(PLATFORM) as session:
            if standing_of(session, record.entry_id).stamped is not None:
                raise
        return False
    return True


def row_of(record: Record, package: str, proof: str) -> Row:
    """Return the line of a record; a name is empty where there is no such file."""
    return (
        *(record.id, record.title, record.kind, record.producer, record.dated.isoformat(), clock.iso(record.sealed)),
        *(record.sha256, str(record.size), record.rule, record.final_action),
        record.keep_until.isoformat() if record.keep_until else "",
        record.access,
        record.open_from.isoformat() if record.open_from else "",
        clock.iso(record.eliminated) if record.eliminated else "",
        *(package, proof),
    )


@contextmanager
def index_in(path: Path) -> Iterator[Callable[[Row], None]]:
    """Write the index to a file, a line at each call: a fonds may have more records than a process can hold."""
    with spreadsheet.written_to(path) as table:
        table.add(_COLUMNS)
        yield table.add


def around(platform: Platform, organisation: Organisation, progress: Progress, *, volumes: bool) -> dict[str, bytes]:
    """Return the files that stand beside packages, evidence and index, by name: rules, instructions."""
    with platform.database.reading(PLATFORM) as session:
        rules = given_out(session, organisation.id)
    readme = _readme(organisation, progress, volumes=volumes).encode()
    return {RULES: rules, README: readme}


def sums_of(digests: dict[str, str]) -> bytes:
    """Return the digests of files by name, in the form that ``sha256sum --check`` reads."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def write_down(session: ScopedSession, organisation_id: str, actor: str, progress: Progress, sums: bytes) -> None:
    """Write into the journal that a restitution was completed."""
    facts = {
        "records": progress.done,
        "lost": progress.lost,
        "size": progress.size,
        "sums_sha256": hashlib.sha256(sums).hexdigest(),
    }
    journal.write(session, organisation_id=organisation_id, kind=RESTITUTED, actor=actor, facts=facts)


def _readme(organisation: Organisation, progress: Progress, *, volumes: bool) -> str:
    text = resources("archive.finding").joinpath("locale/restitution.fr.txt").read_text("utf-8")
    later = "restitution.waiting.volumes" if volumes else "restitution.waiting"
    with speaking("fr"):
        waiting = _messages.counted(later, progress.waiting, count=progress.waiting) if progress.waiting else ""
        lost = _messages.counted("restitution.lost", progress.lost, count=progress.lost) if progress.lost else ""
        unpacking = _messages("restitution.unpacking") if volumes else ""
    return text.format(
        organisation=" ".join(organisation.name.split()),
        number=organisation.siret or organisation.siren or organisation.id,
        made=f"{clock.in_paris(clock.now()):%d/%m/%Y %H:%M}",
        records=progress.done,
        eliminated=progress.eliminated,
        waiting=waiting,
        lost=lost,
        unpacking=unpacking,
    )
