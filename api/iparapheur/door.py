"""Who is behind HTTP Basic (RFC 7617): a person with their address and password, or software with its API token as the password.

The user name of software is the short name of the desk in whose name it sends; ``desk@SIRET`` where its token is good for several
organisations: it is good for that one only then, and sees nothing of the others. A person who has, or must have, a second factor
cannot come in here: this service has no place for a code.

Software asks again and again. A password that was right is remembered for a minute, in this process, by a keyed digest: it costs
neither the time of Argon2 nor a count of tries each time, and tries that come at once do not lock each other out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field, replace

from sqlmodel import Session, col, select

from api.basic import credentials
from api.tenants import organisation_named
from core import lockout, people, second_factor
from core.errors import NotFound, Unauthenticated, UsageError
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Principal
from core.tokens import ApiToken, software_behind
from signing.parapheur.desks import Around, Hand, around
from signing.parapheur.models import Desk
from signing.parapheur.software import sending

_messages = Catalogue("api.iparapheur")
_TOKEN = "tab_"  # noqa: S105 - what every token begins with
_REMEMBERED_FOR = 60.0
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks.

    Attributes:
        principal: software holds its rights in the organisation of its desk only; another may have a folder of the same name.
        senders: the desks in whose name they send, by name.
        desks: those of a person; None for software.
    """

    principal: Principal
    senders: tuple[Desk, ...]
    desks: Around | None

    def hand_at(self, desk: Desk) -> Hand:
        """Return the hand with which they send from a desk."""
        if self.desks is None:
            return sending(self.principal, desk.id)
        return Hand(self.principal.actor, self.desks.person_id, desk.id, None)


@dataclass(slots=True)
class _Memory:
    """Passwords that were right a moment ago: by digest, the person and what was kept of the password."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    known: dict[bytes, tuple[float, str, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def digest(self, login: str, password: str) -> bytes:
        return hmac.new(self.key, f"{len(login)}:{login}{password}".encode(), hashlib.sha256).digest()

    def person(self, session: Session, digest: bytes) -> Person | None:
        """Return whose password it was, if it still is."""
        until, person_id, kept = self.known.get(digest, (0.0, "", ""))
        person = session.get(Person, person_id) if until > time.monotonic() else None
        return person if person is not None and person.password_hash == kept and not person.suspended else None

    def keep(self, digest: bytes, person: Person) -> None:
        if len(self.known) >= _MOST:
            self.known.clear()
        self.known[digest] = (time.monotonic() + _REMEMBERED_FOR, person.id, person.password_hash)


_memory = _Memory()


def account_behind(platform: Platform, authorization: str, host: str) -> Account:
    """Return who asks.

    Args:
        platform: its parts.
        authorization: the header of that name.
        host: network address of the caller, by which tries are counted.

    Raises:
        Unauthenticated: nobody, or somebody who cannot come in here; the message says why.
        Locked: too many tries.
    """
    login, password = _credentials(authorization)
    if password.startswith(_TOKEN):
        return _software(platform, login, password)
    person = _person(platform, login, password, host)
    with platform.database.reading(PLATFORM) as session:
        principal, found = people.principal_of(session, person), around(session, person.id)
        mine = select(Desk).where(col(Desk.id).in_(found.held), col(Desk.may_create).is_(True))
        return Account(principal, tuple(session.exec(mine.order_by(Desk.name, Desk.id))), found)


def _credentials(authorization: str) -> tuple[str, str]:
    """Return the user name and the password, which may hold a colon."""
    found = credentials(authorization)
    if found is None:
        raise Unauthenticated(_messages("door.basic"))
    return found


def _software(platform: Platform, login: str, token: str) -> Account:
    short, _, owner = login.partition("@")
    with platform.database.reading(PLATFORM) as session:
        principal = software_behind(session, token)
        own = session.get_one(ApiToken, principal.actor.partition(":")[2]).organisation_id
    try:
        organisation_id = organisation_named(platform, principal, owner).id if owner else own
    except (NotFound, UsageError) as error:
        raise Unauthenticated(_messages("door.organisation", found=owner[:30])) from error
    wanted = select(Desk).where(Desk.organisation_id == organisation_id, Desk.short_name == short, col(Desk.closed).is_(None))
    with platform.database.reading(principal) as session:
        desk = session.exec(wanted).first()
    if desk is None or not desk.may_create:
        raise Unauthenticated(_messages("door.desk", found=short[:60]))
    return Account(replace(principal, grants={organisation_id: principal.grants[organisation_id]}), (desk,), None)


def _person(platform: Platform, login: str, password: str, host: str) -> Person:
    digest = _memory.digest(login, password)
    person = _remembered(platform, digest)
    if person is None:
        # One at a time: of many that come at once, the first is judged and the others are remembered.
        with _memory.lock:
            person = _remembered(platform, digest) or _judged(platform, login, password, host)
            _memory.keep(digest, person)
    with platform.database.reading(PLATFORM) as session:
        if second_factor.is_on(session, person.id) or second_factor.is_required(session, platform.secrets, person.id):
            raise Unauthenticated(_messages("door.factor"))
    return person


def _remembered(platform: Platform, digest: bytes) -> Person | None:
    with platform.database.reading(PLATFORM) as session:
        return _memory.person(session, digest)


def _judged(platform: Platform, login: str, password: str, host: str) -> Person:
    """Return whose password it is; the try is counted before it is judged, and taken back when it succeeds."""
    here, account, network = lockout.account_from(login, host), lockout.account(login), lockout.network(host)
    with platform.database.writing(PLATFORM) as session:
        lockout.count(session, here, account, network)
    with platform.database.reading(PLATFORM) as session:
        person = people.sign_in(session, login, password)
    with platform.database.writing(PLATFORM) as session:
        lockout.clear(session, here, account)
        lockout.take_back(session, network)
    return person
