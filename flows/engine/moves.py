"""What a move of a dossier writes: its state and next step, its files, its journal entry; all in the caller's transaction.

Plain SQLAlchemy statements rather than the ORM: these run several times for every dossier. What does not live here: who may move
a dossier, and when (`flows.engine.transitions`, `flows.engine.departed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from core import clock, journal
from core.identifiers import new_id
from flows.engine.models import Dossier, DossierFile, Step
from flows.engine.table import Flow, On, Row, Wait
from flows.engine.work import KeptFile

DEADLINE = "deadline"
DEADLINE_QUEUE = "cpu"
_step: Table = Step.__table__  # type: ignore[attr-defined]
_dossier: Table = Dossier.__table__  # type: ignore[attr-defined]
_file: Table = DossierFile.__table__  # type: ignore[attr-defined]


def enter(connection: Connection, flow: Flow, dossier_id: str, organisation_id: str, state: str, **changes: Any) -> None:
    """Put a dossier into a state, with other changes of its row, and plan what that state waits for."""
    values = {"state": state, "since": clock.now(), "parked": None, "overtaken": False, **changes}
    connection.execute(update(_dossier).where(_dossier.c.id == dossier_id).values(**values))
    connection.execute(delete(_step).where(_step.c.dossier_id == dossier_id))
    plan(connection, flow, flow.rows[state], dossier_id, organisation_id)


def plan(connection: Connection, flow: Flow, row: Row, dossier_id: str, organisation_id: str) -> None:
    """Write the step that a dossier waits for in a state: its stage, or the end of its delay; none where it waits for ever."""
    if isinstance(row, On):
        stage, queue, due = flow.actor(row.stage), row.stage.queue, clock.now()
    elif isinstance(row, Wait) and row.within is not None:
        stage, queue, due = f"{flow.name}.{DEADLINE}", DEADLINE_QUEUE, clock.now() + row.within
    else:
        return
    connection.execute(
        insert(_step).values(
            dossier_id=dossier_id, organisation_id=organisation_id, stage=stage, queue=queue, due=due, attempts=0, failures=0
        )
    )


def files_of(connection: Connection, dossier_id: str) -> tuple[KeptFile, ...]:
    """Return the documents of a dossier, oldest first."""
    rows = connection.execute(select(_file).where(_file.c.dossier_id == dossier_id).order_by(_file.c.created, _file.c.id))
    return tuple(KeptFile(row.role, row.name, row.media_type, row.sha256, row.size, row.created) for row in rows)


def add_files(connection: Connection, organisation_id: str, dossier_id: str, files: tuple[KeptFile, ...]) -> None:
    """Add documents to a dossier."""
    for kept in files:
        connection.execute(
            insert(_file).values(
                id=new_id(),
                organisation_id=organisation_id,
                dossier_id=dossier_id,
                role=kept.role,
                name=kept.name,
                media_type=kept.media_type,
                sha256=kept.sha256,
                size=kept.size,
                created=clock.now(),
            )
        )


def digests(files: tuple[KeptFile, ...]) -> dict[str, Any]:
    """Return what a journal entry says of documents that were added."""
    return {"files": [{"role": kept.role, "sha256": kept.sha256, "size": kept.size} for kept in files]} if files else {}


def tell(
    session: Any, organisation_id: str, dossier_id: str, kind: str, facts: Mapping[str, Any], actor: str = "platform"
) -> None:
    """Write the journal entry of a move."""
    journal.write(session, organisation_id=organisation_id, dossier_id=dossier_id, kind=kind, actor=actor, facts=dict(facts))
