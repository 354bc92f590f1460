"""XML signatures that are not over what a reader would think, or that ask for what is not admitted; and forms met in the field.

The signatures are assembled here: ours are not both judge and party, and what no tool would sign can be tried.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from core import clock
from core.errors import UnreadableInput, UsageError
from signing.pki import Credential
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.xades.verifier import verify

Element = etree._Element
DS = "http://www.w3.org/2000/09/xmldsig#"
XA = "http://uri.etsi.org/01903/v1.3.2#"
SPACES = {"ds": DS, "xa": XA, "a": "urn:exemple:acte"}
SIGNATURE = f"{{{DS}}}Signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
CANONICAL_11 = "http://www.w3.org/2006/12/xml-c14n11"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
NOTHING = bytes(32)
FORGED = "999999.00"
DOCUMENT = (
    '<acte xmlns="urn:exemple:acte" Id="ACTE" xml:lang="fr"><entete><objet>Vente</objet></entete>'
    '<lot Id="LOT"><montant>100.00</montant></lot><annexes Id="ANNEXES"/></acte>'
)


def transform(algorithm: str, content: str = "") -> str:
    return f'<ds:Transform Algorithm="{algorithm}">{content}</ds:Transform>'


OWN = transform(f"{DS}enveloped-signature")
ALL = transform(XPATH, "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath>")
SUBTRACTED = transform(FILTER, f'<f:XPath xmlns:f="{FILTER}" Filter="subtract">/descendant::ds:Signature</f:XPath>')
EXC = transform(EXCLUSIVE)


def reference(uri: str | None, transforms: str, digest: bytes) -> str:
    """Write a reference; one without a digest is given that of the part of the signature that it designates."""
    told = "" if uri is None else f' URI="{uri}"'
    return (
        f"<ds:Reference{told}>{f'<ds:Transforms>{transforms}</ds:Transforms>' if transforms else ''}"
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{encoded(digest)}</ds:DigestValue></ds:Reference>'
    )


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def canonical(element: Element, *, exclusive: bool = True) -> bytes:
    form: bytes = etree.tostring(element, method="c14n", exclusive=exclusive, with_comments=False)
    return form


def digest_of(element: Element, *, exclusive: bool = True) -> bytes:
    return hashlib.sha256(canonical(element, exclusive=exclusive)).digest()


def signature(credential: Credential, data: str, *, objects: str = "", xades: bool = True, name: str = "S") -> Element:
    """Return a signature over what references designate; it declares every prefix that it uses."""
    der = credential.certificate.public_bytes(Encoding.DER)
    properties = (
        f'<ds:Object><xa:QualifyingProperties xmlns:xa="{XA}" Target="#{name}"><xa:SignedProperties Id="{name}-P">'
        f"<xa:SignedSignatureProperties><xa:SigningTime>{clock.iso(clock.now())}</xa:SigningTime><xa:SigningCertificateV2>"
        f'<xa:Cert><xa:CertDigest><ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>'
        f"{encoded(hashlib.sha256(der).digest())}</ds:DigestValue></xa:CertDigest></xa:Cert></xa:SigningCertificateV2>"
        "</xa:SignedSignatureProperties></xa:SignedProperties><xa:UnsignedProperties><xa:UnsignedSignatureProperties>"
        "<xa:CertificateValues/></xa:UnsignedSignatureProperties></xa:UnsignedProperties></xa:QualifyingProperties></ds:Object>"
    )
    over = reference(f"#{name}-P", EXC, b"") if xades else ""
    made = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS}" Id="{name}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f'{data}{over}</ds:SignedInfo><ds:SignatureValue Id="{name}-V"/><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{encoded(der)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{properties if xades else ''}{objects}</ds:Signature>"
    )
    for one in made.xpath("ds:SignedInfo/ds:Reference[not(string(ds:DigestValue))]", namespaces=SPACES):
        (target,) = made.xpath("//*[@Id=$name]", name=one.get("URI")[1:])
        one.find("ds:DigestValue", SPACES).text = encoded(digest_of(target))
    assert isinstance(credential.key, rsa.RSAPrivateKey)
    made.find("ds:SignatureValue", SPACES).text = encoded(
        credential.key.sign(canonical(made[0]), padding.PKCS1v15(), hashes.SHA256())
    )
    return made


def written(folder: Path, root: Element) -> Path:
    path = folder / "acte.xml"
    path.write_bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
    return path


def enveloped(credential: Credential, uri: str = "", transforms: str = OWN + EXC) -> Element:
    root = etree.fromstring(DOCUMENT)
    root.append(signature(credential, reference(uri, transforms, digest_of(root))))
    return root


@pytest.mark.parametrize("uri", ["", "#ACTE"])
@pytest.mark.parametrize("transforms", [OWN + EXC, ALL + EXC, SUBTRACTED + EXC, OWN + ALL + EXC])
def test_a_document_signed_whole_is_believed(
    credential: Credential, tmp_path: Path, trust: TrustStore, uri: str, transforms: str
) -> None:
    verdict = verify(written(tmp_path, enveloped(credential, uri, transforms)), trust=trust)
    assert verdict.verdict is Belief.VALID, verdict
    assert [one.covers for one in verdict.signatures] == ["document"]


# what is not signed


PLACES = 32


@pytest.mark.parametrize("place", range(PLACES))
def test_nothing_is_slipped_into_a_signature(credential: Credential, tmp_path: Path, trust: TrustStore, place: int) -> None:
    root = enveloped(credential)
    places = list(root.find(SIGNATURE).iter("*"))
    assert len(places) == PLACES
    etree.SubElement(places[place], "{urn:exemple:acte}montant").text = FORGED
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.INVALID


@pytest.mark.parametrize("inside", [True, False], ids=["in it", "beside it"])
@pytest.mark.parametrize("name", ["LOT", "ANNEXES"])
def test_a_signature_of_a_part_leaves_the_rest_unsigned(
    credential: Credential, tmp_path: Path, trust: TrustStore, name: str, inside: bool
) -> None:
    root = etree.fromstring(DOCUMENT)
    part = root.find(f"a:{name.lower()}", SPACES)
    made = signature(credential, reference(f"#{name}", OWN + EXC if inside else EXC, digest_of(part)))
    (part if inside else root).append(made)
    verdict = verify(written(tmp_path, root), trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert [one.covers for one in verdict.signatures] == [f"element {name}" if inside else "nothing"]


def test_what_a_signature_envelops_is_believed_there_and_nowhere_else(
    credential: Credential, tmp_path: Path, trust: TrustStore
) -> None:
    content = f'<ds:Object xmlns:ds="{DS}" Id="O">{DOCUMENT}</ds:Object>'
    enveloping = signature(credential, reference("#O", EXC, b""), objects=content)
    verdict = verify(written(tmp_path, enveloping), trust=trust)
    assert (verdict.verdict, verdict.signatures[0].covers) == (Belief.VALID, "object O")
    around = etree.fromstring(DOCUMENT.replace("100.00", FORGED).replace("Id=", "Name="))
    around.append(enveloping)
    assert verify(written(tmp_path, around), trust=trust).verdict is Belief.INVALID


def test_properties_that_nothing_signs_are_refused(credential: Credential, tmp_path: Path, trust: TrustStore) -> None:
    root = etree.fromstring(DOCUMENT)
    plain = signature(credential, reference("", OWN + EXC, digest_of(root)), xades=False)
    plain.append(signature(credential, "").find("ds:Object", SPACES))
    root.append(plain)
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.INVALID


# what is not admitted


XSLT = transform("http://www.w3.org/TR/1999/REC-xslt-19991116")
DECEITS = {
    "no data": "",
    "a stylesheet": reference("", OWN + XSLT + EXC, NOTHING),
    "an expression": reference("", transform(XPATH, "<ds:XPath>not(self::montant)</ds:XPath>") + EXC, NOTHING),
    "a prefix of nobody": reference("", transform(XPATH, "<ds:XPath>not(ancestor-or-self::a:Signature)</ds:XPath>"), NOTHING),
    "a filter that keeps": reference("", SUBTRACTED.replace("subtract", "intersect") + EXC, NOTHING),
    "an address": reference("http://exemple.invalid/acte.xml", "", NOTHING),
    "a file of the machine": reference("file:///etc/hostname", "", NOTHING),
    "a path": reference("/etc/hostname", "", NOTHING),
    "a path upwards": reference("../acte.xml", "", NOTHING),
    "a pointer": reference("#xpointer(/)", OWN + EXC, NOTHING),
    "nobody": reference("#NOBODY", EXC, NOTHING),
    "itself": reference("#S", EXC, NOTHING),
    "its value": reference("#S-V", EXC, NOTHING),
    "an old digest": reference("", OWN + EXC, bytes(16)).replace(SHA256, "http://www.w3.org/2001/04/xmldsig-more#md5"),
}


@pytest.mark.parametrize("apart", [True, False], ids=["apart", "inside"])
@pytest.mark.parametrize("deceit", DECEITS)
def test_a_signature_that_designates_nothing_admitted_is_refused(
    credential: Credential, tmp_path: Path, trust: TrustStore, deceit: str, apart: bool
) -> None:
    root = made = signature(credential, DECEITS[deceit])
    if not apart:
        root = etree.fromstring(DOCUMENT)
        root.append(made)
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.INVALID


@pytest.mark.parametrize("transforms", [OWN, ALL, OWN + EXC, ALL + EXC, EXC, ""])
def test_a_signature_alone_is_not_over_itself(credential: Credential, tmp_path: Path, trust: TrustStore, transforms: str) -> None:
    made = signature(credential, reference("", transforms, NOTHING))
    assert verify(written(tmp_path, made), trust=trust).verdict is Belief.INVALID


@pytest.mark.parametrize("start", ["<acte ", "<lot ", "<ds:SignedInfo", "<xa:SignedProperties "])
def test_a_relative_namespace_is_refused_and_nothing_breaks(
    credential: Credential, tmp_path: Path, trust: TrustStore, start: str
) -> None:
    octets = etree.tostring(enveloped(credential)).replace(start.encode(), f'{start.strip()} xmlns:r="r" r:x="1" '.encode(), 1)
    assert b'r:x="1"' in octets
    assert verify(written(tmp_path, etree.fromstring(octets)), trust=trust).verdict is Belief.INVALID


def test_nothing_is_digested_twice(credential: Credential, tmp_path: Path, trust: TrustStore) -> None:
    root = etree.fromstring(DOCUMENT)
    data = reference("", OWN + EXC, digest_of(root))
    by_manifest = f'<ds:Object xmlns:ds="{DS}"><ds:Manifest Id="M">{data}</ds:Manifest></ds:Object>'
    root.append(signature(credential, reference("#M", EXC, b""), objects=by_manifest))
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.VALID
    root.remove(root.find(SIGNATURE))
    root.append(signature(credential, data + reference("#M", EXC, b""), objects=by_manifest))
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.INVALID


def test_a_document_too_large_is_not_read(tmp_path: Path, trust: TrustStore) -> None:
    path = tmp_path / "large.xml"
    with path.open("wb") as stream:
        stream.truncate((128 << 20) + 1)
    with pytest.raises(UnreadableInput, match="128"):
        verify(path, trust=trust)


# forms and companies met in the field


@pytest.mark.parametrize("form", [INCLUSIVE, CANONICAL_11, None])
@pytest.mark.parametrize("cut", [OWN, ALL])
def test_inclusive_forms_are_computed(
    credential: Credential, tmp_path: Path, trust: TrustStore, form: str | None, cut: str
) -> None:
    root = etree.fromstring(DOCUMENT)
    etree.SubElement(root[0], "{urn:autre}detail", nsmap={"autre": "urn:autre", "rien": "urn:rien"})
    root.append(signature(credential, reference("", cut + (transform(form) if form else ""), digest_of(root, exclusive=False))))
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.VALID


def test_prefixes_kept_by_an_exclusive_form_count(credential: Credential, tmp_path: Path, trust: TrustStore) -> None:
    root = etree.fromstring('<acte xmlns:u="urn:unite"><montant unite="u:euro"/></acte>')
    form = etree.tostring(root, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=["u"])
    kept = transform(EXCLUSIVE, f'<e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="u"/>')
    root.append(signature(credential, reference("", OWN + kept, hashlib.sha256(form).digest())))
    assert verify(written(tmp_path, root), trust=trust).verdict is Belief.VALID
    changed = etree.tostring(root).replace(b"urn:unite", b"urn:cents")
    assert verify(written(tmp_path, etree.fromstring(changed)), trust=trust).verdict is Belief.INVALID


@pytest.mark.parametrize("cut", [ALL, SUBTRACTED])
def test_signatures_side_by_side_are_each_believed(credential: Credential, tmp_path: Path, trust: TrustStore, cut: str) -> None:
    root = enveloped(credential, "", cut + EXC)
    root.append(signature(credential, reference("", ALL + EXC, digest_of(etree.fromstring(DOCUMENT))), name="T"))
    verdict = verify(written(tmp_path, root), trust=trust)
    assert [one.verdict for one in verdict.signatures] == [Belief.VALID] * 2, verdict
    root.find("a:lot/a:montant", SPACES).text = FORGED
    assert [one.intact for one in verify(written(tmp_path, root), trust=trust).signatures] == [False, False]


def test_a_signature_over_another_is_read_with_the_prefixes_that_are_written(
    credential: Credential, tmp_path: Path, trust: TrustStore
) -> None:
    """The root gives XMLDSig a prefix too, which trees that are cut and put together again prefer to the signature's own."""
    text = _signed_twice(DOCUMENT.replace("<acte ", f'<acte xmlns:sig="{DS}" ', 1), credential)
    path = written(tmp_path, etree.fromstring(text))
    verdict = verify(path, trust=trust)
    assert [one.verdict for one in verdict.signatures] == [Belief.VALID] * 2, verdict


def _signed_twice(text: str, credential: Credential) -> str:
    """Sign as text, so that every prefix stays where it was written: once beside others, then over all."""
    first = signature(credential, reference("", ALL + EXC, digest_of(etree.fromstring(text))))
    once = text.replace("</acte>", f"{etree.tostring(first).decode()}</acte>")
    second = signature(credential, reference("", OWN + EXC, digest_of(etree.fromstring(once))), name="T")
    return once.replace("</acte>", f"{etree.tostring(second).decode()}</acte>")


def test_a_plain_signature_is_judged_too(credential: Credential, tmp_path: Path, trust: TrustStore) -> None:
    root = etree.fromstring(DOCUMENT)
    root.append(signature(credential, reference("", OWN + EXC, digest_of(root)), xades=False))
    verdict = verify(written(tmp_path, root), trust=trust)
    assert [(one.format, one.level, one.verdict) for one in verdict.signatures] == [("XMLDSig", None, Belief.VALID)]


# detached


@pytest.mark.parametrize("uri", [None, "acte.pdf"])
def test_a_file_apart_must_be_named_and_be_the_one(
    credential: Credential, tmp_path: Path, trust: TrustStore, uri: str | None
) -> None:
    data = tmp_path / "copie.pdf"
    data.write_bytes(b"%PDF-1.4 acte")
    path = written(tmp_path, signature(credential, reference(uri, "", hashlib.sha256(data.read_bytes()).digest())))
    assert verify(path, detached=data, trust=trust).verdict is Belief.VALID
    with pytest.raises(UsageError, match="--detached"):
        verify(path, trust=trust)
    data.write_bytes(b"%PDF-1.4 autre")
    assert verify(path, detached=data, trust=trust).verdict is Belief.INVALID


def test_a_detached_signature_in_a_document_says_nothing_of_it(credential: Credential, tmp_path: Path, trust: TrustStore) -> None:
    data = tmp_path / "acte.pdf"
    data.write_bytes(b"%PDF-1.4 acte")
    root = etree.fromstring(DOCUMENT)
    root.append(signature(credential, reference(None, "", hashlib.sha256(data.read_bytes()).digest())))
    assert verify(written(tmp_path, root), detached=data, trust=trust).verdict is Belief.INVALID
