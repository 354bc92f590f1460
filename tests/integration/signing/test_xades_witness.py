"""xmlsec1 and signxml verify what we sign, and we verify what they sign in each of their canonical forms.

signxml is a witness and nothing more: it verifies the first signature of a file only, leaves out of a document the instructions
beside its root and of an inclusive form the language inherited, and what it writes with exclusive canonicalization is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml import CanonicalizationMethod, SignatureConfiguration, XMLVerifier
from signxml.exceptions import SignXMLException
from signxml.xades import XAdESSigner

from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pes.policy import HELIOS
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.xades.seal import Xades, XadesDetached
from signing.xades.verifier import verify

XMLSEC1 = shutil.which("xmlsec1")
needs_xmlsec1 = pytest.mark.skipif(XMLSEC1 is None, reason="xmlsec1 is not installed")
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
INCLUSIVE_11 = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
NOT_IN_SIGNATURES = '<XPath xmlns:d="http://www.w3.org/2000/09/xmldsig#">not(ancestor-or-self::d:Signature)</XPath>'
ALL_SIGNATURES = '<f:XPath xmlns:f="{}" xmlns:d="{}" Filter="subtract">/descendant::d:Signature</f:XPath>'.format(
    FILTER, "http://www.w3.org/2000/09/xmldsig#"
)
DOCUMENTS = {
    "plain": "<a><b>texte</b></a>",
    "latin": "<?xml version='1.0' encoding='ISO-8859-1'?>\r\n<a  b = '\"é\"'>\r\n<b>été &amp; \t</b><![CDATA[<&>]]>\r\n</a >",
    "namespaces": "<x:a xmlns:x='urn:x' xmlns='urn:y' xmlns:dsig='http://www.w3.org/2000/09/xmldsig#' xmlns:q='urn:q'>"
    "<b xmlns=''><c xmlns='urn:y' q:z='1' a='2'/></b></x:a>",
    "around": "<?xml-stylesheet href='a'?><!-- avant -->\n<a xml:lang='fr'><!-- dedans --> <b>x</b></a>\n<!-- après --><?fin?>",
    "windows": "<?xml version='1.0' encoding='windows-1252'?><a>œuvre à 5 €</a>",
}


def encoded(text: str) -> bytes:
    for name in ("ISO-8859-1", "windows-1252"):
        if name in text:
            return text.encode(name)
    return text.encode()


def xmlsec1(folder: Path, *arguments: str) -> tuple[bool, str]:
    done = subprocess.run([str(XMLSEC1), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0, done.stderr


def verified(folder: Path, name: str, *identified: str, reached: str = "empty,same-doc") -> tuple[bool, str]:
    options = ["--insecure", "--enabled-reference-uris", reached, "--id-attr:Id", f"{XADES}:SignedProperties"]
    for one in identified:
        options += ["--id-attr:Id", one]
    return xmlsec1(folder, "--verify", *options, name)


@needs_xmlsec1
@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("level", ["B", "T"])
@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 521)])
def test_xmlsec1_takes_what_we_sign_within(
    tmp_path: Path, authority: TestAuthority, tsa: TsaSimulator, document: str, level: str, family: str, bits: int
) -> None:
    (tmp_path / "a.xml").write_bytes(encoded(DOCUMENTS[document]))
    key = Pkcs12Signer.load(authority.seal(family=family, bits=bits).as_pkcs12("x"), "x")
    stamps = TimestampClient(AuthoritySettings([tsa.url]), TrustStore.of([tsa.anchor]))
    how = Xades("T" if level == "T" else "B", "Maire délégué", "Évry", "1", "France", HELIOS)
    ours = sign(how, tmp_path / "a.xml", tmp_path / "b.xml", key, timestamps=stamps)
    good, words = verified(tmp_path, "b.xml")
    print(f"{document} {level} {family}: ours {ours.signatures[0].intact} | xmlsec1 {words.splitlines()[:2]}")  # noqa: T201 - the witness, beside ours
    assert good
    assert "(ok/all): 2/2" in words
    (tmp_path / "c.xml").write_bytes((tmp_path / "b.xml").read_bytes().replace(b"Maire", b"Adjoint"))
    assert not verified(tmp_path, "c.xml")[0]


@needs_xmlsec1
@pytest.mark.parametrize("level", ["B", "T"])
def test_xmlsec1_takes_what_we_sign_apart_when_it_finds_the_file(
    tmp_path: Path, signer: Pkcs12Signer, tsa: TsaSimulator, level: str
) -> None:
    (tmp_path / "data.bin").write_bytes(b"\x00\r\n" * 1000)
    stamps = TimestampClient(AuthoritySettings([tsa.url]), TrustStore.of([tsa.anchor]))
    how = XadesDetached("T" if level == "T" else "B", "Maire", file="data.bin")
    sign(how, tmp_path / "data.bin", tmp_path / "s.xml", signer, timestamps=stamps)
    good, words = verified(tmp_path, "s.xml", reached="same-doc,remote")
    assert good, words
    assert "(ok/all): 2/2" in words
    (tmp_path / "data.bin").write_bytes(b"other")
    assert not verified(tmp_path, "s.xml", reached="same-doc,remote")[0]


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if one != "around"])
def test_signxml_takes_what_we_sign_within(tmp_path: Path, authority: TestAuthority, signer: Pkcs12Signer, document: str) -> None:
    (tmp_path / "a.xml").write_bytes(encoded(DOCUMENTS[document]))
    sign(Xades(role="Maire"), tmp_path / "a.xml", tmp_path / "b.xml", signer)
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    octets = (tmp_path / "b.xml").read_bytes()
    config = SignatureConfiguration(expect_references=2)
    verifier = XMLVerifier()
    found = verifier.verify(octets, ca_pem_file=str(tmp_path / "ca.pem"), expect_config=config)
    assert len(found) == 2
    with pytest.raises(SignXMLException):
        altered = octets.replace(b"Maire", b"Adjoint")
        XMLVerifier().verify(altered, ca_pem_file=str(tmp_path / "ca.pem"), expect_config=config)


@pytest.mark.parametrize("document", ["plain", "namespaces"])
@pytest.mark.parametrize("form", [CanonicalizationMethod.CANONICAL_XML_1_0, CanonicalizationMethod.CANONICAL_XML_1_1])
def test_we_take_what_signxml_signs(
    tmp_path: Path, credential: Credential, trust: TrustStore, document: str, form: CanonicalizationMethod
) -> None:
    root = etree.fromstring(encoded(DOCUMENTS[document]))
    certificate = credential.certificate.public_bytes(Encoding.PEM).decode()
    signed = XAdESSigner(c14n_algorithm=form).sign(root, key=credential.key, cert=certificate)
    (tmp_path / "s.xml").write_bytes(etree.tostring(signed))
    verdict = verify(tmp_path / "s.xml", trust=trust)
    (signature,) = verdict.signatures
    print(f"signxml {document} {form.name}: ours {verdict.verdict}, {signature.covers}")  # noqa: T201 - the witness, beside ours
    assert verdict.verdict is Belief.VALID, signature.reasons
    assert (signature.format, signature.covers) == ("XAdES", "document")


@needs_xmlsec1
def test_what_signxml_signs_wrongly_is_refused_as_xmlsec1_refuses_it(
    tmp_path: Path, credential: Credential, trust: TrustStore
) -> None:
    certificate = credential.certificate.public_bytes(Encoding.PEM).decode()
    signer = XAdESSigner(c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0)
    key = "http://www.w3.org/2000/09/xmldsig#:KeyInfo"
    for language, holds in (("", True), (" xml:lang='fr'", False)):
        signed = signer.sign(etree.fromstring(f"<a{language}><b>x</b></a>"), key=credential.key, cert=certificate)
        (tmp_path / "s.xml").write_bytes(etree.tostring(signed))
        assert verified(tmp_path, "s.xml", key)[0] == holds
        assert (verify(tmp_path / "s.xml", trust=trust).verdict is Belief.VALID) == holds


TRAPS = {
    "inherited": "<a xml:lang='fr' xml:space='preserve' xmlns:n='urn:n'><s xmlns=''>{}</s></a>",
    "undeclared": "<a xmlns='urn:a' xmlns:z='urn:z'><s xmlns='' xml:lang='en'><t>x</t>{}</s></a>",
    "renamed": "<a xmlns:k='http://www.w3.org/2000/09/xmldsig#' xmlns:z='urn:z' xml:lang='fr'><!-- c -->{}<z:e/></a>",
    "around": "<?p q?><a xml:lang='fr' z='1' b='2'>\n{}</a><?fin?>",
    "redeclared": "<a xmlns:p='urn:1' xml:lang='fr'><p:s xmlns:p='urn:2' xml:lang=''>{}</p:s></a>",
}
TEMPLATE = """<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
<CanonicalizationMethod Algorithm="{method}"/>
<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
{references}</SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo>{objects}</Signature>"""
REFERENCE = """<Reference URI="{uri}">{transforms}<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/>
</Reference>"""


def transforms(*algorithms: str) -> str:
    inside = "".join(f'<Transform Algorithm="{one}"/>' for one in algorithms)
    return f"<Transforms>{inside}</Transforms>" if algorithms else ""


def signed_by_xmlsec1(folder: Path, credential: Credential, text: str, *identified: str) -> Path:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    (folder / "template.xml").write_text(text, encoding="utf-8")
    options = [part for one in identified for part in ("--id-attr:Id", one)]
    signing = ("--sign", "--privkey-pem", "key.pem,cert.pem", *options, "--output", "signed.xml", "template.xml")
    good, words = xmlsec1(folder, *signing)
    assert good, words
    return folder / "signed.xml"


FORMS = [
    EXCLUSIVE,
    INCLUSIVE,
    INCLUSIVE_11,
    f"{EXCLUSIVE}WithComments",
    f"{INCLUSIVE}#WithComments",
    f"{INCLUSIVE_11}#WithComments",
]


@needs_xmlsec1
@pytest.mark.parametrize(("trap", "method", "form"), [*product(TRAPS, FORMS, [None, EXCLUSIVE, INCLUSIVE, INCLUSIVE_11])])
def test_we_take_what_xmlsec1_signs_in_any_form(
    tmp_path: Path, credential: Credential, trust: TrustStore, trap: str, method: str, form: str | None
) -> None:
    asked = transforms(ENVELOPED, *([form] if form else []))
    references = REFERENCE.format(uri="", transforms=asked)
    text = TRAPS[trap].format(TEMPLATE.format(method=method, references=references, objects=""))
    path = signed_by_xmlsec1(tmp_path, credential, text)
    verdict = verify(path, trust=trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID, signature.reasons
    assert (signature.format, signature.covers) == ("XMLDSig", "document")
    path.write_text(path.read_text(encoding="utf-8").replace("<a ", "<a c='3' "), encoding="utf-8")
    assert verify(path, trust=trust).verdict is Belief.INVALID


@needs_xmlsec1
@pytest.mark.parametrize("prefixes", ["n", "z p", "#default", "#default n z k"])
@pytest.mark.parametrize("trap", TRAPS)
def test_prefixes_that_an_exclusive_form_keeps_are_kept(
    tmp_path: Path, credential: Credential, trust: TrustStore, trap: str, prefixes: str
) -> None:
    kept = f'<e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="{prefixes}"/>'
    inside = f'<Transform Algorithm="{ENVELOPED}"/><Transform Algorithm="{EXCLUSIVE}">{kept}</Transform>'
    references = REFERENCE.format(uri="", transforms=f"<Transforms>{inside}</Transforms>")
    template = TEMPLATE.format(method=EXCLUSIVE, references=references, objects="")
    template = template.replace(
        f'Method Algorithm="{EXCLUSIVE}"/>', f'Method Algorithm="{EXCLUSIVE}">{kept}</CanonicalizationMethod>'
    )
    verdict = verify(signed_by_xmlsec1(tmp_path, credential, TRAPS[trap].format(template)), trust=trust)
    assert verdict.verdict is Belief.VALID, verdict.signatures[0].reasons


@needs_xmlsec1
@pytest.mark.parametrize(("trap", "form"), [*product(["inherited", "undeclared", "redeclared"], [None, *FORMS])])
def test_an_object_is_taken_in_any_form_that_xmlsec1_gives_it(
    tmp_path: Path, credential: Credential, trust: TrustStore, trap: str, form: str | None
) -> None:
    asked = transforms(*([form] if form else []))
    references = REFERENCE.format(uri="#OBJ", transforms=asked) + REFERENCE.format(uri="", transforms=transforms(ENVELOPED))
    held = '<Object Id="OBJ" xmlns:own="urn:own"><d xmlns="" own:a="1">x</d></Object>'
    text = TRAPS[trap].format(TEMPLATE.format(method=INCLUSIVE, references=references, objects=held))
    path = signed_by_xmlsec1(tmp_path, credential, text, "http://www.w3.org/2000/09/xmldsig#:Object")
    verdict = verify(path, trust=trust)
    assert verdict.verdict is Belief.VALID, verdict.signatures[0].reasons
    assert verdict.signatures[0].covers == "object OBJ, document"
    path.write_text(path.read_text(encoding="utf-8").replace(">x<", ">y<"), encoding="utf-8")
    assert verify(path, trust=trust).verdict is Belief.INVALID


@needs_xmlsec1
@pytest.mark.parametrize(
    ("transform", "content"),
    [(XPATH, NOT_IN_SIGNATURES), (FILTER, ALL_SIGNATURES)],
    ids=["xpath", "filter"],
)
@pytest.mark.parametrize("form", [None, EXCLUSIVE, INCLUSIVE_11])
@pytest.mark.parametrize("trap", TRAPS)
def test_signatures_side_by_side_are_taken_as_xmlsec1_makes_them(
    tmp_path: Path, credential: Credential, trust: TrustStore, trap: str, form: str | None, transform: str, content: str
) -> None:
    inside = f'<Transform Algorithm="{transform}">{content}</Transform>' + (f'<Transform Algorithm="{form}"/>' if form else "")
    references = REFERENCE.format(uri="", transforms=f"<Transforms>{inside}</Transforms>")
    template = TEMPLATE.format(method=INCLUSIVE, references=references, objects="")
    once = signed_by_xmlsec1(tmp_path, credential, TRAPS[trap].format(template)).read_text(encoding="utf-8")
    twice = signed_by_xmlsec1(tmp_path, credential, once.replace("<Signature ", f"{template}<Signature ", 1))
    verdict = verify(twice, trust=trust)
    assert [one.covers for one in verdict.signatures] == ["document", "document"]
    assert verdict.verdict is Belief.VALID, verdict.signatures
    twice.write_text(twice.read_text(encoding="utf-8").replace("<a ", "<a c='3' "), encoding="utf-8")
    assert verify(twice, trust=trust).verdict is Belief.INVALID


@needs_xmlsec1
def test_bases_that_canonical_xml_would_join_are_refused_not_guessed(
    tmp_path: Path, credential: Credential, trust: TrustStore
) -> None:
    references = REFERENCE.format(uri="", transforms=transforms(ENVELOPED))
    template = TEMPLATE.format(method=INCLUSIVE_11, references=references, objects="")
    path = signed_by_xmlsec1(tmp_path, credential, f"<a xml:base='http://exemple.fr/'><s xml:base='x/'>{template}</s></a>")
    verdict = verify(path, trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert any("xml:base" in reason for reason in verdict.signatures[0].reasons)
