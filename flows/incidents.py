"""Telling those who must act of the incidents of the archive that nobody has taken up; one message for all of them.

    what        when
    new ones    at once, an hour after the last message at the earliest
    the others  each morning from 8:00 (Paris), as long as nobody has taken them up

People are told who manage archives or operate where the incident is, who are not suspended and do not refuse mail. What was told
is written down, person by person, once the server has taken the message: a process that dies in between tells one person twice,
and nobody never. Without a mail server, the pages tell it, and ``tabellion doctor``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import structlog
from sqlmodel import Session, col, select

from archive.watch import telling
from archive.watch.incidents import WATCHES, watcher
from archive.watch.models import Incident
from connectors.mail.client import Mailer, mailer
from connectors.mail.errors import AddressRefused, MailUnavailable, MessageRefused
from core import clock
from core.errors import TabellionError
from core.messages import speaking
from core.organisations import Organisation
from core.people import Membership, Person, principal_of, rights_given
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.incident_letter import letter
from flows.notices import readers, root_of
from flows.parapheur.mailing import server_of

_log = structlog.get_logger()
ACTOR, QUEUE, EVERY = "archive.incidents", "remote.mail", timedelta(minutes=5)
_PAUSE = timedelta(hours=1)
_MORNING = time(8)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Due:
    """What a person is to be told.

    Attributes:
        fresh: how many of the incidents they were not told of before.
        names: of the organisations, by identifier.
    """

    person: Person
    incidents: list[Incident]
    fresh: int
    names: dict[str, str]


def tell(platform: Platform, _key: str = "") -> None:
    """Tell people of the incidents that wait for somebody.

    Raises:
        MailUnavailable, MessageRefused: who was not told is told later.
        CertificateRefused, LoginRefused: nobody was told.
        Misconfigured: the server's address does not read, or there is no address to send from.
    """
    if not platform.settings.smtp_url.get_secret_value():
        return
    due = list(_due(platform, clock.now()))
    if not due:
        return
    server, trouble = server_of(platform.settings), None
    with mailer(server) as post:
        for one in due:
            trouble = _send(platform, post, one) or trouble
    if trouble is not None:
        raise trouble


def _send(platform: Platform, post: Mailer, due: _Due) -> TabellionError | None:
    """Send a message and write down what it told; return the trouble of one that certainly has not left.

    Raises:
        MailUnavailable: the server hung up: nobody knows whether it has the message, which is sent again.
    """
    with speaking(due.person.language or "fr"):
        message = letter(due.person, due.incidents, due.fresh, due.names, platform.settings.mail_from, root_of(platform.settings))
    try:
        post.send(message)
    except AddressRefused as error:  # tried again with the reminder of the next day
        _log.warning("incidents.address_refused", person=due.person.id, reason=type(error).__name__)
    except (MessageRefused, MailUnavailable) as error:
        if not error.code:
            raise
        return error
    telling.note(platform.database, due.person.id, due.incidents, clock.now())
    return None


def _due(platform: Platform, now: datetime) -> Iterator[_Due]:
    with platform.database.reading(PLATFORM) as session:
        concerned = telling.concerned(session)
        people = list(_watching(session, concerned)) if concerned else []
    for person, principal in people:
        with platform.database.reading(principal) as session:
            last = telling.last_told(session, person.id)
            if last is not None and last > now - _PAUSE:
                continue
            found = telling.untold(session, person.id, _since(now))
            owners = {one.organisation_id for one, _ in found}
            named = select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(owners))
            names = dict(session.exec(named).all())
        if found:
            yield _Due(person, [one for one, _ in found], sum(not before for _, before in found), names)


def _since(now: datetime) -> datetime:
    """Return the moment before which what was told is told again: midnight of Paris, once the morning has begun."""
    here = clock.in_paris(now)
    day = here.date() if here.time() >= _MORNING else here.date() - _DAY
    return clock.as_utc(datetime.combine(day, time(), clock.PARIS))


def _watching(session: Session, concerned: set[str]) -> Iterator[tuple[Person, Principal]]:
    """Yield who is told of the incidents of some organisations, each as they are where they may act on incidents."""
    paths = session.exec(select(Organisation.path).where(col(Organisation.id).in_(concerned)))
    above = {identifier for path in paths for identifier in path.strip("/").split("/")}
    held = select(Membership, Organisation).join(Organisation).where(col(Membership.organisation_id).in_(above))
    watching = {
        membership.person_id
        for membership, organisation in session.exec(held)
        if rights_given(session, membership, organisation) & WATCHES
    }
    for person in readers(session, watching).values():
        yield person, watcher(principal_of(session, person))
