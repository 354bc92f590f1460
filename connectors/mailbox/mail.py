"""A mail taken apart: its head, its attachments wherever they stand (RFC 2045 to 2047, 2231), and its HTML.

What a mail is about is decided above.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from connectors.mailbox import errors
from core.clock import as_utc
from core.messages import Catalogue
from schemas.mail.parts import CONTROL, FAULTS, decoded, every, header, octets, opened, text

_messages = Catalogue("connectors.mailbox")

_LONGEST_NAME = 200
_HTML = "text/html"
_BODIES = {"text/plain", _HTML}
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
            message = opened(stream)
        leaves = [part for part in every(message) if not part.is_multipart()]
    except (RecursionError, *FAULTS) as error:
        raise errors.MailUnreadable(_messages("mail.unreadable", reason=type(error).__name__), raw) from error
    html = next((text(part) for part in leaves if part.get_content_type() == _HTML and not _is_file(part)), None)
    attachments = tuple(_kept(part, folder / f"{rank:03d}", rank) for rank, part in enumerate(filter(_is_file, leaves), start=1))
    return Mail(
        uid,
        header(message, "Message-ID"),
        _date(message),
        header(message, "From"),
        header(message, "Subject"),
        raw,
        attachments,
        html,
    )


def _is_file(part: Message) -> bool:
    """Tell whether a part is a file rather than what the mail says: it is named, said to be attached, or no text to read."""
    attached = part.get_content_disposition() == "attachment"
    return attached or _file_name(part) is not None or part.get_content_type() not in _BODIES


def _file_name(part: Message) -> str | None:
    """Return the name of a part, empty when it does not read, None when there is none."""
    try:
        name = part.get_filename()
        return None if name is None else decoded(name)
    except FAULTS:
        return ""


def _kept(part: Message, path: Path, rank: int) -> Attachment:
    path.write_bytes(octets(part))
    media = part.get_content_type()
    name = CONTROL.sub("", PurePosixPath(PureWindowsPath(_file_name(part) or "").name).name).strip()
    if name in {"", ".", ".."}:
        name = f"piece-{rank}{_EXTENSIONS.get(media, '.bin')}"
    return Attachment(name[-_LONGEST_NAME:], media, path)


def _date(message: Message) -> datetime | None:
    try:
        return as_utc(parsedate_to_datetime(str(message["Date"])))
    except (*FAULTS, OverflowError):
        return None
