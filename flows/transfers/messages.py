"""What the sender of a transfer is sent back, in the SEDA of the transfer itself: that it came, and what became of it.

A message is written once: its date and identifier follow from the dossier, so that a second try gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core import clock
from flows.engine.work import KeptFile, Work
from flows.transfers.names import ACKNOWLEDGEMENT, PACKAGE, REPLY
from schemas.seda.codes import ACCEPTED, code_of
from schemas.seda.model import Agency, Version
from schemas.seda.reader import Manifest
from schemas.seda.replies import Acknowledgement, OperationResult, TransferReply, write_acknowledgement, write_reply

_XML, _PDFA = "application/xml", "PDF/A"
_RESULTS = 500
_LONGEST, _LONGEST_NAME = 1000, 255


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a transfer.

    Attributes:
        at: when it was decided.
        code: the reply code.
        record_id: of the sealed record, when it was accepted: what the archive calls it (*cote*).
        problems: what the checks found, as they are kept.
        claims: what files say of themselves and what is known of that, by their paths in the package.
    """

    at: datetime
    code: str
    comment: str = ""
    record_id: str | None = None
    problems: Sequence[dict[str, Any]] = ()
    claims: Mapping[str, str] = field(default_factory=dict)


def can_answer(manifest: Manifest) -> bool:
    """Tell whether a manifest names all that an answer must name, as a message can hold it, in a version that answers have."""
    named = manifest.identifier, manifest.archival_agency, manifest.transferring_agency
    return manifest.version in list(Version) and all(one and len(one) <= _LONGEST_NAME for one in named)


def acknowledgement(work: Work, manifest: Manifest) -> KeptFile:
    """Write that the transfer came, and keep it."""
    target = work.folder / "acknowledgement.xml"
    reply = Acknowledgement(
        identifier=f"AR-{work.dossier_id}",
        at=work.file(PACKAGE).created or clock.now(),
        received_identifier=manifest.identifier or "",
        sender=Agency(manifest.archival_agency or ""),
        receiver=Agency(manifest.transferring_agency or ""),
    )
    write_acknowledgement(target, reply, Version(manifest.version))
    return work.keep(ACKNOWLEDGEMENT, target, f"accuse-reception-{work.dossier_id}.xml", _XML)


def reply(work: Work, manifest: Manifest, decision: Decision) -> KeptFile:
    """Write what became of the transfer, and keep it."""
    target = work.folder / "reply.xml"
    told = [_result(decision.at, one) for one in decision.problems]
    told += [OperationResult(decision.at, _PDFA, ACCEPTED, said, _shown(uri)) for uri, said in decision.claims.items()]
    top = [unit.identifier for unit in manifest.units if unit.parent is None and unit.identifier]
    answer = TransferReply(
        identifier=f"ATR-{work.dossier_id}",
        at=decision.at,
        transfer_identifier=manifest.identifier or "",
        code=decision.code,
        archival_agency=Agency(manifest.archival_agency or ""),
        transferring_agency=Agency(manifest.transferring_agency or ""),
        agreement=manifest.agreement if len(manifest.agreement or "") <= _LONGEST_NAME else None,
        granted=decision.at if decision.record_id else None,
        comments=(decision.comment,) if decision.comment else (),
        results=tuple(told[:_RESULTS]),
        units=tuple((unit, decision.record_id) for unit in top) if decision.record_id else (),
    )
    write_reply(target, answer, Version(manifest.version))
    return work.keep(REPLY, target, f"reponse-versement-{work.dossier_id}.xml", _XML)


def _result(at: datetime, told: dict[str, Any]) -> OperationResult:
    code = code_of(told["rule"]) if told["severity"] == "error" else ACCEPTED
    said = " ".join(part for part in (told["message"], told["found"] and f"({told['found']})") if part)
    return OperationResult(at, told["rule"], code, _shown(said), _shown(told["path"]) if told["path"] else None)


def _shown(text: str) -> str:
    """Return a text that XML can hold: what is quoted may come from the name of a file."""
    return "".join(sign if sign.isprintable() or sign == " " else "�" for sign in text)[:_LONGEST]
