"""The end of an elimination: its certificate is sealed, with what led to it, as a record that is kept for ever.

One package holds the certificate (PDF and JSON), the bordereau with its list, and the signed visa. What is printed is kept among
the documents first, so that a second try seals the same bytes.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from sqlmodel import Session

from archive import sealing
from archive.describing import describe
from archive.elimination import bordereau, certificate
from archive.elimination.lists import counts, write
from archive.elimination.models import Elimination
from archive.elimination.states import Outcome, State
from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention.defaults import ELIMINATIONS, FREE
from archive.sealing import Sealing
from archive.transfer import RecordFacts, transfer_of
from core import clock
from core.canonical import canonical_bytes
from core.messages import Catalogue, speaking
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import Agency, ArchiveUnit, Dates, Keyword, KeywordType, Level, Transfer, Version
from schemas.seda.replies import DestructionNotice, write_destruction
from signing.report.pdf import as_pdf

_messages = Catalogue("archive.elimination")
ENDED = "archive.elimination_ended"
"""The journal entry of an elimination that came to its end."""
KIND = "elimination"
_PDF, _JSON, _CSV, _XML = "application/pdf", "application/json", "text/csv", "application/xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _EliminationRecord(RecordFacts):
    """The facts of an elimination; ``at`` is when its last line was settled."""

    title: str

    @property
    def clock(self) -> date:
        """The day on which it ended."""
        return clock.in_paris(self.at).date()


def conclude(platform: Platform, elimination_id: str) -> None:
    """Print the certificate, seal it with what led to it, and end the elimination; again it goes on where it stopped.

    Raises:
        SandboxError: it could not be printed.
        Unavailable, Misconfigured: a place of the archive does not answer.
        ObjectMissing, ObjectAltered: a document that led to it is no longer what it was.
    """
    elimination = _ended(platform, elimination_id)
    elimination = _printed(platform, elimination)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        with platform.database.reading(PLATFORM) as session:
            record = _record(session, elimination)
            told = canonical_bytes(certificate.as_json(session, elimination))
            shown = bordereau.every_line(session, elimination_id, Outcome.DESTROYED.value)
            destroyed = tuple(one.record.id for one in shown)
        files = list(_files(platform, elimination, told, Path(folder)))
        if destroyed:
            files.append(_notice(Path(folder), record, elimination, destroyed))
        package = _package(Path(folder), record, files)
        facts = Sealing(elimination.organisation_id, None, KIND, record.retention, record.access)
        copies = sealing.put_under_lock(platform, package, sealing.intent_of(facts, package))
        description = describe(package.path)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get_one(Elimination, elimination_id)
        kept.record_id = sealing.record(session, facts, description, copies)
        kept.state = State.DONE.value
        total = counts(session, elimination_id)
        done = {"destroyed": total[Outcome.DESTROYED], "skipped": total[Outcome.SKIPPED], "refused": total["refused"]}
        write(session, kept, ENDED, "platform", record=kept.record_id, certificate=kept.certificate, **done)


def _ended(platform: Platform, elimination_id: str) -> Elimination:
    with platform.database.writing(PLATFORM) as session:
        elimination = session.get_one(Elimination, elimination_id)
        elimination.ended = elimination.ended or clock.now()
        return elimination


def _printed(platform: Platform, elimination: Elimination) -> Elimination:
    if elimination.certificate is not None:
        return elimination
    with platform.database.reading(PLATFORM) as session, speaking("fr"):
        page = certificate.page_of(session, elimination)
    printed = platform.objects.put(io.BytesIO(as_pdf(page, elimination.ended)))
    with platform.database.writing(PLATFORM) as session:
        kept = session.get_one(Elimination, elimination.id)
        kept.certificate = printed.sha256
        return kept


def _record(session: Session, elimination: Elimination) -> _EliminationRecord:
    organisation = session.get_one(Organisation, elimination.organisation_id)
    agency = Agency(organisation.siret or organisation.siren or organisation.id, "SIRET" if organisation.siret else "SIREN")
    at = elimination.ended or clock.now()
    with speaking("fr"):
        title = _messages("certificate.record", name=organisation.name, day=f"{clock.in_paris(at):%d/%m/%Y}")
    return _EliminationRecord(
        transfer=f"tabellion-{elimination.id}",
        dossier=elimination.id,
        at=at,
        archival_agency=agency,
        transferring_agency=agency,
        producer=agency,
        producer_name=organisation.name,
        retention=ELIMINATIONS,  # whatever an organisation chooses: this is kept for ever
        access=FREE,
        title=title,
    )


def _files(platform: Platform, elimination: Elimination, told: bytes, folder: Path) -> Iterator[PackageFile]:
    kept = (
        ("certificate", elimination.certificate, "certificat-d-elimination.pdf", _PDF),
        ("bordereau", elimination.bordereau, "bordereau-d-elimination.pdf", _PDF),
        ("list", elimination.listing, "liste.csv", _CSV),
        ("document", elimination.visa_document, "visa.pdf", _PDF),
    )
    for role, digest, name, media_type in kept:
        if digest is not None:
            path = folder / name
            platform.objects.fetch(digest, path)
            yield PackageFile(role, path, media_type, name)
    path = folder / "certificat.json"
    path.write_bytes(told)
    yield PackageFile("data", path, _JSON, path.name)


def _notice(folder: Path, record: _EliminationRecord, elimination: Elimination, destroyed: tuple[str, ...]) -> PackageFile:
    """Write the ``ArchiveDestructionNotification`` of SEDA; the statement of the visa stands for the State's answer."""
    path = folder / "notification-de-destruction.xml"
    notice = DestructionNotice(
        identifier=f"tabellion-{elimination.id}-destruction",
        at=record.at,
        authorization=elimination.visa_reference or elimination.visa_statement or elimination.id,
        units=destroyed,
        archival_agency=record.archival_agency,
        originating_agency=record.producer,
    )
    write_destruction(path, notice, Version.V2_2)
    return PackageFile("notice", path, _XML, path.name)


def _package(folder: Path, record: _EliminationRecord, files: Sequence[PackageFile]) -> Package:
    return build_package(folder / "package.zip", files, partial(_transfer, record), at=record.at)


def _transfer(record: _EliminationRecord, files: Sequence[Described]) -> Transfer:
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        unit = ArchiveUnit(
            identifier="AU1",
            level=Level.FILE,
            title=record.title,
            transferring_identifier=record.dossier,
            document_type=_messages("certificate.genre"),
            language="fra",
            keywords=(Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),),
            originating_agency=record.producer,
            submission_agency=record.transferring_agency,
            dates=Dates(start=record.clock, end=record.clock),
            units=tuple(_item(rank, record, described) for rank, described in enumerate(files, start=2)),
        )
        return transfer_of(record, unit, files, start=_messages("certificate.start"))


def _item(rank: int, record: _EliminationRecord, described: Described) -> ArchiveUnit:
    file, item = described
    return ArchiveUnit(
        identifier=f"AU{rank}",
        level=Level.ITEM,
        title=_messages(f"certificate.{file.role}"),
        dates=Dates(created=record.at),
        groups=(group_of(item),),
    )
