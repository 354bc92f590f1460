"""What was there before a migration is as good after it: attendance sheets, keys of depositors, folders, what people keep."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlmodel import select

from archive.finding.search import Wanted, find
from core import clock
from core.database import Database
from core.errors import Conflict
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.keys import Keyed
from flows.mail.convening import sheet
from flows.mail.convening.models import Meeting, Presence
from signing.parapheur.models import Folder, Task

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
DESK = (
    "INSERT INTO desk (id, organisation_id, name, short_name, description, may_create, may_act, may_chain, associated, created)"
    " VALUES ('D', :town, 'Bureau', 'Bureau', '', :may, :may, :may, '[]', :starts)"
)
FOLDER = (
    "INSERT INTO folder (id, organisation_id, dossier_id, title, summary, state, visibility, emitter_id, author, fields,"
    " variables, rank, since, created) VALUES (:dossier, :town, :dossier, 'Dossier', '{}', 'draft', 'public', 'D', 'platform',"
    " '{}', '[]', 0, :starts, :starts)"
)
PERSON = "INSERT INTO person (id, email, name, password_hash, created) VALUES ('P', 'p@valmorin.test', 'P', '', :starts)"
TASK = (
    "INSERT INTO folder_task (id, organisation_id, folder_id, rank, kind, desk_id, state, together, step, opened)"
    " VALUES (:dossier, :town, :dossier, :rank, 'visa', 'D', 'open', 'any', '{}', :opened)"
)
NOTICE = (
    "INSERT INTO folder_notice (id, organisation_id, person_id, folder_id, desk_id, category, due, created)"
    " VALUES (:dossier, :town, 'P', :dossier, 'D', 'late', :at, :at)"
)
RECORD = (
    "INSERT INTO record (id, organisation_id, dossier_id, kind, title, producer, dated, key, sha256, size, entry_id, rule,"
    " final_action, access, sealed, confidential) VALUES (:dossier, :town, :dossier, 'document', 'Sanction', '', '2026-03-02',"
    " :dossier, :dossier, 1, '', 'R v1', 'Keep', 'A v1', :starts, :may)"
)
INDEXED = (
    "INSERT INTO indexed_record (record_id, organisation_id, kind, producer, year, state)"
    " VALUES (:dossier, :town, 'document', '', 2026, 'kept') RETURNING number"
)
WORDS = {
    "sqlite": "INSERT INTO record_words (rowid, words) VALUES (:number, ' all: sanction ')",
    "postgresql": "INSERT INTO record_words (number, organisation_id, words)"
    " VALUES (:number, :town, array_to_tsvector(ARRAY['all:', 'sanction']))",
}
MEETING = (
    "INSERT INTO meeting (dossier_id, organisation_id, assembly_id, starts, place, agenda, urgency, second, renewal, paper,"
    " sheet)"
    " VALUES (:dossier, :town, :assembly, :starts, '', '', '', :paper, :paper, '[]', :sheet)"
)


def opened(kind: str, folder: Path, request: pytest.FixtureRequest) -> Database:
    return Database(f"sqlite:///{folder / 'db.sqlite3'}" if kind == "sqlite" else request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_closed_sheet_has_the_names_and_the_quorum_of_its_day(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = opened(kind, tmp_path, request)
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


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_key_names_its_dossier_still_and_a_folder_is_bound_to_its_flow(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = opened(kind, tmp_path, request)
    upgrade(database, "0029")
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune", OrganisationKind.PLATFORM).id
        told: dict[str, Any] = {"town": town, "starts": clock.now()}
        session.connection().execute(text(DESK), told | {"may": True})
        for flow, key in (("helios", "K-1"), ("document", None)):
            session.connection().execute(text(DOSSIER), told | {"dossier": flow})
            session.connection().execute(
                text("UPDATE dossier SET flow = id, idempotency_key = :key WHERE id = :id"), {"key": key, "id": flow}
            )
            session.connection().execute(text(FOLDER), told | {"dossier": flow})
    upgrade(database)
    with database.reading(PLATFORM) as session:
        asked = Keyed.of(town, "K-1", {"anything": 1})
        found = asked.named(session, lambda dossier: dossier.flow == "helios")
        assert found is not None
        assert found.id == "helios"
        with pytest.raises(Conflict, match="K-1"):
            asked.named(session, lambda _: False)
        assert Keyed.of(town, "K-2", {}).named(session) is None
        bound = {one.id: one.bound for one in session.exec(select(Folder))}
    database.close()
    assert bound == {"helios": True, "document": False}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_what_was_sealed_software_is_still_not_shown_what_people_kept_to_themselves(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = opened(kind, tmp_path, request)
    upgrade(database, "0032")
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune", OrganisationKind.PLATFORM).id
        connection, told = session.connection(), {"town": town, "starts": clock.now(), "may": True}
        connection.execute(text(DESK), told)
        for dossier, author in (("kept", "person:1"), ("sent", "token:1"), ("alone", None)):
            connection.execute(text(DOSSIER), told | {"dossier": dossier})
            if author:
                connection.execute(text(FOLDER.replace("'platform'", ":author")), told | {"dossier": dossier, "author": author})
            connection.execute(text(RECORD), told | {"dossier": dossier})
            number = connection.execute(text(INDEXED), told | {"dossier": dossier}).scalar_one()
            connection.execute(text(WORDS[kind]), {"town": town, "number": number})
    upgrade(database)
    software = Principal("token:1", {town: frozenset({Right.READ})})
    page = find(cast("Platform", SimpleNamespace(database=database)), software, Wanted(text="sanction"))
    database.close()
    assert [line.record.id for line in page.lines] == ["alone", "sent"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_desk_that_was_told_of_a_late_task_is_not_told_again(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = opened(kind, tmp_path, request)
    upgrade(database, "0038")
    before, now = clock.now() - timedelta(days=9), clock.now()
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune", OrganisationKind.PLATFORM).id
        connection, told = session.connection(), {"town": town, "starts": before, "may": True}
        connection.execute(text(PERSON), told)
        connection.execute(text(DESK), told)
        for rank, dossier in enumerate(("told", "told-before", "untold")):
            connection.execute(text(DOSSIER), told | {"dossier": dossier})
            connection.execute(text(FOLDER), told | {"dossier": dossier})
            opened_at = now if dossier == "told-before" else before
            connection.execute(text(TASK), told | {"dossier": dossier, "rank": rank, "opened": opened_at})
            if dossier != "untold":
                connection.execute(text(NOTICE), told | {"dossier": dossier, "at": before + timedelta(days=1)})
    upgrade(database)
    with database.reading(PLATFORM) as session:
        alerted = {task.folder_id: task.alerted for task in session.exec(select(Task))}
    database.close()
    assert alerted == {"told": before + timedelta(days=1), "told-before": None, "untold": None}
