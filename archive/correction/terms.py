"""What a record says of how long it is kept and hidden, and which way a change of it goes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

from archive.models import Record
from schemas.seda.model import FinalAction

_DAYS = ("keep_until", "open_from")


@dataclass(frozen=True, slots=True)
class Terms:
    """The facts of a record that its rules make, as `archive.models.Record` names them."""

    rule: str
    final_action: str
    keep_until: date | None
    access: str
    open_from: date | None

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return what a record says."""
        return cls(record.rule, record.final_action, record.keep_until, record.access, record.open_from)

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Return what ``as_json`` wrote."""
        return cls(**said | {name: date.fromisoformat(said[name]) if said[name] else None for name in _DAYS})

    def as_json(self) -> dict[str, Any]:
        """Return them as they are kept and journalled."""
        return asdict(self) | {name: day.isoformat() if (day := getattr(self, name)) else None for name in _DAYS}

    def write(self, record: Record) -> None:
        """Have a record say it."""
        for name, value in asdict(self).items():
            setattr(record, name, value)

    @property
    def retention(self) -> tuple[str, str, date | None]:
        """The part that says how long it is kept, and what happens then."""
        return self.rule, self.final_action, self.keep_until

    @property
    def hiding(self) -> tuple[str, date | None]:
        """The part that says how long it is hidden."""
        return self.access, self.open_from


def loosens(before: Terms, after: Terms) -> bool:
    """Tell whether a record would be open earlier, kept for less long, or destroyed instead of kept: one person is not enough.

    What was to be destroyed and is kept for ever is kept longer, whatever the end of its retention becomes.
    """
    destroyed = FinalAction.DESTROY.value
    saved = before.final_action == destroyed != after.final_action
    doomed = before.final_action != destroyed == after.final_action
    shorter = not saved and _earlier(before.keep_until, after.keep_until)
    return doomed or shorter or _earlier(before.open_from, after.open_from)


def _earlier(before: date | None, after: date | None) -> bool:
    """Tell whether a day comes earlier than another; one that is not known never comes."""
    return after is not None and (before is None or after < before)
