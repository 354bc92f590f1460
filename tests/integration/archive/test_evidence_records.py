"""Evidence records (RFC 4998): many records under one token, renewed in time, and believed by a verifier that is not ours."""

from __future__ import annotations

import hashlib
import random
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from archive.kinds.pes import pes_package
from archive.models import EvidenceRenewal, EvidenceStamp, Record, RecordEvidence
from archive.package import Package, PackageFile
from archive.places.places import places_of
from archive.proof.ers import batches, hashtree, stamping
from archive.proof.ers.records import evidence_record
from archive.proof.ers.verification import verify_evidence_record
from archive.proof.resealing import reseal
from archive.proof.verification import EvidenceVerdict
from core import clock
from core.errors import UnreadableInput
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.pki import TestAuthority
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.timestamp.token import Timestamp
from signing.trust import TrustStore
from tests.archive_samples import RECORD
from tests.conftest import on_one_shape
from tests.journals import cut, quiet, sealed
from tests.pades_documents import stamping as stamping_by

HASHES = {"608648016503040201": "sha256", "608648016503040202": "sha384", "608648016503040203": "sha512"}


@dataclass
class Kept:
    """Records with their objects: the package and the files in it."""

    platform: Platform
    objects: dict[str, list[bytes]]

    def ers(self, record: str) -> bytes:
        with self.platform.database.reading(PLATFORM) as session:
            found = evidence_record(session, record)
        assert found is not None
        return found

    def verdict(
        self, record: str, trust: TrustStore | None, der: bytes | None = None, *, at: datetime | None = None
    ) -> EvidenceVerdict:
        def digests(name: str) -> list[bytes]:
            return [hashlib.new(name, data).digest() for data in self.objects[record]]

        return verify_evidence_record(der or self.ers(record), digests, trust=trust, at=at or clock.now()).verdict


@pytest.fixture
def trust(authority: Callable[[str], TsaSimulator]) -> TrustStore:
    return TrustStore.of([authority("tsa").anchor])


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator], trust: TrustStore) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls=[authority("tsa").url]), trust)


@pytest.fixture
def ca(authority: Callable[[str], TsaSimulator], tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(authority("tsa").anchor.public_bytes(Encoding.PEM))
    return tmp_path / "ca.pem"


@pytest.fixture
def kept(platform: Platform, mairie: Organisation, files: list[PackageFile], tmp_path: Path) -> Kept:
    found = Kept(platform, {})
    for rank in range(5):
        package: Package = pes_package(tmp_path / f"{rank}.zip", replace(RECORD, nom_fic=f"PES-{rank}"), files)
        with zipfile.ZipFile(package.path) as zipped:
            inside = [zipped.read(name) for name in zipped.namelist() if name.startswith("content/")]
        found.objects[sealed(platform, mairie, package)] = [package.path.read_bytes(), *inside]
    return found


def tlv(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """The elements of DER contents: tag, contents, the whole."""
    found, position = [], 0
    while position < len(data):
        start, tag, length = position, data[position], data[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        found.append((tag, data[position : position + length], data[start : position + length]))
        position += length
    return found


def independent(der: bytes, objects: Sequence[bytes], ca: Path) -> int:
    """RFC 4998, read and verified with hashlib and openssl alone; how many timestamps there were, or an assertion."""
    ((_, record, whole),) = tlv(der)
    assert whole == der
    version, _algorithms, sequence = tlv(record)
    assert version[:2] == (0x02, b"\x01")
    count = 0
    chains = tlv(sequence[1])
    for rank, (_, chain, _) in enumerate(chains):
        before = b"".join(one for _, _, one in chains[:rank])
        token = b""
        name = ""
        for _, stamp, _ in tlv(chain):
            fields = {tag: (contents, one) for tag, contents, one in tlv(stamp)}
            oid = tlv(fields[0xA0][0])[0][1].hex()
            assert name in {"", HASHES[oid]}
            name = HASHES[oid]

            def h(data: bytes, name: str = name) -> bytes:
                return hashlib.new(name, data).digest()

            values = [h(token)] if token else [h(data) for data in objects]
            if rank and not token:
                head = len(before).to_bytes((len(before).bit_length() + 7) // 8, "big")
                size = bytes([len(before)]) if len(before) < 128 else bytes([0x80 | len(head)]) + head
                values = [h(value + h(b"\x30" + size + before)) for value in values]
            lists = [[leaf for _, leaf, _ in tlv(partial)] for _, partial, _ in tlv(fields.get(0xA2, (b"", b""))[0])]
            root = values[0]
            if lists:
                assert all(value in lists[0] for value in values), "the data are not in the first list"
                assert lists[0] == sorted(lists[0])
                root = h(b"".join(lists[0]))
                for partial in lists[1:]:
                    root = h(b"".join(sorted([*partial, root])))
            token = fields[0x30][1]
            (ca.parent / "token.der").write_bytes(token)
            command = ["openssl", "ts", "-verify", "-digest", root.hex(), "-in", str(ca.parent / "token.der"), "-token_in"]
            subprocess.run([*command, "-CAfile", str(ca)], check=True, capture_output=True)
            count += 1
    return count


def aged(platform: Platform) -> None:
    """Let the tokens that stand be old, and their certificates near their end."""
    with platform.database.writing(PLATFORM) as session:
        for row in session.exec(select(EvidenceStamp)).all():
            row.stamped, row.expires = clock.now() - timedelta(days=300), clock.now() + timedelta(days=20)
            session.add(row)


def stamped(platform: Platform) -> list[EvidenceStamp]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(EvidenceStamp).order_by(EvidenceStamp.id)))


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_one_token_proves_every_file_of_many_records_and_no_other(
    kept: Kept, stamps: TimestampClient, trust: TrustStore, ca: Path
) -> None:
    assert stamping.begin(kept.platform, stamps) == 5
    assert stamping.begin(kept.platform, stamps) == 0
    (stamp,) = stamped(kept.platform)
    assert stamp.expires > clock.now()
    for record, objects in kept.objects.items():
        assert kept.verdict(record, trust) is EvidenceVerdict.VALID
        assert kept.verdict(record, None) is EvidenceVerdict.INDETERMINATE
        assert independent(kept.ers(record), objects, ca) == 1
    first, second, *_ = kept.objects
    assert kept.verdict(second, trust, kept.ers(first)) is EvidenceVerdict.INVALID
    with pytest.raises(AssertionError, match="first list"):
        independent(kept.ers(first), kept.objects[second], ca)


@on_one_shape
def test_the_batch_stands_under_lock_and_its_entry_in_the_journal_says_so(kept: Kept, stamps: TimestampClient) -> None:
    some = list(kept.objects)[:2]
    assert stamping.begin(kept.platform, stamps, some) == 2
    (stamp,) = stamped(kept.platform)
    (place,) = places_of(kept.platform)
    assert stamp.locked_until == place.store.lock_of(stamp.key, stamp.copies["principal"]).until
    assert place.store.standing(stamp.key, stamp.copies["principal"]).sha256 == stamp.sha256
    assert batches.seal_due(kept.platform) == 0
    with kept.platform.database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(JournalEntry.kind == stamping.STAMPED)).all()
    assert (entry.facts["stamp"], entry.facts["records"], entry.facts["renewed"]) == (stamp.id, 2, 0)
    with kept.platform.database.reading(PLATFORM) as session:
        assert evidence_record(session, list(kept.objects)[2]) is None


@on_one_shape
def test_a_token_is_renewed_once_for_all_the_records_that_stand_on_it(
    kept: Kept, stamps: TimestampClient, trust: TrustStore, ca: Path
) -> None:
    ids = list(kept.objects)
    stamping.begin(kept.platform, stamps, ids[:3])
    stamping.begin(kept.platform, stamps, ids[3:])
    margin = timedelta(days=60)
    assert stamping.renew(kept.platform, stamps, margin) == 0
    aged(kept.platform)
    assert (stamping.renew(kept.platform, stamps, margin), stamping.renew(kept.platform, stamps, margin)) == (2, 0)
    assert len(stamped(kept.platform)) == 3
    with kept.platform.database.reading(PLATFORM) as session:
        assert len({row.by_id for row in session.exec(select(EvidenceRenewal))}) == 1
    aged(kept.platform)
    assert stamping.renew(kept.platform, stamps, margin) == 1
    for record, objects in kept.objects.items():
        assert kept.verdict(record, trust) is EvidenceVerdict.VALID
        assert independent(kept.ers(record), objects, ca) == 3


@on_one_shape
def test_a_renewal_by_another_authority_saves_what_the_first_one_stamped_before_it_lost_its_key(
    kept: Kept, stamps: TimestampClient, trust: TrustStore, tmp_path: Path
) -> None:
    record, *_ = kept.objects
    with stamping_by(tmp_path / "lost") as (lost, client):
        stamping.begin(kept.platform, client, [record])
    after, number = clock.now() + timedelta(hours=1), lost._credential.certificate.serial_number
    gone = TestAuthority.open(tmp_path / "lost").revocations({number: after}, at=after)
    both = TrustStore.of([*trust.anchors, lost.anchor], [gone])
    assert kept.verdict(record, both) is EvidenceVerdict.VALID  # the key is not lost yet
    assert kept.verdict(record, both, at=after + timedelta(days=1)) is EvidenceVerdict.INVALID
    aged(kept.platform)
    assert stamping.renew(kept.platform, stamps, timedelta(days=60)) == 1
    assert kept.verdict(record, both, at=after + timedelta(days=1)) is EvidenceVerdict.VALID


@on_one_shape
def test_another_hash_begins_another_chain_over_the_files_and_all_that_came_before(
    kept: Kept, mairie: Organisation, stamps: TimestampClient, trust: TrustStore, ca: Path
) -> None:
    stamping.begin(kept.platform, stamps)
    aged(kept.platform)
    stamping.renew(kept.platform, stamps, timedelta(days=60))
    cut(kept.platform, mairie.id, 1, stamps)
    *most, last = kept.objects
    with kept.platform.database.writing(PLATFORM) as session:
        late = session.get_one(Record, last)
        late.eliminated = clock.now()  # so that it stays in its first chain
        session.add(late)
    assert reseal(kept.platform, "SHA-512", stamps, quiet).faults == {}
    # The old tokens are renewed once more, for the record that still stands on them, and the others take no notice.
    aged(kept.platform)
    assert stamping.renew(kept.platform, stamps, timedelta(days=60)) == 2
    for record in most:
        assert kept.verdict(record, trust) is EvidenceVerdict.VALID
        assert independent(kept.ers(record), kept.objects[record], ca) == 4
    assert kept.verdict(last, trust) is EvidenceVerdict.VALID
    assert independent(kept.ers(last), kept.objects[last], ca) == 3


@on_one_shape
def test_no_flipped_bit_of_an_evidence_record_passes(kept: Kept, stamps: TimestampClient, trust: TrustStore) -> None:
    record = next(iter(kept.objects))
    stamping.begin(kept.platform, stamps)
    der = kept.ers(record)
    draws = random.Random(5)
    # What a CMS does not sign of itself proves nothing; every octet around the token does.
    (stamp,) = stamped(kept.platform)
    around = der.index(stamp.token)
    for _ in range(100):
        altered = bytearray(der)
        bit = draws.randrange(8 * around)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            assert kept.verdict(record, trust, bytes(altered)) is not EvidenceVerdict.VALID, bit
        except UnreadableInput:
            continue
    assert der.endswith(stamp.token)
    for length in range(0, len(der), 211):
        with pytest.raises(UnreadableInput):
            kept.verdict(record, trust, der[:length] or b"\0")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("objects", [1, 2, 3])
def test_every_group_has_a_way_to_the_root(count: int, objects: int) -> None:
    groups = [[hashlib.sha256(f"{rank} {one}".encode()).digest() for one in range(objects)] for rank in range(count)]
    root, found = hashtree.ways(groups, "SHA-256")
    assert [hashtree.root_of(group, way, "SHA-256") for group, way in zip(groups, found, strict=True)] == [root] * count
    assert hashtree.root_of([*groups[0], bytes(32)], found[0], "SHA-256") is None
    for empty in ([], [[]]):
        with pytest.raises(ValueError, match="hash tree"):
            hashtree.ways(empty, "SHA-256")


class Slow:
    """An authority that answers once something else has happened."""

    def __init__(self, stamps: TimestampClient, meanwhile: Callable[[], object]) -> None:
        self._stamps, self._meanwhile = stamps, meanwhile

    def stamp(self, digest: bytes, hash_name: str = "sha256") -> Timestamp:
        self._meanwhile()
        return self._stamps.stamp(digest, hash_name)


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_of_two_runs_at_once_the_second_takes_what_the_first_one_left(
    kept: Kept, stamps: TimestampClient, trust: TrustStore
) -> None:
    quick = sorted(kept.objects)[1:3]
    stamping.begin(kept.platform, Slow(stamps, lambda: stamping.stamp_waiting(kept.platform, stamps, quick)))
    with kept.platform.database.reading(PLATFORM) as session:
        chains = {row.record_id: row.stamp_id for row in session.exec(select(RecordEvidence))}
        told = session.exec(select(JournalEntry).where(JournalEntry.kind == stamping.STAMPED).order_by(JournalEntry.number))  # type: ignore[arg-type]
        counts = [(entry.facts["stamp"], entry.facts["records"]) for entry in told]
    assert [count for _, count in counts] == [2, 3]
    assert {record for record, stamp in chains.items() if stamp == counts[0][0]} == set(quick)
    assert all(kept.verdict(record, trust) is EvidenceVerdict.VALID for record in kept.objects)


@on_one_shape
def test_a_timestamp_that_nothing_would_stand_on_is_not_kept(kept: Kept, stamps: TimestampClient, trust: TrustStore) -> None:
    stamping.begin(kept.platform, Slow(stamps, lambda: stamping.stamp_waiting(kept.platform, stamps)))
    with kept.platform.database.reading(PLATFORM) as session:
        (stamp,) = session.exec(select(EvidenceStamp))
        assert {row.stamp_id for row in session.exec(select(RecordEvidence))} == {stamp.id}
    assert all(kept.verdict(record, trust) is EvidenceVerdict.VALID for record in kept.objects)
