"""Keys that may sign, and those that may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from core import clock
from signing.algorithms import METHODS, method_of, value_holds
from signing.keys import KeyNotForSigning, KeyOutOfDate, KeyTooWeak, KeyUnreadable, Pkcs12Signer, name_of
from signing.pki import MARK, Credential, TestAuthority


def load(credential: Credential) -> Pkcs12Signer:
    return Pkcs12Signer.load(credential.as_pkcs12("secret"), "secret")


def usage(*, encipherment: bool = False, commitment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(False, commitment, encipherment, False, False, False, False, False, False)


@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 384), ("ec", 521)])
def test_a_key_of_the_right_strength_signs_what_its_certificate_verifies(
    authority: TestAuthority, family: str, bits: int
) -> None:
    signer = load(authority.seal(family=family, bits=bits))
    method = METHODS[method_of(signer.certificate)]
    value = signer.sign(b"octets")
    assert value_holds(signer.certificate, method, value, b"octets")
    assert not value_holds(signer.certificate, method, value, b"other octets")
    assert not value_holds(signer.certificate, method, value[:-1], b"octets")


def test_a_method_of_another_family_than_the_key_never_holds(authority: TestAuthority) -> None:
    signer = load(authority.seal(family="ec", bits=256))
    rsa = METHODS["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"]
    assert not value_holds(signer.certificate, rsa, signer.sign(b"octets"), b"octets")


def test_the_chain_of_the_file_comes_with_the_key(authority: TestAuthority, signer: Pkcs12Signer) -> None:
    assert signer.chain == (authority.certificate,)
    assert MARK in name_of(signer.certificate)


def test_another_password_is_refused_without_naming_the_right_one(credential: Credential) -> None:
    with pytest.raises(KeyUnreadable, match="mot de passe"):
        Pkcs12Signer.load(credential.as_pkcs12("secret"), "guess")


@pytest.mark.parametrize("data", [b"", b"not a key", b"\x30\x82\xff\xff", bytes(2 << 20)])
def test_what_is_no_pkcs12_is_refused(data: bytes) -> None:
    with pytest.raises(KeyUnreadable):
        Pkcs12Signer.load(data, "secret")


def test_an_rsa_key_below_2048_bits_is_refused(authority: TestAuthority) -> None:
    with pytest.raises(KeyTooWeak, match="RSA-1024"):
        load(authority.seal(bits=1024))


def test_an_expired_certificate_is_refused(authority: TestAuthority) -> None:
    now = clock.now()
    with pytest.raises(KeyOutOfDate, match="expiré"):
        load(authority.seal(bits=2048, start=now - timedelta(days=9), end=now - timedelta(days=1)))


def test_a_certificate_that_begins_tomorrow_is_refused(authority: TestAuthority) -> None:
    with pytest.raises(KeyOutOfDate, match="à partir du"):
        load(authority.seal(bits=2048, start=clock.now() + timedelta(days=1)))


def test_a_certificate_for_encryption_only_is_refused(authority: TestAuthority) -> None:
    with pytest.raises(KeyNotForSigning):
        load(authority.seal(bits=2048, usage=usage(encipherment=True)))


def test_a_certificate_for_non_repudiation_only_signs(authority: TestAuthority) -> None:
    assert load(authority.seal(bits=2048, usage=usage(commitment=True))).sign(b"octets")


def test_the_key_does_not_show_in_its_representation(signer: Pkcs12Signer) -> None:
    assert repr(signer).startswith("Pkcs12Signer('CN=")


def test_a_qualified_seal_says_so_in_its_statements(authority: TestAuthority) -> None:
    certificate = authority.seal(bits=2048, qualified=True).certificate
    statements = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")).value
    assert isinstance(statements, x509.UnrecognizedExtension)
    assert bytes.fromhex("060704008e46010602") in statements.value  # 0.4.0.1862.1.6.2, eseal
