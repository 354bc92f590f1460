"""The fields of a report for machines: delivery status (RFC 3464, its international form RFC 6533) and receipts (RFC 8098)."""

from __future__ import annotations

import email.policy
import re
from email.message import Message

from schemas.mail.parts import CONTROL, octets, text

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
RECEIPT_TYPES = frozenset({"message/disposition-notification", "message/global-disposition-notification"})

_MOST = 200_000  # characters; a report about one message has a few hundred
_UNFOLDED = email.policy.compat32.clone(max_line_length=None)
_TYPED = re.compile(r"\s*(?:smtp|dns|rfc822|utf-8|x400|local|unix|unknown|x-[\w.-]{1,40})\s*;\s*", re.IGNORECASE)
_CODED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.])([245])\d\d(?=[ -]|$)", re.MULTILINE)


def written(part: Message) -> str:
    """Return a part of fields as text, though the parser took it for mails of headers alone."""
    if not part.is_multipart():
        return text(part)
    blocks = [block.as_bytes(policy=_UNFOLDED).strip(b"\n") for block in part.get_payload() if isinstance(block, Message)]
    whole = Message()
    whole["Content-Transfer-Encoding"] = str(part.get("Content-Transfer-Encoding", "8bit"))
    whole.set_payload(b"\n\n".join(blocks).decode("ascii", "surrogateescape"))
    return octets(whole).decode("utf-8", "replace")


def groups(written: str) -> list[dict[str, str]]:
    """Return the groups of fields of a report: that of the message, then one a recipient.

    Names are in small letters; of two fields of one name the first counts.
    """
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    name = ""
    for line in [*written[:_MOST].splitlines(), ""]:
        if not line.strip():
            found += [fields] if fields else []
            fields, name = {}, ""
        elif line[0] in " \t" and name:
            fields[name] = f"{fields[name]} {line.strip()}".strip()
        else:
            before, colon, after = line.partition(":")
            name = before.strip().lower() if colon else ""
            if name in fields:
                name = ""
            elif name:
                fields[name] = after.strip()
    return found


def untyped(value: str) -> str:
    """Return a value without the type before it: ``rfc822; a@b``, ``smtp; 550 5.1.1 …``, ``dns; mx.b``."""
    return CONTROL.sub("", value[found.end() :] if (found := _TYPED.match(value)) else value).strip()


def address(value: str) -> str:
    """Return an address that a field holds, however it is written there."""
    international = value.lower().lstrip().startswith("utf-8")
    found = untyped(value).strip("<>")
    if international:
        return _CODED.sub(lambda one: chr(min(int(one[1], 16), 0x10FFFF)), found)
    return found


def status_in(told: str) -> str:
    """Return the enhanced status code (RFC 3463) in the words of a server, else one made of its reply code; empty without any."""
    if found := _STATUS.search(told):
        return found[1]
    reply = _REPLY.search(told)
    return f"{reply[1]}.0.0" if reply else ""
