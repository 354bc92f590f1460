"""The closed lists of XML Signature algorithms (RFC 9231, XMLDSig 1.1), and the floor under keys.

What is not listed here is refused by name, never tried. Keys themselves are in ``signing.keys``; who may be trusted is in
``signing.trust``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

DIGESTS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    SHA256: "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - only read in old signatures, and said
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
CERTIFICATE_FLAWS = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What reading a certificate that a stranger made may raise."""
LEAST_RSA_BITS = 2048
SHA1_REFUSED_FROM = 2017
"""The first year in which nothing new may rest on SHA-1."""
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class SignatureMethod:
    """One way to sign: ``rsa`` (PKCS#1 v1.5), ``pss`` or ``ecdsa``, over one hash."""

    family: str
    hash_name: str


METHODS = {
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1": SignatureMethod("rsa", "sha1"),
    RSA_SHA256: SignatureMethod("rsa", "sha256"),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": SignatureMethod("rsa", "sha384"),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": SignatureMethod("rsa", "sha512"),
    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1": SignatureMethod("pss", "sha256"),
    "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1": SignatureMethod("pss", "sha384"),
    "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1": SignatureMethod("pss", "sha512"),
    ECDSA_SHA256: SignatureMethod("ecdsa", "sha256"),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": SignatureMethod("ecdsa", "sha384"),
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": SignatureMethod("ecdsa", "sha512"),
}


def method_of(certificate: x509.Certificate) -> str:
    """Return the identifier of the method that we sign with for a key: SHA-256, with RSA PKCS#1 v1.5 or ECDSA."""
    return ECDSA_SHA256 if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) else RSA_SHA256


def value_holds(certificate: x509.Certificate, method: SignatureMethod, value: bytes, octets: bytes) -> bool:
    """Tell whether a signature value is that of the octets under the certificate's key.

    The type of the key decides, not the document: a method of another family than the key never holds (XMLDSig 1.1, 6.4;
    ECDSA values are ``r`` and ``s`` side by side, each of the length of the curve's order).
    """
    key = certificate.public_key()
    digest = _HASHES[method.hash_name]
    try:
        if isinstance(key, rsa.RSAPublicKey) and method.family == "rsa":
            key.verify(value, octets, padding.PKCS1v15(), digest)
        elif isinstance(key, rsa.RSAPublicKey) and method.family == "pss":
            key.verify(value, octets, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and method.family == "ecdsa":
            key.verify(_der_of(value, key), octets, ec.ECDSA(digest))
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def weakness(certificate: x509.Certificate) -> str | None:
    """Return what is too weak about a certificate's key (``RSA-1024``, the curve's name), or None when it is strong enough."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return None if key.key_size >= LEAST_RSA_BITS else f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if isinstance(key.curve, CURVES) else key.curve.name
    return type(key).__name__.removesuffix("PublicKey")


def raw_ecdsa(der: bytes, key_size: int) -> bytes:
    """Return ``r`` and ``s`` side by side from a DER signature value (XMLDSig 1.1, 6.4.3); key_size in bits."""
    r, s = utils.decode_dss_signature(der)
    width = (key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def _der_of(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    width = (key.key_size + 7) // 8
    if len(value) != 2 * width:
        raise ValueError("an ECDSA value is twice as long as the order of its curve")
    return utils.encode_dss_signature(int.from_bytes(value[:width], "big"), int.from_bytes(value[width:], "big"))
