"""The reading room: somebody outside asks to read records; an archivist gives what is open, the State what is not open yet.

Two steps, and for a derogation two persons (C. patr. L.213-3). Who asks, and why, stands in the table of requests only; the
journal holds identifiers. What does not live here: the link that the reader is given on agreement (`archive.finding.links`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Table, func, update
from sqlmodel import Session, col, select

from archive.finding.dip import LARGEST
from archive.finding.files import count_of
from archive.finding.models import ReadingRequest, RequestedRecord, RequestState
from archive.finding.seeing import open_to, require_kept
from archive.models import Record, RecordFile
from core import clock, journal
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive.finding")
ASKED, AGREED, REFUSED, LINKED, GIVEN = (f"archive.reading_{what}" for what in ("asked", "agreed", "refused", "linked", "given"))
"""The journal entries of a request."""
MOST_RECORDS, MOST_FILES, LONGEST, LONGEST_NAME = 50, 1000, 2000, 200
_request: Table = ReadingRequest.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as an archivist writes it down.

    Attributes:
        records: identifiers of the records asked for, all of one organisation.
        parts: of those that are not asked for whole, the ranks of the files that are.
    """

    requester: str
    contact: str
    reason: str
    records: tuple[str, ...]
    parts: Mapping[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request with its records.

    Attributes:
        parts: of the records that are not asked for whole, the files that are.
    """

    request: ReadingRequest
    records: tuple[Record, ...]
    parts: Mapping[str, Sequence[RecordFile]]

    @property
    def kept(self) -> tuple[Record, ...]:
        """The records that were not destroyed since they were asked for: a derogation may take longer than a retention."""
        return tuple(record for record in self.records if record.eliminated is None)

    def ranks(self, record: Record) -> frozenset[int] | None:
        """Return the ranks of the files of a record that are asked for; None for all."""
        return frozenset(file.rank for file in self.parts[record.id]) if record.id in self.parts else None

    def size(self, record: Record) -> int:
        """Return the bytes of what is asked for of a record."""
        return sum(file.size for file in self.parts[record.id]) if record.id in self.parts else record.size


def make(platform: Platform, principal: Principal, asked: Asked) -> str:
    """Write a request down and return its identifier.

    Raises:
        UsageError: something is missing or too long, no record, too many, more than a reader can take at once, or of several
            organisations; or too many files of a record by themselves.
        NotFound: a record is not there, was destroyed, or is not for this principal; or it has no such file.
        Forbidden: the principal manages no archives there.
    """
    asked = _checked(asked)
    with platform.database.reading(principal) as session:
        records = [_record(session, identifier) for identifier in asked.records]
        parts = {record.id: _part(session, record, asked.parts) for record in records}
        weight = sum(_weight(session, record, parts[record.id]) for record in records)
    owners = {record.organisation_id for record in records}
    if len(owners) > 1:
        raise UsageError(_messages("request.owners"))
    if weight > LARGEST:
        raise UsageError(_messages("request.large", most=round(LARGEST / (1 << 30))))
    (owner,) = owners
    principal.require(Right.READ, owner)
    principal.require(Right.ARCHIVE, owner)
    request = ReadingRequest(
        organisation_id=owner,
        requester=asked.requester,
        contact=asked.contact,
        reason=asked.reason,
        derogation=any(not is_open(record) for record in records),
        state=RequestState.ASKED.value,
        made_by=principal.actor,
    )
    with platform.database.writing(PLATFORM) as session:
        session.add(request)
        session.flush()
        owned = {"request_id": request.id, "organisation_id": owner}
        session.add_all(RequestedRecord(**owned, record_id=record.id, ranks=parts[record.id]) for record in records)
        tell(session, request, ASKED, principal.actor, [record.id for record in records])
    return request.id


def is_open(record: Record) -> bool:
    """Tell whether anyone may read a record today."""
    return record.open_from is not None and record.open_from <= clock.in_paris(clock.now()).date()


def closed_since(asked: Seen) -> bool:
    """Tell whether what was open to all when it was asked for is so no more: its rules were corrected (`archive.correction`)."""
    return not asked.request.derogation and any(not is_open(record) for record in asked.kept)


def decides(principal: Principal, request: ReadingRequest) -> bool:
    """Tell whether a principal may decide a request: the State a derogation, and not whoever wrote it down; else an archivist."""
    if request.derogation:
        return principal.may(Right.CONTROL, request.organisation_id) and principal.actor != request.made_by
    return principal.may(Right.ARCHIVE, request.organisation_id)


def awaited(session: ScopedSession, most: int) -> int:
    """Return how many requests wait for an answer of the session's principal (``decides``); counted up to a bound."""
    principal = session.principal
    controls, manages = (
        col(ReadingRequest.organisation_id).in_([one for one in principal.organisations if principal.may(right, one)])
        for right in (Right.CONTROL, Right.ARCHIVE)
    )
    derogation = col(ReadingRequest.derogation)
    mine = (derogation & controls & (col(ReadingRequest.made_by) != principal.actor)) | (~derogation & manages)
    asked = select(ReadingRequest.id).where(ReadingRequest.state == RequestState.ASKED.value, mine)
    return len(session.exec(asked.limit(most)).all())


def decide(platform: Platform, principal: Principal, request_id: str, answer: str, *, agreed: bool) -> None:
    """Agree to a request, or refuse it.

    Raises:
        NotFound: no such request for this principal.
        Forbidden: it is for somebody else to decide.
        UsageError: it is refused without a word, or the answer is too long.
        Conflict: it was decided already; or it is agreed to, and a record was closed since.
    """
    with platform.database.reading(principal) as session:
        asked = seen(session, request_id)
    request = asked.request
    if not decides(principal, request):
        raise Forbidden(_messages("request.not_yours" if request.derogation else "request.archivist"))
    words = answer.strip()
    if not agreed and not words:
        raise UsageError(_messages("request.no_answer"))
    if len(words) > LONGEST:
        raise UsageError(_messages("request.long", most=LONGEST))
    if agreed and closed_since(asked):
        raise Conflict(_messages("request.closed"))
    state = RequestState.AGREED if agreed else RequestState.REFUSED
    values = {"state": state.value, "decided": clock.now(), "decided_by": principal.actor, "answer": words}
    with platform.database.writing(PLATFORM) as session:
        if not changed(session, request_id, RequestState.ASKED, values):
            raise Conflict(_messages("request.decided"))
        tell(session, request, AGREED if agreed else REFUSED, principal.actor, records_of(session, request_id))


def listed(session: ScopedSession, before: str, most: int) -> list[ReadingRequest]:
    """Return the newest requests of where the principal manages or controls archives, before one when it is named."""
    principal = session.principal
    where = [one for one in principal.organisations if _concerned(principal, one)]
    wanted = select(ReadingRequest).where(col(ReadingRequest.organisation_id).in_(where))
    if before:
        wanted = wanted.where(col(ReadingRequest.id) < before)
    return list(session.exec(wanted.order_by(col(ReadingRequest.id).desc()).limit(most)))


def seen(session: ScopedSession, request_id: str) -> Seen:
    """Return a request with its records.

    Raises:
        NotFound: there is none of that identifier, or it does not concern the principal.
    """
    request = session.exec(select(ReadingRequest).where(ReadingRequest.id == request_id)).first()
    principal = session.principal
    if request is None or not (principal.everywhere or _concerned(principal, request.organisation_id)):
        raise NotFound(_messages("request.unknown"))
    asked_for = select(Record).join(RequestedRecord, col(RequestedRecord.record_id) == Record.id)
    records = session.exec(asked_for.where(RequestedRecord.request_id == request_id).order_by(col(Record.id))).all()
    parts = {identifier: _files(session, identifier, ranks) for identifier, ranks in _parts(session, request_id).items()}
    return Seen(request, tuple(records), parts)


def _parts(session: Session, request_id: str) -> dict[str, list[int]]:
    """Return the ranks of the files that a request asks for, of the records that it does not ask for whole."""
    rows = session.exec(select(RequestedRecord).where(RequestedRecord.request_id == request_id))
    return {row.record_id: row.ranks for row in rows if row.ranks is not None}


def _files(session: Session, record_id: str, ranks: Collection[int]) -> list[RecordFile]:
    named = select(RecordFile).where(RecordFile.record_id == record_id, col(RecordFile.rank).in_(ranks))
    return list(session.exec(named.order_by(col(RecordFile.rank))))


def _concerned(principal: Principal, organisation_id: str) -> bool:
    return principal.may(Right.ARCHIVE, organisation_id) or principal.may(Right.CONTROL, organisation_id)


def _checked(asked: Asked) -> Asked:
    requester, contact, reason = asked.requester.strip(), asked.contact.strip(), asked.reason.strip()
    for name, value, most in (
        ("requester", requester, LONGEST_NAME),
        ("contact", contact, LONGEST_NAME),
        ("reason", reason, LONGEST),
    ):
        if not value:
            raise UsageError(_messages(f"request.no_{name}"))
        if len(value) > most:
            raise UsageError(_messages("request.long", most=most))
    records = tuple(dict.fromkeys(asked.records))
    if not 0 < len(records) <= MOST_RECORDS:
        raise UsageError(_messages("request.records", most=MOST_RECORDS))
    return Asked(requester, contact, reason, records, asked.parts)


def _record(session: ScopedSession, identifier: str) -> Record:
    record = session.exec(select(Record).where(Record.id == identifier, open_to(session.principal))).first()
    if record is None:
        raise NotFound(_messages("request.record", found=identifier[:40]))
    require_kept(record)
    return record


def _part(session: ScopedSession, record: Record, parts: Mapping[str, frozenset[int]]) -> list[int] | None:
    """Return the ranks of the files asked for of a record; None for all: a part that is the whole comes with what proves it."""
    ranks = parts.get(record.id)
    if not ranks:
        return None
    if len(ranks) > MOST_FILES:
        raise UsageError(_messages("request.files", most=MOST_FILES))
    there = {file.rank for file in _files(session, record.id, ranks)}
    if missing := ranks - there:
        raise NotFound(_messages("request.file", rank=min(missing), record=record.id))
    return sorted(ranks) if len(ranks) < count_of(session, record.id) else None


def _weight(session: ScopedSession, record: Record, ranks: Collection[int] | None) -> int:
    """Return about how many bytes a reader would take: the files and, with all of them, the evidence, which holds the package."""
    if ranks is not None:
        return sum(file.size for file in _files(session, record.id, ranks))
    own = select(func.sum(RecordFile.size)).where(RecordFile.record_id == record.id)
    return record.size + int(session.exec(own).one() or 0)


def changed(
    session: Session, request_id: str, state: RequestState, values: Mapping[str, object], link: str | None = None
) -> bool:
    """Change a request that is still in a state; of two who act at once the second is told."""
    there = (_request.c.id == request_id) & (_request.c.state == state.value)
    if link is not None:
        there &= _request.c.link == link
    return bool(session.connection().execute(update(_request).where(there).values(values)).rowcount)


def records_of(session: Session, request_id: str) -> list[str]:
    """Return the identifiers of the records that a request asks for."""
    return list(session.exec(select(RequestedRecord.record_id).where(RequestedRecord.request_id == request_id)))


def tell(session: Session, request: ReadingRequest, kind: str, actor: str, records: Sequence[str]) -> None:
    """Write into the journal what was done with a request, without who asks, nor why; of a part of a record its ranks."""
    facts = {"request": request.id, "records": sorted(records), "derogation": request.derogation}
    if parts := {record: ranks for record, ranks in _parts(session, request.id).items() if record in records}:
        facts["parts"] = parts
    journal.write(session, organisation_id=request.organisation_id, kind=kind, actor=actor, facts=facts)
