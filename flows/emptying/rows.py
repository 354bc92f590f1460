"""What the database keeps of a dossier beside its states and its journal: which rows, what they name, how they go.

A row belongs to a dossier when it names it, or hangs on one that does. Whatever its table is for, it goes, unless it is said here
that it stays: a flow that learns to keep more has nothing to declare, and nothing is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Table, delete, or_, select, update
from sqlmodel import SQLModel

from core.folding import folded
from flows.engine.models import Dossier
from flows.sae.models import SaeTransfer
from flows.sae.stages import RECORD
from flows.transfers.models import ArchiveTransfer
from signing.parapheur.models import FolderDocument, FolderSigning, Task
from signing.sittings.models import SittingItem

# Columns that hold digests of what the store of documents never held.
_NEVER_STORED = frozenset({("mail_event", "sha256"), ("mail_notice", "sha256"), ("chorus_exchange", "sha256")})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_tables = SQLModel.metadata.tables
_dossier, _transfer, _handing = (_tables[str(one.__tablename__)] for one in (Dossier, ArchiveTransfer, SaeTransfer))
_task, _document, _signing, _item = (
    _tables[str(one.__tablename__)] for one in (Task, FolderDocument, FolderSigning, SittingItem)
)
# Those of transfers hold identifiers, of messages, agencies and archives outside: nothing is taken or handed over twice.
_STAYS = frozenset({_dossier.name, "step", "journal_entry", "record", _handing.name, _transfer.name})
Belonging = Mapping[Table, ColumnElement[bool]]


def belonging(connection: Connection, dossier_id: str) -> Belonging:
    """Return the tables that hold rows of a dossier, each after those that it hangs on, and which rows these are."""
    found: dict[Table, ColumnElement[bool]] = {}
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in _STAYS and (ways := list(_ways(table, found, dossier_id))):
            found[table] = or_(*ways)
    found[_item] = _signed(connection, found)
    return found


def _ways(table: Table, found: Belonging, dossier_id: str) -> Iterator[ColumnElement[bool]]:
    if "dossier_id" in table.c:
        yield table.c.dossier_id == dossier_id
    for key in table.foreign_keys:
        above = key.column.table
        if above in found and above is not table:
            yield key.parent.in_(select(key.column).where(found[above]))


def _signed(connection: Connection, found: Belonging) -> ColumnElement[bool]:
    """Return which documents of sittings are those of the dossier's folder: they bear ``<task>/<document>``, and no key."""
    tasks, documents = (connection.execute(select(one.c.id).where(found[one])).scalars().all() for one in (_task, _document))
    return _item.c.reference.in_([f"{task}/{document}" for task in tasks for document in documents])


def named(connection: Connection, dossier_id: str, found: Belonging) -> set[str]:
    """Return every digest that a dossier and what belongs to it name: of objects in the store, most of them."""
    facts = connection.execute(select(_dossier.c.facts).where(_dossier.c.id == dossier_id)).scalar()
    digests = set(_digests(facts))
    for table, belongs in found.items():
        columns = [column for column in table.c if is_digest(table, column.name) or isinstance(column.type, JSON)]
        if columns:
            digests |= {digest for row in connection.execute(select(*columns).where(belongs)) for digest in _digests(list(row))}
    return digests


def is_digest(table: Table, column: str) -> bool:
    """Tell whether a column holds digests of objects in the store of documents."""
    return "sha256" in column and (table.name, column) not in _NEVER_STORED


def _digests(value: Any) -> Iterator[str]:
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        yield value
    elif isinstance(value, Mapping):
        yield from _digests(list(value.values()))
    elif isinstance(value, list):
        for one in value:
            yield from _digests(one)


def destroy(connection: Connection, dossier_id: str, found: Belonging) -> None:
    """Delete what belongs to a dossier, and leave of itself what is not personal: its flow, its state, its moments.

    Its identifier stands for its title, as for whoever may not read it.
    """
    sittings = select(_item.c.sitting_id).where(found[_item])
    words = {"note": "", "private_note": "", "fields": {}}
    connection.execute(update(_signing).where(_signing.c.sitting_id.in_(sittings)).values(words))
    for table, belongs in reversed(list(found.items())):
        connection.execute(delete(table).where(belongs))
    connection.execute(update(_transfer).where(_transfer.c.dossier_id == dossier_id).values(comment=""))
    facts = connection.execute(select(_dossier.c.facts).where(_dossier.c.id == dossier_id)).scalar() or {}
    left = {name: facts[name] for name in facts.keys() & {RECORD}}  # what hands it over may still be under way
    named = {"title": dossier_id, "sought": folded(dossier_id)}
    blank: dict[str, Any] = named | {"facts": left, "problems": [], "parked": None}
    connection.execute(update(_dossier).where(_dossier.c.id == dossier_id).values(blank))


def dossiers_of(connection: Connection, record_id: str, dossier_id: str | None) -> list[str]:
    """Return the dossiers that keep something of a record: its own, and those that hand it over to an archive service outside."""
    handing = select(_handing.c.dossier_id).where(_handing.c.record_id == record_id)
    either = (_dossier.c.id == dossier_id) | _dossier.c.id.in_(handing)
    return list(connection.execute(select(_dossier.c.id).where(either).order_by(_dossier.c.id)).scalars())
