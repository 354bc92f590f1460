"""The ds:Signature that we write outside PES: XAdES baseline in the namespace 1.3.2 (EN 319 132-1, 6.3), levels B and T.

Every prefix that it uses is declared in it, and canonicalization is exclusive: its canonical form is the same alone and in place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import ENVELOPED, EXCLUSIVE_C14N, SHA256, method_of
from signing.pes import canonical
from signing.pes.layout import DS
from signing.pes.policy import SignaturePolicy

_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
_PLACE_OF_VALUE = "VALUE-OF-THE-SIGNATURE"
_END_OF_SIGNED = b"</xades:SignedProperties>"


@dataclass(frozen=True, slots=True)
class Data:
    """What is signed.

    Attributes:
        digest: SHA-256 of it.
        uri: of the reference: empty for the document around the signature; None leaves it out.
        media: its media type.
    """

    digest: bytes
    uri: str | None
    media: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the signature says beside the certificate; what is None is left out.

    Attributes:
        role: in what capacity, claimed.
        city: production place.
        postal_code: production place.
        country: production place.
        policy: the signature policy referred to.
    """

    role: str | None
    city: str | None
    postal_code: str | None
    country: str | None
    policy: SignaturePolicy | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signature without its value.

    Attributes:
        octets: what is to be signed: the canonical SignedInfo.
        before: the text up to the value.
        between: the text from the value to the end of the signed properties.
        after: the text that follows.
    """

    octets: bytes
    before: str
    between: str
    after: str

    def filled(self, value: bytes, token: bytes | None = None) -> bytes:
        """Return the signature with its value in, and a timestamp over it when one is given; in ASCII."""
        stamp = "" if token is None else _UNSIGNED.format(token=_base64(token), form=EXCLUSIVE_C14N)
        return f"{self.before}{_base64(value)}{self.between}{stamp}{self.after}".encode("ascii")

    def stamped_digest(self, value: bytes) -> bytes:
        """Return the SHA-256 that a timestamp is over: that of the canonical SignatureValue (EN 319 132-1, 5.3)."""
        element = etree.fromstring(self.filled(value)).find(f"{{{DS}}}SignatureValue")
        return canonical.digest(element, "sha256")


_UNSIGNED = (
    "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
    '<ds:CanonicalizationMethod Algorithm="{form}"/>'
    "<xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp>"
    "</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
)


def build(
    identifier: str, data: Data, certificate: x509.Certificate, chain: Sequence[x509.Certificate], said: Said, moment: datetime
) -> Envelope:
    """Build a signature over one piece of data.

    Args:
        identifier: Id of the signature; those of its parts derive from it.
        data: what is signed.
        certificate: of the key that will sign.
        chain: the authorities above it, nearest first.
        said: what is said beside it.
        moment: the signing time, in UTC.
    """
    signature = etree.Element(f"{{{DS}}}Signature", nsmap={"ds": DS}, Id=identifier)
    info = _ds(signature, "SignedInfo")
    _ds(info, "CanonicalizationMethod", Algorithm=EXCLUSIVE_C14N)
    _ds(info, "SignatureMethod", Algorithm=method_of(certificate))
    transforms = (ENVELOPED, EXCLUSIVE_C14N) if data.uri == "" else ()
    uri = {} if data.uri is None else {"URI": data.uri}
    _reference(info, data.digest, transforms, Id=f"{identifier}-data", **uri)
    _ds(signature, "SignatureValue", _PLACE_OF_VALUE, Id=f"{identifier}-value")
    known = _ds(_ds(signature, "KeyInfo"), "X509Data")
    for one in (certificate, *chain):
        _ds(known, "X509Certificate", _base64(one.public_bytes(Encoding.DER)))
    qualifying = etree.SubElement(
        _ds(signature, "Object"), f"{{{_XADES}}}QualifyingProperties", nsmap={"xades": _XADES}, Target=f"#{identifier}"
    )
    signed = _signed_properties(qualifying, identifier, data, certificate, said, moment)
    _reference(
        info,
        canonical.digest(signed, "sha256"),
        (EXCLUSIVE_C14N,),
        URI=f"#{identifier}-properties",
        Type=_SIGNED_PROPERTIES,
    )
    written: bytes = etree.tostring(signature, encoding="us-ascii", xml_declaration=False)
    before, _, rest = written.partition(_PLACE_OF_VALUE.encode())
    between, end, after = rest.partition(_END_OF_SIGNED)
    return Envelope(canonical.octets(info), before.decode("ascii"), (between + end).decode("ascii"), after.decode("ascii"))


def _signed_properties(
    qualifying: etree._Element, identifier: str, data: Data, certificate: x509.Certificate, said: Said, moment: datetime
) -> etree._Element:
    """Write the SignedProperties, in the order of the schema."""
    signed = _xades(qualifying, "SignedProperties", Id=f"{identifier}-properties")
    properties = _xades(signed, "SignedSignatureProperties")
    _xades(properties, "SigningTime", f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    named = _xades(_xades(properties, "SigningCertificateV2"), "Cert")
    der = certificate.public_bytes(Encoding.DER)
    _hash(_xades(named, "CertDigest"), SHA256, _base64(hashlib.sha256(der).digest()))
    if said.policy is not None:
        _policy(properties, said.policy)
    place = {"City": said.city, "PostalCode": said.postal_code, "CountryName": said.country}
    if any(place.values()):
        holder = _xades(properties, "SignatureProductionPlaceV2")
        for name, text in place.items():
            if text:
                _xades(holder, name, text)
    if said.role:
        _xades(_xades(_xades(properties, "SignerRoleV2"), "ClaimedRoles"), "ClaimedRole", said.role)
    objects = _xades(signed, "SignedDataObjectProperties")
    _xades(_xades(objects, "DataObjectFormat", ObjectReference=f"#{identifier}-data"), "MimeType", data.media)
    return signed


def _policy(properties: etree._Element, policy: SignaturePolicy) -> None:
    referred = _xades(_xades(properties, "SignaturePolicyIdentifier"), "SignaturePolicyId")
    named = _xades(referred, "SigPolicyId")
    urn = {"Qualifier": "OIDAsURN"} if policy.identifier.startswith("urn:oid:") else {}  # EN 319 132-1, 5.2.9.1
    _xades(named, "Identifier", policy.identifier, **urn)
    _xades(named, "Description", policy.description)
    _hash(_xades(referred, "SigPolicyHash"), policy.digest_method, policy.digest)
    qualifier = _xades(_xades(referred, "SigPolicyQualifiers"), "SigPolicyQualifier")
    _xades(qualifier, "SPURI", policy.location)


def _reference(info: etree._Element, digest: bytes, transforms: tuple[str, ...], **attributes: str) -> None:
    reference = _ds(info, "Reference", **attributes)
    if transforms:
        chain = _ds(reference, "Transforms")
        for transform in transforms:
            _ds(chain, "Transform", Algorithm=transform)
    _hash(reference, SHA256, _base64(digest))


def _hash(parent: etree._Element, method: str, value: str) -> None:
    _ds(parent, "DigestMethod", Algorithm=method)
    _ds(parent, "DigestValue", value)


def _ds(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{DS}}}{name}", attributes)
    element.text = text
    return element


def _xades(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{_XADES}}}{name}", attributes)
    element.text = text
    return element


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
