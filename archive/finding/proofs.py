"""What proves a record, as it is handed out beside its documents: its evidence, and its evidence record (RFC 4998).

The evidence says what was sealed and when; the evidence record goes on being renewed, and is what still proves it once the
certificate of the evidence's own token has ended. What does not live here: how either is made (`archive.proof`).
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlmodel import col, select

from archive.models import Record, RecordDigest
from archive.proof.ers import syntax
from archive.proof.ers.infos import with_told
from archive.proof.ers.records import evidence_record
from archive.proof.proving import write_evidence_of_entry
from core.errors import Unavailable, UnreadableInput
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.finding")


def write_evidence_from(platform: Platform, record: Record, package: Path, target: Path) -> bool:
    """Write the evidence of a record whose package was read back to a file; False while it waits for a timestamp.

    It is that of its newest digest under a timestamped head, as ``archive.proof.proving.write_evidence`` gives out.

    Raises:
        BrokenChain: the package is not the one that was sealed.
    """
    with platform.database.reading(PLATFORM) as session:
        newest = select(RecordDigest).where(RecordDigest.record_id == record.id).order_by(col(RecordDigest.taken).desc())
        digests = list(session.exec(newest))
    copy = partial(shutil.copyfile, package)
    for digest in digests:
        with suppress(Unavailable):
            write_evidence_of_entry(platform, digest.entry_id or record.entry_id, copy, target, digest.algorithm)
            return True
    return False


def evidence_record_of(platform: Platform, record_id: str) -> bytes | None:
    """Return the evidence record of a record as it was last renewed, DER; None while no timestamp is over it."""
    with platform.database.reading(PLATFORM) as session:
        der = evidence_record(session, record_id)
    return with_told(platform, der) if der else None


def outgrown(platform: Platform, record_id: str, written: Path) -> bool:
    """Tell whether a record's evidence record has a timestamp, or something said of an authority, that one in a file has not."""
    der, before = evidence_record_of(platform, record_id), written.read_bytes()
    if der is None or der == before:
        return False
    try:
        same = syntax.read(before) == syntax.read(der)
    except UnreadableInput:  # the file was spoiled
        return True
    # What was said is only ever added to: with less of it, a place that has the rest is silent.
    return not same or len(der) >= len(before)


def write_evidence_record(platform: Platform, record_id: str, target: Path) -> None:
    """Write the evidence record of a record to a file.

    Raises:
        Unavailable: no timestamp is over it yet.
    """
    der = evidence_record_of(platform, record_id)
    if der is None:
        raise Unavailable(_messages("evidence_record.waits"))
    target.write_bytes(der)
