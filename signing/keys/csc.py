"""A key that a remote service keeps: the API of the Cloud Signature Consortium, version 2.0 (ETSI TS 119 432) and version 1.0.

What is signed is hashed here; only hashes travel. Each value that comes back is verified before it is given on.

    ServiceUnavailable (Unavailable)    no answer, too many calls, or a fault of the service: worth trying again
    AddressRefused (Misconfigured)      a network that the operator does not permit: see ``core.addresses``
    ServiceMisread (Misconfigured)      another address, another version, a key that the service does not know
    AccessEnded (NeedsOperator)         the access token is refused: the service must be connected to anew
    ProofRefused (NeedsOperator)        the PIN or the one-time code is wrong, or its authorisation has run out
    ServiceRefused (NeedsOperator)      any other refusal, in the service's own words
    RemoteKeyRefused (KeyRefused)       the key is disabled, locked, or its certificate is no longer good

Uncertain, since services differ and the text leaves it open:

- how an ECDSA value is encoded (DER, or ``r`` and ``s`` side by side): both are read, and the one that verifies is kept;
- which words go with ``invalid_request``: those of the specification's tables (11.6, 11.10) are recognised, others shown;
- version 1 gives other names to the same things (``hash``, ``hashAlgo``, ``PIN``, ``OTP``, ``authMode``); they are those of its
  text 1.0.4.0, met here only in our simulator;
- keys authorised by a page of the service (``oauth2code``) need a browser: they are refused, by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from core.messages import Catalogue
from signing.algorithms import METHODS, method_of, raw_ecdsa, value_holds
from signing.keys.csc_client import Credential, CscClient, CscSettings
from signing.keys.csc_errors import (
    AccessEnded,
    ProofRefused,
    RemoteKeyRefused,
    ServiceMisread,
    ServiceRefused,
    ServiceUnavailable,
)

__all__ = [
    "AccessEnded",
    "CscClient",
    "CscSettings",
    "CscSigner",
    "ProofRefused",
    "RemoteKeyRefused",
    "ServiceMisread",
    "ServiceRefused",
    "ServiceUnavailable",
]

_messages = Catalogue("signing")


class CscSigner:
    """A remote key, ready to sign with the proofs that its holder gave for this occasion."""

    def __init__(self, client: CscClient, credential: Credential, proofs: Mapping[str, str]) -> None:
        self._client = client
        self._credential = credential
        self._proofs = proofs

    @classmethod
    def open(cls, settings: CscSettings, identifier: str, proofs: Mapping[str, str]) -> Self:
        """Read the key from the service.

        Args:
            settings: where the service is.
            identifier: of the key there.
            proofs: what its holder shows, by name (``PIN``, ``OTP``).
        """
        client = CscClient(settings)
        return cls(client, client.credential(identifier), proofs)

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""
        return self._credential.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The authorities above it."""
        return self._credential.chain

    def sign(self, octets: bytes) -> bytes:
        """Return the raw value over the octets, with SHA-256."""
        return self.sign_all([octets])[0]

    def sign_all(self, batch: Sequence[bytes]) -> list[bytes]:
        """Return the raw values over several octets, in their order, with one authorisation as far as the service allows.

        A one-time code covers one authorisation: a batch beyond that is refused before anything is sent.

        Raises:
            ProofRefused, RemoteKeyRefused, ServiceUnavailable, AccessEnded, ServiceRefused, ServiceMisread: see the module.
        """
        most = self._credential.most
        if len(batch) > most and "OTP" in self._credential.proofs:
            raise ProofRefused(_messages("keys.csc_too_many", most=most, asked=len(batch)))
        parts = [batch[start : start + most] for start in range(0, len(batch), most)]
        return [value for part in parts for value in self._part(part)]

    def _part(self, part: Sequence[bytes]) -> list[bytes]:
        digests = [hashlib.sha256(octets).digest() for octets in part]
        sad = self._client.authorize(self._credential, digests, self._proofs)
        values = self._client.sign_hashes(self._credential, sad, digests)
        return [self._verified(value, octets) for value, octets in zip(values, part, strict=True)]

    def _verified(self, value: bytes, octets: bytes) -> bytes:
        method = METHODS[method_of(self.certificate)]
        for candidate in (value, _raw(value, self.certificate)):
            if candidate is not None and value_holds(self.certificate, method, candidate, octets):
                return candidate
        raise ServiceRefused(_messages("keys.csc_value"))


def _raw(value: bytes, certificate: x509.Certificate) -> bytes | None:
    key = certificate.public_key()
    try:
        return raw_ecdsa(value, key.key_size) if isinstance(key, ec.EllipticCurvePublicKey) else None
    except (ValueError, OverflowError):
        return None
