"""Records that only the database has, indexed, for the tests of searching: no package stands behind them."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from archive.describing import DescribedFile, Description
from archive.finding import index
from archive.models import Record, RecordFile
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction


def add(
    platform: Platform, organisation: Organisation, title: str, *words: str, files: tuple[str, ...] = (), **changes: Any
) -> str:
    """Put a record in the database and in the index, and return its identifier."""
    identifier = new_id()
    described = tuple(DescribedFile(name, f"content/{name}", digest_of(name), 10, None, None) for name in files)
    description = Description(title, organisation.siren, (title, *words), described, None, FinalAction.KEEP, None)
    values: dict[str, Any] = {
        "id": identifier,
        "organisation_id": organisation.id,
        "kind": "actes",
        "title": title,
        "producer": organisation.siren or "",
        "dated": date(2026, 3, 2),
        "key": identifier,
        "sha256": digest_of(identifier),
        "size": 100,
        "entry_id": "",
        "rule": "APP-ACTES-1AN v1",
        "final_action": "Keep",
        "keep_until": date(2027, 3, 2),
        "access": "AR038 v1",
        "open_from": date(2026, 3, 2),
    } | changes
    with platform.database.writing(PLATFORM) as session:
        record = Record(**values)
        session.add(record)
        session.flush()
        owned = {"record_id": record.id, "organisation_id": organisation.id}
        session.add_all(
            RecordFile(**owned, rank=rank, name=file.name, uri=file.uri, sha256=file.sha256, size=file.size)
            for rank, file in enumerate(described, start=1)
        )
        index.add(session, record, description)
    return identifier


def digest_of(name: str) -> str:
    """Return a digest that no other name has."""
    return hashlib.sha256(name.encode()).hexdigest()
