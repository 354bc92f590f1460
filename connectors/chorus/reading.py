"""Reading answers that are not regular: one object where a list is expected, members that are absent, four ways to write a date.

What cannot be read as it should be is empty; an answer is kept whole beside what was read of it, so that nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from core.clock import PARIS, as_utc, in_paris

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Members:
    """The members of a JSON object."""

    def __init__(self, raw: Any) -> None:
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}

    def below(self, name: str) -> Members:
        """Return the object in a member, an empty one when there is none."""
        return Members(self.raw.get(name))

    def every(self, *path: str) -> Iterator[Members]:
        """Return the objects of a list; one that stands alone is a list of one."""
        here = self
        for name in path[:-1]:
            here = here.below(name)
        value = here.raw.get(path[-1])
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield Members(one)

    def text(self, *names: str) -> str:
        """Return the text of the first member that has one; numbers count."""
        for name in names:
            value = self.raw.get(name)
            if isinstance(value, str | int | Decimal) and not isinstance(value, bool) and (found := str(value).strip()):
                return found
        return ""

    def whole(self, *names: str) -> int | None:
        """Return a whole number."""
        found = self.text(*names)
        return int(found) if _WHOLE.fullmatch(found) else None

    def amount(self, *names: str) -> Decimal | None:
        """Return a decimal."""
        try:
            found = Decimal(self.text(*names).replace(",", "."))
        except InvalidOperation:
            return None
        return found if found.is_finite() else None

    def flag(self, name: str) -> bool | None:
        """Return a yes or no, in whatever way it is written."""
        value = self.raw.get(name)
        return (
            value
            if isinstance(value, bool)
            else {"true": True, "oui": True, "false": False, "non": False}.get(str(value).lower())
        )

    def moment(self, *names: str) -> datetime | None:
        """Return a moment in UTC; one without a zone is of Paris, a day alone means its first moment there."""
        return moment(self.text(*names))

    def day(self, *names: str) -> date | None:
        """Return the day, in Paris."""
        found = self.text(*names)
        if _DAY.fullmatch(found):
            try:
                return date.fromisoformat(found)
            except ValueError:
                return None
        read = moment(found)
        return in_paris(read).date() if read else None


def moment(text: str) -> datetime | None:
    """Return the moment that a text writes; None when it writes none.

    Met: ``2026-09-01``, ``2026-09-01 14:05``, ``2026-09-01T14:05:00.000+02:00``, ``2026-09-01T12:05:00.000Z``.
    """
    try:
        read = datetime.fromisoformat(text)
        return as_utc(read.replace(tzinfo=PARIS) if read.tzinfo is None else read)
    except (ValueError, OverflowError):
        return None
