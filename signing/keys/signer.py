"""What every key looks like from where something is signed."""

from __future__ import annotations

from typing import Protocol

from cryptography import x509


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
