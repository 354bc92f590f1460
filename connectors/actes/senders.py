"""From whom a mail of the operator's mailbox says that it comes, and whether that is believed (RFC 5322, 3.6.2; RFC 8601).

Anybody may write to a mailbox, under any name. Who is permitted is the operator's to say. That a mail comes from there is what
the server attests that took it in, in ``Authentication-Results``; it takes away those that come in under its name (RFC 8601, 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from connectors.actes.settings import Mailbox

_LONGEST_HEAD = 1 << 18
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_ASIDE = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)')
_WITNESS = {"dmarc": "header.from", "dkim": "header.d", "spf": "smtp.mailfrom"}
"""What each method attests (RFC 8601, 2.7): a domain, by this property."""


class Doubt(StrEnum):
    """Why a mail is not believed."""

    UNNAMED = "unnamed"
    STRANGER = "stranger"
    UNPROVED = "unproved"


class Judged(NamedTuple):
    """What is to be thought of a mail.

    Attributes:
        sender: address of its only author; empty when it names none, or several.
        doubt: None when it is believed.
    """

    sender: str
    doubt: Doubt | None


def judge(raw: Path, box: Mailbox) -> Judged:
    """Judge the head of a mail by what a mailbox permits."""
    head = _head(raw)
    named = head.get_all("From", [])
    addresses = [address.strip().casefold() for _, address in getaddresses([str(one) for one in named])]
    if len(named) != 1 or len(addresses) != 1 or not all(addresses[0].rpartition("@")):
        return Judged("", Doubt.UNNAMED)
    (sender,) = addresses
    if not any(_is_of(sender, one) for one in box.senders):
        return Judged(sender, Doubt.STRANGER)
    if box.authenticated_by and not _attested(head, box.authenticated_by, sender.rpartition("@")[2]):
        return Judged(sender, Doubt.UNPROVED)
    return Judged(sender, None)


def _head(raw: Path) -> Message:
    with raw.open("rb") as stream:
        octets = stream.read(_LONGEST_HEAD)
    return BytesHeaderParser(policy=compat32).parsebytes(_BLANK_LINE.split(octets, 1)[0])


def _is_of(sender: str, permitted: str) -> bool:
    return sender == permitted if "@" in permitted else _is_below(sender.rpartition("@")[2], permitted)


def _is_below(domain: str, above: str) -> bool:
    return domain == above or domain.endswith(f".{above}")


def _attested(head: Message, server: str, domain: str) -> bool:
    """Tell whether a server attests that a mail comes from a domain; DMARC has the last word where it was asked."""
    results = [found for one in head.get_all("Authentication-Results", []) for found in _results(str(one), server)]
    dmarc = [result for result in results if result[0] == "dmarc" and result[1] != "none"]
    return any(verdict == "pass" and "." in by and _is_below(domain, by) for _, verdict, by in dmarc or results)


def _results(value: str, server: str) -> Iterator[tuple[str, str, str]]:
    """Yield method, verdict and domain of each result that a server wrote; what others wrote is nothing."""
    plain = _ASIDE.sub(lambda found: '""' if found[0].startswith('"') else " ", value)
    said, *results = plain.casefold().split(";")
    if re.search(r"[()]", plain) or said.split()[:1] != [server.casefold()]:
        return
    for one in results:
        words = [word.partition("=")[::2] for word in re.sub(r"\s*=\s*", "=", one).split()]
        method, verdict = words[0] if words else ("", "")
        by = dict(words[1:]).get(_WITNESS.get(method, ""), "")
        yield method, verdict, by.rpartition("@")[2]
