"""The key of the secrets changes: all that an earlier one encrypted comes under the new one, whatever breaks on the way."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, SecretStr
from sqlmodel import select, update

from core import rotation, second_factor
from core.configuration import Configuration, configuration_of, configure
from core.database import Database
from core.errors import Misconfigured
from core.journal import JournalEntry
from core.people import add_person
from core.principal import PLATFORM
from core.rotation import Standing, encrypt_anew, standing
from core.secrets import SecretBox
from tests.integration.core.tree import Tree

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()
BEFORE, BOTH, AFTER = SecretBox([OLD]), SecretBox([NEW, OLD]), SecretBox([NEW])


class Gateway(BaseModel):
    """What these tests configure."""

    password: SecretStr


def put(database: Database, box: SecretBox, organisation_id: str, name: str, password: str) -> None:
    with database.writing(PLATFORM) as session:
        configure(session, box, organisation_id, name, Gateway(password=SecretStr(password)))


def password(database: Database, box: SecretBox, organisation_id: str, name: str) -> str:
    with database.reading(PLATFORM) as session:
        return configuration_of(session, box, organisation_id, name, Gateway).password.get_secret_value()


@pytest.fixture
def person(database: Database, tree: Tree) -> str:
    """Somebody who enrols, and what two organisations configured, all with the earlier key."""
    for rank in range(3):
        put(database, BEFORE, tree.mairie.id, f"gateway-{rank}", f"secret {rank}")
    put(database, BEFORE, tree.other.id, "gateway-0", "autre")
    with database.writing(PLATFORM) as session:
        somebody = add_person(session, "agent@valmorin.test", "Agent", "encre et papier")
        second_factor.begin(session, BEFORE, somebody.id)
        return somebody.id


def test_all_that_an_earlier_key_encrypted_comes_under_the_first_and_says_the_same(
    database: Database, tree: Tree, person: str
) -> None:
    put(database, BOTH, tree.root.id, "gateway-0", "récent")
    with database.reading(PLATFORM) as session:
        factor = second_factor.begun(session, BEFORE, person)
        changed = session.exec(select(Configuration.changed).order_by(Configuration.changed)).all()
    assert standing(database, BOTH) == Standing(1, {"configuration": 4, "second_factor": 1})  # type: ignore[arg-type]
    assert sum(encrypt_anew(database, BOTH, "operator")) == 5
    assert standing(database, AFTER) == Standing(6)
    for owner, rank, said in (
        (tree.mairie, 0, "secret 0"),
        (tree.mairie, 2, "secret 2"),
        (tree.other, 0, "autre"),
        (tree.root, 0, "récent"),
    ):
        assert password(database, AFTER, owner.id, f"gateway-{rank}") == said
    with database.reading(PLATFORM) as session:
        assert second_factor.begun(session, AFTER, person) == factor
        assert session.exec(select(Configuration.changed).order_by(Configuration.changed)).all() == changed
        told = session.exec(select(JournalEntry).where(JournalEntry.kind == rotation.ENCRYPTED_ANEW)).all()
    assert sorted((one.organisation_id, one.facts["table"], one.facts["secrets"]) for one in told) == [
        (tree.root.id, "configuration", 4),
        (tree.root.id, "second_factor", 1),
    ]
    assert sum(encrypt_anew(database, BOTH, "operator")) == 0


def test_it_goes_on_where_it_was_cut_off(database: Database, tree: Tree, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_AT_ONCE", 1)
    begun = encrypt_anew(database, BOTH, "operator")
    assert [next(begun), next(begun)] == [1, 1]
    begun.close()
    left = standing(database, BOTH)
    assert (left.current, left.earlier.total()) == (2, 3)
    assert sum(encrypt_anew(database, BOTH, "operator")) == 3
    assert standing(database, AFTER).current == 5
    assert password(database, AFTER, tree.mairie.id, "gateway-2") == "secret 2"
    assert person


def test_what_somebody_configures_meanwhile_is_not_undone(
    database: Database, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, BEFORE, tree.mairie.id, "gateway", "ancien")
    pages, own = [], rotation._page

    def read_before(*asked: object) -> object:
        """Return the rows as they stood before somebody wrote another one in their place."""
        if not pages:
            pages.append(own(*asked))  # type: ignore[arg-type]
            asked[0].execute(  # type: ignore[attr-defined]
                update(Configuration.__table__).values(encrypted=AFTER.encrypt(b'{"password": "neuf"}'))  # type: ignore[attr-defined]
            )
            return pages[0]
        return []

    monkeypatch.setattr(rotation, "columns", lambda: [Configuration.__table__.c.encrypted])  # type: ignore[attr-defined]
    monkeypatch.setattr(rotation, "_page", read_before)
    assert sum(encrypt_anew(database, BOTH, "operator")) == 0
    assert password(database, AFTER, tree.mairie.id, "gateway") == "neuf"


def test_what_no_key_opens_is_named_and_stays_as_it_is(database: Database, tree: Tree, person: str) -> None:
    put(database, SecretBox([Fernet.generate_key()]), tree.other.id, "perdu", "perdu")
    assert sum(encrypt_anew(database, BOTH, "operator")) == 5
    left = standing(database, BOTH)
    assert (left.current, left.earlier.total(), left.lost, left.named) == (5, 0, 1, [f"configuration/{tree.other.id}/perdu"])
    with pytest.raises(Misconfigured, match="clé d’origine"):
        password(database, BOTH, tree.other.id, "perdu")
    assert person
