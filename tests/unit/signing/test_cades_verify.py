"""What the examination of a CMS believes and refuses: messages made by hand, each with one thing out of the ordinary."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asn1crypto import cms, core
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from core.errors import UnreadableInput, UsageError
from signing.cades.message import Message
from signing.cades.verifier import verify, verify_message
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import TimestampResponse, request
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, SignatureVerdict
from tests.cms_messages import CONTENT, Crafted, asn1_list, made, message


class Lists(core.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1_crl.CertificateList


class Answers(core.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1_ocsp.BasicOCSPResponse


class RevocationValues(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("lists", Lists, {"explicit": 0}), ("answers", Answers, {"explicit": 1})]


def judged(octets: bytes, trust: TrustStore | None, *, content: bytes = CONTENT, at: datetime | None = None) -> Any:
    return verify_message(octets, lambda name: hashlib.new(name, content).digest(), trust=trust, at=at or clock.now())


def one(octets: bytes, trust: TrustStore | None, **how: Any) -> SignatureVerdict:
    (verdict,) = judged(octets, trust, **how)
    assert isinstance(verdict, SignatureVerdict)
    return verdict


@pytest.fixture(scope="module")
def other(authority: TestAuthority) -> Credential:
    return authority.seal("DEMONSTRATION Autre cachet", bits=2048)


@pytest.fixture(scope="module")
def old() -> tuple[TestAuthority, Credential]:
    """An authority of 2014 and a seal of it."""
    ancient = TestAuthority.create("DEMONSTRATION Ancienne racine", at=datetime(2014, 1, 1, tzinfo=UTC))
    return ancient, ancient.seal(bits=2048, end=datetime(2023, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("salt", [0, 32, 190])
def test_pss_is_read_with_the_salt_that_it_states(credential: Credential, trust: TrustStore, hash_name: str, salt: int) -> None:
    octets = made(Crafted(credential, hash_name=hash_name, algorithm="rsassa_pss", salt=salt))
    assert one(octets, trust).verdict is Belief.VALID


@pytest.mark.parametrize("algorithm", [None, "rsassa_pkcs1v15"])
@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_rsa_is_read_whether_or_not_its_identifier_names_the_hash(
    credential: Credential, trust: TrustStore, algorithm: str | None, hash_name: str
) -> None:
    assert one(made(Crafted(credential, hash_name=hash_name, algorithm=algorithm)), trust).verdict is Belief.VALID


@pytest.mark.parametrize(("hash_name", "number"), [("sha3_256", 14), ("sha3_512", 16)])
def test_sha3_is_read(credential: Credential, trust: TrustStore, hash_name: str, number: int) -> None:
    octets = made(Crafted(credential, hash_name=hash_name, algorithm=f"2.16.840.1.101.3.4.3.{number}", named_by=hash_name))
    assert one(octets, trust).verdict is Belief.VALID
    assert one(octets, trust, content=b"another content").verdict is Belief.INVALID


@pytest.mark.parametrize("named_by", ["sha224", "1.2.643.7.1.1.2.2"])
def test_a_certificate_named_by_a_digest_that_is_not_known_is_doubted(
    credential: Credential, trust: TrustStore, named_by: str
) -> None:
    verdict = one(made(Crafted(credential, named_by=named_by)), trust)
    assert (verdict.verdict, verdict.intact) == (Belief.INDETERMINATE, True)
    assert named_by in verdict.reasons[0]


def test_a_signer_may_be_named_by_its_key(credential: Credential, trust: TrustStore) -> None:
    assert one(made(Crafted(credential, by_key=True)), trust).verdict is Belief.VALID


def test_each_of_several_signers_has_its_verdict(credential: Credential, other: Credential, trust: TrustStore) -> None:
    broken = Crafted(other, digest=bytes(32))
    first, second = judged(made(Crafted(credential), broken), trust)
    by_name = {verdict.signer: verdict.verdict for verdict in (first, second)}
    assert by_name == {"DEMONSTRATION Cachet serveur": Belief.VALID, "DEMONSTRATION Autre cachet": Belief.INVALID}


def test_a_counter_signature_is_told_apart(credential: Credential, other: Credential, trust: TrustStore) -> None:
    signed = Crafted(credential).info()
    value = signed["signature"].native
    signed["unsigned_attrs"] = [
        {"type": "counter_signature", "values": [Crafted(other, over=value, content_type=None).info()]},
    ]
    octets = message(signed, certificates=(credential.certificate, other.certificate))
    first, second = judged(octets, trust)
    assert (first.covers, second.covers) == ("document", "signature")
    assert first.verdict is second.verdict is Belief.VALID
    wrong = Crafted(other, over=b"another value", content_type=None).info()
    signed["unsigned_attrs"] = [{"type": "counter_signature", "values": [wrong]}]
    first, second = judged(message(signed, certificates=(credential.certificate, other.certificate)), trust)
    assert (first.verdict, second.verdict) == (Belief.VALID, Belief.INVALID)


def test_without_the_name_of_its_certificate_it_is_a_plain_cms(credential: Credential, trust: TrustStore) -> None:
    verdict = one(made(Crafted(credential, named=False)), trust)
    assert (verdict.format, verdict.level, verdict.verdict) == ("CMS", None, Belief.VALID)


def test_without_a_signing_time_it_is_no_baseline(credential: Credential, trust: TrustStore) -> None:
    assert one(made(Crafted(credential, moment=None)), trust).level == "BES"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": bytes(32)}, "empreinte ne correspond pas"),
        ({"content_type": "signed_data"}, "contentType (1.2.840.113549.1.7.2)"),
        ({"content_type": None}, "contentType (-)"),
        ({"without": "message_digest"}, "messageDigest manque"),
        ({"protection": "sha512"}, "que protège"),
        ({"hash_name": "sha384", "algorithm": "sha256_rsa"}, "n’est pas admis"),
        ({"algorithm": "sha256_ecdsa"}, "valeur de la signature est fausse"),
        ({"algorithm": "dsa"}, "n’est pas admis"),
        ({"algorithm": "md5_rsa"}, "n’est pas admis"),
        ({"hash_name": "sha3_512", "algorithm": "2.16.840.1.101.3.4.3.14"}, "n’est pas admis"),
    ],
)
def test_what_contradicts_itself_is_refused(
    credential: Credential, trust: TrustStore, change: dict[str, Any], words: str
) -> None:
    verdict = one(made(replace(Crafted(credential), **change)), trust)
    assert verdict.verdict is Belief.INVALID
    assert not verdict.intact
    assert words in verdict.reasons[0]


def test_the_algorithms_that_the_signature_protects_may_be_right(credential: Credential, trust: TrustStore) -> None:
    assert one(made(Crafted(credential, protection="sha256")), trust).verdict is Belief.VALID


def test_a_certificate_that_the_signature_does_not_name_is_refused(
    credential: Credential, other: Credential, trust: TrustStore
) -> None:
    verdict = one(made(Crafted(credential, certificate=other.certificate)), trust)
    assert verdict.verdict is Belief.INVALID
    assert "que nomme la signature" in verdict.reasons[0]


def test_signed_attributes_presented_as_the_document_are_not_believed(credential: Credential, trust: TrustStore) -> None:
    honest = Crafted(credential)
    info = honest.info()
    attributes = info["signed_attrs"].untag().dump()
    stripped = cms.SignerInfo({name: info[name] for name in info if name not in {"signed_attrs", "unsigned_attrs"}})
    verdict = one(message(stripped, certificates=(credential.certificate,)), trust, content=attributes)
    assert verdict.intact
    assert verdict.verdict is Belief.INDETERMINATE
    assert "attributs signés" in verdict.reasons[0]


def test_a_document_signed_without_attributes_is_believed(tmp_path: Path, credential: Credential, trust: TrustStore) -> None:
    path = tmp_path / "bare.p7m"
    path.write_bytes(made(Crafted(credential, attributes=False), content=CONTENT))
    (verdict,) = verify(path, trust=trust).signatures
    assert (verdict.verdict, verdict.format) == (Belief.VALID, "CMS")
    attributes = Crafted(credential).info()["signed_attrs"].untag().dump()
    path.write_bytes(made(Crafted(credential, attributes=False, over=attributes), content=attributes))
    assert verify(path, trust=trust).verdict is Belief.INDETERMINATE


def test_the_timestamp_of_another_signature_makes_one_invalid(tmp_path: Path, credential: Credential, trust: TrustStore) -> None:
    authority = TsaSimulator(tmp_path)
    reply = TimestampResponse.load(authority.answer(request(hashlib.sha256(CONTENT).digest(), nonce=7)))
    authority.stop()
    token = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [reply["time_stamp_token"]]})
    verdict = one(made(Crafted(credential, unsigned=(token,))), trust)
    assert (verdict.verdict, verdict.intact, verdict.level) == (Belief.INVALID, True, "B")
    assert "autres données" in verdict.reasons[0]


def test_a_signature_without_attributes_over_other_data_is_refused(credential: Credential, trust: TrustStore) -> None:
    assert one(made(Crafted(credential, attributes=False)), trust).intact
    assert one(made(Crafted(credential, attributes=False)), trust, content=b"other").verdict is Belief.INVALID


def test_a_certificate_that_is_not_brought_is_sought_in_the_trust_folder(
    authority: TestAuthority, credential: Credential, trust: TrustStore
) -> None:
    octets = message(Crafted(credential).info())
    missing = one(octets, trust)
    assert (missing.verdict, missing.intact, missing.signer) == (Belief.INDETERMINATE, False, None)
    assert "dossier de confiance" in missing.reasons[0]
    assert one(octets, trust, content=b"another content").verdict is Belief.INVALID
    assert one(octets, TrustStore.of([authority.certificate, credential.certificate])).verdict is Belief.VALID


def test_sha1_is_refused_after_2016_and_doubted_before(old: tuple[TestAuthority, Credential]) -> None:
    ancient, credential = old
    trust = TrustStore.of([ancient.certificate])
    at = datetime(2019, 6, 1, tzinfo=UTC)
    before = Crafted(credential, hash_name="sha1", moment=datetime(2015, 5, 1, tzinfo=UTC))
    after = replace(before, moment=datetime(2018, 5, 1, tzinfo=UTC))
    unsaid = replace(before, moment=None)
    assert one(made(before), trust, at=at).verdict is Belief.INDETERMINATE
    assert one(made(before), trust, at=at).intact
    assert one(made(after), trust, at=at).verdict is Belief.INVALID
    assert one(made(unsaid), trust, at=at).verdict is Belief.INVALID


def test_a_hash_on_the_way_to_the_data_is_judged_as_the_signatures_own(credential: Credential, trust: TrustStore) -> None:
    octets = made(Crafted(credential))
    digest = lambda name: hashlib.new(name, CONTENT).digest()  # noqa: E731
    (weak,) = verify_message(octets, digest, trust=trust, at=clock.now(), through=("sha256", "sha1"))
    (strong,) = verify_message(octets, digest, trust=trust, at=clock.now(), through=("sha256",))
    assert (weak.verdict, strong.verdict) == (Belief.INVALID, Belief.VALID)


def test_a_revocation_list_that_comes_along_is_heard(authority: TestAuthority, credential: Credential, trust: TrustStore) -> None:
    now = clock.now()
    listing = authority.revocations({credential.certificate.serial_number: now - timedelta(hours=2)})
    octets = made(Crafted(credential, moment=now - timedelta(hours=1)), lists=(listing,))
    verdict = one(octets, trust)
    assert (verdict.trust, verdict.verdict) == (TrustState.REVOKED, Belief.INVALID)


def test_a_list_of_another_authority_says_nothing(credential: Credential, trust: TrustStore) -> None:
    stranger = TestAuthority.create("DEMONSTRATION Autorité racine")
    listing = stranger.revocations({credential.certificate.serial_number: clock.now() - timedelta(hours=2)})
    assert one(made(Crafted(credential), lists=(listing,)), trust).verdict is Belief.VALID


def answer_of(authority: TestAuthority, credential: Credential) -> ocsp.OCSPResponse:
    now = clock.now()
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=credential.certificate,
            issuer=authority.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=now,
            next_update=now + timedelta(days=1),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, authority.certificate)
        .sign(authority.key, hashes.SHA256())
    )


def test_evidence_is_found_wherever_it_stands(authority: TestAuthority, credential: Credential, trust: TrustStore) -> None:
    now = clock.now()
    listing = authority.revocations({credential.certificate.serial_number: now - timedelta(hours=2)})
    answer = answer_of(authority, credential).public_bytes(Encoding.DER)
    basic = asn1_ocsp.OCSPResponse.load(answer)["response_bytes"]["response"].parsed
    values = RevocationValues({"lists": [asn1_list(listing)], "answers": [basic]})
    attribute = cms.CMSAttribute({"type": "1.2.840.113549.1.9.16.2.24", "values": [core.Any(values)]})
    octets = made(Crafted(credential, moment=now - timedelta(hours=1), unsigned=(attribute,)))
    evidence = Message.read(octets).evidence
    assert evidence.lists == (listing,)
    (found,) = evidence.answers
    assert ocsp.load_der_ocsp_response(found).serial_number == credential.certificate.serial_number
    assert one(octets, trust).trust is TrustState.REVOKED

    beside = cms.RevocationInfoChoice(
        "other", {"other_rev_info_format": "ocsp_response", "other_rev_info": asn1_ocsp.OCSPResponse.load(answer)}
    )
    signed = cms.ContentInfo.load(made(Crafted(credential)))["content"]
    signed["crls"] = [beside]
    octets = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    assert Message.read(octets).evidence.answers == (answer,)


def test_a_weak_key_and_a_wrong_usage_are_refused(authority: TestAuthority, trust: TrustStore) -> None:
    weak = authority.seal(bits=1024)
    assert "RSA-1024" in one(made(Crafted(weak)), trust).reasons[0]
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    encrypting = authority.seal(bits=2048, usage=usage)
    verdict = one(made(Crafted(encrypting)), trust)
    assert (verdict.intact, verdict.verdict) == (True, Belief.INVALID)


def test_a_time_to_come_is_doubted(credential: Credential, trust: TrustStore) -> None:
    verdict = one(made(Crafted(credential, moment=clock.now() + timedelta(days=2))), trust)
    assert verdict.verdict is Belief.INDETERMINATE
    assert "futur" in verdict.reasons[0]


def test_an_attribute_said_twice_makes_its_signature_invalid_and_hides_no_other(
    credential: Credential, other: Credential, trust: TrustStore
) -> None:
    found = judged(made(Crafted(credential, twice=True), Crafted(other)), trust)
    twice, good = sorted(found, key=lambda verdict: verdict.intact)
    assert (twice.verdict, twice.intact, good.verdict) == (Belief.INVALID, False, Belief.VALID)
    assert "1.2.840.113549.1.9.5" in twice.reasons[0]


def test_an_unsigned_attribute_that_is_malformed_hides_no_signature(credential: Credential, trust: TrustStore) -> None:
    attribute = cms.CMSAttribute({"type": "1.2.840.113549.1.9.16.2.14", "values": []})
    attribute["values"].contents = core.OctetString(b"no token").dump()
    verdict = one(made(Crafted(credential, unsigned=(attribute,))), trust)
    assert (verdict.verdict, verdict.level, verdict.timestamps[0].valid) == (Belief.VALID, "B", False)


def test_more_signatures_than_anybody_makes_are_not_read(credential: Credential) -> None:
    info = Crafted(credential).info()
    judged(message(*[info] * 3, certificates=(credential.certificate,)), None)
    with pytest.raises(UnreadableInput):
        judged(message(*[info] * 201), None)


# files


def test_an_enveloping_message_holds_its_content(credential: Credential, trust: TrustStore, tmp_path: Path) -> None:
    path = tmp_path / "deliberation.p7m"
    path.write_bytes(made(Crafted(credential), content=CONTENT))
    assert verify(path, trust=trust).verdict is Belief.VALID
    (tmp_path / "same").write_bytes(CONTENT)
    (tmp_path / "other").write_bytes(b"another content")
    assert verify(path, detached=tmp_path / "same", trust=trust).verdict is Belief.VALID
    assert verify(path, detached=tmp_path / "other", trust=trust).verdict is Belief.INVALID
    path.write_bytes(made(Crafted(credential), content=b"another content"))
    assert verify(path, trust=trust).verdict is Belief.INVALID


@pytest.mark.parametrize("label", ["PKCS7", "CMS", "PKCS #7 SIGNED DATA"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_pem_is_read_under_each_of_its_labels(
    credential: Credential, trust: TrustStore, tmp_path: Path, label: str, end: str
) -> None:
    path = tmp_path / "signature.p7s"
    body = base64.encodebytes(made(Crafted(credential), content=CONTENT)).decode().replace("\n", end)
    path.write_bytes(f"Signature :{end}-----BEGIN {label}-----{end}{body}-----END {label}-----{end}".encode())
    assert verify(path, trust=trust).verdict is Belief.VALID


def test_a_detached_signature_asks_for_its_file(credential: Credential, tmp_path: Path) -> None:
    path = tmp_path / "signature.p7s"
    path.write_bytes(made(Crafted(credential)))
    with pytest.raises(UsageError, match="détachée"):
        verify(path, trust=None)


def test_a_message_without_signatures_is_unsigned(credential: Credential, tmp_path: Path) -> None:
    path = tmp_path / "certificates.p7b"
    path.write_bytes(message(certificates=(credential.certificate,)))
    assert verify(path, trust=None).verdict is Belief.UNSIGNED


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"hello",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x03\x02\x01\x05",
        b"\x30\x80" * 5000,
        b"-----BEGIN PKCS7-----\n-----END PKCS7-----\n",
        b"-----BEGIN PKCS7-----\nMII\n-----END CMS-----\n",
    ],
)
def test_what_is_no_message_is_unreadable(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x.p7s"
    path.write_bytes(octets)
    with pytest.raises(UnreadableInput):
        verify(path, trust=None)


def test_a_message_cut_anywhere_is_unreadable(credential: Credential) -> None:
    octets = made(Crafted(credential), content=CONTENT)
    for length in range(0, len(octets) - 1, 41):
        with pytest.raises(UnreadableInput):
            judged(octets[:length], None)


def test_what_follows_a_message_is_not_ignored_but_for_filling(credential: Credential, trust: TrustStore) -> None:
    octets = made(Crafted(credential))
    for filling in (bytes(2048), b"\r\n"):
        assert one(octets + filling, trust).verdict is Belief.VALID
    for other in (b"\x30\x00", bytes(3) + b"x"):
        with pytest.raises(UnreadableInput):
            judged(octets + other, None)


@pytest.fixture(scope="module")
def ordinary(credential: Credential, authority: TestAuthority) -> bytes:
    return made(Crafted(credential), certificates=(credential.certificate, authority.certificate))


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_altered_octet_escapes_as_a_fault_nor_makes_another_content_believed(
    ordinary: bytes, trust: TrustStore, place: float, flip: int
) -> None:
    altered = bytearray(ordinary)
    altered[int(place * len(altered))] ^= flip
    try:
        verdicts = judged(bytes(altered), trust, content=b"another content")
    except UnreadableInput:
        return
    assert all(verdict.verdict is Belief.INVALID for verdict in verdicts)
