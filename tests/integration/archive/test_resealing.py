"""When a hash weakens, what was sealed by it is sealed anew by a stronger one, and is then provable by that one alone."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from archive.models import Record, RecordDigest, RecordEvidence, TreeHash, TreeHead, TreeLeaf
from archive.package import Package
from archive.proof import checking, hashes, heads, tree
from archive.proof.ers import stamping
from archive.proof.evidence import BrokenChain
from archive.proof.head import Head
from archive.proof.proving import write_evidence
from archive.proof.resealing import CHANGED, RESEALED, Report, catch_up, reseal
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.blobs import ObjectAltered
from core.errors import UsageError
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp import simulator
from signing.timestamp.client import AuthoritySettings, TimestampClient, request
from signing.timestamp.simulator import TsaSimulator
from signing.timestamp.token import Timestamp
from signing.timestamp.verifier import token_of
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.journals import cut, quiet, sealed, tampering, write_entries


@pytest.fixture
def tsa(authority: Callable[[str], TsaSimulator]) -> TsaSimulator:
    return authority("tsa")


@pytest.fixture
def trust(tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([tsa.anchor])


@pytest.fixture
def stamps(tsa: TsaSimulator, trust: TrustStore) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), trust)


def entries(platform: Platform, kind: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).where(JournalEntry.kind == kind).order_by(JournalEntry.number)))  # type: ignore[arg-type]


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("a broken hash was asked")


class Weak:
    """An authority of the time of SHA-1, whose tokens nobody verifies any more."""

    def __init__(self, tsa: TsaSimulator) -> None:
        self._tsa = tsa

    def stamp(self, digest: bytes, hash_name: str = "sha256") -> Timestamp:
        return Timestamp.read(token_of(self._tsa.answer(request(digest, nonce=7, hash_name=hash_name))))


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_what_was_sealed_under_sha1_is_provable_by_sha256_alone(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    tsa: TsaSimulator,
    stamps: TimestampClient,
    trust: TrustStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A platform that began when SHA-1 was good: its tree, its heads, their tokens, the digests of its records.
    monkeypatch.setitem(hashes.HASHES, "SHA-1", hashlib.sha1)
    monkeypatch.setitem(simulator._LENGTHS, "sha1", 20)
    with platform.database.writing(PLATFORM) as session:
        session.add(TreeHash(algorithm="SHA-1", entry_id="0" * 26))
    write_entries(platform, mairie.id, 3)
    record = sealed(platform, mairie, package, algorithm="SHA-1")
    old = heads.cut(platform, Weak(tsa))
    assert old is not None and (old.size, len(old.root), Head.read(old.head).hash) == (4, 20, "SHA-1")
    write_entries(platform, mairie.id, 2)
    assert heads.cut(platform, Weak(tsa)) is not None

    report = reseal(platform, "SHA-256", stamps, quiet)
    assert (report.resealed, report.faults) == (1, {})
    (resealed,), (changed,) = entries(platform, RESEALED), entries(platform, CHANGED)
    old_value = hashlib.sha1(package.path.read_bytes()).hexdigest()
    assert resealed.facts == {
        "record": record,
        "to": "SHA-256",
        "package_sha1": old_value,
        "package_sha256": package.sha256,
        "head_size": 6,
        "head_root": resealed.facts["head_root"],
        "head_hash": "SHA-1",
    }
    assert (changed.facts["from"], changed.facts["to"], changed.facts["heads"]) == ("SHA-1", "SHA-256", 2)

    # SHA-1 is broken: nothing of what follows asks it.
    monkeypatch.delitem(hashes.HASHES, "SHA-1")
    monkeypatch.setattr(hashlib, "sha1", forbidden)
    write_evidence(platform, PLATFORM, record, tmp_path / "evidence.zip")
    verdict = verify_evidence(tmp_path / "evidence.zip", trust=trust)
    assert verdict.verdict is EvidenceVerdict.VALID
    assert verdict.facts["package_sha256"] == package.sha256
    with zipfile.ZipFile(tmp_path / "evidence.zip") as zipped:
        assert json.loads(zipped.read("leaf.json"))["facts"]["package_sha1"] == old_value
        head = Head.read(zipped.read("head.json"))
    assert head.hash == "SHA-256"
    with platform.database.reading(PLATFORM) as session:
        store = heads.TableStore(session.connection(), "SHA-256")
        # Every entry of the old time is in the new tree at its place, that of the first sealing too.
        for position, entry in enumerate(heads.entries_at(session.connection(), 0, head.size)):
            path = tree.inclusion_path(store, position, head.size)
            assert tree.verify_inclusion(tree.leaf_hash(entry.leaf()), position, head.size, path, head.root)
        # And so are the old heads with their tokens, by the entry that the new head covers.
        old_heads = session.exec(select(TreeHead).where(TreeHead.size <= 6).order_by(TreeHead.size)).all()  # type: ignore[arg-type]
    first, second = (hashlib.sha256(b"\0" + row.head + row.token).digest() for row in old_heads)
    assert changed.facts["heads_root"] == hashlib.sha256(b"\1" + first + second).hexdigest()


@on_one_shape
def test_the_way_from_sha256_to_sha512_keeps_both_proofs_and_can_be_gone_again(
    platform: Platform, mairie: Organisation, package: Package, stamps: TimestampClient, trust: TrustStore, tmp_path: Path
) -> None:
    records = [sealed(platform, mairie, package) for _ in range(3)]
    assert cut(platform, mairie.id, 2, stamps) == 5
    told: list[tuple[int, int]] = []
    report = reseal(platform, "SHA-512", stamps, lambda done, total: told.append((done, total)))
    assert (report.resealed, told) == (3, [(1, 3), (2, 3), (3, 3)])
    assert report.head == 11
    for algorithm, form in (("SHA-256", 1), ("SHA-512", 2), (None, 2)):
        write_evidence(platform, PLATFORM, records[1], tmp_path / "e.zip", algorithm)
        found = verify_evidence(tmp_path / "e.zip", trust=trust)
        assert found.verdict is EvidenceVerdict.VALID, algorithm
        with zipfile.ZipFile(tmp_path / "e.zip") as zipped:
            proof = json.loads(zipped.read("proof.json"))
        assert proof["format"] == f"tabellion-proof/{form}"
        assert (proof["hash"], proof.get("package_hash")) == (algorithm or "SHA-512", None if form == 1 else "SHA-512")
    # Entries written since are in the new tree, under heads made with it, and the whole is sound.
    assert cut(platform, mairie.id, 4, stamps) == 15
    later = sealed(platform, mairie, package)
    again = reseal(platform, "SHA-512", stamps, quiet)
    assert (again.resealed, len(entries(platform, RESEALED)), len(entries(platform, CHANGED))) == (1, 4, 1)
    write_evidence(platform, PLATFORM, later, tmp_path / "e.zip")
    assert verify_evidence(tmp_path / "e.zip", trust=trust).verdict is EvidenceVerdict.VALID
    assert list(checking.faults(platform)) == []
    with platform.database.reading(PLATFORM) as session:
        hashes_of_heads = [Head.read(row.head).hash for row in session.exec(select(TreeHead).order_by(TreeHead.size))]  # type: ignore[arg-type]
        assert heads.tree_size(session.connection(), "SHA-256") == 5
        assert heads.tree_size(session.connection(), "SHA-512") == len(session.exec(select(TreeLeaf)).all())
    assert hashes_of_heads == ["SHA-256", "SHA-512", "SHA-512", "SHA-512"]


@on_one_shape
def test_a_run_that_was_ended_goes_on_where_it_stood(
    platform: Platform, mairie: Organisation, package: Package, stamps: TimestampClient
) -> None:
    for _ in range(3):
        sealed(platform, mairie, package)
    cut(platform, mairie.id, 1, stamps)

    def killed(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reseal(platform, "SHA-384", stamps, killed)
    assert reseal(platform, "SHA-384", stamps, quiet).resealed == 1
    assert len(entries(platform, RESEALED)) == 3


@on_one_shape
def test_what_is_no_longer_what_was_sealed_is_told_and_not_sealed_anew(
    platform: Platform, mairie: Organisation, package: Package, stamps: TimestampClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, lost, wrong = (sealed(platform, mairie, package) for _ in range(3))
    cut(platform, mairie.id, 1, stamps)
    with platform.database.writing(PLATFORM) as session:
        row = session.get(RecordDigest, (wrong, "SHA-256"))
        assert row is not None
        row.value = "0" * 64
        lost_key = session.get_one(Record, lost).key
    fetch = type(platform.objects).fetch_sealed

    def altered(self: Any, found: Any, target: Path) -> None:
        if found.key == lost_key:
            raise ObjectAltered("altered")
        fetch(self, found, target)

    monkeypatch.setattr(type(platform.objects), "fetch_sealed", altered)
    report = reseal(platform, "SHA-512", stamps, quiet)
    assert (report.resealed, set(report.faults)) == (1, {lost, wrong})
    assert [entry.facts["record"] for entry in entries(platform, RESEALED)] == [sound]


@on_one_shape
def test_a_journal_that_was_altered_is_not_made_anew(platform: Platform, mairie: Organisation, stamps: TimestampClient) -> None:
    cut(platform, mairie.id, 5, stamps)
    with tampering(platform.database) as connection:
        connection.execute(text("UPDATE journal_entry SET actor = 'person:x' WHERE number = 2"))
    with pytest.raises(BrokenChain, match="place 0"):
        reseal(platform, "SHA-512", stamps, quiet)
    with platform.database.reading(PLATFORM) as session:
        assert heads.algorithm_in_force(session.connection()) == "SHA-256"
        assert heads.tree_size(session.connection(), "SHA-512") == 0
    with pytest.raises(UsageError, match="MD5"):
        reseal(platform, "MD5", stamps, quiet)
    assert Report("SHA-512").faults == {}


@on_one_shape
def test_no_record_is_left_with_evidence_of_the_old_hash_alone(
    platform: Platform, mairie: Organisation, package: Package, stamps: TimestampClient
) -> None:
    def chains(record: str) -> list[str]:
        with platform.database.reading(PLATFORM) as session:
            of_record = select(RecordEvidence).where(RecordEvidence.record_id == record).order_by(RecordEvidence.chain)  # type: ignore[arg-type]
            return [row.algorithm for row in session.exec(of_record) if row.stamp_id]

    fresh = sealed(platform, mairie, package)
    reseal(platform, "SHA-512", stamps, quiet)
    assert chains(fresh) == ["SHA-256", "SHA-512"]
    # One whose digest was taken before its first chain began, as an earlier version did.
    later = sealed(platform, mairie, package)
    assert catch_up(platform).resealed == 1
    stamping.begin(platform, stamps)
    assert chains(later) == ["SHA-256"]
    assert [catch_up(platform).resealed for _ in range(2)] == [1, 0]
    stamping.stamp_waiting(platform, stamps)
    assert chains(later) == ["SHA-256", "SHA-512"]
    assert len(entries(platform, RESEALED)) == 2
