"""The parts of a mail, and what stands in them (RFC 2045 to 2047, 2231), read as strangers write it.

The structure is read with the standard library's older policy: it takes what a stranger sends without raising, where the newer
one stumbles over names and addresses that are not formed as they should be. Whoever reads expects ``FAULTS``.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import BinaryIO

FAULTS = (MessageError, LookupError, ValueError, TypeError, AttributeError)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_MOST_PARTS = 2000
_MOST_LINES = 2_000_000  # 64 MiB of base64 have 900 000
_MOST_LOOKS = 10_000_000  # the parser holds each line against the boundaries of every part that is open
_PIECE = 1 << 20
_READ = frozenset({"message-id", "date", "from", "subject", "content-type", "content-disposition", "content-transfer-encoding"})
_SURROGATE = re.compile(r"[\udc80-\udcff]")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


def opened(stream: BinaryIO) -> Message:
    """Read the structure of a mail.

    Args:
        stream: of its octets, which can be read twice.

    Raises:
        ValueError: more than two thousand parts, or lines out of all proportion.
        RecursionError: parts are nested too deep.
    """
    _refuse_endless(stream)
    stream.seek(0)
    message: Message = email.message_from_binary_file(stream, policy=email.policy.compat32)
    for part in every(message):
        _read_raw_headers(part)
    return message


def every(message: Message, *, enclosed: bool = True) -> Iterator[Message]:
    """Go through a mail and all its parts in their order.

    Args:
        message: the mail.
        enclosed: those of the mails that it encloses too.
    """
    waiting, count = [message], 0
    while waiting:
        part = waiting.pop()
        count += 1
        if count > _MOST_PARTS:
            raise ValueError
        yield part
        if part.is_multipart() and (enclosed or part.get_content_maintype() == "multipart"):
            waiting += reversed([one for one in part.get_payload() if isinstance(one, Message)])


def octets(part: Message) -> bytes:
    """Return what a part holds, decoded."""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() != "base64":
        payload = part.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""
    lines = [line.strip() for line in str(part.get_payload()).encode("utf-8", "surrogateescape").splitlines()]
    # Lines that a relay added, a footer or a note of its own, are no part of the file.
    kept = b"".join(line for line in lines if _BASE64_LINE.fullmatch(line))
    try:
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    except binascii.Error:
        return kept


def text(part: Message) -> str:
    """Return the text of a part."""
    found = octets(part)
    try:
        return found.decode(str(part.get_content_charset("utf-8")))
    except (LookupError, ValueError):
        return found.decode("latin-1")


def header(message: Message, name: str) -> str:
    """Return the first header of a name, decoded, on one line; empty when there is none."""
    value = str(message.get(name, ""))
    with suppress(*FAULTS):
        value = decoded(value)
    return CONTROL.sub("", re.sub(r"\s*[\r\n]+\s*", " ", value)).strip()


def decoded(value: str) -> str:
    """Read encoded words (RFC 2047), even where they should not stand."""
    return str(make_header(decode_header(value))) if "=?" in value else value


def _refuse_endless(stream: BinaryIO) -> None:
    """Refuse what would take the parser gigabytes, or hours: anybody may write to a mailbox."""
    lines, multiparts = 0, 1
    while piece := stream.read(_PIECE):
        lines += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        multiparts += piece.lower().count(b"multipart/")
    if lines > _MOST_LINES or lines * multiparts > _MOST_LOOKS:
        raise ValueError


def _read_raw_headers(part: Message) -> None:
    """Read octets that no header should hold as the UTF-8, or else the Latin-1, that they are in the field."""
    unread = set(_READ)
    for name, value in list(part.raw_items()):
        if name.lower() not in unread:
            continue
        unread.remove(name.lower())  # the first one counts
        if isinstance(value, str) and _SURROGATE.search(value):
            found = value.encode("utf-8", "surrogateescape")
            try:
                part.replace_header(name, found.decode())
            except UnicodeDecodeError:
                part.replace_header(name, found.decode("latin-1"))
