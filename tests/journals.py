"""For the tests of the journal's tree: entries, records, a head over them, and changes that the database itself would refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, text

from archive.describing import describe
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.package import Package
from archive.proof import heads
from core import clock, journal
from core.database import Database
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM


def write_entries(platform: Platform, organisation_id: str, count: int, **facts: Any) -> None:
    """Write entries into the journal."""
    with platform.database.writing(PLATFORM) as session:
        for rank in range(count):
            journal.write(
                session,
                organisation_id=organisation_id,
                kind="test.happened",
                actor="platform",
                facts={"rank": rank, "text": "é\u2028\n"} | facts,
            )


def cut(platform: Platform, organisation_id: str, count: int, stamps: heads.Stamps) -> int:
    """Write entries and put a head over the journal; return its size."""
    write_entries(platform, organisation_id, count)
    head = heads.cut(platform, stamps)
    assert head is not None
    return head.size


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """Open a connection on which the triggers that protect the journal are silent: what whoever owns the server can do."""
    with database.engine.execution_options(writes=True).begin() as connection:
        if database.is_sqlite:
            triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
            yield connection
            for _, made in triggers:
                connection.exec_driver_sql(made)
        else:
            connection.execute(text("SET session_replication_role = replica"))
            yield connection
            connection.execute(text("SET session_replication_role = origin"))


def sealed(platform: Platform, organisation: Organisation, package: Package, *, algorithm: str = "SHA-256") -> str:
    """A record as sealing writes it, named by the digest of one algorithm alone."""
    name = algorithm.replace("-", "").lower()
    value = hashlib.new(name, package.path.read_bytes()).hexdigest()
    kept = Record(
        organisation_id=organisation.id,
        kind="helios",
        title="Essai",
        producer="214009995",
        dated=clock.now().date(),
        key=f"{organisation.id}/{new_id()}.zip",
        sha256=package.sha256,
        size=package.size,
        entry_id="",
        rule="APP-COMPTA-10ANS v1",
        final_action="Destroy",
        access="",
    )
    found = platform.objects.seal(kept.key, package.path, package.sha256)
    owned: dict[str, Any] = {"record_id": kept.id, "organisation_id": organisation.id}
    with platform.database.writing(PLATFORM) as session:
        facts = {"record": kept.id, f"package_{name}": value}
        kept.entry_id = journal.write(
            session, organisation_id=organisation.id, kind="record.sealed", actor="platform", facts=facts
        )
        session.add(kept)
        session.flush()
        session.add(
            RecordCopy(
                **owned, place="principal", version_id=found.version_id, locked_until=found.locked_until, checked=kept.sealed
            )
        )
        session.add(RecordDigest(**owned, algorithm=algorithm, value=value, taken=kept.sealed))
        files = describe(package.path).files
        session.add_all(RecordFile(**owned | asdict(file), rank=rank) for rank, file in enumerate(files, start=1))
    return kept.id


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody reads."""
