"""Databases of the archive that were lost and are made anew from the places, for the tests of rebuilding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from archive.correction.models import RecordCorrection
from archive.models import (
    EvidenceRenewal,
    EvidenceStamp,
    Record,
    RecordCopy,
    RecordDigest,
    RecordEvidence,
    RecordFile,
    TreeHead,
)
from archive.proof import heads, segments
from archive.rebuilding import rebuild as rebuilding
from archive.retention.models import RecordHeld, RecordHold, RuleChoice, RuleVersion
from core.blobs import SealedObject
from core.database import Database
from core.journal import JournalEntry
from core.locked_objects import LockedObjects
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from tests.conftest import Shape
from tests.databases import sqlite_at
from tests.kept_records import with_second_place
from tests.replicated import stamps_of

TABLES = (
    Organisation,
    JournalEntry,
    TreeHead,
    Record,
    RecordCopy,
    RecordDigest,
    RecordFile,
    RecordHold,
    RecordHeld,
    EvidenceStamp,
    EvidenceRenewal,
    RecordEvidence,
    RuleVersion,
    RuleChoice,
    RecordCorrection,
)
# Moments that the journal tells a few milliseconds later, and what is found out anew.
TOLD_OTHERWISE = {"checked", "told", "taken", "lifted", "chosen"}


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    return stamps_of(authority)


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def dropped(kept: Platform, shape: Shape, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """The same places, and a database in which nothing ever happened: of the other kind than the one that was lost."""
    embedded = shape.name == "embedded"
    database = Database(request.getfixturevalue("current_postgres_url") if embedded else sqlite_at(tmp_path / "anew.sqlite3"))
    yield replace(kept, database=database)
    database.close()


def copied(platform: Platform, stamps: heads.Stamps) -> None:
    heads.cut(platform, stamps)
    segments.copy_due(platform)


def rows(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    with platform.database.reading(PLATFORM) as session:
        found = {
            table.__name__: [row.model_dump(exclude=TOLD_OTHERWISE) for row in session.exec(select(table))] for table in TABLES
        }
    return {name: sorted(said, key=str) for name, said in found.items()}


def rebuilt(platform: Platform) -> rebuilding.Rebuilt:
    return rebuilding.rebuild(platform, lambda _what, _count: None)


def lose(monkeypatch: pytest.MonkeyPatch, versions: set[str]) -> None:
    """Have the places say of these versions what they say of what is not there: none can be deleted for good."""
    held = LockedObjects.fetch_sealed

    def fetch_sealed(self: LockedObjects, sealed: SealedObject, target: Path) -> None:
        held(self, replace(sealed, key="gone.zip") if sealed.version_id in versions else sealed, target)

    monkeypatch.setattr(LockedObjects, "fetch_sealed", fetch_sealed)
