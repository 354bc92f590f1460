"""People: how they sign in, who is behind a cookie, when that ends, and what their roles give."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from core import clock, roles, web_sessions
from core.database import Database
from core.errors import Conflict, Forbidden, NotFound, Unauthenticated, UsageError
from core.people import Membership, Person, add_person, choose_password, grant_role, principal_of, rename, sign_in
from core.principal import PLATFORM, Principal, Right
from core.web_sessions import WebSession
from tests.integration.core.tree import Tree

ADDRESS, PASSWORD = "agent@valmorin.example", "agrafe correcte"


@pytest.fixture
def person(database: Database, tree: Tree) -> Person:
    """An agent of the commune."""
    with database.writing(PLATFORM) as session:
        added = add_person(session, ADDRESS, "Agent des finances", PASSWORD)
        grant_role(session, added, tree.mairie, "agent", {Right.READ, Right.DEPOSIT})
    return added


def opened_for(database: Database, person: Person, device: str = "") -> str:
    with database.writing(PLATFORM) as session:
        return web_sessions.open_session(session, session.get_one(Person, person.id), device)[0]


def refused_at_the_door(database: Database, address: str, password: str) -> str:
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated) as refused:
        sign_in(session, address, password)
    return str(refused.value)


def test_whoever_signs_in_is_behind_the_cookie_with_their_rights(database: Database, tree: Tree, person: Person) -> None:
    cookie = opened_for(database, person)
    with database.reading(PLATFORM) as session:
        found, opened = web_sessions.behind(session, cookie)
        principal = principal_of(session, found)
    assert (principal.actor, principal.name) == (f"person:{person.id}", "Agent des finances")
    assert principal.may(Right.DEPOSIT, tree.service.id)
    assert not principal.may(Right.OPERATE, tree.mairie.id)
    assert not principal.may(Right.READ, tree.other.id)
    assert opened.csrf not in cookie


def test_neither_the_password_nor_the_cookie_is_kept(database: Database, person: Person) -> None:
    cookie = opened_for(database, person)
    with database.reading(PLATFORM) as session:
        kept = f"{session.exec(select(Person)).one().model_dump()} {session.exec(select(WebSession)).one().model_dump()}"
    assert PASSWORD not in kept
    assert cookie not in kept
    assert "$argon2id$" in kept


@pytest.mark.usefixtures("person")
def test_the_case_of_an_address_and_spaces_around_it_do_not_matter(database: Database) -> None:
    with database.reading(PLATFORM) as session:
        assert sign_in(session, f" {ADDRESS.upper()} ", PASSWORD).email == ADDRESS


@pytest.mark.usefixtures("person")
def test_a_wrong_password_an_unknown_address_and_one_that_never_chose_are_refused_in_the_same_words(database: Database) -> None:
    with database.writing(PLATFORM) as session:
        add_person(session, "invitee@valmorin.example", "Une invitée", None)
    tries = ((ADDRESS, "x"), ("nobody@valmorin.example", PASSWORD), (ADDRESS, ""), ("", ""), ("invitee@valmorin.example", ""))
    assert len({refused_at_the_door(database, address, password) for address, password in tries}) == 1


def test_a_suspended_person_is_told_so_only_with_the_right_password_and_no_session_goes_on(
    database: Database, person: Person
) -> None:
    cookie = opened_for(database, person)
    with database.writing(PLATFORM) as session:
        session.get_one(Person, person.id).suspended = clock.now()
    assert "suspendu" in refused_at_the_door(database, ADDRESS, PASSWORD)
    assert "suspendu" not in refused_at_the_door(database, ADDRESS, "une autre phrase")
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated, match="suspendu"):
        web_sessions.behind(session, cookie)


def test_a_session_ends_when_one_signs_out_and_another_of_the_same_person_goes_on(database: Database, person: Person) -> None:
    one, other = opened_for(database, person), opened_for(database, person)
    with database.writing(PLATFORM) as session:
        web_sessions.close(session, one)
        web_sessions.close(session, "never opened")
    with database.reading(PLATFORM) as session:
        with pytest.raises(Unauthenticated, match="expiré"):
            web_sessions.behind(session, one)
        assert web_sessions.behind(session, other)


@pytest.mark.parametrize(
    ("seen", "opened", "stands"),
    [(59, 59, True), (61, 61, False), (1, 11 * 60 + 59, True), (1, 12 * 60 + 1, False)],
    ids=["used within the hour", "unused for an hour", "used since this morning", "open for twelve hours"],
)
def test_a_session_ends_unused_after_an_hour_and_used_after_twelve(
    database: Database, person: Person, seen: int, opened: int, stands: bool
) -> None:
    cookie, now = opened_for(database, person), clock.now()
    with database.writing(PLATFORM) as session:
        kept = session.exec(select(WebSession)).one()
        kept.seen = now - timedelta(minutes=seen)
        kept.expires = now - timedelta(minutes=opened) + web_sessions.LONGEST
    with database.reading(PLATFORM) as session:
        if stands:
            assert web_sessions.behind(session, cookie)
        else:
            with pytest.raises(Unauthenticated, match="expiré"):
                web_sessions.behind(session, cookie)


def test_use_is_noted_once_a_minute_and_reopens_nothing(database: Database, person: Person) -> None:
    cookie = opened_for(database, person)
    with database.writing(PLATFORM) as session:
        _, opened = web_sessions.behind(session, cookie)
        assert not web_sessions.is_worth_noting(opened)
        opened.seen = clock.now() - timedelta(minutes=30)
    assert web_sessions.is_worth_noting(opened)
    with database.writing(PLATFORM) as session:
        web_sessions.note_use(session, opened)
    with database.writing(PLATFORM) as session:
        assert session.exec(select(WebSession)).one().seen > clock.now() - timedelta(minutes=1)
        web_sessions.close(session, cookie)
        web_sessions.note_use(session, opened)
        assert session.exec(select(WebSession)).all() == []


def test_a_person_sees_their_open_sessions_and_closes_one_or_all_but_this_one(
    database: Database, person: Person, tree: Tree
) -> None:
    del tree
    with database.writing(PLATFORM) as session:
        somebody = add_person(session, "autre@valmorin.example", "Autre", PASSWORD)
    for device in ("Firefox · Linux", "Safari · iPhone", "Chrome · Windows"):
        opened_for(database, person, device)
    opened_for(database, somebody)
    with database.writing(PLATFORM) as session:
        mine = web_sessions.open_of(session, person.id)
        assert [found.device for found in mine] == ["Chrome · Windows", "Safari · iPhone", "Firefox · Linux"]
        web_sessions.close_of(session, somebody.id, one=mine[0].id)
        assert len(web_sessions.open_of(session, person.id)) == 3
        web_sessions.close_of(session, person.id, one=mine[1].id)
        web_sessions.close_of(session, person.id, but=mine[0].id)
        assert [found.id for found in web_sessions.open_of(session, person.id)] == [mine[0].id]
        assert len(web_sessions.open_of(session, somebody.id)) == 1


@pytest.mark.parametrize("cookie", ["", "x", "é" * 1000])
def test_a_cookie_that_was_never_given_is_nobody(database: Database, cookie: str) -> None:
    with database.reading(PLATFORM) as session:
        with pytest.raises(Unauthenticated):
            web_sessions.behind(session, cookie)
        assert web_sessions.awaited(session, cookie) is None


@pytest.mark.usefixtures("person")
def test_an_address_is_one_person(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writing(PLATFORM) as session:
        add_person(session, ADDRESS.title(), "Un homonyme", "une toute autre phrase")


def test_a_weak_password_is_kept_for_nobody(database: Database, person: Person) -> None:
    with database.writing(PLATFORM) as session:
        for weak in ("court", "motdepasse2026", "Agent des finances 64", "agent@valmorin"):
            with pytest.raises(UsageError):
                choose_password(session.get_one(Person, person.id), weak)
    with database.reading(PLATFORM) as session:
        assert sign_in(session, ADDRESS, PASSWORD)


def test_a_person_is_sought_without_case_or_accents(database: Database) -> None:
    with database.writing(PLATFORM) as session:
        added = add_person(session, "helene@valmorin.example", "Hélène ŒUVRARD", None)
        assert added.sought == "helene œuvrard helene@valmorin.example"
        rename(added, "Éric")
    assert (added.name, added.sought) == ("Éric", "eric helene@valmorin.example")


def test_a_hash_made_with_weaker_parameters_is_known_to_be_outdated(person: Person) -> None:
    from core import passwords

    assert not passwords.outdated(person.password_hash)
    older = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    assert passwords.matches(older, PASSWORD)
    assert passwords.outdated(older)


def test_a_role_that_changes_changes_what_its_holders_may_do(database: Database, tree: Tree, person: Person) -> None:
    with database.writing(PLATFORM) as session:
        role = roles.define(session, PLATFORM, tree.mairie, "régisseur", {Right.READ})
        session.exec(select(Membership)).one().organisation_id = tree.other.id
        grant_role(session, person, tree.service, "régisseur")
        session.flush()
        assert principal_of(session, person).grants[tree.service.id] == {Right.READ}
        roles.change(session, PLATFORM, role, {Right.READ, Right.ACT})
        session.flush()
        principal = principal_of(session, person)
    assert principal.grants[tree.service.id] == {Right.READ, Right.ACT}
    assert tree.mairie.id not in principal.grants


def test_a_role_is_known_where_it_was_defined_and_below_and_the_platform_s_own_at_its_root_only(
    database: Database, tree: Tree
) -> None:
    with database.writing(PLATFORM) as session:
        roles.define(session, PLATFORM, tree.mairie, "régisseur", {Right.READ})
        assert roles.rights_of(session, tree.service, "régisseur") == {Right.READ}
        assert roles.rights_of(session, tree.root, "exploitant") == {Right.OPERATE, Right.SURVEY, Right.ADMINISTER}
        for organisation, role in ((tree.other, "régisseur"), (tree.mairie, "exploitant"), (tree.mairie, "x" * 100)):
            with pytest.raises(NotFound):
                roles.rights_of(session, organisation, role)
        for name in ("agent", " régisseur "):
            with pytest.raises(Conflict):
                roles.define(session, PLATFORM, tree.service, name, {Right.READ})
        for name, rights in (("", {Right.READ}), ("x" * 61, {Right.READ}), ("vide", set())):
            with pytest.raises(UsageError):
                roles.define(session, PLATFORM, tree.mairie, name, rights)


def test_an_administrator_gives_every_right_of_their_own_organisation_but_exploitation_and_control(
    database: Database, tree: Tree
) -> None:
    del database
    mayor = Principal("person:1", {tree.mairie.id: frozenset({Right.READ, Right.ADMINISTER})})
    roles.require_over(mayor, tree.mairie, set(Right) - {Right.OPERATE, Right.CONTROL})
    for organisation, rights in ((tree.mairie, {Right.OPERATE}), (tree.mairie, {Right.CONTROL}), (tree.other, {Right.READ})):
        with pytest.raises(Forbidden):
            roles.require_over(mayor, organisation, rights)


def test_the_exploitation_of_the_platform_is_given_only_by_those_who_hold_it_and_administer(
    database: Database, tree: Tree
) -> None:
    del database
    exploitation = roles.BUILT_IN[roles.OPERATOR]
    for lacking in (Right.OPERATE, Right.ADMINISTER):
        almost = Principal("person:1", {tree.root.id: frozenset(set(Right) - {lacking})})
        with pytest.raises(Forbidden):
            roles.require_over(almost, tree.root, exploitation)
    roles.require_over(Principal("person:1", {tree.root.id: exploitation}), tree.root, exploitation)


def test_who_exploits_the_platform_neither_reads_nor_sends_nor_takes_over_those_who_do(database: Database, tree: Tree) -> None:
    del database
    exploits = Principal(
        "person:1", {tree.root.id: roles.BUILT_IN[roles.OPERATOR], tree.mairie.id: roles.BUILT_IN[roles.OPERATOR]}
    )
    for right in (Right.READ, Right.DEPOSIT, Right.ACT, Right.ARCHIVE, Right.CONTROL):
        assert not exploits.may(right, tree.mairie.id)
    roles.require_over(exploits, tree.mairie, {Right.READ, Right.DEPOSIT})  # they open accounts for those who do
    with pytest.raises(Forbidden):
        roles.require_all_held(exploits, tree.mairie, {Right.READ, Right.DEPOSIT})
