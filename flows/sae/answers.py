"""What comes back of a transfer, read before it is believed: a message of SEDA about this very transfer, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from connectors.sae.errors import AnswerUnreadable
from core.errors import UnreadableInput
from core.messages import Catalogue
from schemas.seda.replies import ReadReply, read_reply

_messages = Catalogue("flows.sae")


def read(octets: bytes, identifier: str) -> ReadReply:
    """Read a message about the transfer of an identifier.

    Raises:
        AnswerUnreadable: it is no message of SEDA, or is about another transfer.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "message.xml"
        path.write_bytes(octets)
        try:
            found = read_reply(path)
        except UnreadableInput as error:
            raise AnswerUnreadable(_messages("reply.unreadable", identifier=identifier)) from error
    if found.transfer_identifier not in {None, identifier}:
        raise AnswerUnreadable(_messages("reply.other", identifier=identifier))
    return found
