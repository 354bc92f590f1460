"""A timestamp that stands alone over a file: a response or a bare token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import algos, tsp

from core import clock
from core.errors import UnreadableInput, UsageError
from signing.timestamp.client import TimestampResponse, request
from signing.timestamp.simulator import TsaSimulator
from signing.timestamp.verifier import token_of, verify
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief

DATA = b"le registre du jour"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaSimulator]:
    simulator = TsaSimulator(tmp_path_factory.mktemp("tsa"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="module")
def believed(tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([tsa.anchor])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "registre.txt"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def response(tsa: TsaSimulator, data: Path) -> Path:
    path = data.with_suffix(".tsr")
    path.write_bytes(tsa.answer(request(hashlib.sha256(DATA).digest(), nonce=7)))
    return path


def test_a_response_and_its_bare_token_hold_for_their_file(response: Path, data: Path, believed: TrustStore) -> None:
    token = response.with_suffix(".tst")
    token.write_bytes(token_of(response.read_bytes()))
    for path in (response, token):
        verdict = verify(path, detached=data, trust=believed)
        (signature,) = verdict.signatures
        assert verdict.verdict is signature.verdict is Belief.VALID
        assert (signature.format, signature.covers, signature.level) == ("RFC3161", "document", None)
        assert signature.signer == "DEMONSTRATION Horodatage"
        assert signature.signing_time is not None
        assert abs(clock.now() - signature.signing_time) < timedelta(hours=1)


def test_it_does_not_hold_for_another_file(response: Path, data: Path, believed: TrustStore) -> None:
    data.write_bytes(DATA + b".")
    verdict = verify(response, detached=data, trust=believed)
    assert verdict.verdict is Belief.INVALID
    assert "autres données" in verdict.signatures[0].reasons[0]


def test_an_authority_that_nobody_knows_proves_nothing(response: Path, data: Path) -> None:
    verdict = verify(response, detached=data, trust=None)
    assert verdict.verdict is Belief.INDETERMINATE
    assert verdict.signatures[0].trust is TrustState.UNKNOWN


def test_a_time_to_come_is_doubted(response: Path, data: Path, believed: TrustStore) -> None:
    verdict = verify(response, detached=data, trust=believed, at=clock.now() - timedelta(hours=2))
    assert verdict.verdict is Belief.INDETERMINATE
    assert "futur" in verdict.signatures[0].reasons[0]


@pytest.mark.parametrize(("hash_name", "belief"), [("sha384", Belief.VALID), ("sha512", Belief.VALID)])
def test_the_digest_is_made_with_the_hash_of_the_token(
    tsa: TsaSimulator, data: Path, believed: TrustStore, hash_name: str, belief: Belief
) -> None:
    imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": hash_name})}
    imprint["hashed_message"] = hashlib.new(hash_name, DATA).digest()
    query = tsp.TimeStampReq({"version": "v1", "message_imprint": imprint, "nonce": 7, "cert_req": True}).dump()
    path = data.with_suffix(".tsr")
    path.write_bytes(tsa.answer(query))
    assert verify(path, detached=data, trust=believed).verdict is belief


def test_the_file_must_be_named_and_be_there(response: Path, data: Path, believed: TrustStore) -> None:
    with pytest.raises(UsageError, match="--detached"):
        verify(response, trust=believed)
    with pytest.raises(UnreadableInput, match="introuvable"):
        verify(response, detached=data.with_name("absent"), trust=believed)


def test_a_refusal_holds_no_token(tsa: TsaSimulator, response: Path, data: Path, believed: TrustStore) -> None:
    response.write_bytes(tsa.answer(b"rubbish"))
    with pytest.raises(UnreadableInput, match="ne contient pas de jeton"):
        verify(response, detached=data, trust=believed)


def test_a_token_beside_a_refusal_is_not_taken(response: Path, data: Path, believed: TrustStore) -> None:
    read = TimestampResponse.load(response.read_bytes())
    contradictory = {"status": {"status": "rejection"}, "time_stamp_token": read["time_stamp_token"]}
    response.write_bytes(TimestampResponse(contradictory).dump())
    with pytest.raises(UnreadableInput, match="rejection"):
        verify(response, detached=data, trust=believed)


@pytest.mark.parametrize("octets", [b"", b"hello", b"\x30\x03\x02\x01\x05", b"\x30\x80" * 3000, b"\x30\x84\xff\xff\xff\xff"])
def test_what_is_neither_is_unreadable(response: Path, data: Path, octets: bytes) -> None:
    response.write_bytes(octets)
    with pytest.raises(UnreadableInput):
        verify(response, detached=data, trust=None)


def test_a_response_cut_anywhere_is_unreadable(response: Path, data: Path) -> None:
    whole = response.read_bytes()
    for length in range(0, len(whole) - 1, 53):
        response.write_bytes(whole[:length])
        with pytest.raises(UnreadableInput):
            verify(response, detached=data, trust=None)
