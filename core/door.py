"""The door: from an address and a password, then a code where one is asked for, to an open session.

Each step counts the try first, judges it outside any transaction that writes, and takes it back when it succeeds. What is known
and what is not are answered alike, and take as long.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from core import journal, lockout, passwords, people, second_factor, web_sessions
from core.database import Database
from core.errors import Unauthenticated, UsageError
from core.messages import Catalogue
from core.people import Person
from core.principal import PLATFORM
from core.secrets import SecretBox

_messages = Catalogue("core")


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a browser is given: one cookie of the two.

    Attributes:
        session: the cookie's value of an open session.
        awaiting: that of a sign-in whose second factor is awaited.
    """

    session: str = ""
    awaiting: str = ""


def present_password(database: Database, box: SecretBox, email: str, password: str, *, host: str, device: str) -> Admitted:
    """Open a session, or await the second factor of whoever has one or must have one.

    Args:
        database: where everything is counted and kept.
        box: opens the secrets that organisations configured.
        email: as typed.
        password: as typed.
        host: network address of the browser, by which tries are counted.
        device: browser and system, as the person would recognise them.

    Raises:
        Locked: too many tries.
        Unauthenticated: unknown address or wrong password, not told apart; or a suspended account.
    """
    here, account, network = lockout.account_from(email, host), lockout.account(email), lockout.network(host)
    with database.writing(PLATFORM) as session:
        lockout.count(session, here, account, network)
    # The password is verified before the database is written to: SQLite's one writer is not held meanwhile.
    try:
        with database.reading(PLATFORM) as session:
            known = people.sign_in(session, email, password)
    except Unauthenticated:
        _tell_of_lock(database, email, here, account)
        raise
    with database.writing(PLATFORM) as session:
        person = session.get_one(Person, known.id, with_for_update=True)
        if person.password_hash != known.password_hash or person.suspended:
            # Changed while the password was verified, and what was open is closed: nothing is opened after it, unasked.
            people.sign_in(session, email, password)
        if passwords.outdated(person.password_hash):
            person.password_hash = passwords.hashed(password)
        lockout.clear(session, here, account)
        lockout.take_back(session, network)
        if second_factor.is_on(session, person.id) or second_factor.is_required(session, box, person.id):
            return Admitted(awaiting=web_sessions.await_second_factor(session, person))
        return Admitted(session=web_sessions.open_session(session, person, device)[0])


def present_code(database: Database, box: SecretBox, awaiting: str, code: str, *, device: str) -> Admitted:
    """Open the session of a sign-in that awaited its second factor.

    Raises:
        Unauthenticated: nobody's is awaited behind this cookie, or no longer.
        Locked: too many codes were tried.
        WrongCode: it is none of the person's, or it has served.
    """
    person = whose(database, awaiting)
    count_code(database, person.id)
    with database.writing(PLATFORM) as session:
        _finish(session, awaiting)
        second_factor.verify(session, box, person.id, code)
        lockout.clear(session, lockout.codes(person.id))
        return Admitted(session=web_sessions.open_session(session, person, device)[0])


def enrol(database: Database, box: SecretBox, awaiting: str, code: str, *, device: str) -> tuple[Admitted, list[str]]:
    """Open the session of somebody who had to enrol a second factor first; return the recovery codes as well.

    Raises:
        Unauthenticated: nobody's is awaited behind this cookie, or no longer.
        Locked: too many codes were tried.
        WrongCode: the code is not one of the secret that was shown.
    """
    person = whose(database, awaiting)
    count_code(database, person.id)
    with database.writing(PLATFORM) as session:
        _finish(session, awaiting)
        codes = turn_on(session, box, person, code)
        return Admitted(session=web_sessions.open_session(session, person, device)[0]), codes


def turn_on(session: Session, box: SecretBox, person: Person, code: str) -> list[str]:
    """Turn a person's second factor on and write it in the journal; return the recovery codes.

    Raises:
        WrongCode: the code is not one of the secret that was shown.
    """
    codes = second_factor.confirm(session, box, person.id, code)
    lockout.clear(session, lockout.codes(person.id))
    note(session, person.id, "person.second_factor_added")
    return codes


def whose(database: Database, awaiting: str) -> Person:
    """Return whose second factor is awaited.

    Raises:
        Unauthenticated: nobody's, or no longer.
    """
    with database.reading(PLATFORM) as session:
        person = web_sessions.awaited(session, awaiting)
    if person is None:
        raise Unauthenticated(_messages("factor.too_late"))
    return person


def _finish(session: Session, awaiting: str) -> None:
    """Take a sign-in that awaits its second factor: a new password may have ended it since it was looked at."""
    if not web_sessions.finish(session, awaiting):
        raise Unauthenticated(_messages("factor.too_late"))


def count_code(database: Database, person_id: str) -> None:
    """Count a try of a code before it is judged.

    Raises:
        Locked: too many were tried.
    """
    with database.writing(PLATFORM) as session:
        lockout.count(session, lockout.codes(person_id))


def confirm_password(database: Database, person: Person, password: str) -> None:
    """Go on only if somebody who is signed in knows their password, before what a passer-by must not do.

    Raises:
        Locked: too many tries.
        UsageError: it is another.
    """
    tries = lockout.confirmations(person.id)
    with database.writing(PLATFORM) as session:
        lockout.count(session, tries)
    if not passwords.matches(person.password_hash, password):
        raise UsageError(_messages("password.wrong"))
    with database.writing(PLATFORM) as session:
        lockout.clear(session, tries)


def note(session: Session, person_id: str, kind: str) -> None:
    """Write in the journal what a person did to their own account."""
    if organisation_id := people.home(session, person_id):
        facts = {"person": person_id}
        journal.write(session, organisation_id=organisation_id, kind=kind, actor=f"person:{person_id}", facts=facts)


def _tell_of_lock(database: Database, email: str, *tries: lockout.Counted) -> None:
    """Write in the journal that an account is locked, be it from one network; of one that nobody has there is nothing to tell."""
    with database.writing(PLATFORM) as session:
        person = people.with_address(session, email)
        if person is not None and lockout.locked_until(session, *tries) is not None:
            organisation_id = people.home(session, person.id)
            if organisation_id is not None:
                facts = {"person": person.id}
                journal.write(session, organisation_id=organisation_id, kind="person.locked", actor="platform", facts=facts)
