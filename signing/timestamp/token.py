"""Timestamp tokens (RFC 3161): reading one, and verifying it offline against the data it is said to be of.

How a token is obtained is in ``client``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from asn1crypto import cms
from cryptography import x509

from core import clock
from core.messages import Catalogue
from signing.algorithms import SHA1_REFUSED_FROM, weakness
from signing.keys import name_of
from signing.timestamp.parts import UNPARSED, CertificateAbsent, Parts, TokenUnreadable, stamps_only
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import TimestampVerdict

__all__ = ["Timestamp", "TimestampStatus", "TokenUnreadable", "verify_stamp", "verify_token"]

_messages = Catalogue("signing")
_STRONG = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})
_READ = _STRONG | {"md5", "sha1", "sha224"}  # the others are too weak, which is told once they were computed
_DOUBTED = {TrustState.TRUSTED, TrustState.UNKNOWN}
_UNCHECKED = "timestamp.unchecked"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A timestamp token, read.

    Attributes:
        token: its DER (a CMS ContentInfo).
        gen_time: when the authority says that the data existed, in UTC.
        serial: its number at the authority.
        policy: the authority's policy, dotted.
        authority: name in the authority's certificate.
        hash_name: ``sha256`` …
        digest: what it is over.
    """

    token: bytes
    gen_time: datetime
    serial: int
    policy: str
    authority: str
    hash_name: str
    digest: bytes

    @classmethod
    def read(cls, token: bytes, trust: TrustStore | None = None) -> Self:
        """Read a token; the trust store only lends the certificate of its authority, when it brings none.

        Raises:
            TokenUnreadable: not a CMS with a TSTInfo and its authority's certificate, or larger than 256 KiB.
        """
        return cls._of(token, Parts.read(token, _lent(trust)))

    @classmethod
    def _of(cls, token: bytes, parts: Parts) -> Self:
        imprint = parts.info["message_imprint"]
        return cls(
            token=token,
            gen_time=clock.as_utc(parts.info["gen_time"].native),
            serial=int(parts.info["serial_number"].native),
            policy=str(parts.info["policy"].dotted),
            authority=name_of(parts.signer),
            hash_name=str(imprint["hash_algorithm"]["algorithm"].native),
            digest=bytes(imprint["hashed_message"].native),
        )


@dataclass(frozen=True, slots=True)
class TimestampStatus:
    """What can be believed of a token.

    Attributes:
        timestamp: what it says; None when it cannot be read.
        intact: it is over the digest given, and its signature holds.
        trust: what the trust store says of the authority at the time of the token; untrusted when the token is not fit.
        reason: what is wrong, in words.
        chain: the authority's certificate and those above it, when a path was found.
        fit: nothing that it rests on is too weak, and its certificate is for timestamps.
        checked: its imprint and its signature could be checked; what could not is not known to be altered.
        aged: it is not fit for SHA-1 alone, which was admitted at the time that it tells.
        revocation_known: the authority's certificates are spoken of by lists or answers of the time (``TrustStatus``).
    """

    timestamp: Timestamp | None
    intact: bool
    trust: TrustState
    reason: str | None = None
    chain: tuple[x509.Certificate, ...] = ()
    fit: bool = True
    checked: bool = True
    aged: bool = False
    revocation_known: bool = False

    @property
    def holds(self) -> bool:
        """Whether the token proves that the data existed at its time."""
        return self.intact and self.trust is TrustState.TRUSTED

    def as_verdict(self) -> TimestampVerdict:
        """Return the answer in the shape of ``verify --json``."""
        found = self.timestamp
        return TimestampVerdict(
            time=found.gen_time if found else None,
            authority=found.authority if found else None,
            valid=self.intact and self.fit,
            trust=self.trust,
            reason=self.reason,
            altered=found is not None and self.checked and not self.intact,
        )


def verify_token(
    token: bytes, digest: bytes, *, trust: TrustStore | None, hash_name: str = "sha256", seen: datetime | None = None
) -> TimestampStatus:
    """Verify a token offline against a digest; see ``verify_stamp``.

    Args:
        token: DER of the token (not of the whole response).
        digest: that of the data.
        trust: authorities that are believed; None means nobody.
        hash_name: what the digest was made with; the token must use the same.
        seen: when something else than the token shows that it was there.
    """
    return verify_stamp(token, lambda name: digest if name == hash_name else b"", trust=trust, seen=seen)


def verify_stamp(
    token: bytes, digest: Callable[[str], bytes], *, trust: TrustStore | None, seen: datetime | None = None
) -> TimestampStatus:
    """Verify a token offline (RFC 3161, 2.2 to 2.4): imprint, signature, usage, the authority's path at the token's time.

    A token need not bring the certificate of its authority (2.4.1, certReq): it is then taken from the trust store.

    Args:
        token: DER of the token (not of the whole response).
        digest: gives the digest of the data, by the name that ``hashlib`` has for the hash.
        trust: authorities that are believed; None means nobody.
        seen: when the token was seen, by something else than itself: a revocation until then may spoil it (``trust.notices``);
            None takes its time as it is told.
    """
    store = trust or TrustStore(())
    try:
        parts = Parts.read(token, _lent(store))
        timestamp = Timestamp._of(token, parts)  # noqa: SLF001 - the class is this module's
    except TokenUnreadable as error:
        absent = isinstance(error, CertificateAbsent)
        return TimestampStatus(None, False, TrustState.UNKNOWN, str(error), checked=not absent)
    if timestamp.hash_name not in _READ:
        words = _messages("timestamp.hash", found=timestamp.hash_name)
        return TimestampStatus(timestamp, False, TrustState.UNKNOWN, words, checked=False)
    if broken := _broken(parts, timestamp, digest(timestamp.hash_name)):
        return TimestampStatus(timestamp, False, TrustState.UNKNOWN, _messages(broken), checked=broken != _UNCHECKED)
    status = store.assess(parts.signer, at=timestamp.gen_time, evidence=Evidence(tuple(parts.others)), seen=seen)
    weak, reserved = _weak(parts, timestamp), stamps_only(parts.signer)
    if weak or not reserved:
        words = _messages("timestamp.weak", found=", ".join(weak)) if weak else _messages("timestamp.usage")
        aged = weak == ["sha1"] and reserved and timestamp.gen_time.year < SHA1_REFUSED_FROM and status.state in _DOUBTED
        return TimestampStatus(timestamp, True, TrustState.UNTRUSTED, words, fit=False, aged=aged)
    return TimestampStatus(timestamp, True, status.state, status.reason, status.chain, revocation_known=status.revocation_known)


def _lent(trust: TrustStore | None) -> tuple[x509.Certificate, ...]:
    return (*trust.material, *trust.anchors) if trust else ()


def _broken(parts: Parts, timestamp: Timestamp, digest: bytes) -> str | None:
    """Return the key of what shows, or lets one fear, that the token is not of these data or its authority; None when it is."""
    from pyhanko.sign.general import CMSStructuralError
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity

    if not hmac.compare_digest(timestamp.digest, digest):
        return "timestamp.imprint"
    names = {attribute["type"].native for attribute in parts.signer_info["signed_attrs"]}
    if not names & {"signing_certificate", "signing_certificate_v2"}:
        return "timestamp.signature"
    try:
        actual = hashlib.new(parts.signer_info["digest_algorithm"]["algorithm"].native, parts.info_der).digest()
        intact, valid = validate_sig_integrity(parts.signer_info, parts.signer_asn1, "tst_info", actual)
    except (SignatureValidationError, CMSStructuralError, AssertionError):  # the last: the key is of another algorithm
        return "timestamp.signature"
    except (*UNPARSED, NotImplementedError):  # an algorithm that the library does not know: nothing is shown, either way
        return _UNCHECKED
    if intact and valid:
        return None
    return _UNCHECKED if intact and not _is_known(parts.signer_info) else "timestamp.signature"


def _is_known(signer_info: cms.SignerInfo) -> bool:
    try:
        return bool(signer_info["signature_algorithm"].signature_algo)
    except ValueError:
        return False


def _weak(parts: Parts, timestamp: Timestamp) -> list[str]:
    """Return what a token rests on that is too weak: hashes by name, the key."""
    names = {timestamp.hash_name, str(parts.signer_info["digest_algorithm"]["algorithm"].native)}
    key = weakness(parts.signer)
    return [*sorted(names - _STRONG), *([key] if key else [])]
