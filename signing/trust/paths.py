"""Building and validating the path from a certificate to an anchor, by pyhanko-certvalidator (RFC 5280, 6.1), without network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.messages import Catalogue
from signing.algorithms import SHA1_REFUSED_FROM
from signing.trust.status import TrustState, TrustStatus

_messages = Catalogue("signing")
BROKEN_HASHES = ("md2", "md5")
_MOST_CONVERTED = 4096
# what the validator says of a path that breaks, which it tells in words alone
_FLAWS = {
    "critical extension": "trust.critical",
    "maximum path length": "trust.path_length",
    "is not a CA": "trust.not_authority",
    "not allowed to sign certificates": "trust.not_authority",
    "namespace": "trust.names",
    "set of policies": "trust.policies",
    "signature of": "trust.forged",
}


def path_of(
    certificate: x509.Certificate,
    *,
    at: datetime,
    anchors: Sequence[x509.Certificate],
    material: Iterable[x509.Certificate],
) -> TrustStatus:
    """Find a path from a certificate to an anchor that was valid at a moment; revocation is not looked at.

    Runs an event loop of its own: call it from a thread without one.

    Returns:
        Trusted, with the path; unknown without words when there is none; else why the one there is does not hold.
    """
    # Heavy: the validator is loaded by who holds a certificate against the store, not by who may.
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import (
        DisallowedAlgorithmError,
        ExpiredError,
        NotYetValidError,
        PathBuildingError,
        ValidationError,
    )

    context = ValidationContext(
        trust_roots=[_asn1(anchor) for anchor in anchors],
        other_certs=[_asn1(other) for other in material if _indexable(other)],
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail",
        weak_hash_algos=BROKEN_HASHES if at.year < SHA1_REFUSED_FROM else (*BROKEN_HASHES, "sha1"),
    )
    validator = CertificateValidator(_asn1(certificate), validation_context=context)
    try:
        path = asyncio.run(validator.async_validate_usage(set()))  # type: ignore[no-untyped-call]
    except PathBuildingError:
        return TrustStatus(TrustState.UNKNOWN)
    except ExpiredError:
        return TrustStatus(TrustState.EXPIRED, _messages("trust.chain_expired"))
    except NotYetValidError:
        return TrustStatus(TrustState.NOT_YET_VALID, _messages("trust.chain_early"))
    except DisallowedAlgorithmError:
        return TrustStatus(TrustState.UNTRUSTED, _messages("trust.sha1"))
    except (ValidationError, ValueError, TypeError) as error:  # the last two: a certificate whose extensions cannot be read
        if certificate.issuer == certificate.subject:
            return TrustStatus(TrustState.UNKNOWN)
        return TrustStatus(TrustState.UNTRUSTED, _messages(_flaw(error)))
    chain = tuple(x509.load_der_x509_certificate(member.dump()) for member in path)[::-1]
    return TrustStatus(TrustState.TRUSTED, chain=chain)


def _flaw(error: Exception) -> str:
    """Return the key of what breaks a path, by the words of the validator."""
    return next((key for words, key in _FLAWS.items() if words in str(error)), "trust.chain")


def _indexable(certificate: x509.Certificate) -> bool:
    """Tell whether the path validator can index a certificate: a stranger may bring one that only some parsers read."""
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    try:
        return SimpleCertificateStore().register(_asn1(certificate))  # type: ignore[no-untyped-call]
    except (ValueError, TypeError):
        return False


class _Converted(threading.local):
    """Certificates as the path validator wants them, each read once by each thread.

    Its readings fill themselves in while they are used, which two threads must not do to one and the same.
    """

    def __init__(self) -> None:
        self.of: Callable[[x509.Certificate], asn1_x509.Certificate] = lru_cache(maxsize=_MOST_CONVERTED)(_converted)


def _converted(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


_conversions = _Converted()


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return _conversions.of(certificate)
