"""The door, second factors and links, on a database of each kind."""

from __future__ import annotations

import threading
from datetime import timedelta

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from core import administration, clock, door, invitations, lockout, people, second_factor, web_sessions
from core.database import Database
from core.errors import Conflict, NotFound, Unauthenticated, UsageError
from core.invitations import Invitation
from core.journal import JournalEntry
from core.lockout import Locked, Lockout
from core.people import Person
from core.principal import PLATFORM
from core.second_factor import RecoveryCode, SecondFactor, SecondFactorRule, WrongCode
from core.secrets import SecretBox
from core.web_sessions import UnfinishedSignIn
from tests.integration.core.tree import Tree

ADDRESS, PASSWORD, OTHER = "agent@valmorin.example", "agrafe correcte", "une autre phrase"


@pytest.fixture
def box() -> SecretBox:
    """A box of secrets of its own."""
    return SecretBox([Fernet.generate_key()])


@pytest.fixture
def person(database: Database, tree: Tree) -> Person:
    """An agent of the commune."""
    with database.writing(PLATFORM) as session:
        added = people.add_person(session, ADDRESS, "Agent des finances", PASSWORD)
        people.grant_role(session, added, tree.mairie, "agent")
    return added


def knock(
    database: Database, box: SecretBox, password: str = PASSWORD, *, email: str = ADDRESS, host: str = "192.0.2.1"
) -> door.Admitted:
    return door.present_password(database, box, email, password, host=host, device="Firefox · Linux")


def enrolled(database: Database, box: SecretBox, person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """The application of a person who has just enrolled, with the code of this interval, and the recovery codes."""
    with database.writing(PLATFORM) as session:
        application = pyotp.TOTP(second_factor.begin(session, box, person.id))
        codes = second_factor.confirm(session, box, person.id, application.now())
    return application, codes


def next_code(application: pyotp.TOTP, intervals: int = 1) -> str:
    """The code that the application shows some intervals from now; the next one is taken already."""
    return application.at(clock.now() + timedelta(seconds=30 * intervals))


def kinds(database: Database) -> list[str]:
    with database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry.kind).order_by(JournalEntry.number)))


# The door


def test_failures_cost_nothing_at_first_then_a_wait_that_the_right_password_does_not_shorten(
    database: Database, box: SecretBox, person: Person
) -> None:
    for _ in range(5):
        with pytest.raises(Unauthenticated) as refused:
            knock(database, box, "faux mot de passe")
        assert not isinstance(refused.value, Locked)
    with pytest.raises(Locked) as locked:
        knock(database, box)
    assert timedelta(0) < locked.value.wait <= timedelta(seconds=30)
    entries = [entry for entry in kinds(database) if entry.startswith("person.")]
    assert entries == ["person.locked"]
    with database.writing(PLATFORM) as session:
        for row in session.exec(select(Lockout)):
            row.until = clock.now() - timedelta(seconds=1) if row.until else None
    assert knock(database, box).session
    with database.reading(PLATFORM) as session:
        assert session.get(Lockout, lockout.account_from(person.email, "192.0.2.1").key) is None


def test_whoever_guesses_elsewhere_keeps_nobody_out_unless_from_many_networks(
    database: Database, box: SecretBox, person: Person
) -> None:
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            knock(database, box, "faux mot de passe", host="198.51.100.7")
    with pytest.raises(Locked):
        knock(database, box, host="198.51.100.7")
    assert knock(database, box).session
    with database.writing(PLATFORM) as session:
        for _ in range(100):
            lockout.count(session, lockout.account(person.email))
    with pytest.raises(Locked):
        knock(database, box)


def test_an_address_that_nobody_has_is_locked_just_as_one_that_somebody_has(
    database: Database, box: SecretBox, person: Person
) -> None:
    said: dict[str, list[str]] = {}
    for email in (person.email, "personne@valmorin.example"):
        for _ in range(6):
            with pytest.raises(Unauthenticated) as refused:
                knock(database, box, "faux mot de passe", email=email)
            said.setdefault(email, []).append(str(refused.value))
    assert said[person.email] == said["personne@valmorin.example"]
    with database.reading(PLATFORM) as session:
        assert not [row for row in session.exec(select(Lockout)) if "valmorin" in str(row.model_dump())]


def test_one_network_address_that_tries_many_accounts_is_stopped_and_others_are_not(database: Database, box: SecretBox) -> None:
    with database.writing(PLATFORM) as session:
        for _ in range(30):
            lockout.count(session, lockout.network("192.0.2.1"))
    with pytest.raises(Locked):
        knock(database, box, email="jamais@valmorin.example")
    with pytest.raises(Unauthenticated) as refused:
        knock(database, box, email="jamais@valmorin.example", host="192.0.2.2")
    assert not isinstance(refused.value, Locked)


def test_many_tries_at_once_are_judged_no_oftener_than_one_after_the_other(database: Database) -> None:
    judged, barrier = [], threading.Barrier(12)

    def attempt() -> None:
        barrier.wait()
        try:
            with database.writing(PLATFORM) as session:
                lockout.count(session, lockout.account_from("x@valmorin.example", "192.0.2.1"), lockout.network("192.0.2.1"))
            judged.append(1)
        except Locked:
            pass

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(judged) == 5


def test_failures_are_forgotten_after_a_day(database: Database) -> None:
    one = lockout.account_from("x@valmorin.example", "192.0.2.1")
    with database.writing(PLATFORM) as session:
        for _ in range(5):
            lockout.count(session, one)
        session.get_one(Lockout, one.key).last -= timedelta(days=2)
    with database.writing(PLATFORM) as session:
        lockout.count(session, one)
        assert session.get_one(Lockout, one.key).failures == 1


def test_a_right_password_alone_is_no_session_where_a_code_is_awaited(database: Database, box: SecretBox, person: Person) -> None:
    application, _ = enrolled(database, box, person)
    admitted = knock(database, box)
    assert (admitted.session, bool(admitted.awaiting)) == ("", True)
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated):
        web_sessions.behind(session, admitted.awaiting)
    through = door.present_code(database, box, admitted.awaiting, next_code(application), device="")
    with database.reading(PLATFORM) as session:
        assert web_sessions.behind(session, through.session)[0].id == person.id
    with pytest.raises(Unauthenticated):
        door.present_code(database, box, admitted.awaiting, next_code(application), device="")


def test_a_sign_in_left_unfinished_is_over_after_ten_minutes_or_when_the_account_is_suspended(
    database: Database, box: SecretBox, person: Person
) -> None:
    application, _ = enrolled(database, box, person)
    late, suspended = knock(database, box).awaiting, knock(database, box).awaiting
    with database.writing(PLATFORM) as session:
        for row in session.exec(select(UnfinishedSignIn)):
            row.expires = clock.now() - timedelta(seconds=1)
    with pytest.raises(Unauthenticated, match="délai"):
        door.present_code(database, box, late, next_code(application), device="")
    with database.writing(PLATFORM) as session:
        for row in session.exec(select(UnfinishedSignIn)):
            row.expires = clock.now() + timedelta(minutes=1)
        session.get_one(Person, person.id).suspended = clock.now()
    with pytest.raises(Unauthenticated, match="délai"):
        door.present_code(database, box, suspended, next_code(application), device="")


def test_a_new_password_ends_the_sign_ins_that_another_began_with_the_old_one(
    database: Database, box: SecretBox, tree: Tree, person: Person
) -> None:
    with database.writing(PLATFORM) as session:
        administration.require_second_factor(session, box, PLATFORM, tree.root, SecondFactorRule(everyone=True))
    begun = knock(database, box).awaiting
    with database.writing(PLATFORM) as session:
        application = pyotp.TOTP(second_factor.begin(session, box, person.id))
        invitations.accept(session, invitations.issue(session, person, PLATFORM), OTHER)
    with pytest.raises(Unauthenticated, match="délai"):
        door.enrol(database, box, begun, application.now(), device="")


@pytest.mark.parametrize("meanwhile", ["another password", "suspended"])
def test_what_changes_while_a_password_is_verified_opens_nothing(
    database: Database, box: SecretBox, person: Person, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = people.sign_in

    def judged_then_changed(session: Session, email: str, password: str) -> Person:
        known = judge(session, email, password)
        monkeypatch.setattr(people, "sign_in", judge)
        with database.writing(PLATFORM) as writing:
            changed = writing.get_one(Person, person.id)
            if meanwhile == "suspended":
                changed.suspended = clock.now()
            else:
                people.choose_password(changed, OTHER)
        return known

    monkeypatch.setattr(people, "sign_in", judged_then_changed)
    with pytest.raises(Unauthenticated):
        knock(database, box)


@pytest.mark.parametrize("step", ["code", "enrolment"])
def test_a_sign_in_that_a_new_password_ends_while_its_code_is_judged_opens_nothing(
    database: Database, box: SecretBox, person: Person, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, _ = enrolled(database, box, person)
    awaiting = knock(database, box).awaiting

    def ended(_database: Database, person_id: str) -> None:
        with database.writing(PLATFORM) as session:
            web_sessions.close_of(session, person_id)

    monkeypatch.setattr(door, "count_code", ended)
    take = door.present_code if step == "code" else door.enrol
    with pytest.raises(Unauthenticated, match="délai"):
        take(database, box, awaiting, next_code(application), device="")


def test_codes_that_are_guessed_are_locked_whatever_right_passwords_come_between(
    database: Database, box: SecretBox, person: Person
) -> None:
    application, _ = enrolled(database, box, person)
    for _ in range(5):
        with pytest.raises(WrongCode):
            door.present_code(database, box, knock(database, box).awaiting, "000000", device="")
    with pytest.raises(Locked):
        door.present_code(database, box, knock(database, box).awaiting, next_code(application), device="")


# Second factors


def test_a_code_serves_once_and_so_does_none_older(database: Database, box: SecretBox, person: Person) -> None:
    application, _ = enrolled(database, box, person)
    served, fresh = application.now(), next_code(application)

    def takes(code: str) -> bool:
        try:
            with database.writing(PLATFORM) as session:
                second_factor.verify(session, box, person.id, code)
        except WrongCode:
            return False
        return True

    assert takes(f"{fresh[:3]} {fresh[3:]}")
    assert not takes(fresh)
    assert not takes(served)  # older than the last that served
    assert not takes(next_code(application, 5))
    assert not any(map(takes, ("", "12345", "x" * 300, "²²²²²²")))


def test_of_two_requests_with_the_same_code_at_once_one_is_served(database: Database, box: SecretBox, person: Person) -> None:
    application, codes = enrolled(database, box, person)
    for code in (next_code(application), codes[0]):
        served, barrier = [], threading.Barrier(4)

        def attempt(code: str = code, served: list[int] = served, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                with database.writing(PLATFORM) as session:
                    second_factor.verify(session, box, person.id, code)
                served.append(1)
            except WrongCode:
                pass

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert served == [1]


def test_ten_recovery_codes_serve_once_each_and_renewing_them_ends_the_earlier_ones(
    database: Database, box: SecretBox, person: Person
) -> None:
    _, codes = enrolled(database, box, person)
    assert len(set(codes)) == 10
    with database.writing(PLATFORM) as session:
        second_factor.verify(session, box, person.id, codes[0].upper())
        assert second_factor.recovery_codes_left(session, person.id) == 9
        with pytest.raises(WrongCode):
            second_factor.verify(session, box, person.id, codes[0])
        fresh = second_factor.renew_recovery_codes(session, person.id)
        with pytest.raises(WrongCode):
            second_factor.verify(session, box, person.id, codes[1])
        second_factor.verify(session, box, person.id, fresh[1].replace("-", " "))


def test_neither_the_secret_nor_a_recovery_code_is_kept_in_clear(database: Database, box: SecretBox, person: Person) -> None:
    application, codes = enrolled(database, box, person)
    with database.reading(PLATFORM) as session:
        kept = f"{session.exec(select(SecondFactor)).one().model_dump()} {[c.digest for c in session.exec(select(RecoveryCode))]}"
    assert application.secret not in kept
    assert not [code for code in codes if code in kept or code.replace("-", "") in kept]


def test_a_recovery_code_is_its_owner_s_only(database: Database, box: SecretBox, person: Person) -> None:
    _, codes = enrolled(database, box, person)
    with database.writing(PLATFORM) as session:
        other = people.add_person(session, "autre@valmorin.example", "Autre", PASSWORD)
    enrolled(database, box, other)
    with database.writing(PLATFORM) as session, pytest.raises(WrongCode):
        second_factor.verify(session, box, other.id, codes[0])


def test_enrolling_wants_a_right_code_and_what_is_on_is_not_begun_again(
    database: Database, box: SecretBox, person: Person
) -> None:
    with database.writing(PLATFORM) as session:
        first = second_factor.begin(session, box, person.id)
        second = second_factor.begin(session, box, person.id)
        with pytest.raises(WrongCode):
            second_factor.confirm(session, box, person.id, pyotp.TOTP(first).now())
        assert not second_factor.is_on(session, person.id)
        second_factor.confirm(session, box, person.id, pyotp.TOTP(second).now())
        assert second_factor.begun(session, box, person.id) is None
        with pytest.raises(Conflict):
            second_factor.begin(session, box, person.id)
        second_factor.remove(session, person.id)
        assert session.exec(select(RecoveryCode)).all() == []


@pytest.mark.parametrize(
    ("rule", "awaited"),
    [
        (SecondFactorRule(), False),
        (SecondFactorRule(roles=("signataire",)), False),
        (SecondFactorRule(roles=("agent",)), True),
        (SecondFactorRule(everyone=True), True),
    ],
    ids=["nobody", "another role", "the role", "everybody"],
)
def test_who_must_have_a_second_factor_enrols_before_the_first_session(
    database: Database, box: SecretBox, tree: Tree, person: Person, rule: SecondFactorRule, awaited: bool
) -> None:
    with database.writing(PLATFORM) as session:
        administration.require_second_factor(session, box, PLATFORM, tree.root, rule)
    admitted = knock(database, box)
    assert bool(admitted.awaiting) == awaited
    if awaited:
        with database.writing(PLATFORM) as session:
            application = pyotp.TOTP(second_factor.begin(session, box, person.id))
        with pytest.raises(WrongCode):
            door.enrol(database, box, admitted.awaiting, "000000", device="")
        through, codes = door.enrol(database, box, admitted.awaiting, application.now(), device="")
        assert through.session
        assert len(codes) == 10
        assert "person.second_factor_added" in kinds(database)


def test_what_an_organisation_asks_below_lifts_nothing_that_is_asked_above(
    database: Database, box: SecretBox, tree: Tree, person: Person
) -> None:
    asked, rule = SecondFactorRule(roles=("agent",)), administration.require_second_factor
    with database.writing(PLATFORM) as session:
        rule(session, box, PLATFORM, tree.root, asked)
        rule(session, box, PLATFORM, tree.mairie, SecondFactorRule(roles=("signataire",)))
        session.flush()
        assert second_factor.is_required(session, box, person.id)
        assert second_factor.rules_at(session, box, tree.mairie.id) == (SecondFactorRule(roles=("signataire",)), asked)


# Links


def test_an_invitation_gives_a_password_once_and_closes_what_was_open(database: Database, box: SecretBox, person: Person) -> None:
    cookie = knock(database, box).session
    with database.writing(PLATFORM) as session:
        earlier, secret = invitations.issue(session, person, PLATFORM), invitations.issue(session, person, PLATFORM)
        kept = str(session.exec(select(Invitation)).one().model_dump())
    assert secret not in kept
    with database.writing(PLATFORM) as session, pytest.raises(NotFound):
        invitations.accept(session, earlier, OTHER)
    with database.writing(PLATFORM) as session, pytest.raises(UsageError):
        invitations.accept(session, secret, "court")
    with database.writing(PLATFORM) as session:
        invitations.accept(session, secret, OTHER)
    with database.writing(PLATFORM) as session, pytest.raises(NotFound):
        invitations.accept(session, secret, PASSWORD)
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated):
        web_sessions.behind(session, cookie)
    assert knock(database, box, OTHER).session


def test_a_link_opens_nothing_after_a_week_nor_for_a_suspended_account(database: Database, person: Person) -> None:
    with database.writing(PLATFORM) as session:
        secret = invitations.issue(session, person, PLATFORM)
        kept = session.exec(select(Invitation)).one()
        assert kept.expires - clock.now() <= timedelta(days=7)
        kept.expires -= timedelta(days=7, seconds=1)
    with database.reading(PLATFORM) as session, pytest.raises(NotFound):
        invitations.invited(session, secret)
    with database.writing(PLATFORM) as session:
        secret = invitations.issue(session, person, PLATFORM)
        session.get_one(Person, person.id).suspended = clock.now()
    with database.reading(PLATFORM) as session:
        for tried in (secret, "", "x" * 1000):
            with pytest.raises(NotFound):
                invitations.invited(session, tried)
