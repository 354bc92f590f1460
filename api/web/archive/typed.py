"""What people type into the forms of the archive."""

from __future__ import annotations

from datetime import date

from core.errors import UsageError


def day(text: str, otherwise: str) -> date:
    """Return the day that a field gives.

    Raises:
        UsageError: it gives none; ``otherwise`` is what is said then.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(otherwise) from error
