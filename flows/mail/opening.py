"""What a recipient's link leads to, and what the recipient does there: withdraw, refuse, say that it is for somebody else.

Only a deliberate act changes anything: asking for a page is an indication (``look``), whoever asks for it. The link acknowledges
once; after that it opens again, which is a consultation. A link that is unknown, revoked or past its last day leads to nothing,
and none of the three is told from the others.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import col, select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from flows.mail import door, events, following, links, reached, repeating, settling
from flows.mail.door import Given
from flows.mail.events import EventKind
from flows.mail.keeping import ADDITION, DOCUMENT, TAKEN, files_of, terms_of
from flows.mail.kinds import Kind
from flows.mail.models import Mail, MailAnswer, MailNotice, MailRecipient, MailVisit, RecipientState
from flows.mail.sightings import Circumstances

_messages = Catalogue("flows.mail")
VISIT = timedelta(hours=2)
"""How long a visit lasts in which nothing is asked for: time enough to write a letter."""
_PROLONGED = timedelta(minutes=1)
UNDER_WAY = frozenset({"ready", "sent"})
"""States of the dossier in which what recipients do still moves it."""
_LONGEST_NAME, _LONGEST_REASON = 200, 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link or a visit leads to.

    Attributes:
        notice: whose link it is.
        kind: the terms under which the send was accepted.
        answer: what the recipient answered; None before.
        last_day: the last one, in Paris, on which this recipient may withdraw.
    """

    dossier: Dossier
    mail: Mail
    recipient: MailRecipient
    notice: MailNotice
    kind: Kind
    answer: MailAnswer | None
    last_day: date | None

    @property
    def cancelled(self) -> bool:
        """The sender took the whole send back."""
        return self.mail.cancelled is not None or self.recipient.state == RecipientState.REVOKED

    @property
    def refused(self) -> bool:
        """The recipient refused it."""
        return self.recipient.state == RecipientState.REFUSED

    @property
    def taken(self) -> bool:
        """The recipient has withdrawn it, in time or not."""
        return self.recipient.withdrawn is not None

    @property
    def late(self) -> bool:
        """The days to withdraw it are over, or the send is closed: withdrawing is noted, and changes nothing of its outcome."""
        return self.dossier.state not in UNDER_WAY or self.is_past(clock.now())

    def is_past(self, moment: datetime) -> bool:
        """Tell whether the days that this recipient had are over."""
        return self.last_day is not None and clock.in_paris(moment).date() > self.last_day

    @property
    def takes_answers(self) -> bool:
        """An answer would be taken now."""
        under_way = self.dossier.state in UNDER_WAY and self.recipient.state in TAKEN
        return self.mail.answers and self.answer is None and under_way


@dataclass(frozen=True, slots=True)
class Visited:
    """A visit: its identifier, what it leads to, what its forms bear, when it ends unless it goes on."""

    id: str
    opened: Opened
    csrf: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """A deliberate act of whoever holds the link.

    Attributes:
        given: the secrets that were typed.
        circumstances: from where.
        statement: what the page said that the act means.
        name: as the person wrote it; ``reason`` of a refusal, may be empty.
    """

    given: Given
    circumstances: Circumstances
    statement: str
    name: str = ""
    reason: str = ""


def behind(platform: Platform, token: str) -> Opened | None:
    """Return what a link leads to; None when it opens nothing, or nothing any more."""
    with platform.database.reading(PLATFORM) as session:
        notice = session.exec(select(MailNotice).where(MailNotice.token == links.digest(token))).first()
        return None if notice is None else _opened(session, notice)


def behind_visit(platform: Platform, cookie: str) -> Visited | None:
    """Return the visit of a cookie, which goes on; None when it is over, or what it led to is."""
    now = clock.now()
    with platform.database.reading(PLATFORM) as session:
        visit = session.exec(select(MailVisit).where(MailVisit.digest == links.digest(cookie))).first()
        if visit is None or visit.ends <= now:
            return None
        opened = _opened(session, session.get_one(MailNotice, visit.notice_id))
    if opened is None or opened.cancelled or not opened.taken:
        return None
    ends = now + VISIT
    if ends - visit.ends > _PROLONGED:
        with platform.database.writing(PLATFORM) as session:
            session.execute(update(MailVisit).where(col(MailVisit.id) == visit.id).values(ends=ends))
    return Visited(visit.id, opened, visit.csrf, ends)


def withdraw(platform: Platform, token: str, deed: Deed) -> str:
    """Take the documents, or open them again when they were taken before; return the cookie of a visit.

    Raises:
        NotFound: the link leads to nothing.
        Conflict: the send was cancelled or refused.
        UsageError: no name was written where one is asked for.
        Locked, WrongSecret, Blocked: see ``door.present``.
    """
    found = _still_there(platform, token)
    if found.kind.asks_name and not found.taken and not deed.name.strip():
        raise UsageError(_messages("opening.name"))
    level = door.present(platform, found.recipient, found.kind, deed.given, deed.circumstances)
    with platform.database.writing(PLATFORM) as session:
        opened = held(session, found)
        _refuse_the_end(opened)
        if opened.taken:
            _consult(session, opened, deed, level)
        else:
            _take(session, opened, deed, level)
        return _visit(session, opened)


def refuse(platform: Platform, token: str, deed: Deed) -> None:
    """Refuse the documents, for good.

    Raises:
        NotFound, Conflict, Locked, WrongSecret, Blocked: as ``withdraw``; a Conflict too when it is too late to refuse.
    """
    found = _still_there(platform, token)
    level = door.present(platform, found.recipient, found.kind, deed.given, deed.circumstances)
    with platform.database.writing(PLATFORM) as session:
        opened = held(session, found)
        _refuse_the_end(opened)
        if opened.taken or opened.late:
            raise Conflict(_messages("opening.no_refusal"))
        moment = clock.now()
        opened.recipient.refused = moment
        settling.stand(session, opened.recipient, RecipientState.REFUSED)
        reason = {"reason": deed.reason.strip()[:_LONGEST_REASON]}
        _record(session, opened, EventKind.REFUSED, deed, at=moment, level=level, **reason)
        following.settle(session, opened.dossier.id)


def not_me(platform: Platform, token: str, deed: Deed) -> None:
    """Note that the link reached somebody else: it opens nothing more, and the sender is told to mend the address.

    Raises:
        NotFound: the link leads to nothing.
        Conflict: the documents were taken or refused already, or the send is over.
    """
    found = _still_there(platform, token)
    with platform.database.writing(PLATFORM) as session:
        opened = held(session, found)
        _refuse_the_end(opened)
        if opened.taken:
            raise Conflict(_messages("opening.taken"))
        moment = clock.now()
        for notice in session.exec(select(MailNotice).where(MailNotice.recipient_id == opened.recipient.id)):
            notice.revoked = notice.revoked or moment
        if not opened.late:
            settling.stand(session, opened.recipient, RecipientState.FAILED, _messages("opening.not_me"))
        _record(session, opened, EventKind.NOT_ME, deed, at=moment)
        following.settle(session, opened.dossier.id)


def leave(platform: Platform, cookie: str) -> None:
    """Close a visit."""
    with platform.database.writing(PLATFORM) as session:
        session.execute(delete(MailVisit).where(col(MailVisit.digest) == links.digest(cookie)))


def held(session: ScopedSession, found: Opened) -> Opened:
    """Return what a link leads to, its recipient held until the transaction ends: of two acts at once, one comes second.

    Raises:
        NotFound: the link leads to nothing any more.
    """
    session.exec(select(MailRecipient).where(MailRecipient.id == found.recipient.id).with_for_update()).one()
    opened = _opened(session, session.get_one(MailNotice, found.notice.id))
    if opened is None:
        raise NotFound(_messages("opening.nowhere"))
    return opened


def documents(session: ScopedSession, dossier_id: str) -> list[DossierFile]:
    """Return what recipients are given, in its order: the documents of the send, then what was added."""
    return [*files_of(session, dossier_id, DOCUMENT), *files_of(session, dossier_id, ADDITION)]


def listed(files: list[DossierFile]) -> list[dict[str, Any]]:
    """Return documents as proofs name them."""
    return [{"name": file.name, "media_type": file.media_type, "sha256": file.sha256, "size": file.size} for file in files]


def _opened(session: ScopedSession, notice: MailNotice) -> Opened | None:
    mail, recipient = session.get_one(Mail, notice.dossier_id), session.get_one(MailRecipient, notice.recipient_id)
    told = reached.told_on(session, mail.dossier_id).get(recipient.id)
    readable = reached.readable_until(mail, told)
    if readable is not None and clock.in_paris(clock.now()).date() > readable:
        return None
    if mail.purged is not None and recipient.withdrawn is None:
        return None  # nobody acknowledges what is there no more
    # A link that was revoked with the whole send still says that the send was cancelled.
    if notice.revoked is not None and (mail.cancelled is None or notice.revoked < mail.cancelled):
        return None
    answer = session.get(MailAnswer, recipient.id)
    dossier = session.get_one(Dossier, notice.dossier_id)
    return Opened(dossier, mail, recipient, notice, terms_of(mail), answer, reached.last_day(mail, told))


def _still_there(platform: Platform, token: str) -> Opened:
    found = behind(platform, token)
    if found is None:
        raise NotFound(_messages("opening.nowhere"))
    _refuse_the_end(found)
    return found


def _refuse_the_end(opened: Opened) -> None:
    if opened.cancelled:
        raise Conflict(_messages("opening.cancelled"))
    if opened.refused:
        raise Conflict(_messages("opening.refused"))


def _take(session: ScopedSession, opened: Opened, deed: Deed, level: int) -> None:
    recipient, moment = opened.recipient, clock.now()
    late = opened.late
    if opened.dossier.state in UNDER_WAY and opened.is_past(moment) and recipient.state != RecipientState.EXPIRED:
        settling.stand(session, recipient, RecipientState.EXPIRED)
        events.record(session, recipient, EventKind.EXPIRED, {"withdraw_until": str(opened.last_day)}, at=moment)
    recipient.withdrawn, recipient.level = moment, level
    if not late:
        settling.stand(session, recipient, RecipientState.WITHDRAWN)
    named = {"name": deed.name.strip()[:_LONGEST_NAME]} if opened.kind.asks_name else {}
    given = listed(documents(session, opened.dossier.id))
    _record(session, opened, EventKind.WITHDRAWN, deed, at=moment, level=level, late=late, documents=given, **named)
    following.settle(session, opened.dossier.id)


def _consult(session: ScopedSession, opened: Opened, deed: Deed, level: int) -> None:
    shown = [] if opened.mail.purged is not None else listed(documents(session, opened.dossier.id))
    about = {"notice": opened.notice.id, "documents": shown}
    told = _told(opened, deed, level=level, documents=shown)
    like = {**about, **asdict(deed.circumstances)}
    repeating.record(session, opened.recipient, EventKind.CONSULTED, told, about=about, like=like)


def _record(
    session: ScopedSession, opened: Opened, kind: EventKind, deed: Deed, *, at: datetime | None = None, **facts: Any
) -> None:
    events.record(session, opened.recipient, kind, _told(opened, deed, **facts), actor=door.actor(opened.recipient), at=at)


def _told(opened: Opened, deed: Deed, **facts: Any) -> dict[str, Any]:
    said = {"statement": deed.statement, "statement_sha256": hashlib.sha256(deed.statement.encode()).hexdigest()}
    return {"notice": opened.notice.id, **asdict(deed.circumstances), **said, **facts}


def _visit(session: ScopedSession, opened: Opened) -> str:
    cookie, now = secrets.token_urlsafe(32), clock.now()
    session.execute(delete(MailVisit).where(col(MailVisit.ends) <= now))
    session.add(
        MailVisit(
            organisation_id=opened.mail.organisation_id,
            recipient_id=opened.recipient.id,
            notice_id=opened.notice.id,
            digest=links.digest(cookie),
            csrf=secrets.token_urlsafe(32),
            ends=now + VISIT,
        )
    )
    return cookie
