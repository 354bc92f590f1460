"""Signed-in browsers: how long a session lasts, which are open, and signing in that is not finished yet.

A session ends an hour after it was last used, and twelve hours after it was opened in any case. Cookies are kept as digests only.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Column, delete
from sqlmodel import Field, Session, SQLModel, col, select

from core import clock
from core.database import UtcDateTime
from core.errors import Unauthenticated
from core.identifiers import new_id
from core.messages import Catalogue
from core.people import Person

IDLE, LONGEST = timedelta(minutes=60), timedelta(hours=12)
# To take out a telephone, or to enrol one.
UNFINISHED = timedelta(minutes=10)
# Use is written down once a minute at most: reading pages must not queue for the database's writer.
_GRAIN = timedelta(minutes=1)
_messages = Catalogue("core")


class WebSession(SQLModel, table=True):
    """A signed-in browser.

    Attributes:
        id: names the session to its person; opens nothing.
        seen: when it was last used, to the minute.
        expires: when it ends however much it is used.
        device: browser and system, as the person would recognise them.
    """

    __tablename__ = "web_session"

    digest: str = Field(primary_key=True, max_length=64)
    id: str = Field(default_factory=new_id, max_length=26, unique=True)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    csrf: str = Field(max_length=64)
    opened: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    seen: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    device: str = Field(max_length=80)

    @property
    def ends(self) -> datetime:
        """When it ends if it is not used again."""
        return min(self.seen + IDLE, self.expires)


class UnfinishedSignIn(SQLModel, table=True):
    """A right password whose second factor is awaited: it opens no page but that of the second factor."""

    __tablename__ = "unfinished_sign_in"

    digest: str = Field(primary_key=True, max_length=64)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


def open_session(session: Session, person: Person, device: str = "") -> tuple[str, WebSession]:
    """Open a web session; return the cookie's value, of 256 bits, and the session."""
    cookie, now = secrets.token_urlsafe(32), clock.now()
    session.execute(delete(WebSession).where(col(WebSession.expires) <= now))
    opened = WebSession(
        digest=_digest(cookie),
        person_id=person.id,
        csrf=secrets.token_urlsafe(32),
        opened=now,
        seen=now,
        expires=now + LONGEST,
        device=device[:80],
    )
    session.add(opened)
    session.flush()
    return cookie, opened


def behind(session: Session, cookie: str) -> tuple[Person, WebSession]:
    """Return who is behind a cookie.

    Raises:
        Unauthenticated: no such session, it has expired, or the account was suspended.
    """
    opened = session.get(WebSession, _digest(cookie))
    if opened is None or opened.ends <= clock.now():
        raise Unauthenticated(_messages("person.session_expired"))
    person = session.get(Person, opened.person_id)
    if person is None:
        raise Unauthenticated(_messages("person.gone"))
    if person.suspended:
        raise Unauthenticated(_messages("person.suspended"))
    return person, opened


def is_worth_noting(opened: WebSession) -> bool:
    """Tell whether the last use that was written down is old enough for this one to be."""
    return clock.now() - opened.seen >= _GRAIN


def note_use(session: Session, opened: WebSession) -> None:
    """Write down that a session is used; one that was closed meanwhile stays closed."""
    if kept := session.get(WebSession, opened.digest):
        kept.seen = opened.seen = clock.now()


def close(session: Session, cookie: str) -> None:
    """Close a web session, if it is still open."""
    session.execute(delete(WebSession).where(col(WebSession.digest) == _digest(cookie)))


def close_of(session: Session, person_id: str, *, one: str | None = None, but: str | None = None) -> None:
    """Close the sessions of a person: all, with the sign-ins that are not finished; one by its identifier; or all but one."""
    if one is None and but is None:
        # First: one that is being finished at this moment opens its session before we look for sessions, or never.
        session.execute(delete(UnfinishedSignIn).where(col(UnfinishedSignIn.person_id) == person_id))
    theirs = delete(WebSession).where(col(WebSession.person_id) == person_id)
    if one is not None:
        theirs = theirs.where(col(WebSession.id) == one)
    if but is not None:
        theirs = theirs.where(col(WebSession.id) != but)
    session.execute(theirs)


def open_of(session: Session, person_id: str) -> list[WebSession]:
    """Return the open sessions of a person, the one last used first."""
    theirs = select(WebSession).where(WebSession.person_id == person_id).order_by(col(WebSession.seen).desc())
    return [found for found in session.exec(theirs) if found.ends > clock.now()]


def await_second_factor(session: Session, person: Person) -> str:
    """Return the cookie's value of a sign-in that is not finished."""
    cookie, now = secrets.token_urlsafe(32), clock.now()
    session.execute(delete(UnfinishedSignIn).where(col(UnfinishedSignIn.expires) <= now))
    session.add(UnfinishedSignIn(digest=_digest(cookie), person_id=person.id, expires=now + UNFINISHED))
    session.flush()
    return cookie


def awaited(session: Session, cookie: str) -> Person | None:
    """Return whose second factor is awaited behind a cookie; None when nobody's is, or no longer."""
    found = session.get(UnfinishedSignIn, _digest(cookie)) if cookie else None
    if found is None or found.expires <= clock.now():
        return None
    person = session.get(Person, found.person_id)
    return None if person is None or person.suspended else person


def finish(session: Session, cookie: str) -> bool:
    """Forget a sign-in that was awaiting its second factor; tell whether it still was."""
    gone = session.execute(delete(UnfinishedSignIn).where(col(UnfinishedSignIn.digest) == _digest(cookie)))
    return bool(gone.rowcount)  # type: ignore[attr-defined]


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
