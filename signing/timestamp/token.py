"""Timestamp tokens (RFC 3161): reading one, and verifying it offline against the data it is said to be of.

How a token is obtained is in ``client``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from core import clock
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing import oids
from signing.algorithms import CERTIFICATE_FLAWS, weakness
from signing.keys import name_of
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import TimestampVerdict

_messages = Catalogue("signing")
_HASHES = ("sha256", "sha384", "sha512")
_UNCHECKED = "timestamp.unchecked"
LARGEST_TOKEN = 256 << 10
UNPARSED = (
    *CERTIFICATE_FLAWS,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    UnsupportedAlgorithm,
)
"""The ways in which asn1crypto and cryptography say that something cannot be read."""


class TokenUnreadable(UnreadableInput):
    """What was handed over is no timestamp token."""


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
    def read(cls, token: bytes) -> Self:
        """Read a token.

        Raises:
            TokenUnreadable: not a CMS with a TSTInfo and its authority's certificate, or larger than 256 KiB.
        """
        return cls._of(token, _Parts.read(token))

    @classmethod
    def _of(cls, token: bytes, parts: _Parts) -> Self:
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
        checked: its signature could be checked; what could not is not known to be altered.
    """

    timestamp: Timestamp | None
    intact: bool
    trust: TrustState
    reason: str | None = None
    chain: tuple[x509.Certificate, ...] = ()
    fit: bool = True
    checked: bool = True

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


def verify_token(token: bytes, digest: bytes, *, trust: TrustStore | None, hash_name: str = "sha256") -> TimestampStatus:
    """Verify a token offline (RFC 3161, 2.2 to 2.4): imprint, signature, usage, the authority's path at the token's time.

    A token need not bring the certificate of its authority (2.4.1, certReq): it is then taken from the trust store.

    Args:
        token: DER of the token (not of the whole response).
        digest: that of the data.
        trust: authorities that are believed; None means nobody.
        hash_name: what the digest was made with; the token must use the same.
    """
    store = trust or TrustStore(())
    try:
        parts = _Parts.read(token, (*store.material, *store.anchors))
        timestamp = Timestamp._of(token, parts)  # noqa: SLF001 - the class is this module's
    except TokenUnreadable as error:
        return TimestampStatus(None, False, TrustState.UNKNOWN, str(error))
    if broken := _broken(parts, timestamp, digest, hash_name):
        return TimestampStatus(timestamp, False, TrustState.UNKNOWN, _messages(broken), checked=broken != _UNCHECKED)
    if unfit := _unfit(parts, timestamp):
        return TimestampStatus(timestamp, True, TrustState.UNTRUSTED, _messages(unfit), fit=False)
    status = store.assess(parts.signer, at=timestamp.gen_time, evidence=Evidence(tuple(parts.others)))
    return TimestampStatus(timestamp, True, status.state, status.reason, status.chain)


def imprint_hash(token: bytes) -> str:
    """Return the name of the hash that a token's imprint was made with.

    Raises:
        TokenUnreadable: not a token.
    """
    try:
        info = _info(_signed_data(token))[0]
        return str(info["message_imprint"]["hash_algorithm"]["algorithm"].native)
    except UNPARSED as error:
        raise TokenUnreadable(_messages("timestamp.unreadable")) from error


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a token that verification needs."""

    signer_info: cms.SignerInfo
    info: tsp.TSTInfo
    info_der: bytes
    signer: x509.Certificate
    signer_asn1: cms.Certificate
    others: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, token: bytes, known: Iterable[x509.Certificate] = ()) -> Self:
        """Take a token apart; the certificate of its authority is looked for among the known ones when it brings none.

        Raises:
            TokenUnreadable: it is not one, or there is no such certificate.
        """
        # Heavy: pyHanko is loaded by who reads a token, not by who may.
        from pyhanko.sign.general import CMSExtractionError, CMSStructuralError, extract_signer_info
        from pyhanko.sign.validation.errors import SignatureValidationError
        from pyhanko.sign.validation.generic_cms import extract_certs_for_validation

        oids.complete()
        try:
            signed = _signed_data(token)
            info, der = _info(signed)
            _complete(signed, known)
            found = extract_certs_for_validation(signed)
            signer = x509.load_der_x509_certificate(found.signer_cert.dump())
            _ = info.native, signed.native, signer.public_key()
            return cls(
                signer_info=extract_signer_info(signed),
                info=info,
                info_der=der,
                signer=signer,
                signer_asn1=found.signer_cert,
                others=tuple(x509.load_der_x509_certificate(other.dump()) for other in found.other_certs),
            )
        except (*UNPARSED, CMSExtractionError, CMSStructuralError, SignatureValidationError) as error:
            raise TokenUnreadable(_messages("timestamp.unreadable")) from error


def _signed_data(token: bytes) -> cms.SignedData:
    if len(token) > LARGEST_TOKEN:
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    content = cms.ContentInfo.load(token, strict=True)
    if content["content_type"].native != "signed_data":
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    return content["content"]


def _info(signed: cms.SignedData) -> tuple[tsp.TSTInfo, bytes]:
    """Return what a token says, and the octets of that."""
    content = signed["encap_content_info"]
    if content["content_type"].native != "tst_info":
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    der = bytes(content["content"])
    return tsp.TSTInfo.load(der, strict=True), der


def _complete(signed: cms.SignedData, known: Iterable[x509.Certificate]) -> None:
    """Lay certificates of authorities that are known beside a token that brings none; which one signed it says itself."""
    if not isinstance(signed["certificates"], core.Void) and len(signed["certificates"]):
        return
    found = [asn1_x509.Certificate.load(one.public_bytes(Encoding.DER)) for one in known if _stamps_only(one)]
    if not found:
        raise TokenUnreadable(_messages("timestamp.no_certificate"))
    signed["certificates"] = [cms.CertificateChoices("certificate", one) for one in found]


def _broken(parts: _Parts, timestamp: Timestamp, digest: bytes, hash_name: str) -> str | None:
    """Return the key of what shows, or lets one fear, that the token is not of these data or its authority; None when it is."""
    from pyhanko.sign.general import CMSStructuralError
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity

    if timestamp.hash_name != hash_name or not hmac.compare_digest(timestamp.digest, digest):
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


def _unfit(parts: _Parts, timestamp: Timestamp) -> str | None:
    """Return the key of what forbids to rely on a token that is whole, or None."""
    hashes = {timestamp.hash_name, parts.signer_info["digest_algorithm"]["algorithm"].native}
    if not hashes.issubset(_HASHES) or weakness(parts.signer):
        return "timestamp.weak"
    return None if _stamps_only(parts.signer) else "timestamp.usage"


def _stamps_only(certificate: x509.Certificate) -> bool:
    """Tell whether extendedKeyUsage is critical and holds id-kp-timeStamping alone (RFC 3161, 2.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *CERTIFICATE_FLAWS):
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
