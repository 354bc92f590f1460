"""CMS messages made by hand: ordinary ones, but for what a test changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from core import clock
from signing.pki import Credential

CONTENT = b"Le conseil municipal delibere."
HASHES = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_512": hashes.SHA3_512(),
}


@dataclass(frozen=True)
class Crafted:
    """One SignerInfo to make: an ordinary CAdES, but for what a test changes."""

    credential: Credential
    hash_name: str = "sha256"
    algorithm: str | None = None
    salt: int = 32
    moment: datetime | None = field(default_factory=clock.now)
    digest: bytes | None = None
    content_type: str | None = "data"
    certificate: x509.Certificate | None = None
    named: bool = True
    named_by: str = "sha256"
    without: str = ""
    protection: str | None = None
    attributes: bool = True
    over: bytes = CONTENT
    by_key: bool = False
    twice: bool = False
    unsigned: tuple[cms.CMSAttribute, ...] = ()

    def info(self) -> cms.SignerInfo:
        digest_algorithm = algos.DigestAlgorithm({"algorithm": self.hash_name})
        signed = cms.CMSAttributes(self.signed())
        certificate = asn1(self.credential.certificate)
        serial = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        named = cms.SignerIdentifier("issuer_and_serial_number", serial)
        if self.by_key:
            named = cms.SignerIdentifier("subject_key_identifier", certificate.key_identifier)
        info = {
            "version": "v1",
            "sid": named,
            "digest_algorithm": digest_algorithm,
            "signature_algorithm": self.signature_algorithm(),
            "signature": self.value(signed.dump() if self.attributes else self.over),
        }
        if self.attributes:
            info["signed_attrs"] = signed
        if self.unsigned:
            info["unsigned_attrs"] = list(self.unsigned)
        return cms.SignerInfo(info)

    def signed(self) -> list[dict[str, Any]]:
        actual = hashlib.new(self.hash_name, self.over).digest()
        attributes = [{"type": "message_digest", "values": [self.digest or actual]}]
        if self.content_type:
            attributes.append({"type": "content_type", "values": [self.content_type]})
        if self.moment:
            times = [cms.Time("utc_time", core.UTCTime(self.moment.replace(microsecond=0)))] * (2 if self.twice else 1)
            attributes += [{"type": "signing_time", "values": [one]} for one in times]
        if self.named:
            der = (self.certificate or self.credential.certificate).public_bytes(Encoding.DER)
            known = self.named_by if "." not in self.named_by else "sha256"
            identifier = {"hash_algorithm": {"algorithm": self.named_by}, "cert_hash": hashlib.new(known, der).digest()}
            attributes.append({"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [identifier]})]})
        if self.protection:
            other = algos.DigestAlgorithm({"algorithm": self.protection})
            protection = {"digest_algorithm": other, "signature_algorithm": self.signature_algorithm()}
            attributes.append({"type": "cms_algorithm_protection", "values": [cms.CMSAlgorithmProtection(protection)]})
        return [attribute for attribute in attributes if attribute["type"] != self.without]

    def signature_algorithm(self) -> algos.SignedDigestAlgorithm:
        if self.algorithm == "rsassa_pss":
            digest = algos.DigestAlgorithm({"algorithm": self.hash_name})
            mask = {"algorithm": "mgf1", "parameters": digest}
            parameters = {"hash_algorithm": digest, "mask_gen_algorithm": mask, "salt_length": self.salt}
            return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)})
        family = "rsa" if isinstance(self.credential.key, rsa.RSAPrivateKey) else "ecdsa"
        return algos.SignedDigestAlgorithm({"algorithm": self.algorithm or f"{self.hash_name}_{family}"})

    def value(self, octets: bytes) -> bytes:
        key, digest = self.credential.key, HASHES[self.hash_name]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(octets, ec.ECDSA(digest))
        if self.algorithm == "rsassa_pss":
            return key.sign(octets, padding.PSS(padding.MGF1(digest), self.salt), digest)
        return key.sign(octets, padding.PKCS1v15(), digest)


def asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def asn1_list(listing: x509.CertificateRevocationList) -> asn1_crl.CertificateList:
    return asn1_crl.CertificateList.load(listing.public_bytes(Encoding.DER))


def message(
    *infos: cms.SignerInfo,
    certificates: tuple[x509.Certificate, ...] = (),
    content: bytes | None = None,
    lists: tuple[x509.CertificateRevocationList, ...] = (),
) -> bytes:
    capsule: dict[str, Any] = {"content_type": "data"}
    if content is not None:
        capsule["content"] = core.OctetString(content)
    signed: dict[str, Any] = {
        "version": "v1",
        "digest_algorithms": [],
        "encap_content_info": capsule,
        "signer_infos": list(infos),
    }
    if certificates:
        signed["certificates"] = [asn1(one) for one in certificates]
    if lists:
        signed["crls"] = [asn1_list(one) for one in lists]
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
    return der


def made(*crafted: Crafted, **beside: Any) -> bytes:
    beside.setdefault("certificates", tuple(dict.fromkeys(one.credential.certificate for one in crafted)))
    return message(*(one.info() for one in crafted), **beside)
