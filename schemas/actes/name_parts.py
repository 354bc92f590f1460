"""What names of ACTES are made of: the form of each field, and the two ways in which a name can be wrong."""

from __future__ import annotations

import re
from datetime import date

from core.errors import UnreadableInput, UsageError
from schemas.actes.wording import messages

DEPARTMENT = re.compile(r"[09][0-9][0-9AB]")
SIREN = re.compile(r"[0-9]{9}")
NUMBER = re.compile(r"[A-Z0-9](?:[A-Z0-9_]{0,13}[A-Z0-9])?")
ABBREVIATION = re.compile(r"[A-Z]{2}")
TYPE = re.compile(r"[A-Z0-9_]{5}")
TRIGRAMME = re.compile(r"[A-Za-z0-9]{3}")
APPLICATION = re.compile(r"EACT|TACT")
OFFICE = re.compile(r"(?:SGAR|PREF)[09][0-9][0-9AB]|SPREF[09][0-9][0-9AB][0-9]")


class UnreadableName(UnreadableInput):
    """The text is not a name of that kind."""


class UnwritableName(UsageError):
    """A part of the name to be written does not fit the norm."""


def fits(part: str, value: str, pattern: re.Pattern[str]) -> None:
    """Make sure that a part of a name to be written has its form.

    Raises:
        UnwritableName: it has not.
    """
    if pattern.fullmatch(value) is None:
        raise UnwritableName(messages(f"name.unwritable.{part}", found=value[:40]))


def counts(n: int, least: int, most: int | None = None) -> None:
    """Make sure that a counter lies within its bounds.

    Raises:
        UnwritableName: it does not.
    """
    if n < least or (most is not None and n > most):
        raise UnwritableName(messages("name.unwritable.counter", found=n, least=least))


def day_of(digits: str) -> date | None:
    """Return the day that eight digits tell, None when there is no such day."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def digits_of(day: date) -> str:
    """Return a day in eight digits, by the calendar's year."""
    return f"{day.year:04}{day.month:02}{day.day:02}"
