"""Taking a timestamp token apart (RFC 3161, 2.4.2): what the authority says, who signed it, what came along."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.errors import UnreadableInput
from core.messages import Catalogue
from signing import oids
from signing.algorithms import CERTIFICATE_FLAWS

_messages = Catalogue("signing")
_NEEDED = {"content_type", "message_digest", "signing_certificate", "signing_certificate_v2", "cms_algorithm_protection"}
LARGEST_TOKEN = 256 << 10
UNPARSED = (
    *CERTIFICATE_FLAWS,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    UnsupportedAlgorithm,
)
"""The ways in which asn1crypto and cryptography say that something cannot be read."""


class TokenUnreadable(UnreadableInput):
    """What was handed over is no timestamp token."""


class CertificateAbsent(TokenUnreadable):
    """The token does not bring the certificate of its authority, and it is not at hand either: nothing is shown, either way."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a token that verification needs."""

    signer_info: cms.SignerInfo
    info: tsp.TSTInfo
    info_der: bytes
    signer: x509.Certificate
    signer_asn1: cms.Certificate
    others: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, token: bytes, known: Iterable[x509.Certificate] = ()) -> Self:
        """Take a token apart; the certificate of its authority is looked for among the known ones when it brings none.

        Raises:
            CertificateAbsent: there is no such certificate.
            TokenUnreadable: it is not one.
        """
        # Heavy: pyHanko is loaded by who reads a token, not by who may.
        from pyhanko.sign.general import CMSExtractionError, CMSStructuralError, extract_signer_info
        from pyhanko.sign.validation.errors import SignatureValidationError
        from pyhanko.sign.validation.generic_cms import extract_certs_for_validation

        oids.complete()
        try:
            signed = _signed_data(token)
            info, der = _info(signed)
            brought = _brings_certificates(signed)
            if not brought:
                _complete(signed, known)
            found = extract_certs_for_validation(signed)
            signer = x509.load_der_x509_certificate(found.signer_cert.dump())
            signer_info = extract_signer_info(signed)
            _read(signer_info)
            _ = info.native, signer.public_key()
            return cls(
                signer_info=signer_info,
                info=info,
                info_der=der,
                signer=signer,
                signer_asn1=found.signer_cert,
                others=tuple(x509.load_der_x509_certificate(other.dump()) for other in found.other_certs),
            )
        except SignatureValidationError as error:
            if not brought:
                raise CertificateAbsent(_messages("timestamp.no_certificate")) from error
            raise TokenUnreadable(_messages("timestamp.certificate")) from error
        except (*UNPARSED, CMSExtractionError, CMSStructuralError) as error:
            raise TokenUnreadable(_messages("timestamp.unreadable")) from error


def _read(signer_info: cms.SignerInfo) -> None:
    """Read what verification needs, which raises where it is malformed; what else a token carries is left alone."""
    for name in ("digest_algorithm", "signature_algorithm", "signature"):
        _ = signer_info[name].native
    for attribute in signer_info["signed_attrs"]:
        if attribute["type"].native in _NEEDED:
            _ = attribute["values"].native


def _signed_data(token: bytes) -> cms.SignedData:
    if len(token) > LARGEST_TOKEN:
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    content = cms.ContentInfo.load(token, strict=True)
    if content["content_type"].native != "signed_data":
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    return content["content"]


def _info(signed: cms.SignedData) -> tuple[tsp.TSTInfo, bytes]:
    """Return what a token says, and the octets of that."""
    content = signed["encap_content_info"]
    if content["content_type"].native != "tst_info":
        raise TokenUnreadable(_messages("timestamp.unreadable"))
    der = bytes(content["content"])
    return tsp.TSTInfo.load(der, strict=True), der


def _brings_certificates(signed: cms.SignedData) -> bool:
    return not isinstance(signed["certificates"], core.Void) and len(signed["certificates"]) > 0


def _complete(signed: cms.SignedData, known: Iterable[x509.Certificate]) -> None:
    """Lay certificates of authorities that are known beside a token that brings none; which one signed it says itself."""
    found = [asn1_x509.Certificate.load(one.public_bytes(Encoding.DER)) for one in known if stamps_only(one)]
    if not found:
        raise CertificateAbsent(_messages("timestamp.no_certificate"))
    signed["certificates"] = [cms.CertificateChoices("certificate", one) for one in found]


def stamps_only(certificate: x509.Certificate) -> bool:
    """Tell whether extendedKeyUsage is critical and holds id-kp-timeStamping alone (RFC 3161, 2.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *CERTIFICATE_FLAWS):
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
