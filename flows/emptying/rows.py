"""What the database keeps of a dossier beside its states and its journal: which rows, what they name, how they go.

A row belongs to a dossier when it names it, or hangs on one that does. Whatever its table is for, it goes, unless it is said here
that it stays: a flow that learns to keep more has nothing to declare, and nothing is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Table, delete, or_, select, update
from sqlmodel import SQLModel, col

from archive.elimination.states import EMPTIED, FOLLOWED
from archive.models import Record
from core import journal
from core.folding import folded
from core.journal import JournalEntry
from flows.engine.models import Dossier, DossierFile
from flows.sae.models import SaeTransfer
from flows.sae.stages import RECORD
from flows.transfers.flow import TRANSFER, WITHOUT_RECORD
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import PACKAGE, SAME_AS
from signing.parapheur.models import FolderDocument, FolderSigning, Task
from signing.sittings.models import SittingItem

# Columns that hold digests of what the store of documents never held.
_NEVER_STORED = frozenset({("mail_event", "sha256"), ("mail_notice", "sha256"), ("chorus_exchange", "sha256")})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_tables = SQLModel.metadata.tables
_dossier, _file, _transfer, _handing = (
    _tables[str(one.__tablename__)] for one in (Dossier, DossierFile, ArchiveTransfer, SaeTransfer)
)
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


def alike(connection: Connection, record: Record) -> list[str]:
    """Return the transfers that came to no record and hold what one that was destroyed held, however their sender packed it.

    They are tries, repeats and refusals from before the destruction, known by their package or its manifest: their documents are
    copies of the record's, and nobody's own. What came later, or is under way, is a transfer in its own right. So is, though its
    manifest may still be known, what went with a record before, this one or another: the journal tells that (``followers``).
    """
    if record.kind != TRANSFER.name:
        return []
    own = (_dossier.c.organisation_id == record.organisation_id, _dossier.c.flow == TRANSFER.name)
    packages = select(_file.c.dossier_id).where(_file.c.role == PACKAGE, _file.c.sha256 == record.sha256)
    itself = select(_transfer.c.manifest_sha256).where(_transfer.c.dossier_id == record.dossier_id)
    manifests = select(_transfer.c.dossier_id).where(
        _transfer.c.organisation_id == record.organisation_id, _transfer.c.manifest_sha256.in_(itself)
    )
    repeats = _dossier.c.facts[SAME_AS].as_string().in_(manifests)
    same = or_(_dossier.c.id.in_(packages), _dossier.c.id.in_(manifests), repeats)
    ended = (_dossier.c.state.in_(WITHOUT_RECORD), _dossier.c.created <= record.eliminated)
    found = list(connection.execute(select(_dossier.c.id).where(*own, *ended, same).order_by(_dossier.c.id)).scalars())
    went = select(col(JournalEntry.dossier_id)).where(
        col(JournalEntry.dossier_id).in_(found), col(JournalEntry.kind).in_((FOLLOWED, EMPTIED))
    )
    gone = set(connection.execute(went).scalars())
    return [dossier_id for dossier_id in found if dossier_id not in gone]


def followers(connection: Connection, record: Record) -> list[str]:
    """Return the transfers that came to no record and went with one that was destroyed, as the journal tells.

    It is asked apart from the dossiers (``alike``): of both at once PostgreSQL can use no index, and reads every dossier.
    """
    told = select(col(JournalEntry.dossier_id)).where(journal.about(record.id), col(JournalEntry.kind) == FOLLOWED)
    return sorted({dossier_id for dossier_id in connection.execute(told).scalars() if dossier_id})


def dossiers_of(connection: Connection, record: Record) -> list[str]:
    """Return the dossiers that keep something of a record: its own, and those that hand it over to an archive service outside."""
    handing = select(_handing.c.dossier_id).where(_handing.c.record_id == record.id)
    either = (_dossier.c.id == record.dossier_id) | _dossier.c.id.in_(handing)
    return list(connection.execute(select(_dossier.c.id).where(either).order_by(_dossier.c.id)).scalars())
