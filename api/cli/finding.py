"""What ``doctor`` finds: one part examined, in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from core.errors import TabellionError


@dataclass(frozen=True, slots=True)
class Finding:
    """One part examined: its name, whether it is well, what was seen, what to do."""

    part: str
    well: bool
    seen: str
    mend: str = ""


def tried(part: str, look: Callable[[], str], mend: str) -> Finding:
    """Return what a look saw; what it met instead, and how to mend it, when it could not."""
    try:
        return Finding(part, True, look())
    except (TabellionError, SQLAlchemyError, HTTPError, OSError) as error:
        return Finding(part, False, str(error).splitlines()[0][:200], mend)
