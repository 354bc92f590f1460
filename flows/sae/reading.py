"""Reading transfers to archive services outside, for whoever looks at them: lists in keyset pages. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case
from sqlmodel import col, select

from archive.finding.seeing import open_to
from archive.models import Record
from core.database import Database
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.models import Dossier
from flows.engine.reading import Place, beyond, counted
from flows.sae.intake import waiting
from flows.sae.knowledge import account_of, accounts, settings_of
from flows.sae.models import SaeTransfer

_SEES = frozenset({Right.READ, Right.ARCHIVE})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transfers to list; what is left empty does not narrow."""

    organisations: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    after: Place | None = None
    before: Place | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A transfer as the list shows it; ``problems`` is why it is refused, as in ``check --json``."""

    id: str
    organisation_id: str
    title: str
    state: str
    since: datetime
    parked: str | None
    problems: list[dict[str, Any]]
    created: datetime
    record_id: str
    system: str
    identifier: str
    cote: str
    code: str
    sent: datetime | None
    settled: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, newest first; ``total`` and ``exact`` are those of ``flows.engine.reading.Page``."""

    lines: tuple[Line, ...]
    total: int
    exact: bool
    after: Place | None
    before: Place | None


_COLUMNS = (
    Dossier.id,
    Dossier.organisation_id,
    case((col(Record.title) != "", col(Record.title)), else_=Dossier.title),  # that of a dossier is shown to software as well
    Dossier.state,
    Dossier.since,
    Dossier.parked,
    Dossier.problems,
    Dossier.created,
    SaeTransfer.record_id,
    SaeTransfer.system,
    SaeTransfer.identifier,
    SaeTransfer.cote,
    SaeTransfer.code,
    SaeTransfer.sent,
    SaeTransfer.settled,
)


def seeing(principal: Principal) -> Principal:
    """Return the principal as it is where it reads archives or manages them, and nowhere else."""
    return replace(principal, grants={where: held for where, held in principal.grants.items() if held & _SEES})


def list_transfers(database: Database, principal: Principal, wanted: Wanted) -> Page:
    """Return a page of the transfers that a principal may see; ``before`` counts only when ``after`` is not given."""
    backwards = wanted.after is None and wanted.before is not None
    newest_first = (col(Dossier.created).desc(), col(Dossier.id).desc())
    oldest_first = (col(Dossier.created), col(Dossier.id))
    with database.reading(seeing(principal)) as session:
        conditions = open_to(session.principal), *_conditions(wanted)
        rows = session.execute(
            select(*_COLUMNS)  # type: ignore[call-overload]
            .join(SaeTransfer, col(SaeTransfer.dossier_id) == Dossier.id)
            .join(Record, col(Record.id) == SaeTransfer.record_id)
            .where(*conditions, *beyond(wanted.after, wanted.before))
            .order_by(*(oldest_first if backwards else newest_first))
            .limit(wanted.limit + 1)
        ).all()
        known = select(Dossier.id).join(SaeTransfer, col(SaeTransfer.dossier_id) == Dossier.id)
        total, exact = counted(session, known.join(Record, col(Record.id) == SaeTransfer.record_id).where(*conditions))
    more = len(rows) > wanted.limit
    lines = [Line(*row) for row in rows[: wanted.limit]]
    if backwards:
        lines.reverse()
    has_next, has_previous = (True, more) if backwards else (more, wanted.after is not None)
    return Page(
        tuple(lines),
        total,
        exact,
        Place(lines[-1].created, lines[-1].id) if lines and has_next else None,
        Place(lines[0].created, lines[0].id) if lines and has_previous else None,
    )


def waiting_for(platform: Platform, principal: Principal) -> list[Record]:
    """Return the oldest records that a principal may hand over and that nobody has: of the kinds that are configured."""
    managed = [one for one in principal.organisations if principal.may(Right.ARCHIVE, one)]
    with platform.database.reading(PLATFORM) as session:
        paths = session.exec(select(Organisation.id, Organisation.path).where(col(Organisation.id).in_(managed))).all()
        configured = accounts(session)
    served: dict[str, list[str]] = {}
    for organisation, path in paths:
        account = account_of(path, configured)
        if account is not None:
            served.setdefault(account, []).append(organisation)
    found: list[Record] = []
    for account, organisations in sorted(served.items()):
        kinds = sorted(settings_of(platform, account).kinds)
        with platform.database.reading(principal) as session:
            found += waiting(session, organisations, kinds, open_to(principal))
    return sorted(found, key=lambda record: (record.sealed, record.id))


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.organisations:
        conditions.append(col(Dossier.organisation_id).in_(wanted.organisations))
    if wanted.states:
        conditions.append(col(Dossier.state).in_(wanted.states))
    return conditions
