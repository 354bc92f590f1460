"""What signs octets: one small protocol, and the key that lives in a PKCS#12 file.

A token, a security module or a remote service is the same noun: something with a certificate that turns octets into a
signature value. Where keys are stored and who may use them is not decided here.

    KeyRefused (UsageError)
    ├── KeyUnreadable           not a PKCS#12, or another password
    ├── KeyTooWeak              RSA below 2048 bits, an unusual curve
    ├── KeyOutOfDate            its certificate is expired or not yet valid
    └── KeyNotForSigning        its certificate is for something else than signing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS, raw_ecdsa, weakness

_messages = Catalogue("signing")
_LARGEST_PKCS12 = 1 << 20


class KeyRefused(UsageError):
    """A key that must not sign."""


class KeyUnreadable(KeyRefused):
    """What was handed over is no PKCS#12 with a key and its certificate, or the password is another one."""


class KeyTooWeak(KeyRefused):
    """The key is below the floor: RSA of 2048 bits, or a curve P-256, P-384, P-521."""


class KeyOutOfDate(KeyRefused):
    """The certificate is not valid today."""


class KeyNotForSigning(KeyRefused):
    """The certificate's usage allows neither signature nor non-repudiation."""


class Signer(Protocol):
    """Whatever turns octets into a signature value."""

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The authorities above it, nearest first, as far as they are known."""

    def sign(self, octets: bytes) -> bytes:
        """Return the raw value over the octets with SHA-256, as XMLDSig wants it.

        RSA: PKCS#1 v1.5; ECDSA: ``r`` and ``s`` side by side.
        """


@dataclass(frozen=True, slots=True)
class Pkcs12Signer:
    """A key and its certificate, read from a PKCS#12 file and kept in memory only.

    Attributes:
        certificate: the certificate of the key.
        chain: the other certificates of the file.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    _key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, data: bytes, password: str) -> Self:
        """Read a PKCS#12 and hold its key against the floor.

        Raises:
            KeyUnreadable: not a PKCS#12, another password, no key or no certificate in it.
            KeyTooWeak: RSA below 2048 bits, or a curve that is not admitted.
            KeyOutOfDate: expired, or not valid yet.
            KeyNotForSigning: keyUsage without digitalSignature and without nonRepudiation.
        """
        if len(data) > _LARGEST_PKCS12:
            raise KeyUnreadable(_messages("key.unreadable"))
        try:
            key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode())
        except CERTIFICATE_FLAWS as error:
            raise KeyUnreadable(_messages("key.unreadable")) from error
        if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise KeyUnreadable(_messages("key.unreadable"))
        if key.public_key() != certificate.public_key():
            raise KeyUnreadable(_messages("key.unmatched"))
        check_fit(certificate, clock.now())
        return cls(certificate, tuple(others), key)

    def sign(self, octets: bytes) -> bytes:
        """Return the raw value over the octets, with SHA-256."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        return raw_ecdsa(self._key.sign(octets, ec.ECDSA(hashes.SHA256())), self._key.key_size)

    def __repr__(self) -> str:
        """Show whose key it is, and nothing of it."""
        return f"Pkcs12Signer({self.certificate.subject.rfc4514_string()!r})"


def check_fit(certificate: x509.Certificate, at: datetime) -> None:
    """Refuse a certificate that must not sign at this moment.

    Raises:
        KeyTooWeak: RSA below 2048 bits, or a curve that is not admitted.
        KeyOutOfDate: expired, or not valid yet.
        KeyNotForSigning: keyUsage without digitalSignature and without nonRepudiation.
    """
    if weak := weakness(certificate):
        raise KeyTooWeak(_messages("key.weak", found=weak))
    if at > certificate.not_valid_after_utc:
        raise KeyOutOfDate(_messages("key.expired", date=f"{certificate.not_valid_after_utc:%d/%m/%Y}"))
    if at < certificate.not_valid_before_utc:
        raise KeyOutOfDate(_messages("key.early", date=f"{certificate.not_valid_before_utc:%d/%m/%Y}"))
    if not may_sign(certificate):
        raise KeyNotForSigning(_messages("key.usage"))


def may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether keyUsage allows digitalSignature or nonRepudiation; absent, it allows everything (RFC 5280, 4.2.1.3)."""
    usage = key_usage(certificate)
    return usage is None or usage.digital_signature or usage.content_commitment


def commits(certificate: x509.Certificate) -> bool:
    """Tell whether keyUsage names nonRepudiation, which the DGFiP asks of whoever signs a PES."""
    usage = key_usage(certificate)
    return usage is not None and usage.content_commitment


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """Return the keyUsage extension, or None when the certificate has none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def name_of(certificate: x509.Certificate) -> str:
    """Return the name to show for a certificate's holder: common name, else organisation, else the whole name."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := certificate.subject.get_attributes_for_oid(oid):
            return str(found[0].value)
    return certificate.subject.rfc4514_string()
