"""Timestamps over any hash: those that are strong, those that were, those that nobody here knows."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import cms, core

from signing.cades.seal import Cades
from signing.cades.verifier import verify as verify_cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import TestAuthority
from signing.timestamp.verifier import verify
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief
from signing.verification import verify as verify_any
from tests.timestamp_tokens import crafted

DATA = b"le registre du jour"
OLD, RECENT = datetime(2015, 6, 1, tzinfo=UTC), datetime(2019, 6, 1, tzinfo=UTC)
ANCIENT = TestAuthority.create("DEMONSTRATION Ancienne racine", at=datetime(2014, 1, 1, tzinfo=UTC))
STAMPER = ANCIENT.timestamping()
TRUST = TrustStore.of([ANCIENT.certificate])
UNKNOWN_HASH = "1.2.643.7.1.1.2.2"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "registre.txt"
    path.write_bytes(DATA)
    return path


def written(data: Path, token: bytes) -> Path:
    path = data.with_suffix(".tst")
    path.write_bytes(token)
    return path


@pytest.mark.parametrize("how", [{"imprint": "sha1"}, {"digest": "sha1"}])
@pytest.mark.parametrize(("moment", "belief"), [(OLD, Belief.INDETERMINATE), (RECENT, Belief.INVALID)], ids=["old", "recent"])
def test_sha1_leaves_an_old_timestamp_undecided_and_refuses_a_recent_one(
    data: Path, how: dict[str, str], moment: datetime, belief: Belief
) -> None:
    (stamp,) = verify(written(data, crafted(STAMPER, DATA, moment, **how)), detached=data, trust=TRUST).signatures
    assert (stamp.verdict, stamp.intact) == (belief, True)
    assert "sha1" in stamp.reasons[0]


def test_an_old_timestamp_over_sha1_of_other_data_is_invalid(data: Path) -> None:
    path = written(data, crafted(STAMPER, b"autre chose", OLD, imprint="sha1"))
    assert verify(path, detached=data, trust=TRUST).verdict is Belief.INVALID


def test_an_old_timestamp_by_who_may_make_none_is_invalid(data: Path) -> None:
    other = ANCIENT.seal(bits=2048)
    assert verify(written(data, crafted(other, DATA, OLD, imprint="sha1")), detached=data, trust=TRUST).verdict is Belief.INVALID


def test_an_old_timestamp_over_sha1_by_a_revoked_authority_is_invalid(data: Path) -> None:
    revoked = ANCIENT.revocations({STAMPER.certificate.serial_number: datetime(2015, 1, 1, tzinfo=UTC)}, at=OLD)
    trust = TrustStore.of([ANCIENT.certificate], [revoked])
    assert (
        verify(written(data, crafted(STAMPER, DATA, OLD, imprint="sha1")), detached=data, trust=trust).verdict is Belief.INVALID
    )


@pytest.mark.parametrize("imprint", ["sha3_256", "sha3_384", "sha3_512"])
def test_sha3_is_computed_and_believed(data: Path, imprint: str) -> None:
    path = written(data, crafted(STAMPER, DATA, RECENT, imprint=imprint))
    assert verify(path, detached=data, trust=TRUST).verdict is Belief.VALID
    data.write_bytes(DATA + b".")
    altered = verify(path, detached=data, trust=TRUST)
    assert altered.verdict is Belief.INVALID
    assert "autres données" in altered.signatures[0].reasons[0]


def test_md5_is_told_as_weak_and_not_as_other_data(data: Path) -> None:
    (stamp,) = verify(written(data, crafted(STAMPER, DATA, OLD, imprint="md5")), detached=data, trust=TRUST).signatures
    assert (stamp.verdict, "md5" in stamp.reasons[0]) == (Belief.INVALID, True)


def test_a_hash_that_is_not_known_is_named_and_nothing_is_concluded_from_it(data: Path) -> None:
    (stamp,) = verify(written(data, crafted(STAMPER, DATA, RECENT, imprint=UNKNOWN_HASH)), detached=data, trust=TRUST).signatures
    assert (stamp.verdict, stamp.intact) == (Belief.INDETERMINATE, False)
    assert UNKNOWN_HASH in stamp.reasons[0]


@pytest.mark.parametrize(
    ("imprint", "level", "trust"),
    [("sha3_256", "T", TrustState.TRUSTED), ("sha1", "B", TrustState.UNTRUSTED), (UNKNOWN_HASH, "B", TrustState.UNKNOWN)],
)
def test_within_a_signature_they_prove_its_time_or_nothing(
    data: Path, signer: Pkcs12Signer, imprint: str, level: str, trust: TrustState
) -> None:
    path = data.with_suffix(".p7s")
    sign(Cades(), data, path, signer)
    message = cms.ContentInfo.load(path.read_bytes())
    info = message["content"]["signer_infos"][0]
    token = cms.ContentInfo.load(crafted(STAMPER, info["signature"].native, OLD, imprint=imprint))
    attribute = cms.CMSAttribute({"type": "1.2.840.113549.1.9.16.2.14", "values": [token]})
    info["unsigned_attrs"] = cms.CMSAttributes([attribute])
    path.write_bytes(message.dump())
    (signature,) = verify_cades(path, detached=data, trust=TRUST).signatures
    assert (signature.intact, signature.level, signature.timestamps[0].trust) == (True, level, trust)
    assert signature.timestamps[0].proves is (level == "T")


def test_a_token_or_a_response_in_pem_is_read(data: Path) -> None:
    der = crafted(STAMPER, DATA, RECENT)
    response = cms.ContentInfo.load(der)
    reply = core.Sequence()
    reply.contents = bytes.fromhex("3003020100") + response.dump()
    for octets in (der, reply.dump(force=True)):
        body = base64.encodebytes(octets)
        path = written(data, b"Jeton du 1er juin\n-----BEGIN PKCS7-----\n" + body + b"-----END PKCS7-----\n")
        assert verify_any(path, detached=data, trust=TRUST).verdict is Belief.VALID
