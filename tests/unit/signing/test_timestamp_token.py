"""Timestamp tokens, made by the simulator in the same process and verified offline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import algos, cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core import clock
from signing.timestamp import simulator as simulator_module
from signing.timestamp.client import TimestampResponse, request
from signing.timestamp.simulator import POLICY, TsaSimulator
from signing.timestamp.token import Timestamp, TokenUnreadable, verify_token
from signing.timestamp.verifier import verify_timestamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief

DIGEST = hashlib.sha256(b"data").digest()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaSimulator]:
    simulator = TsaSimulator(tmp_path_factory.mktemp("tsa"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="module")
def token(tsa: TsaSimulator) -> bytes:
    return token_of(tsa.answer(request(DIGEST, nonce=7)))


def token_of(reply: bytes) -> bytes:
    der: bytes = TimestampResponse.load(reply)["time_stamp_token"].dump()
    return der


def test_a_token_holds_for_its_data_when_its_authority_is_known(tsa: TsaSimulator, token: bytes) -> None:
    status = verify_token(token, DIGEST, trust=TrustStore.of([tsa.anchor]))
    assert status.holds
    assert status.timestamp is not None
    assert status.timestamp.policy == POLICY
    assert abs((clock.now() - status.timestamp.gen_time).total_seconds()) < 3600


def test_a_token_of_an_unknown_authority_is_intact_and_proves_nothing(token: bytes) -> None:
    status = verify_token(token, DIGEST, trust=None)
    assert status.intact
    assert status.trust is TrustState.UNKNOWN
    assert not status.holds


def test_a_token_does_not_hold_for_other_data(tsa: TsaSimulator, token: bytes) -> None:
    status = verify_token(token, hashlib.sha256(b"other").digest(), trust=TrustStore.of([tsa.anchor]))
    assert not status.intact
    assert "autres données" in (status.reason or "")


def test_a_token_does_not_hold_with_another_hash_of_the_same_length(tsa: TsaSimulator, token: bytes) -> None:
    assert not verify_token(token, DIGEST, trust=TrustStore.of([tsa.anchor]), hash_name="sha384").intact


def test_no_altered_octet_of_the_time_goes_unseen(tsa: TsaSimulator, token: bytes) -> None:
    written = Timestamp.read(token).gen_time.strftime("%Y%m%d").encode()
    altered = token.replace(written, b"20200101", 1)
    assert altered != token
    assert not verify_token(altered, DIGEST, trust=TrustStore.of([tsa.anchor])).intact


@pytest.mark.parametrize("data", [b"", b"\x30\x03\x02\x01\x05", b"\x30\x84\xff\xff\xff\xff", b"x" * 300_000])
def test_what_is_no_token_is_unreadable(data: bytes) -> None:
    with pytest.raises(TokenUnreadable):
        Timestamp.read(data)
    assert not verify_token(data, DIGEST, trust=None).intact


def test_a_truncated_token_is_unreadable(token: bytes) -> None:
    for length in range(0, len(token) - 1, 97):
        assert not verify_token(token[:length], DIGEST, trust=None).intact


@pytest.mark.parametrize(
    ("which", "identifier"), [("signature_algorithm", "1.2.643.7.1.1.3.2"), ("digest_algorithm", "1.2.643.7.1.1.2.2")]
)
def test_a_token_whose_algorithm_is_unknown_proves_nothing_and_is_not_called_altered(
    tsa: TsaSimulator, token: bytes, which: str, identifier: str
) -> None:
    content = cms.ContentInfo.load(token)
    content["content"]["signer_infos"][0][which] = {"algorithm": identifier}
    strange, store = content.dump(force=True), TrustStore.of([tsa.anchor])
    found = verify_token(strange, DIGEST, trust=store).as_verdict()
    assert (found.valid, found.proves, found.altered) == (False, False, False)
    assert "n’est pas connu" in (found.reason or "")
    alone = verify_timestamp(strange, lambda _: DIGEST, trust=store, at=clock.now())
    assert (alone.verdict, alone.intact) == (Belief.INDETERMINATE, False)


def test_what_a_token_carries_beside_and_nobody_here_reads_does_no_harm(tsa: TsaSimulator, token: bytes) -> None:
    content = cms.ContentInfo.load(token)
    strange = cms.CMSAttribute({"type": "1.2.840.113549.1.9.16.2.22", "values": []})
    strange["values"].contents = bytes.fromhex("3004a002a000")  # a reference to evidence, tagged by its own standard
    content["content"]["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([strange])
    assert verify_token(content.dump(), DIGEST, trust=TrustStore.of([tsa.anchor])).holds


def test_a_token_that_names_another_certificate_says_so(tsa: TsaSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    real = simulator_module._signed_attributes
    other = tsa.anchor.public_bytes(Encoding.DER)
    monkeypatch.setattr(simulator_module, "_signed_attributes", lambda info, _: real(info, asn1_x509.Certificate.load(other)))
    status = verify_token(token_of(tsa.answer(request(DIGEST, nonce=7))), DIGEST, trust=TrustStore.of([tsa.anchor]))
    assert (status.intact, "nomme" in (status.reason or "")) == (False, True)


def test_a_token_signed_by_a_certificate_for_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_module.TestAuthority, "timestamping", lambda authority: authority.seal())
    other = TsaSimulator(tmp_path)
    token = token_of(other.answer(request(DIGEST, nonce=7)))
    other.stop()
    status = verify_token(token, DIGEST, trust=TrustStore.of([other.anchor]))
    assert (status.intact, status.holds, status.as_verdict().valid) == (True, False, False)
    assert "réservé" in (status.reason or "")


def test_the_key_and_the_anchor_are_kept_from_one_start_to_the_next(tsa: TsaSimulator, tmp_path: Path) -> None:
    first, second = TsaSimulator(tmp_path), TsaSimulator(tmp_path)
    assert first.anchor == second.anchor != tsa.anchor
    assert (tmp_path / "tsa.key").stat().st_mode & 0o077 == 0
    first.stop()
    second.stop()


def test_the_certificate_comes_only_when_asked_for(tsa: TsaSimulator) -> None:
    imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": DIGEST}
    bare = tsp.TimeStampReq({"version": "v1", "message_imprint": imprint}).dump()
    signed = TimestampResponse.load(tsa.answer(bare))["time_stamp_token"]["content"]
    assert not signed["certificates"].native


@pytest.mark.parametrize(
    ("query", "failure"),
    [
        (b"\x30\x03\x02\x01\x01", "bad_data_format"),
        (request(DIGEST, nonce=1, policy="1.2.3"), "unaccepted_policy"),
        (request(b"short", nonce=1), "bad_alg"),
    ],
)
def test_a_request_that_cannot_be_met_is_rejected_with_its_reason(tsa: TsaSimulator, query: bytes, failure: str) -> None:
    response = TimestampResponse.load(tsa.answer(query))
    assert response["status"]["status"].native == "rejection"
    assert response["status"]["fail_info"].native == {failure}


def test_the_authority_of_the_simulator_says_that_it_is_a_demonstration(tsa: TsaSimulator) -> None:
    assert "DEMONSTRATION" in tsa.anchor.subject.rfc4514_string()
    assert isinstance(tsa.anchor, x509.Certificate)
