"""Timestamps over evidence that a restored backup does not know are taken up from the places, and contradicted by no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from archive.models import EvidenceRenewal, EvidenceStamp, Record, RecordEvidence
from archive.places.places import places_of
from archive.proof import marks
from archive.proof.ers import batches, stamping
from archive.proof.ers.records import evidence_record
from archive.proof.ers.verification import verify_evidence_record
from archive.proof.evidence import TOKEN
from archive.proof.resealing import reseal
from archive.proof.verification import EvidenceVerdict
from archive.rebuilding import evidence, tail
from core import clock
from core.errors import Conflict, NeedsOperator
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.journals import quiet
from tests.kept_records import seal
from tests.rebuilt import copied, rebuilt
from tests.restored import caught_up, proven, restored, without

MARGIN = timedelta(days=60)


def _age(platform: Platform) -> None:
    """Let the tokens that stand be old, and their certificates near their end."""
    with platform.database.writing(PLATFORM) as session:
        for row in session.exec(select(EvidenceStamp)):
            row.stamped, row.expires = clock.now() - timedelta(days=300), clock.now() + timedelta(days=20)


def _proof(platform: Platform, record: Record, folder: Path, trust: TrustStore) -> tuple[bytes | None, EvidenceVerdict | None]:
    """The evidence record of a record, and whether it proves its package."""
    with platform.database.reading(PLATFORM) as session:
        der = evidence_record(session, record.id)
    if der is None:
        return None, None
    package = (folder / f"{record.id}.zip").read_bytes()
    verdict = verify_evidence_record(der, lambda name: [hashlib.new(name, package).digest()], trust=trust, at=clock.now()).verdict
    return der, verdict


def _told(platform: Platform) -> list[dict[str, Any]]:
    with platform.database.reading(PLATFORM) as session:
        every = session.exec(select(JournalEntry).order_by(JournalEntry.number))  # type: ignore[arg-type]
        return [dict(entry.facts) for entry in every if entry.kind == stamping.STAMPED]


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
@pytest.mark.parametrize("behind", [True, False], ids=["behind", "level"])
def test_a_renewal_that_no_journal_tells_of_any_more_is_taken_up_and_told_anew(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, behind: bool
) -> None:
    old = seal(kept, mairie, tmp_path)
    stamping.begin(kept, stamps)
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        new = seal(kept, mairie, tmp_path) if behind else None
        if behind:
            copied(kept, stamps)
        _age(kept)
        assert (stamping.begin(kept, stamps), stamping.renew(kept, stamps, MARGIN)) == (int(behind), 1)
        _age(kept)
        assert stamping.renew(kept, stamps, MARGIN) == 1 + behind

        done = caught_up(backup)

        trust = stamps._trust
        for record in filter(None, (old, new)):
            before = _proof(kept, record, tmp_path, trust)
            assert before[1] is EvidenceVerdict.VALID
            assert _proof(backup, record, tmp_path, trust) == before
        lost = _told(kept)[1:]
        assert (done.evidence_anew, done.evidence_lost) == (len(lost), 0)
        assert _told(backup)[1:] == lost
        with backup.database.reading(PLATFORM) as session:  # their locks are extended like those of all
            assert all(one.copies.keys() == {"principal", "second"} for one in session.exec(select(EvidenceStamp)))
        after = without(proven(backup), "TreeLeaf", "TreeNode")  # where what was told takes its place
        assert caught_up(backup).evidence_anew == (len(lost) if behind else 0)
        assert without(proven(backup), "TreeLeaf", "TreeNode") == after


@on_one_shape
def test_a_rebuilding_takes_them_up_as_well(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    record = seal(kept, mairie, tmp_path)
    stamping.begin(kept, stamps)
    copied(kept, stamps)
    _age(kept)
    stamping.renew(kept, stamps, MARGIN)
    assert (rebuilt(dropped).evidence_anew, rebuilt(dropped).evidence_anew) == (1, 1)
    proofs = [_proof(one, record, tmp_path, stamps._trust) for one in (kept, dropped)]
    assert proofs[0] == proofs[1]


@on_one_shape
def test_what_the_tables_have_is_not_written_over(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    stamping.begin(kept, stamps)
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        for one in (kept, backup):
            _age(one)
            stamping.renew(one, stamps, MARGIN)
        (told,) = (entry for entry in _entries(kept) if entry.facts["renewed"])
        before = _renewals(backup)
        assert (evidence.adopt(backup), _renewals(backup)) == (0, before)
        evidence.restore(backup, told)  # of two, the later one counts, in whichever order they come
        assert _renewals(backup) == before


def _entries(platform: Platform) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).where(JournalEntry.kind == stamping.STAMPED)))


def _renewals(platform: Platform) -> dict[str, str]:
    with platform.database.reading(PLATFORM) as session:
        return {one.stamp_id: one.by_id for one in session.exec(select(EvidenceRenewal))}


Change = Callable[[dict[str, bytes]], None]


def _lines(name: str, **changes: object) -> Change:
    def change(members: dict[str, bytes]) -> None:
        said = [json.loads(line) | changes for line in members[name].splitlines()]
        members[name] = b"".join(json.dumps(one).encode() + b"\n" for one in said)

    return change


def _batch(**changes: object) -> Change:
    def change(members: dict[str, bytes]) -> None:
        members["batch.json"] = json.dumps(json.loads(members["batch.json"]) | changes).encode()

    return change


def _token(members: dict[str, bytes]) -> None:
    members[TOKEN] = bytes([*members[TOKEN][:-1], members[TOKEN][-1] ^ 1])


@on_one_shape
def test_what_anybody_may_have_put_into_a_place_proves_nothing(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, authority: Callable[[str], TsaSimulator]
) -> None:
    record = seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with restored(kept, tmp_path) as backup:
        stamping.begin(kept, stamps)
        (stamp,) = _told(kept)
        path = tmp_path / "batch.zip"
        places_of(kept)[0].store.fetch_first(batches.key_of(stamp["stamp"]), path)
        whole = dict(evidence._members(path) or {})
        trusts = {name: TrustStore.of([authority(name).anchor]) for name in ("tsa", "other")}
        assert evidence._proves(backup, stamp["stamp"], whole, trusts["tsa"])
        assert not evidence._proves(backup, stamp["stamp"], whole, trusts["other"])
        other = "0" * 64
        wrong: list[Change] = [
            _batch(id="0" * 26),
            _batch(format="else"),
            _batch(hash="MD5"),
            _lines("records.jsonl", hashes=[other]),
            _lines("records.jsonl", way=[[other]]),
            _lines("records.jsonl", way=7),
            _token,
            lambda members: members.update({"batch.json": b"[]"}),
            lambda members: members.update({"records.jsonl": b""}),
        ]
        for change in wrong:
            members = dict(whole)
            change(members)
            for believed in (trusts["tsa"], None):  # whoever believes nobody in particular still reads what is signed
                assert not evidence._proves(backup, stamp["stamp"], members, believed), change
        with backup.database.writing(PLATFORM) as session:  # a chain over another package is none of this record's
            session.get_one(Record, record.id).sha256 = other
        assert evidence.adopt(backup) == 0
        with backup.database.reading(PLATFORM) as session:
            assert list(session.exec(select(RecordEvidence))) == []
        (tmp_path / "trust").mkdir()
        (tmp_path / "trust" / "other.pem").write_bytes(authority("other").anchor.public_bytes(Encoding.PEM))
        distrusting = kept.settings.model_copy(update={"trust_dir": tmp_path / "trust"})
        with backup.database.writing(PLATFORM) as session:
            session.get_one(Record, record.id).sha256 = record.sha256
        assert evidence.adopt(replace(backup, settings=distrusting)) == 0
        assert evidence.adopt(backup) == 1


@on_one_shape
def test_nothing_is_stamped_until_the_catching_up_has_its_end(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    tail.mark(kept, 1, 1)
    for stamp in (
        lambda: stamping.begin(kept, stamps),
        lambda: stamping.stamp_waiting(kept, stamps),
        lambda: stamping.renew(kept, stamps, MARGIN),
        lambda: reseal(kept, "SHA-512", stamps, quiet),
    ):
        with pytest.raises(NeedsOperator, match="terme"):
            stamp()
    with kept.database.writing(PLATFORM) as session:
        assert len(marks.unfinished(session)) == 1
        tail.end(session)
    assert stamping.begin(kept, stamps) == 1


@on_one_shape
def test_a_backup_on_which_the_platform_stamped_by_itself_is_refused_and_one_that_was_stamped_before_is_not(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with restored(kept, tmp_path) as early:
        stamping.begin(kept, stamps)
        with restored(kept, tmp_path / "late") as late:
            copied(kept, stamps)
            assert caught_up(late).evidence_lost == 0
        stamping.begin(early, stamps)
        before = proven(early)
        with pytest.raises(Conflict, match="horodaté des preuves"):
            caught_up(early)
        assert proven(early) == before
