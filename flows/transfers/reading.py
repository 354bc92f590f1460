"""Reading transfers for whoever looks at them: lists in keyset pages, one transfer with what was found. Nothing here writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, or_, select

from archive.ingest.models import ArchiveAgreement
from core.database import Database, ScopedSession
from core.errors import NotFound
from core.folding import holds
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import reading as dossiers
from flows.engine.models import Dossier, DossierFile
from flows.engine.reading import Place, Seen
from flows.transfers.flow import TRANSFER
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import REPORT, SAME_AS

_messages = Catalogue("flows.transfers")
_LARGEST_REPORT = 8 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transfers to list; what is left empty does not narrow.

    Attributes:
        text: a part of the title, or a whole identifier: of the dossier, or of the message.
    """

    organisations: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    agreement: str = ""
    text: str = ""
    after: Place | None = None
    before: Place | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A transfer as the list shows it."""

    id: str
    organisation_id: str
    title: str
    state: str
    since: datetime
    parked: str | None
    created: datetime
    identifier: str
    transferring_agency: str
    agreement_id: str | None
    objects: int
    size: int
    code: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, newest first; ``total`` and ``exact`` are those of ``flows.engine.reading.Page``."""

    lines: tuple[Line, ...]
    total: int
    exact: bool
    after: Place | None
    before: Place | None


@dataclass(frozen=True, slots=True)
class SeenTransfer:
    """A transfer with what belongs to it.

    Attributes:
        agreement: as its transfers know it, though only the organisation above may see it as its own.
        original: the dossier that this one repeats; None for any other.
    """

    seen: Seen
    transfer: ArchiveTransfer
    agreement: ArchiveAgreement | None
    original: str | None


_COLUMNS = (
    Dossier.id,
    Dossier.organisation_id,
    Dossier.title,
    Dossier.state,
    Dossier.since,
    Dossier.parked,
    Dossier.created,
    ArchiveTransfer.identifier,
    ArchiveTransfer.transferring_agency,
    ArchiveTransfer.agreement_id,
    ArchiveTransfer.objects,
    ArchiveTransfer.size,
    ArchiveTransfer.code,
)


def list_transfers(database: Database, principal: Principal, wanted: Wanted) -> Page:
    """Return a page of the transfers that a principal may read; ``before`` counts only when ``after`` is not given."""
    backwards = wanted.after is None and wanted.before is not None
    newest_first = (col(Dossier.created).desc(), col(Dossier.id).desc())
    oldest_first = (col(Dossier.created), col(Dossier.id))
    conditions = Dossier.flow == TRANSFER.name, *_conditions(wanted)
    with dossiers.opened(database, principal) as session:
        rows = session.execute(
            select(*_COLUMNS)  # type: ignore[call-overload]
            .join(ArchiveTransfer, col(ArchiveTransfer.dossier_id) == Dossier.id)
            .where(*conditions, *dossiers.beyond(wanted.after, wanted.before))
            .order_by(*(oldest_first if backwards else newest_first))
            .limit(wanted.limit + 1)
        ).all()
        known = select(Dossier.id).join(ArchiveTransfer, col(ArchiveTransfer.dossier_id) == Dossier.id).where(*conditions)
        total, exact = dossiers.counted(session, known)
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


def awaited(database: Database, principal: Principal, most: int) -> int:
    """Return how many transfers that a principal may read wait for their decision; counted up to a bound."""
    managed = [one for one in principal.organisations if principal.may(Right.ARCHIVE, one)]
    waiting = (Dossier.state == "to_accept", Dossier.flow == TRANSFER.name, col(Dossier.organisation_id).in_(managed))
    with dossiers.opened(database, principal) as session:
        return len(session.exec(select(Dossier.id).where(*waiting).limit(most)).all())


def seen(database: Database, principal: Principal, dossier_id: str) -> SeenTransfer:
    """Return a transfer.

    Raises:
        NotFound: there is none of that identifier that the principal may read.
    """
    with dossiers.opened(database, principal) as session:
        transfer = _transfer(session, dossier_id)
        found = dossiers.seen(session, dossier_id)
    with database.reading(PLATFORM) as session:  # the agreement is often that of an organisation above
        agreement = session.get(ArchiveAgreement, transfer.agreement_id) if transfer.agreement_id else None
    return SeenTransfer(found, transfer, agreement, found.dossier.facts.get(SAME_AS))


def file_of(database: Database, principal: Principal, dossier_id: str, role: str) -> DossierFile:
    """Return the newest file of a role; a repeated transfer has those of the one that it repeats.

    Raises:
        NotFound: there is no such transfer, or no such file yet.
    """
    found = seen(database, principal, dossier_id)
    own = _newest(found.seen.files, role)
    if own is None and found.original:
        own = _newest(seen(database, principal, found.original).seen.files, role)
    if own is None:
        raise NotFound(_messages(f"file.{role}"))
    return own


def report_of(platform: Platform, files: Sequence[DossierFile]) -> dict[str, Any] | None:
    """Return what the checks found, as ``report`` wrote it; None while they have not been made.

    Raises:
        Unavailable: the store does not answer.
    """
    kept = _newest(files, REPORT)
    if kept is None or kept.size > _LARGEST_REPORT:
        return None
    with platform.objects.reading(kept.sha256) as stream:
        told: dict[str, Any] = json.loads(stream.read())
    return told


def _transfer(session: ScopedSession, dossier_id: str) -> ArchiveTransfer:
    found = session.exec(select(ArchiveTransfer).where(ArchiveTransfer.dossier_id == dossier_id)).first()
    if found is None:
        raise NotFound(_messages("transfer.unknown"))
    return found


def _newest(files: Sequence[DossierFile], role: str) -> DossierFile | None:
    return next((kept for kept in reversed(files) if kept.role == role), None)


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.organisations:
        conditions.append(col(Dossier.organisation_id).in_(wanted.organisations))
    if wanted.states:
        conditions.append(col(Dossier.state).in_(wanted.states))
    if wanted.agreement:
        conditions.append(col(ArchiveTransfer.agreement_id) == wanted.agreement)
    if wanted.text:
        here = (col(Dossier.id) == wanted.text) | (col(ArchiveTransfer.identifier) == wanted.text)
        conditions.append(or_(holds(Dossier.sought, wanted.text), here))
    return conditions
