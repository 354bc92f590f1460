"""Tokens of other hands in an evidence record: one that brings no certificate, one that brings more than its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from archive.proof.ers import syntax
from archive.proof.ers.syntax import Stamped
from archive.proof.ers.verification import verify_evidence_record
from archive.proof.lifetime import end_of_certificate
from archive.proof.verification import CheckState, EvidenceReport, EvidenceVerdict
from core import clock
from signing.pki import TestAuthority
from signing.timestamp.parts import CertificateAbsent
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.archive_samples import Notary
from tests.trust_samples import DAY, NOW, Holder, usage

DATA = hashlib.sha256(b"package").digest()


def with_certificates(token: bytes, certificates: Sequence[x509.Certificate]) -> bytes:
    """The same token with other certificates beside it, which its authority does not sign."""
    read = cms.ContentInfo.load(token)
    beside = [
        cms.CertificateChoices("certificate", asn1_x509.Certificate.load(one.public_bytes(Encoding.DER))) for one in certificates
    ]
    signed = {name: read["content"][name] for name in read["content"] if name not in {"certificates", "crls"}}
    made: bytes = cms.ContentInfo(
        {"content_type": "signed_data", "content": cms.SignedData(signed | ({"certificates": beside} if beside else {}))}
    ).dump()
    return made


def verdict(
    *tokens: bytes, trust: TrustStore | None, way: tuple[tuple[bytes, ...], ...] = ()
) -> tuple[EvidenceVerdict, EvidenceReport]:
    der = syntax.written([[Stamped("SHA-256", way, token) for token in tokens]])
    report = verify_evidence_record(der, lambda _: [DATA], trust=trust, at=clock.now())
    return report.verdict, report


@pytest.fixture
def tsa(authority: Callable[[str], TsaSimulator]) -> TsaSimulator:
    return authority("tsa")


def test_a_token_without_its_certificate_is_verified_with_that_of_the_trust_folder(notary: Notary, tsa: TsaSimulator) -> None:
    certificate = tsa._credential.certificate
    bare = with_certificates(notary.stamp(DATA), [])
    found, report = verdict(bare, trust=replace(notary.trust, material=(certificate,)))
    assert found is EvidenceVerdict.VALID
    assert report.checks[-1].name == "validity"
    assert report.facts["renew_before"] == clock.iso(certificate.not_valid_after_utc)


def test_a_token_without_its_certificate_is_not_judged_where_nobody_has_it(notary: Notary) -> None:
    bare = with_certificates(notary.stamp(DATA), [])
    stranger = Holder.root().issue(
        "DEMONSTRATION Autre",
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]), True),
    )
    for trust in (None, notary.trust, replace(notary.trust, material=(stranger.certificate,))):
        found, report = verdict(bare, trust=trust)
        assert found is EvidenceVerdict.INDETERMINATE
        assert [(check.name, check.state) for check in report.checks] == [("timestamp", CheckState.UNKNOWN)]
        assert "dossier de confiance" in report.checks[0].message
    with pytest.raises(CertificateAbsent):
        end_of_certificate(bare)


def test_an_old_cross_certificate_beside_a_token_does_not_shorten_it(notary: Notary) -> None:
    anchor, before = notary.tsa.anchor, Holder.root("DEMONSTRATION Ancienne racine")
    crossed = (
        x509.CertificateBuilder()
        .subject_name(anchor.subject)
        .issuer_name(before.certificate.subject)
        .public_key(anchor.public_key())
        .serial_number(7)
        .not_valid_before(NOW - 100 * DAY)
        .not_valid_after(NOW - DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(authority=True), critical=True)
        .sign(before.key, hashes.SHA256())
    )
    own = notary.tsa._credential.certificate
    first = with_certificates(notary.stamp(DATA), [own, crossed])
    later = notary.stamp(hashlib.sha256(first).digest())
    assert verdict(first, later, trust=notary.trust)[0] is EvidenceVerdict.VALID
    assert end_of_certificate(first, notary.trust) == own.not_valid_after_utc
    assert end_of_certificate(first) == crossed.not_valid_after_utc  # nothing at hand says that there is another


def test_a_certificate_of_the_same_name_that_issued_nothing_does_not_lengthen_a_token(notary: Notary) -> None:
    own, anchor = notary.tsa._credential.certificate, notary.tsa.anchor
    key = Holder.root().key
    forged = (
        x509.CertificateBuilder()
        .subject_name(anchor.subject)
        .issuer_name(anchor.subject)
        .public_key(key.public_key())
        .serial_number(8)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    token = with_certificates(notary.stamp(DATA), [own, forged, anchor])
    assert end_of_certificate(token) == min(own.not_valid_after_utc, anchor.not_valid_after_utc)


def test_what_is_not_known_of_revocations_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lists")
    with TsaSimulator(folder) as tsa:
        token = Notary(tsa).stamp(DATA)
    listing = TestAuthority.open(folder).revocations({})
    for lists, said in (([], True), ([listing], False)):
        found, report = verdict(token, trust=TrustStore.of([tsa.anchor], lists))
        assert found is EvidenceVerdict.VALID
        (told,) = [check.message for check in report.checks if check.name == "authority"]
        assert ("révocation" in told) is said
