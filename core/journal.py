"""The journal: one append-only table of everything that happens, whatever the flow.

An entry is written in the same transaction as what it tells. Its leaf, the bytes that enter the Merkle tree of the archive,
holds identifiers and digests only: nothing personal, so that eliminating a document never asks for the journal to be altered.
The database refuses to change or delete an entry (triggers, see the first migration).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, Table, Text, insert
from sqlalchemy.ext.compiler import compiles
from sqlmodel import Field, Session

from core import clock
from core.canonical import canonical_bytes
from core.clock import iso
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id

LEAF_VERSION = 1
_ABOUT = "coalesce(facts ->> 'record', facts ->> 'hold', facts ->> 'elimination', facts ->> 'incident')"


class _About(ColumnElement[str]):
    """What an entry of the archive is about, as the database computes it of the facts: only an index has it, none can differ."""

    inherit_cache = True
    type = Text()


@compiles(_About)
def _computed(_about: _About, _compiler: object, **_options: object) -> str:
    return _ABOUT


@compiles(_About, "sqlite")
def _computed_in_sqlite(_about: _About, _compiler: object, **_options: object) -> str:
    # Facts that were tampered with until they are no JSON are told by those who check the journal, not by the index.
    return f"CASE WHEN json_valid(facts) THEN {_ABOUT} END"


_SAYS_IT = _About().is_not(None)


class JournalEntry(Owned, table=True):
    """One thing that happened.

    Attributes:
        number: rank of writing; two transactions under way may commit out of rank.
        id: the entry's own identifier, which its leaf carries.
        actor: who acted: ``platform``, ``person:<id>``, ``token:<id>``.
        kind: what happened, as ``<what>.<did>``: ``dossier.received``, ``helios.transmit.sent``, ``record.sealed``.
        facts: identifiers, digests, counts, codes; JSON without floats.
    """

    __tablename__ = "journal_entry"
    __table_args__ = (
        Index("journal_entry_of_dossier", "dossier_id", "number"),
        Index("journal_entry_about", _About(), "number", sqlite_where=_SAYS_IT, postgresql_where=_SAYS_IT),
    )

    number: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    id: str = Field(default_factory=new_id, max_length=26, unique=True)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    dossier_id: str | None = Field(default=None, max_length=26)
    at: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    actor: str = Field(max_length=40)
    kind: str = Field(max_length=80)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))

    def leaf(self) -> bytes:
        """Return the bytes of the entry's leaf: canonical JSON (sorted keys, no spaces, UTF-8)."""
        return canonical_bytes(
            {
                "v": LEAF_VERSION,
                "id": self.id,
                "organisation": self.organisation_id,
                "dossier": self.dossier_id,
                "at": iso(self.at),
                "actor": self.actor,
                "kind": self.kind,
                "facts": self.facts,
            }
        )


_entries: Table = JournalEntry.__table__  # type: ignore[attr-defined]
_append = insert(_entries)


def about(identifier: str) -> ColumnElement[bool]:
    """Return the condition that an entry is about a record, a hold, an elimination or an incident; answered from an index."""
    return _About() == identifier


def write(
    session: Session,
    *,
    organisation_id: str,
    kind: str,
    actor: str,
    dossier_id: str | None = None,
    facts: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> str:
    """Append an entry in the session's transaction and return its identifier.

    A plain insert: this runs at every transition of every dossier, where the ORM would double the cost. ``at`` is the moment
    that another row of the transaction tells too; now, when not given.

    Raises:
        TypeError, ValueError: the facts have no canonical form.
    """
    told = facts or {}
    # An entry cannot be changed any more: one without a leaf would keep every later one out of the tree.
    canonical_bytes(told)
    identifier = new_id()
    session.connection().execute(
        _append,
        {
            "id": identifier,
            "organisation_id": organisation_id,
            "dossier_id": dossier_id,
            "at": at or clock.now(),
            "actor": actor,
            "kind": kind,
            "facts": told,
        },
    )
    return identifier
