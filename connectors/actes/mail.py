"""A mail taken apart: its head, its attachments wherever they stand (RFC 2045 to 2047, 2231), and its HTML.

The structure is read with the standard library's older policy: it takes what a stranger sends without raising, where the newer
one stumbles over names and addresses that are not formed as they should be. What a mail is about is decided above.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, NamedTuple

from connectors.actes import errors
from core.clock import as_utc
from core.messages import Catalogue

_messages = Catalogue("connectors.actes")

_MOST_PARTS = 2000
_MOST_LINES = 2_000_000  # 64 MiB of base64 have 900 000
_MOST_LOOKS = 10_000_000  # the parser holds each line against the boundaries of every part that is open
_PIECE = 1 << 20
_LONGEST_NAME = 200
_READ = frozenset({"message-id", "date", "from", "subject", "content-type", "content-disposition", "content-transfer-encoding"})
_HTML = "text/html"
_BODIES = {"text/plain", _HTML}
_FAULTS = (MessageError, LookupError, ValueError, TypeError, AttributeError)
_SURROGATE = re.compile(r"[\udc80-\udcff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_EXTENSIONS = {"application/xml": ".xml", "text/xml": ".xml", "application/pdf": ".pdf"}


class MailUid(NamedTuple):
    """What a mail is called in its folder (RFC 3501, 2.3.1.1).

    Attributes:
        validity: UIDVALIDITY of the folder when it was called so; a folder made anew has another one.
        number: UID.
    """

    validity: int
    number: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a mail that is a file.

    Attributes:
        name: as the mail has it, without folders and control characters; made up from its rank when it has none.
        media: its type, as the mail says, in small letters.
        path: the file of its octets, decoded.
    """

    name: str
    media: str
    path: Path


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, as it was brought.

    Attributes:
        uid: what it is called in the mailbox.
        message_id: ``Message-ID`` as it stands; empty when there is none.
        date: of ``Date``, in UTC; None when there is none, or none that reads.
        sender: ``From``, decoded.
        subject: ``Subject``, decoded.
        raw: the file of its octets, as the server gave them.
        attachments: in the order of the mail.
        html: the first HTML text of it; None when there is none.
    """

    uid: MailUid
    message_id: str
    date: datetime | None
    sender: str
    subject: str
    raw: Path
    attachments: tuple[Attachment, ...]
    html: str | None


def take_apart(uid: MailUid, raw: Path, folder: Path) -> Mail:
    """Read a mail and write its attachments into a folder, each under its rank: ``001``, ``002``.

    Args:
        uid: what it is called in the mailbox.
        raw: the file of its octets.
        folder: an existing directory.

    Raises:
        MailUnreadable: parts are nested too deep, there are more than two thousand, or lines out of all proportion.
    """
    try:
        with raw.open("rb") as stream:
            _refuse_endless(stream)
            stream.seek(0)
            message: Message = email.message_from_binary_file(stream, policy=email.policy.compat32)
        _read_raw_headers(message)
        parts = list(_leaves(message))
    except (RecursionError, *_FAULTS) as error:
        raise errors.MailUnreadable(_messages("mail.unreadable", reason=type(error).__name__), raw) from error
    html = next((_text(part) for part in parts if part.get_content_type() == _HTML and not _is_file(part)), None)
    attachments = tuple(_kept(part, folder / f"{rank:03d}", rank) for rank, part in enumerate(filter(_is_file, parts), start=1))
    return Mail(
        uid,
        _header(message, "Message-ID"),
        _date(message),
        _header(message, "From"),
        _header(message, "Subject"),
        raw,
        attachments,
        html,
    )


def _refuse_endless(stream: BinaryIO) -> None:
    """Refuse what would take the parser gigabytes, or hours: anybody may write to the mailbox."""
    lines, multiparts = 0, 1
    while piece := stream.read(_PIECE):
        lines += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        multiparts += piece.lower().count(b"multipart/")
    if lines > _MOST_LINES or lines * multiparts > _MOST_LOOKS:
        raise ValueError


def _every(message: Message) -> Iterator[Message]:
    """Go through a mail and all its parts, those of enclosed mails too, in their order."""
    waiting, count = [message], 0
    while waiting:
        part = waiting.pop()
        count += 1
        if count > _MOST_PARTS:
            raise ValueError
        yield part
        if part.is_multipart():
            waiting += reversed([one for one in part.get_payload() if isinstance(one, Message)])


def _leaves(message: Message) -> Iterator[Message]:
    return (part for part in _every(message) if not part.is_multipart())


def _read_raw_headers(message: Message) -> None:
    """Read octets that no header should hold as the UTF-8, or else the Latin-1, that they are in the field."""
    for part in _every(message):
        unread = set(_READ)
        for name, value in list(part.raw_items()):
            if name.lower() not in unread:
                continue
            unread.remove(name.lower())  # the first one counts
            if isinstance(value, str) and _SURROGATE.search(value):
                octets = value.encode("utf-8", "surrogateescape")
                try:
                    part.replace_header(name, octets.decode())
                except UnicodeDecodeError:
                    part.replace_header(name, octets.decode("latin-1"))


def _is_file(part: Message) -> bool:
    """Tell whether a part is a file rather than what the mail says: it is named, said to be attached, or no text to read."""
    attached = part.get_content_disposition() == "attachment"
    return attached or _file_name(part) is not None or part.get_content_type() not in _BODIES


def _file_name(part: Message) -> str | None:
    """Return the name of a part, empty when it does not read, None when there is none."""
    try:
        name = part.get_filename()
        return None if name is None else _decoded(name)
    except _FAULTS:
        return ""


def _kept(part: Message, path: Path, rank: int) -> Attachment:
    path.write_bytes(_octets(part))
    media = part.get_content_type()
    name = _CONTROL.sub("", PurePosixPath(PureWindowsPath(_file_name(part) or "").name).name).strip()
    if name in {"", ".", ".."}:
        name = f"piece-{rank}{_EXTENSIONS.get(media, '.bin')}"
    return Attachment(name[-_LONGEST_NAME:], media, path)


def _octets(part: Message) -> bytes:
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


def _text(part: Message) -> str:
    octets = _octets(part)
    try:
        return octets.decode(str(part.get_content_charset("utf-8")))
    except (LookupError, ValueError):
        return octets.decode("latin-1")


def _header(message: Message, name: str) -> str:
    value = str(message.get(name, ""))
    with suppress(*_FAULTS):
        value = _decoded(value)
    return _CONTROL.sub("", re.sub(r"\s*[\r\n]+\s*", " ", value)).strip()


def _decoded(value: str) -> str:
    """Read encoded words (RFC 2047), even where they should not stand."""
    return str(make_header(decode_header(value))) if "=?" in value else value


def _date(message: Message) -> datetime | None:
    try:
        return as_utc(parsedate_to_datetime(str(message["Date"])))
    except (*_FAULTS, OverflowError):
        return None
