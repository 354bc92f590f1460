"""The manifest of a sealed record, said again in SEDA 1.0 for archive services that take nothing later.

What lives here: reading what our own manifests say, as far as 1.0 has a place for it: units, keywords, dates, the two rules,
files. What does not: how it is written (`schemas.seda.writer_1_0`), which refuses what 1.0 cannot say.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from pathlib import Path

from lxml import etree

from core import clock
from core.messages import Catalogue
from flows.sae.knowledge import Unsendable
from flows.sae.settings import OutsideArchive
from schemas.seda.elements import child, name_of, text_of
from schemas.seda.model import (
    AccessRule,
    Agency,
    AppraisalRule,
    ArchiveUnit,
    DataObject,
    DataObjectGroup,
    Dates,
    FinalAction,
    Keyword,
    KeywordType,
    Level,
    Management,
    Rule,
    Transfer,
)
from schemas.seda.nouns import ManifestObject
from schemas.seda.reader import read_manifest
from schemas.seda.writer_1_0 import write_transfer_1_0

_messages = Catalogue("flows.sae")


def write(original: Path, target: Path, settings: OutsideArchive, identifier: str, at: datetime, years: int) -> None:
    """Write the manifest of a package in SEDA 1.0, addressed to a service.

    Args:
        original: a manifest that we wrote.
        target: the manifest in 1.0.
        settings: of the service.
        identifier: of the transfer.
        at: its moment.
        years: how long the appraisal rule of the record lasts.

    Raises:
        Unsendable: a manifest that says what is not ours to say again.
        UnwritableTransfer: one that 1.0 has no words for.
        UnreadableInput: it cannot be read.
    """
    manifest = read_manifest(original)
    root = manifest.tree.getroot()
    package = child(root, "DataObjectPackage")
    if package is None:
        raise Unsendable(_messages("package.legacy", found="DataObjectPackage"))
    objects = {item.identifier: item for item in manifest.objects}
    described = child(package, "DescriptiveMetadata")
    try:
        groups = tuple(_group(one, objects) for one in _children(package, "DataObjectGroup"))
        transfer = Transfer(
            identifier=identifier,
            at=at,
            archival_agency=Agency(settings.archival_agency),
            transferring_agency=Agency(settings.transferring_agency),
            originating_agency=Agency(manifest.originating_agency or ""),
            units=tuple(_unit(one, years) for one in _children(described, "ArchiveUnit")),
            groups=groups,
            management=_management(child(package, "ManagementMetadata"), years) or Management(),
            agreement=settings.agreement,
            comments=tuple(one.text or "" for one in _children(root, "Comment")),
        )
    except (ValueError, KeyError) as error:
        raise Unsendable(_messages("package.legacy", found=str(error)[:100])) from error
    write_transfer_1_0(transfer, target)


def _children(element: etree._Element | None, name: str) -> list[etree._Element]:
    return [] if element is None else [one for one in element if isinstance(one.tag, str) and name_of(one) == name]


def _group(element: etree._Element, objects: dict[str, ManifestObject]) -> DataObjectGroup:
    inside = [objects[item.get("id", "")] for item in _children(element, "BinaryDataObject")]
    return DataObjectGroup(element.get("id", ""), tuple(_object(item) for item in inside))


def _object(item: ManifestObject) -> DataObject:
    return DataObject(
        identifier=item.identifier,
        uri=item.uri or "",
        digest=item.digest or "",
        size=int(item.size or 0),
        filename=item.filename or "",
        media_type=item.media_type,
        puid=item.puid,
    )


def _unit(element: etree._Element, years: int) -> ArchiveUnit:
    content = child(element, "Content")
    if content is None:
        raise ValueError("Content")
    references = [text_of(one, "DataObjectGroupReferenceId") or "" for one in _children(element, "DataObjectReference")]
    agency = text_of(content, "OriginatingAgency", "Identifier")
    return ArchiveUnit(
        identifier=element.get("id", ""),
        level=Level(text_of(content, "DescriptionLevel") or ""),
        title=text_of(content, "Title") or "",
        description=text_of(content, "Description"),
        originating_identifier=text_of(content, "OriginatingAgencyArchiveUnitIdentifier"),
        transferring_identifier=text_of(content, "TransferringAgencyArchiveUnitIdentifier"),
        language=text_of(content, "Language"),
        keywords=tuple(_keyword(one) for one in _children(content, "Keyword")),
        originating_agency=Agency(agency) if agency else None,
        dates=Dates(**{one.name: _moment(text_of(content, f"{one.name.capitalize()}Date")) for one in fields(Dates)}),
        management=_management(child(element, "Management"), years),
        units=tuple(_unit(one, years) for one in _children(element, "ArchiveUnit")),
        groups=tuple(references),
    )


def _keyword(element: etree._Element) -> Keyword:
    kind = KeywordType(text_of(element, "KeywordType") or "")
    return Keyword(text_of(element, "KeywordContent") or "", kind, text_of(element, "KeywordReference"))


def _management(element: etree._Element | None, years: int) -> Management | None:
    if element is None:
        return None
    appraisal, access = child(element, "AppraisalRule"), child(element, "AccessRule")
    action = None if appraisal is None else text_of(appraisal, "FinalAction")
    return Management(
        appraisal=None if appraisal is None else AppraisalRule(_rules(appraisal, years), FinalAction(action or "")),
        access=None if access is None else AccessRule(_rules(access, None)),
    )


def _rules(category: etree._Element, years: int | None) -> tuple[Rule, ...]:
    found = []
    for rule in _children(category, "Rule"):
        start = rule.getnext()
        told = start.text if start is not None and isinstance(start.tag, str) and name_of(start) == "StartDate" else None
        found.append(Rule((rule.text or "").strip(), date.fromisoformat(told.strip()[:10]) if told else None, years))
    return tuple(found)


def _moment(text: str | None) -> date | datetime | None:
    if text is None:
        return None
    return clock.from_iso(text) if "T" in text else date.fromisoformat(text)
