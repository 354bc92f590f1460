"""What lists and OCSP answers say of a certificate, and at which moment it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from core.errors import Misconfigured
from signing.standing import standing
from signing.trust import Evidence, TrustState, TrustStatus, TrustStore
from signing.verdicts import Belief
from tests.trust_samples import DAY, NOW, OCSP_SIGNING, TIME_STAMPING, YEAR, Holder, usage

ROOT = Holder.root()
LEAF = ROOT.issue("DEMONSTRATION Signataire")
STRANGER = Holder.root()  # the same name, another key
RESPONDER = ROOT.issue("DEMONSTRATION Répondeur", (usage(signature=True), True), (OCSP_SIGNING, False))
STAMPER = ROOT.issue("DEMONSTRATION Horodatage", (usage(signature=True), True), (TIME_STAMPING, True))
HOLD = x509.ReasonFlags.certificate_hold
REMOVED = x509.ReasonFlags.remove_from_crl
REVOKED, UNKNOWN = ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
HALF = DAY / 2


def assess(*answers: bytes, lists: tuple[x509.CertificateRevocationList, ...] = (), at=NOW) -> TrustStatus:  # type: ignore[no-untyped-def]
    return TrustStore.of([ROOT.certificate], lists, answers).assess(LEAF.certificate, at=at)


def known(status: TrustStatus) -> bool:
    """Trusted, and not for want of anything better."""
    assert status.state is TrustState.TRUSTED
    return status.revocation_known


def good(by: Holder = ROOT, **words: object) -> bytes:
    return by.answer(LEAF.certificate, ROOT.certificate, **words)  # type: ignore[arg-type]


def revoked(by: Holder = ROOT, **words: object) -> bytes:
    return good(by, status=REVOKED, **({"since": NOW - HALF} | words))


def test_an_answer_of_the_authority_makes_revocation_known() -> None:
    assert not known(assess())
    assert known(assess(good()))


def test_an_answer_may_name_the_issuer_by_another_digest() -> None:
    assert known(assess(good(digest=hashes.SHA256())))


def test_an_answer_says_since_when_a_certificate_is_revoked() -> None:
    assert assess(revoked()).state is TrustState.REVOKED
    assert assess(revoked(), at=NOW - DAY).state is TrustState.TRUSTED


def test_what_came_with_the_signature_counts_as_much_as_the_folder() -> None:
    store = TrustStore.of([ROOT.certificate])
    assert store.assess(LEAF.certificate, at=NOW, evidence=Evidence(answers=(good(),))).revocation_known
    assert store.assess(LEAF.certificate, at=NOW, evidence=Evidence(answers=(revoked(),))).state is TrustState.REVOKED


def test_a_responder_that_the_authority_named_is_believed() -> None:
    assert known(assess(good(RESPONDER, certificates=(RESPONDER.certificate,))))
    assert assess(revoked(RESPONDER, certificates=(RESPONDER.certificate,))).state is TrustState.REVOKED


def test_a_responder_whose_certificate_is_absent_is_not_believed() -> None:
    assert not known(assess(good(RESPONDER)))


@pytest.mark.parametrize(
    "responder",
    [
        pytest.param(STRANGER, id="an authority of the same name"),
        pytest.param(STRANGER.issue("Répondeur", (OCSP_SIGNING, False)), id="named by another authority"),
        pytest.param(ROOT.issue("Répondeur"), id="without id-kp-OCSPSigning"),
        pytest.param(ROOT.issue("Répondeur", (OCSP_SIGNING, False), end=NOW - YEAR), id="expired"),
        pytest.param(ROOT.authority("Sous-autorité").issue("Répondeur", (OCSP_SIGNING, False)), id="named further below"),
    ],
)
def test_a_foreign_responder_says_nothing(responder: Holder) -> None:
    assert not known(assess(good(responder, certificates=(responder.certificate,))))
    assert not known(assess(revoked(responder, certificates=(responder.certificate,))))


def test_a_revoked_responder_says_nothing_unless_it_is_not_to_be_checked() -> None:
    unchecked = ROOT.issue("Répondeur", (OCSP_SIGNING, False), (x509.OCSPNoCheck(), False))
    for responder, believed in ((RESPONDER, False), (unchecked, True)):
        listing = ROOT.crl((responder.certificate, NOW - YEAR), extensions=[(x509.DeltaCRLIndicator(1), True)])
        answer = good(responder, certificates=(responder.certificate,))
        assert known(assess(answer, lists=(listing,))) is believed


def test_an_answer_about_another_certificate_says_nothing() -> None:
    other = ROOT.issue("DEMONSTRATION Autre")
    assert not known(assess(ROOT.answer(other.certificate, ROOT.certificate)))
    assert not known(assess(ROOT.answer(LEAF.certificate, STRANGER.certificate)))


def test_a_status_that_the_responder_does_not_know_says_nothing() -> None:
    assert not known(assess(good(status=UNKNOWN)))


def test_an_outdated_answer_says_nothing_of_later_moments() -> None:
    stale = good(said=NOW - 9 * DAY, until=NOW - 2 * DAY)
    assert not known(assess(stale))
    assert known(assess(stale, at=NOW - 3 * DAY))


def test_an_answer_without_a_next_one_speaks_of_what_was_before_it() -> None:
    alone = good(said=NOW - DAY, until=None)
    assert not known(assess(alone))
    assert known(assess(alone, at=NOW - 2 * DAY))


def test_an_outdated_answer_still_revokes() -> None:
    assert assess(revoked(said=NOW - 9 * DAY, until=NOW - 2 * DAY, since=NOW - 20 * DAY)).state is TrustState.REVOKED


def test_an_answer_from_the_future_says_nothing() -> None:
    assert not known(assess(good(said=NOW + DAY, until=NOW + 9 * DAY)))


def test_an_answer_produced_in_the_future_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    then = NOW - 5 * DAY
    answer = good(said=NOW - 6 * DAY)  # produced today, whatever it says of an earlier day
    assert known(assess(answer, at=then))
    monkeypatch.setattr(clock, "now", lambda: then)
    assert not known(assess(answer, at=then))


def test_an_answer_made_after_the_certificate_expired_says_nothing_good() -> None:
    leaf = ROOT.issue("DEMONSTRATION Échu", end=NOW - 5 * DAY)
    late = ROOT.answer(leaf.certificate, ROOT.certificate)
    store = TrustStore.of([ROOT.certificate], answers=[late])
    assert not known(store.assess(leaf.certificate, at=NOW - 9 * DAY))


def test_an_altered_answer_says_nothing() -> None:
    answer = bytearray(good())
    answer[-1] ^= 1
    assert not known(assess(bytes(answer)))


def test_an_error_of_the_responder_says_nothing() -> None:
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
    assert not known(assess(refusal))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 200))
def test_broken_answers_say_nothing_and_break_nothing(noise: bytes, where: int) -> None:
    whole = good()
    for broken in (noise, whole[:where], whole[:where] + noise + whole[where + len(noise) + 1 :]):
        assert not known(assess(broken))


def test_a_certificate_missing_from_an_outdated_list_is_not_known_good() -> None:
    assert not known(assess(lists=(ROOT.crl(said=NOW - 9 * DAY, until=NOW - 2 * DAY),)))
    assert known(assess(lists=(ROOT.crl(),)))


def test_a_list_that_may_have_dropped_an_expired_certificate_says_nothing() -> None:
    leaf = ROOT.issue("DEMONSTRATION Échu", end=NOW - 5 * DAY)
    store = TrustStore.of([ROOT.certificate], [ROOT.crl()])
    assert not known(store.assess(leaf.certificate, at=NOW - 9 * DAY))


def test_a_list_signed_with_a_key_that_is_not_for_lists_says_nothing() -> None:
    certifies = (x509.BasicConstraints(ca=True, path_length=None), True), (usage(authority=True, lists=False), True)
    below = ROOT.issue("DEMONSTRATION Sous-autorité", *certifies)
    leaf = below.issue("DEMONSTRATION Signataire")
    store = TrustStore.of([ROOT.certificate, below.certificate], [below.crl((leaf.certificate, NOW - DAY))])
    assert not known(store.assess(leaf.certificate, at=NOW))


def test_a_list_of_the_future_says_nothing() -> None:
    assert not known(assess(lists=(ROOT.crl(said=NOW + DAY, until=NOW + 9 * DAY),)))


def test_a_list_of_changes_revokes_and_is_silent_on_the_rest() -> None:
    delta = [(x509.DeltaCRLIndicator(1), True)]
    assert not known(assess(lists=(ROOT.crl(extensions=delta),)))
    assert assess(lists=(ROOT.crl((LEAF.certificate, NOW - DAY), extensions=delta),)).state is TrustState.REVOKED


def point(**changes: object) -> tuple[x509.ExtensionType, bool]:
    fields = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"), False
    )
    return x509.IssuingDistributionPoint(
        **({"full_name": None, "relative_name": None, "only_some_reasons": None} | fields | changes)  # type: ignore[arg-type]
    ), True


PLACE = [x509.UniformResourceIdentifier("http://lists.example/users.crl")]


@pytest.mark.parametrize(
    ("scope", "speaks"),
    [
        (point(only_contains_user_certs=True), True),
        (point(only_contains_ca_certs=True), False),
        (point(only_contains_attribute_certs=True), False),
        (point(indirect_crl=True), False),
        (point(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), False),
        (point(full_name=PLACE), True),
        (point(full_name=[x509.UniformResourceIdentifier("http://lists.example/other.crl")]), False),
    ],
)
def test_a_list_speaks_of_the_certificates_in_its_scope(scope: tuple[x509.ExtensionType, bool], speaks: bool) -> None:
    points = x509.CRLDistributionPoints([x509.DistributionPoint(PLACE, None, None, None)])
    leaf = ROOT.issue("DEMONSTRATION Signataire", (usage(signature=True), True), (points, False))
    store = TrustStore.of([ROOT.certificate], [ROOT.crl(extensions=[scope])])
    assert known(store.assess(leaf.certificate, at=NOW)) is speaks


def test_an_unknown_critical_extension_silences_a_list() -> None:
    odd = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
    assert not known(assess(lists=(ROOT.crl((LEAF.certificate, NOW - YEAR), extensions=[odd]),)))


def test_a_hold_counts_until_it_is_lifted() -> None:
    held = ROOT.crl((LEAF.certificate, NOW - 6 * DAY, HOLD), said=NOW - 5 * DAY)
    free = ROOT.crl(said=NOW - 2 * DAY)
    assert assess(lists=(held,)).state is TrustState.REVOKED
    assert known(assess(lists=(held, free)))
    assert assess(lists=(held, free), at=NOW - 4 * DAY).state is TrustState.REVOKED


def test_a_hold_is_lifted_by_a_list_of_changes_or_an_answer() -> None:
    held = ROOT.crl((LEAF.certificate, NOW - 6 * DAY, HOLD), said=NOW - 5 * DAY)
    removed = ROOT.crl((LEAF.certificate, NOW - 2 * DAY, REMOVED), said=NOW - DAY, extensions=[(x509.DeltaCRLIndicator(1), True)])
    assert known(assess(lists=(held, removed)))
    assert known(assess(good(), lists=(held,)))


def test_an_older_word_lifts_no_hold() -> None:
    held = ROOT.crl((LEAF.certificate, NOW - 3 * DAY, HOLD), said=NOW - 2 * DAY)
    assert assess(good(said=NOW - 5 * DAY), lists=(held,)).state is TrustState.REVOKED


def test_a_revocation_for_good_is_lifted_by_nothing() -> None:
    gone = ROOT.crl((LEAF.certificate, NOW - 6 * DAY, x509.ReasonFlags.key_compromise), said=NOW - 5 * DAY)
    assert assess(good(), lists=(gone, ROOT.crl())).state is TrustState.REVOKED


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ((), TrustState.REVOKED),
        ((x509.ReasonFlags.key_compromise,), TrustState.REVOKED),
        ((x509.ReasonFlags.superseded,), TrustState.TRUSTED),
        ((x509.ReasonFlags.cessation_of_operation,), TrustState.TRUSTED),
    ],
)
def test_a_timestamping_key_that_may_be_in_other_hands_proves_nothing_even_before(
    reason: tuple[x509.ReasonFlags, ...], state: TrustState
) -> None:
    listed = ROOT.crl((STAMPER.certificate, NOW - 2 * DAY, *reason))
    answer = {"status": REVOKED, "since": NOW - 2 * DAY, "reason": reason[0] if reason else None}
    told = ROOT.answer(STAMPER.certificate, ROOT.certificate, **answer)  # type: ignore[arg-type]
    for store in (TrustStore.of([ROOT.certificate], [listed]), TrustStore.of([ROOT.certificate], answers=[told])):
        assert store.assess(STAMPER.certificate, at=NOW - 5 * DAY, seen=NOW).state is state
        assert store.assess(STAMPER.certificate, at=NOW - 5 * DAY, seen=NOW - 3 * DAY).state is TrustState.TRUSTED


def test_an_authority_below_the_anchor_is_checked_too() -> None:
    below = ROOT.authority("DEMONSTRATION Sous-autorité")
    leaf = below.issue("DEMONSTRATION Signataire")
    material = [ROOT.certificate, below.certificate]
    half = TrustStore.of(material, [below.crl()])
    assert not known(half.assess(leaf.certificate, at=NOW))
    whole = TrustStore.of(material, [below.crl()], [ROOT.answer(below.certificate, ROOT.certificate)])
    assert known(whole.assess(leaf.certificate, at=NOW))
    gone = TrustStore.of(material, [below.crl(), ROOT.crl((below.certificate, NOW - YEAR))])
    assert gone.assess(leaf.certificate, at=NOW).state is TrustState.REVOKED


def test_a_revocation_after_the_proved_time_leaves_the_signature_valid() -> None:
    store = TrustStore.of([ROOT.certificate], answers=[revoked(since=NOW - DAY)])

    def belief(claimed, proved) -> tuple[TrustState, Belief]:  # type: ignore[no-untyped-def]
        found = standing(LEAF.certificate, store, claimed=claimed, proved=proved, at=NOW)
        return found.state, found.belief

    assert belief(NOW - 3 * DAY, NOW - 2 * DAY) == (TrustState.TRUSTED, Belief.VALID)
    assert belief(NOW - 3 * DAY, None) == (TrustState.REVOKED, Belief.INDETERMINATE)
    assert belief(NOW - 3 * DAY, NOW - HALF) == (TrustState.REVOKED, Belief.INVALID)
    assert belief(NOW - HALF, None) == (TrustState.REVOKED, Belief.INVALID)


def test_the_folder_holds_answers(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "one.ors").write_bytes(good())
    (tmp_path / "two.OCSP").write_bytes(revoked())
    store = TrustStore.from_folder(tmp_path)
    assert len(store.answers) == 2
    assert store.assess(LEAF.certificate, at=NOW).state is TrustState.REVOKED
    (tmp_path / "three.ors").write_bytes(b"not an answer")
    with pytest.raises(Misconfigured, match=r"three\.ors"):
        TrustStore.from_folder(tmp_path)
