"""Reading one ds:Signature (XMLDSig 1.1) and its XAdES properties into values; nothing is verified here.

Reading is strict: what stands once in the standard must stand once here, and a text must be one text, without a comment that
would cut it in two.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree

from signing.algorithms import CERTIFICATE_FLAWS
from signing.pes.layout import DS

XADES = {
    "http://uri.etsi.org/01903/v1.1.1#": "1.1.1",
    "http://uri.etsi.org/01903/v1.2.2#": "1.2.2",
    "http://uri.etsi.org/01903/v1.3.2#": "1.3.2",
}
_MOST_CERTIFICATES = 10
_MOST_REFERENCES = 1000
_MOST_TIMESTAMPS = 5


class Unreadable(Exception):
    """The signature does not have the form of the standard; the message names the element at fault."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a signature designates, and the digest it announces.

    Attributes:
        uri: the URI as written; None when the attribute is absent.
        transforms: their identifiers, in order.
        parametrised: a transform has content (a prefix list, a stylesheet, an expression).
        digest_method: the identifier of the digest.
        digest: the announced digest.
    """

    uri: str | None
    transforms: tuple[str, ...]
    parametrised: bool
    digest_method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """A ds:Signature, read.

    Attributes:
        element: the element itself.
        signed_info: the part that the value is over.
        canonicalization: identifier of the method for it.
        method: identifier of the signature method.
        references: in order.
        value: the signature value.
        value_element: the element that holds it, over which timestamps are made.
        certificates: those of KeyInfo, in order.
        qualifying: its QualifyingProperties; None without XAdES.
        signed_properties: the SignedProperties in them.
        stowaways: an Object holds something else than QualifyingProperties.
    """

    element: etree._Element
    signed_info: etree._Element
    canonicalization: str
    method: str
    references: tuple[Reference, ...]
    value: bytes
    value_element: etree._Element
    certificates: tuple[x509.Certificate, ...]
    qualifying: etree._Element | None
    signed_properties: etree._Element | None
    stowaways: bool


@dataclass(frozen=True, slots=True)
class Properties:
    """The SignedSignatureProperties that matter here, as written; None where absent.

    Attributes:
        version: of the XAdES namespace.
        signing_time: text of SigningTime.
        digest_method: of CertDigest.
        digest: value of CertDigest.
        issuer: text of X509IssuerName.
        serial: text of X509SerialNumber.
        policy: identifier of the policy.
        policy_hash: its hash, in base64.
        roles: the claimed roles.
    """

    version: str
    signing_time: str | None
    digest_method: str | None
    digest: bytes | None
    issuer: str | None
    serial: str | None
    policy: str | None
    policy_hash: str | None
    roles: tuple[str, ...]


def read_signature(element: etree._Element) -> Signature:
    """Read a ds:Signature.

    Raises:
        Unreadable: an element is missing, stands twice, or holds what it must not.
    """
    info = _one(element, "ds:SignedInfo")
    if element[0] is not info:
        raise Unreadable("SignedInfo")
    if info.xpath("boolean(.//comment() | .//processing-instruction())"):
        raise Unreadable("SignedInfo")
    references = info.findall(f"{{{DS}}}Reference")
    if len(info) != len(references) + 2 or len(references) > _MOST_REFERENCES:
        raise Unreadable("SignedInfo")
    value_element = _one(element, "ds:SignatureValue")
    objects = element.findall(f"{{{DS}}}Object")
    inside = [child for holder in objects for child in holder]
    qualifying = [child for child in inside if _is_qualifying(child)]
    if len(qualifying) > 1:
        raise Unreadable("QualifyingProperties")
    return Signature(
        element=element,
        signed_info=info,
        canonicalization=_algorithm(_one(info, "ds:CanonicalizationMethod")),
        method=_algorithm(_one(info, "ds:SignatureMethod")),
        references=tuple(_reference(reference) for reference in references),
        value=_octets(value_element),
        value_element=value_element,
        certificates=_certificates(element),
        qualifying=qualifying[0] if qualifying else None,
        signed_properties=_signed_properties(qualifying[0]) if qualifying else None,
        stowaways=len(inside) != len(qualifying) or any((holder.text or "").strip() for holder in objects),
    )


def read_properties(signed_properties: etree._Element) -> Properties:
    """Read the SignedSignatureProperties (ETSI TS 101 903, 7.2), in any of the three namespaces in the field.

    DigestMethod and DigestValue stand in the XAdES namespace in 1.1.1 and in that of XMLDSig afterwards, in the texts; real
    files mix them: both are read.

    Raises:
        Unreadable: a property stands twice or is not text.
    """
    names = {"x": etree.QName(signed_properties).namespace, "ds": DS}
    properties = _one(signed_properties, "x:SignedSignatureProperties", names)

    def text(path: str) -> str | None:
        found = properties.xpath(path, namespaces=names)
        return _text(found[0]) if found else None

    certificate = "(x:SigningCertificate|x:SigningCertificateV2)/x:Cert[1]"
    method = properties.xpath(f"{certificate}/x:CertDigest/*[local-name()='DigestMethod']/@Algorithm", namespaces=names)
    digest = properties.xpath(f"{certificate}/x:CertDigest/*[local-name()='DigestValue']", namespaces=names)
    policy = "x:SignaturePolicyIdentifier/x:SignaturePolicyId"
    return Properties(
        version=XADES[names["x"]],
        signing_time=text("x:SigningTime"),
        digest_method=str(method[0]) if method else None,
        digest=_octets(digest[0]) if digest else None,
        issuer=text(f"{certificate}/x:IssuerSerial/ds:X509IssuerName"),
        serial=text(f"{certificate}/x:IssuerSerial/ds:X509SerialNumber"),
        policy=text(f"{policy}/x:SigPolicyId/x:Identifier"),
        policy_hash=text(f"{policy}/x:SigPolicyHash/*[local-name()='DigestValue']"),
        roles=tuple(_text(role) for role in properties.xpath("*/x:ClaimedRoles/x:ClaimedRole", namespaces=names)),
    )


def timestamp_elements(signature: Signature) -> list[etree._Element]:
    """Return the SignatureTimeStamp elements of a signature (ETSI TS 101 903, 7.3).

    Raises:
        Unreadable: more than five of them.
    """
    if signature.qualifying is None:
        return []
    namespace = etree.QName(signature.qualifying).namespace
    path = "x:UnsignedProperties/x:UnsignedSignatureProperties/x:SignatureTimeStamp"
    found = list(signature.qualifying.xpath(path, namespaces={"x": namespace}))
    if len(found) > _MOST_TIMESTAMPS:
        raise Unreadable("SignatureTimeStamp")
    return found


def timestamp_tokens(element: etree._Element) -> tuple[bytes, ...]:
    """Return the DER of the tokens in a timestamp: one as a rule, of several authorities sometimes.

    Raises:
        Unreadable: there is none, or more than five, or one is no base64.
    """
    found = element.findall("{*}EncapsulatedTimeStamp")
    if not 0 < len(found) <= _MOST_TIMESTAMPS:
        raise Unreadable("EncapsulatedTimeStamp")
    return tuple(map(_octets, found))


def _is_qualifying(element: etree._Element) -> bool:
    if not isinstance(element.tag, str):
        return False
    name = etree.QName(element)
    return name.localname == "QualifyingProperties" and name.namespace in XADES


def _signed_properties(qualifying: etree._Element) -> etree._Element:
    return _one(qualifying, "x:SignedProperties", {"x": etree.QName(qualifying).namespace})


def _reference(element: etree._Element) -> Reference:
    transforms = element.findall(f"{{{DS}}}Transforms/{{{DS}}}Transform")
    return Reference(
        uri=element.get("URI"),
        transforms=tuple(_algorithm(transform) for transform in transforms),
        parametrised=any(len(transform) or (transform.text or "").strip() for transform in transforms),
        digest_method=_algorithm(_one(element, "ds:DigestMethod")),
        digest=_octets(_one(element, "ds:DigestValue")),
    )


def _certificates(element: etree._Element) -> tuple[x509.Certificate, ...]:
    found = element.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if len(found) > _MOST_CERTIFICATES:
        raise Unreadable("KeyInfo")
    return tuple(_certificate(_octets(certificate)) for certificate in found)


def _certificate(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer
    except (*CERTIFICATE_FLAWS, UnsupportedAlgorithm) as error:
        raise Unreadable("X509Certificate") from error
    return certificate


def _one(parent: etree._Element, path: str, names: dict[str, str] | None = None) -> etree._Element:
    found = parent.findall(path, names or {"ds": DS})
    if len(found) != 1:
        raise Unreadable(path.partition(":")[2])
    return found[0]


def _algorithm(element: etree._Element) -> str:
    return str(element.get("Algorithm") or "")


def _text(element: etree._Element) -> str:
    if len(element):
        raise Unreadable(str(etree.QName(element).localname))
    return (element.text or "").strip()


def _octets(element: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join(_text(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(str(etree.QName(element).localname)) from error
