"""What comes along with the signatures of a CMS message to verify them with: certificates, revocation lists, OCSP answers.

Nothing of it is believed yet; what cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from asn1crypto import cms, core, ocsp
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from signing.timestamp.parts import UNPARSED
from signing.trust import Evidence

_CERTIFICATE_VALUES = "1.2.840.113549.1.9.16.2.23"
_REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"


class _RevocationLists(core.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1_crl.CertificateList


class _Answers(core.SequenceOf):  # type: ignore[misc]
    _child_spec = ocsp.BasicOCSPResponse


class _RevocationValues(core.Sequence):  # type: ignore[misc]
    """RFC 5126, 6.3.4."""

    _fields: ClassVar = [
        ("lists", _RevocationLists, {"explicit": 0, "optional": True}),
        ("answers", _Answers, {"explicit": 1, "optional": True}),
        ("others", core.Any, {"explicit": 2, "optional": True}),
    ]


class _Certificates(core.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1_x509.Certificate


def carried(signed: cms.SignedData) -> Evidence:
    """Return what stands beside the signatures: certificates, lists (RFC 5652, 10.2.1), OCSP answers (RFC 5940)."""
    chosen = [] if isinstance(signed["certificates"], core.Void) else list(signed["certificates"])
    certificates = [choice.chosen.dump() for choice in chosen if choice.name == "certificate"]
    lists, answers = [], []
    for choice in [] if isinstance(signed["crls"], core.Void) else signed["crls"]:
        if choice.name == "crl":
            lists.append(choice.chosen.dump())
        elif choice.chosen["other_rev_info_format"].native == "ocsp_response":
            answers.append(choice.chosen["other_rev_info"].dump())
    return Evidence(tuple(_certificates(certificates)), tuple(_lists(lists)), tuple(answers))


def values(unsigned: dict[str, list[bytes]]) -> Evidence:
    """Return what the attributes certificate-values and revocation-values hold (RFC 5126, 6.3.3 and 6.3.4)."""
    certificates: list[bytes] = []
    for value in unsigned.get(_CERTIFICATE_VALUES, ()):
        certificates += [certificate.dump() for certificate in _Certificates.load(value, strict=True)]
    lists: list[bytes] = []
    answers: list[bytes] = []
    for value in unsigned.get(_REVOCATION_VALUES, ()):
        values = _RevocationValues.load(value, strict=True)
        lists += [listing.dump() for listing in _present(values["lists"])]
        answers += [_whole(basic) for basic in _present(values["answers"])]
    return Evidence(tuple(_certificates(certificates)), tuple(_lists(lists)), tuple(answers))


def carried_values(certificates: Iterable[bytes], lists: Iterable[bytes], answers: Iterable[bytes]) -> dict[str, bytes]:
    """Return certificates, revocation lists and OCSP responses, DER, as the values of those attributes, by their types."""
    parts = {
        "lists": [asn1_crl.CertificateList.load(one) for one in lists],
        "answers": [ocsp.OCSPResponse.load(one)["response_bytes"]["response"].parsed for one in answers],
    }
    return {
        _CERTIFICATE_VALUES: _Certificates([asn1_x509.Certificate.load(one) for one in certificates]).dump(),
        _REVOCATION_VALUES: _RevocationValues({name: found for name, found in parts.items() if found}).dump(),
    }


def _present(values: Any) -> Iterator[Any]:
    return iter(()) if isinstance(values, core.Void) else iter(values)


def _whole(basic: ocsp.BasicOCSPResponse) -> bytes:
    """Return the whole OCSP response around the part that attributes hold."""
    parts = {"response_type": "basic_ocsp_response", "response": basic}
    der: bytes = ocsp.OCSPResponse({"response_status": "successful", "response_bytes": parts}).dump()
    return der


def _certificates(ders: Iterable[bytes]) -> Iterator[x509.Certificate]:
    """Give the certificates that can be read; one that cannot is left out: no path leads through it."""
    for der in ders:
        try:
            certificate = x509.load_der_x509_certificate(der)
            _ = certificate.public_key(), certificate.extensions, certificate.issuer, certificate.subject
            _ = asn1_x509.Certificate.load(der, strict=True).native  # paths are built with another reader, which must read it too
        except UNPARSED:
            continue
        yield certificate


def _lists(ders: Iterable[bytes]) -> Iterator[x509.CertificateRevocationList]:
    for der in ders:
        try:
            listing = x509.load_der_x509_crl(der)
            _ = listing.extensions, listing.issuer
        except UNPARSED:
            continue
        yield listing
