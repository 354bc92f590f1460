"""A key that lives in a PKCS#12 file, and in memory while it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from core import clock
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS, raw_ecdsa
from signing.keys.fitness import KeyRefused, check_fit

_messages = Catalogue("signing")
_LARGEST_PKCS12 = 1 << 20


class KeyUnreadable(KeyRefused):
    """What was handed over is no PKCS#12 with a key and its certificate, or the password is another one."""


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
