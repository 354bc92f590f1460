"""The keys of depositors: what is asked again under one was done already, and nothing else is asked under it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from core.canonical import canonical_bytes
from core.database import ScopedSession
from core.errors import Conflict
from core.messages import Catalogue
from flows.engine.models import DepositKey, Dossier

_messages = Catalogue("flows.engine")


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request that bears a key.

    Attributes:
        asked: SHA-256 of all that is asked.
    """

    organisation_id: str
    key: str
    asked: str

    @classmethod
    def of(cls, organisation_id: str, key: str, said: Mapping[str, Any]) -> Keyed:
        """Bind a key to what is asked: JSON without floats."""
        return cls(organisation_id, key, hashlib.sha256(canonical_bytes(dict(said))).hexdigest())

    def named(self, session: ScopedSession, before: Callable[[Dossier], bool] = lambda _: False) -> Dossier | None:
        """Return the dossier that the key names, where this was asked already; None for a new key.

        Args:
            session: in which it is looked for.
            before: tells whether a dossier is the one that is asked for, where what was asked was not kept yet.

        Raises:
            Conflict: something else was asked under the key.
        """
        own = (DepositKey.organisation_id == self.organisation_id, DepositKey.key == self.key)
        found = session.exec(select(DepositKey, Dossier).join(Dossier).where(*own)).first()
        if found is None:
            return None
        known, dossier = found
        if not (before(dossier) if known.asked is None else known.asked == self.asked):
            raise Conflict(_messages("deposit.key_taken", key=self.key), dossier.id)
        return dossier

    def keep(self, session: ScopedSession, dossier_id: str) -> None:
        """Have the key name a dossier from now on."""
        session.add(
            DepositKey(organisation_id=self.organisation_id, key=self.key, dossier_id=dossier_id, asked=self.asked),
        )


def made_with(organisation_id: str, key: str) -> ColumnElement[bool]:
    """Return the condition that a dossier is the one that a key names."""
    own = select(DepositKey.dossier_id).where(DepositKey.organisation_id == organisation_id, DepositKey.key == key)
    return col(Dossier.id).in_(own)
