"""What is given back of a whole fonds, wherever it is written: which records, under which names, index and instructions.

What does not live here: a folder (`archive.finding.restitution`), volumes in the object store (`archive.finding.volumes`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files as resources
from pathlib import Path

from sqlalchemy import func, literal, tuple_
from sqlmodel import col, select

from archive import spreadsheet
from archive.finding.decisions import Decision, Holds, decisions, entry_of
from archive.finding.proofs import evidence_record_of, outgrown
from archive.ingest.inspection import suffix_of
from archive.models import Record
from archive.proof.proving import standing_of, write_evidence
from archive.retention.exchange import given_out
from core import clock, journal
from core.blobs import ObjectAltered, ObjectMissing
from core.database import ScopedSession, UtcDateTime
from core.errors import Unavailable
from core.messages import Catalogue, speaking
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM

RESTITUTED = "archive.restituted"
"""The journal entry of a restitution that was completed."""
README, INDEX, RULES, HOLDS, SUMS = "LISEZ-MOI.txt", "index.csv", "regles.csv", "gels.csv", "SHA256SUMS"
PACKAGES = "paquets"
"""The folder of the packages, by year."""
Row = tuple[str, ...]
"""A line of the index: see ``row_of``."""
_COLUMNS = (
    *("identifiant", "objet", "nature", "producteur", "date", "scellée le", "sha256 du paquet", "octets"),
    *("règle de conservation", "sort final", "à conserver jusqu’au", "règle d’accès", "communicable le", "éliminée le"),
    *("gels", "paquet", "preuve", "enregistrement de preuve", "décision d’entrée"),
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
    return f"{_proof_named(record)}.zip"


def name_of_evidence_record(record: Record) -> str:
    """Return the name of a record's evidence record, beside its evidence."""
    return f"{_proof_named(record)}.ers"


def _proof_named(record: Record) -> str:
    return f"preuves/{clock.in_paris(record.sealed).year}/preuve-{record.id}"


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that is given back beside a record's package.

    Attributes:
        write: writes it to a file; False when there is none, or none yet.
        newer: tells whether there is more than what the file says that was written before; None for what never changes.
    """

    name: str
    write: Callable[[Path], bool]
    newer: Callable[[Path], bool] | None = None


def beside(platform: Platform, record: Record) -> list[Beside]:
    """Return what is given back beside the package of a record: what proves it, and the decision that took it in."""
    found = [
        Beside(name_of_proof(record), partial(write_proof, platform, record)),
        Beside(
            name_of_evidence_record(record),
            partial(_write_evidence_record, platform, record),
            partial(outgrown, platform, record.id),
        ),
    ]
    entry = entry_of(record)
    return found if entry is None else [*found, Beside(entry.name, partial(_write_decision, platform, entry))]


def _write_evidence_record(platform: Platform, record: Record, target: Path) -> bool:
    der = evidence_record_of(platform, record.id)
    if der is not None:
        target.write_bytes(der)
    return der is not None


def _write_decision(platform: Platform, decision: Decision, target: Path) -> bool:
    try:
        target.write_bytes(decision.read(platform))
    except (ObjectMissing, ObjectAltered):
        return False  # the index says so, and the audit of the places makes an incident of it
    return True


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


def row_of(record: Record, holds: Holds, package: str = "", there: Container[str] = ()) -> Row:
    """Return the line of a record.

    Args:
        record: it.
        holds: those in force over the fonds.
        package: the name of its package; empty where there is none.
        there: the names of what is given back.
    """
    entry = entry_of(record)
    named = (name_of_proof(record), name_of_evidence_record(record), entry.name if entry else "")
    return (
        *(record.id, record.title, record.kind, record.producer, record.dated.isoformat(), clock.iso(record.sealed)),
        *(record.sha256, str(record.size), record.rule, record.final_action),
        record.keep_until.isoformat() if record.keep_until else "",
        record.access,
        record.open_from.isoformat() if record.open_from else "",
        clock.iso(record.eliminated) if record.eliminated else "",
        *(holds.over(record), package, *(name if name in there else "" for name in named)),
    )


@contextmanager
def index_in(path: Path) -> Iterator[Callable[[Row], None]]:
    """Write the index to a file, a line at each call: a fonds may have more records than a process can hold."""
    with spreadsheet.written_to(path) as table:
        table.add(_COLUMNS)
        yield table.add


def around(
    platform: Platform, organisation: Organisation, holds: Holds, progress: Progress, *, volumes: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield the files that stand beside packages, evidence and index, each with its name: decisions, holds, rules, instructions.

    Raises:
        Unavailable: no place that answers has a decision.
    """
    with platform.database.reading(PLATFORM) as session:
        rules = given_out(session, organisation.id)
        decided = list(decisions(session, subtree(session, organisation.path)))
    given, missing = set[str](), list[str]()
    for decision in decided:
        try:
            octets = decision.read(platform)
        except (ObjectMissing, ObjectAltered):
            missing.append(decision.name)
            continue
        yield decision.name, octets
        given.add(decision.name)
    yield HOLDS, holds.table(given)
    yield RULES, rules
    yield README, _readme(organisation, progress, missing, volumes=volumes).encode()


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


def _readme(organisation: Organisation, progress: Progress, missing: Sequence[str], *, volumes: bool) -> str:
    text = resources("archive.finding").joinpath("locale/restitution.fr.txt").read_text("utf-8")
    later = "restitution.waiting.volumes" if volumes else "restitution.waiting"
    with speaking("fr"):
        waiting = _messages.counted(later, progress.waiting, count=progress.waiting) if progress.waiting else ""
        lost = _messages.counted("restitution.lost", progress.lost, count=progress.lost) if progress.lost else ""
        unpacking = _messages("restitution.unpacking") if volumes else ""
        undecided = _messages.counted("restitution.undecided", len(missing), count=len(missing)) if missing else ""
    return text.format(
        organisation=" ".join(organisation.name.split()),
        number=organisation.siret or organisation.siren or organisation.id,
        made=f"{clock.in_paris(clock.now()):%d/%m/%Y %H:%M}",
        records=progress.done,
        eliminated=progress.eliminated,
        waiting=waiting,
        lost=lost + undecided + "".join(f"    {name}\n" for name in missing),
        unpacking=unpacking,
    )
