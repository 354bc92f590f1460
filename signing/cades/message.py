"""Reading a CMS SignedData (RFC 5652, 5) into plain values: nothing lazy is left, and nothing is believed yet.

Attributes are told apart by their dotted identifiers and decoded here, so that what other libraries register about them changes
nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from asn1crypto import cms, core, parser, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core import clock
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing.armour import unarmoured
from signing.cades.archive import Archived, Kept
from signing.cades.evidence import carried, values
from signing.cades.method import HASHES, Method, read_method
from signing.timestamp.parts import UNPARSED
from signing.trust import Evidence

_messages = Catalogue("signing")

DATA = "1.2.840.113549.1.7.1"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNATURE_POLICY = "1.2.840.113549.1.9.16.2.15"
SIGNATURE_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
_SINGLE = (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    ALGORITHM_PROTECTION,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNATURE_POLICY,
)
_OLD_ARCHIVE_TIMESTAMPS = {"1.2.840.113549.1.9.16.2.27", "1.2.840.113549.1.9.16.2.48"}

_MOST_SIGNATURES = 200  # counter-signatures and timestamps counted in: each costs a path to build
_MOST_CERTIFICATES = 300


class MessageUnreadable(UnreadableInput):
    """What was handed over is no CMS SignedData."""


@dataclass(frozen=True, slots=True)
class CertificateDigest:
    """How a signature names the certificate of its key (RFC 5035, 3 and 4)."""

    hash_name: str
    digest: bytes

    def names(self, certificate: x509.Certificate) -> bool:
        """Tell whether it is that certificate."""
        hash_algorithm = HASHES.get(self.hash_name)
        return hash_algorithm is not None and hmac.compare_digest(certificate.fingerprint(hash_algorithm), self.digest)


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """One signature of a message (RFC 5652, 5.3), read.

    Attributes:
        identifier: of its certificate: the identifier of the key, or the issuer's name (in a form to compare) and the number.
        digest_name: hash of the content, as named: ``sha256``, or anything that asn1crypto or a stranger calls so.
        method: how the value was made; None when it is not in our list.
        algorithm: name or identifier of the signature algorithm, to be shown.
        protected: the algorithms are those that CMSAlgorithmProtection (RFC 6211) names, or it names none.
        value: the signature value.
        attributes: DER of the signed attributes, as they are signed; None when there are none.
        content_type: that the signed attributes name, dotted.
        message_digest: that the signed attributes hold.
        signing_time: claimed.
        certificate: how the certificate is named; None when it is not (a plain CMS).
        policy: a signature policy is named.
        timestamps: DER of the signature timestamps.
        archive: its archive timestamps, of the third version; None when it has none.
        archived_before: it carries archive timestamps of a version before, which are not read.
        ambiguous: the signed attributes that should have one value and do not, dotted.
        counters: signatures over the value of this one (RFC 5652, 11.4).
    """

    identifier: bytes | tuple[str, int]
    digest_name: str
    method: Method | None
    algorithm: str
    protected: bool
    value: bytes
    attributes: bytes | None = None
    content_type: str | None = None
    message_digest: bytes | None = None
    signing_time: datetime | None = None
    certificate: CertificateDigest | None = None
    policy: bool = False
    timestamps: tuple[bytes, ...] = ()
    archive: Archived | None = None
    archived_before: bool = False
    ambiguous: tuple[str, ...] = ()
    counters: tuple[SignerInfo, ...] = ()

    @property
    def weight(self) -> int:
        """How many signatures there are to verify in it: its own, its timestamps, its counter-signatures."""
        stamps = len(self.timestamps) + (len(self.archive.tokens) if self.archive else 0)
        return 1 + stamps + sum(counter.weight for counter in self.counters)

    def designates(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate is the one that signed, by its issuer and number or by its key's identifier."""
        try:
            other = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
            if isinstance(self.identifier, bytes):
                return bool(other.key_identifier == self.identifier)
            return bool((other.issuer.hashable, other.serial_number) == self.identifier)
        except UNPARSED:
            return False


@dataclass(frozen=True, slots=True)
class Message:
    """A CMS SignedData, read.

    Attributes:
        content_type: of what is signed, dotted.
        content: what is signed, when it is inside.
        signers: the signatures.
        evidence: certificates, lists and answers found anywhere in the message.
    """

    content_type: str
    content: bytes | None
    signers: tuple[SignerInfo, ...]
    evidence: Evidence

    @classmethod
    def read(cls, octets: bytes) -> Self:
        """Read a message, in PEM (``PKCS7``, ``CMS``) or DER; the size is bounded by the caller.

        Raises:
            MessageUnreadable: it is none, or has more than 200 signatures and timestamps, or 300 certificates.
        """
        try:
            outer = cms.ContentInfo.load(unarmoured(octets), strict=True)
            if outer["content_type"].native != "signed_data":
                raise MessageUnreadable(_messages("cades.unreadable"))
            return cls._of(outer["content"])
        except UNPARSED as error:
            raise MessageUnreadable(_messages("cades.unreadable")) from error

    @classmethod
    def _of(cls, signed: cms.SignedData) -> Self:
        capsule = signed["encap_content_info"]
        infos, kept = list(signed["signer_infos"]), Kept(signed)
        signers = tuple(_signer(info, kept) for info in infos)
        evidence = [carried(signed), *(values(_attributes(info["unsigned_attrs"])) for info in infos)]
        certificates = sum(len(found.certificates) for found in evidence)
        if sum(signer.weight for signer in signers) > _MOST_SIGNATURES or certificates > _MOST_CERTIFICATES:
            raise ValueError("too many signatures or certificates")
        return cls(
            content_type=capsule["content_type"].dotted,
            content=_content(capsule["content"]),
            signers=signers,
            evidence=Evidence(
                tuple(certificate for found in evidence for certificate in found.certificates),
                tuple(listing for found in evidence for listing in found.lists),
                tuple(answer for found in evidence for answer in found.answers),
            ),
        )


def _content(content: core.Asn1Value) -> bytes | None:
    if isinstance(content, core.Void):
        return None
    if not isinstance(content, core.OctetString | core.ParsableOctetString):
        raise TypeError("a content that is no OCTET STRING")
    return bytes(content)


def _signer(info: cms.SignerInfo, kept: Kept | None = None) -> SignerInfo:
    """Read a SignerInfo; a counter-signature, beside which nothing stands, has none of its own here, and is not archived."""
    signed, unsigned = _attributes(info["signed_attrs"]), _attributes(info["unsigned_attrs"])
    digest, signature = info["digest_algorithm"], info["signature_algorithm"]
    bare = isinstance(info["signed_attrs"], core.Void)
    moment = _single(signed, SIGNING_TIME)
    kind = _single(signed, CONTENT_TYPE)
    held = _single(signed, MESSAGE_DIGEST)
    counters = unsigned.get(COUNTER_SIGNATURE, []) if kept else []
    return SignerInfo(
        identifier=_identifier(info["sid"]),
        digest_name=str(digest["algorithm"].native),
        method=read_method(signature, digest),
        algorithm=str(signature["algorithm"].native),
        protected=_protected(_single(signed, ALGORITHM_PROTECTION), digest, signature),
        value=bytes(info["signature"].native),
        attributes=None if bare else bytes(info["signed_attrs"].untag().dump()),
        content_type=None if kind is None else str(core.ObjectIdentifier.load(kind, strict=True).dotted),
        message_digest=None if held is None else bytes(core.OctetString.load(held, strict=True).native),
        signing_time=None if moment is None else clock.as_utc(cms.Time.load(moment, strict=True).native),
        certificate=_certificate_digest(signed),
        policy=SIGNATURE_POLICY in signed,
        timestamps=tuple(unsigned.get(SIGNATURE_TIMESTAMP, ())),
        archive=Archived.of(info, unsigned, kept) if kept else None,
        archived_before=not _OLD_ARCHIVE_TIMESTAMPS.isdisjoint(unsigned),
        ambiguous=tuple(identifier for identifier in _SINGLE if identifier in signed and len(signed[identifier]) != 1),
        counters=tuple(_signer(cms.SignerInfo.load(der, strict=True)) for der in counters),
    )


def _identifier(named: cms.SignerIdentifier) -> bytes | tuple[str, int]:
    if named.name == "subject_key_identifier":
        return bytes(named.chosen.native)
    return str(named.chosen["issuer"].hashable), int(named.chosen["serial_number"].native)


def _attributes(attributes: cms.CMSAttributes) -> dict[str, list[bytes]]:
    """Return the DER of the values of each attribute, by dotted identifier."""
    values: dict[str, list[bytes]] = {}
    if not isinstance(attributes, core.Void):
        for attribute in attributes:
            values.setdefault(attribute["type"].dotted, []).extend(_each(attribute["values"].contents))
    return values


def _each(contents: bytes) -> Iterator[bytes]:
    """Give the encoded values that follow each other; what they are is told by who asks for them."""
    while contents:
        length = parser.peek(contents)
        yield contents[:length]
        contents = contents[length:]


def _single(attributes: dict[str, list[bytes]], identifier: str) -> bytes | None:
    """Return the value of an attribute that may have one only (RFC 5652, 11): the first when there are others."""
    return next(iter(attributes.get(identifier, [])), None)


def _protected(protection: bytes | None, digest: cms.DigestAlgorithm, signature: cms.SignedDigestAlgorithm) -> bool:
    if protection is None:
        return True
    named = cms.CMSAlgorithmProtection.load(protection, strict=True)
    return bool(named["digest_algorithm"].native == digest.native and named["signature_algorithm"].native == signature.native)


def _certificate_digest(signed: dict[str, list[bytes]]) -> CertificateDigest | None:
    """Read signing-certificate-v2, else signing-certificate: their first identifier is that of the signer."""
    second = _single(signed, SIGNING_CERTIFICATE_V2)
    if second is not None:
        named = tsp.SigningCertificateV2.load(second, strict=True)["certs"][0]
        return CertificateDigest(str(named["hash_algorithm"]["algorithm"].native), bytes(named["cert_hash"].native))
    first = _single(signed, SIGNING_CERTIFICATE)
    if first is not None:
        return CertificateDigest("sha1", bytes(tsp.SigningCertificate.load(first, strict=True)["certs"][0]["cert_hash"].native))
    return None
