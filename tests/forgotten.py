"""Dossiers that a restored backup has as they were, for the tests of what becomes of those that left meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select

from api.runtime import build_engine
from core import clock
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.brokers import open_broker
from flows.engine.execution import Engine
from flows.engine.models import Dossier, DossierFile, Step


@dataclass(frozen=True)
class ByHand:
    """Stages that are performed one after the other, when they are told to."""

    platform: Platform
    engine: Engine

    @classmethod
    @contextmanager
    def at_work(cls, platform: Platform) -> Iterator[ByHand]:
        broker = open_broker("memory://")
        engine = build_engine(platform, broker)
        try:
            yield cls(platform, engine)
        finally:
            engine.leases.close()
            broker.close()

    def run(self, dossier_id: str, *, until: str = "") -> Dossier:
        """Perform the stages that a dossier is due for until it waits or ends, or is in a state."""
        while (stage := self._due(dossier_id)) is not None and dossier(self.platform, dossier_id).state != until:
            self.engine.broker.get_actor(stage)(dossier_id)
        return dossier(self.platform, dossier_id)

    def _due(self, dossier_id: str) -> str | None:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Step.stage).where(Step.dossier_id == dossier_id, Step.due <= clock.now())).first()


def dossier(platform: Platform, dossier_id: str) -> Dossier:
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(Dossier, dossier_id)


def files(platform: Platform, dossier_id: str) -> dict[str, DossierFile]:
    """The newest document of each role."""
    with platform.database.reading(PLATFORM) as session:
        own = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
        return {kept.role: kept for kept in session.exec(own.order_by(col(DossierFile.created), col(DossierFile.id)))}


def entries(platform: Platform, dossier_id: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        own = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
        return list(session.exec(own.order_by(col(JournalEntry.number))))


def forget(platform: Platform, dossier_id: str, state: str, facts: Mapping[str, Any], roles: Collection[str]) -> None:
    """Have a dossier as a backup does that was made when it stood in a state; the journal was brought forward."""
    with platform.database.writing(PLATFORM) as session:
        found = session.get_one(Dossier, dossier_id)
        found.state, found.facts, found.parked, found.overtaken = state, dict(facts), "la base a été restaurée", True
        session.connection().execute(delete(Step).where(col(Step.dossier_id) == dossier_id))
        for kept in session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)):
            if kept.role not in roles:
                session.delete(kept)
