"""Guessing made slow: tries are counted in the database, and each failure lengthens the wait.

They are counted strictly by account and network together, by network, and by account alone far more loosely: whoever guesses
elsewhere keeps nobody out who has the right password, short of doing so from many networks. A try is counted before it is judged
and taken back when it succeeds, so that many at once gain nothing. What is counted is known by digests only: an address that
nobody has is counted like any other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel, col, select

from core import clock
from core.database import UtcDateTime
from core.errors import Unauthenticated
from core.messages import Catalogue

_messages = Catalogue("core")
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
_FORGOTTEN = timedelta(days=1)
_NETWORK_OF_IPV6 = 64
_HALF = 32  # of the hexadecimal digits of a digest: 128 bits


class Locked(Unauthenticated):
    """Too many tries.

    Attributes:
        wait: until one more is judged.
    """

    def __init__(self, wait: timedelta) -> None:
        minutes = max(1, math.ceil(wait.total_seconds() / 60))
        super().__init__(_messages.counted("lockout.minutes", minutes, minutes=minutes))
        self.wait = wait


class Lockout(SQLModel, table=True):
    """The tries that failed, of one account or from one address.

    Attributes:
        key: that of an account begins those of the account in each network.
        until: no try is judged before.
    """

    key: str = Field(primary_key=True, max_length=64)
    failures: int
    until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    last: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))


@dataclass(frozen=True, slots=True, order=True)
class Counted:
    """What is counted.

    Attributes:
        key: digests of kinds and names.
        free: how many failures cost nothing.
    """

    key: str
    free: int


def account(email: str) -> Counted:
    """Tries of passwords from everywhere, by address of account, known or not."""
    return Counted(_digest("account", email.strip().lower())[:_HALF], 100)


def account_from(email: str, host: str) -> Counted:
    """Tries of passwords of an account from one network; the fifth failure costs a wait there, and nowhere else."""
    return Counted(account(email).key + network(host).key[:_HALF], 5)


def confirmations(person_id: str) -> Counted:
    """Tries of passwords by somebody who is signed in; nobody else's count."""
    return _counted("confirmations", person_id, 5)


def codes(person_id: str) -> Counted:
    """Tries of codes, by person; a right password does not take them back."""
    return _counted("codes", person_id, 5)


def network(host: str) -> Counted:
    """Tries by network address; a whole town hall may stand behind one, hence more of them.

    IPv6 counts by /64; an IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2) counts as itself.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _counted("network", host, 30)
    if isinstance(address, ipaddress.IPv6Address):
        if mapped := address.ipv4_mapped:
            return network(str(mapped))
        host = str(ipaddress.ip_network((address, _NETWORK_OF_IPV6), strict=False))
    return _counted("network", host, 30)


def count(session: Session, *whose: Counted) -> None:
    """Count a try before it is judged.

    Raises:
        Locked: it is too early for one more; this one is not counted.
    """
    now = clock.now()
    session.execute(delete(Lockout).where(col(Lockout.last) < now - _FORGOTTEN))
    # Always in the same order, lest two tries wait for each other.
    rows = [(_row(session, one, now), one.free) for one in sorted(whose)]
    waits = [row.until - now for row, _ in rows if row.until and row.until > now]
    if waits:
        raise Locked(max(waits))
    for row, free in rows:
        row.failures, row.last = row.failures + 1, now
        row.until = now + wait_after(row.failures - free) if row.failures >= free else None


def wait_after(failures: int) -> timedelta:
    """Return how long one waits, by failures beyond the free ones: half a minute, doubled up to a quarter of an hour."""
    return min(_FIRST_WAIT * int(2 ** min(failures, 10)), _LONGEST_WAIT)


def take_back(session: Session, *whose: Counted) -> None:
    """Take back a try that succeeded: what it was counted as is one failure less."""
    for one in whose:
        row = session.get(Lockout, one.key)
        if row is not None:
            row.failures, row.until = max(0, row.failures - 1), None


def clear(session: Session, *whose: Counted) -> None:
    """Forget every failure."""
    session.execute(delete(Lockout).where(col(Lockout.key).in_([one.key for one in whose])))


def unlock(session: Session, email: str) -> None:
    """Forget every failure of an account, from whatever network."""
    session.execute(delete(Lockout).where(col(Lockout.key).startswith(account(email).key)))


def locked_until(session: Session, *whose: Counted) -> datetime | None:
    """Return until when no try is judged; None when one would be."""
    return _latest(session, col(Lockout.key).in_([one.key for one in whose]))


def account_locked_until(session: Session, email: str) -> datetime | None:
    """Return until when no try of an account is judged, from some network at least; None when each would be."""
    return _latest(session, col(Lockout.key).startswith(account(email).key))


def _latest(session: Session, condition: ColumnElement[bool]) -> datetime | None:
    found = session.exec(select(Lockout.until).where(condition)).all()
    return max((until for until in found if until and until > clock.now()), default=None)


def _row(session: Session, one: Counted, now: datetime) -> Lockout:
    """Return the row, made when there was none, held until the transaction ends."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(Lockout) if is_sqlite else postgresql.insert(Lockout)
    session.execute(insert.values(key=one.key, failures=0, until=None, last=now).on_conflict_do_nothing())
    return session.exec(select(Lockout).where(Lockout.key == one.key).with_for_update()).one()


def _counted(kind: str, name: str, free: int) -> Counted:
    return Counted(_digest(kind, name), free)


def _digest(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()
