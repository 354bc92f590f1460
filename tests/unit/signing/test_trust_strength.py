"""What makes a signature invalid whoever issued the certificate: its usage, its key, a digest that is broken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.standing import standing
from signing.trust import Evidence, TrustState, TrustStore, store
from signing.verdicts import Belief
from tests.trust_samples import DAY, NOW, YEAR, Holder, usage

OLD_ROOT = Holder.root(start=datetime(2010, 1, 1, tzinfo=UTC))
OLD = datetime(2015, 6, 1, tzinfo=UTC)
BELIEVED = TrustStore.of([OLD_ROOT.certificate])
NOBODY = TrustStore(())


def belief(holder: Holder, trust: TrustStore, **times: datetime) -> tuple[TrustState, Belief]:
    found = standing(holder.certificate, trust, **({"claimed": NOW, "proved": None, "at": NOW} | times))  # type: ignore[arg-type]
    return found.state, found.belief


@pytest.mark.parametrize("trust", [BELIEVED, NOBODY], ids=["known authority", "unknown authority"])
def test_a_certificate_that_is_not_for_signing_makes_the_signature_invalid(trust: TrustStore) -> None:
    holder = OLD_ROOT.issue("DEMONSTRATION Chiffrement", (usage(encipherment=True), True))
    assert belief(holder, trust) == (TrustState.UNTRUSTED, Belief.INVALID)
    found = standing(holder.certificate, trust, claimed=NOW, proved=None, at=NOW)
    assert "destiné à signer" in found.reasons[0]


@pytest.mark.parametrize("bits", [{"signature": True}, {"commitment": True}])
def test_either_usage_is_enough(bits: dict[str, bool]) -> None:
    holder = OLD_ROOT.issue("DEMONSTRATION Signataire", (usage(**bits), True))
    assert belief(holder, BELIEVED) == (TrustState.TRUSTED, Belief.VALID)


@pytest.mark.parametrize("trust", [BELIEVED, NOBODY], ids=["known authority", "unknown authority"])
def test_a_weak_key_makes_the_signature_invalid(trust: TrustStore) -> None:
    weak = OLD_ROOT.issue("DEMONSTRATION Faible", key=rsa.generate_private_key(65537, 1024))
    assert belief(weak, trust) == (TrustState.UNTRUSTED, Belief.INVALID)


def test_a_weak_authority_makes_the_signature_invalid() -> None:
    key = rsa.generate_private_key(65537, 1024)
    below = Holder(key, OLD_ROOT.issue("Faible", *_authority_extensions(), key=key).certificate)
    leaf = below.issue("DEMONSTRATION Signataire")
    trust = TrustStore.of([OLD_ROOT.certificate, below.certificate])
    assert belief(leaf, trust) == (TrustState.UNTRUSTED, Belief.INVALID)


@pytest.mark.parametrize("trust", [BELIEVED, NOBODY], ids=["known authority", "unknown authority"])
def test_a_certificate_over_sha1_makes_a_signature_of_today_invalid(trust: TrustStore) -> None:
    holder = OLD_ROOT.issue_by_sha1("DEMONSTRATION Ancien")
    assert belief(holder, trust) == (TrustState.UNTRUSTED, Belief.INVALID)


def test_a_certificate_over_sha1_leaves_an_old_signature_unproved_unless_a_timestamp_protects_it() -> None:
    holder = OLD_ROOT.issue_by_sha1("DEMONSTRATION Ancien")
    assert belief(holder, BELIEVED, claimed=OLD) == (TrustState.UNTRUSTED, Belief.INDETERMINATE)
    assert belief(holder, BELIEVED, claimed=OLD, proved=OLD) == (TrustState.TRUSTED, Belief.VALID)


def test_an_authority_over_sha1_below_the_root_is_judged_like_the_certificate() -> None:
    below = OLD_ROOT.issue_by_sha1("DEMONSTRATION Sous-autorité", *_authority_extensions())
    leaf = below.issue("DEMONSTRATION Signataire", start=OLD - YEAR)
    trust = TrustStore.of([OLD_ROOT.certificate, below.certificate])
    assert belief(leaf, trust) == (TrustState.UNTRUSTED, Belief.INVALID)
    assert belief(leaf, trust, claimed=OLD, proved=OLD) == (TrustState.TRUSTED, Belief.VALID)


def test_a_root_signed_by_itself_over_sha1_is_an_anchor() -> None:
    modern = Holder.root("DEMONSTRATION Vieille racine")
    root = Holder(modern.key, modern.over_sha1(modern.certificate))
    assert TrustStore.of([root.certificate]).anchors == (root.certificate,)
    assert belief(root.issue("DEMONSTRATION Signataire"), TrustStore.of([root.certificate])) == (TrustState.TRUSTED, Belief.VALID)
    altered = bytearray(root.certificate.public_bytes(Encoding.DER))
    altered[-1] ^= 1
    assert TrustStore.of([x509.load_der_x509_certificate(bytes(altered))]).anchors == ()


def test_a_root_that_has_ended_vouches_for_nothing_made_later() -> None:
    ended = Holder.root("DEMONSTRATION Racine finie", start=NOW - 21 * YEAR)
    leaf = ended.issue("DEMONSTRATION Signataire")
    trust = TrustStore.of([ended.certificate])
    assert belief(leaf, trust) == (TrustState.EXPIRED, Belief.INVALID)
    assert belief(leaf, trust, claimed=NOW - 2 * YEAR) == (TrustState.EXPIRED, Belief.INDETERMINATE)
    assert belief(leaf, trust, claimed=NOW - 2 * YEAR, proved=NOW - 2 * YEAR) == (TrustState.TRUSTED, Belief.VALID)


def test_what_is_believed_alone_vouches_for_nobody() -> None:
    signer, authority = OLD_ROOT.issue("DEMONSTRATION Signataire"), OLD_ROOT.authority("DEMONSTRATION Autorité")
    trust = TrustStore((), alone=(signer.certificate, authority.certificate))
    assert trust.assess(signer.certificate, at=NOW).state is TrustState.TRUSTED
    assert trust.assess(authority.issue("Autre").certificate, at=NOW).state is TrustState.UNKNOWN
    assert trust.assess(signer.certificate, at=NOW + 9 * YEAR).state is TrustState.EXPIRED


def test_an_anchor_that_is_no_authority_vouches_for_nobody() -> None:
    signer = OLD_ROOT.issue("DEMONSTRATION Signataire")
    forged = signer.issue("DEMONSTRATION Faux")
    trust = TrustStore((signer.certificate,))
    assert trust.assess(signer.certificate, at=NOW).state is TrustState.TRUSTED
    found = trust.assess(forged.certificate, at=NOW, evidence=Evidence((signer.certificate,)))
    assert found.state is TrustState.UNKNOWN


def test_certificates_are_converted_once_for_many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Holder.root()
    leaf = root.issue("DEMONSTRATION Signataire")
    converted = []
    real = store._converted
    monkeypatch.setattr(store, "_converted", lambda one: converted.append(one) or real(one))
    monkeypatch.setattr(store, "_conversions", store._Converted())
    trust = TrustStore.of([root.certificate])
    for hours in range(5):
        assert trust.assess(leaf.certificate, at=NOW - hours * DAY).state is TrustState.TRUSTED
    assert len(converted) == 2


def _authority_extensions() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return (x509.BasicConstraints(ca=True, path_length=None), True), (usage(authority=True), True)
