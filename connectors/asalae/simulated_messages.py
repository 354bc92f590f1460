"""What the simulated as@lae answers, in the version of SEDA that the transfer came in."""

from __future__ import annotations

import tempfile
from pathlib import Path

from connectors.asalae.simulated_store import Kept
from core import clock
from core.identifiers import new_id
from schemas.seda.codes import is_acceptance
from schemas.seda.model import Agency, Version
from schemas.seda.nouns import Manifest
from schemas.seda.reader import read_manifest
from schemas.seda.replies import Acknowledgement, TransferReply, write_acknowledgement, write_reply
from schemas.seda.writer_1_0 import NAMESPACE_1_0
from schemas.seda.writing import written

_OLD = "1.0"


def acknowledgement(kept: Kept) -> bytes:
    """Return the acknowledgement of a transfer."""
    manifest = read_manifest(kept.manifest)
    identifier, sender, receiver = manifest.identifier or "-", Agency(manifest.archival_agency or "-"), _sender(manifest)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "message.xml"
        if manifest.version == _OLD:
            _write_old(target, "Acknowledgement", [("MessageReceivedIdentifier", identifier)], "AcknowledgementIdentifier")
        else:
            told = Acknowledgement(f"ACK-{new_id()}", clock.now(), identifier, sender, receiver)
            write_acknowledgement(target, told, Version(manifest.version))
        return target.read_bytes()


def reply(kept: Kept) -> bytes:
    """Return the reply to a transfer: accepted with an identifier of the archive, or refused with its reason."""
    manifest = read_manifest(kept.manifest)
    archive, taken = f"FRAD999_{kept.folder.name[-26:]}", is_acceptance(kept.code)
    comments = (kept.comment,) if kept.comment else ()
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "message.xml"
        if manifest.version == _OLD:
            told = [("ReplyCode", kept.code), ("TransferIdentifier", manifest.identifier or "-")]
            told += [("Comment", one) for one in comments]
            _write_old(target, "ArchiveTransferReply", told, "TransferReplyIdentifier", archive if taken else "")
        else:
            units = tuple((unit.identifier, archive) for unit in manifest.units[:1]) if taken else ()
            answer = TransferReply(
                identifier=f"ATR-{new_id()}",
                at=clock.now(),
                transfer_identifier=manifest.identifier or "-",
                code=kept.code,
                archival_agency=Agency(manifest.archival_agency or "-"),
                transferring_agency=_sender(manifest),
                granted=clock.now() if taken else None,
                comments=comments,
                units=units,
            )
            write_reply(target, answer, Version(manifest.version))
        return target.read_bytes()


def _write_old(target: Path, name: str, told: list[tuple[str, str]], identifier: str, archive: str = "") -> None:
    """Write a message of SEDA 1.0, as far as whoever asks for it reads."""
    with written(target, NAMESPACE_1_0) as document, document.inside(name):
        document.date("Date", clock.now())
        document.text(identifier, new_id())
        for element, text in told:
            document.text(element, text)
        if archive:
            with document.inside("Archive"):
                document.text("ArchivalAgencyArchiveIdentifier", archive)


def _sender(manifest: Manifest) -> Agency:
    return Agency(manifest.transferring_agency or "-")
