"""Until when a timestamp token proves by itself: the end of its authority's certificate, or of one above it that ends before.

After that nobody is bound to say any more whether the certificate was revoked, and its key is only as strong as it was then:
what has to last longer is put under another token in time (`archive.proof.ers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from signing.algorithms import CERTIFICATE_FLAWS
from signing.timestamp.parts import Parts
from signing.trust import TrustStore


def end_of_certificate(token: bytes, trust: TrustStore | None = None) -> datetime:
    """Return until when a token proves by itself.

    Of two certificates of one authority the one that ends last counts: an old cross-certificate that came along shortens nothing.

    Args:
        token: its DER; it need not bring any certificate.
        trust: where certificates are looked for that the token does not bring.

    Raises:
        TokenUnreadable: it is no token, or the certificate of its authority is nowhere.
    """
    known = (*trust.material, *trust.anchors) if trust else ()
    parts = Parts.read(token, known)
    return min(one.not_valid_after_utc for one in _path(parts.signer, (*parts.others, *known)))


def _path(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> Iterator[x509.Certificate]:
    """Yield a certificate and those above it as far as they are at hand, each of them once."""
    left = set(others) - {certificate}
    yield certificate
    while above := [one for one in left if _issued(one, certificate)]:
        left -= set(above)
        certificate = max(above, key=lambda one: one.not_valid_after_utc)
        yield certificate


def _issued(one: x509.Certificate, other: x509.Certificate) -> bool:
    try:
        other.verify_directly_issued_by(one)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, *CERTIFICATE_FLAWS):
        return False
    return True
