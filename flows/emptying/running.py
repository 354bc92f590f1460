"""The working copies of what was eliminated: a scheduled run takes each destroyed line of an elimination as far as it goes.

Stopped at any instruction it goes on at the next turn. Each line takes these steps:

1. in one transaction the line learns every digest that the dossiers of the record name, and their rows are deleted: from there on
   nothing leads to a document, which only a new deposit of the same content would name again. So it is of the transfers that came
   to no record and held the same (``rows.alike``); the journal tells each that it went with the record;
2. the octets are removed from the store, but what another row names, and what was put there lately, for that may be about to be
   named; what was made of documents on this machine is thrown away;
3. when none is left, the line is emptied, and the journal tells it of each dossier, whose identifier, states and journal stay.

That a document is not given out any more does not wait for any of this: the record is eliminated (``flows.engine.reading``).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import structlog
from sqlalchemy import literal_column
from sqlmodel import Session, col, select

from archive.elimination.models import EliminationLine
from archive.elimination.states import EMPTIED, FOLLOWED, Outcome
from archive.models import Record
from core import clock, journal
from core.derived import derived_files
from core.errors import NotFound, TabellionError
from core.platform import Platform
from core.principal import PLATFORM
from flows.emptying import contents, rows
from flows.engine.models import Dossier, DossierFile
from flows.helios.flow import HELIOS
from schemas.pes import shelf
from signing.parapheur.models import DocumentKind, Folder, FolderDocument

ACTOR, QUEUE, EVERY = "archive.empty", "archive", timedelta(minutes=1)
SETTLED = timedelta(days=1)
"""How long a document may be in the store before a row names it."""
_log = structlog.get_logger()
_AT_A_TURN, _AT_ONCE = 500, 50
Line = tuple[str, str]
"""An elimination, and a record that it destroyed."""


def run(platform: Platform, _key: str = "") -> None:
    """Empty the dossiers of records that were destroyed, those destroyed first; a bounded number of them."""
    full = select(EliminationLine.elimination_id, EliminationLine.record_id).where(
        col(EliminationLine.outcome) == literal_column(f"'{Outcome.DESTROYED.value}'"),  # the index of these holds no other
        col(EliminationLine.emptied).is_(None),
    )
    with platform.database.reading(PLATFORM) as session:
        due = session.exec(full.order_by(col(EliminationLine.settled), col(EliminationLine.record_id)).limit(_AT_A_TURN)).all()
    for first in range(0, len(due), _AT_ONCE):
        _empty(platform, due[first : first + _AT_ONCE])


def _empty(platform: Platform, due: Collection[Line]) -> None:
    found = {line: digests for line in due if (digests := _unnamed(platform, line)) is not None}
    every = set().union(*found.values())
    with platform.database.reading(PLATFORM) as session:
        shared = contents.still_named(session.connection(), every)
    left = {digest for digest in sorted(every - shared) if not _gone(platform, digest)}
    done = {line: digests for line, digests in found.items() if digests.isdisjoint(left)}
    if done:
        derived_files(platform.settings).forget()
    for line, digests in done.items():
        _write_down(platform, line, shared=len(digests & shared))


def _unnamed(platform: Platform, line: Line) -> set[str] | None:
    """Delete the rows of a line's dossiers; return what they named, now and before. None when that has to wait."""
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, line[1])
        dossiers = rows.dossiers_of(session.connection(), record)
        flows = [sha256 for dossier_id in dossiers for sha256 in _pes_of(session, dossier_id)]
    try:
        digests = {digest for sha256 in flows for digest in _inside(platform, sha256)}
    except TabellionError as error:
        _log.warning("emptying.waits", record=record.id, reason=str(error))
        return None
    with platform.database.writing(PLATFORM) as session:
        connection = session.connection()
        kept = session.get_one(EliminationLine, line)
        for dossier_id in rows.alike(connection, record):
            _tell(session, FOLLOWED, record, dossier_id, elimination=kept.elimination_id)
        for dossier_id in (*dossiers, *rows.followers(connection, record)):
            belonging = rows.belonging(connection, dossier_id)
            digests |= rows.named(connection, dossier_id, belonging)
            rows.destroy(connection, dossier_id, belonging)
        kept.contents = sorted(digests | set(kept.contents))
        return set(kept.contents)


def _tell(session: Session, kind: str, record: Record, dossier_id: str, **facts: object) -> None:
    owner, told = record.organisation_id, {"record": record.id, **facts}
    journal.write(session, organisation_id=owner, dossier_id=dossier_id, kind=kind, actor="platform", facts=told)


def _pes_of(session: Session, dossier_id: str) -> list[str]:
    """Return the flows of a dossier that may hold supporting documents."""
    dossier = session.get_one(Dossier, dossier_id)
    if dossier.flow == HELIOS.name:
        own = select(DossierFile.sha256).where(DossierFile.dossier_id == dossier_id, DossierFile.role == "pes")
        return list(session.exec(own)) if dossier.facts.get("attachments") else []
    main = select(FolderDocument.source_sha256).join(Folder).where(Folder.dossier_id == dossier_id)
    xml = main.where(FolderDocument.kind == DocumentKind.MAIN.value, col(FolderDocument.media_type).endswith("xml"))
    return list(session.exec(xml))


def _inside(platform: Platform, sha256: str) -> list[str]:
    try:
        return list(contents.taken_out(platform, sha256))
    except NotFound:  # the store lost it: nothing was taken out of it lately, and nothing can be learnt of it
        return []


def _gone(platform: Platform, sha256: str) -> bool:
    shelf.forget(platform, sha256)
    return platform.objects.destroy(sha256, clock.now() - SETTLED)


def _write_down(platform: Platform, line: Line, *, shared: int) -> None:
    with platform.database.writing(PLATFORM) as session:
        kept, record = session.get_one(EliminationLine, line), session.get_one(Record, line[1])
        kept.contents, kept.emptied = [], clock.now()
        connection = session.connection()
        for dossier_id in (*rows.dossiers_of(connection, record), *rows.followers(connection, record)):
            _tell(session, EMPTIED, record, dossier_id, elimination=kept.elimination_id, shared=shared)
