"""Writing a SEDA 2.1, 2.2 or 2.3 ``ArchiveTransfer``, streamed to a file, strictly as the schema has it.

What lives here: the order of elements (every type is an ``xsd:sequence``), and the refusal of what the schema or the
receivers would refuse: identifiers repeated or dangling (libxml2 does not see them), texts empty or endless. What does not:
which rules, titles and files a given kind of record needs.

The same model gives the same bytes, but for the namespace, in the three versions. A hold is refused in 2.1, which has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from core.messages import Catalogue
from schemas.seda.model import (
    ArchiveUnit,
    DataObject,
    DataObjectGroup,
    Event,
    HoldRule,
    Keyword,
    Management,
    Rule,
    Transfer,
    Version,
)
from schemas.seda.writing import Document, UnwritableTransfer, written

_messages = Catalogue("schemas.seda")
_NCNAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_URI = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9][A-Za-z0-9._@-]*)*")
_CODE_LISTS = (
    "Reply",
    "MessageDigestAlgorithm",
    "MimeType",
    "Encoding",
    "FileFormat",
    "CompressionAlgorithm",
    "DataObjectVersion",
    "StorageRule",
    "AppraisalRule",
    "AccessRule",
    "DisseminationRule",
    "ReuseRule",
    "ClassificationRule",
)
_RULE_LISTS = frozenset({"StorageRule", "AppraisalRule", "AccessRule"})


def write_transfer(transfer: Transfer, target: Path, version: Version = Version.V2_2) -> None:
    """Write the manifest of a transfer.

    Raises:
        UnwritableTransfer: an identifier repeated, dangling or not an XML name, a digest of the wrong length, a path that is
            not plain, a text empty, too long or not representable in XML 1.0, a hold in 2.1; nothing usable is left at the
            target.
    """
    check(transfer.units, transfer.groups)
    if version is Version.V2_1 and any(management.hold is not None for management in managements(transfer)):
        raise UnwritableTransfer(_messages("write.hold"))
    with written(target, version.namespace) as document:
        _Manifest(document).transfer(transfer)


def check(trees: tuple[ArchiveUnit, ...], described: tuple[DataObjectGroup, ...]) -> None:
    """Refuse what the schema cannot express and libxml2 does not verify: identifiers, references, paths, digests.

    Raises:
        UnwritableTransfer: one of them is wrong.
    """
    objects = [item for group in described for item in group.objects]
    units = list(walk(trees))
    identifiers = [group.identifier for group in described]
    identifiers += [item.identifier for item in objects]
    identifiers += [unit.identifier for unit in units]
    seen: set[str] = set()
    for identifier in identifiers:
        if not _NCNAME.fullmatch(identifier):
            raise UnwritableTransfer(_messages("write.identifier", found=identifier[:80]))
        if identifier in seen:
            raise UnwritableTransfer(_messages("write.repeated", found=identifier))
        seen.add(identifier)
    groups = {group.identifier for group in described}
    for unit in units:
        for reference in unit.groups:
            if reference not in groups:
                raise UnwritableTransfer(_messages("write.dangling", unit=unit.identifier, found=reference))
    for group in described:
        if not group.objects:
            raise UnwritableTransfer(_messages("write.empty_group", found=group.identifier))
    _check_objects(objects)


def _check_objects(objects: list[DataObject]) -> None:
    paths: set[str] = set()
    for item in objects:
        if not _URI.fullmatch(item.uri) or item.uri.casefold() in paths:
            raise UnwritableTransfer(_messages("write.path", found=item.uri[:200]))
        paths.add(item.uri.casefold())
        if not re.fullmatch(rf"[0-9a-f]{{{item.algorithm.hex_length}}}", item.digest):
            raise UnwritableTransfer(_messages("write.digest", found=item.uri, algorithm=item.algorithm.value))
        if item.size < 0:
            raise UnwritableTransfer(_messages("write.size", found=item.uri))


def walk(units: tuple[ArchiveUnit, ...]) -> Iterator[ArchiveUnit]:
    """Yield every unit of these trees, each before those below it."""
    for unit in units:
        yield unit
        yield from walk(unit.units)


def managements(transfer: Transfer) -> Iterator[Management]:
    """Yield the rules of a transfer, then those that a unit has of its own."""
    yield transfer.management
    yield from (unit.management for unit in walk(transfer.units) if unit.management is not None)


def write_code_lists(document: Document, rules_version: str = "1") -> None:
    """Write which lists the codes of a message come from."""
    with document.inside("CodeListVersions"):
        for name in _CODE_LISTS:
            version = rules_version if name in _RULE_LISTS else "1"
            document.text(f"{name}CodeListVersion", f"{name}CodeListVersion{version}")


def write_described(document: Document, units: tuple[ArchiveUnit, ...], groups: tuple[DataObjectGroup, ...]) -> None:
    """Write objects, in their groups, and the units that describe them: the beginning of a ``DataObjectPackage``."""
    _Manifest(document).described(units, groups)


class _Manifest:
    """The transfer, as it is written to a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._inside = document.inside
        self._text = document.text
        self._date = document.date
        self._agency = document.agency

    def transfer(self, transfer: Transfer) -> None:
        with self._inside("ArchiveTransfer"):
            for comment in transfer.comments:
                self._text("Comment", comment)
            self._date("Date", transfer.at)
            self._text("MessageIdentifier", transfer.identifier)
            self._text("ArchivalAgreement", transfer.agreement)
            write_code_lists(self._document, transfer.rules_version)
            with self._inside("DataObjectPackage"):
                self._package(transfer)
            self._agency("ArchivalAgency", transfer.archival_agency)
            self._agency("TransferringAgency", transfer.transferring_agency)

    def described(self, units: tuple[ArchiveUnit, ...], groups: tuple[DataObjectGroup, ...]) -> None:
        for group in groups:
            self._group(group)
        with self._inside("DescriptiveMetadata"):
            for unit in units:
                self._unit(unit)

    def _package(self, transfer: Transfer) -> None:
        self.described(transfer.units, transfer.groups)
        with self._inside("ManagementMetadata"):
            self._text("ArchivalProfile", transfer.profile)
            self._text("LegalStatus", "Public Archive")
            self._text("OriginatingAgencyIdentifier", transfer.originating_agency.identifier)
            self._text("SubmissionAgencyIdentifier", transfer.transferring_agency.identifier)
            self._management(transfer.management)

    def _group(self, group: DataObjectGroup) -> None:
        with self._inside("DataObjectGroup", group.identifier):
            for item in group.objects:
                with self._inside("BinaryDataObject", item.identifier):
                    self._object(item)

    def _object(self, item: DataObject) -> None:
        self._text("DataObjectVersion", item.usage)
        self._text("Uri", item.uri)
        self._text("MessageDigest", item.digest, algorithm=item.algorithm.value)
        self._text("Size", str(item.size) if item.size else None)
        if item.media_type or item.puid:
            with self._inside("FormatIdentification"):
                self._text("MimeType", item.media_type)
                self._text("FormatId", item.puid)
        with self._inside("FileInfo"):
            self._text("Filename", item.filename)
            self._date("LastModified", item.modified)

    def _unit(self, unit: ArchiveUnit) -> None:
        with self._inside("ArchiveUnit", unit.identifier):
            if unit.management is not None:
                with self._inside("Management"):
                    self._management(unit.management)
            with self._inside("Content"):
                self._content(unit)
            for child in unit.units:
                self._unit(child)
            for group in unit.groups:
                with self._inside("DataObjectReference"):
                    self._text("DataObjectGroupReferenceId", group)

    def _content(self, unit: ArchiveUnit) -> None:
        self._text("DescriptionLevel", unit.level.value)
        self._text("Title", unit.title)
        self._text("ArchivalAgencyArchiveUnitIdentifier", unit.archival_identifier)
        self._text("OriginatingAgencyArchiveUnitIdentifier", unit.originating_identifier)
        self._text("TransferringAgencyArchiveUnitIdentifier", unit.transferring_identifier)
        self._text("Description", unit.description)
        self._text("DocumentType", unit.document_type)
        self._text("Language", unit.language)
        for keyword in unit.keywords:
            self._keyword(keyword)
        if unit.originating_agency is not None:
            self._agency("OriginatingAgency", unit.originating_agency)
        if unit.submission_agency is not None:
            self._agency("SubmissionAgency", unit.submission_agency)
        self._date("CreatedDate", unit.dates.created)
        self._date("TransactedDate", unit.dates.transacted)
        self._date("AcquiredDate", unit.dates.acquired)
        self._date("SentDate", unit.dates.sent)
        self._date("ReceivedDate", unit.dates.received)
        self._date("RegisteredDate", unit.dates.registered)
        self._date("StartDate", unit.dates.start)
        self._date("EndDate", unit.dates.end)
        for event in unit.events:
            self._event(event)

    def _keyword(self, keyword: Keyword) -> None:
        with self._inside("Keyword"):
            self._text("KeywordContent", keyword.content)
            self._text("KeywordReference", keyword.reference)
            self._text("KeywordType", keyword.type.value)

    def _event(self, event: Event) -> None:
        with self._inside("Event"):
            self._text("EventIdentifier", event.identifier)
            self._text("EventType", event.type)
            self._date("EventDateTime", event.at)
            self._text("EventDetail", event.detail)
            self._text("Outcome", event.outcome)
            self._text("OutcomeDetailMessage", event.outcome_message)

    def _management(self, management: Management) -> None:
        if management.storage is not None:
            with self._inside("StorageRule"):
                self._rules(management.storage.rules)
                self._text("FinalAction", management.storage.final_action.value)
        if management.appraisal is not None:
            with self._inside("AppraisalRule"):
                self._rules(management.appraisal.rules)
                self._text("FinalAction", management.appraisal.final_action.value)
        if management.access is not None:
            with self._inside("AccessRule"):
                self._rules(management.access.rules)
        if management.hold is not None:
            with self._inside("HoldRule"):
                self._hold(management.hold)

    def _hold(self, hold: HoldRule) -> None:
        self._rules((hold.rule,))
        self._date("HoldEndDate", hold.end)
        self._text("HoldOwner", hold.owner)
        self._date("HoldReassessingDate", hold.reassess)
        self._text("HoldReason", hold.reason)

    def _rules(self, rules: tuple[Rule, ...]) -> None:
        for rule in rules:
            self._text("Rule", rule.identifier)
            self._date("StartDate", rule.start)
