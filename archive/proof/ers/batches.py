"""A batch: what one timestamp of evidence records covers, as a file under lock, from which the tables can be made again.

Members: ``token.der`` (RFC 3161), ``batch.json`` (identifier and hash), ``records.jsonl`` (chain, hashes and way of each record,
one a line), ``renewals.jsonl`` (the timestamps that it renews, with their ways), ``SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from sqlmodel import col, select

from archive.models import EvidenceRenewal, EvidenceStamp, RecordEvidence
from archive.places import places
from archive.proof.evidence import SUMS, TOKEN, sums
from archive.stored_zip import stored_zip
from core.canonical import canonical_bytes
from core.database import ScopedSession
from core.platform import Platform
from core.principal import PLATFORM

FORMAT = "tabellion-evidence-batch/1"
PREFIX = "evidence/"
_PAGE = 1000


def key_of(stamp_id: str) -> str:
    """Return the key of a batch."""
    return f"{PREFIX}{stamp_id}.zip"


def seal_due(platform: Platform) -> int:
    """Put every batch that is not there yet in every place; return how many there were.

    Its bytes follow from its rows, which do not change, so that a second try makes the same ones.

    Raises:
        Unavailable: a place does not answer; the next run goes on.
    """
    with platform.database.reading(PLATFORM) as session:
        rows = list(session.exec(select(EvidenceStamp).where(col(EvidenceStamp.locked_until).is_(None))))
    for row in rows:
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            target = Path(folder) / "batch.zip"
            with platform.database.reading(PLATFORM) as session:
                _write(session, row, target, Path(folder))
            with target.open("rb") as stream:
                row.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            row.length = target.stat().st_size
            copies = places.seal(platform, row.key, target, row.sha256)
        row.copies = {copy.place: copy.sealed.version_id for copy in copies}
        row.locked_until = min(copy.locked_until for copy in copies)
        with platform.database.writing(PLATFORM) as session:
            session.add(row)
    return len(rows)


def _write(session: ScopedSession, row: EvidenceStamp, target: Path, folder: Path) -> None:
    records, renewals = folder / "records.jsonl", folder / "renewals.jsonl"
    with records.open("wb") as stream:
        after = ""
        while page := _records(session, row.id, after):
            stream.writelines(canonical_bytes(one.model_dump(exclude={"stamp_id"})) + b"\n" for one in page)
            after = page[-1].record_id
    with renewals.open("wb") as stream:
        wanted = select(EvidenceRenewal).where(EvidenceRenewal.by_id == row.id).order_by(EvidenceRenewal.stamp_id)
        stream.writelines(canonical_bytes(one.model_dump(exclude={"by_id"})) + b"\n" for one in session.exec(wanted))
    with stored_zip(target, row.stamped) as zipped:
        stored = [
            zipped.add(TOKEN, row.token),
            zipped.add("batch.json", canonical_bytes({"format": FORMAT, "id": row.id, "hash": row.algorithm})),
            zipped.add("records.jsonl", records),
            zipped.add("renewals.jsonl", renewals),
        ]
        zipped.add(SUMS, sums(stored))


def _records(session: ScopedSession, stamp_id: str, after: str) -> list[RecordEvidence]:
    wanted = select(RecordEvidence).where(RecordEvidence.stamp_id == stamp_id, RecordEvidence.record_id > after)
    return list(session.exec(wanted.order_by(RecordEvidence.record_id).limit(_PAGE)))
