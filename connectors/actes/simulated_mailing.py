"""The ministry's mails: an envelope, a message and its documents, put together as the real ones are, oddities on demand."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from lxml import etree

from core.clock import in_paris, now
from core.errors import Refused
from schemas.actes.messages import Document
from schemas.actes.writer import render
from schemas.actes.writing import element_of

SENDER = "ne-pas-repondre@actes.simulateur.test"
LARGE_COUNTER = 10_001
_PAPER = re.compile(rb"\s*<actes:DocumentPapier>[^<]*</actes:DocumentPapier>|\s*<actes:DocumentPapier/>")


@dataclass
class Fidelity:
    """How faithful the simulator is to what the ministry has been seen to send; all off, it sends what the norm says.

    Attributes:
        utf8_octets: UTF-8 under a label that says ISO-8859-1.
        empty_names: date, number and nature left empty in the names of 1-3.
        large_counters: counters beyond 9999.
        message_after_document: a message has a higher number than its document.
        without_paper: ``DocumentPapier`` is left out, as before typologies.
        envelope_last: the envelope stands behind the message in the mail.
        alternative: everything stands in ``multipart/alternative``.
        paper_notice: a mail without any file follows an act whose paper copy was announced.
        twice: every mail is sent twice.
        anomaly_after_receipt: an act that was received is refused afterwards.
        reversed_order: the answers to one envelope come last to first.
    """

    utf8_octets: bool = False
    empty_names: bool = False
    large_counters: bool = False
    message_after_document: bool = False
    without_paper: bool = False
    envelope_last: bool = False
    alternative: bool = False
    paper_notice: bool = False
    twice: bool = False
    anomaly_after_receipt: bool = False
    reversed_order: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file to be sent."""

    name: str
    content: bytes


def written(document: Document, fidelity: Fidelity) -> bytes:
    """Return a message or an envelope, as the ministry would write it."""
    try:
        content = render(document)
    except Refused:  # it quotes what it refuses, which may be what the schema forbids
        content = bytes(etree.tostring(element_of(document), encoding="iso-8859-1", xml_declaration=True))
    if fidelity.without_paper:
        content = _PAPER.sub(b"", content)
    return content.decode("iso-8859-1").encode() if fidelity.utf8_octets else content


def mail_of(subject: str, text: str, files: Sequence[File], addresses: Sequence[str], fidelity: Fidelity) -> bytes:
    """Return a mail, its files in their order, the envelope being the first.

    Args:
        subject: of the mail.
        text: what it says, as text and as HTML.
        files: none for a notice.
        addresses: whom it goes to.
        fidelity: which oddities.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, ", ".join(addresses), subject
    mail["Date"] = format_datetime(in_paris(now()))
    mail["Message-ID"] = make_msgid(domain="actes.simulateur.test")
    mail.set_content(text)
    mail.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html")
    ordered = [*files[1:], *files[:1]] if fidelity.envelope_last else files
    for file in ordered:
        media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        main, _, sub = media.partition("/")
        if fidelity.alternative:
            part = EmailMessage()
            part.set_content(file.content, main, sub, filename=file.name, disposition="attachment")
            del part["MIME-Version"]
            mail.attach(part)
        else:
            mail.add_attachment(file.content, maintype=main, subtype=sub, filename=file.name)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
