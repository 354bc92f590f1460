"""What is said of a timestamping authority while it stamps is brought once a day, kept under lock, and goes with every proof."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlmodel import col, select

from archive.finding.proofs import evidence_record_of, outgrown
from archive.models import EvidenceStamp, TreeHead
from archive.package import Package
from archive.places import statements
from archive.places.places import places_of
from archive.proof import authorities, heads, told
from archive.proof.authorities import gather_due
from archive.proof.ers import stamping, syntax
from archive.proof.ers.verification import verify_evidence_record
from archive.proof.proving import write_evidence
from archive.proof.told import Told, told_of
from archive.proof.verification import EvidenceReport, EvidenceVerdict, verify_evidence
from core import clock
from core.errors import Unavailable
from core.locked_objects import LockedObjects
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.cades.evidence import carried_values
from signing.pki import TestAuthority, certificate_builder, key_usage, name_of
from signing.revocation import Gathered, RevocationClient
from signing.timestamp import simulator
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.journals import cut
from tests.journals import sealed as sealed_in
from tests.kept_records import with_second_place


@dataclass
class Point:
    """A distribution point: what it gives, and how often it was asked."""

    url: str = ""
    data: bytes | None = None
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def point() -> Iterator[Point]:
    found = Point()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(200 if found.data else 404)
            self.send_header("Content-Length", str(len(found.data or b"")))
            self.end_headers()
            self.wfile.write(found.data or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{served.server_port}/tsa.crl"
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield found
    served.shutdown()
    served.server_close()


@pytest.fixture
def tsa(point: Point, tmp_path: Path) -> Iterator[TsaSimulator]:
    """An authority whose certificate names the distribution point."""
    issuer, key = TestAuthority.open(tmp_path / "tsa"), rsa.generate_private_key(65537, 3072)
    begin, end = issuer.certificate.not_valid_before_utc, issuer.certificate.not_valid_after_utc
    place = x509.DistributionPoint([x509.UniformResourceIdentifier(point.url)], None, None, None)
    certificate = (
        certificate_builder(name_of("DEMONSTRATION Horodatage"), issuer.certificate.subject, key, begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.CRLDistributionPoints([place]), critical=False)
        .sign(issuer.key, issuer.certificate.signature_hash_algorithm)
    )
    (tmp_path / "tsa" / "tsa.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "tsa" / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with TsaSimulator(tmp_path / "tsa") as started:
        yield started


@pytest.fixture
def settings_changes(tsa: TsaSimulator, tmp_path: Path) -> dict[str, object]:
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "anchor.pem").write_bytes(tsa.anchor.public_bytes(Encoding.PEM))
    return {"trust_dir": tmp_path / "trust"}


@pytest.fixture
def stamps(tsa: TsaSimulator) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture
def listing(point: Point, tmp_path: Path) -> bytes:
    """A list that revokes nobody, as the point gives it."""
    point.data = TestAuthority.open(tmp_path / "tsa").revocations({}).public_bytes(Encoding.DER)
    return point.data


def kept_of(platform: Platform) -> list[dict[str, object]]:
    return [json.loads(data) for kind, _, data in statements.read_all(platform) if kind == told.STATEMENT]


def proved(platform: Platform, record: str, target: Path, trust: TrustStore) -> tuple[EvidenceReport, dict[str, bytes]]:
    write_evidence(platform, PLATFORM, record, target)
    with zipfile.ZipFile(target) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    return verify_evidence(target, trust=trust), members


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Have it be another moment, for all but the store, which signs with the time of today."""
    for one in (authorities, heads, simulator):
        monkeypatch.setattr(one, "clock", SimpleNamespace(now=lambda: moment, iso=clock.iso, as_utc=clock.as_utc))
    return moment


def newest_token(platform: Platform) -> bytes:
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(TreeHead.token).order_by(col(TreeHead.size).desc())).first() or b""


def standing(platform: Platform) -> list[dict[str, bytes]]:
    """What each place has of these statements, by key."""
    listed = [{one.key for one in place.store.all_versions(prefix=told.FOLDER)} for place in places_of(platform)]
    return [
        {key: place.store.read_first(key, statements.LARGEST) for key in keys}
        for place, keys in zip(places_of(platform), listed, strict=True)
    ]


def silent(*_: object, **__: object) -> Any:
    raise Unavailable("silent")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What places were asked for, whichever they are."""
    asked: list[str] = []
    for name in ("all_versions", "read_first"):
        genuine = getattr(LockedObjects, name)

        def counted(store: LockedObjects, *of: Any, genuine: Any = genuine, name: str = name, **more: Any) -> Any:
            asked.append(name)
            return genuine(store, *of, **more)

        monkeypatch.setattr(LockedObjects, name, counted)
    return asked


def said_of(report: EvidenceReport) -> str:
    return next(check.message for check in report.checks if check.name == "authority")


@on_one_shape
def test_what_is_said_of_an_authority_is_kept_once_a_day_and_goes_with_the_proof(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    tsa: TsaSimulator,
    stamps: TimestampClient,
    listing: bytes,
    point: Point,
    tmp_path: Path,
) -> None:
    trust = TrustStore.of([tsa.anchor])
    record = sealed_in(platform, mairie, package)
    assert gather_due(platform) == 0  # nobody has stamped
    cut(platform, mairie.id, 1, stamps)
    report, members = proved(platform, record, tmp_path / "early.zip", trust)
    assert (report.verdict, "revocations/01.crl" in members) == (EvidenceVerdict.VALID, False)
    assert "ni liste de révocation" in said_of(report)
    assert (gather_due(platform), gather_due(platform), len(point.asked)) == (1, 0, 1)
    (said,) = kept_of(platform)
    assert len(said["certificates"]) == 2  # type: ignore[arg-type]
    report, members = proved(platform, record, tmp_path / "later.zip", trust)
    assert members["revocations/01.crl"] == listing
    assert report.verdict is EvidenceVerdict.VALID
    assert "ni liste de révocation" not in said_of(report)
    (command,) = re.findall(r"^    (.*revocations/.*)$", members["README.txt"].decode(), re.MULTILINE)
    with zipfile.ZipFile(tmp_path / "later.zip") as zipped:
        zipped.extractall(tmp_path / "by_hand")
    shown = subprocess.run(["bash", "-ec", command], check=True, capture_output=True, text=True, cwd=tmp_path / "by_hand")
    assert "No Revoked Certificates" in shown.stdout


@on_one_shape
def test_a_list_that_came_with_a_proof_is_believed_even_against_it(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    tsa: TsaSimulator,
    stamps: TimestampClient,
    point: Point,
    tmp_path: Path,
) -> None:
    record = sealed_in(platform, mairie, package)
    cut(platform, mairie.id, 1, stamps)
    number = tsa._credential.certificate.serial_number
    since = clock.now() - timedelta(days=1)
    point.data = TestAuthority.open(tmp_path / "tsa").revocations({number: since}).public_bytes(Encoding.DER)
    assert gather_due(platform) == 1
    report, _ = proved(platform, record, tmp_path / "e.zip", TrustStore.of([tsa.anchor]))
    assert report.verdict is EvidenceVerdict.INVALID


@on_one_shape
@pytest.mark.parametrize("data", [None, b"<html>", b"x" * (authorities.LARGEST + 1)])
def test_nothing_waits_for_an_authority_that_says_nothing(
    data: bytes | None,
    platform: Platform,
    mairie: Organisation,
    package: Package,
    tsa: TsaSimulator,
    stamps: TimestampClient,
    point: Point,
    tmp_path: Path,
) -> None:
    point.data = data
    record = sealed_in(platform, mairie, package)
    cut(platform, mairie.id, 1, stamps)
    assert (gather_due(platform), kept_of(platform)) == (0, [])
    assert proved(platform, record, tmp_path / "e.zip", TrustStore.of([tsa.anchor]))[0].verdict is EvidenceVerdict.VALID
    assert stamping.begin(platform, stamps) == 1


@on_one_shape
def test_an_authority_is_asked_for_evidence_records_too_and_again_on_each_day_on_which_it_stamps(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    stamps: TimestampClient,
    listing: bytes,
    point: Point,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sealed_in(platform, mairie, package)
    stamping.begin(platform, stamps)
    with platform.database.reading(PLATFORM) as session:
        token = session.exec(select(EvidenceStamp.token)).one()
    assert told_of(platform, token) == Told()
    assert gather_due(platform) == 1
    later = at(clock.now() + timedelta(days=2), monkeypatch)
    assert gather_due(platform) == 0  # it has not stamped since
    point.data = TestAuthority.open(tmp_path / "tsa").revocations({1: later}).public_bytes(Encoding.DER)
    cut(platform, mairie.id, 1, stamps)
    assert gather_due(platform) == 1
    assert [told_of(platform, one).lists for one in (token, newest_token(platform))] == [(listing,), (point.data,)]


@on_one_shape
def test_an_evidence_record_brings_along_what_was_said_of_its_authorities(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    tsa: TsaSimulator,
    stamps: TimestampClient,
    listing: bytes,
    tmp_path: Path,
) -> None:
    trust, data = TrustStore.of([tsa.anchor]), package.path.read_bytes()
    record = sealed_in(platform, mairie, package)
    stamping.begin(platform, stamps)
    before = evidence_record_of(platform, record)
    assert gather_due(platform) == 1
    after = evidence_record_of(platform, record)
    assert before is not None
    assert after is not None
    assert syntax.read(before) == syntax.read(after)
    assert listing in after

    def judged(der: bytes) -> EvidenceReport:
        return verify_evidence_record(der, lambda name: [hashlib.new(name, data).digest()], trust=trust, at=clock.now())

    for der, unknown in ((before, True), (after, False)):
        assert judged(der).verdict is EvidenceVerdict.VALID
        assert ("ni liste de révocation" in said_of(judged(der))) is unknown
    gone = TestAuthority.open(tmp_path / "tsa").revocations(
        {tsa._credential.certificate.serial_number: clock.now() - timedelta(days=1)}
    )
    spoiled = syntax.written(syntax.read(before), carried_values([], [gone.public_bytes(Encoding.DER)], []))
    assert judged(spoiled).verdict is EvidenceVerdict.INVALID
    # What cannot be read of it is as if it were not there.
    assert judged(syntax.written(syntax.read(before), {"1.2.840.113549.1.9.16.2.24": b"\x30\x03\x02\x01\x05"})).verdict is (
        EvidenceVerdict.VALID
    )


@on_one_shape
@pytest.mark.parametrize("settings_changes", [{"trust_dir": None}])
def test_without_trusted_authorities_nobody_is_asked(
    platform: Platform, mairie: Organisation, stamps: TimestampClient, point: Point
) -> None:
    cut(platform, mairie.id, 1, stamps)
    assert (gather_due(platform), point.asked) == (0, [])


@on_one_shape
@pytest.mark.usefixtures("listing")
def test_a_place_that_was_silent_is_brought_the_very_statement_that_another_has_and_nobody_is_asked_again(
    platform: Platform,
    s3: S3Server,
    mairie: Organisation,
    stamps: TimestampClient,
    point: Point,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = with_second_place(platform, s3)
    cut(platform, mairie.id, 1, stamps)
    with monkeypatch.context() as patch:
        patch.setattr(kept.further[0].store, "seal", silent)
        with pytest.raises(Unavailable):
            gather_due(kept)
        assert list(map(len, standing(kept))) == [1, 0]
        patch.setattr(kept.further[0].store, "all_versions", silent)
        with pytest.raises(Unavailable):
            gather_due(kept)
    at(clock.now() + timedelta(days=3), monkeypatch)  # the authority has not stamped since
    assert gather_due(kept) == 0
    first, second = standing(kept)
    assert (first == second, len(first), len(point.asked)) == (True, 1, 1)


@on_one_shape
@pytest.mark.usefixtures("listing")
@pytest.mark.parametrize("trouble", [Unavailable("silent"), ValueError("a certificate that cannot be read")])
def test_an_authority_that_fails_does_not_keep_the_others_from_being_asked(
    trouble: Exception,
    platform: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut(platform, mairie.id, 1, stamps)
    other = [TestAuthority.create("DEMONSTRATION Autre autorité").certificate] * 2
    genuine, gather = authorities._authorities, RevocationClient.gather

    def failing(client: RevocationClient, path: Any) -> Gathered:
        if path is other:
            raise trouble
        return gather(client, path)

    monkeypatch.setattr(authorities, "_authorities", lambda *of: [other, *genuine(*of)])
    monkeypatch.setattr(RevocationClient, "gather", failing)
    if isinstance(trouble, Unavailable):
        with pytest.raises(Unavailable):
            gather_due(platform)
    else:
        assert gather_due(platform) == 1
    assert len(kept_of(platform)) == 1


@on_one_shape
def test_what_stamped_after_the_statement_of_its_day_is_spoken_of_by_the_next(
    platform: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    listing: bytes,
    point: Point,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    morning = at((clock.now() + timedelta(days=1)).replace(hour=6), monkeypatch)
    cut(platform, mairie.id, 1, stamps)
    early = newest_token(platform)
    assert gather_due(platform) == 1
    at(morning + timedelta(hours=2), monkeypatch)
    cut(platform, mairie.id, 1, stamps)
    late = newest_token(platform)
    assert gather_due(platform) == 0
    assert [told_of(platform, one).lists for one in (early, late)] == [(listing,), ()]
    tomorrow = at(morning + timedelta(days=1), monkeypatch)
    point.data = TestAuthority.open(tmp_path / "tsa").revocations({1: tomorrow}).public_bytes(Encoding.DER)
    assert gather_due(platform) == 1
    assert [told_of(platform, one).lists for one in (early, late)] == [(listing,), (point.data,)]


@on_one_shape
def test_what_is_said_of_a_day_is_read_once_and_a_silent_place_waited_for_once(
    platform: Platform,
    s3: S3Server,
    mairie: Organisation,
    stamps: TimestampClient,
    listing: bytes,
    requests: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = with_second_place(platform, s3)
    cut(platform, mairie.id, 1, stamps)
    first = newest_token(platform)

    def costs(token: bytes) -> int:
        before = len(requests)
        told_of(kept, token)
        return len(requests) - before

    assert [costs(first) for _ in range(3)] == [2, 0, 0]  # one look into each place
    assert gather_due(kept) == 1
    assert [costs(first) for _ in range(3)] == [3, 0, 0]  # a look, and the statement
    at(clock.now() + timedelta(days=3), monkeypatch)
    cut(platform, mairie.id, 1, stamps)
    waited: list[str] = []
    monkeypatch.setattr(kept.objects, "all_versions", lambda *_, **__: waited.append("") or silent())
    later = newest_token(platform)
    assert [told_of(kept, one) for one in (later, later)] == [Told()] * 2
    at(clock.now() + timedelta(days=6), monkeypatch)
    cut(platform, mairie.id, 1, stamps)
    assert told_of(kept, newest_token(platform)) == Told()
    assert len(waited) == 1
    assert told_of(kept, first).lists == (listing,)  # it is remembered while the place that has it is silent


@on_one_shape
def test_no_more_is_remembered_than_a_process_can_spare(
    platform: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    listing: bytes,
    requests: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut(platform, mairie.id, 1, stamps)
    assert gather_due(platform) == 1
    monkeypatch.setattr(told, "LARGEST_MEMORY", len(listing))
    requests.clear()
    assert [told_of(platform, newest_token(platform)).lists for _ in range(2)] == [(listing,)] * 2
    assert requests == ["all_versions", "read_first", "all_versions"] * 2


@on_one_shape
@pytest.mark.usefixtures("listing")
def test_an_evidence_record_is_outgrown_by_what_is_said_since_and_not_by_less(
    platform: Platform,
    mairie: Organisation,
    package: Package,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record, written = sealed_in(platform, mairie, package), tmp_path / "e.ers"
    stamping.begin(platform, stamps)
    written.write_bytes(evidence_record_of(platform, record) or b"")
    assert not outgrown(platform, record, written)
    assert gather_due(platform) == 1
    assert outgrown(platform, record, written)
    whole = evidence_record_of(platform, record) or b""
    written.write_bytes(whole)
    assert not outgrown(platform, record, written)
    monkeypatch.setattr("archive.proof.ers.infos.told_of", lambda *_: Told())  # as when the places are silent
    assert not outgrown(platform, record, written)
    written.write_bytes(whole[:-1])
    assert outgrown(platform, record, written)
