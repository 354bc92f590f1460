"""What the simulated Vitam answers to an ingest: an ``ArchiveTransferReply`` of SEDA 2.1, not always a valid one.

The original writes the reply of a failure without the versions of its code lists, which the schema asks for: so does this one,
whoever reads replies must not ask the schema.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from connectors.vitam.client import Status
from connectors.vitam.simulated_store import Kept
from core import clock
from schemas.seda.model import Agency, Version
from schemas.seda.writing import Document, written

_TAKEN = {Status.OK.value, Status.WARNING.value}


def reply(kept: Kept) -> bytes:
    """Return the reply to an ingest that is completed."""
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "atr.xml"
        with written(target, Version.V2_1.namespace) as document, document.inside("ArchiveTransferReply"):
            _write(document, kept)
        return target.read_bytes()


def _write(document: Document, kept: Kept) -> None:
    archival, transferring = (Agency(one) for one in kept.agencies)
    document.date("Date", clock.from_iso(kept.received))
    document.text("MessageIdentifier", kept.operation)
    with document.inside("CodeListVersions"):
        document.empty("ReplyCodeListVersion")
    if kept.status in _TAKEN:
        with document.inside("DataObjectPackage"):
            with document.inside("DescriptiveMetadata"):
                for unit in kept.units:
                    with document.inside("ArchiveUnit", unit), document.inside("Content"):
                        document.text("SystemId", _system_id(kept.operation, unit))
            document.empty("ManagementMetadata")
    document.text("ReplyCode", kept.status)
    with document.inside("Operation"), document.inside("Event"):
        document.text("EventTypeCode", "PROCESS_SIP_UNITARY")
        document.text("EventType", "Processus d’entrée du SIP")
        document.date("EventDateTime", clock.from_iso(kept.received))
        document.text("Outcome", kept.status)
        document.text("OutcomeDetail", f"PROCESS_SIP_UNITARY.{kept.status}")
        document.text("OutcomeDetailMessage", kept.outcome or "Succès du processus d’entrée du SIP")
    document.text("MessageRequestIdentifier", kept.identifier or None)
    if kept.status in _TAKEN:
        document.date("GrantDate", clock.from_iso(kept.received))
    document.agency("ArchivalAgency", archival)
    document.agency("TransferringAgency", transferring)


def _system_id(operation: str, unit: str) -> str:
    return f"aeaqaaaaac{hashlib.sha256(f'{operation} {unit}'.encode()).hexdigest()[:26]}"
