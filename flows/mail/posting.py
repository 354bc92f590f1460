"""Sending messages: each once, though any process may die at any moment, and any server may keep its answer to itself.

    the notice is          because                                      and then
    DUE                    nobody has it in hand                        taken when its time has come
    LEAVING                its octets were about to go, or went         a delivery report, or the mail server's answer, settles it
    LEAVING, too long      neither came within ``UNCERTAIN_FOR``        the same octets go again: same Message-ID, same link
    ACCEPTED               the server answers for it                    what the server said is kept
    REFUSED                the server, or time, says that it cannot be  its recipient FAILED; the others are not touched
    DROPPED                its recipient needs it no more               nothing

A notice is taken under a row lock in a short transaction, which commits that it is LEAVING, with its octets, encrypted, before
anything is said to the server: two workers never have the same one in hand. The octets hold the link, of whose secret nothing but
the digest is kept beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlmodel import Session, col, select

from connectors.mail import signature
from connectors.mail.errors import AddressRefused, MailUnavailable, MessageRefused
from connectors.mail.handing import Handing, HandOver, handing
from connectors.mail.paths import return_path
from core import clock
from core.errors import TabellionError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule
from flows.engine.models import Dossier
from flows.engine.work import Advance, Later, Work
from flows.mail import composing, planning, settling
from flows.mail.keeping import mail_of, recipient_of, recipients_of
from flows.mail.models import MailNotice, NoticeState
from flows.mail.planning import ACTOR, KEY, QUEUE
from flows.mail.settling import UNCERTAIN_FOR

__all__ = ["ACTOR", "EVERY", "KEY", "QUEUE", "UNCERTAIN_FOR", "first", "plan", "post", "post_due"]

_log = structlog.get_logger()
_messages = Catalogue("flows.mail")
EVERY = timedelta(seconds=20)
_OPEN = (NoticeState.DUE.value, NoticeState.LEAVING.value)
_AT_ONCE = 5000
_TROUBLES, _CLOSING = 3, 421
"""Troubles one after the other that nobody but the server can be blamed for: the turn ends, everything stays due."""


@dataclass
class _Turn:
    """One turn at the server, over one connection.

    Attributes:
        troubles: in a row, of the server itself; ``trouble`` the last one.
    """

    platform: Platform
    connection: Handing
    troubles: int = 0
    trouble: TabellionError | None = None

    def blame(self, trouble: TabellionError) -> None:
        """Count a trouble of the server itself."""
        self.troubles, self.trouble = self.troubles + 1, trouble


def plan(platform: Platform) -> None:
    """Plan to send what is due, again and again; what is planned for at once hastens it."""
    schedule.plan(platform.database, ACTOR, QUEUE, EVERY, key=KEY)


def first(work: Work) -> Advance | Later:
    """Plan the first notice of every recipient, and send those that are due; done as soon as a server has accepted one.

    What could not leave yet is sent by ``post_due``: one address that makes trouble does not hold up a send.

    Raises:
        MailUnavailable: the server does not answer.
        CertificateRefused, LoginRefused, MessageRefused, Misconfigured: the operator has something to mend.
    """
    with work.platform.database.writing(PLATFORM) as session:
        planning.plan_all(session, recipients_of(session, work.dossier_id, hold=True), "notice")
    trouble = None
    try:
        post(work.platform, work.dossier_id)
    except TabellionError as error:
        trouble = error
    with work.platform.database.reading(PLATFORM) as session:
        sent = mail_of(session, work.dossier_id).sent
        again = session.exec(
            select(MailNotice.not_before)
            .where(MailNotice.dossier_id == work.dossier_id, col(MailNotice.state).in_(_OPEN))
            .order_by(col(MailNotice.not_before))
        ).first()
    if sent or again is None:
        return Advance("sent")
    if trouble is not None:
        raise trouble
    return Later(again, _messages("post.later"))


def post(platform: Platform, dossier_id: str) -> bool:
    """Send the notices of a send that are due; True when none is left to be sent, now or later.

    Raises:
        MailUnavailable: the server does not answer.
        CertificateRefused, LoginRefused, MessageRefused, Misconfigured: the operator has something to mend; all stays due.
    """
    _post(platform, _due(platform, dossier_id))
    with platform.database.reading(PLATFORM) as session:
        left = select(MailNotice.id).where(MailNotice.dossier_id == dossier_id, col(MailNotice.state).in_(_OPEN))
        return session.exec(left).first() is None


def post_due(platform: Platform, _key: str = KEY) -> None:
    """Send the notices of every send that are due; those of a send that is about to leave are its own stage's.

    Those of a send that is set aside wait for an operator: a restored backup may not know that they have left.

    Raises:
        TabellionError: see ``post``.
    """
    _post(platform, _due(platform))


def _due(platform: Platform, dossier_id: str | None = None) -> list[tuple[str, str]]:
    """Return the notices whose time has come, with their recipients; oldest first."""
    due = select(MailNotice.id, MailNotice.recipient_id).where(
        col(MailNotice.state).in_(_OPEN), col(MailNotice.not_before) <= clock.now()
    )
    if dossier_id is not None:
        due = due.where(MailNotice.dossier_id == dossier_id)
    else:
        due = due.join(Dossier, col(Dossier.id) == col(MailNotice.dossier_id)).where(
            Dossier.state != "ready", col(Dossier.parked).is_(None)
        )
    with platform.database.reading(PLATFORM) as session:
        return [
            (one, other)
            for one, other in session.exec(due.order_by(col(MailNotice.not_before), col(MailNotice.id)).limit(_AT_ONCE))
        ]


def _post(platform: Platform, due: list[tuple[str, str]]) -> None:
    if not due:
        return
    server = composing.server_of(platform.settings)
    with handing(server) as connection:  # a server that is away costs no notice an attempt
        turn = _Turn(platform, connection)
        for notice_id, recipient_id in due:
            taken = _take(platform, notice_id, recipient_id)
            if taken is not None:
                _hand_over(turn, taken)
            if turn.troubles == _TROUBLES and turn.trouble is not None:
                raise turn.trouble


@dataclass(frozen=True, slots=True)
class _Taken:
    """A notice in hand: its octets go to an address, by a return path, for the n-th time."""

    notice_id: str
    recipient_id: str
    envelope: str
    address: str
    octets: bytes
    attempt: int


def _take(platform: Platform, notice_id: str, recipient_id: str) -> _Taken | None:
    """Take a notice in hand, or find that there is no reason to: somebody else has it, or its recipient needs it no more."""
    with platform.database.writing(PLATFORM) as session:
        recipient = recipient_of(session, recipient_id, hold=True)
        notice = _held(session, notice_id)
        if notice is None:
            return None
        mail = mail_of(session, notice.dossier_id)
        if settling.is_pointless(notice, recipient, mail):
            settling.drop(session, notice)
            return None
        if not notice.sha256:
            composing.compose(platform, session, notice, recipient, mail)
        if notice.state == NoticeState.LEAVING.value and not settling.note_silence(session, notice, recipient):
            return None
        now = clock.now()
        notice.state, notice.left, notice.not_before = NoticeState.LEAVING.value, now, now + UNCERTAIN_FOR
        notice.attempts += 1
        session.add(notice)
        octets = platform.secrets.decrypt(notice.message or b"")
        return _Taken(notice.id, recipient.id, notice.envelope, notice.address, octets, notice.attempts)


def _held(session: Session, notice_id: str) -> MailNotice | None:
    wanted = select(MailNotice).where(
        MailNotice.id == notice_id, col(MailNotice.state).in_(_OPEN), col(MailNotice.not_before) <= clock.now()
    )
    return session.exec(wanted.with_for_update(skip_locked=True)).first()


def _hand_over(turn: _Turn, taken: _Taken) -> None:
    """Hand a message over, and keep what became of it."""
    settings = turn.platform.settings
    base = settings.mail_return_address
    sender = return_path(base, taken.envelope) if base else settings.mail_from
    try:
        answer = turn.connection.hand_over(taken.octets, sender, taken.address, taken.envelope)
    except AddressRefused as error:
        turn.troubles = 0
        _settle(turn.platform, taken, error)
    except MessageRefused as error:
        turn.blame(error)
        _settle(turn.platform, taken, error)
    except MailUnavailable as error:
        if error.code in {0, _CLOSING}:
            turn.blame(error)
        if error.begun:
            _log.warning("mail.uncertain", notice=taken.notice_id)
        else:
            _settle(turn.platform, taken, error)
    except TabellionError as error:  # no connection any more: nothing was said of this message
        _settle(turn.platform, taken, MailUnavailable(str(error)))
        raise
    else:
        turn.troubles = 0
        _settle(turn.platform, taken, answer)


def _settle(platform: Platform, taken: _Taken, answer: HandOver | AddressRefused | MessageRefused | MailUnavailable) -> None:
    """Keep an answer; one for a notice that was settled meanwhile is kept beside what settled it, when it says that it left."""
    with platform.database.writing(PLATFORM) as session:
        recipient = recipient_of(session, taken.recipient_id, hold=True)
        wanted = select(MailNotice).where(MailNotice.id == taken.notice_id)
        notice = session.exec(wanted.with_for_update().execution_options(populate_existing=True)).one()
        if isinstance(answer, HandOver):
            mail = mail_of(session, notice.dossier_id)
            if mail.sent is None:
                mail = mail_of(session, notice.dossier_id, hold=True)
            settling.accepted(session, notice, recipient, mail, answer, taken.attempt, signature.told(taken.octets))
        elif notice.state != NoticeState.LEAVING.value or notice.attempts != taken.attempt:
            return
        elif isinstance(answer, AddressRefused):
            settling.refused(session, notice, recipient, answer, taken.attempt)
        else:
            settling.postponed(session, notice, recipient, answer, taken.attempt)
