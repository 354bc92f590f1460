"""Everything that an archive service asks of a package, in the order in which it is asked; all that is wrong is told at once.

The files are taken out some at a time, into a folder of their own under names of ours: an antivirus looks at each, its format is
found, its signatures are verified, and it is gone before the next come. What does not live here: what becomes of the transfer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from archive.describing import described
from archive.ingest import agreements, formats, pdfa, signatures
from archive.ingest.accepted_formats import check_format, check_pdfa
from archive.ingest.agreements import Presented
from archive.ingest.business import Business
from archive.ingest.disk import ours
from archive.ingest.formats import Found
from archive.ingest.inspection import Examined, OpenPackage, examine_package, open_package
from archive.ingest.models import ArchiveAgreement
from archive.ingest.pdfa import Checked
from archive.ingest.rules import check_rules
from archive.ingest.signatures import Verified
from archive.ingest.signed_manifest import check_signed_manifest
from archive.ingest.wording import problem
from core import clock
from core.errors import UnreadableInput
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows import antivirus
from flows.engine.models import Dossier
from flows.transfers.models import ArchiveTransfer
from schemas.seda import schema
from schemas.seda.model import Version
from schemas.seda.profile import ProfileRefused, check_profile
from schemas.seda.reader import Manifest, ManifestObject
from signing.trust import trust_store

_VIRUS = "SEDA-101"
_AT_ONCE, _BYTES_AT_ONCE = 32, 256 << 20


@dataclass(frozen=True, slots=True)
class Handed:
    """A package as it is handed over.

    Attributes:
        dossier_id: of the transfer.
        organisation_id: whose archive it becomes.
        came: when it was received.
        folder: private to whoever examines it.
    """

    dossier_id: str
    organisation_id: str
    path: Path
    came: datetime
    folder: Path


@dataclass(slots=True)
class Examination:
    """What was found.

    Attributes:
        found: formats, by the path of each file in the package.
        checked: what the checker of PDF/A found of those that claim to be, by path; empty where the operator set none.
        verified: the signatures, where there are any.
        scanned: an antivirus looked at every file; False where the operator set none.
    """

    examined: Examined
    problems: list[Problem] = field(default_factory=list)
    agreement: ArchiveAgreement | None = None
    found: dict[str, Found] = field(default_factory=dict)
    checked: dict[str, Checked] = field(default_factory=dict)
    verified: list[Verified] = field(default_factory=list)
    scanned: bool = False

    @property
    def manifest(self) -> Manifest | None:
        """What was read of the manifest."""
        return self.examined.manifest

    @property
    def refused(self) -> bool:
        """Whether something forbids to take the transfer."""
        return any(one.severity is Severity.ERROR for one in self.problems)


@ours()
def examine(platform: Platform, handed: Handed) -> Examination:
    """Hold a package against everything.

    Raises:
        Unavailable: the antivirus does not answer: nothing passes meanwhile; too many wait for the sandbox; or our disk fails.
        NeedsOperator: a file is beyond the antivirus's limits.
        Misconfigured: the operator's schemas or signatures of formats cannot be used.
    """
    examined = examine_package(handed.path, schemas=platform.settings.schemas_dir)
    examination = Examination(examined, list(examined.problems))
    if examined.manifest is None:
        return examination
    examination.problems += _of_manifest(platform, examined.manifest, examined.sizes)
    _of_service(platform, handed, examined.manifest, examination)
    try:
        with open_package(handed.path) as package:
            _of_message(platform, handed, package, examination)
            _of_files(platform, handed, package, examined.manifest, examination)
    except UnreadableInput:  # told by the inspection; such a package is not read any further
        return examination
    return examination


def _of_manifest(platform: Platform, manifest: Manifest, sizes: dict[str, int]) -> Iterator[Problem]:
    known = manifest.version in list(Version) or schema.installed(platform.settings.schemas_dir, manifest.version)
    if not known or manifest.version in {"0.2", "1.0"}:
        yield problem("101", "manifest.version", found=manifest.version, expected=", ".join(Version))
        return
    for name, value in (("MessageIdentifier", manifest.identifier), ("TransferringAgency", manifest.transferring_agency)):
        if not value:
            yield problem("101", "manifest.missing", path=name, expected=name)
    for name, value, most in _lengths(manifest):
        if value and len(value) > most:
            yield problem("101", "manifest.long", path=name, found=value, expected=f"≤ {most}")
    try:
        described(manifest, sizes)
    except UnreadableInput:
        yield problem("101", "manifest.untitled")


def _lengths(manifest: Manifest) -> Iterator[tuple[str, str | None, int]]:
    """Yield what is kept beside the package, or said in an answer, each with the room that there is for it."""
    yield "MessageIdentifier", manifest.identifier, 255
    yield "ArchivalAgency", manifest.archival_agency, 255
    yield "TransferringAgency", manifest.transferring_agency, 100
    yield "OriginatingAgencyIdentifier", manifest.originating_agency, 60
    yield from (("Uri", item.uri, 255) for item in manifest.objects)


def _of_service(platform: Platform, handed: Handed, manifest: Manifest, examination: Examination) -> None:
    """Judge what the archive service has agreed upon: the agreement, its profile, the rules."""
    day = clock.in_paris(handed.came).date()
    with platform.database.reading(PLATFORM) as session:
        holding = agreements.holding_for(session, handed.organisation_id)
        examination.problems += agreements.check_naming(holding, manifest)
        agreement = agreements.named(holding, manifest.agreement)
        if agreement is not None:
            presented = Presented(
                handed.path.stat().st_size, *_taken(session, agreement, handed), examination.examined.sizes, day
            )
            examination.agreement = agreement
            examination.problems += agreements.check_terms(agreement, manifest, presented)
        examination.problems += check_rules(session, handed.organisation_id, manifest, day)
    if agreement is not None and agreement.profile:
        examination.problems += _of_profile(platform, agreement, manifest, handed.folder)


def _taken(session: Session, agreement: ArchiveAgreement, handed: Handed) -> tuple[int, int]:
    """Return how many transfers came under an agreement this year and were not refused, and their size together."""
    year = clock.in_paris(handed.came).replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    both = select(func.count(), func.coalesce(func.sum(ArchiveTransfer.size), 0)).select_from(ArchiveTransfer)
    count = both.join(Dossier, col(Dossier.id) == ArchiveTransfer.dossier_id)
    wanted = count.where(
        ArchiveTransfer.agreement_id == agreement.id,
        ArchiveTransfer.dossier_id != handed.dossier_id,
        col(ArchiveTransfer.identity).is_not(None),
        Dossier.created >= year,
    )
    transfers, size = session.exec(wanted).one()
    return int(transfers), int(size)


def _of_profile(platform: Platform, agreement: ArchiveAgreement, manifest: Manifest, folder: Path) -> list[Problem]:
    path = folder / "profile"
    platform.objects.fetch(agreement.profile or "", path)
    try:
        return check_profile(manifest, path)
    except ProfileRefused as error:
        return [problem("203", "profile.unusable", found=str(error))]


def _of_message(platform: Platform, handed: Handed, package: OpenPackage, examination: Examination) -> None:
    """Judge the signature of the manifest, where it bears one or must."""
    name, manifest, agreement = examination.examined.manifest_name, examination.manifest, examination.agreement
    if name is None or manifest is None:
        return
    target = handed.folder / "message.xml"
    package.extract(name, target)
    needed = agreement is not None and agreement.signed_manifest
    trust = trust_store(platform.settings.trust_dir)
    examination.problems += check_signed_manifest(manifest, target, trust, needed=needed)


def _of_files(platform: Platform, handed: Handed, package: OpenPackage, manifest: Manifest, examination: Examination) -> None:
    """Look into every file, some at a time."""
    examination.scanned = antivirus.scanner_of(platform) is not None
    if not examination.scanned:
        examination.problems.append(problem("101", "virus.nobody", Severity.WARNING))
    business = Business()
    declared = {item.uri: item for item in manifest.objects if item.uri is not None and item.uri in package.sizes}
    for uris in _batches(package, list(declared)):
        with TemporaryDirectory(dir=handed.folder, prefix="files-") as name:
            taken = {uri: _taken_out(package, uri, Path(name) / f"{rank}") for rank, uri in enumerate(uris)}
            shown = [(uri, path) for uri, path in taken.items() if path is not None]
            _look(platform, package, shown, declared, examination, business)
    if examination.agreement is not None or examination.verified:
        agreement = examination.agreement
        examination.problems += signatures.problems_of(
            examination.verified,
            needed=agreement is not None and agreement.signatures,
            unverified=agreement is not None and agreement.unverified_signatures,
        )
    examination.problems += business.problems(manifest)


def _look(
    platform: Platform,
    package: OpenPackage,
    shown: Sequence[tuple[str, Path]],
    declared: dict[str, ManifestObject],
    examination: Examination,
    business: Business,
) -> None:
    infected = antivirus.infected(platform, _VIRUS, shown)
    examination.problems += infected
    safe = [(uri, path) for uri, path in shown if uri not in {one.path for one in infected}]
    if not safe:
        return
    folder = safe[0][1].parent
    for path in (path for _, path in shown if path not in {one for _, one in safe}):
        path.unlink()
    found = formats.identify(folder, [path.name for _, path in safe], platform.settings.formats_dir)
    claims = {name: one.pdfa for name, one in found.items() if one.pdfa and not one.encrypted}
    checker = platform.settings.pdfa_checker
    checked = pdfa.check(checker, folder, claims) if checker else {}
    trust = trust_store(platform.settings.trust_dir)
    for uri, path in safe:
        item = declared[uri]
        examination.found[uri] = found[path.name]
        examination.problems += check_format(item, found[path.name], examination.agreement)
        examination.problems += check_pdfa(item, found[path.name], checked.get(path.name), examination.agreement)
        if path.name in checked:
            examination.checked[uri] = checked[path.name]
        business.look(uri, item.filename or uri, path)
        if (one := _verified(package, uri, path, trust)) is not None:
            examination.verified.append(one)


def _verified(package: OpenPackage, uri: str, path: Path, trust: Any) -> Verified | None:
    data = signatures.data_of(uri, path, package.sizes)
    if data is None:
        return signatures.verified(uri, path, None, trust)
    target = path.with_suffix(".data")
    package.extract(data, target)
    try:
        return signatures.verified(uri, path, (data, target), trust)
    finally:
        target.unlink()


def _taken_out(package: OpenPackage, uri: str, target: Path) -> Path | None:
    try:
        package.extract(uri, target)
    except UnreadableInput:  # told by the inspection
        target.unlink(missing_ok=True)
        return None
    return target


def _batches(package: OpenPackage, uris: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for uri in uris:
        if batch and (len(batch) == _AT_ONCE or size + package.sizes[uri] > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(uri)
        size += package.sizes[uri]
    if batch:
        yield batch
