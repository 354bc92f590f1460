"""Writing a SEDA 2.1, 2.2 or 2.3 ``ArchiveTransfer``, streamed to a file, strictly as the schema has it.

What lives here: the order of elements (every type is an ``xsd:sequence``), and the refusal of what the schema or the
receivers would refuse: identifiers repeated or dangling (libxml2 does not see them), texts empty or endless. What does not:
which rules, titles and files a given kind of record needs.

The same model gives the same bytes, but for the namespace, in the three versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from core.clock import iso
from core.errors import UsageError
from core.messages import Catalogue
from schemas.seda.model import (
    Agency,
    ArchiveUnit,
    DataObject,
    DataObjectGroup,
    Event,
    Keyword,
    Management,
    Rule,
    Transfer,
    Version,
)

TEXT_LIMIT = 32_000
"""Longest field, in characters, that receivers take (Vitam, « Structuration des SIP », v16)."""

_messages = Catalogue("schemas.seda")
_NCNAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_URI = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9][A-Za-z0-9._@-]*)*")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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


class UnwritableTransfer(UsageError):
    """The transfer cannot be written as a manifest that a receiver would take."""


def write_transfer(transfer: Transfer, target: Path, version: Version = Version.V2_2) -> None:
    """Write the manifest of a transfer.

    Raises:
        UnwritableTransfer: an identifier repeated, dangling or not an XML name, a digest of the wrong length, a path that is
            not plain, a text empty, too long or not representable in XML 1.0; nothing usable is left at the target.
    """
    _check(transfer)
    with target.open("wb") as stream, etree.xmlfile(stream, encoding="UTF-8") as xml:
        xml.write_declaration()
        _Manifest(xml, version.namespace).transfer(transfer)


def _check(transfer: Transfer) -> None:
    """Refuse what the schema cannot express and libxml2 does not verify: identifiers, references, paths, digests."""
    objects = [item for group in transfer.groups for item in group.objects]
    units = list(_walk(transfer.units))
    identifiers = [group.identifier for group in transfer.groups]
    identifiers += [item.identifier for item in objects]
    identifiers += [unit.identifier for unit in units]
    seen: set[str] = set()
    for identifier in identifiers:
        if not _NCNAME.fullmatch(identifier):
            raise UnwritableTransfer(_messages("write.identifier", found=identifier[:80]))
        if identifier in seen:
            raise UnwritableTransfer(_messages("write.repeated", found=identifier))
        seen.add(identifier)
    groups = {group.identifier for group in transfer.groups}
    for unit in units:
        for reference in unit.groups:
            if reference not in groups:
                raise UnwritableTransfer(_messages("write.dangling", unit=unit.identifier, found=reference))
    for group in transfer.groups:
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


def _walk(units: tuple[ArchiveUnit, ...]) -> Iterator[ArchiveUnit]:
    for unit in units:
        yield unit
        yield from _walk(unit.units)


class _Manifest:
    """An XML file being written, element after element, indented for the archivist who will open it."""

    def __init__(self, xml: Any, namespace: str) -> None:
        self._xml = xml
        self._namespace = namespace
        self._depth = 0

    @contextmanager
    def _inside(self, name: str, identifier: str | None = None) -> Iterator[None]:
        attributes = {} if identifier is None else {"id": identifier}
        declared = None if self._depth else {None: self._namespace}
        if self._depth:
            self._break_line()
        with self._xml.element(f"{{{self._namespace}}}{name}", attributes, nsmap=declared):
            self._depth += 1
            yield
            self._depth -= 1
            self._break_line()

    def _break_line(self) -> None:
        self._xml.write("\n" + "  " * self._depth)

    def _text(self, name: str, value: str | None, **attributes: str) -> None:
        """Write an element holding text, or nothing when there is no value."""
        if value is None:
            return
        if not value.strip():
            raise UnwritableTransfer(_messages("write.empty", name=name))
        if len(value) > TEXT_LIMIT:
            raise UnwritableTransfer(_messages("write.long", name=name, limit=TEXT_LIMIT))
        if _ILLEGAL.search(value):
            raise UnwritableTransfer(_messages("write.character", name=name))
        self._break_line()
        with self._xml.element(f"{{{self._namespace}}}{name}", attributes):
            self._xml.write(value)

    def _date(self, name: str, value: date | datetime | None) -> None:
        if value is not None:
            self._text(name, iso(value) if isinstance(value, datetime) else value.isoformat())

    def transfer(self, transfer: Transfer) -> None:
        with self._inside("ArchiveTransfer"):
            for comment in transfer.comments:
                self._text("Comment", comment)
            self._date("Date", transfer.at)
            self._text("MessageIdentifier", transfer.identifier)
            self._text("ArchivalAgreement", transfer.agreement)
            with self._inside("CodeListVersions"):
                for name in _CODE_LISTS:
                    version = transfer.rules_version if name in _RULE_LISTS else "1"
                    self._text(f"{name}CodeListVersion", f"{name}CodeListVersion{version}")
            with self._inside("DataObjectPackage"):
                self._package(transfer)
            self._agency("ArchivalAgency", transfer.archival_agency)
            self._agency("TransferringAgency", transfer.transferring_agency)

    def _package(self, transfer: Transfer) -> None:
        for group in transfer.groups:
            self._group(group)
        with self._inside("DescriptiveMetadata"):
            for unit in transfer.units:
                self._unit(unit)
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

    def _rules(self, rules: tuple[Rule, ...]) -> None:
        for rule in rules:
            self._text("Rule", rule.identifier)
            self._date("StartDate", rule.start)

    def _agency(self, name: str, agency: Agency) -> None:
        attributes = {} if agency.scheme is None else {"schemeName": agency.scheme}
        with self._inside(name):
            self._text("Identifier", agency.identifier, **attributes)
