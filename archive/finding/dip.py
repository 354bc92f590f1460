"""What is handed out of a record (DIP): the files asked for, what the record says of them, and what proves it, in one ZIP.

A reader needs nothing but what is in it: a text in French says what each member is, and how to check it. The same record and the
same files give the same bytes as long as its proof stays the same, but for the moment of the delivery in ``manifest.xml``.

Members: ``LISEZ-MOI.txt``, ``documents/…``, ``index.csv``, ``manifest.xml`` (the ``ArchiveDeliveryRequestReply`` of SEDA, which
names the documents that are here), ``bordereau.xml`` (the manifest of the record as it was sealed; not for a reader who was
agreed a part of it), ``preuve.zip`` (only with all files: it holds the whole package; only once a head covers the record, and
where it has room), ``preuve.ers`` (the evidence record, beside ``preuve.zip``, once there is one), ``SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from sqlmodel import select

from archive import spreadsheet
from archive.finding.files import TakenPackage, files_of, taken
from archive.finding.proofs import evidence_record_of, write_evidence_from
from archive.models import Record, RecordFile
from archive.package import MANIFEST, plain_name
from archive.proof.evidence import sums
from archive.stored_zip import LARGEST_FILE, Stored, stored_zip
from core import clock
from core.errors import NotFound
from core.identifiers import new_id
from core.messages import Catalogue, speaking
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.delivery import DeliveryReply, write_delivery
from schemas.seda.model import Agency, ArchiveUnit, DataObject, DataObjectGroup, Level, Version

README, INDEX, SEALED, SUMS = "LISEZ-MOI.txt", "index.csv", "bordereau.xml", "SHA256SUMS"
EVIDENCE, RENEWED = "preuve.zip", "preuve.ers"
LARGEST = LARGEST_FILE - (64 << 20)
"""Bytes of files and evidence that one ZIP holds, with room for what explains them."""
_VERIFY = f"tabellion archive verify {RENEWED} --package package.zip --trust DOSSIER"
_messages = Catalogue("archive.finding")
_COLUMNS = ("fichier", "nom d’origine", "rang", "octets", "sha256", "type", "format (PRONOM)")


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What is handed out of a record, and to whom.

    Attributes:
        files: those wanted.
        whole: they are all that the record has.
        request: of a reader, which this answers; None for who takes the files from the platform.
    """

    record: Record
    archives: Organisation
    files: Sequence[RecordFile]
    whole: bool
    request: str | None

    @property
    def shows_manifest(self) -> bool:
        """The sealed manifest names every file, and whom they are about: a reader of a part is not given the rest by it."""
        return self.whole or self.request is None


def write_dip(
    platform: Platform, record_id: str, target: Path, ranks: Collection[int] | None = None, *, request: str | None = None
) -> None:
    """Write what is handed out of a record; whoever asks was found to be allowed to.

    Args:
        platform: where it is.
        record_id: the record.
        target: the ZIP.
        ranks: of the files wanted; None for all.
        request: of a reader, which this answers; None for who takes the files from the platform.

    Raises:
        NotFound: no such record, it was destroyed, or it has no such file.
        ObjectMissing, ObjectAltered: no place holds it whole.
        Unavailable: no place that answers holds it whole.
    """
    with platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.id == record_id)).first()
        if record is None:
            raise NotFound(_messages("record.unknown"))
        files = files_of(session, record_id)
        archives = session.get_one(Organisation, record.organisation_id)
    wanted = [file for file in files if ranks is None or file.rank in ranks]
    if ranks is not None and len(wanted) != len(set(ranks)):
        raise NotFound(_messages("file.unknown"))
    delivery = _Delivery(record, archives, wanted, len(wanted) == len(files), request)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder, taken(platform, record) as package:
        fits = record.size + sum(file.size for file in wanted) <= LARGEST
        proofs = _proofs(platform, record, package.path, Path(folder)) if delivery.whole and fits else ()
        _write(delivery, package, proofs, Path(folder), target)


def _proofs(platform: Platform, record: Record, package: Path, folder: Path) -> tuple[Path, ...]:
    """Write what proves the whole record into a folder: nothing while it waits for a timestamp."""
    evidence, renewed = folder / EVIDENCE, folder / RENEWED
    if not write_evidence_from(platform, record, package, evidence):
        return ()
    der = evidence_record_of(platform, record.id)
    if der is None:
        return (evidence,)
    renewed.write_bytes(der)
    return evidence, renewed


def _write(delivery: _Delivery, package: TakenPackage, proofs: Sequence[Path], folder: Path, target: Path) -> None:
    manifest, sealed = folder / MANIFEST, folder / SEALED
    package.opened.extract(package.opened.manifest_name(), sealed)
    names = _names_of(delivery.files)
    with stored_zip(target, delivery.record.sealed) as zipped:
        stored = [zipped.add(README, _readme(delivery, proofs, sealed).encode())]
        handed = []
        for file, name in zip(delivery.files, names, strict=True):
            piece = folder / "piece"
            package.take(file, piece)
            handed.append((file, zipped.add(name, piece)))
        stored += [one for _, one in handed]
        stored.append(zipped.add(INDEX, _index_of(zip(delivery.files, names, strict=True))))
        write_delivery(manifest, _announcement(delivery, handed), Version.V2_2)
        stored.append(zipped.add(MANIFEST, manifest))
        beside = (*((sealed,) if delivery.shows_manifest else ()), *proofs)
        stored += [zipped.add(path.name, path) for path in beside]
        zipped.add(SUMS, sums(stored))


def _announcement(delivery: _Delivery, handed: Sequence[tuple[RecordFile, Stored]]) -> DeliveryReply:
    """Return what announces files of a record; the ranks of the files in the record are those of their identifiers."""
    record, request, archives = delivery.record, delivery.request, _agency(delivery.archives)
    title = " ".join(record.title.split()) or record.id
    items = [ArchiveUnit(f"AU{file.rank}", Level.ITEM, file.name, groups=(f"GO{file.rank}",)) for file, _ in handed]
    with speaking("fr"):
        manifest = (_messages("dip.sealed", name=SEALED),) if delivery.shows_manifest else ()
        comments = (*manifest, *(() if request else (_messages("dip.no_request"),)))
    return DeliveryReply(
        identifier=f"tabellion-{new_id()}-communication",
        at=clock.now(),
        request=request or f"tabellion-{record.id}-consultation",
        code="000",
        delivered=(record.id,),
        units=(ArchiveUnit("AU0", Level.FILE, title, archival_identifier=record.id, units=tuple(items)),),
        groups=tuple(DataObjectGroup(f"GO{file.rank}", (_object(file, stored),)) for file, stored in handed),
        archival_agency=archives,
        requester=Agency(request, "Tabellion") if request else archives,
        originating_agency=Agency(record.producer) if record.producer else None,
        comments=comments,
    )


def _object(file: RecordFile, stored: Stored) -> DataObject:
    return DataObject(f"BDO{file.rank}", stored.name, stored.sha256, stored.size, file.name, file.media_type, file.puid)


def _agency(organisation: Organisation) -> Agency:
    if organisation.siret:
        return Agency(organisation.siret, "SIRET")
    return Agency(organisation.siren, "SIREN") if organisation.siren else Agency(organisation.id)


def _names_of(files: Sequence[RecordFile]) -> list[str]:
    """Return the names of files in the ZIP: plain, each once; what they are called stands in the index."""
    taken_names: set[str] = set()
    return [f"documents/{plain_name(file.name, taken_names)}" for file in files]


def _index_of(files: Iterable[tuple[RecordFile, str]]) -> bytes:
    rows = [
        (name, file.name, str(file.rank), str(file.size), file.sha256 or "", file.media_type or "", file.puid or "")
        for file, name in files
    ]
    return spreadsheet.written([_COLUMNS, *rows])


def _readme(delivery: _Delivery, proofs: Sequence[Path], sealed: Path) -> str:
    record, count, part = delivery.record, len(delivery.files), not delivery.shows_manifest
    unproved = "dip.part" if part else "dip.unproved"
    with speaking("fr"), sealed.open("rb") as stream:
        proved = [_messages(f"dip.proof.{path.name}", command=_VERIFY) for path in proofs] or [_messages(unproved)]
        return (
            resources("archive.finding")
            .joinpath("locale/dip.fr.txt")
            .read_text("utf-8")
            .format(
                title=" ".join(record.title.split()),
                record=record.id,
                producer=record.producer or "–",
                sealed=f"{clock.in_paris(record.sealed):%d/%m/%Y %H:%M:%S}",
                sha256=record.sha256,
                manifest_sha256=hashlib.file_digest(stream, "sha256").hexdigest(),
                count=_messages.counted("dip.count", count, count=count),
                manifest="" if part else _messages("dip.manifest"),
                evidence="".join(proved),
                compared=_messages("dip.compared.part" if part else "dip.compared"),
            )
        )
