"""API tokens: who is behind one, and every way in which one stops working."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select

from core import clock
from core.database import Database
from core.errors import Unauthenticated
from core.principal import PLATFORM, Principal, Right
from core.tokens import ApiToken, issue_token, software_behind
from tests.integration.core.tree import Tree


def issued(database: Database, tree: Tree, lifetime: timedelta = timedelta(days=1)) -> str:
    with database.writing(PLATFORM) as session:
        return issue_token(session, tree.mairie, "logiciel financier", {Right.DEPOSIT, Right.READ}, lifetime)


def behind(database: Database, bearer: str) -> Principal:
    with database.reading(PLATFORM) as session:
        return software_behind(session, bearer)


def test_a_token_gives_its_rights_in_its_organisation_and_below_and_nowhere_else(database: Database, tree: Tree) -> None:
    principal = behind(database, issued(database, tree))
    rights = frozenset({Right.DEPOSIT, Right.READ})
    assert dict(principal.grants) == {tree.mairie.id: rights, tree.service.id: rights}
    assert not principal.everywhere
    assert principal.actor.startswith("token:")


def test_only_a_digest_of_the_secret_is_kept(database: Database, tree: Tree) -> None:
    bearer = issued(database, tree)
    secret = bearer.split("_", 2)[2]
    with database.reading(PLATFORM) as session:
        kept = session.exec(select(ApiToken)).one()
    assert len(secret) >= 43  # 256 bits in base64
    assert secret not in str(kept.model_dump())
    assert behind(database, bearer).actor == f"token:{kept.id}"


def test_an_expired_token_is_told_apart_with_its_day(database: Database, tree: Tree) -> None:
    bearer = issued(database, tree, timedelta(seconds=-1))
    day = clock.in_paris(clock.now() - timedelta(seconds=1)).strftime("%d/%m/%Y")
    with pytest.raises(Unauthenticated, match=f"expiré le {day}"):
        behind(database, bearer)


def test_an_expired_token_is_not_told_apart_to_someone_who_only_guesses_its_secret(database: Database, tree: Tree) -> None:
    bearer = issued(database, tree, timedelta(seconds=-1))
    with pytest.raises(Unauthenticated, match="inconnu ou révoqué"):
        behind(database, bearer[:-1] + ("A" if bearer[-1] != "A" else "B"))


def test_a_revoked_token_no_longer_opens_anything(database: Database, tree: Tree) -> None:
    bearer = issued(database, tree)
    with database.writing(PLATFORM) as session:
        session.exec(select(ApiToken)).one().revoked = clock.now()
    with pytest.raises(Unauthenticated, match="révoqué"):
        behind(database, bearer)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bearer: bearer[:-1] + ("A" if bearer[-1] != "A" else "B"),
        lambda bearer: bearer + "A",
        lambda bearer: "_".join(bearer.split("_")[:2]),
        lambda bearer: bearer.replace("tab_", "tob_", 1),
        lambda bearer: bearer.replace("tab_", "", 1),
        lambda bearer: f"tab_{'0' * 26}_{bearer.split('_', 2)[2]}",
        lambda _bearer: "",
        lambda _bearer: "tab",
        lambda _bearer: "tab__",
        lambda _bearer: "tab_é_ü",
        lambda _bearer: "_" * 10_000,
    ],
    ids=[
        "wrong secret", "longer secret", "no secret", "other prefix", "no prefix", "unknown identifier",
        "empty", "prefix only", "separators only", "not ascii", "very long",
    ],
)  # fmt: skip
def test_a_token_that_is_wrong_anywhere_is_refused_in_the_same_words(
    database: Database, tree: Tree, spoil: Callable[[str], str]
) -> None:
    bearer = issued(database, tree)
    with pytest.raises(Unauthenticated, match="inconnu ou révoqué"):
        behind(database, spoil(bearer))
