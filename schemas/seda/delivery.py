"""Writing a SEDA 2.1, 2.2 or 2.3 ``ArchiveDeliveryRequestReply``: what announces the files that the archives hand out.

What does not live here: which files they are, and who may have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.seda.model import Agency, ArchiveUnit, DataObjectGroup, Version
from schemas.seda.writer import check, write_code_lists, write_described
from schemas.seda.writing import written


@dataclass(frozen=True, slots=True)
class DeliveryReply:
    """That archives are handed out, with their description.

    Attributes:
        request: identifier of what asks for them.
        code: a reply code: ``000`` when they are handed out.
        delivered: what the archives call the units that were asked for, at least one.
        units: what is handed out, as it is described.
        groups: the files, with their paths beside the message.
        originating_agency: who made the archives.
    """

    identifier: str
    at: datetime
    request: str
    code: str
    delivered: tuple[str, ...]
    units: tuple[ArchiveUnit, ...]
    groups: tuple[DataObjectGroup, ...]
    archival_agency: Agency
    requester: Agency
    originating_agency: Agency | None = None
    comments: tuple[str, ...] = ()


def write_delivery(target: Path, reply: DeliveryReply, version: Version) -> None:
    """Write an ``ArchiveDeliveryRequestReply``.

    Raises:
        UnwritableTransfer: an identifier repeated, dangling or not an XML name, a digest of the wrong length, a path that is
            not plain, a text empty, too long or not representable in XML 1.0.
    """
    check(reply.units, reply.groups)
    with written(target, version.namespace) as document, document.inside("ArchiveDeliveryRequestReply"):
        for comment in reply.comments:
            document.text("Comment", comment)
        document.date("Date", reply.at)
        document.text("MessageIdentifier", reply.identifier)
        write_code_lists(document)
        with document.inside("DataObjectPackage"):
            write_described(document, reply.units, reply.groups)
            with document.inside("ManagementMetadata"):
                document.text("LegalStatus", "Public Archive")
                if reply.originating_agency is not None:
                    document.text("OriginatingAgencyIdentifier", reply.originating_agency.identifier)
        document.text("ReplyCode", reply.code)
        document.text("MessageRequestIdentifier", reply.request)
        for unit in reply.delivered:
            document.text("UnitIdentifier", unit)
        document.agency("ArchivalAgency", reply.archival_agency)
        document.agency("Requester", reply.requester)
