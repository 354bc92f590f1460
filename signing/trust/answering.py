"""Whether an OCSP answer is about a certificate, and whether who gave it may (RFC 6960, 3.2 and 4.2.2.2)."""

from __future__ import annotations

import hashlib

from asn1crypto import keys
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.algorithms import CERTIFICATE_FLAWS, weakness
from signing.extensions import extension

_STRONG = ("sha256", "sha384", "sha512")


def concerns(single: ocsp.OCSPSingleResponse, member: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether an answer is about this certificate of this issuer: number, and digests of the issuer's name and key."""
    hashed = single.hash_algorithm.name
    return (
        single.serial_number == member.serial_number
        and single.issuer_name_hash == hashlib.new(hashed, issuer.subject.public_bytes()).digest()
        and single.issuer_key_hash == hashlib.new(hashed, _key_bits(issuer)).digest()
    )


def responder(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    """Return the certificate of who signed an answer: the issuer, or a responder that the issuer named; None for a stranger."""
    candidates = [issuer, *(other for other in response.certificates if _delegated(other, issuer, response))]
    return next((one for one in candidates if _named(one, response) and _signed(one, response)), None)


def unchecked(certificate: x509.Certificate) -> bool:
    """Tell whether a responder's certificate says that it is not to be checked itself (id-pkix-ocsp-nocheck)."""
    return extension(certificate, x509.OCSPNoCheck) is not None


def _named(candidate: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    if response.responder_name is not None:
        return response.responder_name == candidate.subject
    return response.responder_key_hash == hashlib.sha1(_key_bits(candidate), usedforsecurity=False).digest()


def _delegated(candidate: x509.Certificate, issuer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    """Tell whether the issuer itself named a responder: id-kp-OCSPSigning, and valid when the answer was made."""
    usages = extension(candidate, x509.ExtendedKeyUsage) or ()
    try:
        candidate.verify_directly_issued_by(issuer)
        digest = candidate.signature_hash_algorithm
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, *CERTIFICATE_FLAWS):
        return False
    valid = candidate.not_valid_before_utc <= response.produced_at_utc <= candidate.not_valid_after_utc
    strong = digest is not None and digest.name in _STRONG and weakness(candidate) is None
    return valid and strong and ExtendedKeyUsageOID.OCSP_SIGNING in usages


def _signed(candidate: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key = candidate.public_key()
    digest = response.signature_hash_algorithm
    if digest is None or digest.name not in _STRONG:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _key_bits(certificate: x509.Certificate) -> bytes:
    """Return the content of the BIT STRING that holds a certificate's key: what responders make digests of."""
    info = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bytes(keys.PublicKeyInfo.load(info)["public_key"])
