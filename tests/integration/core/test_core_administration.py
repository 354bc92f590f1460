"""What administrators do to people and to roles, and whom they see, on a database of each kind."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from core import administration, clock, directory, door, invitations, lockout, people, reach, web_sessions
from core.database import Database
from core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from core.journal import JournalEntry
from core.organisations import Organisation
from core.people import Membership, Person
from core.principal import PLATFORM, Principal, Right
from core.secrets import SecretBox
from tests.integration.core.tree import Tree

ADDRESS, PASSWORD = "agent@valmorin.example", "agrafe correcte"


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


def knock(database: Database, box: SecretBox, password: str = PASSWORD) -> door.Admitted:
    return door.present_password(database, box, ADDRESS, password, host="192.0.2.1", device="Firefox · Linux")


def kinds(database: Database) -> list[str]:
    with database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry.kind).order_by(JournalEntry.number)))


def administrator(tree: Tree, *rights: Right, where: str = "") -> Principal:
    """Somebody who administers the commune with its service, or elsewhere, and holds these rights besides."""
    there = (where,) if where else (tree.mairie.id, tree.service.id)
    return Principal("person:admin", dict.fromkeys(there, frozenset({Right.ADMINISTER, *rights})))


def appointed(database: Database, organisation: Organisation, role: str = "administrateur") -> tuple[Person, Principal]:
    """Somebody real who holds a role, and what they may do."""
    with database.writing(PLATFORM) as session:
        held = people.add_person(session, f"{role}.{organisation.id}@valmorin.example".lower(), "Administratrice", PASSWORD)
        people.grant_role(session, held, organisation, role)
        session.flush()
        return held, people.principal_of(session, held)


def opens(database: Database, secret: str) -> bool:
    try:
        with database.reading(PLATFORM) as session:
            invitations.invited(session, secret)
    except NotFound:
        return False
    return True


def test_an_administrator_invites_where_they_administer_and_gives_no_exploitation(database: Database, tree: Tree) -> None:
    _, mayor = appointed(database, tree.mairie)
    with database.writing(PLATFORM) as session:
        invited, secret = administration.invite(session, mayor, tree.mairie, " Nina@Valmorin.example ", "Nina", "archiviste")
        assert invited.email == "nina@valmorin.example"
        assert invitations.invited(session, secret).id == invited.id
        for organisation, role in ((tree.other, "archiviste"), (tree.root, "archiviste"), (tree.root, "exploitant")):
            with pytest.raises(Forbidden):
                administration.invite(session, mayor, organisation, "x@valmorin.example", "X", role)
        assert people.with_address(session, "x@valmorin.example") is None
    assert kinds(database) == ["role.granted", "person.invited"]


def test_somebody_who_is_known_gets_the_role_and_nobody_a_link_to_their_account(
    database: Database, tree: Tree, person: Person
) -> None:
    elsewhere = administrator(tree, Right.READ, where=tree.other.id)
    with database.writing(PLATFORM) as session:
        known, secret = administration.invite(session, elsewhere, tree.other, person.email, "Autre nom", "archiviste")
        assert (known.id, known.name, secret) == (person.id, "Agent des finances", "")
        with pytest.raises(Conflict):
            administration.invite(session, elsewhere, tree.other, person.email, "Autre nom", "archiviste")
        for deed in (
            administration.make_link,
            administration.suspend,
            administration.unlock,
            administration.remove_second_factor,
        ):
            with pytest.raises(Forbidden):
                deed(session, elsewhere, person)
        with pytest.raises(Forbidden):
            administration.rename(session, elsewhere, person, "Autre nom")


def test_the_account_that_another_organisation_opened_gets_no_role_before_its_first_password(
    database: Database, tree: Tree
) -> None:
    (_, here), (_, there) = appointed(database, tree.mairie), appointed(database, tree.other)
    with database.writing(PLATFORM) as session:
        invited, secret = administration.invite(session, here, tree.mairie, "maire@rochebrune.example", "Maire", "agent")
        with pytest.raises(Conflict, match="mot de passe"):
            administration.invite(session, there, tree.other, invited.email, "Maire", "administrateur")
        administration.give_role(session, here, invited, tree.mairie, "signataire")
    assert opens(database, secret), "whoever invites gives other roles of their own"
    with database.writing(PLATFORM) as session:
        administration.give_role(session, PLATFORM, session.get_one(Person, invited.id), tree.other, "administrateur")
    assert not opens(database, secret)


def test_a_link_serves_no_longer_than_its_maker_could_make_it(database: Database, tree: Tree, person: Person) -> None:
    maker, _ = appointed(database, tree.mairie)
    deputy, _ = appointed(database, tree.mairie, "agent")
    given = administration.give_role
    with database.writing(PLATFORM) as session:
        given(session, PLATFORM, session.get_one(Person, maker.id), tree.mairie, "agent")
        secret = administration.make_link(session, people.principal_of(session, maker), session.get_one(Person, person.id))
        other = administration.make_link(session, people.principal_of(session, maker), session.get_one(Person, deputy.id))
    assert opens(database, secret)
    with database.writing(PLATFORM) as session:
        given(session, PLATFORM, session.get_one(Person, person.id), tree.mairie, "contrôleur")
    assert (opens(database, secret), opens(database, other)) == (False, True)
    with database.writing(PLATFORM) as session, pytest.raises(NotFound):
        invitations.accept(session, secret, "une autre phrase")
    with database.writing(PLATFORM) as session:
        session.get_one(Person, maker.id).suspended = clock.now()
    assert not opens(database, other)


def test_of_two_who_invite_the_same_person_at_once_the_second_is_told(
    database: Database, tree: Tree, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "with_address", lambda *_: None)  # not committed yet
    with pytest.raises(Conflict), database.writing(PLATFORM) as session:
        administration.invite(session, administrator(tree), tree.mairie, person.email, "Nina", "agent")


def test_of_two_who_give_a_role_at_once_the_second_is_told(
    database: Database, tree: Tree, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = people.grant_role

    def after_the_other(session: Session, *asked: Any) -> Membership:
        grant(session, *asked)
        return grant(session, *asked)

    monkeypatch.setattr(people, "grant_role", after_the_other)
    with pytest.raises(Conflict), database.writing(PLATFORM) as session:
        administration.give_role(session, administrator(tree), session.get_one(Person, person.id), tree.mairie, "archiviste")


def test_a_link_to_the_account_of_somebody_with_more_rights_is_refused_and_suspending_them_is_not(
    database: Database, tree: Tree, person: Person
) -> None:
    mayor = administrator(tree, Right.READ)
    with database.writing(PLATFORM) as session:
        person = session.get_one(Person, person.id)
        for deed in (administration.make_link, administration.remove_second_factor):
            with pytest.raises(Forbidden):
                deed(session, mayor, person)
        administration.suspend(session, mayor, person)
        assert not reach.covers(session, mayor, person, takes_over=True)
        assert reach.covers(session, administrator(tree, *Right), person, takes_over=True)


def test_whoever_exploits_the_platform_is_out_of_reach_of_those_who_only_administer_it(database: Database, tree: Tree) -> None:
    root = Principal("person:admin", {tree.root.id: frozenset({Right.ADMINISTER, Right.READ, Right.DEPOSIT, Right.ACT})})
    with database.writing(PLATFORM) as session:
        operator = people.add_person(session, "exploitante@valmorin.example", "Exploitante", PASSWORD)
        held = people.grant_role(session, operator, tree.root, "exploitant")
        session.flush()
        for deed in (administration.make_link, administration.suspend, administration.unlock):
            with pytest.raises(Forbidden):
                deed(session, root, operator)
        with pytest.raises(Forbidden):
            administration.take_role(session, root, operator, held.id)
        with pytest.raises(Forbidden):
            administration.invite(session, root, tree.root, "x@valmorin.example", "X", "exploitant")
        administration.invite(session, tree.agent(tree.root), tree.root, "x@valmorin.example", "X", "exploitant")


def test_suspending_shuts_out_at_once_and_reactivating_lets_in_again(
    database: Database, box: SecretBox, tree: Tree, person: Person
) -> None:
    mayor, cookie = administrator(tree), knock(database, box).session
    with database.writing(PLATFORM) as session:
        administration.suspend(session, mayor, session.get_one(Person, person.id))
    with database.reading(PLATFORM) as session, pytest.raises(Unauthenticated):
        web_sessions.behind(session, cookie)
    with pytest.raises(Unauthenticated, match="suspendu"):
        knock(database, box)
    with database.writing(PLATFORM) as session:
        with pytest.raises(Conflict):
            administration.suspend(session, mayor, session.get_one(Person, person.id))
        administration.reactivate(session, mayor, session.get_one(Person, person.id))
    assert knock(database, box).session


def test_nobody_suspends_themselves_nor_gives_up_administering(database: Database, tree: Tree) -> None:
    with database.writing(PLATFORM) as session:
        mayor = people.add_person(session, "maire@valmorin.example", "Maire", PASSWORD)
        held = people.grant_role(session, mayor, tree.mairie, "administrateur")
        other = people.grant_role(session, mayor, tree.mairie, "agent")
        session.flush()
        principal = people.principal_of(session, mayor)
        with pytest.raises(Forbidden):
            administration.suspend(session, principal, mayor)
        with pytest.raises(Forbidden):
            administration.take_role(session, principal, mayor, held.id)
        administration.take_role(session, principal, mayor, other.id)
        with pytest.raises(NotFound):
            administration.take_role(session, principal, mayor, other.id)


def test_an_administrator_unlocks_an_account(database: Database, box: SecretBox, tree: Tree, person: Person) -> None:
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            knock(database, box, "faux mot de passe")
    with database.writing(PLATFORM) as session:
        assert lockout.account_locked_until(session, person.email) is not None
        administration.unlock(session, administrator(tree), person)
        assert lockout.account_locked_until(session, person.email) is None
    assert knock(database, box).session


def test_a_role_that_is_held_is_not_deleted_and_one_that_is_not_is(database: Database, tree: Tree, person: Person) -> None:
    mayor = administrator(tree, Right.READ)
    with database.writing(PLATFORM) as session:
        role = administration.define_role(session, mayor, tree.mairie, "lecteur", {Right.READ})
        with pytest.raises(Forbidden):
            administration.define_role(session, mayor, tree.mairie, "exploitant bis", {Right.OPERATE})
        with pytest.raises(Forbidden):
            administration.change_role(session, mayor, role, {Right.READ, Right.OPERATE})
        held = people.grant_role(session, person, tree.service, "lecteur")
        session.flush()
        with pytest.raises(Conflict, match="1 personne"):
            administration.delete_role(session, mayor, role)
        session.delete(session.get_one(Membership, held.id))
        session.flush()
        administration.delete_role(session, mayor, role)
    assert kinds(database)[-2:] == ["role.defined", "role.deleted"]


def test_the_journal_tells_who_did_what_to_whom_by_identifiers_only(database: Database, tree: Tree, person: Person) -> None:
    mayor = administrator(tree, *Right)
    with database.writing(PLATFORM) as session:
        target = session.get_one(Person, person.id)
        administration.rename(session, mayor, target, "Nouveau Nom")
        administration.make_link(session, mayor, target)
        administration.unlock(session, mayor, target)
        administration.suspend(session, mayor, target)
        administration.reactivate(session, mayor, target)
        administration.remove_second_factor(session, mayor, target)
        administration.give_role(session, mayor, target, tree.service, "signataire")
    with database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).order_by(JournalEntry.number)).all()
        identifiers = {person.id, *session.exec(select(Membership.id))}
    assert [entry.kind for entry in entries] == [
        *("person.renamed", "person.link_made", "person.unlocked", "person.suspended", "person.reactivated"),
        *("person.second_factor_removed", "role.granted"),
    ]
    assert {entry.actor for entry in entries} == {"person:admin"}
    assert {entry.organisation_id for entry in entries} == {tree.mairie.id, tree.service.id}
    assert {value for entry in entries for value in entry.facts.values()} <= identifiers


# The directory


def test_the_directory_shows_who_is_administered_in_pages_that_go_both_ways(database: Database, tree: Tree) -> None:
    names = ["Éloïse Zola", "Agnès Lefèvre", "Bruno Ünal", "chloé b", "Denis d'Or"]
    with database.writing(PLATFORM) as session:
        for rank, name in enumerate(names):
            person = people.add_person(session, f"p{rank}@valmorin.example", name, None)
            people.grant_role(session, person, tree.service, "agent")
            people.grant_role(session, person, tree.other, "archiviste")
        people.add_person(session, "seul@valmorin.example", "Sans rôle", None)
        stranger = people.add_person(session, "ailleurs@valmorin.example", "Ailleurs", None)
        people.grant_role(session, stranger, tree.other, "agent")
    mine = (tree.mairie.id, tree.service.id)
    expected = ["Agnès Lefèvre", "Bruno Ünal", "chloé b", "Denis d'Or", "Éloïse Zola"]
    with database.reading(PLATFORM) as session:
        first = directory.page(session, mine, "", 2)
        second = directory.page(session, mine, "", 2, after=first.after)
        third = directory.page(session, mine, "", 2, after=second.after)
        pages = (first, second, third)
        assert [person.name for page in pages for person in page.people] == expected
        assert {page.total for page in pages} == {5}
        assert (first.before, third.after) == ("", "")
        back = directory.page(session, mine, "", 2, before=third.before)
        assert [person.name for person in back.people] == expected[2:4]
        start = directory.page(session, mine, "", 2, before=back.before)
        assert ([person.name for person in start.people], start.before) == (expected[:2], "")
        assert first.roles[first.people[0].id] == [("agent", "Régie des eaux")]


@pytest.mark.parametrize(
    ("sought", "found"),
    [("agnes", 1), ("LEFÈVRE agnès", 1), ("p1@", 1), ("%", 0), ("_", 0), ("lefevre bruno", 0), ("", 2)],
)
def test_people_are_found_by_words_of_their_name_or_address_whatever_case_and_accents(
    database: Database, tree: Tree, sought: str, found: int
) -> None:
    with database.writing(PLATFORM) as session:
        for rank, name in enumerate(("Agnès Lefèvre", "Bruno Ünal")):
            person = people.add_person(session, f"p{rank}@valmorin.example", name, None)
            people.grant_role(session, person, tree.mairie, "agent")
    with database.reading(PLATFORM) as session:
        assert directory.page(session, (tree.mairie.id,), sought, 10).total == found


def test_at_the_root_everybody_is_seen_and_elsewhere_a_stranger_is_nobody(database: Database, tree: Tree, person: Person) -> None:
    with database.reading(PLATFORM) as session:
        assert directory.person(session, (tree.root.id,), person.id).id == person.id
        for administered in ((tree.other.id,), (tree.service.id,), ()):
            with pytest.raises(NotFound):
                directory.person(session, administered, person.id)
