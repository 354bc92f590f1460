"""Writing a CAdES: the attributes to sign, and the message around them (RFC 5652, 5; ETSI EN 319 122-1, 5 and 6)."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding

from signing.cades.message import (
    ALGORITHM_PROTECTION,
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNATURE_TIMESTAMP,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
)

_SIGNER_LOCATION = "1.2.840.113549.1.9.16.2.17"
_SIGNER_ATTRIBUTES = "0.4.0.19122.1.1"
_NAME = "2.5.4.41"
_FIRST_YEAR_OF_GENERALIZED_TIME = 2050
_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"})


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Attribute(core.Sequence):  # type: ignore[misc]
    """An attribute of any kind: what other libraries register about the kinds of ``cms.CMSAttribute`` changes nothing here."""

    _fields: ClassVar = [("type", core.ObjectIdentifier), ("values", _Values)]


class _Attributes(core.SetOf):  # type: ignore[misc]
    _child_spec = _Attribute


class _Claimed(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Attribute


class _SignerAttributes(core.Sequence):  # type: ignore[misc]
    """ETSI EN 319 122-1, 5.2.6.1."""

    _fields: ClassVar = [("claimed", _Claimed, {"explicit": 0})]


class _SignerLocation(core.Sequence):  # type: ignore[misc]
    """ETSI EN 319 122-1, 5.2.5: DirectoryString, hence explicit tags."""

    _fields: ClassVar = [("locality", core.UTF8String, {"explicit": 1})]


def signed_attributes(
    digest: bytes, certificate: x509.Certificate, moment: datetime, *, role: str | None = None, place: str | None = None
) -> bytes:
    """Return the DER of the attributes to sign.

    Args:
        digest: SHA-256 of the content.
        certificate: of the key that will sign.
        moment: the signing time, in UTC, to the second.
        role: in what capacity, as a claimed attribute.
        place: the town where it is signed.
    """
    signer = _asn1(certificate)
    identifier = {"cert_hash": hashlib.sha256(signer.dump()).digest(), "issuer_serial": _issuer_serial(signer)}
    protection = {"digest_algorithm": _SHA256, "signature_algorithm": _algorithm(certificate)}
    attributes = [
        _attribute(CONTENT_TYPE, cms.ContentType("data")),
        _attribute(MESSAGE_DIGEST, core.OctetString(digest)),
        _attribute(SIGNING_TIME, _time(moment)),
        _attribute(SIGNING_CERTIFICATE_V2, tsp.SigningCertificateV2({"certs": [identifier]})),
        _attribute(ALGORITHM_PROTECTION, cms.CMSAlgorithmProtection(protection)),
    ]
    if role:
        claimed = _Claimed([_attribute(_NAME, core.UTF8String(role))])
        attributes.append(_attribute(_SIGNER_ATTRIBUTES, _SignerAttributes({"claimed": claimed})))
    if place:
        attributes.append(_attribute(_SIGNER_LOCATION, _SignerLocation({"locality": place})))
    der: bytes = _Attributes(attributes).dump()
    return der


def signed_data(
    attributes: bytes,
    value: bytes,
    certificate: x509.Certificate,
    chain: Iterable[x509.Certificate],
    token: bytes | None,
) -> bytes:
    """Return the DER of a detached message with one signature.

    Args:
        attributes: that were signed.
        value: as CMS has it (``cms_value``).
        certificate: of the key.
        chain: other certificates to bring along.
        token: a timestamp over the value.
    """
    signer = _asn1(certificate)
    serial = {"issuer": signer.issuer, "serial_number": signer.serial_number}
    info: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier("issuer_and_serial_number", serial),
        "digest_algorithm": _SHA256,
        "signed_attrs": cms.CMSAttributes.load(attributes),
        "signature_algorithm": _algorithm(certificate),
        "signature": value,
    }
    if token is not None:
        stamp = _attribute(SIGNATURE_TIMESTAMP, cms.ContentInfo.load(token))
        info["unsigned_attrs"] = cms.CMSAttributes.load(_Attributes([stamp]).dump())
    signed = {
        "version": "v1",
        "digest_algorithms": [_SHA256],
        "encap_content_info": {"content_type": "data"},
        "certificates": [_asn1(one) for one in dict.fromkeys((certificate, *chain))],
        "signer_infos": [info],
    }
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
    return der


def cms_value(certificate: x509.Certificate, raw: bytes) -> bytes:
    """Return a raw value as CMS has it: ECDSA in DER (RFC 5753, 7.2), RSA as it is."""
    if not isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
        return raw
    half = len(raw) // 2
    return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def armoured(der: bytes) -> bytes:
    """Return the message in PEM, under the label that parapheurs write: ``PKCS7`` (RFC 7468, 8)."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(["-----BEGIN PKCS7-----", *lines, "-----END PKCS7-----", ""]).encode()


def _attribute(kind: str, value: core.Asn1Value) -> _Attribute:
    return _Attribute({"type": kind, "values": [core.Any(value)]})


def _time(moment: datetime) -> cms.Time:
    """RFC 5652, 11.3: UTCTime until 2049."""
    if moment.year < _FIRST_YEAR_OF_GENERALIZED_TIME:
        return cms.Time("utc_time", core.UTCTime(moment))
    return cms.Time("generalized_time", core.GeneralizedTime(moment))


def _algorithm(certificate: x509.Certificate) -> algos.SignedDigestAlgorithm:
    name = "sha256_ecdsa" if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) else "sha256_rsa"
    return algos.SignedDigestAlgorithm({"algorithm": name})


def _issuer_serial(signer: asn1_x509.Certificate) -> tsp.IssuerSerial:
    issuer = asn1_x509.GeneralNames([asn1_x509.GeneralName("directory_name", signer.issuer)])
    return tsp.IssuerSerial({"issuer": issuer, "serial_number": signer.serial_number})


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
