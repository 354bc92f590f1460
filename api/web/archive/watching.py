"""Who sees how the archive is watched: those who manage it and those who operate it, each for their own organisations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from core.database import Database, ScopedSession
from core.principal import Principal, Right

WATCHES = frozenset({Right.ARCHIVE, Right.OPERATE})
"""The rights of which one is enough."""


def watcher(principal: Principal) -> Principal:
    """Return the principal as it is where it may watch, and nowhere else."""
    return replace(principal, grants={where: rights for where, rights in principal.grants.items() if rights & WATCHES})


@contextmanager
def watched(database: Database, principal: Principal) -> Iterator[ScopedSession]:
    """Open a session that sees what the principal may watch, which is less than where it holds any right."""
    with database.reading(watcher(principal)) as session:
        yield session
