"""Eliminations from analysis to certificate, in two real places: who decides, what wins, what is left as proof."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from minio.error import S3Error
from sqlmodel import col, select

from archive.elimination import deciding, lists
from archive.elimination.analysis import Criteria
from archive.elimination.deciding import Visa
from archive.elimination.models import Elimination, EliminationLine
from archive.finding.search import Wanted, find
from archive.ingest.inspection import check_package
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.places import locks, statements
from archive.places.places import fetch, places_of
from archive.proof import heads
from archive.proof.proving import extract_of
from archive.proof.tree import leaf_hash, verify_inclusion
from archive.retention import holds
from core import clock
from core.errors import Conflict, Forbidden, NotFound, Unavailable, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from schemas.xml import parse_pieces
from signing.timestamp.client import AuthoritySettings, TimestampClient
from tests.archive_samples import Notary
from tests.conftest import on_one_shape
from tests.ended_records import (
    People,
    decided,
    elimination,
    ended,
    lines_of,
    people_of,
    record,
    run,
    run_until,
    today,
    versions,
)
from tests.kept_records import with_second_place
from tests.waiting import wait_until

pytestmark = on_one_shape
_PDF = b"%PDF-1.7 le bordereau, vis\xc3\xa9"


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def people(kept: Platform, mairie: Organisation) -> People:
    return people_of(kept, mairie)


def journal(platform: Platform, kind: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).where(JournalEntry.kind == kind).order_by(col(JournalEntry.number))))


def test_what_is_due_is_destroyed_everywhere_and_its_certificate_is_a_record_for_ever(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    first, second = (ended(kept, mairie, tmp_path) for _ in range(2))
    young = ended(kept, mairie, tmp_path, day=today() - timedelta(days=400))
    store = places_of(kept)[1].store
    store._client.remove_object(store.archive, first.key)  # a marker on top is removed with what it hides
    identifier = decided(kept, people, mairie)
    assert set(lines_of(kept, identifier)) == {first.id, second.id}
    run_until(kept, identifier)
    assert [versions(kept, one.key) for one in (first, second)] == [{"principal": 0, "second": 0}] * 2
    assert versions(kept, young.key) == {"principal": 1, "second": 1}
    told = {entry.facts["record"]: entry.facts for entry in journal(kept, "record.eliminated")}
    assert told == {
        one.id: {
            "record": one.id,
            "package_sha256": one.sha256,
            "elimination": identifier,
            "places": {"principal": "removed", "second": "removed"},
        }
        for one in (first, second)
    }
    _only_proof_is_left(kept, first)
    assert record(kept, young.id).eliminated is None
    _the_certificate_says_it(kept, identifier, first, tmp_path)


def _only_proof_is_left(platform: Platform, destroyed: Record) -> None:
    with platform.database.reading(PLATFORM) as session:
        left = session.get_one(Record, destroyed.id)
        assert (left.title, left.sha256, left.entry_id) == ("", destroyed.sha256, destroyed.entry_id)
        assert left.eliminated is not None
        for table in (RecordFile, RecordCopy):
            assert session.exec(select(table).where(table.record_id == left.id)).all() == []
        assert session.exec(select(RecordDigest.value).where(RecordDigest.record_id == left.id)).all() == [destroyed.sha256]
    assert destroyed.id not in str(find(platform, PLATFORM, Wanted(text="Secrète")))


def _the_certificate_says_it(platform: Platform, identifier: str, destroyed: Record, folder: Path) -> None:
    done = elimination(platform, identifier)
    sealed = record(platform, done.record_id or "")
    assert (sealed.kind, sealed.final_action, sealed.rule) == ("elimination", "Keep", "APP-ELIMINATIONS v1")
    package = folder / "certificate.zip"
    fetch(platform, sealed, package)
    assert check_package(package) == []
    with zipfile.ZipFile(package) as opened:
        names = set(opened.namelist())
        told = json.loads(opened.read("content/certificat.json"))
        printed = {name: opened.read(f"content/{name}") for name in ("certificat-d-elimination.pdf", "liste.csv")}
        whole = b"".join(opened.read(name) for name in names)
        notice = parse_pieces([opened.read("content/notification-de-destruction.xml")])
    assert names >= {"content/bordereau-d-elimination.pdf", "manifest.xml"}
    (line,) = (one for one in told["lines"] if one["record"] == destroyed.id)
    assert (line["sha256"], line["outcome"], line["result"]["places"]["second"]) == (destroyed.sha256, "destroyed", "removed")
    assert told["decisions"]["visa"]["reference"] == "AD99-2026-7"
    assert told["list_sha256"] == hashlib.sha256(printed["liste.csv"]).hexdigest()
    assert destroyed.id in notice.xpath("//*[local-name()='UnitIdentifier']/text()")
    assert notice.xpath("string(//*[local-name()='AuthorizationRequestReplyIdentifier'])") == "AD99-2026-7"
    assert printed["certificat-d-elimination.pdf"].startswith(b"%PDF-")
    assert "Secrète".encode() not in whole  # what is kept for ever names nobody who was destroyed


def test_nobody_decides_alone(kept: Platform, mairie: Organisation, people: People, tmp_path: Path) -> None:
    ended(kept, mairie, tmp_path)
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    everything = replace(people.archivist, grants={mairie.id: frozenset(Right)})
    with pytest.raises(Forbidden):
        deciding.propose(kept, people.mayor, identifier)
    deciding.propose(kept, people.archivist, identifier)
    with pytest.raises(Conflict, match="proposée au producteur"):
        deciding.give_visa(kept, people.state, identifier, Visa())
    with pytest.raises(Forbidden):
        deciding.agree(kept, people.state, identifier)
    operator = replace(people.mayor, grants={mairie.id: frozenset({Right.ADMINISTER, Right.OPERATE, Right.SURVEY})})
    with pytest.raises(NotFound):
        deciding.agree(kept, operator, identifier)
    software = replace(everything, actor="token:01JABCDEFGHJKMNPQRSTVWXYZ0")
    with pytest.raises(Forbidden, match="Seule une personne"):
        deciding.agree(kept, software, identifier)
    deciding.agree(kept, everything, identifier)
    with pytest.raises(Forbidden, match="Une autre personne"):
        deciding.give_visa(kept, everything, identifier, Visa("1"))
    with pytest.raises(Forbidden, match="Une autre personne"):
        deciding.record_visa(kept, everything, identifier, Visa("1", document=_PDF))
    with pytest.raises(Forbidden):
        deciding.give_visa(kept, people.mayor, identifier, Visa())
    with pytest.raises(Conflict, match="attend le visa"):
        deciding.order(kept, people.archivist, identifier)
    run(kept)
    assert elimination(kept, identifier).state == "agreed"


def test_whoever_made_the_list_cannot_be_its_control_even_when_another_agreed(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    ended(kept, mairie, tmp_path)
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    deciding.propose(kept, people.archivist, identifier)
    deciding.agree(kept, people.mayor, identifier)
    both = replace(people.archivist, grants={mairie.id: frozenset(Right)})
    with pytest.raises(Forbidden, match="Une autre personne"):
        deciding.give_visa(kept, both, identifier, Visa())


def test_a_visa_signed_on_paper_is_recorded_with_its_document_by_another_than_agreed(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    ended(kept, mairie, tmp_path)
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    deciding.propose(kept, people.archivist, identifier)
    deciding.agree(kept, people.mayor, identifier)
    for wrong in (Visa("AD-1"), Visa("AD-1", document=b"GIF89a"), Visa(" ", document=_PDF)):
        with pytest.raises(UsageError):
            deciding.record_visa(kept, people.archivist, identifier, wrong)
    deciding.record_visa(kept, people.archivist, identifier, Visa("AD-1", document=_PDF))
    deciding.order(kept, people.archivist, identifier)
    run_until(kept, identifier)
    done = elimination(kept, identifier)
    assert done.visa_document == hashlib.sha256(_PDF).hexdigest()
    fetch(kept, record(kept, done.record_id or ""), tmp_path / "c.zip")
    with zipfile.ZipFile(tmp_path / "c.zip") as opened:
        assert opened.read("content/visa.pdf") == _PDF
    (said,) = (json.loads(data) for kind, _, data in statements.read_all(kept) if kind == "visa")
    assert (said["on_paper"], said["reference"], said["by"]) == (True, "AD-1", people.archivist.actor)
    (entry,) = journal(kept, "archive.elimination_visa")
    assert entry.facts["sha256"] == done.visa_statement
    assert "AD-1" not in entry.leaf().decode()


def test_a_partial_visa_destroys_what_it_accepts_and_a_refused_one_nothing(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    accepted, refused = (ended(kept, mairie, tmp_path) for _ in range(2))
    identifier = decided(kept, people, mairie, refused=frozenset({refused.id}))
    run_until(kept, identifier)
    assert record(kept, accepted.id).eliminated
    assert record(kept, refused.id).eliminated is None
    assert versions(kept, refused.key) == {"principal": 1, "second": 1}
    assert lines_of(kept, identifier)[refused.id].outcome == ""
    again = lists.make(kept, people.archivist, mairie.id, today(), Criteria())  # it may be proposed again
    deciding.propose(kept, people.archivist, again)
    deciding.agree(kept, people.mayor, again)
    with pytest.raises(UsageError, match="n’est pas sur la liste"):
        deciding.give_visa(kept, people.state, again, Visa(refused=frozenset({accepted.id})))
    deciding.give_visa(kept, people.state, again, Visa("non", frozenset({refused.id})))
    assert elimination(kept, again).state == "refused"
    with pytest.raises(Conflict):
        deciding.order(kept, people.archivist, again)


def test_a_hold_wins_before_the_list_on_it_and_after_the_order(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    never, on_list, ordered, gone = (ended(kept, mairie, tmp_path) for _ in range(4))
    hold = _held(kept, people, mairie, never)
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    line = lines_of(kept, identifier)[never.id]
    assert (line.status, line.reasons, line.chosen) == ("CONFLICT", ["BLOCKED_BY_HOLD_RULE"], False)
    with pytest.raises(Conflict, match="en conflit"):
        lists.edit(kept, people.archivist, identifier, [never.id], chosen=True)
    _held(kept, people, mairie, on_list)
    assert deciding.propose(kept, people.archivist, identifier) == 1
    deciding.agree(kept, people.mayor, identifier)
    deciding.give_visa(kept, people.state, identifier, Visa())
    deciding.order(kept, people.archivist, identifier)
    _held(kept, people, mairie, ordered)
    run_until(kept, identifier)
    skipped = lines_of(kept, identifier)[ordered.id]
    assert (skipped.outcome, skipped.reasons) == ("skipped", ["BLOCKED_BY_HOLD_RULE"])
    assert record(kept, gone.id).eliminated
    for one in (never, on_list, ordered):
        assert record(kept, one.id).eliminated is None
        assert versions(kept, one.key) == {"principal": 1, "second": 1}
        with pytest.raises(Conflict):
            locks.remove(kept, one)
    holds.lift(kept, people.archivist, hold, "clos")
    assert set(lines_of(kept, lists.make(kept, people.archivist, mairie.id, today(), Criteria()))) >= {never.id}
    with pytest.raises(Conflict, match="a été détruit"):
        _held(kept, people, mairie, gone)


def _held(platform: Platform, people: People, organisation: Organisation, one: Record) -> str:
    wanted = holds.Wanted("recours devant le tribunal", "direction juridique", today() + timedelta(days=365), (one.id,))
    return holds.put(platform, people.archivist, organisation.id, wanted)


def test_the_lock_wins_the_store_refuses_and_the_line_says_until_when_it_waits(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    one = ended(kept, mairie, tmp_path, seconds=7200)
    identifier = decided(kept, people, mairie)
    run(kept)
    line = lines_of(kept, identifier)[one.id]
    assert line.outcome == "waiting"
    assert line.waits_until is not None
    assert line.waits_until > clock.now() + timedelta(minutes=110)
    _believe_that_nothing_is_locked(kept)
    for _ in range(2):
        run(kept)
    line = lines_of(kept, identifier)[one.id]
    assert (line.outcome, elimination(kept, identifier).state) == ("waiting", "executing")
    for place in places_of(kept):
        (version,) = place.store.versions(one.key)
        with pytest.raises(S3Error):
            place.store._client.remove_object(place.store.archive, one.key, version_id=version.version_id)
    assert versions(kept, one.key) == {"principal": 1, "second": 1}


def _believe_that_nothing_is_locked(platform: Platform) -> None:
    with platform.database.writing(PLATFORM) as session:
        for copy in session.exec(select(RecordCopy)):
            copy.locked_until = clock.now() - timedelta(days=1)
        for line in session.exec(select(EliminationLine)):
            line.waits_until = None


def test_nothing_is_destroyed_without_an_analysis_or_before_its_day(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    tomorrow = today() + timedelta(days=1)
    due_tomorrow = ended(kept, mairie, tmp_path, day=today().replace(year=today().year - 10))
    with pytest.raises(UsageError, match="Aucun document n’est éliminable"):
        lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    identifier = lists.make(kept, people.archivist, mairie.id, tomorrow, Criteria())
    deciding.propose(kept, people.archivist, identifier)
    deciding.agree(kept, people.mayor, identifier)
    deciding.give_visa(kept, people.state, identifier, Visa())
    with pytest.raises(Conflict, match="rien n’est détruit avant"):
        deciding.order(kept, people.archivist, identifier)
    with kept.database.writing(PLATFORM) as session:  # as if the order had been given for another day
        session.get_one(Elimination, identifier).state = "executing"
    run_until(kept, identifier)
    line = lines_of(kept, identifier)[due_tomorrow.id]
    assert (line.outcome, line.reasons) == ("skipped", ["NOT_DUE"])
    assert versions(kept, due_tomorrow.key) == {"principal": 1, "second": 1}


def test_a_death_between_two_places_is_made_up_for_at_the_next_turn(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ended(kept, mairie, tmp_path)
    identifier = decided(kept, people, mairie)
    second = places_of(kept)[1].store
    alive = type(second).remove_version

    def dies(self: object, version: object) -> None:
        if self is second:
            raise KeyboardInterrupt
        alive(self, version)  # type: ignore[arg-type]

    monkeypatch.setattr(type(second), "remove_version", dies)
    _wait_for_locks(kept)
    with pytest.raises(KeyboardInterrupt):
        run(kept)
    assert versions(kept, one.key) == {"principal": 0, "second": 1}
    assert lines_of(kept, identifier)[one.id].outcome == "destroying"
    with pytest.raises(Conflict, match="sa destruction a commencé"):
        _held(kept, people, mairie, one)
    monkeypatch.setattr(type(second), "remove_version", alive)
    run_until(kept, identifier)
    assert versions(kept, one.key) == {"principal": 0, "second": 0}
    (entry,) = journal(kept, "record.eliminated")
    assert entry.facts["places"] == {"principal": "absent", "second": "removed"}


def test_a_place_that_is_silent_lets_nothing_be_destroyed_and_a_place_that_is_gone_is_told(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ended(kept, mairie, tmp_path)
    identifier = decided(kept, people, mairie)
    second = places_of(kept)[1].store
    real = type(second).versions

    def silent(self: object, key: str) -> object:
        if self is second:
            raise Unavailable("silence")
        return real(self, key)  # type: ignore[arg-type]

    _wait_for_locks(kept)
    with monkeypatch.context() as patched:
        patched.setattr(type(second), "versions", silent)
        run(kept)
    assert versions(kept, one.key) == {"principal": 1, "second": 1}
    run(replace(kept, further=()))
    line = lines_of(kept, identifier)[one.id]
    assert (line.outcome, line.reasons) == ("destroying", ["PLACE_UNKNOWN"])
    assert versions(kept, one.key)["second"] == 1


def _wait_for_locks(platform: Platform) -> None:
    def free() -> bool:
        with platform.database.reading(PLATFORM) as session:
            return all(copy.locked_until < clock.now() for copy in session.exec(select(RecordCopy)))

    wait_until(free)


def test_one_who_holds_nothing_there_does_not_see_it(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path
) -> None:
    ended(kept, mairie, tmp_path)
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    stranger = Principal("person:01JABCDEFGHJKMNPQRSTVWXYZ0", {})
    acts: list[Callable[[], object]] = [
        lambda: deciding.agree(kept, stranger, identifier),
        lambda: lists.abandon(kept, stranger, identifier),
        lambda: deciding.propose(kept, stranger, identifier),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()
    lists.abandon(kept, people.archivist, identifier)
    assert elimination(kept, identifier).state == "abandoned"


def test_the_list_is_narrowed_and_edited(kept: Platform, mairie: Organisation, people: People, tmp_path: Path) -> None:
    old, older = ended(kept, mairie, tmp_path), ended(kept, mairie, tmp_path, day=date(2009, 1, 5))
    narrow = lists.make(kept, people.archivist, mairie.id, today(), Criteria(("helios",), (), date(2010, 1, 1), date(2012, 1, 1)))
    assert set(lines_of(kept, narrow)) == {old.id}
    identifier = lists.make(kept, people.archivist, mairie.id, today(), Criteria())
    assert lines_of(kept, identifier)[old.id].reasons == ["ALREADY_LISTED"]
    assert lists.edit(kept, people.archivist, identifier, [older.id], chosen=False) == 1
    with pytest.raises(UsageError, match="Aucun document n’est sur la liste"):
        deciding.propose(kept, people.archivist, identifier)
    assert lists.edit(kept, people.archivist, identifier, [older.id], chosen=True) == 1
    assert deciding.propose(kept, people.archivist, identifier) == 0


def test_what_was_destroyed_is_still_proved_by_its_leaf(
    kept: Platform, mairie: Organisation, people: People, tmp_path: Path, notary: Notary
) -> None:
    one = ended(kept, mairie, tmp_path)
    identifier = decided(kept, people, mairie)
    run_until(kept, identifier)
    stamps = TimestampClient(AuthoritySettings(urls=[notary.tsa.url]), notary.trust)
    assert heads.cut(kept, stamps) is not None
    (sealed,) = (entry for entry in journal(kept, "record.sealed") if entry.facts["record"] == one.id)
    (destroyed,) = journal(kept, "record.eliminated")
    proof = extract_of(kept, [sealed, destroyed])
    assert [json.loads(entry.leaf)["kind"] for entry in proof.entries] == ["record.sealed", "record.eliminated"]
    assert json.loads(proof.entries[0].leaf)["facts"]["package_sha256"] == one.sha256
    for entry in proof.entries:
        assert entry.index is not None
        assert verify_inclusion(leaf_hash(entry.leaf), entry.index, proof.head.size, entry.path, proof.head.root)
    assert "Secrète" not in proof.entries[0].leaf.decode()
