"""Holds and rules: written down, put under lock, told to every place; lifted and withdrawn by whoever manages the archives."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from archive.models import Record
from archive.places import locks, statements
from archive.places.places import copies_of, places_of
from archive.retention import changing, exchange, holds
from archive.retention.changing import choose, follow, withdraw
from archive.retention.exchange import FaultyTable
from archive.retention.models import RecordHeld, RecordHold, RuleVersion
from archive.retention.referential import known, rule_named, rules_for
from archive.retention.rules import Category, RetentionRule
from core.errors import Conflict, Forbidden, NotFound, Unavailable, UsageError
from core.journal import JournalEntry
from core.locked_objects import LockedObject, LockedObjects
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal
from core.s3_server import S3Server
from schemas.seda.model import FinalAction
from tests.conftest import on_one_shape
from tests.ended_records import People, ended, people_of, today
from tests.kept_records import with_second_place

pytestmark = on_one_shape


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def people(kept: Platform, mairie: Organisation) -> People:
    return people_of(kept, mairie)


def wanted(*records: Record, **changes: object) -> holds.Wanted:
    told = holds.Wanted("recours de M. Untel", "direction juridique", today() + timedelta(days=90), tuple(r.id for r in records))
    return replace(told, **changes)  # type: ignore[arg-type]


def entry(platform: Platform, kind: str) -> JournalEntry:
    with platform.database.reading(PLATFORM) as session:
        query = select(JournalEntry).where(JournalEntry.kind == kind).order_by(col(JournalEntry.number).desc())
        return session.exec(query.limit(1)).one()


def in_store(platform: Platform, record: Record) -> list[bool]:
    with platform.database.reading(PLATFORM) as session:
        versions = {copy.place: copy.version_id for copy in copies_of(session, record.id)}
    return [place.store.lock_of(record.key, versions[place.name]).held for place in places_of(platform)]


def test_a_hold_stands_in_the_journal_under_lock_and_on_every_copy_until_the_last_one_is_lifted(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    one, other = (ended(kept, mairie, tmp_path) for _ in range(2))
    first = holds.put(kept, people.archivist, mairie.id, wanted(one, other))
    second = holds.put(kept, people.archivist, mairie.id, wanted(one))
    assert in_store(kept, one) == in_store(kept, other) == [True, True]
    said = {identifier: data for kind, identifier, data in statements.read_all(kept) if kind == "hold"}
    assert json.loads(said[first])["reason"] == "recours de M. Untel"
    told = entry(kept, "archive.hold_placed")
    assert told.facts["statement"] == hashlib.sha256(said[second]).hexdigest()
    assert "Untel" not in told.leaf().decode()
    with kept.database.reading(PLATFORM) as session:
        assert holds.held(session, [one.id, other.id]) == {one.id, other.id}
    holds.lift(kept, people.archivist, first, "M. Untel se désiste")
    assert (in_store(kept, one), in_store(kept, other)) == ([True, True], [False, False])
    with pytest.raises(Conflict, match="a été levé"):
        holds.lift(kept, people.archivist, first, "encore")
    with pytest.raises(UsageError, match="pourquoi ce gel est levé"):
        holds.lift(kept, people.archivist, second, " ")
    holds.lift(kept, people.archivist, second, " M. Untel se désiste ")
    assert in_store(kept, one) == [False, False]
    told = entry(kept, "archive.hold_lifted")
    said = {identifier: data for kind, identifier, data in statements.read_all(kept) if kind == "hold_lifted"}
    why = said[told.facts["statement"]]
    assert (told.facts["hold"], told.facts["sha256"]) == (second, hashlib.sha256(why).hexdigest())
    assert json.loads(why)["reason"] == "M. Untel se désiste"
    assert (len(said), "Untel" in told.leaf().decode()) == (2, False)


def test_a_wish_that_is_sent_again_under_its_key_puts_one_hold_even_at_the_same_moment(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (ended(kept, mairie, tmp_path) for _ in range(2))
    wish = wanted(one, other, key="greffe-1")
    first, created = holds.put_once(kept, people.archivist, mairie.id, wish)
    assert created
    assert holds.put_once(kept, people.archivist, mairie.id, replace(wish, records=wish.records[::-1])) == (first, False)
    with monkeypatch.context() as raced:  # as if the first one had committed between the look and the write
        looked, unseen = holds._repeated, iter([True])
        raced.setattr(holds, "_repeated", lambda *asked: None if next(unseen, False) else looked(*asked))
        assert holds.put_once(kept, people.archivist, mairie.id, wish) == (first, False)
    with pytest.raises(Conflict, match="greffe-1") as taken:
        holds.put_once(kept, people.archivist, mairie.id, replace(wish, reason="autre"))
    assert taken.value.existing == first
    with pytest.raises(Forbidden):
        holds.put_once(kept, people.mayor, mairie.id, wish)


def test_only_whoever_manages_the_archives_there_holds_and_lifts_and_says_why(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    one = ended(kept, mairie, tmp_path)
    for nobody in (people.mayor, people.state):
        with pytest.raises(Forbidden):
            holds.put(kept, nobody, mairie.id, wanted(one))
    for change in ({"reason": " "}, {"owner": ""}, {"review": today() - timedelta(days=1)}, {"records": ()}):
        with pytest.raises(UsageError):
            holds.put(kept, people.archivist, mairie.id, wanted(one, **change))
    with pytest.raises(NotFound, match="existe pas ici"):
        holds.put(kept, people.archivist, mairie.id, wanted(one, records=("01JABCDEFGHJKMNPQRSTVWXYZ0",)))
    identifier = holds.put(kept, people.archivist, mairie.id, wanted(one))
    with pytest.raises(Forbidden):
        holds.lift(kept, people.mayor, identifier, "clos")
    assert in_store(kept, one) == [True, True]
    with pytest.raises(NotFound):
        holds.lift(kept, Principal("person:01JABCDEFGHJKMNPQRSTVWXYZ0", {}), identifier, "clos")


def test_what_a_silent_place_could_not_be_told_is_told_later(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ended(kept, mairie, tmp_path)

    def silent(*_: object) -> None:
        raise Unavailable("silence")

    with monkeypatch.context() as patched:
        patched.setattr(locks, "hold", silent)
        holds.put(kept, people.archivist, mairie.id, wanted(one))
    with kept.database.reading(PLATFORM) as session:
        assert holds.held(session, [one.id]) == {one.id}  # the decision stands, whatever the store knows
        assert [row.told for row in session.exec(select(RecordHeld))] == [False]
    assert in_store(kept, one) == [False, False]
    assert holds.settle(kept) == 1
    assert in_store(kept, one) == [True, True]
    assert holds.settle(kept) == 0


def test_a_hold_that_a_place_knows_only_in_part_leaves_nothing_behind_when_it_is_lifted(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ended(kept, mairie, tmp_path)
    second = places_of(kept)[1].store
    real = type(second).freeze

    def silent(self: object, key: str, version: str) -> None:
        if self is second:
            raise Unavailable("silence")
        real(self, key, version)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(type(second), "freeze", silent)
        identifier = holds.put(kept, people.archivist, mairie.id, wanted(one))
    assert in_store(kept, one) == [True, False]
    holds.lift(kept, people.archivist, identifier, "clos")
    assert in_store(kept, one) == [False, False]


def test_a_hold_whose_day_is_over_leaves_one_statement_however_long_a_place_is_silent(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = holds.put(kept, people.archivist, mairie.id, wanted(ended(kept, mairie, tmp_path)))
    with kept.database.writing(PLATFORM) as session:
        session.get_one(RecordHold, identifier).ends = today() - timedelta(days=1)
    second = places_of(kept)[1].store
    real = LockedObjects.seal

    def silent(self: LockedObjects, *args: Any, **told: Any) -> LockedObject:
        if self is second:
            raise Unavailable("silence")
        return real(self, *args, **told)

    with monkeypatch.context() as patched:
        patched.setattr(LockedObjects, "seal", silent)
        for _ in range(3):
            holds.settle_all(kept)
    with kept.database.reading(PLATFORM) as session:
        assert session.get_one(RecordHold, identifier).lifted is None
    holds.settle_all(kept)
    told = entry(kept, "archive.hold_lifted").facts
    key = statements.key_of("hold_lifted", told["statement"])
    for place in places_of(kept):
        assert [one.key for one in place.store.all_versions(prefix="statements/hold_lifted/")] == [key], place.name
    with kept.database.reading(PLATFORM) as session:
        lifted = session.get_one(RecordHold, identifier)
    assert (lifted.lifted_by, lifted.lifted) == ("platform", entry(kept, "archive.hold_lifted").at)


def test_a_hold_that_no_place_could_keep_a_statement_of_is_no_hold(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ended(kept, mairie, tmp_path)

    def silent(*_: object) -> str:
        raise Unavailable("silence")

    monkeypatch.setattr(statements, "keep", silent)
    with pytest.raises(Unavailable):
        holds.put(kept, people.archivist, mairie.id, wanted(one))
    with kept.database.reading(PLATFORM) as session:
        assert session.exec(select(RecordHold)).all() == []


def rule(years: int, **changes: object) -> RetentionRule:
    told = {"identifier": "APP-COMPTA-10ANS", "years": years, "label": "pièces comptables", "source": "accord avec les archives"}
    return RetentionRule.model_validate({**told, "final_action": FinalAction.DESTROY, **changes})


def test_a_rule_is_followed_by_its_next_version_under_lock_and_withdrawn(
    kept: Platform, mairie: Organisation, people: People
) -> None:
    made = [
        follow(
            kept, people.archivist, mairie.id, changing.Wanted(Category.APPRAISAL, rule(years), today() - timedelta(days=days))
        )
        for years, days in ((12, 30), (15, 0))
    ]
    assert [row.version for row in made] == [2, 3]
    with kept.database.reading(PLATFORM) as session:
        assert rules_for(session, mairie.id, "helios").appraisal.years == 15
        assert rule_named(session, mairie.id, "APP-COMPTA-10ANS", Category.APPRAISAL, "2").years == 12
        assert session.get_one(RuleVersion, made[0].id).until == today() - timedelta(days=1)
    (under_lock,) = (data for kind, identifier, data in statements.read_all(kept) if (kind, identifier) == ("rule", made[1].id))
    assert json.loads(under_lock)["source"] == "accord avec les archives"
    assert entry(kept, "archive.rule_version").facts["statement"] == hashlib.sha256(under_lock).hexdigest()
    with pytest.raises(Forbidden):
        follow(kept, people.mayor, mairie.id, changing.Wanted(Category.APPRAISAL, rule(1), today()))
    with pytest.raises(UsageError):
        follow(kept, people.archivist, mairie.id, changing.Wanted(Category.ACCESS, rule(1), today()))
    withdraw(kept, people.archivist, mairie.id, Category.APPRAISAL, "APP-COMPTA-10ANS")
    with kept.database.reading(PLATFORM) as session:
        tomorrow = today() + timedelta(days=1)
        assert rule_named(session, mairie.id, "APP-COMPTA-10ANS", Category.APPRAISAL, day=tomorrow).years == 10


def test_a_choice_is_journaled_once_and_keeps_its_rule_alive(kept: Platform, mairie: Organisation, people: People) -> None:
    own = changing.Wanted(Category.APPRAISAL, rule(3, identifier="APP-COURRIER"), today())
    follow(kept, people.archivist, mairie.id, own)
    for _ in range(2):
        choose(kept, people.archivist, mairie.id, "mail", Category.APPRAISAL, "APP-COURRIER")
    with kept.database.reading(PLATFORM) as session:
        assert rules_for(session, mairie.id, "mail").appraisal.years == 3
        kinds = session.exec(select(JournalEntry.kind).where(JournalEntry.kind == "archive.rule_chosen")).all()
        assert len(kinds) == 1
    with pytest.raises(Conflict, match="courriers suivis"):
        withdraw(kept, people.archivist, mairie.id, Category.APPRAISAL, "APP-COURRIER")
    with pytest.raises(NotFound):
        choose(kept, people.archivist, mairie.id, "mail", Category.APPRAISAL, "AR048")
    choose(kept, people.archivist, mairie.id, "mail", Category.APPRAISAL, None)
    withdraw(kept, people.archivist, mairie.id, Category.APPRAISAL, "APP-COURRIER")
    with pytest.raises(NotFound):
        withdraw(kept, people.archivist, mairie.id, Category.APPRAISAL, "APP-COURRIER")


def test_a_table_given_out_is_taken_in_again_without_a_change_and_a_wrong_one_not_at_all(
    kept: Platform, mairie: Organisation, people: People
) -> None:
    with kept.database.reading(PLATFORM) as session:
        table = exchange.given_out(session, mairie.id)
    assert exchange.take_in(kept, people.archivist, mairie.id, table) == 0
    text = table.decode("utf-8-sig")
    changed = text.replace(";10;anniversaire;detruire;", ";11;fin-annee;detruire;", 1)
    assert exchange.take_in(kept, people.archivist, mairie.id, changed.encode()) == 1
    assert exchange.take_in(kept, people.archivist, mairie.id, changed.encode()) == 0
    with kept.database.reading(PLATFORM) as session:
        table = exchange.given_out(session, mairie.id)  # with the version that was followed, which is not to come back
    assert exchange.take_in(kept, people.archivist, mairie.id, table) == 0
    back = re.sub(r"^(conservation;[^;]+);1;", r"\1;;", text, flags=re.MULTILINE)
    assert exchange.take_in(kept, people.archivist, mairie.id, back.encode()) == 1  # unless it is asked for, as the next one
    wrong = "categorie;code;libelle;annees;source\r\nconservation;A B;x;dix;\r\ngel;GEL-9;litige;0;arrêté\r\nautre;C;x;1;y\r\n"
    with pytest.raises(FaultyTable) as refused:
        exchange.take_in(kept, people.archivist, mairie.id, wrong.encode())
    assert [fault.line for fault in refused.value.faults] == [2, 4]
    with kept.database.reading(PLATFORM) as session:
        assert not known(session, mairie.id, "GEL-9", Category.HOLD)
    good = "code;categorie;libelle;annees;source;du\r\nGEL-9;gel;litige;0;arrêté;01/02/2026\r\n"
    assert exchange.take_in(kept, people.archivist, mairie.id, good.encode()) == 1
    with kept.database.reading(PLATFORM) as session:
        assert known(session, mairie.id, "GEL-9", Category.HOLD)
