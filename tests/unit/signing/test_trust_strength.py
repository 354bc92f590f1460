"""What makes a signature invalid whoever issued the certificate: its usage, its key, a digest that is broken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing.standing import standing
from signing.trust import Evidence, TrustState, TrustStore, paths
from signing.verdicts import Belief
from tests.trust_samples import DAY, NOW, SIGNS, YEAR, Extensions, Holder, usage

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


@pytest.mark.parametrize("use", ["TIME_STAMPING", "OCSP_SIGNING", "SERVER_AUTH", "CODE_SIGNING"])
def test_a_certificate_that_is_reserved_for_something_else_makes_the_signature_invalid(use: str) -> None:
    only = x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, use)])
    both = x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, use), ExtendedKeyUsageOID.EMAIL_PROTECTION])
    found = {
        (extension is only, critical): belief(OLD_ROOT.issue("DEMONSTRATION Signataire", SIGNS, (extension, critical)), BELIEVED)[
            1
        ]
        for extension in (only, both)
        for critical in (True, False)
    }
    assert [place for place, verdict in found.items() if verdict is not Belief.VALID] == [(True, True)]


def test_a_signature_that_states_no_time_is_left_undecided_by_what_ended_since() -> None:
    ended = OLD_ROOT.issue("DEMONSTRATION Signataire", end=NOW - DAY)
    found = standing(ended.certificate, BELIEVED, claimed=None, proved=None, at=NOW)
    assert (found.state, found.belief) == (TrustState.EXPIRED, Belief.INDETERMINATE)
    revoked = OLD_ROOT.issue("DEMONSTRATION Signataire")
    trust = TrustStore.of([OLD_ROOT.certificate], [OLD_ROOT.crl((revoked.certificate, NOW - DAY))])
    found = standing(revoked.certificate, trust, claimed=None, proved=None, at=NOW)
    assert (found.state, found.belief) == (TrustState.REVOKED, Belief.INDETERMINATE)
    good = standing(OLD_ROOT.issue("DEMONSTRATION Signataire").certificate, BELIEVED, claimed=None, proved=None, at=NOW)
    assert "n’annonce pas sa date" in good.reasons[0]


def test_a_weak_key_is_told_even_when_its_certificate_has_ended() -> None:
    weak = OLD_ROOT.issue("DEMONSTRATION Faible", key=rsa.generate_private_key(65537, 1024), end=NOW - DAY)
    found = standing(weak.certificate, BELIEVED, claimed=NOW - YEAR, proved=None, at=NOW)
    assert (found.belief, "RSA-1024" in found.reasons[0]) == (Belief.INVALID, True)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5.6"), b"\x05\x00")
ELSEWHERE = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ailleurs")]))


@pytest.mark.parametrize(
    ("extensions", "words"),
    [
        ([(UNKNOWN, True)], "extension critique"),
        ([(x509.NameConstraints([ELSEWHERE], None), True)], "nameConstraints"),
        ([(x509.PolicyConstraints(0, None), True)], "policyConstraints"),
    ],
    ids=["unknown", "names", "policies"],
)
def test_what_an_authority_must_not_do_is_named(extensions: Extensions, words: str) -> None:
    below = OLD_ROOT.issue("DEMONSTRATION Sous-autorité", *_authority_extensions(), *extensions)
    assert words in why(below.issue("DEMONSTRATION Signataire"), below)


def test_who_is_no_authority_or_has_none_below_or_did_not_sign_is_named() -> None:
    signer = OLD_ROOT.issue("DEMONSTRATION Signataire")
    assert "pas une autorité" in why(signer.issue("Autre"), signer)
    lists_only = OLD_ROOT.issue("Listes", _authority_extensions()[0], (usage(lists=True), True))
    assert "pas une autorité" in why(lists_only.issue("Autre"), lists_only)
    last = OLD_ROOT.issue("Dernière", (x509.BasicConstraints(ca=True, path_length=0), True), (usage(authority=True), True))
    below = last.authority("Une de trop")
    assert "pathLenConstraint" in why(below.issue("Autre"), last, below)
    assert "n’a pas été signé" in why(Holder.root().issue("Faux"))
    assert "extension critique" in why(OLD_ROOT.issue("Signataire", SIGNS, (UNKNOWN, True)))


def why(holder: Holder, *between: Holder) -> str:
    """Say why a certificate is not believed, whose authorities below the root are at hand."""
    found = TrustStore.of([OLD_ROOT.certificate, *(one.certificate for one in between)]).assess(holder.certificate, at=NOW)
    assert found.state is TrustState.UNTRUSTED
    return found.reason or ""


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
    real = paths._converted
    monkeypatch.setattr(paths, "_converted", lambda one: converted.append(one) or real(one))
    monkeypatch.setattr(paths, "_conversions", paths._Converted())
    trust = TrustStore.of([root.certificate])
    for hours in range(5):
        assert trust.assess(leaf.certificate, at=NOW - hours * DAY).state is TrustState.TRUSTED
    assert len(converted) == 2


def _authority_extensions() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return (x509.BasicConstraints(ca=True, path_length=None), True), (usage(authority=True), True)
