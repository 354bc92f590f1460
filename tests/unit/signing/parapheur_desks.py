"""A database with an organisation that has desks, in memory of the test only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlmodel import Session

from core.database import Database
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from signing.parapheur import desks
from signing.parapheur.models import Desk


@dataclass(frozen=True)
class Mairie:
    """An organisation, its session, and its desks by short name: Maire above DGS above Secrétariat, and Adjoint."""

    session: Session
    organisation: Organisation
    desks: dict[str, Desk]

    @property
    def id(self) -> str:
        return self.organisation.id

    def __getitem__(self, short_name: str) -> Desk:
        return self.desks[short_name]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('parapheur') / 'db.sqlite3'}")
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def mairie(database: Database) -> Iterator[Mairie]:
    with database.writing(PLATFORM) as session:
        organisation = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        there: dict[str, Desk] = {}
        for name, above in (("Maire", None), ("DGS", "Maire"), ("Secrétariat", "DGS"), ("Adjoint", "Maire")):
            parent = there[above].id if above else None
            there[name] = desks.add_desk(session, organisation.id, f"Bureau {name}", name, parent_id=parent)
        yield Mairie(session, organisation, there)
