"""What the page of a record tells of it: its dossier's entries, its own, those of what it was part of, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from archive.elimination import deciding, lists
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import ELIMINATED
from archive.finding.timeline import timeline
from archive.models import Record, RecordCopy
from archive.places import extending
from archive.proof import resealing
from archive.retention import holds
from archive.retention.models import RecordHeld, RecordHold
from archive.watch import incidents, restoring
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import Incident
from core import clock, journal
from core.database import Database
from core.identifiers import new_id
from core.journal import JournalEntry, about
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM


@pytest.fixture
def towns(database: Database) -> tuple[Organisation, Organisation]:
    """A collectivité and a service of it."""
    with database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme", OrganisationKind.PLATFORM)
        town = add_organisation(session, "Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
        return town, add_organisation(session, "Voirie", OrganisationKind.SERVICE, parent=town)


class Story:
    """Records of a service, and what happens to them."""

    def __init__(self, database: Database, town: Organisation, service: Organisation) -> None:
        self.database, self.town, self.service = database, town, service

    def record(self, dossier: str | None = None) -> Record:
        identifier = new_id()
        made = Record(
            id=identifier, organisation_id=self.service.id, dossier_id=dossier, kind="helios", title="PES", producer="",
            dated=date(2026, 3, 2), key=identifier, sha256="a" * 64, size=1, entry_id="", rule="R v1", final_action="Destroy",
            access="A v1",
        )  # fmt: skip
        with self.database.writing(PLATFORM) as session:
            session.add(made)
        self.says("record.sealed", dossier, record=identifier)
        return made

    def says(self, kind: str, dossier: str | None = None, owner: Organisation | None = None, **facts: Any) -> str:
        where = (owner or self.service).id
        with self.database.writing(PLATFORM) as session:
            return journal.write(session, organisation_id=where, dossier_id=dossier, kind=kind, actor="platform", facts=facts)

    def held(self, *records: Record) -> str:
        """Put records under a hold of the town, above their owner."""
        hold = RecordHold(id=new_id(), organisation_id=self.town.id, reason="Contentieux", owner="Juridique", statement="",
                          review=date(2027, 1, 1), placed_by="person:p")  # fmt: skip
        with self.database.writing(PLATFORM) as session:
            session.add(hold)
            session.flush()
            session.add_all(RecordHeld(hold_id=hold.id, record_id=one.id, organisation_id=one.organisation_id) for one in records)
        self.says(holds.PLACED, owner=self.town, hold=hold.id, records=sorted(one.id for one in records))
        return hold.id

    def eliminated(self, accepted: dict[str, bool], *off: Record) -> str:
        """Have an elimination of the town decided and ordered."""
        list_ = Elimination(id=new_id(), organisation_id=self.town.id, state="executing", as_of=date(2026, 1, 1), kept=0,
                            made_by="person:p")  # fmt: skip
        lines = [(record, True, yes) for record, yes in accepted.items()] + [(record.id, False, None) for record in off]
        with self.database.writing(PLATFORM) as session:
            session.add(list_)
            session.flush()
            session.add_all(
                EliminationLine(
                    elimination_id=list_.id, record_id=record, organisation_id=self.service.id, status="DESTROY",
                    chosen=chosen, accepted=yes,
                )
                for record, chosen, yes in lines
            )  # fmt: skip
        for kind in (lists.MADE, deciding.PROPOSED, deciding.AGREED, deciding.DECIDED, deciding.ORDERED):
            self.says(kind, owner=self.town, elimination=list_.id)
        return list_.id

    def incident(self, record: Record | None) -> str:
        facts = {"record": record.id} if record else {}
        with self.database.writing(PLATFORM) as session:
            return open_incident(session, organisation_id=self.service.id, kind=Kind.COPY_ALTERED, place="second",
                                 subject=new_id(), facts=facts)  # fmt: skip

    def told(self, record: Record) -> list[str]:
        with self.database.reading(PLATFORM) as session:
            return [entry.kind for entry in timeline(session, record)]


@pytest.fixture
def story(database: Database, towns: tuple[Organisation, Organisation]) -> Story:
    return Story(database, *towns)


def test_everything_that_happened_to_a_record_is_told_in_order_and_nothing_of_another(story: Story) -> None:
    dossier = new_id()
    story.says("dossier.received", dossier)
    record, other = story.record(dossier), story.record()
    both = story.held(record, other)
    story.held(other)
    mine, foreign = story.incident(record), story.incident(other)
    story.incident(None)
    for incident in (foreign, mine):
        with story.database.writing(PLATFORM) as session:
            incidents.close(session, incident, "person:p", new_id(), "disque remplacé")
    story.says(restoring.RESTORED, dossier, record=record.id, place="second")
    story.says(restoring.RESTORED, record=other.id, place="second")
    story.says(resealing.RESEALED, dossier, record=record.id)
    story.says(holds.LIFTED, owner=story.town, hold=both)
    list_ = story.eliminated({record.id: True, other.id: False})
    story.says(ELIMINATED, dossier, record=record.id, elimination=list_)
    decided = [lists.MADE, deciding.PROPOSED, deciding.AGREED, deciding.DECIDED]
    assert story.told(record) == [
        *("dossier.received", "record.sealed", holds.PLACED, incidents.OPENED, incidents.CLOSED),
        *(restoring.RESTORED, resealing.RESEALED, holds.LIFTED, *decided, deciding.ORDERED, ELIMINATED),
    ]
    assert story.told(other) == [
        *("record.sealed", holds.PLACED, holds.PLACED, incidents.OPENED, incidents.CLOSED, restoring.RESTORED),
        *(holds.LIFTED, *decided),  # which the State refused: its destruction was not ordered
    ]


def test_what_was_taken_off_a_list_has_no_part_in_its_elimination(story: Story) -> None:
    listed, off = story.record(), story.record()
    story.eliminated({listed.id: True}, off)
    assert story.told(off) == ["record.sealed"]


def test_the_last_extension_of_each_lock_is_told_though_its_entry_names_no_record(story: Story) -> None:
    record, other = story.record(), story.record()
    first, last = (story.says(extending.EXTENDED, owner=story.town, place="principal", records=2) for _ in range(2))
    owned: dict[str, Any] = {"organisation_id": story.service.id, "place": "principal", "version_id": "v"}
    owned |= {"locked_until": clock.now(), "checked": clock.now()}
    with story.database.writing(PLATFORM) as session:
        session.add(RecordCopy(record_id=record.id, extension_id=last, **owned))
        session.add(RecordCopy(record_id=other.id, **owned))
    with story.database.reading(PLATFORM) as session:
        assert [entry.id for entry in timeline(session, record)][1:] == [last] != [first]
    assert story.told(other) == ["record.sealed"]


def test_a_long_story_keeps_its_end(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.finding.timeline._MOST", 3)
    record = story.record()
    for rank in range(5):
        story.says(f"record.test{rank}", record=record.id)
    story.held(record)
    assert story.told(record) == ["record.test3", "record.test4", holds.PLACED]


def test_the_journal_answers_from_an_index_what_an_entry_is_about(story: Story) -> None:
    record = story.record()
    asked = select(JournalEntry).where(about(record.id)).order_by(col(JournalEntry.number).desc()).limit(5)
    with story.database.reading(PLATFORM) as session:
        plain = str(asked.compile(session.connection(), compile_kwargs={"literal_binds": True}))
        if story.database.is_sqlite:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {plain}").fetchall()
        else:
            session.connection().execute(text("SET LOCAL enable_seqscan = off"))
            session.connection().execute(text("SET LOCAL enable_bitmapscan = off"))
            plan = session.connection().exec_driver_sql(f"EXPLAIN {plain}").fetchall()
    assert "journal_entry_about" in str(plan), plan
    assert "Sort" not in str(plan), plan


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rows_of_before_are_found_too_once_the_database_is_upgraded(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    database = Database(sqlite if kind == "sqlite" else request.getfixturevalue("postgres_url"))
    upgrade(database, "0022")
    moment = (clock.now() - timedelta(days=9)).strftime("%Y-%m-%d %H:%M:%S")
    facts = '{"record": "R"}'
    rows = {
        "organisation (id, path, kind, name, created)": ("O", "/O/", "platform", "P", moment),
        "journal_entry (id, organisation_id, at, actor, kind, facts)": ("E", "O", moment, "platform", "record.sealed", facts),
        "archive_incident (id, organisation_id, kind, place, subject, facts, opened, seen, state)":
            ("I", "O", "copy.altered", "p", "s", facts, moment, moment, "open"),
    }  # fmt: skip
    with database.writing(PLATFORM) as session:
        for table, values in rows.items():
            session.connection().exec_driver_sql(f"INSERT INTO {table} VALUES {values}")
    upgrade(database)
    with database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(about("R")))
        assert entry.leaf() == (
            b'{"actor":"platform","at":"' + entry.leaf().partition(b'"at":"')[2].partition(b'"')[0] + b'","dossier":null,'
            b'"facts":{"record":"R"},"id":"E","kind":"record.sealed","organisation":"O","v":1}'
        )
        assert session.exec(select(Incident.id).where(Incident.record_id == "R")).all() == ["I"]
    database.close()
