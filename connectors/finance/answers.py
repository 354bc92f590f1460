"""What the finance software answers of a delivery: that it took it, or why it did not; as a file, or in the answer to a call.

Three files are known: ``<name>.ok``, empty or with what the software knows the invoice by; ``<name>.ko``, with the reason; and
``<name>.ack.json``, which is what the answer to a call may hold: ``{"taken": true, "software_reference": "…"}`` or
``{"taken": false, "reason": "…"}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from connectors.finance.errors import AnswerUnreadable
from connectors.finance.naming import REFUSED, TAKEN
from core.messages import Catalogue

_messages = Catalogue("connectors.finance")
LONGEST_REASON, LONGEST_REFERENCE = 1000, 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What the software says.

    Attributes:
        taken: whether it took the invoice.
        reason: why it did not, in its words.
        software_reference: what it knows the invoice by.
    """

    taken: bool
    reason: str = ""
    software_reference: str = ""


def of_file(name: str, kind: str, octets: bytes) -> Answer:
    """Return what a file says.

    Args:
        name: of the file, for the message.
        kind: one of ``naming.TAKEN``, ``REFUSED``, ``TOLD``.
        octets: its content; in UTF-8, or as old software writes.

    Raises:
        AnswerUnreadable: it is none of the three.
    """
    text = _text(octets)
    if kind == TAKEN:
        return Answer(taken=True, software_reference=_line(text, LONGEST_REFERENCE))
    if kind == REFUSED:
        return Answer(taken=False, reason=_line(text, LONGEST_REASON) or _messages("answer.no_reason"))
    told = _object(text)
    if told is None or "taken" not in told:
        raise AnswerUnreadable(_messages("answer.unreadable", name=name))
    return _said(name, told)


def of_reply(octets: bytes) -> Answer | None:
    """Return what the answer to a call says; None when it says nothing yet: the software will.

    Raises:
        AnswerUnreadable: it speaks of ``taken`` in a way that is not known.
    """
    told = _object(_text(octets))
    return None if told is None or "taken" not in told else _said("HTTP", told)


def _said(name: str, told: dict[str, Any]) -> Answer:
    taken, reason, reference = told["taken"], told.get("reason") or "", told.get("software_reference") or ""
    if not (isinstance(taken, bool) and isinstance(reason, str) and isinstance(reference, str)):
        raise AnswerUnreadable(_messages("answer.unreadable", name=name))
    if taken:
        return Answer(taken=True, software_reference=_line(reference, LONGEST_REFERENCE))
    return Answer(taken=False, reason=_line(reason, LONGEST_REASON) or _messages("answer.no_reason"))


def _object(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def _line(text: str, longest: int) -> str:
    """Return a text on one line, without what cannot be shown."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:longest]
