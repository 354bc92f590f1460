"""What is handed out of a record (DIP): the files asked for, what the record says of them, and what proves it, in one ZIP.

A reader needs nothing but what is in it: a text in French says what each member is, and how to check it. The same record and the
same files give the same bytes as long as its proof stays the same, but for the moment of the delivery in ``manifest.xml``.

Members: ``LISEZ-MOI.txt``, ``documents/…``, ``index.csv``, ``manifest.xml`` (the ``ArchiveDeliveryRequestReply`` of SEDA, which
names the documents that are here), ``bordereau.xml`` (the manifest of the record as it was sealed), ``preuve.zip`` (only with all
files: it holds the whole package; only once a head covers the record, and where it has room), ``SHA256SUMS``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from importlib.resources import files as resources
from pathlib import Path

from sqlmodel import select

from archive import spreadsheet
from archive.finding.files import TakenPackage, files_of, taken
from archive.models import Record, RecordFile
from archive.package import MANIFEST, plain_name
from archive.proof.evidence import sums
from archive.proof.proving import write_evidence_of_entry
from archive.stored_zip import LARGEST_FILE, Stored, stored_zip
from core import clock
from core.errors import NotFound, Unavailable
from core.identifiers import new_id
from core.messages import Catalogue, speaking
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.delivery import DeliveryReply, write_delivery
from schemas.seda.model import Agency, ArchiveUnit, DataObject, DataObjectGroup, Level, Version

README, INDEX, SEALED, EVIDENCE, SUMS = "LISEZ-MOI.txt", "index.csv", "bordereau.xml", "preuve.zip", "SHA256SUMS"
LARGEST = LARGEST_FILE - (64 << 20)
"""Bytes of files and evidence that one ZIP holds, with room for what explains them."""
_messages = Catalogue("archive.finding")
_COLUMNS = ("fichier", "nom d’origine", "rang", "octets", "sha256", "type", "format (PRONOM)")


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
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder, taken(platform, record) as package:
        evidence = Path(folder) / EVIDENCE
        whole = ranks is None or len(wanted) == len(files)
        fits = record.size + sum(file.size for file in wanted) <= LARGEST
        proved = whole and fits and _prove(platform, record, package.path, evidence)
        told = partial(_announcement, record, _agency(archives), request)
        _write(record, wanted, package, told, evidence if proved else None, Path(folder), target)


def _announcement(
    record: Record, archives: Agency, request: str | None, handed: Sequence[tuple[RecordFile, Stored]]
) -> DeliveryReply:
    """Return what announces files of a record; the ranks of the files in the record are those of their identifiers."""
    title = " ".join(record.title.split()) or record.id
    items = [ArchiveUnit(f"AU{file.rank}", Level.ITEM, file.name, groups=(f"GO{file.rank}",)) for file, _ in handed]
    with speaking("fr"):
        comments = (_messages("dip.sealed", name=SEALED), *(() if request else (_messages("dip.no_request"),)))
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


def _write(
    record: Record,
    files: Sequence[RecordFile],
    package: TakenPackage,
    told: Callable[[Sequence[tuple[RecordFile, Stored]]], DeliveryReply],
    evidence: Path | None,
    folder: Path,
    target: Path,
) -> None:
    manifest, sealed = folder / MANIFEST, folder / SEALED
    package.opened.extract(package.opened.manifest_name(), sealed)
    names = _names_of(files)
    with stored_zip(target, record.sealed) as zipped:
        stored = [zipped.add(README, _readme(record, len(files), proved=evidence is not None).encode())]
        handed = []
        for file, name in zip(files, names, strict=True):
            piece = folder / "piece"
            package.take(file, piece)
            handed.append((file, zipped.add(name, piece)))
        stored += [one for _, one in handed]
        stored.append(zipped.add(INDEX, _index_of(zip(files, names, strict=True))))
        write_delivery(manifest, told(handed), Version.V2_2)
        stored += [zipped.add(MANIFEST, manifest), zipped.add(SEALED, sealed)]
        if evidence is not None:
            stored.append(zipped.add(EVIDENCE, evidence))
        zipped.add(SUMS, sums(stored))


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


def _prove(platform: Platform, record: Record, package: Path, target: Path) -> bool:
    def copy(path: Path) -> None:
        shutil.copyfile(package, path)

    try:
        write_evidence_of_entry(platform, record.entry_id, copy, target)
    except Unavailable:
        return False
    return True


def _readme(record: Record, count: int, *, proved: bool) -> str:
    with speaking("fr"):
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
                count=_messages.counted("dip.count", count, count=count),
                evidence=_messages("dip.proved" if proved else "dip.unproved"),
            )
        )
