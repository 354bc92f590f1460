"""What the tools of other countries and of offices write in XAdES: read as they mean it, and no further."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import EXCLUSIVE_C14N
from signing.asic.verifier import verify as verify_container
from signing.keys import Pkcs12Signer
from signing.pes import canonical
from signing.pes.layout import DS
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief, SignatureVerdict
from signing.xades.verifier import verify
from tests.xades_samples import (
    DOCUMENT,
    FILTER,
    Element,
    add_transforms,
    beside_others,
    by_identifier,
    detached,
    enveloped,
    enveloping,
    reference_of,
    resign,
    set_digest,
    signature_of,
    tag,
    written,
)

XADES = "http://uri.etsi.org/01903/v1.3.2#"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:digitalsignature:1.0"


def judged(folder: Path, root: Element, trust: TrustStore | None) -> SignatureVerdict:
    (signature,) = verify(written(folder / "judged.xml", root), trust=trust).signatures
    return signature


def unsigned(root: Element, content: str) -> None:
    """Put unsigned properties into a signature."""
    qualifying = next(root.iter("{*}QualifyingProperties"))
    inside = f"<x:UnsignedSignatureProperties>{content}</x:UnsignedSignatureProperties>"
    qualifying.append(etree.fromstring(f'<x:UnsignedProperties xmlns:x="{XADES}">{inside}</x:UnsignedProperties>'))


# timestamps


@pytest.mark.parametrize("count", [1, 2])
def test_a_timestamp_that_names_no_form_may_be_over_the_exclusive_one_and_hold_several_tokens(
    tmp_path: Path, signer: Pkcs12Signer, stamps: TimestampClient, tsa: TsaSimulator, trust: TrustStore, count: int
) -> None:
    text = DOCUMENT.replace("<order ", '<order xmlns:z="urn:z" ')  # which the inclusive form would hold
    root = enveloped(tmp_path, signer, text)
    value = next(root.iter(tag("SignatureValue")))
    tokens = [stamps.stamp(canonical.digest(value, "sha256")).token for _ in range(count)]
    held = "".join(f"<x:EncapsulatedTimeStamp>{base64.b64encode(one).decode()}</x:EncapsulatedTimeStamp>" for one in tokens)
    unsigned(root, f"<x:SignatureTimeStamp>{held}</x:SignatureTimeStamp>")
    found = judged(tmp_path, root, TrustStore.of([*trust.anchors, tsa.anchor]))
    assert (found.verdict, found.level) == (Belief.VALID, "T")
    assert [one.proves for one in found.timestamps] == [True] * count


# what is designated


@pytest.mark.parametrize("uri", ["#xpointer(/)", "#xpointer(id('ORDER'))", '#xpointer(id("ORDER"))'])
def test_a_pointer_says_the_same_as_an_identifier(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, uri: str) -> None:
    root = by_identifier(tmp_path, signer)
    reference_of(root).set("URI", uri)
    resign(signature_of(root), signer)
    found = judged(tmp_path, root, trust)
    assert (found.verdict, found.covers) == (Belief.VALID, "document")


@pytest.mark.parametrize("uri", ["#xpointer(//amount)", "#xpointer(id('ORDER')/amount)", "#xpointer(id('OTHER'))", "#xpointer()"])
def test_any_other_pointer_is_refused(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, uri: str) -> None:
    root = by_identifier(tmp_path, signer)
    reference_of(root).set("URI", uri)
    resign(signature_of(root), signer)
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


def test_signatures_of_the_root_may_be_told_as_its_children(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = beside_others(tmp_path, signer, FILTER)
    next(root.iter(f"{{{FILTER}}}XPath")).text = "/*/ds:Signature"
    resign(signature_of(root), signer)
    assert judged(tmp_path, root, trust).verdict is Belief.VALID


def over_form(folder: Path, signer: Pkcs12Signer, text: str = DOCUMENT) -> Path:
    """A signature apart, over the canonical form of the order."""
    signature = detached(folder, signer)
    reference = reference_of(signature)
    add_transforms(reference, EXCLUSIVE_C14N)
    form = io.BytesIO()
    etree.ElementTree(etree.fromstring(text.encode())).write_c14n(form, exclusive=True, with_comments=False)
    set_digest(reference, hashlib.sha256(form.getvalue()).digest())
    resign(signature, signer)
    return written(folder / "signature.xml", signature)


@pytest.mark.parametrize(
    ("text", "belief"),
    [
        (DOCUMENT, Belief.VALID),
        (DOCUMENT.replace('Id="ORDER" number="12"', "number='12'  Id='ORDER'"), Belief.VALID),
        (DOCUMENT.replace("100.00", "999.00"), Belief.INVALID),
        (DOCUMENT.replace("100.00", "100<!-- -->.00"), Belief.INVALID),
        (DOCUMENT.replace("?>\n", "?>\n<?show other?>"), Belief.INVALID),
        (DOCUMENT.replace("?>\n", "?>\n<!DOCTYPE order>"), Belief.INVALID),
        ("no XML", Belief.INVALID),
    ],
    ids=["same", "written otherwise", "changed", "cut by a comment", "instruction", "doctype", "no XML"],
)
def test_a_file_apart_may_be_signed_in_its_canonical_form(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, text: str, belief: Belief
) -> None:
    path, data = over_form(tmp_path, signer), tmp_path / "data.xml"
    data.write_text(text, encoding="utf-8")
    assert verify(path, detached=data, trust=trust).verdict is belief


def test_an_instruction_before_a_file_apart_is_signed_with_it(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    styled, data = DOCUMENT.replace("?>\n", '?>\n<?xml-stylesheet href="order.xsl"?>\n'), tmp_path / "data.xml"
    path = over_form(tmp_path, signer, styled)
    for text, belief in ((styled, Belief.VALID), (styled.replace("order.xsl", "other.xsl"), Belief.INVALID)):
        data.write_text(text, encoding="utf-8")
        assert verify(path, detached=data, trust=trust).verdict is belief


# whose certificate stands elsewhere, or nowhere


def without_key(root: Element) -> Element:
    key = next(root.iter(tag("KeyInfo")))
    key.getparent().remove(key)  # type: ignore[union-attr]
    return root


def test_a_certificate_that_stands_elsewhere_is_found(
    tmp_path: Path, signer: Pkcs12Signer, credential: Credential, authority: TestAuthority, trust: TrustStore
) -> None:
    root = without_key(enveloped(tmp_path, signer))
    known = TrustStore.of([authority.certificate, credential.certificate])
    assert judged(tmp_path, root, known).verdict is Belief.VALID
    der = base64.b64encode(credential.certificate.public_bytes(Encoding.DER)).decode()
    values = f"<x:EncapsulatedX509Certificate>{der}</x:EncapsulatedX509Certificate>"
    unsigned(root, f"<x:CertificateValues>{values}</x:CertificateValues>")
    assert judged(tmp_path, root, trust).verdict is Belief.VALID


def test_a_certificate_that_stands_nowhere_leaves_the_signature_undecided(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    root = without_key(enveloped(tmp_path, signer))
    verdict = verify(written(tmp_path / "bare.xml", root), trust=trust)
    (found,) = verdict.signatures
    assert (verdict.verdict, found.verdict, found.intact, found.signer) == (
        Belief.INDETERMINATE,
        Belief.INDETERMINATE,
        False,
        None,
    )
    assert any("ne contient pas le certificat" in reason for reason in found.reasons)
    root[0].text = "999999.00"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


# what else stands in a signature


def test_an_evidence_record_is_no_stranger(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloped(tmp_path, signer)
    record = '<e:EvidenceRecord xmlns:e="urn:ietf:params:xml:ns:ers"><e:ArchiveTimeStampSequence/></e:EvidenceRecord>'
    holder = '<s:SealingEvidenceRecords xmlns:s="http://uri.etsi.org/19132/v1.1.1#">{}</s:SealingEvidenceRecords>'
    unsigned(root, holder.format(record))
    assert judged(tmp_path, root, trust).verdict is Belief.VALID


def with_date(folder: Path, signer: Pkcs12Signer, date: str, *, signed: bool) -> Element:
    """A signature over a file of a container, and over a property of its own that tells the date, as office programs write it."""
    signature = detached(folder, signer, file="content.xml")
    told = f'<ds:SignatureProperty Id="DATE" Target="#S">{date}</ds:SignatureProperty>'
    text = f'<ds:SignatureProperties xmlns:ds="{DS}">{told}</ds:SignatureProperties>'
    holder = etree.SubElement(signature, tag("Object"))
    holder.append(etree.fromstring(text))
    reference = reference_of(signature)
    set_digest(reference, hashlib.sha256(b"<content/>").digest())
    if signed:
        other = etree.fromstring(etree.tostring(reference))
        other.set("URI", "#DATE")
        add_transforms(other, EXCLUSIVE_C14N)
        set_digest(other, canonical.digest(holder[0][0], "sha256"))
        reference.addnext(other)
    resign(signature, signer)
    return signature


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("date", ["2026", '<d xmlns="urn:d">2026</d>'], ids=["text", "element"])
def test_an_office_document_is_verified_with_its_properties(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, date: str, *, signed: bool
) -> None:
    root = etree.Element(f"{{{OFFICE}}}document-signatures")
    root.append(with_date(tmp_path, signer, date, signed=signed))
    path = tmp_path / "deliberation.odt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<content/>")
        archive.writestr("META-INF/documentsignatures.xml", etree.tostring(root))
    verdict = verify_container(path, trust=trust)
    assert verdict.verdict is (Belief.VALID if signed else Belief.INVALID)
    assert verdict.reasons == ()


def test_what_is_enveloped_keeps_its_place(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloping(tmp_path, signer)
    reference_of(root).set("URI", "#xpointer(id('OBJECT'))")
    resign(root, signer)
    assert judged(tmp_path, root, trust).covers == "object OBJECT"
