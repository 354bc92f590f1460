"""What the audits find of what is sealed beside the packages, and of the journal: the object, or the very row, is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from archive.correction.models import RecordCorrection
from archive.elimination.deciding import DECIDED
from archive.elimination.models import Elimination
from archive.models import EvidenceStamp, TreeSegment
from archive.places import statements
from archive.places.places import places_of
from archive.proof import segments
from archive.proof.ers import batches
from archive.retention.holds import LIFTED
from archive.retention.models import RecordHold, RuleVersion
from archive.watch import audits, existence, papers
from archive.watch.audits import AuditKind, Duty
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Trouble
from archive.watch.models import AuditRun, Incident
from core import clock, journal
from core.canonical import canonical_bytes
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.bit_flips import flip
from tests.conftest import on_one_shape
from tests.journals import cut, tampering
from tests.kept_records import SECOND, seal, with_second_place

pytestmark = on_one_shape
PLACES = ("principal", SECOND)


@pytest.fixture
def kept(platform: Platform, s3: S3Server, mairie: Organisation) -> Platform:
    assert mairie.parent_id
    return with_second_place(platform, s3)


@pytest.fixture
def copied(kept: Platform, mairie: Organisation, authority: Callable[[str], TsaSimulator]) -> Platform:
    """A journal under two heads, each with its segment in both places."""
    tsa = authority("tsa")
    stamps = TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))
    for count in (5, 4):
        cut(kept, mairie.id, count, stamps)
        segments.copy_due(kept)
    return kept


def found(platform: Platform, kind: AuditKind, place: str = "") -> list[Trouble]:
    _, troubles = audits.whole(platform, Duty(kind, place), lambda *_: None)
    return list(troubles)


def bucket(platform: Platform, place: str) -> str:
    return next(one.store.archive for one in places_of(platform) if one.name == place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("offset", [0, 20, -1])
def test_a_flipped_bit_of_a_statement_is_found_in_its_place(kept: Platform, s3: S3Server, place: str, offset: int) -> None:
    data = canonical_bytes({"reason": f"contentieux {place} {offset}", "records": 2})
    statements.keep(kept, "hold", "01JHOLD1", canonical_bytes({"reason": "autre"}))
    digest = statements.keep(kept, "hold", "01JHOLD2", data)
    assert [found(kept, AuditKind.PAPERS, one) for one in PLACES] == [[], []]
    flip(s3, data, offset, bucket=bucket(kept, place))
    for one in PLACES:
        troubles = [(t.kind, t.place, t.subject, t.facts["expected"]) for t in found(kept, AuditKind.PAPERS, one)]
        assert troubles == ([(Kind.OBJECT_ALTERED, place, "statements/hold/01JHOLD2.json", digest)] if one == place else [])


def test_a_statement_that_one_place_lacks_is_named_there_and_a_covered_one_too(kept: Platform) -> None:
    for rank in range(3):
        statements.keep(kept, "hold", f"01JHOLD{rank}", canonical_bytes({"rank": rank}))
    store = kept.further[0].store
    statements.keep(Platform(kept.settings, kept.database, kept.objects, kept.secrets), "visa", "01JVISA", b"{}")
    store._client.remove_object(store.archive, "statements/hold/01JHOLD1.json")
    assert found(kept, AuditKind.PAPERS, "principal") == []
    assert [(t.kind, t.subject) for t in found(kept, AuditKind.PAPERS, SECOND)] == [
        (Kind.COPY_HIDDEN, "statements/hold/01JHOLD1.json"),
        (Kind.OBJECT_MISSING, "statements/visa/01JVISA.json"),
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("offset", [0, 40, -1])
def test_a_flipped_bit_of_an_evidence_batch_is_found_in_its_place(kept: Platform, s3: S3Server, place: str, offset: int) -> None:
    token, now = f"jeton {place} {offset}".encode(), clock.now()
    stamp = EvidenceStamp(algorithm="SHA-256", token=token, stamped=now, expires=now + timedelta(days=900), key="")
    stamp.key = batches.key_of(stamp.id)
    with kept.database.writing(PLATFORM) as session:
        session.add(stamp)
    assert batches.seal_due(kept) == 1
    sealed = next(one.store for one in places_of(kept) if one.name == place).read_first(stamp.key, 1 << 20)
    assert [found(kept, AuditKind.PAPERS, one) for one in PLACES] == [[], []]
    flip(s3, sealed, offset, bucket=bucket(kept, place))
    for one in PLACES:
        troubles = [(t.kind, t.place, t.subject) for t in found(kept, AuditKind.PAPERS, one)]
        assert troubles == ([(Kind.OBJECT_ALTERED, place, stamp.key)] if one == place else [])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("offset", [3, 700, -5])
def test_a_flipped_bit_of_a_segment_is_found_in_its_place(copied: Platform, s3: S3Server, place: str, offset: int) -> None:
    with copied.database.reading(PLATFORM) as session:
        row = session.exec(select(TreeSegment).where(TreeSegment.size == 5)).one()
    store = next(one.store for one in places_of(copied) if one.name == place)
    content = store.read_first(row.key, 1 << 20)
    assert found(copied, AuditKind.JOURNAL) == []
    flip(s3, content, offset, bucket=bucket(copied, place))
    (trouble,) = found(copied, AuditKind.JOURNAL)
    assert (trouble.kind, trouble.place, trouble.subject) == (Kind.OBJECT_ALTERED, place, row.key)
    assert trouble.facts["expected"] == row.sha256


_ROWS = {
    "entry": ("UPDATE journal_entry SET actor = 'person:x' WHERE number = 3", "journal_entry/number=3"),
    "place": ("UPDATE tree_leaf SET entry_number = 900 WHERE position = 6", "tree_leaf/position=6"),
    "node": (
        "UPDATE tree_node SET hash = :bytes WHERE level = 0 AND position = 4",
        "tree_node/algorithm=SHA-256 level=0 position=4",
    ),
    "inner": (
        "UPDATE tree_node SET hash = :bytes WHERE level = 2 AND position = 1",
        "tree_node/algorithm=SHA-256 level=2 position=1",
    ),
    "head": ("UPDATE tree_head SET root = :bytes WHERE size = 5", "tree_head/size=5"),
    "token": ("UPDATE tree_head SET token = :bytes WHERE size = 9", "tree_head/size=9"),
}


@pytest.mark.parametrize(("statement", "subject"), _ROWS.values(), ids=_ROWS)
def test_a_row_of_the_journal_or_its_proof_that_was_changed_is_named_by_an_incident_of_the_platform(
    copied: Platform, mairie: Organisation, statement: str, subject: str
) -> None:
    with tampering(copied.database) as connection:
        connection.execute(text(statement), {"bytes": bytes(32)} if ":bytes" in statement else {})
    assert (Kind.JOURNAL_FAULT, "", subject) in {(t.kind, t.place, t.subject) for t in found(copied, AuditKind.JOURNAL)}
    with copied.database.reading(PLATFORM) as session:
        named = {(one.organisation_id, one.kind, one.subject) for one in session.exec(select(Incident))}
    assert (mairie.parent_id, Kind.JOURNAL_FAULT.value, subject) in named


def test_a_hash_that_nobody_knows_is_told_and_keeps_no_audit_from_its_turn(
    copied: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = seal(copied, mairie, tmp_path)
    with tampering(copied.database) as connection:
        connection.execute(text("UPDATE record_digest SET algorithm = 'SHA-25v'"))
        connection.execute(text("UPDATE journal_entry SET actor = 'person:x' WHERE number = 1"))
    for _ in range(2):
        audits.go_on(copied)
    with copied.database.reading(PLATFORM) as session:
        told = {(one.kind, one.place, one.subject) for one in session.exec(select(Incident))}
    assert told == {
        ("facts.differ", "", f"record_digest/{record.id}/SHA-25v"),
        ("journal.fault", "", "journal_entry/number=1"),
    }


def test_an_audit_that_fails_is_told_once_the_others_had_their_turn(copied: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a row that nobody expected")

    monkeypatch.setattr(existence, "look", broken)
    with pytest.raises(ExceptionGroup) as raised:
        audits.go_on(copied)
    assert [error.__notes__ for error in raised.value.exceptions] == [[f"audit of existence {place}"] for place in PLACES]
    with copied.database.reading(PLATFORM) as session:
        assert {run.kind for run in session.exec(select(AuditRun)) if run.looked} == {"journal"}


def test_what_the_database_names_and_no_place_has_is_missing_in_each(
    kept: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = seal(kept, mairie, tmp_path)
    now, today = clock.now(), clock.now().date()
    owned: dict[str, Any] = {"organisation_id": mairie.id}
    statements.keep(kept, "hold", "01JHOLD1", b"{}")
    made = [
        EvidenceStamp(id="01JSTAMP1", algorithm="SHA-256", token=b"", stamped=now, expires=now, key="", locked_until=now),
        EvidenceStamp(id="01JSTAMP2", algorithm="SHA-256", token=b"", stamped=now, expires=now, key=""),
        *(
            RecordHold(**owned, id=f"01JHOLD{rank}", reason="r", owner="o", statement="", review=today, placed_by="person:p")
            for rank in range(3)
        ),
        RuleVersion(
            **owned, id="01JRULE1", category="appraisal", code="R", version=1, label="l", years=1, ends="exact",
            final_action="Keep", source="s", since=today, created_by="person:p",
        ),
        Elimination(**owned, id="01JELIM1", state="visa", as_of=today, kept=0, made_by="person:p"),
        *(
            RecordCorrection(
                **owned, record_id=record.id, state="applied", before={}, after={}, reason="r", proposed_by="person:p",
                statement=name,
            )
            for name in ("01JCORR1", None)
        ),
    ]  # fmt: skip
    with kept.database.writing(PLATFORM) as session:
        session.add_all(made)
        told = [
            (DECIDED, {"elimination": "01JELIM1", "statement": "01JVISA1"}),
            (LIFTED, {"hold": "01JHOLD1", "statement": "01JLIFT1"}),
            (LIFTED, {"hold": "01JHOLD2"}),  # lifted when nobody was asked why
        ]
        for kind, facts in told:
            journal.write(session, organisation_id=mairie.id, kind=kind, actor="person:p", facts=facts)
    missing = ["evidence/01JSTAMP1.zip"]
    named = ("correction/01JCORR1", "hold/01JHOLD0", "hold/01JHOLD2", "hold_lifted/01JLIFT1", "rule/01JRULE1", "visa/01JVISA1")
    missing += [f"statements/{name}.json" for name in named]
    for place in PLACES:
        assert [(t.kind, t.subject) for t in found(kept, AuditKind.PAPERS, place)] == [
            (Kind.OBJECT_MISSING, key) for key in missing
        ]
        cursor: str | None = ""
        one_by_one = []
        while cursor is not None:
            look = papers.look(kept, place, now, cursor, Budget(1, 1))
            one_by_one += [trouble.subject for trouble in look.troubles]
            cursor = look.cursor
        assert one_by_one == missing
