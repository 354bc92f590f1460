"""paramiko's SFTP client, made to read file names and answers that are not UTF-8.

Old servers write both in ISO-8859-1; paramiko would give up the whole listing for one such name.
"""

from __future__ import annotations

from typing import Any

from paramiko import Message, SFTPClient
from paramiko.sftp import CMD_NAME


class _TolerantMessage(Message):
    """A protocol message whose texts may be in ISO-8859-1."""

    def get_text(self) -> str:
        raw = self.get_string()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


class TolerantSftp(SFTPClient):
    """An SFTP client that one badly spelled name does not stop."""

    def _request(self, t: int, *args: Any) -> tuple[int, Message]:
        kind, message = super()._request(t, *args)  # type: ignore[misc]  # left out of the stubs
        return kind, _TolerantMessage(message.get_remainder()) if kind == CMD_NAME else message

    def _convert_status(self, msg: Message) -> None:
        super()._convert_status(_TolerantMessage(msg.get_remainder()))  # type: ignore[misc]  # left out of the stubs
