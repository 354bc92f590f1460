"""Which certificates are those of authorities, and which of these stand by themselves: the anchors of a trust folder."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from signing.algorithms import CERTIFICATE_FLAWS
from signing.extensions import extension


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of an authority (basicConstraints)."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_root(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of an authority and signed with its own key."""
    try:
        return is_authority(certificate) and _signed_by_itself(certificate)
    except (InvalidSignature, UnsupportedAlgorithm, *CERTIFICATE_FLAWS, TypeError):
        return False


def _signed_by_itself(certificate: x509.Certificate) -> bool:
    """Tell whether its signature is of its own key, over SHA-1 too: many old roots are so, and their signature proves nothing."""
    key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    value, over = certificate.signature, certificate.tbs_certificate_bytes
    if not isinstance(digest, hashes.SHA1) or certificate.issuer != certificate.subject:
        certificate.verify_directly_issued_by(certificate)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(value, over, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(value, over, ec.ECDSA(digest))
    else:
        return False
    return True


def sorted_out(certificates: Iterable[x509.Certificate]) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    """Return the anchors among certificates, and the others."""
    anchors: list[x509.Certificate] = []
    material: list[x509.Certificate] = []
    for certificate in certificates:
        (anchors if is_root(certificate) else material).append(certificate)
    return tuple(anchors), tuple(material)
