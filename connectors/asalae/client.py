"""Our side of as@lae's REST interface: a transfer is handed over, its acknowledgement and its reply are asked for.

It does what it is told, one call at a time: when to send, to ask again or to give up is the flow's business.

as@lae answers anything but 200 with a text, also where nothing is there *yet*: of a message that is asked for, any refusal that
is not one of access and no fault between here and the service counts as not there yet; the deadline of the flow ends it.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from connectors.asalae.form import Form, Part
from connectors.asalae.settings import AsalaeSettings
from connectors.sae.errors import AnswerUnreadable, ServiceUnavailable, TransferRefused
from connectors.sae.transport import MEBIBYTE, Reply, Transport
from core.addresses import Networks
from core.errors import Misconfigured, NeedsOperator, Unavailable
from core.messages import Catalogue

_messages = Catalogue("connectors.sae")
ACKNOWLEDGEMENT, REPLY = "Acknowledgement", "ArchiveTransferReply"
BORDEREAU, ATTACHMENTS = "bordereau.xml", "archive.tar.gz"
_OK = 200
_NOT_YET = {400, 404, 500}
_UNTAKEN = {400, 409, 413, 415, 422}


class Asalae:
    """as@lae, as one account reaches it; any thread may use it.

    Every method may raise ``ServiceUnavailable``, ``AccessRefused``, ``CertificateRefused``, ``AddressWrong``,
    ``AddressRefused``, ``AnswerUnreadable`` and ``AnswerTooLarge``: see ``connectors.sae.errors``.
    """

    def __init__(self, settings: AsalaeSettings, networks: Networks) -> None:
        """Prepare calls; ``networks`` are those that the operator permits beside the public one."""
        self._transport = Transport(settings, networks)
        self._chunk = settings.chunk_mebibytes * MEBIBYTE
        hashed = hashlib.sha256(settings.password.get_secret_value().encode()).hexdigest()
        account = base64.b64encode(f"{settings.login}:{hashed}".encode()).decode("ascii")
        # An empty Expect: some versions never answer a client that waits for 100 Continue.
        self._headers = {"Authorization": f"Basic {account}", "Expect": ""}

    def versions(self) -> dict[str, Any]:
        """Return what as@lae says of its version; the account is tried with it."""
        told = self._good(self._transport.send("GET", "/versions", headers=self._accepting("application/json"))).json()
        return told if isinstance(told, dict) else {"versions": told}

    def send(self, bordereau: Path, attachments: Path) -> None:
        """Hand a transfer over: its manifest, and its files as ``archive.tar.gz``; in pieces when it is large.

        Raises:
            TransferRefused: it is not taken, for the reason that as@lae gives.
            ServiceUnavailable: ``perhaps_taken`` says whether it may have been taken all the same.
        """
        manifest = Part.whole("seda_message", BORDEREAU, "application/xml", bordereau)
        if attachments.stat().st_size <= self._chunk:
            self._post(
                "/sedaMessages", Form((), (manifest, Part.whole("attachments", ATTACHMENTS, "application/gzip", attachments)))
            )
            return
        told = self._post("/sedaMessages", Form((("send_chunked_attachments", "true"),), (manifest,))).json()
        session = [(name, _named(told, f"chunk_{name}")) for name in ("session_identifier", "security_identifier")]
        try:
            self._send_pieces(session, attachments)
        except TransferRefused:
            raise
        except (Unavailable, NeedsOperator, Misconfigured) as error:
            # Whatever the trouble: the manifest is there, under its identifier.
            raise ServiceUnavailable(str(error), perhaps_taken=True) from error

    def message(self, organisation: str, identifier: str, name: str) -> bytes | None:
        """Return a message about a transfer; None while there is none.

        Args:
            organisation: who handed the transfer over, as its manifest says.
            identifier: of the transfer.
            name: ``ACKNOWLEDGEMENT`` or ``REPLY``.
        """
        whose = f"originOrganizationIdentification:{quote(organisation, safe='')}"
        path = (
            f"/sedaMessages/sequence:ArchiveTransfer/message:{name}/{whose}/originMessageIdentifier:{quote(identifier, safe='')}"
        )
        reply = self._transport.send("GET", path, headers=self._accepting("application/xml"))
        if reply.status in _NOT_YET or (reply.status == _OK and not reply.body.strip()):
            return None
        return self._good(reply).body

    def _send_pieces(self, session: list[tuple[str, str]], attachments: Path) -> None:
        size = attachments.stat().st_size
        starts = range(0, size, self._chunk)
        for index, start in enumerate(starts, 1):
            fields = [
                *session,
                ("number_of_files", "1"),
                ("file_index", "1"),
                ("file_name", ATTACHMENTS),
                ("compression_algorithm", "TARGZ"),
                ("number_of_chunks", str(len(starts))),
                ("chunk_index", str(index)),
            ]
            piece = Part(
                "chunk_content", ATTACHMENTS, "application/octet-stream", attachments, start, min(self._chunk, size - start)
            )
            self._post("/sedaAttachmentsChunkFiles", Form(fields, (piece,)))

    def _post(self, path: str, form: Form) -> Reply:
        headers = self._accepting("application/json") | {"Content-Type": form.media_type}
        reply = self._transport.send("POST", path, headers=headers, body=iter(form), size=form.size)
        if reply.status in _UNTAKEN:
            raise self._transport.refused(reply)
        return self._good(reply)

    def _accepting(self, media_type: str) -> dict[str, str]:
        return self._headers | {"Accept": media_type}

    def _good(self, reply: Reply) -> Reply:
        if reply.status != _OK:
            self._transport.refuse(reply)
        return reply


def _named(told: Any, name: str) -> str:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, str | int) or not str(value).isascii() or not str(value).isprintable():
        raise AnswerUnreadable(_messages("answer.unreadable", reason=name))
    return str(value)
