"""People: how they sign in, who is behind a cookie, and when that ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from core import clock
from core.database import Database
from core.errors import Unauthenticated
from core.people import (
    SESSION_LIFETIME,
    Person,
    WebSession,
    add_person,
    grant_role,
    person_behind,
    sign_in,
    sign_out,
)
from core.principal import PLATFORM, Right
from tests.integration.core.tree import Tree

ADDRESS, PASSWORD = "agent@valmorin.example", "agrafe correcte"


@pytest.fixture
def person(database: Database, tree: Tree) -> Person:
    """An agent of the commune."""
    with database.writing(PLATFORM) as session:
        added = add_person(session, ADDRESS, "Agent des finances", PASSWORD)
        grant_role(session, added, tree.mairie, "agent", {Right.READ, Right.DEPOSIT})
    return added


def signed_in(database: Database, address: str = ADDRESS, password: str = PASSWORD) -> str:
    with database.writing(PLATFORM) as session:
        return sign_in(session, address, password)[0]


def test_whoever_signs_in_is_behind_the_cookie_with_their_rights(database: Database, tree: Tree, person: Person) -> None:
    cookie = signed_in(database)
    with database.reading(PLATFORM) as session:
        principal, opened = person_behind(session, cookie)
    assert (principal.actor, principal.name) == (f"person:{person.id}", "Agent des finances")
    assert principal.may(Right.DEPOSIT, tree.service.id)
    assert not principal.may(Right.OPERATE, tree.mairie.id)
    assert not principal.may(Right.READ, tree.other.id)
    assert opened.csrf not in cookie


@pytest.mark.usefixtures("person")
def test_neither_the_password_nor_the_cookie_is_kept(database: Database) -> None:
    cookie = signed_in(database)
    with database.reading(PLATFORM) as session:
        kept = f"{session.exec(select(Person)).one().model_dump()} {session.exec(select(WebSession)).one().model_dump()}"
    assert PASSWORD not in kept
    assert cookie not in kept
    assert "$argon2id$" in kept


@pytest.mark.usefixtures("person")
def test_the_case_of_an_address_and_spaces_around_it_do_not_matter(database: Database) -> None:
    assert signed_in(database, f" {ADDRESS.upper()} ")


@pytest.mark.usefixtures("person")
def test_a_wrong_password_and_an_unknown_address_are_refused_in_the_same_words(database: Database) -> None:
    said = set()
    for address, password in ((ADDRESS, "x"), ("nobody@valmorin.example", PASSWORD), (ADDRESS, ""), ("", "")):
        with pytest.raises(Unauthenticated) as refused:
            signed_in(database, address, password)
        said.add(str(refused.value))
    assert len(said) == 1
    with database.reading(PLATFORM) as session:
        assert session.exec(select(WebSession)).all() == []


@pytest.mark.usefixtures("person")
def test_a_session_ends_when_one_signs_out_and_another_of_the_same_person_goes_on(database: Database) -> None:
    one, other = signed_in(database), signed_in(database)
    with database.writing(PLATFORM) as session:
        sign_out(session, one)
        sign_out(session, "never opened")
    with database.reading(PLATFORM) as session:
        with pytest.raises(Unauthenticated, match="expiré"):
            person_behind(session, one)
        assert person_behind(session, other)


@pytest.mark.usefixtures("person")
def test_a_session_ends_by_itself(database: Database) -> None:
    cookie = signed_in(database)
    with database.writing(PLATFORM) as session:
        opened = session.exec(select(WebSession)).one()
        assert clock.now() < opened.expires <= clock.now() + SESSION_LIFETIME
        opened.expires = clock.now() - timedelta(seconds=1)
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated, match="expiré"):
        person_behind(session, cookie)


@pytest.mark.parametrize("cookie", ["", "x", "é" * 1000])
def test_a_cookie_that_was_never_given_is_nobody(database: Database, cookie: str) -> None:
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated):
        person_behind(session, cookie)


@pytest.mark.usefixtures("person")
def test_an_address_is_one_person(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writing(PLATFORM) as session:
        add_person(session, ADDRESS.title(), "Un homonyme", "autre")
