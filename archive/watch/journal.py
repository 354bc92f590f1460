"""The journal: its entries, its tree, its heads and its segments recomputed, row by row.

What lives here: how a walk through it is cut into goes, and what its faults mean for an incident. What does not: the walk itself
(`archive.proof.checking`).
"""

from __future__ import annotations

from datetime import datetime

from archive.proof import checking
from archive.proof.fault import Fault
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, place_named
from core.platform import Platform

_SEGMENT = "segment"
"""What the walk calls an object of a place; all else that it names is a row of a table."""


def total(platform: Platform, place: str) -> int:
    """Return how many leaves the tree has."""
    del place
    return checking.places(platform)


def look(platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
    """Check the next leaves, and all that ends with one of them.

    Raises:
        Unavailable, Misconfigured: a place that segments stand in does not answer, or refuses us.
    """
    del place, started
    first = int(cursor or 0)
    last = min(checking.places(platform), first + budget.count)
    troubles = tuple(_trouble(platform, fault) for fault in checking.faults(platform, first, budget.count))
    return Look(max(0, last - first), 0, troubles, str(last) if last > first else None)


def _trouble(platform: Platform, fault: Fault) -> Trouble:
    facts = {"what": fault.what, "expected": fault.expected, "found": fault.found}
    if fault.table != _SEGMENT:
        return Trouble(Kind.JOURNAL_FAULT, "", f"{fault.table}/{fault.key}", facts)
    name, _, key = fault.key.partition(" ")
    if fault.what == "unreachable":
        # A store that finds its own checksum broken answers with an error: it is silent of these bytes, not altogether.
        place_named(platform, name).store.versions(key)
        facts["what"] = "unreadable"
    return Trouble(Kind.OBJECT_MISSING if fault.what == "missing" else Kind.OBJECT_ALTERED, name, key, facts)
