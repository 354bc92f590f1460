"""Writing a SEDA 1.0 ``ArchiveTransfer``, for archive services that take nothing later (as@lae before its version 2).

What lives here: the same nouns as for 2.x, in the order and with the codes of 1.0. What does not: SEDA 0.2, not written at all.

In 1.0 there are no groups and no inherited rules: units become nested archive objects, each file a document of the unit that
names it, and the rules stand on the archive with their duration. Names of files are those of the package, plain ASCII; the
digest is written in hexadecimal, as services of that age expect it.
"""

from __future__ import annotations

from dataclasses import astuple
from datetime import date, datetime
from pathlib import Path

from core.clock import in_paris
from core.messages import Catalogue
from schemas.seda.model import (
    AccessRule,
    Agency,
    AppraisalRule,
    ArchiveUnit,
    DataObject,
    DigestAlgorithm,
    FinalAction,
    Keyword,
    Rule,
    Transfer,
)
from schemas.seda.writer import check, managements, walk
from schemas.seda.writing import Document, UnwritableTransfer, written

NAMESPACE_1_0 = "fr:gouv:culture:archivesdefrance:seda:v1.0"

_messages = Catalogue("schemas.seda")
_ALGORITHMS = {
    DigestAlgorithm.SHA_256: "http://www.w3.org/2001/04/xmlenc#sha256",
    DigestAlgorithm.SHA_512: "http://www.w3.org/2001/04/xmlenc#sha512",
}
_FINAL_ACTIONS = {FinalAction.KEEP: "conserver", FinalAction.DESTROY: "detruire"}
_ACCESS_CODES = frozenset(f"AR{number:03}" for number in range(38, 63))
_CONTENT = "CDO"  # contenu de données objet: the information itself
_BYTE = "AD"  # UN/ECE recommendation 20
_MEDIA_TYPES = frozenset(
    {
        *("application/json", "application/pdf", "application/xml", "application/zip", "application/timestamp-reply"),
        *("image/jpeg", "image/png", "message/rfc822", "text/html", "text/plain", "text/xml"),
    }
)
"""Those of our files that the list of 1.0 (2011) has; the others are left out."""
_FORMATS = frozenset({"fmt/101", "fmt/17", "fmt/18", "fmt/95"})
"""The same, for formats."""


def write_transfer_1_0(transfer: Transfer, target: Path) -> None:
    """Write the manifest of a transfer.

    Args:
        transfer: of one record or more, each a unit at the top.
        target: the manifest.

    Raises:
        UnwritableTransfer: as `schemas.seda.writer.write_transfer`; no unit, a hold, no access rule of the list AR038 to
            AR062 with its start, an appraisal rule without start or duration, a file that no unit names or that two do.
    """
    check(transfer.units, transfer.groups)
    _check(transfer)
    with written(target, NAMESPACE_1_0) as document:
        _Manifest(document, transfer).write()


def _check(transfer: Transfer) -> None:
    if not transfer.units:
        raise UnwritableTransfer(_messages("write_1_0.no_unit"))
    if any(management.hold is not None for management in managements(transfer)):
        raise UnwritableTransfer(_messages("write.hold"))
    named = [group for unit in walk(transfer.units) for group in unit.groups]
    for group in transfer.groups:
        if named.count(group.identifier) != 1:
            raise UnwritableTransfer(_messages("write_1_0.not_once", found=group.identifier))


class _Manifest:
    """The transfer, as it is written to a document."""

    def __init__(self, document: Document, transfer: Transfer) -> None:
        self._out = document
        self._transfer = transfer
        self._groups = {group.identifier: group.objects for group in transfer.groups}

    def write(self) -> None:
        """Write all of it."""
        transfer, out = self._transfer, self._out
        with out.inside("ArchiveTransfer"):
            for comment in transfer.comments:
                out.text("Comment", comment)
            out.date("Date", transfer.at)
            out.text("TransferIdentifier", transfer.identifier)
            self._organisation("ArchivalAgency", transfer.archival_agency)
            self._organisation("TransferringAgency", transfer.transferring_agency)
            for unit in transfer.units:
                with out.inside("Archive"):
                    self._archive(unit)

    def _archive(self, unit: ArchiveUnit) -> None:
        out, own, transfer = self._out, unit.management, self._transfer
        out.text("ArchivalAgreement", transfer.agreement)
        out.text("ArchivalProfile", transfer.profile)
        out.text("DescriptionLanguage", "fra")
        out.text("Name", unit.title)
        out.text("OriginatingAgencyArchiveIdentifier", unit.originating_identifier)
        out.text("TransferringAgencyArchiveIdentifier", unit.transferring_identifier)
        self._description(unit, unit.originating_agency or transfer.originating_agency)
        access = (own.access if own else None) or transfer.management.access
        if access is None:
            raise UnwritableTransfer(_messages("write_1_0.access"))
        self._access(access)
        appraisal = (own.appraisal if own else None) or transfer.management.appraisal
        if appraisal is not None:
            self._appraisal(appraisal)
        self._below(unit)

    def _object(self, unit: ArchiveUnit) -> None:
        out, own = self._out, unit.management
        out.text("Name", unit.title)
        out.text("OriginatingAgencyObjectIdentifier", unit.originating_identifier)
        out.text("TransferringAgencyObjectIdentifier", unit.transferring_identifier)
        self._description(unit, unit.originating_agency)
        if own is not None and own.access is not None:
            self._access(own.access)
        if own is not None and own.appraisal is not None:
            self._appraisal(own.appraisal)
        self._below(unit)

    def _below(self, unit: ArchiveUnit) -> None:
        for child in unit.units:
            with self._out.inside("ArchiveObject"):
                self._object(child)
        for group in unit.groups:
            for item in self._groups[group]:
                with self._out.inside("Document"):
                    self._document(item)

    def _description(self, unit: ArchiveUnit, producer: Agency | None) -> None:
        out, days = self._out, [_day(value) for value in astuple(unit.dates) if value is not None]
        with out.inside("ContentDescription"):
            out.text("Description", unit.description)
            out.text("DescriptionLevel", unit.level.value.lower())
            out.text("Language", unit.language or "fra")
            out.date("LatestDate", max(days, default=None))
            out.date("OldestDate", min(days, default=None))
            for keyword in unit.keywords:
                self._keyword(keyword)
            if producer is not None:
                self._organisation("OriginatingAgency", producer)

    def _keyword(self, keyword: Keyword) -> None:
        with self._out.inside("Keyword"):
            self._out.text("KeywordContent", keyword.content)
            self._out.text("KeywordReference", keyword.reference)
            self._out.text("KeywordType", keyword.type.value)

    def _access(self, access: AccessRule) -> None:
        rule = max(access.rules, key=lambda one: one.start or date.min, default=None)
        if rule is None or rule.identifier not in _ACCESS_CODES or rule.start is None:
            raise UnwritableTransfer(_messages("write_1_0.access"))
        with self._out.inside("AccessRestrictionRule"):
            self._out.text("Code", rule.identifier)
            self._out.date("StartDate", rule.start)

    def _appraisal(self, appraisal: AppraisalRule) -> None:
        rule, years, start = self._longest(appraisal.rules)
        if rule is None:
            raise UnwritableTransfer(_messages("write_1_0.appraisal"))
        with self._out.inside("AppraisalRule"):
            self._out.text("Code", _FINAL_ACTIONS[appraisal.final_action])
            self._out.text("Duration", f"P{years}Y")
            self._out.date("StartDate", start)

    @staticmethod
    def _longest(rules: tuple[Rule, ...]) -> tuple[Rule | None, int, date]:
        """Return the rule that ends last: 1.0 has room for one."""
        known = [(rule, rule.years, rule.start) for rule in rules if rule.years is not None and rule.start is not None]
        if len(known) != len(rules) or not known:
            return None, 0, date.min
        return max(known, key=lambda one: (one[2].year + one[1], one[2]))

    def _document(self, item: DataObject) -> None:
        media_type = {"mimeCode": item.media_type} if item.media_type and item.media_type in _MEDIA_TYPES else {}
        puid = {"format": item.puid} if item.puid and item.puid in _FORMATS else {}
        self._out.empty("Attachment", filename=item.uri, **media_type, **puid)
        self._out.text("Description", item.filename)
        self._out.text("Integrity", item.digest, algorithme=_ALGORITHMS[item.algorithm])
        self._out.text("Size", str(item.size), unitCode=_BYTE)
        self._out.text("Type", _CONTENT)

    def _organisation(self, name: str, agency: Agency) -> None:
        attributes = {} if agency.scheme is None else {"schemeName": agency.scheme}
        with self._out.inside(name):
            self._out.text("Identification", agency.identifier, **attributes)


def _day(value: date | datetime) -> date:
    return in_paris(value).date() if isinstance(value, datetime) else value
