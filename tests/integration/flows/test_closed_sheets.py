"""Attendance sheets that were closed before names were kept have them after the migration."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import clock
from core.database import Database
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.mail.convening import sheet
from flows.mail.convening.models import Meeting, Presence

OLD = {"a": {"presence": "present"}, "b": {"presence": "proxy", "proxy_to": "a"}}
DOSSIER = (
    "INSERT INTO dossier (id, organisation_id, flow, title, state, since, facts, problems, created)"
    " VALUES (:dossier, :town, 'mail', 'Convocation', 'sent', :starts, '{}', '[]', :starts)"
)
ASSEMBLY = (
    "INSERT INTO assembly (id, organisation_id, name, rule, days, place, proxies, remote, note, reminder)"
    " VALUES (:assembly, :town, 'Conseil', 'commune', 3, '', :paper, :paper, :paper, 0)"
)
MEMBER = (
    "INSERT INTO assembly_member (id, organisation_id, assembly_id, rank, name, title, address, normal, paper, until)"
    " VALUES (:id, :town, :assembly, :rank, :name, 'Maire', :id, :id, :paper, :until)"
)
MEETING = (
    "INSERT INTO meeting (dossier_id, organisation_id, assembly_id, starts, place, agenda, urgency, second, renewal, paper,"
    " sheet)"
    " VALUES (:dossier, :town, :assembly, :starts, '', '', '', :paper, :paper, '[]', :sheet)"
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_names_and_quorum_are_those_of_the_day(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    database = Database(url)
    upgrade(database, "0030")
    starts = clock.now() - timedelta(days=2)
    gone = (starts - timedelta(days=9)).date()
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune", OrganisationKind.PLATFORM).id
        told: dict[str, Any] = {"town": town, "assembly": "A", "starts": starts, "paper": False}

        def insert(statement: str, **values: Any) -> None:
            session.connection().execute(text(statement), told | values)

        insert(ASSEMBLY)
        for rank, (one, until) in enumerate((("b", None), ("a", None), ("c", gone))):
            insert(MEMBER, id=one, rank=rank, name=one.upper(), until=until)
        for dossier, kept in (("closed", json.dumps(OLD)), ("open", None)):
            insert(DOSSIER, dossier=dossier)
            insert(MEETING, dossier=dossier, sheet=kept)
    upgrade(database)
    with database.reading(PLATFORM) as session:
        closed = sheet.closed_of(session.get_one(Meeting, "closed"))
        assert sheet.closed_of(session.get_one(Meeting, "open")) is None
    database.close()
    assert closed is not None
    lines = [(one.name, one.title, one.presence, one.proxy_to) for one in closed.lines]
    assert lines == [("B", "Maire", Presence.PROXY, "A"), ("A", "Maire", Presence.PRESENT, "")]
    assert (closed.quorum, closed.there) == (2, 1)
