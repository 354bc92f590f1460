"""XAdES outside PES in two legs: what is signed, which octets stay, what is refused, and that nothing is left behind."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from lxml import etree

from core import clock
from core.errors import Misconfigured, UnreadableInput, UsageError
from schemas.xml import DoctypeRefused, Malformed
from signing import formats
from signing.cades.seal import SLOT
from signing.keys import KeyOutOfDate, Pkcs12Signer
from signing.legs import (
    AlreadySigned,
    Format,
    NotSignable,
    Prepared,
    Signatory,
    SourceChanged,
    UnsoundSignature,
    WrongValue,
    sign,
)
from signing.pes.policy import HELIOS
from signing.pki import TestAuthority
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.xades.seal import Xades, XadesDetached
from signing.xades.verifier import verify

DS = "http://www.w3.org/2000/09/xmldsig#"
NAMES = {"ds": DS, "xades": "http://uri.etsi.org/01903/v1.3.2#"}
BEGIN, END = b'<ds:Signature xmlns:ds="', b"</ds:Signature>"
ACT = """<?xml version="1.0" encoding="{encoding}"?>\r
<?xml-stylesheet href="acte.xsl"?><!-- brouillon -->\r
<acte xmlns="urn:exemple:acte" xmlns:m="urn:exemple:m" m:type='délibération'\txml:lang="fr">
  <objet   m:rang = "1">Été à l&#x27;école &amp; cantine</objet><vide></vide><vide/>\r
  <texte><![CDATA[</acte>]]></texte><!-- fin -->
</acte
 ><!-- </acte> -->
<?fin rien?>
"""
KINDS = pytest.mark.parametrize("kind", [Xades, XadesDetached], ids=lambda kind: kind.name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "acte.xml"
    path.write_bytes(ACT.format(encoding="UTF-8").encode())
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "signed.xml"


def signer_of(authority: TestAuthority, family: str, bits: int) -> Pkcs12Signer:
    return Pkcs12Signer.load(authority.seal(family=family, bits=bits).as_pkcs12("secret"), "secret")


def prepared_for(how: Format, source: Path, target: Path, signer: Pkcs12Signer) -> Prepared:
    return how.prepare(source, target.with_name(".draft"), Signatory(signer.certificate, signer.chain), clock.now())


def values_of(prepared: Prepared, signer: Pkcs12Signer) -> dict[str, bytes]:
    return {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}


def verified(kind: type[Format], source: Path, target: Path, trust: TrustStore | None, **options: object) -> FileVerdict:
    return verify(target, detached=source if kind is XadesDetached else None, trust=trust, **options)


def folder_of(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir()]


def without_signature(octets: bytes) -> bytes:
    before, _, rest = octets.partition(BEGIN)
    return before + rest.partition(END)[2]


def text_of(target: Path, path: str) -> list[str]:
    return [str(found) for found in etree.parse(target).xpath(path, namespaces=NAMES)]


@KINDS
@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 384), ("ec", 521)])
def test_each_family_of_keys_signs(
    authority: TestAuthority, trust: TrustStore, source: Path, target: Path, kind: type[Format], family: str, bits: int
) -> None:
    sign(kind(), source, target, signer_of(authority, family, bits))
    verdict = verified(kind, source, target, trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert (signature.format, signature.level, signature.covers, signature.intact) == ("XAdES", "B", "document", True)


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("utf-8", "utf-8"),
        ("ISO-8859-1", "iso-8859-1"),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1252", "cp1252"),
        ("ISO-8859-15", "iso-8859-15"),
    ],
)
def test_no_octet_of_the_document_changes(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path, declared: str, codec: str
) -> None:
    source.write_bytes(ACT.format(encoding=declared).encode(codec))
    sign(Xades(role="Maire délégué", city="Évry"), source, target, signer)
    written = target.read_bytes()
    assert without_signature(written) == source.read_bytes()
    assert written[written.index(END) + len(END) :].startswith(b"</acte\n >")
    assert verify(target, trust=trust).verdict is Belief.VALID
    assert text_of(target, "//xades:City/text() | //xades:ClaimedRole/text()") == ["Évry", "Maire délégué"]


def test_us_ascii_and_documents_without_a_declaration_are_taken(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    for octets in (b'<?xml version="1.0" encoding="US-ASCII"?><a>&#233;</a>', b"<a>x</a>", "<é>à</é>".encode(), b"<a></a>"):
        source.write_bytes(octets)
        sign(Xades(role="Déléguée"), source, target, signer)
        assert without_signature(target.read_bytes()) == octets
        assert verify(target, trust=trust).verdict is Belief.VALID


def test_prefixes_of_the_document_that_mean_something_else_do_no_harm(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    source.write_bytes(b'<ds:a xmlns:ds="urn:x" xmlns:xades="urn:y" Id="d"><xades:b Id="e"/></ds:a>')
    sign(Xades(), source, target, signer)
    assert verify(target, trust=trust).verdict is Belief.VALID


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"cantine", b"garderie"),
        (b'rang = "1"', b'rang = "2"'),
        (b"acte.xsl", b"autre.xsl"),
        (b"<?fin rien?>", b"<?fin tout?>"),
        (b"<vide/>", b"<vide/><vide/>"),
        (b">Maire<", b">Adjointe<"),
    ],
)
def test_what_changes_afterwards_is_seen(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path, old: bytes, new: bytes
) -> None:
    sign(Xades(role="Maire"), source, target, signer)
    written = target.read_bytes()
    assert written.count(old) == 1
    target.write_bytes(written.replace(old, new))
    verdict = verify(target, trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert not verdict.signatures[0].intact


def test_a_detached_signature_is_over_the_octets_and_says_so_as_i_parapheur_does(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    source.write_bytes(b"\x00\r\n\xff" * 1000)
    sign(XadesDetached(role="Maire"), source, target, signer)
    root = etree.parse(target).getroot()
    data, properties = root.iterfind("ds:SignedInfo/ds:Reference", NAMES)
    assert root.tag == f"{{{DS}}}Signature"
    assert data.get("URI") is None
    assert [etree.QName(part).localname for part in data] == ["DigestMethod", "DigestValue"]
    assert properties.get("Type") == "http://uri.etsi.org/01903#SignedProperties"
    (described,) = root.iterfind(".//xades:DataObjectFormat", NAMES)
    assert described.get("ObjectReference") == f"#{data.get('Id')}"
    assert described.findtext("xades:MimeType", None, NAMES) == "application/octet-stream"
    assert verify(target, detached=source, trust=trust).verdict is Belief.VALID
    source.write_bytes(source.read_bytes() + b"\n")
    assert verify(target, detached=source, trust=trust).verdict is Belief.INVALID


@KINDS
def test_the_properties_are_those_of_the_baseline_in_the_order_of_the_schema(
    signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]
) -> None:
    moment = clock.now().replace(microsecond=0) - timedelta(hours=1)
    how = kind(role="Maire", city="Saint-Exemple", postal_code="99000", country="France")
    sign(how, source, target, signer, moment=moment)
    path = "//xades:SignedProperties/*/* | //xades:SignatureProductionPlaceV2/*"
    names = [etree.QName(element).localname for element in etree.parse(target).xpath(path, namespaces=NAMES)]
    assert names == [
        "SigningTime",
        "SigningCertificateV2",
        "SignatureProductionPlaceV2",
        "City",
        "PostalCode",
        "CountryName",
        "SignerRoleV2",
        "DataObjectFormat",
    ]
    assert verified(kind, source, target, None).signatures[0].signing_time == moment


@KINDS
def test_what_is_not_told_is_not_said(signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]) -> None:
    sign(kind(), source, target, signer)
    assert text_of(target, "//xades:SignatureProductionPlaceV2 | //xades:SignerRoleV2 | //xades:UnsignedProperties") == []


@KINDS
def test_what_is_prepared_survives_a_restart(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path, kind: type[Format]
) -> None:
    prepared = prepared_for(kind(role="Maire"), source, target, signer)
    again = Prepared.from_json(json.loads(json.dumps(prepared.as_json())))
    assert again == prepared
    kind.complete(again, source, target.with_name(".draft"), values_of(again, signer), target)
    assert verified(kind, source, target, trust).verdict is Belief.VALID
    assert folder_of(target) == [target.name]


@KINDS
def test_a_value_of_another_key_or_none_is_refused(
    authority: TestAuthority, signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]
) -> None:
    prepared = prepared_for(kind(), source, target, signer)
    other = signer_of(authority, "rsa", 2048)
    for values in ({}, values_of(prepared, other), {SLOT: b""}):
        with pytest.raises(WrongValue):
            kind.complete(prepared, source, target, values, target)
    assert folder_of(target) == []


@KINDS
def test_a_source_that_has_changed_is_refused(signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]) -> None:
    prepared = prepared_for(kind(), source, target, signer)
    source.write_bytes(source.read_bytes().replace(b"cantine", b"Cantine"))
    with pytest.raises(SourceChanged):
        kind.complete(prepared, source, target, values_of(prepared, signer), target)
    assert folder_of(target) == []


@KINDS
def test_what_does_not_verify_never_appears(signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]) -> None:
    prepared = prepared_for(kind(role="Maire"), source, target, signer)
    tampered = Prepared.from_json(json.loads(json.dumps(prepared.as_json()).replace(">Maire<", ">Adjoint<")))
    assert tampered != prepared
    with pytest.raises(UnsoundSignature):
        kind.complete(tampered, source, target, values_of(prepared, signer), target)
    assert folder_of(target) == []


@KINDS
def test_a_timestamp_makes_level_t_and_proves_the_time(
    authority: TestAuthority, tsa: TsaSimulator, stamps: TimestampClient, source: Path, target: Path, kind: type[Format]
) -> None:
    brief = authority.seal(bits=2048, end=clock.now() + timedelta(days=1))
    signer = Pkcs12Signer.load(brief.as_pkcs12("secret"), "secret")
    both = TrustStore.of([authority.certificate, tsa.anchor])
    later = clock.now() + timedelta(days=400)
    sign(kind(level="T"), source, target, signer, timestamps=stamps)
    stamped = verified(kind, source, target, both, at=later)
    assert stamped.verdict is Belief.VALID
    assert stamped.signatures[0].level == "T"
    assert stamped.signatures[0].timestamps[0].proves
    sign(kind(), source, target, signer)
    assert verified(kind, source, target, both, at=later).verdict is Belief.INDETERMINATE


@KINDS
def test_the_timestamp_is_over_the_canonical_value_element(
    signer: Pkcs12Signer, stamps: TimestampClient, source: Path, target: Path, kind: type[Format]
) -> None:
    sign(kind(level="T"), source, target, signer, timestamps=stamps)
    root = etree.parse(target).getroot()
    (value,) = root.iter(f"{{{DS}}}SignatureValue")
    (token,) = root.iter("{*}EncapsulatedTimeStamp")
    by_hand = f'<ds:SignatureValue xmlns:ds="{DS}" Id="{value.get("Id")}">{value.text}</ds:SignatureValue>'
    info = cms.ContentInfo.load(base64.b64decode(token.text))["content"]["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == hashlib.sha256(by_hand.encode()).digest()


@KINDS
def test_when_no_authority_answers_nothing_is_left_and_the_same_values_complete_it_later(
    signer: Pkcs12Signer, stamps: TimestampClient, source: Path, target: Path, kind: type[Format]
) -> None:
    target.write_bytes(b"an older signature")
    nobody = TimestampClient(AuthoritySettings(["http://127.0.0.1:9/"], connect_timeout=1), TrustStore(()))
    prepared = prepared_for(kind(level="T"), source, target, signer)
    values = values_of(prepared, signer)
    with pytest.raises(AuthorityUnavailable):
        kind.complete(prepared, source, target, values, target, nobody)
    assert folder_of(target) == [target.name]
    assert target.read_bytes() == b"an older signature"
    assert [path.name for path in source.parent.iterdir()] == [source.name]
    kind.complete(prepared, source, target, values, target, stamps)
    assert verified(kind, source, target, None).signatures[0].level == "T"


@KINDS
def test_level_t_without_an_authority_is_a_fault_of_the_settings(
    signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]
) -> None:
    with pytest.raises(Misconfigured):
        sign(kind(level="T"), source, target, signer)
    assert folder_of(target) == []


@KINDS
def test_a_certificate_that_has_ended_does_not_sign(signer: Pkcs12Signer, source: Path, target: Path, kind: type[Format]) -> None:
    with pytest.raises(KeyOutOfDate):
        sign(kind(), source, target, signer, moment=clock.now() + timedelta(days=4000))


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"<a/>", NotSignable),
        (b"<a />\n<!-- </a> -->", NotSignable),
        (b"<a>payer<!-- ne pas --> la facture</a>", NotSignable),
        ('<?xml version="1.0" encoding="UTF-16"?><a>x</a>'.encode("utf-16"), NotSignable),
        ("<a>x</a>".encode("utf-16"), NotSignable),
        (f'<a><b><ds:Signature xmlns:ds="{DS}"/></b></a>'.encode(), AlreadySigned),
        (f'<ds:Signature xmlns:ds="{DS}"></ds:Signature>'.encode(), AlreadySigned),
        (b"<!DOCTYPE a><a>x</a>", DoctypeRefused),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', DoctypeRefused),
        (b'<?xml version="1.0" encoding="EBCDIC-CP-FR"?><a>x</a>', UnreadableInput),
        (b"<a>", Malformed),
        (b"", Malformed),
        (b"\x00\xff", Malformed),
    ],
)
def test_what_cannot_carry_a_signature_is_refused_before_anyone_signs(
    signer: Pkcs12Signer, source: Path, target: Path, octets: bytes, error: type[Exception]
) -> None:
    source.write_bytes(octets)
    with pytest.raises(error) as refusal:
        prepared_for(Xades(), source, target, signer)
    assert issubclass(refusal.type, UnreadableInput | AlreadySigned)
    assert folder_of(target) == []


def test_a_pes_is_left_to_its_own_format(signer: Pkcs12Signer, flow: Path, target: Path) -> None:
    with pytest.raises(NotSignable, match="PES"):
        prepared_for(Xades(), flow, target, signer)


def test_a_signed_document_is_not_signed_twice_but_may_be_signed_apart(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    sign(Xades(), source, target, signer)
    with pytest.raises(AlreadySigned):
        sign(Xades(), target, target.with_name("twice.xml"), signer)
    apart = target.with_name("apart.xml")
    sign(XadesDetached(), target, apart, signer)
    assert verify(apart, detached=target, trust=trust).verdict is Belief.VALID


def test_a_large_file_is_never_held(signer: Pkcs12Signer, tmp_path: Path, target: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(96 << 20)
    tracemalloc.start()
    sign(XadesDetached(), large, target, signer)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_the_chain_is_joined(authority: TestAuthority, signer: Pkcs12Signer, source: Path, target: Path) -> None:
    chained = Signatory(signer.certificate, (authority.certificate,))
    prepared = Xades().prepare(source, target.with_name(".draft"), chained, clock.now())
    Xades.complete(prepared, source, target, values_of(prepared, signer), target)
    assert len(text_of(target, "//ds:X509Certificate/text()")) == 2


@KINDS
def test_what_a_signature_says_goes_through_json_and_back(kind: type[Format]) -> None:
    how = kind(level="T", role="Maire", city="Saint-Exemple", postal_code="99000", country="France")
    assert formats.from_json(kind.name, json.loads(json.dumps(formats.as_json(how)))) == how
    with pytest.raises(UsageError):
        formats.from_json(kind.name, {"level": "LTA"})


def test_a_policy_and_the_name_of_the_file_are_said_when_asked(
    signer: Pkcs12Signer, trust: TrustStore, source: Path, target: Path
) -> None:
    how = XadesDetached(policy=HELIOS, media="application/xml", file="acte n°1 (projet).xml")
    assert formats.from_json(how.name, json.loads(json.dumps(formats.as_json(how)))) == how
    sign(how, source, target, signer)
    assert text_of(target, "//ds:Reference[1]/@URI") == ["acte%20n%C2%B01%20%28projet%29.xml"]
    assert text_of(target, "//xades:MimeType/text()") == ["application/xml"]
    assert text_of(target, "//xades:SigPolicyId/xades:Identifier/text()") == [HELIOS.identifier]
    verdict = verify(target, detached=source, trust=trust)
    assert verdict.verdict is Belief.VALID
    assert (verdict.signatures[0].level, verdict.signatures[0].covers) == ("EPES", "document")
