"""A small tree of organisations, and people who may act in parts of it."""

from __future__ import annotations

from dataclasses import dataclass

from core.organisations import Organisation
from core.principal import Principal, Right


@dataclass(frozen=True)
class Tree:
    """A platform, a commune with a service below it, and another commune."""

    root: Organisation
    mairie: Organisation
    service: Organisation
    other: Organisation

    def agent(self, *organisations: Organisation) -> Principal:
        """Somebody who may do everything in these organisations, and nothing elsewhere."""
        return Principal("person:agent", {organisation.id: frozenset(Right) for organisation in organisations})
