"""Who has a part in an elimination: who makes it, the control of the State, and the producer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from core.principal import Principal, Right

RIGHTS = (Right.ARCHIVE, Right.CONTROL, Right.ADMINISTER, Right.DEPOSIT)
_BY_OFFICE = frozenset({Right.ARCHIVE, Right.CONTROL})


def taking_part(principal: Principal) -> Principal:
    """Return the principal as it is where it has a part in eliminations, and nowhere else."""
    return replace(principal, grants={where: held for where, held in principal.grants.items() if _takes_part(held)})


def _takes_part(held: Collection[Right]) -> bool:
    """Tell whether these rights give a part: who surveys without reading operates, and sees no title on any list."""
    if not _BY_OFFICE.isdisjoint(held):
        return True
    return not set(RIGHTS).isdisjoint(held) and (Right.READ in held or Right.SURVEY not in held)
