"""The rules of sealed records put right: closed by one person, opened by two, told in the journal and under lock, found again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from archive.correction import correcting
from archive.correction.correcting import Access, Retention, Wanted
from archive.correction.history import as_sealed
from archive.correction.models import RecordCorrection
from archive.correction.terms import Terms
from archive.elimination import lists
from archive.elimination.analysis import Criteria
from archive.finding import search
from archive.models import Record
from archive.places import statements
from archive.rebuilding import corrections
from archive.retention.explaining import access_explained_for, explained_for
from archive.watch import consistency
from core.errors import Conflict, Forbidden, NotFound, Unavailable, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from schemas.seda.model import FinalAction
from tests.conftest import on_one_shape
from tests.ended_records import LONG_AGO, People, decided, ended, people_of, run_until, today
from tests.ended_records import record as read
from tests.kept_records import with_second_place

DAY = date(2020, 2, 21)
CLOSED = Wanted("nomme un agent sanctionné", access=Access("AR048", None))
LONGER = Wanted("instruction de 2026", retention=Retention("APP-ACTES-1AN", DAY))
DOOMED = Wanted("hors champ", retention=Retention("APP-COMPTA-10ANS", LONG_AGO, FinalAction.DESTROY))


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def people(kept: Platform, mairie: Organisation) -> People:
    return people_of(kept, mairie)


def row(platform: Platform, correction: str) -> RecordCorrection:
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(RecordCorrection, correction)


def entries(platform: Platform, *kinds: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        query = select(JournalEntry).where(col(JournalEntry.kind).in_(kinds)).order_by(col(JournalEntry.number))
        return list(session.exec(query))


def found(platform: Platform, **asked: object) -> set[str]:
    page = search.find(platform, PLATFORM, search.Wanted(**asked))  # type: ignore[arg-type]
    return {line.record.id for line in page.lines}


def test_one_person_closes_a_record_and_the_journal_the_places_the_search_and_the_words_say_so(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path, day=date(1950, 1, 1))
    assert found(kept, open=True) == {record.id}
    correction = correcting.correct(kept, people.archivist, record.id, CLOSED)
    now = read(kept, record.id)
    assert (now.access, now.open_from, now.rule, now.keep_until) == ("AR048 v1", None, record.rule, record.keep_until)
    (told,) = entries(kept, correcting.CORRECTED)
    assert (told.actor, told.facts["record"], told.facts["correction"]) == (people.archivist.actor, record.id, correction)
    assert (told.facts["before"]["open_from"], told.facts["after"]["open_from"]) == ("2000-01-01", None)
    assert "sanctionné" not in told.leaf().decode()
    said = {identifier: data for kind, identifier, data in statements.read_all(kept) if kind == "correction"}
    data = said[told.facts["statement"]]
    assert (hashlib.sha256(data).hexdigest(), json.loads(data)["reason"]) == (told.facts["sha256"], CLOSED.reason)
    assert (found(kept, open=True), found(kept, open=False)) == (set(), {record.id})
    with kept.database.reading(PLATFORM) as session:
        assert "corrigé le" in access_explained_for(session, now)
        assert "corrigé" not in explained_for(session, now)
        assert as_sealed(session, now) == Terms.of(record)
    assert consistency.compared(kept, now) == []
    with kept.database.writing(PLATFORM) as session:
        session.get_one(Record, record.id).open_from = date(2000, 1, 1)
    assert [trouble.facts["fields"] for trouble in consistency.compared(kept, read(kept, record.id))] == [["open_from"]]


@on_one_shape
def test_what_opens_waits_for_another_person_of_the_control_and_changes_nothing_before(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path)
    opening = Wanted("il n’y a aucun nom", access=Access("AR038", DAY))
    with pytest.raises(Forbidden, match="logiciel"):
        correcting.correct(kept, replace(people.archivist, actor="token:01JABCDEFGHJKMNPQRSTVWXYZ0"), record.id, opening)
    correction = correcting.correct(kept, people.archivist, record.id, opening)
    assert read(kept, record.id).open_from == record.open_from
    assert row(kept, correction).state == "proposed"
    with pytest.raises(Conflict, match="attend déjà"):
        correcting.correct(kept, people.archivist, record.id, opening)
    both = replace(people.archivist, grants={mairie.id: frozenset({Right.READ, Right.ARCHIVE, Right.CONTROL})})
    with pytest.raises(Forbidden, match="Une autre personne"):
        correcting.agree(kept, both, correction)
    with pytest.raises(Forbidden):
        correcting.agree(kept, people.mayor, correction)
    with kept.database.reading(PLATFORM) as session:
        assert [correcting.awaited(session, who, 9) for who in (people.state, both, people.mayor)] == [1, 0, 0]
    correcting.agree(kept, people.state, correction)
    now = read(kept, record.id)
    assert (now.access, now.open_from) == ("AR038 v1", DAY)
    assert row(kept, correction).decided_by == people.state.actor
    assert [one.kind for one in entries(kept, correcting.PROPOSED, correcting.CORRECTED)] == [
        correcting.PROPOSED,
        correcting.CORRECTED,
    ]
    with pytest.raises(Conflict, match="déjà reçu"):
        correcting.decline(kept, people.state, correction)


@on_one_shape
def test_a_proposal_is_given_up_or_overtaken_and_the_record_stays_what_it_was(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path)
    opening = Wanted("aucun nom", access=Access("AR038", DAY))
    first = correcting.correct(kept, people.archivist, record.id, opening)
    with pytest.raises(Forbidden):
        correcting.decline(kept, people.mayor, first)
    correcting.decline(kept, people.state, first)
    second = correcting.correct(kept, people.archivist, record.id, opening)
    correcting.correct(kept, people.archivist, record.id, CLOSED)
    with pytest.raises(Conflict, match="depuis cette proposition"):
        correcting.agree(kept, people.state, second)
    assert read(kept, record.id).open_from is None


def test_retention_is_lengthened_by_one_and_shortened_or_ended_in_destruction_by_two(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path)
    due = found(kept, due_by=today(), final_action="Destroy")
    assert due == {record.id}
    correcting.correct(kept, people.archivist, record.id, LONGER)
    now = read(kept, record.id)
    assert (now.rule, now.final_action, now.keep_until) == ("APP-ACTES-1AN v1", "Keep", date(2021, 2, 21))
    assert found(kept, due_by=today(), final_action="Destroy") == set()
    with kept.database.reading(PLATFORM) as session:
        words = explained_for(session, now)
    assert "21/02/2020" in words and "auparavant APP-COMPTA-10ANS v1" in words
    with pytest.raises(UsageError):
        lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    back = correcting.correct(kept, people.archivist, record.id, DOOMED)
    assert read(kept, record.id).final_action == "Keep"
    correcting.agree(kept, people.state, back)
    assert found(kept, due_by=today(), final_action="Destroy") == {record.id}
    assert lists.make(kept, people.archivist, mairie.id, today(), Criteria())


@on_one_shape
def test_what_cannot_be_is_refused_with_words(kept: Platform, mairie: Organisation, people: People, tmp_path: Path) -> None:
    record = ended(kept, mairie, tmp_path)
    for wish, words in (
        (replace(CLOSED, reason=" "), "Dites pourquoi"),
        (Wanted("rien"), "le dit déjà"),
        (Wanted("x", access=Access("ZZ999", None)), "ZZ999"),
        (Wanted("x", access=Access("APP-COMPTA-10ANS", None)), "une règle de communicabilité"),
        (Wanted("x", retention=Retention("AR048", DAY)), "une règle de conservation"),
        (Wanted("x", access=Access("AR048", date(999, 1, 1))), "ne peut pas compter"),
        (Wanted("x", access=Access("AR048", today() + timedelta(days=1))), "ne peut pas compter"),
    ):
        with pytest.raises(UsageError, match=words):
            correcting.correct(kept, people.archivist, record.id, wish)
    with pytest.raises(Forbidden):
        correcting.correct(kept, people.mayor, record.id, CLOSED)
    with pytest.raises(NotFound):
        correcting.correct(kept, Principal("person:01JABCDEFGHJKMNPQRSTVWXYZ0", {}), record.id, CLOSED)
    assert entries(kept, correcting.PROPOSED, correcting.CORRECTED) == []


@on_one_shape
def test_what_is_under_visa_or_destroyed_is_corrected_no_more(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path)
    proposal = correcting.correct(kept, people.archivist, record.id, Wanted("aucun nom", access=Access("AR038", DAY)))
    elimination = decided(kept, people, mairie)
    with pytest.raises(Conflict, match="son visa"):
        correcting.correct(kept, people.archivist, record.id, CLOSED)
    with pytest.raises(Conflict, match="son visa"):
        correcting.agree(kept, people.state, proposal)
    run_until(kept, elimination)
    with pytest.raises(Conflict, match="a été détruite"):
        correcting.correct(kept, people.archivist, record.id, CLOSED)


@on_one_shape
def test_nothing_is_corrected_while_a_place_is_silent(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ended(kept, mairie, tmp_path)

    def silent(*_: object) -> None:
        raise Unavailable("silence")

    with monkeypatch.context() as patched:
        patched.setattr(statements, "keep", silent)
        with pytest.raises(Unavailable):
            correcting.correct(kept, people.archivist, record.id, CLOSED)
    assert read(kept, record.id).open_from == record.open_from
    correcting.correct(kept, people.archivist, record.id, CLOSED)
    assert read(kept, record.id).open_from is None


@on_one_shape
def test_a_correction_that_a_backup_lost_comes_back_and_leaves_what_was_decided_later(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    record = ended(kept, mairie, tmp_path)
    lost, later = (correcting.correct(kept, people.archivist, record.id, one) for one in (LONGER, CLOSED))
    said, told = read(kept, record.id), row(kept, lost)
    with kept.database.writing(PLATFORM) as session:
        session.delete(session.get_one(RecordCorrection, lost))
    corrections.restore(kept)
    assert (row(kept, lost), read(kept, record.id)) == (told, said)
    with kept.database.writing(PLATFORM) as session:
        session.delete(session.get_one(RecordCorrection, later))
        Terms.read(row(kept, lost).after).write(session.get_one(Record, record.id))
    corrections.restore(kept)
    assert read(kept, record.id) == said
    assert found(kept, open=False, rule=said.rule) == {record.id}
