"""Records as the platform seals them, each in every place, for the tests of what watches over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlmodel import select

from archive import sealing
from archive.describing import describe
from archive.kinds.pes import PesRole, pes_package
from archive.models import Record
from archive.package import PackageFile
from archive.retention.defaults import ACCOUNTING, PRIVATE_LIFE
from archive.sealing import Sealing
from core.identifiers import new_id
from core.organisations import Organisation
from core.places import FurtherPlace
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.archive_samples import RECORD

SECOND = "second"


def with_second_place(platform: Platform, s3: S3Server, audit_days: int = 365) -> Platform:
    """Return the platform with a second place for its archive."""
    store = s3.store(f"{platform.settings.s3_bucket_prefix}-two")
    store.prepare()
    return replace(platform, further=(FurtherPlace(SECOND, store, audit_days),))


def seal(
    platform: Platform, organisation: Organisation, folder: Path, body: str = "", dossier: str | None = None, **told_of: bool
) -> Record:
    """Seal an acknowledged PES and return its record; its package stays in the folder, under the record’s identifier.

    Args:
        told_of: whether it is confidential, and withheld, as `Sealing` has it.
    """
    dossier = dossier or new_id()
    contents = {
        PesRole.PES: ("flux.xml", "application/xml", f"<PES>{dossier}{body}</PES>".encode()),
        PesRole.ACQUIT: ("acquit.xml", "application/xml", b"<ACQUIT/>"),
        PesRole.SIGNATURE_REPORT: ("signatures.json", "application/json", b"{}"),
        PesRole.JOURNAL: ("journal.jsonl", "application/x-ndjson", b"{}\n"),
    }
    files = []
    for role, (name, media_type, data) in contents.items():
        path = folder / f"{dossier}-{name}"
        path.write_bytes(data)
        files.append(PackageFile(role, path, media_type, name))
    package = pes_package(folder / f"{dossier}.zip", replace(RECORD, dossier=dossier), files)
    told = Sealing(organisation.id, dossier, "helios", ACCOUNTING, PRIVATE_LIFE, **told_of)
    copies = sealing.put_under_lock(platform, package, sealing.intent_of(told, package))
    with platform.database.writing(PLATFORM) as session:
        identifier = sealing.record(session, told, describe(package.path), copies)
        record = session.exec(select(Record).where(Record.id == identifier)).one()
    package.path.rename(folder / f"{record.id}.zip")
    return record
