"""Reading sends for whoever may: a list in keyset pages, one send with all that happened, what came back for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_
from sqlmodel import Session, col, select

from core.database import Database
from core.folding import holds
from core.organisations import Organisation
from core.principal import Principal, Right
from flows.engine import reading
from flows.engine.models import Dossier, DossierFile
from flows.engine.reading import Place, beyond
from flows.mail.keeping import TAKEN, mail_of, recipients_of
from flows.mail.models import Mail, MailAnswer, MailEvent, MailNotice, MailRecipient, MailReturn, RecipientState
from flows.mail.standing import Standing, counted, standing_of, stands
from flows.mail.validating import Round, round_of

__all__ = [
    "Line",
    "Page",
    "Past",
    "Place",
    "SeenMail",
    "Standing",
    "Wanted",
    "events",
    "how_many",
    "list_mails",
    "past",
    "seen",
    "unsettled",
]

DEFAULT, MOST = 50, 200
_OF_A_SEND, _OF_A_PAGE = 5000, 100
_OF_DOSSIER = col(Mail.dossier_id) == col(Dossier.id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sends to list; what is left empty does not narrow.

    Attributes:
        kind: name of a kind.
        text: a part of the subject, of a recipient's name or address, or a whole identifier.
        after, before: a place in the list, newest first; ``after`` counts when both are given.
        limit: of a page.
    """

    organisations: tuple[str, ...] = ()
    standing: Standing | None = None
    kind: str = ""
    text: str = ""
    after: Place | None = None
    before: Place | None = None
    limit: int = DEFAULT


@dataclass(frozen=True, slots=True)
class Line:
    """A send as the list shows it.

    Attributes:
        recipients, taken, failed: how many in all, how many have withdrawn it, how many it does not reach.
    """

    dossier_id: str
    organisation_id: str
    kind: str
    subject: str
    sender: str
    standing: Standing
    created: datetime
    sent: datetime | None
    withdraw_until: date | None
    parked: str | None
    recipients: int
    taken: int
    failed: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        after: where the next page starts; None on the last one.
        before: where the previous page ends; None on the first one.
    """

    lines: tuple[Line, ...]
    after: Place | None
    before: Place | None


@dataclass(frozen=True, slots=True)
class SeenMail:
    """A send with all that belongs to it but what happened; each list oldest first, recipients as they were named.

    Attributes:
        latest: identifier of the last event; None when nothing has happened yet.
        visa: how it stands in the parapheur, or stood; None when nobody was asked to approve it.
    """

    dossier: Dossier
    mail: Mail
    organisation: Organisation
    standing: Standing
    recipients: tuple[MailRecipient, ...]
    files: tuple[DossierFile, ...]
    notices: tuple[MailNotice, ...]
    returns: tuple[MailReturn, ...]
    latest: str | None
    answers: tuple[MailAnswer, ...]
    visa: Round | None


@dataclass(frozen=True, slots=True)
class Past:
    """A page of what happened, oldest first.

    Attributes:
        earlier: the event before which the page before it ends; None on the first one.
    """

    events: tuple[MailEvent, ...]
    earlier: str | None


def list_mails(database: Database, principal: Principal, wanted: Wanted) -> Page:
    """Return a page of the sends that the principal may read, newest first; those that were abandoned are left out."""
    limit = max(1, min(wanted.limit, MOST))
    backwards = wanted.after is None and wanted.before is not None
    newest_first = (col(Dossier.created).desc(), col(Dossier.id).desc())
    with reading.opened(database, principal) as session:
        chosen = (
            select(Dossier, Mail)
            .join(Mail, _OF_DOSSIER)
            .where(*_conditions(wanted), *beyond(wanted.after, wanted.before))
            .order_by(*((col(Dossier.created), col(Dossier.id)) if backwards else newest_first))
        )
        found = list(session.exec(chosen.limit(limit + 1)))
        more, found = len(found) > limit, found[:limit]
        if backwards:
            found.reverse()
        counts = _counts(session, [dossier.id for dossier, _ in found])
    lines = tuple(_line(dossier, mail, counts.get(dossier.id, {})) for dossier, mail in found)
    first, last = (
        (Place(lines[0].created, lines[0].dossier_id), Place(lines[-1].created, lines[-1].dossier_id)) if lines else (None, None)
    )
    return Page(
        lines,
        after=last if more or backwards else None,
        before=first if (more if backwards else wanted.after is not None) else None,
    )


def how_many(database: Database, principal: Principal, wanted: Wanted) -> tuple[int, bool]:
    """Return how many sends the list holds in all, as ``flows.engine.reading.counted`` counts."""
    with reading.opened(database, principal) as session:
        return reading.counted(session, select(Dossier.id).join(Mail, _OF_DOSSIER).where(*_conditions(wanted)))


def seen(database: Database, principal: Principal, dossier_id: str) -> SeenMail:
    """Return a send with all that belongs to it; what happened is read by the page (``past``, ``events``).

    Raises:
        NotFound: there is none of that identifier, or the principal may not read it.
    """
    with reading.opened(database, principal) as session:
        known = reading.seen(session, dossier_id)
        mail, recipients = mail_of(session, dossier_id), recipients_of(session, dossier_id)
        return SeenMail(
            known.dossier,
            mail,
            known.organisation,
            standing_of(known.dossier, mail, Counter(one.state for one in recipients)),
            tuple(recipients),
            known.files,
            tuple(_of(session, MailNotice, dossier_id)),
            tuple(_of(session, MailReturn, dossier_id)),
            session.exec(select(func.max(MailEvent.id)).where(MailEvent.dossier_id == dossier_id)).one(),
            tuple(_of(session, MailAnswer, dossier_id)),
            round_of(session, dossier_id),
        )


def unsettled(database: Database, principal: Principal) -> list[MailReturn]:
    """Return what came back and waits for a person, oldest first.

    What is about a send is seen by those who read it; what is about none that is known, also by those who operate there.
    """
    with database.reading(principal) as session:
        wanted = select(MailReturn).where(col(MailReturn.settled).is_(None)).order_by(col(MailReturn.id))
        if not principal.everywhere:
            reads, operates = (
                [one for one in principal.organisations if principal.may(right, one)] for right in (Right.READ, Right.OPERATE)
            )
            about_none = and_(col(MailReturn.dossier_id).is_(None), col(MailReturn.organisation_id).in_(operates))
            wanted = wanted.where(or_(col(MailReturn.organisation_id).in_(reads), about_none))
        return list(session.exec(wanted.limit(MOST)))


def events(
    database: Database, principal: Principal, dossier_id: str, after: str, limit: int
) -> tuple[list[MailEvent], tuple[int, bool]]:
    """Return what happened to a send after an event, oldest first, and how much there is in all (``reading.counted``).

    Raises:
        NotFound: there is no such send, or the principal may not read it.
    """
    own = select(MailEvent).where(MailEvent.dossier_id == dossier_id)
    with reading.opened(database, principal) as session:
        reading.seen(session, dossier_id)
        found = session.exec(own.where(col(MailEvent.id) > after).order_by(col(MailEvent.id)).limit(limit)).all()
        return list(found), reading.counted(session, select(MailEvent.id).where(MailEvent.dossier_id == dossier_id))


def past(database: Database, principal: Principal, dossier_id: str, recipient_id: str | None, before: str = "") -> Past:
    """Return the last that happened to one recipient, or to a send as a whole; with ``before``, the last before an event.

    Raises:
        NotFound: there is no such send, or the principal may not read it.
    """
    wanted = select(MailEvent).where(MailEvent.dossier_id == dossier_id, col(MailEvent.recipient_id) == recipient_id)
    if before:
        wanted = wanted.where(col(MailEvent.id) < before)
    with reading.opened(database, principal) as session:
        reading.seen(session, dossier_id)
        found = session.exec(wanted.order_by(col(MailEvent.id).desc()).limit(_OF_A_PAGE + 1)).all()
    shown = tuple(reversed(found[:_OF_A_PAGE]))
    return Past(shown, shown[0].id if len(found) > _OF_A_PAGE else None)


def _of(session: Session, table: Any, dossier_id: str) -> list[Any]:
    wanted = select(table).where(table.dossier_id == dossier_id).order_by(col(table.id))
    return list(session.exec(wanted.limit(_OF_A_SEND)))


def _counts(session: Session, dossier_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    wanted = select(MailRecipient.dossier_id, MailRecipient.state, func.count()).where(
        col(MailRecipient.dossier_id).in_(dossier_ids)
    )
    for dossier_id, state, count in session.exec(wanted.group_by(col(MailRecipient.dossier_id), col(MailRecipient.state))):
        counted.setdefault(dossier_id, {})[state] = count
    return counted


def _line(dossier: Dossier, mail: Mail, states: dict[str, int]) -> Line:
    return Line(
        dossier.id,
        dossier.organisation_id,
        mail.kind,
        mail.subject,
        mail.sender,
        standing_of(dossier, mail, states),
        dossier.created,
        mail.sent,
        mail.withdraw_until,
        dossier.parked,
        sum(states.values()),
        counted(states, TAKEN),
        states.get(RecipientState.FAILED.value, 0),
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [col(Dossier.flow) == "mail", col(Dossier.state) != "abandoned"]
    if wanted.organisations:
        conditions.append(col(Dossier.organisation_id).in_(wanted.organisations))
    if wanted.kind:
        conditions.append(col(Mail.kind) == wanted.kind)
    if wanted.standing is not None:
        conditions.append(stands(wanted.standing))
    if text := wanted.text.strip():
        named = select(MailRecipient.id).where(
            col(MailRecipient.dossier_id) == col(Dossier.id),
            or_(
                col(MailRecipient.normal).icontains(text, autoescape=True),
                col(MailRecipient.name).icontains(text, autoescape=True),
            ),
        )
        conditions.append(or_(holds(Dossier.sought, text), col(Dossier.id) == text, exists(named.correlate(Dossier))))
    return conditions
