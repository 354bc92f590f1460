"""Who is believed, and at what moment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from core import clock
from core.errors import Misconfigured
from signing.pki import Credential, TestAuthority
from signing.standing import standing
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import Belief, worst

NOW = clock.now()
DAY = timedelta(days=1)


def test_a_certificate_of_a_known_authority_is_trusted(trust: TrustStore, credential: Credential) -> None:
    status = trust.assess(credential.certificate, at=NOW)
    assert status.state is TrustState.TRUSTED
    assert status.chain == (credential.certificate, *credential.issuers)
    assert not status.revocation_known


def test_a_certificate_of_another_authority_is_unknown(credential: Credential) -> None:
    other = TrustStore.of([TestAuthority.create("DEMONSTRATION Autre").certificate])
    assert other.assess(credential.certificate, at=NOW).state is TrustState.UNKNOWN


def test_a_certificate_that_vouches_for_itself_is_unknown(trust: TrustStore) -> None:
    stranger = TestAuthority.create("DEMONSTRATION Autre").certificate
    assert trust.assess(stranger, at=NOW, evidence=Evidence((stranger,))).state is TrustState.UNKNOWN


def test_an_authority_that_came_with_the_signature_is_no_anchor(credential: Credential) -> None:
    status = TrustStore(()).assess(credential.certificate, at=NOW, evidence=Evidence(tuple(credential.issuers)))
    assert status.state is TrustState.UNKNOWN


def test_the_folder_tells_anchors_from_material_in_pem_and_der(
    tmp_path: Path, authority: TestAuthority, credential: Credential
) -> None:
    (tmp_path / "root.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "leaf.der").write_bytes(credential.certificate.public_bytes(Encoding.DER))
    (tmp_path / "list.crl").write_bytes(authority.revocations({}).public_bytes(Encoding.DER))
    (tmp_path / "notes.txt").write_text("read by nobody")
    store = TrustStore.from_folder(tmp_path)
    assert store.anchors == (authority.certificate,)
    assert store.material == (credential.certificate,)
    assert len(store.revocations) == 1


def test_what_a_file_of_the_folder_holds_is_told_by_its_octets(
    tmp_path: Path, authority: TestAuthority, credential: Credential
) -> None:
    lists = [authority.revocations({credential.certificate.serial_number: NOW - DAY}), authority.revocations({})]
    bundle = [authority.certificate.public_bytes(Encoding.PEM), *(one.public_bytes(Encoding.PEM) for one in lists)]
    (tmp_path / "bundle.pem").write_bytes(b"# authority and lists\r\n" + b"".join(bundle).replace(b"\n", b"\r\n"))
    (tmp_path / "list.der").write_bytes(lists[0].public_bytes(Encoding.DER))
    store = TrustStore.from_folder(tmp_path)
    assert (store.anchors, len(store.revocations)) == ((authority.certificate,), 3)
    assert store.assess(credential.certificate, at=NOW).state is TrustState.REVOKED


def test_what_is_neither_a_certificate_nor_a_list_stays_in_its_file(
    tmp_path: Path, authority: TestAuthority, credential: Credential
) -> None:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x"))
    assert b"DEK-Info" in key
    attributes = b"-----BEGIN ATTRIBUTE CERTIFICATE-----\nMAA=\n-----END ATTRIBUTE CERTIFICATE-----\n"
    (tmp_path / "bundle.pem").write_bytes(key + attributes + authority.certificate.public_bytes(Encoding.PEM))
    assert TrustStore.from_folder(tmp_path).anchors == (authority.certificate,)


def test_a_folder_with_an_unreadable_certificate_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("not a certificate")
    with pytest.raises(Misconfigured, match=r"root\.pem"):
        TrustStore.from_folder(tmp_path)


def test_an_absent_folder_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        TrustStore.from_folder(tmp_path / "absent")


def test_a_revoked_certificate_is_revoked_from_its_day_on(authority: TestAuthority, credential: Credential) -> None:
    since = NOW - DAY / 2
    listing = authority.revocations({credential.certificate.serial_number: since}, at=since)
    store = TrustStore.of([authority.certificate], [listing])
    assert store.assess(credential.certificate, at=since - DAY / 4).state is TrustState.TRUSTED
    assert store.assess(credential.certificate, at=NOW).state is TrustState.REVOKED


def test_the_list_of_another_authority_revokes_nothing(authority: TestAuthority, credential: Credential) -> None:
    forger = TestAuthority.create()  # the same name, another key
    listing = forger.revocations({credential.certificate.serial_number: NOW - DAY})
    status = TrustStore.of([authority.certificate], [listing]).assess(credential.certificate, at=NOW)
    assert status.state is TrustState.TRUSTED
    assert not status.revocation_known


def test_a_fresh_list_makes_revocation_known(authority: TestAuthority, credential: Credential) -> None:
    store = TrustStore.of([authority.certificate], [authority.revocations({})])
    assert store.assess(credential.certificate, at=NOW).revocation_known


def test_dates_come_before_the_authority(credential: Credential) -> None:
    nobody = TrustStore(())
    late = credential.certificate.not_valid_after_utc + DAY
    early = credential.certificate.not_valid_before_utc - DAY
    assert nobody.assess(credential.certificate, at=late).state is TrustState.EXPIRED
    assert nobody.assess(credential.certificate, at=early).state is TrustState.NOT_YET_VALID


def test_a_weak_key_is_not_trusted_whoever_issued_it(authority: TestAuthority, trust: TrustStore) -> None:
    weak = authority.seal(bits=1024).certificate
    assert trust.assess(weak, at=NOW).state is TrustState.UNTRUSTED


def test_a_certificate_that_has_expired_since_leaves_the_signature_unproved(trust: TrustStore, credential: Credential) -> None:
    later = credential.certificate.not_valid_after_utc + DAY
    found = standing(credential.certificate, trust, claimed=NOW, proved=None, at=later)
    assert (found.state, found.belief) == (TrustState.EXPIRED, Belief.INDETERMINATE)


def test_a_timestamp_of_the_time_keeps_it_valid(trust: TrustStore, credential: Credential) -> None:
    later = credential.certificate.not_valid_after_utc + DAY
    found = standing(credential.certificate, trust, claimed=NOW, proved=NOW, at=later)
    assert (found.state, found.belief) == (TrustState.TRUSTED, Belief.VALID)


def test_a_certificate_expired_at_the_claimed_time_makes_the_signature_invalid(trust: TrustStore, credential: Credential) -> None:
    later = credential.certificate.not_valid_after_utc + DAY
    found = standing(credential.certificate, trust, claimed=later, proved=None, at=later)
    assert (found.state, found.belief) == (TrustState.EXPIRED, Belief.INVALID)


def test_a_revocation_after_the_claimed_time_leaves_it_unproved(authority: TestAuthority, credential: Credential) -> None:
    listing = authority.revocations({credential.certificate.serial_number: NOW - DAY / 4})
    store = TrustStore.of([authority.certificate], [listing])
    claimed = NOW - DAY / 2
    found = standing(credential.certificate, store, claimed=claimed, proved=None, at=NOW)
    assert (found.state, found.belief) == (TrustState.REVOKED, Belief.INDETERMINATE)
    backdated = standing(credential.certificate, store, claimed=claimed, proved=NOW, at=NOW)
    assert backdated.belief is Belief.INVALID


def test_without_anchors_nothing_is_better_than_indeterminate(credential: Credential) -> None:
    found = standing(credential.certificate, None, claimed=NOW, proved=None, at=NOW)
    assert (found.state, found.belief) == (TrustState.UNKNOWN, Belief.INDETERMINATE)


def test_the_worst_belief_wins() -> None:
    assert worst([Belief.VALID, Belief.INVALID, Belief.INDETERMINATE]) is Belief.INVALID
    assert worst([Belief.VALID, Belief.INDETERMINATE]) is Belief.INDETERMINATE
    assert worst([]) is Belief.VALID
