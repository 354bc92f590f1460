"""What leaves for an archive service: the package as it was sealed, its manifest addressed to whom it goes to.

The description, the rules, the files and their digests stay as they were sealed. What changes is the envelope: the identifier
of the transfer, by which the service is asked about it, its moment, the agencies and the agreement, which have other names
over there. The same record, identifier and moment give the same bytes, however often they are made.

A package that came from outside keeps its version of SEDA; ours, which say the same in 2.1, 2.2 and 2.3, take the one asked for.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from archive.correction.history import as_sealed
from archive.ingest.inspection import OpenPackage, open_package
from archive.models import Record
from archive.package import MANIFEST
from archive.places.places import fetch
from archive.retention.referential import rule_named
from archive.retention.rules import Category
from archive.stored_zip import is_plain_name, stored_zip
from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.sae import legacy
from flows.sae.knowledge import Unsendable
from flows.sae.settings import OutsideArchive, Seda, System
from schemas.seda.elements import child
from schemas.seda.model import Version
from schemas.seda.reader import read_manifest

_messages = Catalogue("flows.sae")
_FROM_OUTSIDE = "transfer"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A transfer as it leaves.

    Attributes:
        manifest: addressed to the service.
        content: the files as a TAR compressed by gzip for as@lae, manifest and files as a ZIP for Vitam.
    """

    manifest: Path
    content: Path


def build(platform: Platform, record: Record, settings: OutsideArchive, identifier: str, at: datetime, folder: Path) -> Outgoing:
    """Make what leaves for a record.

    Args:
        platform: whose places the sealed package is fetched from.
        record: still kept.
        settings: of the service.
        identifier: of the transfer.
        at: its moment.
        folder: a private folder.

    Raises:
        Unsendable: the package cannot be handed over to this service: another version of SEDA, names that are not plain.
        ObjectMissing, ObjectAltered, Unavailable, Misconfigured: the package cannot be fetched.
    """
    sealed, manifest = folder / "sealed.zip", folder / "bordereau.xml"
    fetch(platform, record, sealed)
    try:
        with open_package(sealed) as opened:
            original = folder / "original.xml"
            opened.extract(opened.manifest_name(), original)
            if settings.seda is Seda.V1_0:
                years = _years(platform, record)
                legacy.write(original, manifest, settings, identifier, at, years)
            else:
                _address(original, manifest, settings, identifier, at, keeps_version=record.kind == _FROM_OUTSIDE)
            if settings.system is System.ASALAE:
                content = folder / "archive.tar.gz"
                _tar(opened, content, folder)
            else:
                content = folder / "sip.zip"
                _zip(opened, manifest, content, at, folder)
    except (UnreadableInput, UsageError) as error:
        raise Unsendable(_messages("package.unsendable", reason=str(error))) from error
    return Outgoing(manifest, content)


def _years(platform: Platform, record: Record) -> int:
    """Return how long the rule of a record lasts: SEDA 1.0 says it in the manifest, where 2.x says the identifier.

    The manifest is that of the sealing, whatever was corrected since.
    """
    with platform.database.reading(PLATFORM) as session:
        identifier, _, version = as_sealed(session, record).rule.partition(" v")
        return rule_named(session, record.organisation_id, identifier, Category.APPRAISAL, version).years


def _address(
    original: Path, target: Path, settings: OutsideArchive, identifier: str, at: datetime, *, keeps_version: bool
) -> None:
    manifest = read_manifest(original)
    if manifest.version not in {one.value for one in Seda} - {Seda.V1_0}:
        raise Unsendable(_messages("package.version", found=manifest.version))
    root = manifest.tree.getroot()
    _set(root, identifier, "MessageIdentifier")
    _set(root, clock.iso(at), "Date")
    _agree(root, settings.agreement)
    _set(root, settings.archival_agency, "ArchivalAgency", "Identifier")
    _set(root, settings.transferring_agency, "TransferringAgency", "Identifier")
    _set(root, settings.transferring_agency, "DataObjectPackage", "ManagementMetadata", "SubmissionAgencyIdentifier")
    octets = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    if not keeps_version:
        ours, theirs = Version(manifest.version).namespace, Version(settings.seda.value).namespace
        octets = octets.replace(ours.encode(), theirs.encode(), 1)  # the first is declared at the root
    target.write_bytes(octets)


def _set(root: etree._Element, value: str, *path: str) -> None:
    """Give the element at the end of a path its text; one that the manifest does not have is not made."""
    found: etree._Element | None = root
    for name in path:
        found = None if found is None else child(found, name)
    if found is not None:
        found.text = value
        found.attrib.pop("schemeName", None)  # of our own identifiers


def _agree(root: etree._Element, agreement: str | None) -> None:
    """Name the agreement that the service knows, in place of any that was named before."""
    found = child(root, "ArchivalAgreement")
    if found is None and agreement is not None:
        lists = child(root, "CodeListVersions")
        if lists is None:
            raise Unsendable(_messages("package.version", found="CodeListVersions"))
        found = etree.Element(f"{{{etree.QName(root).namespace}}}ArchivalAgreement")
        lists.addprevious(found)
        found.tail = "\n  "
    if found is not None and agreement is None:
        root.remove(found)
    elif found is not None:
        found.text = agreement


def _tar(opened: OpenPackage, target: Path, folder: Path) -> None:
    manifest = opened.manifest_name()
    with (
        target.open("wb") as stream,
        gzip.GzipFile("", "wb", mtime=0, fileobj=stream) as packed,
        tarfile.open(fileobj=packed, mode="w|", bufsize=_BLOCK) as tarred,
    ):
        for name, path in _files(opened, folder):
            if name != manifest:
                entry = tarfile.TarInfo(name)
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    tarred.addfile(entry, content)


def _zip(opened: OpenPackage, manifest: Path, target: Path, at: datetime, folder: Path) -> None:
    original = opened.manifest_name()
    with stored_zip(target, at) as zipped:
        zipped.add(MANIFEST, manifest)
        for name, path in _files(opened, folder):
            if name != original:
                zipped.add(name, path)


def _files(opened: OpenPackage, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file of a package by its name, one at a time on the disk, the names in order."""
    for name in sorted(opened.sizes):
        if not is_plain_name(name):
            raise Unsendable(_messages("package.name", found=name[:200]))
        with _brought(opened, name, folder / "entry") as path:
            yield name, path


@contextmanager
def _brought(opened: OpenPackage, name: str, path: Path) -> Iterator[Path]:
    opened.extract(name, path)
    try:
        yield path
    finally:
        path.unlink()
