"""The ds:Signature that we write: XAdES-EPES for a PES, as DGFiP's policy and the tools in the field have it.

Every prefix that it uses is declared in it, and canonicalization is exclusive: its canonical form is the same alone and in place.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import ENVELOPED, EXCLUSIVE_C14N, SHA256, method_of
from signing.pes import canonical
from signing.pes.layout import DS
from signing.pes.policy import HELIOS, SignaturePolicy
from signing.pes.signature import XADES

_NAMESPACES = {version: namespace for namespace, version in XADES.items()}
_PLACE_OF_VALUE = "VALUE-OF-THE-SIGNATURE"


@dataclass(frozen=True, slots=True)
class SealContext:
    """What a seal says beside the certificate.

    Attributes:
        role: in what capacity (ClaimedRole): "Maire", "Ordonnateur".
        city: production place.
        postal_code: production place.
        country: production place.
        policy: the signature policy referred to.
        xades: version of the namespace, ``1.2.2`` or ``1.1.1``.
        whole: one signature over the whole file instead of one per bordereau.
    """

    role: str
    city: str
    postal_code: str
    country: str = "France"
    policy: SignaturePolicy = HELIOS
    xades: Literal["1.1.1", "1.2.2"] = "1.2.2"
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signature without its value.

    Attributes:
        octets: what is to be signed: the canonical SignedInfo.
        before: the bytes up to the value, in ASCII.
        after: the bytes that follow it.
    """

    octets: bytes
    before: bytes
    after: bytes

    def filled(self, value: bytes) -> bytes:
        """Return the signature with its value in."""
        return self.before + base64.b64encode(value) + self.after


def build(
    identifier: str, target: str, digest: bytes, certificate: x509.Certificate, context: SealContext, moment: datetime
) -> Envelope:
    """Build the signature of one element (structure: XMLDSig 1.1; ETSI TS 101 903, 7.2).

    Args:
        identifier: Id of the signature.
        target: Id of the element that will carry it.
        digest: SHA-256 of the element's exclusive canonical form.
        certificate: of the key that will sign.
        context: what is said beside it.
        moment: the signing time, in UTC.
    """
    namespace = _NAMESPACES[context.xades]
    signature = etree.Element(f"{{{DS}}}Signature", nsmap={"ds": DS}, Id=identifier)
    info = _ds(signature, "SignedInfo")
    _ds(info, "CanonicalizationMethod", Algorithm=EXCLUSIVE_C14N)
    _ds(info, "SignatureMethod", Algorithm=method_of(certificate))
    _reference(info, digest, (ENVELOPED, EXCLUSIVE_C14N), URI=f"#{target}")
    _ds(signature, "SignatureValue", _PLACE_OF_VALUE, Id=f"{identifier}_SV")
    data = _ds(_ds(signature, "KeyInfo"), "X509Data")
    _ds(data, "X509Certificate", _base64(certificate.public_bytes(Encoding.DER)))
    holder = _ds(signature, "Object")
    qualifying = etree.SubElement(
        holder, f"{{{namespace}}}QualifyingProperties", nsmap={"xad": namespace}, Target=f"#{identifier}"
    )
    signed = _Properties(namespace, certificate, context, moment).build(qualifying, f"{identifier}_SP")
    _reference(
        info,
        canonical.digest(signed, "sha256"),
        (EXCLUSIVE_C14N,),
        URI=f"#{identifier}_SP",
        Type=f"{namespace}SignedProperties",
    )
    written: bytes = etree.tostring(signature, encoding="us-ascii", xml_declaration=False)
    before, _, after = written.partition(_PLACE_OF_VALUE.encode())
    return Envelope(canonical.octets(info), before, after)


@dataclass(frozen=True, slots=True)
class _Properties:
    """Writes the SignedProperties, in the order of the schema."""

    namespace: str
    certificate: x509.Certificate
    context: SealContext
    moment: datetime

    def build(self, qualifying: etree._Element, identifier: str) -> etree._Element:
        signed = self.add(qualifying, "SignedProperties", Id=identifier)
        properties = self.add(signed, "SignedSignatureProperties")
        self.add(properties, "SigningTime", f"{self.moment:%Y-%m-%dT%H:%M:%SZ}")
        self.signing_certificate(properties)
        self.policy(properties)
        place = self.add(properties, "SignatureProductionPlace")
        self.add(place, "City", self.context.city)
        self.add(place, "PostalCode", self.context.postal_code)
        self.add(place, "CountryName", self.context.country)
        roles = self.add(self.add(properties, "SignerRole"), "ClaimedRoles")
        self.add(roles, "ClaimedRole", self.context.role)
        return signed

    def signing_certificate(self, properties: etree._Element) -> None:
        named = self.add(self.add(properties, "SigningCertificate"), "Cert")
        der = self.certificate.public_bytes(Encoding.DER)
        self.hash(self.add(named, "CertDigest"), SHA256, _base64(hashlib.sha256(der).digest()))
        issuer = self.add(named, "IssuerSerial")
        _ds(issuer, "X509IssuerName", self.certificate.issuer.rfc4514_string())
        _ds(issuer, "X509SerialNumber", str(self.certificate.serial_number))

    def policy(self, properties: etree._Element) -> None:
        policy = self.context.policy
        referred = self.add(self.add(properties, "SignaturePolicyIdentifier"), "SignaturePolicyId")
        named = self.add(referred, "SigPolicyId")
        self.add(named, "Identifier", policy.identifier)
        self.add(named, "Description", policy.description)
        self.hash(self.add(referred, "SigPolicyHash"), policy.digest_method, policy.digest)
        qualifier = self.add(self.add(referred, "SigPolicyQualifiers"), "SigPolicyQualifier")
        self.add(qualifier, "SPURI", policy.location)

    def hash(self, parent: etree._Element, method: str, value: str) -> None:
        """Write method and value: elements of XAdES itself in 1.1.1, of XMLDSig from 1.2.2 on."""
        add = self.add if self.context.xades == "1.1.1" else _ds
        add(parent, "DigestMethod", Algorithm=method)
        add(parent, "DigestValue", value)

    def add(self, parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
        element = etree.SubElement(parent, f"{{{self.namespace}}}{name}", attributes)
        element.text = text
        return element


def _reference(info: etree._Element, digest: bytes, transforms: tuple[str, ...], **attributes: str) -> None:
    reference = _ds(info, "Reference", **attributes)
    chain = _ds(reference, "Transforms")
    for transform in transforms:
        _ds(chain, "Transform", Algorithm=transform)
    _ds(reference, "DigestMethod", Algorithm=SHA256)
    _ds(reference, "DigestValue", _base64(digest))


def _ds(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{DS}}}{name}", attributes)
    element.text = text
    return element


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
