"""Who sees how the archive is watched: those who manage it and those who operate it, each for their own organisations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import col, select

from api.web.visitor import Visitor
from archive.watch.incidents import watcher
from core.database import Database, ScopedSession
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right


@contextmanager
def watched(database: Database, principal: Principal) -> Iterator[ScopedSession]:
    """Open a session that sees what the principal may watch, which is less than where it holds any right."""
    with database.reading(watcher(principal)) as session:
        yield session


def operates_all(platform: Platform, visitor: Visitor) -> bool:
    """Tell whether the visitor operates the platform as a whole: the audits go over all organisations at once."""
    operated = visitor.where(Right.OPERATE)
    if not operated:
        return False
    wanted = col(Organisation.id).in_(operated)
    with platform.database.reading(PLATFORM) as session:
        asked = select(Organisation.id).where(wanted, Organisation.kind == OrganisationKind.PLATFORM.value)
        return session.exec(asked).first() is not None
