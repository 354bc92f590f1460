"""What the key may touch."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from asn1crypto import cms, tsp
from tabellion_agent.errors import NotWhatWasShown
from tabellion_agent.octets import check
from tabellion_agent.protocol import Item

DOCUMENT, CERTIFICATE = b"the document", b"a certificate in DER"
DIGEST = hashlib.sha256(DOCUMENT).digest()


def item(form: str = "cades") -> Item:
    return Item("1", "Délibération", form, DIGEST.hex(), len(DOCUMENT))


def attributes(digest: bytes = DIGEST, certificate: bytes = CERTIFICATE, **others: Any) -> bytes:
    identifier = {"cert_hash": hashlib.sha256(certificate).digest()}
    values = {
        "content_type": "data",
        "message_digest": digest,
        "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [identifier]}),
        **others,
    }
    der: bytes = cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values.items()]).dump()
    return der


def signed_info(
    method: str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", root: str = "SignedInfo", more: str = ""
) -> bytes:
    digest = base64.b64encode(DIGEST).decode()
    return (
        f'<ds:{root} xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
        f'<ds:Reference URI="">{more}<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:{root}>'
    ).encode()


@pytest.mark.parametrize("form", ["cades", "pades"])
def test_signed_attributes_that_name_the_document_and_the_certificate_are_signed(form: str) -> None:
    check(attributes(), item(form), CERTIFICATE)


@pytest.mark.parametrize("form", ["pes", "xades", "xades-detached"])
def test_a_signed_info_is_signed(form: str) -> None:
    check(signed_info(), item(form), CERTIFICATE)


@pytest.mark.parametrize(
    ("form", "octets"),
    [
        ("cades", attributes(bytes(32))),
        ("xades-detached", signed_info().replace(base64.b64encode(DIGEST), base64.b64encode(bytes(32)))),
    ],
)
def test_the_digest_of_another_document_is_not_signed(form: str, octets: bytes) -> None:
    with pytest.raises(NotWhatWasShown, match="Délibération"):
        check(octets, item(form), CERTIFICATE)


@pytest.mark.parametrize(("form", "octets"), [("cades", signed_info()), ("pades", signed_info()), ("pes", attributes())])
def test_a_signature_of_another_shape_than_announced_is_not_signed(form: str, octets: bytes) -> None:
    with pytest.raises(NotWhatWasShown):
        check(octets, item(form), CERTIFICATE)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        DIGEST,
        b"\x31",
        b"\x31\x84\xff\xff\xff\xff",
        b"\x31\x80" + attributes()[2:] + b"\0\0",
        b"\x31\x20" + DIGEST,
        attributes()[:-1],
        attributes() + b"\0\0",
        attributes(certificate=b"another certificate"),
        attributes(b"short"),
        b"x" * (5 << 20),
        b"<html></html>",
        signed_info(method="http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        signed_info(root="Manifest"),
        b"<!DOCTYPE x [<!ENTITY e 'e'>]>" + signed_info(),
        signed_info()[:-3],
        signed_info().replace(base64.b64encode(DIGEST), b""),
        signed_info().replace(base64.b64encode(DIGEST), b"&e;"),
    ],
)
def test_nothing_else_is_signed_above_all_no_bare_digest(octets: bytes) -> None:
    with pytest.raises(NotWhatWasShown):
        check(octets, item("pes" if octets.startswith(b"<") else "pades"), CERTIFICATE)
