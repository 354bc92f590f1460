"""What can be answered about a certificate, and what is brought along to answer with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509


class TrustState(StrEnum):
    """What a trust store says of a certificate at a moment."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    UNTRUSTED = "untrusted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"


@dataclass(frozen=True, slots=True)
class TrustStatus:
    """The answer about one certificate at one moment.

    Attributes:
        state: trusted or why not; ``unknown`` means that no path leads to an anchor.
        reason: in words, when it is not trusted.
        chain: the path found, the certificate first and the anchor last; empty when there is none.
        revocation_known: a list or an answer of the issuer that was not outdated then was at hand for every certificate below
            the anchor.
    """

    state: TrustState
    reason: str | None = None
    chain: tuple[x509.Certificate, ...] = ()
    revocation_known: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a signature brings along for its own verification; believed only as far as who signed it is.

    Attributes:
        certificates: to build paths with, never anchors.
        lists: certificate revocation lists.
        answers: OCSP responses (OCSPResponse of RFC 6960, 4.2.1), DER.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    answers: tuple[bytes, ...] = ()


NO_EVIDENCE = Evidence()
