"""How the value of a CMS signature is made: the closed list of algorithms (RFC 3370, 4056, 5754, 5753)."""

from __future__ import annotations

from dataclasses import dataclass

from asn1crypto import algos
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - only read in old signatures, and said
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}
_RSA_WITH = {  # FIPS 202, registered by NIST, which asn1crypto does not know
    "2.16.840.1.101.3.4.3.14": "sha3_256",
    "2.16.840.1.101.3.4.3.15": "sha3_384",
    "2.16.840.1.101.3.4.3.16": "sha3_512",
}
_FAMILIES = {"rsassa_pkcs1v15": "rsa", "rsassa_pss": "pss", "ecdsa": "ecdsa"}
_WITHOUT_HASH = {"rsassa_pkcs1v15", "ecdsa"}
_LONGEST_SALT = 2048
_SET, _MESSAGE_DIGEST = b"\x31", bytes.fromhex("06092a864886f70d010904")


@dataclass(frozen=True, slots=True)
class Method:
    """One way to make a signature value.

    Attributes:
        family: ``rsa`` (PKCS#1 v1.5), ``pss`` or ``ecdsa``.
        hash_name: of the octets signed.
        salt: length in octets, for ``pss``.
    """

    family: str
    hash_name: str
    salt: int = 0

    def holds(self, certificate: x509.Certificate, value: bytes, digest: bytes) -> bool:
        """Tell whether a value is that of the octets with this digest under the certificate's key.

        The type of the key decides, not the message: a method of another family than the key never holds.
        """
        key, algorithm = certificate.public_key(), HASHES[self.hash_name]
        already = utils.Prehashed(algorithm)
        try:
            if isinstance(key, rsa.RSAPublicKey) and self.family == "rsa":
                key.verify(value, digest, padding.PKCS1v15(), already)
            elif isinstance(key, rsa.RSAPublicKey) and self.family == "pss":
                key.verify(value, digest, padding.PSS(padding.MGF1(algorithm), self.salt), already)
            elif isinstance(key, ec.EllipticCurvePublicKey) and self.family == "ecdsa":
                key.verify(value, digest, ec.ECDSA(already))
            else:
                return False
        except (InvalidSignature, ValueError):
            return False
        return True


def read_method(signature: algos.SignedDigestAlgorithm, digest: algos.DigestAlgorithm) -> Method | None:
    """Return the method that a SignerInfo names, or None when it is not in the list or contradicts itself.

    Raises:
        ValueError: the structure cannot be read.
    """
    name, hash_name = signature["algorithm"].native, digest["algorithm"].native
    if name in _RSA_WITH:
        return Method("rsa", hash_name) if _RSA_WITH[name] == hash_name else None
    try:
        family = _FAMILIES.get(signature.signature_algo)
    except ValueError:  # an identifier that asn1crypto does not know
        return None
    if family is None or hash_name not in HASHES:
        return None
    if family == "pss":
        return _pss(signature["parameters"], hash_name)
    if name not in _WITHOUT_HASH and signature.hash_algo != hash_name:
        return None
    return Method(family, hash_name)


def _pss(parameters: algos.RSASSAPSSParams, hash_name: str) -> Method | None:
    mask = parameters["mask_gen_algorithm"]
    named = {parameters["hash_algorithm"]["algorithm"].native, mask["parameters"]["algorithm"].native}
    if named != {hash_name} or mask["algorithm"].native != "mgf1":
        return None
    salt = int(parameters["salt_length"].native)
    return Method("pss", hash_name, salt) if 0 <= salt <= _LONGEST_SALT else None


def may_be_attributes(start: bytes) -> bool:
    """Tell whether a content, by its beginning, may be the signed attributes of another signature: a SET with a message digest.

    Taken from there, they pass for a document that was signed without attributes: both are hashed alike (RFC 5652, 5.4).
    """
    return start.startswith(_SET) and _MESSAGE_DIGEST in start
