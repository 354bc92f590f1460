"""What the XAdES verifier understands beyond the plain cases, and what it refuses to.

Timestamps of each version, evidence, manifests, objects, counter-signatures, references to files, SHA-1.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from core import clock
from core.errors import UnreadableInput, UsageError
from schemas.xml import parse
from signing.algorithms import EXCLUSIVE_C14N
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pes import canonical
from signing.pes.layout import DS
from signing.pes.policy import HELIOS
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief, SignatureVerdict
from signing.xades.seal import Xades
from signing.xades.targets import names_file
from signing.xades.verifier import verify, verify_document
from tests.xades_samples import (
    DOCUMENT,
    Element,
    add_transforms,
    by_identifier,
    detached,
    enveloped,
    enveloping,
    reference_of,
    refresh,
    resign,
    set_digest,
    signature_of,
    tag,
    written,
)

XADES = "http://uri.etsi.org/01903/v1.3.2#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
BASE64 = "http://www.w3.org/2000/09/xmldsig#base64"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"


@pytest.fixture(scope="module")
def both(authority: TestAuthority, tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([authority.certificate, tsa.anchor])


def judged(folder: Path, root: Element, trust: TrustStore) -> SignatureVerdict:
    (signature,) = verify(written(folder / "judged.xml", root), trust=trust).signatures
    return signature


# timestamps


def told(root: Element, content: str, namespace: str = XADES) -> None:
    """Put unsigned properties into a signature."""
    qualifying = next(root.iter("{*}QualifyingProperties"))
    text = f'<x:p xmlns:x="{namespace}" xmlns:ds="{DS}">{content}</x:p>'
    unsigned = etree.SubElement(qualifying, f"{{{namespace}}}UnsignedProperties")
    etree.SubElement(unsigned, f"{{{namespace}}}UnsignedSignatureProperties").extend(list(etree.fromstring(text)))


def in_version(root: Element, version: str, signer: Pkcs12Signer) -> Element:
    """Write a signature in an older namespace."""
    older = etree.fromstring(etree.tostring(root).replace(b"01903/v1.3.2#", f"01903/v{version}#".encode()))
    refresh(signature_of(older), signer)
    return older


def stamped(root: Element, stamps: TimestampClient, before: str, namespace: str, *, exclusive: bool) -> Element:
    """Put a timestamp over the value, said in the way given, into a signature."""
    value = next(root.iter(tag("SignatureValue")))
    alone = etree.ElementTree(value) if exclusive else etree.ElementTree(etree.fromstring(etree.tostring(value, with_tail=False)))
    form = io.BytesIO()
    alone.write_c14n(form, exclusive=exclusive, with_comments=False)
    token = stamps.stamp(hashlib.sha256(form.getvalue()).digest()).token
    name = value.get("Id")
    inside = f"<x:EncapsulatedTimeStamp>{base64.b64encode(token).decode()}</x:EncapsulatedTimeStamp>"
    told(root, f"<x:SignatureTimeStamp>{before.format(name=name)}{inside}</x:SignatureTimeStamp>", namespace)
    return root


METHOD = '<ds:CanonicalizationMethod Algorithm="{}"/>'
INFO = '<x:HashDataInfo uri="#{{name}}">{}</x:HashDataInfo>'
TRANSFORM = '<x:Transforms><ds:Transform Algorithm="{}"/></x:Transforms>'


@pytest.mark.parametrize(
    ("version", "before", "exclusive"),
    [
        ("1.3.2", METHOD.format(EXCLUSIVE_C14N), True),
        ("1.3.2", METHOD.format(INCLUSIVE), False),
        ("1.3.2", "", False),
        ("1.2.2", METHOD.format(EXCLUSIVE_C14N), True),
        ("1.2.2", "", False),
        ("1.1.1", INFO.format(TRANSFORM.format(EXCLUSIVE_C14N)), True),
        ("1.1.1", INFO.format(""), False),
    ],
)
def test_a_timestamp_of_each_version_proves_its_time(
    tmp_path: Path, signer: Pkcs12Signer, stamps: TimestampClient, both: TrustStore, version: str, before: str, exclusive: bool
) -> None:
    root = in_version(enveloped(tmp_path, signer), version, signer)
    stamped(root, stamps, before, f"http://uri.etsi.org/01903/v{version}#", exclusive=exclusive)
    found = judged(tmp_path, root, both)
    assert (found.level, found.verdict) == ("T", Belief.VALID), found.reasons
    assert found.timestamps[0].proves


@pytest.mark.parametrize(
    "before",
    [
        METHOD.format("urn:unknown"),
        METHOD.format(INCLUSIVE),
        '<x:Include URI="#{name}"/>',
        '<x:HashDataInfo uri="#other"/>',
        METHOD.format(EXCLUSIVE_C14N) * 2,
    ],
)
def test_a_timestamp_over_something_else_proves_nothing(
    tmp_path: Path, signer: Pkcs12Signer, stamps: TimestampClient, both: TrustStore, before: str
) -> None:
    root = stamped(enveloped(tmp_path, signer), stamps, before, XADES, exclusive=True)
    # inclusive and exclusive are the same for a value that imports nothing: another prefix in scope tells them apart
    told_apart = etree.fromstring(etree.tostring(root).replace(b"<order ", b'<order xmlns:z="urn:z" '))
    resigned = told_apart if before == METHOD.format(INCLUSIVE) else root
    found = judged(tmp_path, resigned, both)
    assert found.level != "T"
    assert not found.timestamps[0].valid


def test_a_timestamp_taken_from_another_signature_proves_nothing(
    tmp_path: Path, signer: Pkcs12Signer, stamps: TimestampClient, both: TrustStore
) -> None:
    one = stamped(enveloped(tmp_path, signer), stamps, METHOD.format(EXCLUSIVE_C14N), XADES, exclusive=True)
    other = enveloped(tmp_path, signer)
    next(other.iter("{*}QualifyingProperties")).append(next(one.iter("{*}UnsignedProperties")))
    found = judged(tmp_path, other, both)
    assert found.intact
    assert not found.timestamps[0].valid


def test_other_timestamps_are_said_not_to_be_examined(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloped(tmp_path, signer)
    told(root, "<x:SigAndRefsTimeStamp/>")
    found = judged(tmp_path, root, trust)
    assert found.verdict is Belief.VALID
    assert any("autres horodatages" in reason for reason in found.reasons)


# what comes along


def test_a_revocation_list_in_the_signature_is_heard(
    tmp_path: Path, authority: TestAuthority, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    now = clock.now()
    listing = authority.revocations({signer.certificate.serial_number: now - timedelta(hours=1)}, at=now)
    encoded = base64.b64encode(listing.public_bytes(Encoding.DER)).decode()
    root = enveloped(tmp_path, signer)
    assert judged(tmp_path, root, trust).verdict is Belief.VALID
    told(
        root,
        f"<x:RevocationValues><x:CRLValues><x:EncapsulatedCRLValue>{encoded}</x:EncapsulatedCRLValue></x:CRLValues></x:RevocationValues>",
    )
    assert judged(tmp_path, root, trust).trust.value == "revoked"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


@pytest.mark.parametrize("name", ["EncapsulatedX509Certificate", "EncapsulatedCRLValue", "EncapsulatedOCSPValue"])
def test_what_came_along_and_cannot_be_read_leads_nowhere(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, name: str
) -> None:
    root = enveloped(tmp_path, signer)
    told(root, f"<x:CertificateValues><x:{name}>AAAA</x:{name}><x:{name}>%%</x:{name}><x:{name}/></x:CertificateValues>")
    assert judged(tmp_path, root, trust).verdict is Belief.VALID


# policies


@pytest.mark.parametrize(
    ("identifier", "qualifier"), [("urn:oid:1.2.250.1.131.1.5.18.21.1.7", "OIDAsURN"), ("https://exemple.fr/politique", None)]
)
def test_a_policy_that_is_named_by_a_number_says_so(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, identifier: str, qualifier: str | None
) -> None:
    (tmp_path / "order.xml").write_text(DOCUMENT, encoding="utf-8")
    how = Xades(policy=replace(HELIOS, identifier=identifier))
    sign(how, tmp_path / "order.xml", tmp_path / "signed.xml", signer)
    root = etree.parse(tmp_path / "signed.xml").getroot()
    assert next(root.iter(f"{{{XADES}}}Identifier")).get("Qualifier") == qualifier
    assert judged(tmp_path, root, trust).level == "EPES"


# objects and manifests


def test_an_object_in_base64_is_digested_decoded(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloping(tmp_path, signer)
    holder = next(one for one in root.iter(tag("Object")) if one.get("Id") == "OBJECT")
    holder.remove(holder[0])
    holder.text = base64.b64encode(b"\x00binaire").decode()
    add_transforms(reference_of(root), BASE64)
    set_digest(reference_of(root), hashlib.sha256(b"\x00binaire").digest())
    resign(root, signer)
    found = judged(tmp_path, root, trust)
    assert (found.verdict, found.covers) == (Belief.VALID, "object OBJECT"), found.reasons
    holder.text = "pas du base64"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


@pytest.mark.parametrize("name", ["Signature", "KeyInfo", "X509Data", "Object"])
@pytest.mark.parametrize("after", [False, True])
def test_a_text_is_not_slipped_into_a_signature(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, name: str, after: bool
) -> None:
    root = enveloped(tmp_path, signer)
    holder = next(root.iter(tag(name)))
    assert judged(tmp_path, root, trust).verdict is Belief.VALID
    if after:
        holder[0].tail = "payer 999999,00"
    else:
        holder.text = "payer 999999,00"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


def test_an_object_of_text_alone_is_not_slipped_into_a_signature(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloped(tmp_path, signer)
    etree.SubElement(signature_of(root), tag("Object")).text = "payer 999999,00"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


def with_manifest(folder: Path, signer: Pkcs12Signer, *references: tuple[str, bytes]) -> Element:
    """A signature over a manifest of files."""
    root = detached(folder, signer)
    holder = etree.SubElement(root, tag("Object"))
    manifest = etree.SubElement(holder, tag("Manifest"), Id="MANIFEST")
    for uri, octets in references:
        reference = copy.deepcopy(reference_of(root))
        reference.set("URI", uri)
        set_digest(reference, hashlib.sha256(octets).digest())
        manifest.append(reference)
    reference = reference_of(root)
    reference.set("URI", "#MANIFEST")
    add_transforms(reference, EXCLUSIVE_C14N)
    set_digest(reference, canonical.digest(manifest, "sha256"))
    resign(root, signer)
    return root


def files(**held: bytes) -> Callable[[str], IO[bytes] | None]:
    return lambda name: io.BytesIO(held[name]) if name in held else None


def test_a_manifest_leads_to_its_files(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    path = written(tmp_path / "m.xml", with_manifest(tmp_path, signer, ("a", b"un"), ("b", b"deux")))
    good = verify_document(parse(path), resolve=files(a=b"un", b=b"deux"), trust=trust, at=clock.now())
    assert (good.verdict, good.signatures[0].covers) == (Belief.VALID, "file a, file b")
    for held in (files(a=b"un", b=b"autre"), files(a=b"un"), files()):
        assert verify_document(parse(path), resolve=held, trust=trust, at=clock.now()).verdict is Belief.INVALID


def test_a_manifest_does_not_lead_to_another_nor_to_properties(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    for uri in ("#MANIFEST", f"#{detached(tmp_path, signer).get('Id')}-properties"):
        root = with_manifest(tmp_path, signer, (uri, b""))
        assert judged(tmp_path, root, trust).verdict is Belief.INVALID


# the key, and who countersigns


def test_the_key_may_be_signed_in_the_place_of_its_digest(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    root = enveloped(tmp_path, signer)
    signature = signature_of(root)
    named = next(root.iter("{*}SigningCertificateV2"))
    named.getparent().remove(named)
    refresh(signature, signer)
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID
    key = signature.find(tag("KeyInfo"))
    key.set("Id", "KEY")
    reference = copy.deepcopy(signature.find(tag("SignedInfo")).findall(tag("Reference"))[1])
    reference.set("URI", "#KEY")
    del reference.attrib["Type"]
    set_digest(reference, canonical.digest(key, "sha256"))
    signature.find(tag("SignedInfo")).append(reference)
    resign(signature, signer)
    assert judged(tmp_path, root, trust).verdict is Belief.VALID
    etree.SubElement(key, tag("KeyName")).text = "autre"
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


def countersigned(folder: Path, signer: Pkcs12Signer, *, held: str = "CounterSignature", part: str = "SignatureValue") -> Element:
    """The order signed, and the value of its signature signed in turn."""
    root = enveloped(folder, signer)
    target = next(root.iter(tag(part)))
    target.set("Id", target.get("Id") or "PART")
    counter = detached(folder, signer)
    reference = reference_of(counter)
    reference.set("URI", f"#{target.get('Id')}")
    add_transforms(reference, EXCLUSIVE_C14N)
    set_digest(reference, canonical.digest(target, "sha256"))
    resign(counter, signer)
    told(root, f"<x:{held}/>")
    next(root.iter(f"{{{XADES}}}{held}")).append(counter)
    return root


def test_a_counter_signature_is_over_the_signature(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    verdict = verify(written(tmp_path / "c.xml", countersigned(tmp_path, signer)), trust=trust)
    assert [one.covers for one in verdict.signatures] == ["document", "signature"]
    assert verdict.verdict is Belief.VALID, verdict


@pytest.mark.parametrize(("held", "part"), [("CounterSignature", "KeyInfo"), ("UnsignedDataObjectProperty", "SignatureValue")])
def test_a_counter_signature_elsewhere_or_of_something_else_is_refused(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, held: str, part: str
) -> None:
    root = countersigned(tmp_path, signer, held=held, part=part)
    verdict = verify(written(tmp_path / "c.xml", root), trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert verdict.signatures[1].covers == "nothing"


# files


@pytest.mark.parametrize("uri", [None, "a.pdf", "d%C3%A9lib%C3%A9ration.pdf", "pieces/a.pdf", "a?b", "a b.pdf"])
def test_a_name_is_that_of_a_file(uri: str | None) -> None:
    assert names_file(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "#a",
        "http://exemple.fr/a",
        "file:///etc/passwd",
        "//hote/a",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "\\\\hote\\a",
        " #a",
        "a\n",
        "cid:1",
    ],
)
def test_an_address_or_a_way_out_is_not(uri: str) -> None:
    assert not names_file(uri)


def test_the_name_of_a_file_apart_does_not_count_its_octets_do(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    path = written(tmp_path / "s.xml", detached(tmp_path, signer, file="autre nom.xml"))
    verdict = verify(path, detached=tmp_path / "order.xml", trust=trust)
    assert (verdict.verdict, verdict.signatures[0].covers) == (Belief.VALID, "document")
    (tmp_path / "order.xml").write_text(DOCUMENT + " ", encoding="utf-8")
    assert verify(path, detached=tmp_path / "order.xml", trust=trust).verdict is Belief.INVALID


def test_what_designates_nothing_admitted_is_invalid_whatever_is_handed_over(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    root = detached(tmp_path, signer)
    reference_of(root).set("URI", "http://exemple.fr/order.xml")
    resign(root, signer)
    verdict = verify(written(tmp_path / "apart.xml", root), detached=tmp_path / "order.xml", trust=trust)
    assert (verdict.verdict, verdict.signatures[0].covers) == (Belief.INVALID, "nothing")


def test_what_is_apart_is_asked_for_and_only_then(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    apart = written(tmp_path / "s.xml", detached(tmp_path, signer))
    within = written(tmp_path / "w.xml", enveloped(tmp_path, signer))
    with pytest.raises(UsageError, match="--detached"):
        verify(apart, trust=trust)
    with pytest.raises(UsageError, match="--detached"):
        verify(within, detached=apart, trust=trust)
    with pytest.raises(UnreadableInput, match=r"absent\.pdf"):
        verify(apart, detached=tmp_path / "absent.pdf", trust=trust)
    assert verify(written(tmp_path / "n.xml", etree.fromstring(DOCUMENT.encode())), trust=trust).verdict is Belief.UNSIGNED


# algorithms and dates


def sha1_signed(folder: Path, credential: Credential, signer: Pkcs12Signer, year: int) -> Element:
    root = enveloped(folder, signer)
    signature = signature_of(root)
    next(root.iter("{*}SigningTime")).text = f"{year}-06-01T10:00:00Z"
    refresh(signature, signer)
    info = signature.find(tag("SignedInfo"))
    info.find(tag("SignatureMethod")).set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
    assert isinstance(credential.key, rsa.RSAPrivateKey)
    value = credential.key.sign(canonical.octets(info), padding.PKCS1v15(), hashes.SHA1())
    signature.find(tag("SignatureValue")).text = base64.b64encode(value).decode()
    return root


@pytest.mark.parametrize(("year", "belief"), [(2015, Belief.INDETERMINATE), (2019, Belief.INVALID)])
def test_sha1_is_doubted_in_old_signatures_and_refused_in_others(
    tmp_path: Path, authority: TestAuthority, year: int, belief: Belief
) -> None:
    credential = authority.seal(bits=2048, start=clock.from_iso("2014-01-01T00:00:00Z"), end=clock.now() + timedelta(days=1))
    signer = Pkcs12Signer.load(credential.as_pkcs12("x"), "x")
    found = judged(tmp_path, sha1_signed(tmp_path, credential, signer, year), TrustStore((), alone=(signer.certificate,)))
    assert found.intact
    assert any("SHA-1" in reason for reason in found.reasons)
    assert found.verdict is belief


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("SignatureMethod", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        ("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        ("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#md5"),
        ("CanonicalizationMethod", "http://www.w3.org/2010/xml-c14n2"),
    ],
)
def test_an_algorithm_that_is_not_listed_or_not_of_the_key_is_refused(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, name: str, algorithm: str
) -> None:
    root = enveloped(tmp_path, signer)
    next(root.iter(tag(name))).set("Algorithm", algorithm)
    resign(signature_of(root), signer)
    found = judged(tmp_path, root, trust)
    assert (found.intact, found.verdict) == (False, Belief.INVALID)


def test_another_certificate_for_the_same_key_is_refused(
    tmp_path: Path, authority: TestAuthority, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    root = by_identifier(tmp_path, signer)
    other = authority.seal("DEMONSTRATION Autre", bits=2048).certificate
    (found, *_) = root.iter(tag("X509Certificate"))
    found.text = base64.b64encode(other.public_bytes(Encoding.DER)).decode()
    assert judged(tmp_path, root, trust).verdict is Belief.INVALID


def test_the_tree_is_left_as_it_was(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    text = DOCUMENT.replace("<order ", f'<order xmlns:k="{DS}" xml:lang="fr" ')
    tree = parse(written(tmp_path / "s.xml", enveloped(tmp_path, signer, text)))
    before = etree.tostring(tree)
    for _ in range(2):
        assert verify_document(tree, resolve=files(), trust=trust, at=clock.now()).verdict is Belief.VALID
    assert etree.tostring(tree) == before
