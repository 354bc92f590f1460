"""Time, read in one place: UTC inside, Europe/Paris on screen."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


def now() -> datetime:
    """Return the present moment, aware, in UTC, to the microsecond."""
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; one read back from a database without a zone is in UTC already.

    Raises:
        ValueError: its zone takes it out of the calendar.
    """
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def in_paris(moment: datetime) -> datetime:
    """Return the moment as the clocks of metropolitan France show it."""
    return as_utc(moment).astimezone(PARIS)


def iso(moment: datetime) -> str:
    """Return the moment as RFC 3339 in UTC with a final ``Z``, microseconds kept."""
    return as_utc(moment).isoformat().replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Return the moment that ``iso`` wrote.

    Raises:
        ValueError: it is no RFC 3339 moment.
    """
    return as_utc(datetime.fromisoformat(text))
