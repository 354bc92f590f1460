"""The unsigned properties of a signature (TS 101 903, 7.3 to 7.6): its timestamps, and what came along to verify it with."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeVar

from asn1crypto import ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from lxml import etree

from core.messages import Catalogue
from signing.algorithms import EXCLUSIVE_C14N
from signing.pes.layout import DS
from signing.pes.signature import Signature, Unreadable, timestamp_elements, timestamp_tokens
from signing.timestamp.parts import UNPARSED
from signing.timestamp.token import verify_stamp
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import TimestampVerdict
from signing.xades.archive import is_read
from signing.xades.forms import FORMS, INCLUSIVE, Form, form_of

_messages = Catalogue("signing")
_MOST_VALUES = 300
_UNNAMED = (INCLUSIVE, FORMS[EXCLUSIVE_C14N])
_OTHER_STAMPS = {
    "AllDataObjectsTimeStamp",
    "IndividualDataObjectsTimeStamp",
    "SigAndRefsTimeStamp",
    "SigAndRefsTimeStampV2",
    "RefsOnlyTimeStamp",
    "RefsOnlyTimeStampV2",
    "ArchiveTimeStamp",
}
T = TypeVar("T")


def timestamps(signature: Signature, trust: TrustStore | None, seen: datetime) -> tuple[TimestampVerdict, ...]:
    """Verify the timestamps over the signature value; see ``verify_stamp``.

    Raises:
        Unreadable: more than five of them, or one without its token.
    """
    holders = timestamp_elements(signature)
    return tuple(_timestamp(signature, holder, token, trust, seen) for holder in holders for token in timestamp_tokens(holder))


def has_others(signature: Signature) -> bool:
    """Tell whether the signature carries timestamps of another kind, which are not examined."""
    if signature.qualifying is None:
        return False
    others = (one for one in signature.qualifying.iterdescendants("*") if etree.QName(one).localname in _OTHER_STAMPS)
    return not all(map(is_read, others))


def evidence(signature: Signature, others: tuple[x509.Certificate, ...]) -> Evidence:
    """Return what came along: the other certificates of KeyInfo, and the values among the unsigned properties.

    Raises:
        Unreadable: more than 300 certificates, lists or answers.
    """
    return Evidence(
        certificates=(*others, *_values(signature, "EncapsulatedX509Certificate", _certificate)),
        lists=tuple(_values(signature, "EncapsulatedCRLValue", _list)),
        answers=tuple(_values(signature, "EncapsulatedOCSPValue", _answer)),
    )


def _timestamp(
    signature: Signature, holder: etree._Element, token: bytes, trust: TrustStore | None, seen: datetime
) -> TimestampVerdict:
    value = signature.value_element
    verdict = TimestampVerdict(None, None, False, TrustState.UNKNOWN, _messages("xades.stamp_form"))
    for form in _forms(signature, holder):
        if form.exact(value):
            verdict = verify_stamp(token, partial(form.digest, value), trust=trust, seen=seen).as_verdict()
        if verdict.valid:
            break
    return verdict


def _forms(signature: Signature, holder: etree._Element) -> tuple[Form, ...]:
    """Return the forms of the value that a timestamp may be over: that which it names; none when it says something else.

    Where it names none, the standard means the inclusive form, and some tools take the exclusive one: either is of this value.
    From 1.2.2 on a timestamp names a method; 1.1.1 has it in the transforms of a HashDataInfo, which designates the value itself.
    """
    parts = [child for child in holder.iterchildren("*") if etree.QName(child).localname != "EncapsulatedTimeStamp"]
    if not parts:
        return _UNNAMED
    if len(parts) == 1 and parts[0].tag == f"{{{DS}}}CanonicalizationMethod":
        return _named(parts[0])
    if len(parts) == 1 and etree.QName(parts[0]).localname == "HashDataInfo":
        transforms = parts[0].findall("{*}Transforms/{*}Transform")
        identifier = signature.value_element.get("Id")
        if not identifier or parts[0].get("uri") != f"#{identifier}" or len(transforms) > 1:
            return ()
        return _named(transforms[0]) if transforms else _UNNAMED
    return ()


def _named(method: etree._Element) -> tuple[Form, ...]:
    form = form_of(method)
    return () if form is None else (form,)


def _values(signature: Signature, name: str, read: Callable[[bytes], T]) -> Iterator[T]:
    """Give the values of one kind that can be read; one that cannot is left out: nothing leads through it."""
    if signature.qualifying is None:
        return
    found = signature.qualifying.findall(f"{{*}}UnsignedProperties//{{*}}{name}")
    if len(found) > _MOST_VALUES:
        raise Unreadable(name)
    for element in found:
        try:
            yield read(base64.b64decode("".join((element.text or "").split()), validate=True))
        except (binascii.Error, *UNPARSED):
            continue


def _certificate(der: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(der)
    _ = certificate.public_key(), certificate.extensions, certificate.issuer, certificate.subject
    _ = asn1_x509.Certificate.load(der, strict=True).native  # paths are built with another reader, which must read it too
    return certificate


def _list(der: bytes) -> x509.CertificateRevocationList:
    listing = x509.load_der_x509_crl(der)
    _ = listing.extensions, listing.issuer
    return listing


def _answer(der: bytes) -> bytes:
    _ = ocsp.OCSPResponse.load(der, strict=True).native
    return der
