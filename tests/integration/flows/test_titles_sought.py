"""A title is found whatever its capitals and accents, on both databases; also one that was there before that could be asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from core import clock
from core.database import Database
from core.identifiers import new_id
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.engine import reading
from flows.engine.models import Dossier
from flows.engine.reading import Wanted

TITLE = "Délibération n° 12 : ÉCOLES à 50 %"


def owner(session: Session) -> Organisation:
    return add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)


def found(database: Database, typed: str) -> list[str]:
    with reading.opened(database, PLATFORM) as session:
        return [line.title for line in reading.page(session, Wanted(text=typed), 10).lines]


@pytest.mark.parametrize("typed", ["écoles", "ECOLES", "deliberation N° 12", "50 %"])
def test_a_title_is_found_whatever_its_capitals_and_accents(database: Database, typed: str) -> None:
    with database.writing(PLATFORM) as session:
        for title in (TITLE, "Autre, à 500"):
            session.add(Dossier(organisation_id=owner(session).id, flow="document", title=title, state="received"))
    assert found(database, typed) == [TITLE]


def test_a_title_that_changes_is_found_as_it_is_now(database: Database) -> None:
    with database.writing(PLATFORM) as session:
        dossier = Dossier(organisation_id=owner(session).id, flow="document", title=TITLE, state="received")
        session.add(dossier)
    with database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier.id).title = "Arrêté"
    assert (found(database, "arrete"), found(database, "ecoles")) == (["Arrêté"], [])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_titles_that_were_there_before_are_found_after_the_migration(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    database = Database(url)
    upgrade(database, "0028")
    with database.writing(PLATFORM) as session:
        row = {"organisation": owner(session).id, "title": TITLE, "at": clock.now()}
        session.connection().execute(
            text(
                "INSERT INTO dossier (id, organisation_id, flow, title, state, since, facts, problems, created)"
                " VALUES (:id, :organisation, 'document', :title, 'received', :at, '{}', '[]', :at)"
            ),
            # More than are filled at once.
            [row | {"id": new_id()} for _ in range(1001)],
        )
    upgrade(database)
    with database.reading(PLATFORM) as session:
        missed = session.connection().execute(
            text("SELECT count(*) FROM dossier WHERE sought <> :sought"), {"sought": "deliberation n° 12 : ecoles a 50 %"}
        )
        assert missed.scalar() == 0
    database.close()
