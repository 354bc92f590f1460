"""Between organisations: a session sees and writes what its principal may, whatever the query looks like."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, func, insert, text, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from core import clock, journal
from core.database import Database, ScopedSession
from core.errors import Forbidden
from core.journal import JournalEntry
from core.organisations import Organisation, organisation_of, subtree
from core.people import add_person, grant_role, principal_of
from core.principal import PLATFORM, Principal, Right
from core.tokens import ApiToken, issue_token
from tests.conftest import MAIRIE
from tests.integration.core.tree import Tree


@pytest.fixture
def tokens(database: Database, tree: Tree) -> dict[str, str]:
    """A token of each organisation; its name is that of its organisation. Identifiers by name."""
    with database.writing(PLATFORM) as session:
        for name in ("mairie", "service", "other"):
            issue_token(session, getattr(tree, name), name, {Right.READ})
    with database.reading(PLATFORM) as session:
        return {token.name: token.id for token in session.exec(select(ApiToken))}


Query = Callable[[ScopedSession], object]


def _by_alias(session: ScopedSession) -> object:
    other_name = aliased(ApiToken)
    return session.exec(select(other_name.name)).all()


def _by_subquery(session: ScopedSession) -> object:
    inner = select(ApiToken.name).subquery()
    return session.exec(select(inner.c.name)).all()


def _by_join(session: ScopedSession) -> object:
    return [name for _, name in session.exec(select(Organisation.name, ApiToken.name).join(ApiToken))]


def _by_union(session: ScopedSession) -> object:
    return [row.name for row in session.execute(select(ApiToken.name).union(select(ApiToken.name)))]


QUERIES: dict[str, Query] = {
    "objects": lambda session: [token.name for token in session.exec(select(ApiToken))],
    "columns": lambda session: session.exec(select(ApiToken.name)).all(),
    "alias": _by_alias,
    "subquery": _by_subquery,
    "join": _by_join,
    "union": _by_union,
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
@pytest.mark.usefixtures("tokens")
def test_a_principal_finds_only_what_belongs_to_its_organisations(database: Database, tree: Tree, query: Query) -> None:
    with database.reading(tree.agent(tree.mairie)) as session:
        assert query(session) == ["mairie"]
    with database.reading(tree.agent(tree.other)) as session:
        assert query(session) == ["other"]
    with database.reading(PLATFORM) as session:
        assert sorted(query(session)) == ["mairie", "other", "service"]  # type: ignore[call-overload]


@pytest.mark.usefixtures("tokens")
def test_a_count_over_a_subquery_counts_only_what_may_be_seen(database: Database, tree: Tree) -> None:
    with database.reading(tree.agent(tree.mairie)) as session:
        counted = select(ApiToken.id).limit(10).subquery()
        assert session.exec(select(func.count()).select_from(counted)).one() == 1


def test_what_belongs_to_others_is_not_there_when_asked_for_by_its_key(
    database: Database, tree: Tree, tokens: dict[str, str]
) -> None:
    with database.reading(tree.agent(tree.mairie)) as session:
        assert session.get(ApiToken, tokens["mairie"]) is not None
        assert session.get(ApiToken, tokens["other"]) is None


@pytest.mark.usefixtures("tokens")
def test_a_principal_without_any_organisation_sees_nothing(database: Database) -> None:
    with database.reading(Principal("person:nobody")) as session:
        assert session.exec(select(ApiToken)).all() == []


def test_what_is_new_cannot_be_put_in_another_organisation(database: Database, tree: Tree) -> None:
    with pytest.raises(Forbidden), database.writing(tree.agent(tree.mairie)) as session:
        issue_token(session, tree.other, "intruder", {Right.READ})
    with database.reading(PLATFORM) as session:
        assert session.exec(select(ApiToken)).all() == []


def test_what_is_mine_cannot_be_moved_to_another_organisation(database: Database, tree: Tree, tokens: dict[str, str]) -> None:
    with pytest.raises(Forbidden), database.writing(tree.agent(tree.mairie)) as session:
        session.get_one(ApiToken, tokens["mairie"]).organisation_id = tree.other.id
    with database.reading(PLATFORM) as session:
        assert session.get_one(ApiToken, tokens["mairie"]).organisation_id == tree.mairie.id


def test_what_belongs_to_others_can_be_neither_changed_nor_deleted_even_when_held(
    database: Database, tree: Tree, tokens: dict[str, str]
) -> None:
    with database.reading(PLATFORM) as session:
        held = session.get_one(ApiToken, tokens["other"])
    with pytest.raises(Forbidden), database.writing(tree.agent(tree.mairie)) as session:
        session.add(held)
        held.name = "taken over"
    with database.reading(PLATFORM) as session:
        held = session.get_one(ApiToken, tokens["other"])
    with pytest.raises(Forbidden), database.writing(tree.agent(tree.mairie)) as session:
        session.delete(held)
    with database.reading(PLATFORM) as session:
        assert session.get_one(ApiToken, tokens["other"]).name == "other"


def test_what_is_mine_can_be_written_changed_and_deleted(database: Database, tree: Tree, tokens: dict[str, str]) -> None:
    me = tree.agent(tree.mairie)
    with database.writing(me) as session:
        issue_token(session, tree.mairie, "second", {Right.READ})
        session.get_one(ApiToken, tokens["mairie"]).name = "renamed"
    with database.writing(me) as session:
        assert sorted(session.exec(select(ApiToken.name))) == ["renamed", "second"]
        session.delete(session.get_one(ApiToken, tokens["mairie"]))
    with database.reading(me) as session:
        assert session.exec(select(ApiToken.name)).all() == ["second"]


@pytest.mark.parametrize(
    "statement",
    [
        text("SELECT name FROM api_token"),
        select(ApiToken.__table__.c.name),  # type: ignore[attr-defined]
        update(ApiToken).values(name="x"),
        delete(ApiToken),
        insert(ApiToken).values(id="x", name="x", digest="x", rights=[], expires=clock.now()),
    ],
    ids=["text", "bare table", "update", "delete", "insert"],
)
def test_a_statement_that_cannot_be_narrowed_is_refused(database: Database, tree: Tree, statement: object) -> None:
    with database.writing(tree.agent(tree.mairie)) as session, pytest.raises(TypeError, match="narrowed"):
        session.execute(statement)  # type: ignore[call-overload]


def test_the_platform_may_use_any_statement(database: Database, tokens: dict[str, str]) -> None:
    with database.writing(PLATFORM) as session:
        session.execute(update(ApiToken).values(name="x"))
        assert session.execute(text("SELECT DISTINCT name FROM api_token")).scalars().all() == ["x"]
    assert len(tokens) == 3


def test_a_role_in_a_collectivite_reaches_its_services_and_a_role_in_a_service_does_not_reach_up(
    database: Database, tree: Tree
) -> None:
    with database.writing(PLATFORM) as session:
        above = add_person(session, "maire@valmorin.example", "Le maire", "correct horse")
        below = add_person(session, "regie@valmorin.example", "La régie", "battery staple")
        grant_role(session, above, tree.mairie, "élu", {Right.READ})
        grant_role(session, below, tree.service, "agent", {Right.READ})
    with database.reading(PLATFORM) as session:
        assert set(principal_of(session, above).organisations) == {tree.mairie.id, tree.service.id}
        assert principal_of(session, below).organisations == (tree.service.id,)


def test_roles_held_twice_add_their_rights_up(database: Database, tree: Tree) -> None:
    with database.writing(PLATFORM) as session:
        person = add_person(session, "agent@valmorin.example", "Un agent", "correct horse")
        grant_role(session, person, tree.mairie, "lecteur", {Right.READ})
        grant_role(session, person, tree.service, "déposant", {Right.DEPOSIT})
    with database.reading(PLATFORM) as session:
        principal = principal_of(session, person)
    assert principal.may(Right.READ, tree.service.id)
    assert principal.may(Right.DEPOSIT, tree.service.id)
    assert not principal.may(Right.DEPOSIT, tree.mairie.id)
    assert not principal.may(Right.READ, tree.other.id)
    with pytest.raises(Forbidden):
        principal.require(Right.DEPOSIT, tree.mairie.id)
    principal.require(Right.DEPOSIT, tree.service.id)


def test_a_subtree_is_a_node_and_all_below_it(database: Database, tree: Tree) -> None:
    with database.reading(PLATFORM) as session:
        assert len(subtree(session, tree.root.path)) == 4
        assert set(subtree(session, tree.mairie.path)) == {tree.mairie.id, tree.service.id}
        assert subtree(session, tree.other.path) == [tree.other.id]


def test_an_organisation_is_found_by_its_siren_or_its_siret(database: Database, tree: Tree) -> None:
    with database.reading(PLATFORM) as session:
        assert organisation_of(session, MAIRIE).id == tree.mairie.id
        assert organisation_of(session, f" {MAIRIE[:3]} {MAIRIE[3:6]} {MAIRIE[6:9]}").id == tree.mairie.id


def test_the_journal_of_others_is_not_seen(database: Database, tree: Tree) -> None:
    with database.writing(PLATFORM) as session:
        for organisation in (tree.mairie, tree.other):
            journal.write(session, organisation_id=organisation.id, kind="test.done", actor="platform")
    with database.reading(tree.agent(tree.other)) as session:
        assert session.exec(select(col(JournalEntry.organisation_id))).all() == [tree.other.id]


def test_a_block_that_raises_leaves_nothing(database: Database, tree: Tree) -> None:
    with pytest.raises(ZeroDivisionError), database.writing(PLATFORM) as session:
        issue_token(session, tree.mairie, "never", {Right.READ})
        _ = 1 / 0
    with database.reading(PLATFORM) as session:
        assert session.exec(select(ApiToken)).all() == []
    assert database.connections_in_use() == 0
