"""Forged files, built here: every one of them is refused, most of them although their mathematics hold."""

from __future__ import annotations

import base64
import copy
import hashlib
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from core.errors import UnreadableInput
from schemas import xml
from schemas.pes.sample import Sample, write_sample
from signing.algorithms import ENVELOPED, EXCLUSIVE_C14N
from signing.keys import Pkcs12Signer
from signing.pes import canonical
from signing.pes.bulk import Bulk
from signing.pes.envelope import SealContext
from signing.pes.layout import DS, SIGNATURE
from signing.pes.rules import check_signatures
from signing.pes.seal import seal
from signing.pes.verifier import verify, verify_tree
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.xades.forms import INCLUSIVE
from tests.signing_fixtures import read_as_bulk

NS = {"ds": DS}
Tree = etree._ElementTree


@pytest.fixture
def tree(sealed: Path) -> Tree:
    return xml.parse(sealed)


@pytest.fixture
def whole(tmp_path: Path, signer: Pkcs12Signer) -> Tree:
    source = tmp_path / "flow.xml"
    write_sample(Sample("WHOLE"), source)
    seal(source, tmp_path / "whole.xml", signer, SealContext(role="Maire", city="X", postal_code="1", whole=True))
    return xml.parse(tmp_path / "whole.xml")


def first(tree: Tree, path: str) -> etree._Element:
    return tree.getroot().find(f".//{path}", NS)


def sign_again(signature: etree._Element, signer: Pkcs12Signer) -> None:
    """Make the value right over whatever SignedInfo holds now."""
    value = signer.sign(canonical.octets(signature.find("ds:SignedInfo", NS)))
    signature.find("ds:SignatureValue", NS).text = base64.b64encode(value).decode()


def digest_again(signature: etree._Element) -> None:
    """Make the digest of the data right."""
    with canonical.without(signature) as parent:
        digest = canonical.digest(parent, "sha256")
    signature.find("ds:SignedInfo/ds:Reference/ds:DigestValue", NS).text = base64.b64encode(digest).decode()


def rules_broken(tree: Tree, trust: TrustStore) -> set[str]:
    return {problem.rule for problem in check_signatures(tree, trust=trust)}


def refused(tree: Tree, trust: TrustStore, rule: str) -> None:
    """Refused as it stands, once more from its bytes, and again when these are read as those of a large file."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file, pytest.MonkeyPatch.context() as patch:
        tree.write(file.name, encoding="ISO-8859-1", xml_declaration=True)
        again = xml.parse(Path(file.name))
        read_as_bulk(patch)
        large = Bulk.of(Path(file.name))
        assert large is not None
        for one, read in ((tree, None), (again, None), (again, large), (large.tree(), large)):
            assert verify_tree(one, bulk=read, trust=trust).verdict is Belief.INVALID
            assert rule in {problem.rule for problem in check_signatures(one, bulk=read, trust=trust)}


def test_the_file_that_the_attacks_start_from_is_valid(tree: Tree, trust: TrustStore) -> None:
    assert verify_tree(tree, trust=trust).verdict is Belief.VALID
    assert rules_broken(tree, trust) == set()


def test_examining_leaves_the_tree_as_it_was(tree: Tree, trust: TrustStore) -> None:
    before = etree.tostring(tree)
    verify_tree(tree, trust=trust)
    assert etree.tostring(tree) == before


def test_the_original_hidden_in_an_object_under_a_forged_bordereau(tree: Tree, trust: TrustStore) -> None:
    original = first(tree, "Bordereau")
    forged = copy.deepcopy(original)
    original.addprevious(forged)
    forged.set("Id", "FORGED")
    forged.find("BlocBordereau/MtBordHT").set("V", "999999.00")
    signature = forged.find("ds:Signature", NS)
    original.remove(original.find("ds:Signature", NS))
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)
    refused(tree, trust, "S05")


def test_a_forged_bordereau_with_the_identifier_of_the_signed_one(tree: Tree, trust: TrustStore) -> None:
    original = first(tree, "Bordereau")
    forged = copy.deepcopy(original)
    forged.find("BlocBordereau/MtBordHT").set("V", "999999.00")
    original.addprevious(forged)
    refused(tree, trust, "S05")


def test_an_identifier_written_another_way_is_the_same_identifier(tree: Tree, trust: TrustStore) -> None:
    first(tree, "Piece").set("{http://www.w3.org/XML/1998/namespace}id", "BRD101")
    refused(tree, trust, "S05")


def test_a_signature_over_its_own_properties_only(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    info = signature.find("ds:SignedInfo", NS)
    info.remove(info.find("ds:Reference", NS))
    sign_again(signature, signer)
    verdict = verify_tree(tree, trust=trust)
    assert verdict.signatures[0].covers == "nothing"
    refused(tree, trust, "S05")


def test_a_second_bordereau_that_nobody_signed(tree: Tree, trust: TrustStore) -> None:
    bordereau = tree.getroot().findall(".//Bordereau")[1]
    bordereau.remove(bordereau.find("ds:Signature", NS))
    verdict = verify_tree(tree, trust=trust)
    assert [signature.verdict for signature in verdict.signatures] == [Belief.VALID]
    assert "102" in verdict.reasons[0]
    refused(tree, trust, "S03")


@pytest.mark.parametrize("domain", ["PES_RecetteAller", "PES_DepenseAller"])
@pytest.mark.parametrize("flag", ["0", "false", "", "1"])
def test_a_domain_that_nobody_signed_beside_one_that_is(tree: Tree, trust: TrustStore, domain: str, flag: str) -> None:
    """Whoever adds it writes its flag himself: the DGFiP may take it for paper (no rule S), ``verify`` takes it for unsigned."""
    signed = first(tree, "PES_DepenseAller")
    header = {"PES_RecetteAller": "EnTeteRecette", "PES_DepenseAller": "EnTeteDepense"}[domain]
    flagged = f'<InfoDematerialisee V="{flag}"/>' if flag else ""
    added = etree.fromstring(
        f"<{domain}><{header}>{flagged}</{header}>"
        f'<Bordereau><BlocBordereau><IdBord V="666"/></BlocBordereau></Bordereau></{domain}>'
    )
    signed.addnext(added)
    verdict = verify_tree(tree, trust=trust)
    assert [signature.verdict for signature in verdict.signatures] == [Belief.VALID, Belief.VALID]
    assert verdict.verdict is Belief.INVALID
    (reason,) = verdict.reasons
    assert "666" in reason
    assert rules_broken(tree, trust) == ({"S03"} if flag == "1" else set())


def test_a_domain_beside_those_that_a_global_signature_covers_is_seen_as_an_alteration(whole: Tree, trust: TrustStore) -> None:
    first(whole, "PES_DepenseAller").addnext(copy.deepcopy(first(whole, "PES_DepenseAller")))
    refused(whole, trust, "S04")


def test_transforms_that_narrow_what_is_signed(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    transforms = signature.find("ds:SignedInfo/ds:Reference/ds:Transforms", NS)
    narrow = etree.Element(f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")
    etree.SubElement(narrow, f"{{{DS}}}XPath").text = "ancestor-or-self::BlocBordereau"
    transforms.insert(1, narrow)
    sign_again(signature, signer)
    refused(tree, trust, "S06")


@pytest.mark.parametrize("transforms", [(ENVELOPED,), (EXCLUSIVE_C14N,), (EXCLUSIVE_C14N, ENVELOPED), ()])
def test_transforms_other_than_the_two_in_their_order(
    tree: Tree, trust: TrustStore, signer: Pkcs12Signer, transforms: tuple[str, ...]
) -> None:
    signature = first(tree, "ds:Signature")
    holder = signature.find("ds:SignedInfo/ds:Reference/ds:Transforms", NS)
    holder[:] = [etree.Element(f"{{{DS}}}Transform", Algorithm=transform) for transform in transforms]
    sign_again(signature, signer)
    refused(tree, trust, "S06")


def test_a_list_of_inclusive_prefixes(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    transform = signature.findall("ds:SignedInfo/ds:Reference/ds:Transforms/ds:Transform", NS)[1]
    etree.SubElement(transform, f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces", PrefixList="n")
    sign_again(signature, signer)
    refused(tree, trust, "S06")


@pytest.mark.parametrize(
    "method",
    [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "",
    ],
)
def test_a_method_that_is_on_no_list(tree: Tree, trust: TrustStore, signer: Pkcs12Signer, method: str) -> None:
    signature = first(tree, "ds:Signature")
    signature.find("ds:SignedInfo/ds:SignatureMethod", NS).set("Algorithm", method)
    sign_again(signature, signer)
    refused(tree, trust, "S07")


def test_a_signature_moved_to_another_bordereau(tree: Tree, trust: TrustStore) -> None:
    one, two = tree.getroot().findall(".//Bordereau")
    two.remove(two.find("ds:Signature", NS))
    two.append(one.find("ds:Signature", NS))
    refused(tree, trust, "S05")


@pytest.mark.parametrize("place", ["EnTetePES", "Piece", "PES_PJ"])
def test_a_signature_at_an_unexpected_place(tree: Tree, trust: TrustStore, place: str) -> None:
    first(tree, place).append(copy.deepcopy(first(tree, "ds:Signature")))
    refused(tree, trust, "S05")


def test_two_signatures_on_one_element(tree: Tree, trust: TrustStore) -> None:
    signature = first(tree, "ds:Signature")
    signature.addnext(copy.deepcopy(signature))
    refused(tree, trust, "S16")


def test_a_signature_over_the_whole_beside_those_of_bordereaux(tree: Tree, whole: Tree, trust: TrustStore) -> None:
    tree.getroot().append(whole.getroot().find("ds:Signature", NS))
    refused(tree, trust, "S16")


def test_other_signed_properties_put_first(tree: Tree, trust: TrustStore) -> None:
    qualifying = first(tree, "ds:Object")[0]
    spoof = copy.deepcopy(qualifying[0])
    spoof.set("Id", "SPOOF")
    qualifying.insert(0, spoof)
    refused(tree, trust, "S04")


def test_something_else_in_the_object(tree: Tree, trust: TrustStore) -> None:
    etree.SubElement(first(tree, "ds:Object"), "Bordereau", Id="EXTRA")
    refused(tree, trust, "S05")


def test_something_hidden_among_what_nobody_signs(tree: Tree, trust: TrustStore) -> None:
    qualifying = first(tree, "ds:Object")[0]
    namespace = etree.QName(qualifying).namespace
    unsigned = etree.SubElement(qualifying, f"{{{namespace}}}UnsignedProperties")
    etree.SubElement(etree.SubElement(unsigned, f"{{{namespace}}}UnsignedSignatureProperties"), "PJRef")
    refused(tree, trust, "S05")


def test_another_certificate_than_the_one_announced(tree: Tree, trust: TrustStore, authority: TestAuthority) -> None:
    stranger = Pkcs12Signer.load(authority.seal(bits=2048).as_pkcs12("x"), "x")
    der = stranger.certificate.public_bytes(Encoding.DER)
    first(tree, "ds:X509Certificate").text = base64.b64encode(der).decode()
    sign_again(first(tree, "ds:Signature"), stranger)
    refused(tree, trust, "S09")


@pytest.mark.parametrize("text", ["", "AAAA", "not base64"])
def test_a_certificate_that_cannot_be_read(tree: Tree, trust: TrustStore, text: str) -> None:
    first(tree, "ds:X509Certificate").text = text
    refused(tree, trust, "S04")


def test_properties_of_another_signature(tree: Tree, trust: TrustStore) -> None:
    first(tree, "ds:Object")[0].set("Target", "#ANOTHER")
    refused(tree, trust, "S08")


def test_properties_left_out_of_the_signature(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    info = signature.find("ds:SignedInfo", NS)
    info.remove(info.findall("ds:Reference", NS)[1])
    sign_again(signature, signer)
    refused(tree, trust, "S08")


def test_a_reference_to_somewhere_else(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    signature.find("ds:SignedInfo/ds:Reference", NS).set("URI", "http://127.0.0.1:9/bordereau.xml")
    sign_again(signature, signer)
    refused(tree, trust, "S05")


def test_a_comment_that_cuts_a_signed_text(whole: Tree, trust: TrustStore) -> None:
    file = first(whole, "Fichier")
    text = file.text
    file.text = text[:100]
    comment = etree.Comment("cut")
    comment.tail = text[100:]
    file.append(comment)
    verdict = verify_tree(whole, trust=trust)
    assert verdict.signatures[0].intact  # canonical forms leave comments out
    refused(whole, trust, "S05")


def test_a_comment_between_elements_harms_nobody(tree: Tree, trust: TrustStore) -> None:
    first(tree, "Bordereau").insert(0, etree.Comment("page 1"))
    assert verify_tree(tree, trust=trust).verdict is Belief.VALID


def _amount(tree: Tree) -> None:
    first(tree, "MtHT").set("V", "1.00")


def _space(tree: Tree) -> None:
    first(tree, "Piece").tail = "\n\n"


def _role(tree: Tree) -> None:
    first(tree, "{http://uri.etsi.org/01903/v1.2.2#}ClaimedRole").text = "Préfet"


def _value(tree: Tree) -> None:
    element = first(tree, "ds:SignatureValue")
    value = base64.b64decode(element.text)
    element.text = base64.b64encode(bytes([value[0] ^ 1]) + value[1:]).decode()


@pytest.mark.parametrize("change", [_amount, _space, _role, _value])
def test_any_change_after_signing(tree: Tree, trust: TrustStore, change: Callable[[Tree], None]) -> None:
    change(tree)
    verdict = verify_tree(tree, trust=trust)
    assert [signature.intact for signature in verdict.signatures] == [False, True]
    refused(tree, trust, "S04")


def test_an_attachment_replaced_under_a_signature_over_the_whole(whole: Tree, trust: TrustStore) -> None:
    assert verify_tree(whole, trust=trust).verdict is Belief.VALID
    first(whole, "Fichier").text = "H4sI"
    refused(whole, trust, "S04")


def test_sha1_in_a_signature_of_today(tree: Tree, trust: TrustStore, signer: Pkcs12Signer) -> None:
    signature = first(tree, "ds:Signature")
    reference = signature.find("ds:SignedInfo/ds:Reference", NS)
    reference.find("ds:DigestMethod", NS).set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")
    with canonical.without(signature) as parent:
        digest = canonical.digest(parent, "sha1")
    reference.find("ds:DigestValue", NS).text = base64.b64encode(digest).decode()
    sign_again(signature, signer)
    assert verify_tree(tree, trust=trust).signatures[0].intact
    refused(tree, trust, "S07")


def test_a_doctype_is_refused_before_anything_is_read(sealed: Path, tmp_path: Path, trust: TrustStore) -> None:
    forged = tmp_path / "doctype.xml"
    text = sealed.read_bytes().replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ATTLIST Bordereau Id ID "BRD101">]>\n', 1)
    forged.write_bytes(text)
    with pytest.raises(UnreadableInput):
        verify(forged, trust=trust)


def test_thousands_of_signatures_do_not_hold_up_the_verifier(tree: Tree, trust: TrustStore) -> None:
    signature = first(tree, "ds:Signature")
    bare = etree.Element(SIGNATURE)
    bordereau = signature.getparent()
    for _ in range(3000):
        bordereau.append(copy.copy(bare))
    verdict = verify_tree(tree, trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert len(verdict.signatures) == 2000


def test_no_damage_to_a_signature_is_more_than_refused(sealed: Path, tmp_path: Path, trust: TrustStore) -> None:
    chance = random.Random(7)
    good = sealed.read_bytes()
    start, end = good.index(b"<ds:Signature "), good.index(b"</ds:Signature>")
    path = tmp_path / "damaged.xml"
    for _ in range(200):
        damaged = bytearray(good)
        at = chance.randrange(start, end)
        damaged[at : at + chance.choice([0, 1, 40])] = chance.choice([b"", b"A", b"9", b"=", b"\xe9"])
        path.write_bytes(damaged)
        try:
            verdict = verify(path, trust=trust).verdict
        except UnreadableInput:
            continue
        assert verdict is Belief.INVALID or damaged == good, bytes(damaged[at - 30 : at + 60])


def test_a_signature_that_is_the_whole_document(tree: Tree, trust: TrustStore) -> None:
    refused(etree.ElementTree(copy.deepcopy(first(tree, "ds:Signature"))), trust, "S05")


def test_more_timestamps_than_anybody_makes(tree: Tree, trust: TrustStore) -> None:
    namespace = "{http://uri.etsi.org/01903/v1.2.2#}"
    qualifying = first(tree, "ds:Object")[0]
    unsigned = etree.SubElement(qualifying, f"{namespace}UnsignedProperties")
    properties = etree.SubElement(unsigned, f"{namespace}UnsignedSignatureProperties")
    for _ in range(6):
        etree.SubElement(properties, f"{namespace}SignatureTimeStamp")
    refused(tree, trust, "S04")


def test_a_namespace_that_is_a_relative_uri_has_no_canonical_form(tree: Tree, trust: TrustStore) -> None:
    bordereau = first(tree, "Bordereau")
    etree.SubElement(bordereau, "{relative}Extra", nsmap={"r": "relative"})
    bordereau.append(bordereau.find("ds:Signature", NS))
    refused(tree, trust, "S04")


@pytest.mark.parametrize("where", ["n:PES_Aller", "PES_DepenseAller", "Bordereau"])
def test_another_prefix_for_the_same_namespace_changes_no_verdict_and_no_octet(
    tmp_path: Path, trust: TrustStore, signer: Pkcs12Signer, where: str
) -> None:
    source, target = tmp_path / "prefixed.xml", tmp_path / "sealed.xml"
    write_sample(Sample("PREFIX"), source)
    source.write_bytes(re.sub(f"<{where}(?=[ >])".encode(), f"<{where} xmlns:dsig='{DS}'".encode(), source.read_bytes()))
    assert b"xmlns:dsig" in source.read_bytes()
    seal(source, target, signer, SealContext(role="Maire", city="X", postal_code="1"))
    tree = xml.parse(target)
    before = etree.tostring(tree)
    for _ in range(2):
        assert verify_tree(tree, trust=trust).verdict is Belief.VALID
    assert etree.tostring(tree) == before


def test_an_inclusive_form_imports_what_stands_above(tmp_path: Path) -> None:
    path = tmp_path / "inside.xml"
    path.write_text("<a xmlns='urn:a' xmlns:p='urn:p' xml:lang='fr'><b><c xml:space='preserve'><d/></c></b></a>")
    element = xml.parse(path).getroot()[0][0]
    expected = b'<c xmlns="urn:a" xmlns:p="urn:p" xml:lang="fr" xml:space="preserve"><d></d></c>'
    assert INCLUSIVE.digest(element, "sha256") == hashlib.sha256(expected).digest()
