"""What an organisation configures: encrypted in its row, inherited from above, the nearest wins."""

from __future__ import annotations

from enum import StrEnum

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from sqlmodel import select

from core.configuration import Configuration, configuration_of, configure
from core.database import Database
from core.errors import Forbidden, Misconfigured, NotFound
from core.organisations import Organisation
from core.principal import PLATFORM
from core.secrets import SecretBox
from tests.integration.core.tree import Tree

SECRET = "le mot de passe de la passerelle"


class Mode(StrEnum):
    """How the gateway is reached."""

    DIRECT = "direct"
    RELAYED = "relayed"


class Credential(BaseModel):
    """A part with a secret."""

    password: SecretStr


class Gateway(BaseModel):
    """What these tests configure."""

    host: str
    mode: Mode = Mode.DIRECT
    credential: Credential = Credential(password=SecretStr(SECRET))
    others: tuple[Credential, ...] = ()


@pytest.fixture
def box() -> SecretBox:
    """A fresh key."""
    return SecretBox([Fernet.generate_key()])


def put(database: Database, box: SecretBox, organisation: Organisation, host: str) -> None:
    with database.writing(PLATFORM) as session:
        configure(session, box, organisation.id, "gateway", Gateway(host=host))


def host(database: Database, box: SecretBox, organisation: Organisation) -> str:
    with database.reading(PLATFORM) as session:
        return configuration_of(session, box, organisation.id, "gateway", Gateway).host


def test_a_configuration_comes_back_as_it_was_given_secrets_included(database: Database, tree: Tree, box: SecretBox) -> None:
    given = Gateway(host="sftp.example", mode=Mode.RELAYED, others=(Credential(password=SecretStr("second")),))
    with database.writing(PLATFORM) as session:
        configure(session, box, tree.mairie.id, "gateway", given)
    with database.reading(PLATFORM) as session:
        assert configuration_of(session, box, tree.mairie.id, "gateway", Gateway) == given


def test_nothing_of_a_configuration_stands_in_clear_in_the_database(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.mairie, "sftp.example")
    with database.engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM configuration")).all()
    stored = b"".join(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row)
    for clear in (SECRET.encode(), b"passerelle", b"sftp.example", b"password"):
        assert clear not in stored
    encrypted = next(bytes(value) for value in row if isinstance(value, bytes | memoryview))
    assert SECRET.encode() in box.decrypt(encrypted)


def test_a_service_inherits_and_the_nearest_configuration_wins(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.root, "platform.example")
    assert [host(database, box, one) for one in (tree.root, tree.mairie, tree.service)] == ["platform.example"] * 3
    put(database, box, tree.mairie, "mairie.example")
    assert [host(database, box, one) for one in (tree.mairie, tree.service)] == ["mairie.example"] * 2
    put(database, box, tree.service, "service.example")
    assert host(database, box, tree.service) == "service.example"
    assert host(database, box, tree.mairie) == "mairie.example"
    assert host(database, box, tree.other) == "platform.example"


def test_nothing_is_inherited_from_below_or_from_beside(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.service, "service.example")
    put(database, box, tree.other, "other.example")
    with pytest.raises(NotFound, match="gateway"):
        host(database, box, tree.mairie)


def test_configuring_again_replaces_and_keeps_one_row(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.mairie, "first.example")
    assert host(database, box, tree.mairie) == "first.example"
    put(database, box, tree.mairie, "second.example")
    assert host(database, box, tree.mairie) == "second.example"
    with database.reading(PLATFORM) as session:
        assert len(session.exec(select(Configuration)).all()) == 1


def test_names_do_not_mix(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.mairie, "sftp.example")
    with database.reading(PLATFORM) as session, pytest.raises(NotFound, match="seal"):
        configuration_of(session, box, tree.mairie.id, "seal", Gateway)


def test_an_organisation_that_is_not_there_has_no_configuration(database: Database, box: SecretBox) -> None:
    with database.reading(PLATFORM) as session, pytest.raises(NotFound):
        configuration_of(session, box, "0" * 26, "gateway", Gateway)


def test_a_configuration_written_with_a_lost_key_is_said_to_be_closed(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.mairie, "sftp.example")
    with pytest.raises(Misconfigured, match="clé d’origine"):
        host(database, SecretBox([Fernet.generate_key()]), tree.mairie)


def test_the_configuration_of_others_can_be_neither_seen_nor_written(database: Database, tree: Tree, box: SecretBox) -> None:
    put(database, box, tree.other, "other.example")
    me = tree.agent(tree.mairie)
    with database.reading(me) as session, pytest.raises(NotFound):
        configuration_of(session, box, tree.other.id, "gateway", Gateway)
    with pytest.raises(Forbidden), database.writing(me) as session:
        configure(session, box, tree.other.id, "seal", Gateway(host="intruder.example"))
