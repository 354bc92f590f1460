"""What a correction changes, in words: each fact of the record as it was, and as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from archive.correction.models import RecordCorrection
from archive.correction.terms import Terms
from core.messages import Catalogue

_messages = Catalogue("archive.correction")


def changes(correction: RecordCorrection) -> tuple[str, ...]:
    """Return a line for each fact that a correction changes."""
    before, after = Terms.read(correction.before), Terms.read(correction.after)
    pairs = zip(_said(before), _said(after), strict=True)
    return tuple(_messages(f"change.{name}", before=old, after=new) for (name, old), (_, new) in pairs if old != new)


def _said(terms: Terms) -> Iterator[tuple[str, str]]:
    yield "rule", terms.rule or "–"
    yield "keep_until", _day(terms.keep_until, "endless")
    yield "final_action", _messages(f"action.{terms.final_action}")
    yield "access", terms.access or "–"
    yield "open_from", _day(terms.open_from, "closed")


def _day(day: date | None, otherwise: str) -> str:
    return f"{day:%d/%m/%Y}" if day else _messages(otherwise)
