"""What whoever holds a link must know besides: the sender's password, a code sent to them; how guessing is made slow.

Five wrong tries cost a quarter of an hour, twenty block the link until the sender gives another password; tries are counted by
network as well (``core.lockout``). A try is counted before it is judged, so that many at once gain nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlmodel import col, select
from ulid import ULID

from core import clock, lockout, passwords
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, Unauthenticated, UsageError
from core.lockout import Locked
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import events, planning
from flows.mail.events import EventKind
from flows.mail.kinds import Kind
from flows.mail.models import MailNotice, MailRecipient
from flows.mail.sightings import Circumstances

_messages = Catalogue("flows.mail")
CODE = "code"
"""What the occasion of a code's message is called; its number follows, after a hyphen."""
CODE_SERVES = timedelta(minutes=15)
_IN_A_ROW, _MOST = 5, 20
_WAIT = timedelta(minutes=15)
_BETWEEN_CODES, _CODES_A_DAY = timedelta(minutes=1), 10
_DAY = timedelta(days=1)


class WrongSecret(Unauthenticated):
    """No password or code of this recipient."""


class Blocked(Forbidden):
    """Too many wrong tries: only the sender can open the door again."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed at the door."""

    password: str = ""
    code: str = ""


def actor(recipient: MailRecipient) -> str:
    """Return how the journal names somebody who acts as a recipient."""
    return f"recipient:{recipient.id}"


def asks_code(kind: Kind) -> bool:
    """Tell whether a code is asked for."""
    return kind.level > 1


def awaits_code(recipient: MailRecipient) -> bool:
    """Tell whether a code was sent that would open."""
    return bool(_awaited(recipient))


def is_blocked(recipient: MailRecipient) -> bool:
    """Tell whether no secret opens any more."""
    return recipient.blocked or recipient.failures >= _MOST


def present(platform: Platform, recipient: MailRecipient, kind: Kind, given: Given, circumstances: Circumstances) -> int:
    """Judge what was typed, if anything is asked for; return the level of identity reached.

    Raises:
        Locked: too early for one more try; it is not counted.
        WrongSecret: not the password, or not the code that was sent last, or that code has served or is too old.
        Blocked: twenty wrong tries.
    """
    if not recipient.password_hash and not asks_code(kind):
        return 0
    where = lockout.network(circumstances.ip)
    with platform.database.writing(PLATFORM) as session:
        asked = _counted(session, recipient.id)
        lockout.count(session, where)
        kept_password, kept_code = asked.password_hash, _awaited(asked)
    code = "".join(given.code.split())
    right = [
        *([passwords.matches(kept_password, given.password)] if kept_password else []),
        *([passwords.matches(kept_code or None, code)] if asks_code(kind) else []),
    ]
    with platform.database.writing(PLATFORM) as session:
        held = _held(session, recipient.id)
        if all(right) and (not asks_code(kind) or held.code_hash == kept_code):
            held.failures, held.locked_until, held.code_hash, held.code_until = 0, None, "", None
            lockout.take_back(session, where)
            return 2 if asks_code(kind) else 1
        _note_failure(session, held, circumstances)
    raise WrongSecret(_messages("door.wrong.code" if asks_code(kind) else "door.wrong"))


def send_code(platform: Platform, recipient_id: str) -> None:
    """Have a fresh code sent to a recipient, which replaces the one before; the message is due at once.

    Raises:
        UsageError: one was sent a moment ago.
        Conflict: too many were sent since yesterday.
        Blocked: no code would open.
    """
    code = f"{secrets.randbelow(10**6):06d}"
    kept = passwords.hashed(code)
    with platform.database.writing(PLATFORM) as session:
        recipient = _held(session, recipient_id)
        if is_blocked(recipient):
            raise Blocked(_messages("door.blocked"))
        theirs = (MailNotice.recipient_id == recipient.id, col(MailNotice.occasion).startswith(f"{CODE}-", autoescape=True))
        sent = [ULID.from_str(found).datetime for found in session.exec(select(MailNotice.id).where(*theirs))]
        now = clock.now()
        if sent and now - max(sent) < _BETWEEN_CODES:
            raise UsageError(_messages("door.code.soon"))
        if sum(now - moment < _DAY for moment in sent) >= _CODES_A_DAY:
            raise Conflict(_messages("door.code.many", most=_CODES_A_DAY))
        recipient.code_hash, recipient.code_until = kept, now + CODE_SERVES
        session.add(recipient)
        notice = planning.plan(session, recipient, planning.next_occasion(session, recipient, CODE), linked=False)
        notice.message = platform.secrets.encrypt(code.encode())  # until the message itself takes its place
        session.add(notice)


def _counted(session: ScopedSession, recipient_id: str) -> MailRecipient:
    recipient, now = _held(session, recipient_id), clock.now()
    if is_blocked(recipient):
        raise Blocked(_messages("door.blocked"))
    if recipient.locked_until is not None and recipient.locked_until > now:
        raise Locked(recipient.locked_until - now)
    recipient.failures += 1
    recipient.locked_until = now + _WAIT if recipient.failures % _IN_A_ROW == 0 else None
    session.add(recipient)
    return recipient


def _note_failure(session: ScopedSession, recipient: MailRecipient, circumstances: Circumstances) -> None:
    by = actor(recipient)
    events.record(
        session, recipient, EventKind.WRONG_PASSWORD, {**asdict(circumstances), "failures": recipient.failures}, actor=by
    )
    if recipient.failures % _IN_A_ROW == 0:
        recipient.code_hash, recipient.code_until = "", None
    if recipient.failures >= _MOST and not recipient.blocked:
        recipient.blocked = True
        events.record(session, recipient, EventKind.LOCKED, {"failures": recipient.failures}, actor=by)
    session.add(recipient)


def _awaited(recipient: MailRecipient) -> str:
    serves = recipient.code_until is not None and recipient.code_until > clock.now()
    return recipient.code_hash if serves else ""


def _held(session: ScopedSession, recipient_id: str) -> MailRecipient:
    return session.exec(select(MailRecipient).where(MailRecipient.id == recipient_id).with_for_update()).one()
