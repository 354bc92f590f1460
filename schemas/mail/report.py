"""What comes back of a mail: delivery reports, answers of machines, receipts, and anything else that strangers send.

Which message it is about is told by the address that it came to (VERP) before any field; what it says, by the fields for machines
(RFC 3464, RFC 8098), and only without them by headers (RFC 3834) and words. What is not understood is ``unknown``, for a person.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from enum import StrEnum
from html import unescape

from schemas.mail import wordings
from schemas.mail.delivery_status import RECEIPT_TYPES, STATUS_TYPES, address, groups, status_in, untyped, written
from schemas.mail.parts import CONTROL, FAULTS, every, header, opened, text

_LONGEST, _LONGEST_NAME, _LONGEST_STATUS = 1000, 320, 12
_MOST_ENVELOPES = 20
_SCANNED, _TOLD = 1 << 21, 20_000
_ARRIVALS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Rcpt-To", "To", "Cc", "Received")
_COMPLAINT = "message/feedback-report"  # RFC 5965
_UNSHOWN = re.compile(r"</?(?:style|script)\b", re.IGNORECASE)
_MARK = re.compile(r"<[^<>]{0,2000}>")
_FIELDS = re.compile(r"^(?:final|original)-recipient\s*:", re.IGNORECASE | re.MULTILINE)


class What(StrEnum):
    """What a message that came back says.

    DELIVERED: it is in a mailbox. RELAYED: it went on to a server that reports nothing. EXPANDED: it went on to several people.
    DELAYED: a server still tries. FAILED: it will not arrive. AUTOMATIC: an absence, a list; it counts as nothing. RECEIPT: a
    reader's program says something, which anybody can forge. UNKNOWN: a person should read it.
    """

    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELAYED = "delayed"
    FAILED = "failed"
    AUTOMATIC = "automatic"
    RECEIPT = "receipt"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """A message that came back.

    Attributes:
        envelopes: what stands after ``+`` in any return address that it was sent to, or else that it names, in this order and in
            small letters; empty when there is none.
        original_envelope: ENVID of the message that it is about (RFC 3461); empty when it tells none.
        status: enhanced status code (RFC 3463), ``5.1.1``; made from the reply code or the action when it tells none; empty if it
            is about no delivery.
        diagnostic: what the server said, on one line; of an answer, its subject.
        recipient: the address that it is about, as it was written to if the report knows; of an answer, who answers.
        reporting: the server, or the reader's program, that tells.
    """

    what: What
    envelopes: tuple[str, ...] = ()
    original_envelope: str = ""
    status: str = ""
    diagnostic: str = ""
    recipient: str = ""
    reporting: str = ""


_ACTIONS = {
    "fail": What.FAILED,
    "dela": What.DELAYED,
    "defe": What.DELAYED,
    "rela": What.RELAYED,
    "expa": What.EXPANDED,
    "deli": What.DELIVERED,
}
_CLASSES = {"5": What.FAILED, "4": What.DELAYED, "2": What.DELIVERED}
_UNTOLD = {What.FAILED: "5.0.0", What.DELAYED: "4.0.0"}
_GRAVEST = (What.FAILED, What.DELAYED, What.RELAYED, What.EXPANDED, What.DELIVERED, What.UNKNOWN)


def read_report(raw: bytes, return_address: str) -> Report:
    """Read a message that came to the return address; whatever a stranger sends, something is returned.

    Args:
        raw: its octets.
        return_address: of the mailbox, without ``+``; see ``connectors.mail.paths``.
    """
    try:
        message = opened(io.BytesIO(raw))
        outer = list(every(message, enclosed=False))
        heads = [str(value) for name in _ARRIVALS for value in message.get_all(name, [])]
        texts = [text(part) for part in every(message) if not part.is_multipart() and part.get_content_maintype() == "text"]
        found = _read(message, outer)
    except (RecursionError, *FAULTS):
        found, heads, texts = Report(What.UNKNOWN), [], []
    told = [*heads, raw[:_SCANNED].decode("latin-1"), *(one[:_SCANNED] for one in texts)]
    return replace(
        found,
        envelopes=_envelopes(told, return_address),
        original_envelope=_line(found.original_envelope, _LONGEST_NAME),
        status=found.status[:_LONGEST_STATUS],
        diagnostic=_line(found.diagnostic, _LONGEST),
        recipient=_line(found.recipient, _LONGEST_NAME),
        reporting=_line(found.reporting, _LONGEST_NAME),
    )


def _read(message: Message, outer: list[Message]) -> Report:
    for part in outer:
        if part.get_content_type() in STATUS_TYPES:
            return _delivery(groups(written(part)))
    for part in outer:
        if part.get_content_type() in RECEIPT_TYPES:
            return _receipt(groups(written(part)))
    told = _told(outer)
    complaint = any(part.get_content_type() == _COMPLAINT for part in outer)
    subject = header(message, "Subject")[:_LONGEST]
    if wordings.is_of_a_mail_system(message):
        fields = next((one for part in outer if _FIELDS.search(one := _plain(part))), None)  # a gateway took it for text
        return _delivery(groups(fields)) if fields else _in_words(message, subject, wordings.before_the_copy(told))
    answering = not complaint and wordings.is_automatic(message) and not wordings.awaits_somebody(f"{subject}\n{told}")
    return Report(What.AUTOMATIC if answering else What.UNKNOWN, diagnostic=subject, recipient=wordings.address_of(message))


def _delivery(found: list[dict[str, str]]) -> Report:
    """Read a delivery status; of several recipients, the one who fares worst."""
    whole = next((one for one in found if "reporting-mta" in one or "original-envelope-id" in one), {})
    named = [one for one in found if one.keys() & {"final-recipient", "original-recipient"}]
    recipients = [_recipient(one) for one in named or found if one.keys() & {"action", "status", "diagnostic-code"}]
    worst = min(recipients, key=lambda one: _GRAVEST.index(one.what), default=Report(What.UNKNOWN))
    envelope = whole.get("original-envelope-id", "")
    return replace(worst, original_envelope=envelope, reporting=untyped(whole.get("reporting-mta", "")))


def _recipient(fields: dict[str, str]) -> Report:
    diagnostic = untyped(fields.get("diagnostic-code", ""))
    status = status_in(fields.get("status", "")) or status_in(diagnostic)
    what = _ACTIONS.get(fields.get("action", "").strip().lower()[:4]) or _CLASSES.get(status[:1], What.UNKNOWN)
    about = address(fields.get("original-recipient", "")) or address(fields.get("final-recipient", ""))
    return Report(what, status=status or _UNTOLD.get(what, ""), diagnostic=diagnostic, recipient=about)


def _receipt(found: list[dict[str, str]]) -> Report:
    fields = {name: value for one in reversed(found) for name, value in one.items()}
    about = address(fields.get("original-recipient", "")) or address(fields.get("final-recipient", ""))
    return Report(
        What.RECEIPT,
        diagnostic=fields.get("disposition", ""),
        recipient=about,
        reporting=fields.get("reporting-ua", ""),
    )


def _in_words(message: Message, subject: str, told: str) -> Report:
    whole = f"{subject}\n{told}"
    if wordings.says_delayed(whole):
        what = What.DELAYED
    elif wordings.says_failed(whole) or message.get("X-Failed-Recipients"):
        what = What.FAILED
    else:
        return Report(What.UNKNOWN, diagnostic=subject, recipient=wordings.address_of(message))
    line = next((one for one in told.splitlines() if status_in(one) > "4"), "")
    return Report(
        what,
        status=status_in(line) or _UNTOLD[what],
        diagnostic=line or subject,
        recipient=header(message, "X-Failed-Recipients").partition(",")[0] or wordings.address_in(told),
        reporting=header(message, "From"),
    )


def _plain(part: Message) -> str:
    return text(part)[:_TOLD] if part.get_content_type() == "text/plain" and not part.is_multipart() else ""


def _told(outer: list[Message]) -> str:
    """Return what a message says to a person: its plain text, else its HTML without the marks."""
    for kind in ("text/plain", "text/html"):
        for part in outer:
            if part.get_content_type() == kind and not part.is_multipart():
                found = text(part)[: _TOLD * 10]
                return (found if kind == "text/plain" else _without_marks(found))[:_TOLD]
    return ""


def _without_marks(html: str) -> str:
    shown = "".join(_UNSHOWN.split(html)[::2])
    return unescape(_MARK.sub(" ", shown))


def _envelopes(told: list[str], return_address: str) -> tuple[str, ...]:
    local, _, domain = (re.escape(one) for one in return_address.rpartition("@"))
    named = r"\+([a-z0-9-]{1,64})"
    # As it was written; and inside the address of a forwarder (SRS), which puts the domain first.
    marks = re.compile(rf"(?<![\w.+-]){local}{named}@{domain}(?![\w-]|\.\w)|={domain}={local}{named}@", re.IGNORECASE | re.ASCII)
    found: dict[str, None] = {}
    for one in _marked(marks, told):
        found[one] = None
        if len(found) == _MOST_ENVELOPES:
            break
    return tuple(found)


def _marked(marks: re.Pattern[str], told: list[str]) -> Iterator[str]:
    return ((one[1] or one[2]).lower() for text in told for one in marks.finditer(text))


def _line(value: str, longest: int) -> str:
    return " ".join(CONTROL.sub(" ", value).split())[:longest]
