"""Files of the gateway's response directory, and names that a server may not lead us astray with."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from paramiko import SFTPAttributes

from core.errors import UsageError
from core.messages import Catalogue

_OURS = "PESALR2_"
_messages = Catalogue("connectors.helios")


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """A file in the response directory.

    Attributes:
        name: as the server has it.
        size: bytes; zero is possible, and worth telling somebody.
        modified: by the server's clock, to the second.
    """

    name: str
    size: int
    modified: datetime


def plain(name: str) -> str:
    """Refuse a name that would lead elsewhere: a server is not trusted with our paths, nor a caller with the server's.

    Raises:
        UsageError: the name is empty, a relative step, or holds a separator or a control character.
    """
    if not _is_plain(name):
        raise UsageError(_messages("name.path", name=ascii(name)[:100]))
    return name


def _is_plain(name: str) -> bool:
    return name not in {"", ".", ".."} and not any(letter in "/\\\x7f" or letter < " " for letter in name)


def is_response(entry: SFTPAttributes) -> bool:
    """Tell whether an entry of the directory is a response: no directory, no copy of a deposit, no name that leads elsewhere."""
    return _is_file(entry) and _is_plain(entry.filename) and not entry.filename.startswith(_OURS)


def _is_file(entry: SFTPAttributes) -> bool:
    return entry.st_mode is None or stat.S_ISREG(entry.st_mode)


def response_of(entry: SFTPAttributes) -> ResponseFile:
    """Return an entry of the directory as a response."""
    return ResponseFile(entry.filename, entry.st_size or 0, datetime.fromtimestamp(entry.st_mtime or 0, UTC))
