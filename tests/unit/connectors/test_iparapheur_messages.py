"""The codec of the SOAP messages: what is written is read back, by either side, and nothing else is read."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.iparapheur import messages as wire
from connectors.iparapheur import texts
from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.messages import (
    NAMESPACE,
    SOAP,
    ActesMetaData,
    ArchiveAction,
    Code,
    DocAnnexe,
    Document,
    EtapeCircuit,
    LogDossier,
    MessageRetour,
    MetaDonnee,
    MetaDonneeDefinition,
    Visibility,
)
from connectors.iparapheur.reading import decode
from connectors.iparapheur.writing import MEDIA, encode
from core.errors import UsageError

MOMENT = datetime(2026, 11, 28, 8, 30, 15, 123000, tzinfo=UTC)
XOP = "http://www.w3.org/2004/08/xop/include"


@pytest.fixture
def pdf(tmp_path: Path) -> Document:
    path = tmp_path / "document"
    path.write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 40)
    return Document(path, "application/pdf")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "read"
    folder.mkdir()
    return folder


@pytest.fixture
def read(folder: Path) -> Callable[[bytes], Any]:
    return lambda octets: decode(BytesIO(octets), MEDIA, folder)


def every_message(pdf: Document) -> list[wire.Message]:
    ok = MessageRetour(Code.OK, "Fait & <bien>")
    entry = LogDossier(MOMENT, "Camille Aubry", "Signe", "Bon\r\npour accord ", "OK")
    annex = DocAnnexe("annexe é.pdf", pdf, "application/pdf", "UTF-8", pdf)
    step = EtapeCircuit("Maire", "", "Camille Aubry", "SIGNATAIRE")
    definitions = (MetaDonneeDefinition("urgent", "Dossier urgent", "BOOLEAN", mandatory=False),)
    request = wire.CreerDossierRequest(
        type="Actes",
        subtype="signature",
        email="x@example.org",
        dossier_id="J'aime développer",
        title="Titre",
        document=pdf,
        document_name="é.pdf",
        signature=pdf,
        visual=pdf,
        more=(annex,),
        annexes=(annex, annex),
        metadata=(MetaDonnee("urgent", "false"), MetaDonnee("vide", "")),
        signature_place="//Bordereau",
        actes=ActesMetaData("1", "1.1", "2026-11-28", "Objet"),
        public_note="Publique",
        private_note="Privée",
        visibility=Visibility.CONFIDENTIAL,
        due=date(2027, 1, 31),
        circuit=(step,),
    )
    least = wire.CreerDossierRequest(type="A", subtype="B", document=pdf, visibility=Visibility.PUBLIC)
    got = wire.GetDossierResponse(
        "Actes", "signature", None, "id", pdf, pdf, ".", "a", "b", Visibility.SERVICE, None, pdf, "n", pdf, (annex,), (annex,),
        (MetaDonnee("a", "b"),), ok,
    )  # fmt: skip
    return [
        wire.EchoRequest("Dès Noël où un zéphyr haï"),
        wire.EchoResponse("  blancs gardés  "),
        wire.GetListeTypesRequest(),
        wire.GetListeTypesResponse(("Actes", "PES")),
        wire.GetListeSousTypesRequest("Actes"),
        wire.GetListeSousTypesResponse(),
        wire.GetListeMetaDonneesRequest(),
        wire.GetListeMetaDonneesResponse((replace(definitions[0], mandatory=None),)),
        wire.GetMetaDonneesRequisesPourTypeSoustypeRequest("Actes", "signature"),
        wire.GetMetaDonneesRequisesPourTypeSoustypeResponse(definitions),
        wire.GetCircuitRequest("Actes", "signature"),
        wire.GetCircuitResponse((step, replace(step, role="ARCHIVAGE"))),
        wire.RechercherDossiersRequest("Actes", None, "NonLu", 3, ("a", "b c")),
        wire.RechercherDossiersResponse((entry, entry)),
        request,
        least,
        wire.CreerDossierResponse(ok, "id"),
        wire.CreerDossierResponse(MessageRetour(Code.KO, "Non", "ERROR")),
        wire.GetDossierRequest("J'aime développer"),
        got,
        wire.GetDossierResponse(notice=MessageRetour(Code.KO, "Non", "ERROR")),
        wire.GetHistoDossierRequest("id"),
        wire.GetHistoDossierResponse((replace(entry, accessible=None),), ok),
        wire.ExercerDroitRemordDossierRequest("id"),
        wire.ExercerDroitRemordDossierResponse(ok),
        wire.ForcerEtapeRequest("id", Code.KO, "Publique", None),
        wire.ForcerEtapeResponse(entry=entry, notice=ok),
        wire.ArchiverDossierRequest("id", ArchiveAction.KEEP),
        wire.ArchiverDossierRequest("id"),
        wire.ArchiverDossierResponse(url="https://x", notice=ok),
        wire.EffacerDossierRejeteRequest("id"),
        wire.EffacerDossierRejeteResponse(ok),
        wire.Fault("Client", "illisible & < é"),
    ]


def plain(value: Any) -> Any:
    """A message with its documents as octets."""
    if isinstance(value, Document):
        return value.media, value.path.read_bytes()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if hasattr(type(value), "__dataclass_fields__"):
        return type(value).__name__, {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value


def written(message: wire.Message) -> bytes:
    return b"".join(encode(message))


def body(inner: str) -> bytes:
    return f'<S:Envelope xmlns:S="{SOAP}"><S:Body>{inner}</S:Body></S:Envelope>'.encode()


def creation(pdf: str = "JVBERg==", **changes: str) -> bytes:
    parts = {
        "TypeTechnique": "<TypeTechnique>A</TypeTechnique>",
        "SousType": "<SousType>B</SousType>",
        "Document": f'<DocumentPrincipal m:contentType="application/pdf">{pdf}</DocumentPrincipal>',
        "Visibilite": "<Visibilite>SERVICE</Visibilite>",
    } | changes
    inner = "".join(parts.values())
    mime = "http://www.w3.org/2005/05/xmlmime"
    return body(f'<CreerDossierRequest xmlns="{NAMESPACE}" xmlns:m="{mime}">{inner}</CreerDossierRequest>')


TYPES = body(f'<GetListeTypesRequest xmlns="{NAMESPACE}"/>')
_LONG = "A" * 5000


def test_every_message_is_read_back_as_it_was_written(pdf: Document, read: Callable[[bytes], Any]) -> None:
    messages = every_message(pdf)
    assert {type(one) for one in messages} >= {kind for pair in wire.OPERATIONS.items() for kind in pair}
    for message in messages:
        assert plain(read(written(message))) == plain(message)


def test_an_absent_value_is_nil_where_the_schema_wants_it_and_left_out_elsewhere(pdf: Document) -> None:
    least = wire.CreerDossierRequest(type="A", subtype="B", document=pdf, visibility=Visibility.PUBLIC)
    root = etree.fromstring(written(least))
    names = {etree.QName(one).localname: one for one in root.iter("{*}*")}
    nil = {name for name, one in names.items() if one.get(f"{{{wire.XSI}}}nil") == "true"}
    assert nil == {
        "VisuelPDF",
        "XPathPourSignatureXML",
        "MetaDataTdtACTES",
        "AnnotationPublique",
        "AnnotationPrivee",
        "DateLimite",
    }
    assert not {"EmailEmetteur", "DocumentsAnnexes", "MetaData", "SignatureDocPrincipal", "CircuitObligatoire"} & names.keys()
    assert names["DossierID"].text is None


def test_a_moment_is_written_with_milliseconds_and_a_zone() -> None:
    text = written(wire.RechercherDossiersResponse((LogDossier(MOMENT, "a", "Lu"),))).decode()
    assert "<p:timestamp>2026-11-28T09:30:15.123+01:00</p:timestamp>" in text


def test_elements_in_any_order_and_under_any_prefix_are_read(read: Callable[[bytes], Any]) -> None:
    inner = "<n:SousType> B\n</n:SousType><!-- x --><n:TypeTechnique>A</n:TypeTechnique>"
    found = read(body(f'<n:GetCircuitRequest xmlns:n="{NAMESPACE}">{inner}</n:GetCircuitRequest>'))
    assert found == wire.GetCircuitRequest("A", "B")


def test_an_empty_day_is_no_day_and_an_empty_identifier_is_none_given(read: Callable[[bytes], Any]) -> None:
    found = read(creation(due="<DateLimite/>", id="<DossierID></DossierID>", visual="<VisuelPDF/>"))
    assert (found.due, found.dossier_id, found.visual) == (None, "", None)


def test_a_later_versions_element_is_passed_over_in_an_answer_and_refused_in_a_request(read: Callable[[bytes], Any]) -> None:
    notice = "<MessageRetour><codeRetour>OK</codeRetour><message/><severite>INFO</severite><code>7</code></MessageRetour>"
    answer = f'<EffacerDossierRejeteResponse xmlns="{NAMESPACE}">{notice}<Nouveau/></EffacerDossierRejeteResponse>'
    assert read(body(answer)).notice == MessageRetour(Code.OK)
    with pytest.raises(MessageUnreadable, match="Nouveau"):
        read(creation(more="<Nouveau/>"))


@pytest.mark.parametrize("wrapped", ["\n", "\r\n", "&#13;\n", "&#xD;\n"])
@pytest.mark.parametrize("size", [0, 1, 57, 4095, 4096, 300_001])
def test_base64_is_read_however_its_lines_end(read: Callable[[bytes], Any], wrapped: str, size: int) -> None:
    octets = random.Random(size).randbytes(size)
    text = base64.encodebytes(octets).decode().replace("\n", wrapped)
    assert read(creation(text)).document.path.read_bytes() == octets


def test_a_document_is_read_whatever_pieces_the_network_gives(
    folder: Path, pdf: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = wire.CreerDossierRequest(type="A", subtype="B", document=pdf, visibility=Visibility.PUBLIC)
    octets = written(message).replace(b"ABAg", b"ABAg&#13;\n")
    for size in (1, 7, 4096, 5000):
        monkeypatch.setattr(texts, "_PIECE", size)
        found = decode(BytesIO(octets), MEDIA, folder)
        assert plain(found) == plain(message)


@pytest.mark.parametrize(
    "text",
    ["JVBERg=", "JVBERg", "JVBERg==AAAA", "JVB=ERg=", "é", "JVBERg==<b/>", "<![CDATA[J*]]>", "A" * 5000 + "*", "A" * 4097],
)
def test_what_is_no_base64_is_refused(read: Callable[[bytes], Any], text: str) -> None:
    with pytest.raises(MessageUnreadable):
        read(creation(text))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<",
        b"not xml",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b"<!DOCTYPE x><x/>",
        b"<x/>",
        body(""),
        body("<x/>"),
        body('<GetDossierRequest xmlns="urn:other">id</GetDossierRequest>'),
        body(f'<GetDossierRequest xmlns="{NAMESPACE}">id<b/></GetDossierRequest>'),
        body(f'<Inconnu xmlns="{NAMESPACE}"/>'),
        body(f'<GetListeTypesRequest xmlns="{NAMESPACE}"/><GetListeTypesRequest xmlns="{NAMESPACE}"/>'),
        TYPES.replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
        TYPES.replace(b"<S:Body>", b'<S:Header><a S:mustUnderstand="1"/></S:Header><S:Body>'),
        body(f'<GetCircuitRequest xmlns="{NAMESPACE}"><TypeTechnique>A</TypeTechnique></GetCircuitRequest>'),
        body(f'<GetCircuitRequest xmlns="{NAMESPACE}">texte</GetCircuitRequest>'),
        creation(twice="<TypeTechnique>C</TypeTechnique>"),
        creation(Visibilite="<Visibilite>TOUS</Visibilite>"),
        creation(Visibilite=""),
        creation(due="<DateLimite>31/01/2027</DateLimite>"),
        creation(due="<DateLimite>2027-02-31</DateLimite>"),
        creation(Document="<DocumentPrincipal>JVBERg==</DocumentPrincipal>"),
        creation(annexes="<DocumentsAnnexes><Autre/></DocumentsAnnexes>"),
        creation(annexes="<DocumentsAnnexes/><DocumentsAnnexes/>"),
        creation('<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:absent"/>'),
        creation('<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="file:///etc/passwd"/>'),
        creation().replace(b"</S:Envelope>", b""),
        creation().decode().encode("utf-16")[:200],
        b"<a>" * 100_000,
        body(f'<GetDossierRequest xmlns="{NAMESPACE}" a="" a="">x</GetDossierRequest>'),
        body(f'<echoRequest xmlns="{NAMESPACE}" a="{_LONG}">x</echoRequest>'),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_message_is_refused_in_words(folder: Path, octets: bytes) -> None:
    with pytest.raises(MessageUnreadable) as refused:
        decode(BytesIO(octets), MEDIA, folder)
    assert str(refused.value)


def test_an_instruction_of_a_strangers_is_no_document(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(MessageUnreadable):
        read(creation("<?t000000000000000000000000 0?>"))


def test_a_message_beyond_its_limit_is_not_read(folder: Path) -> None:
    with pytest.raises(MessageUnreadable, match="1 Mio"):
        decode(BytesIO(creation("A" * (2 << 20))), MEDIA, folder, limit=1 << 20)


def test_a_message_of_many_tags_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LARGEST_REST", 1 << 16)
    inner = "<DossierID>x</DossierID>" * 5000
    with pytest.raises(MessageUnreadable):
        decode(
            BytesIO(body(f'<RechercherDossiersRequest xmlns="{NAMESPACE}">{inner}</RechercherDossiersRequest>')), MEDIA, folder
        )


def test_nothing_but_documents_stays_in_the_folder(folder: Path, pdf: Document) -> None:
    message = wire.CreerDossierRequest(type="A", subtype="B", document=pdf, visibility=Visibility.PUBLIC)
    found = decode(BytesIO(written(message)), MEDIA, folder)
    assert isinstance(found, wire.CreerDossierRequest)
    assert [path for path in folder.rglob("*") if path.is_file()] == [found.document.path]


def test_nothing_stays_of_what_is_refused(folder: Path, pdf: Document) -> None:
    octets = written(wire.CreerDossierRequest(type="A", subtype="B", document=pdf, visibility=Visibility.PUBLIC))
    mtom, kind = multipart(creation(included("doc@x"), more="<Nouveau/>"), ("doc@x", b"%PDF"))
    for refused, media in ((octets[:-1], MEDIA), (octets.replace(b"PUBLIC", b"TOUS"), MEDIA), (mtom, kind)):
        with pytest.raises(MessageUnreadable):
            decode(BytesIO(refused), media, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("seed", range(300))
def test_octets_changed_at_random_are_read_or_refused_and_never_worse(folder: Path, pdf: Document, seed: int) -> None:
    chance = random.Random(seed)
    octets = bytearray(written(chance.choice(every_message(pdf))))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(octets))
        match chance.randrange(4):
            case 0:
                octets[place] = chance.randrange(256)
            case 1:
                del octets[place : place + chance.randint(1, 40)]
            case 2:
                octets[place:place] = chance.choice([b"<", b">", b"&", b"]]>", b"<!--", b"\x00", b"<?x y?>", b'"', b"</p:x>"])
            case _:
                octets[place:place] = octets[chance.randrange(len(octets)) :][:60]
    try:
        decode(BytesIO(bytes(octets)), MEDIA, folder)
    except MessageUnreadable as refused:
        assert str(refused)


def test_a_text_that_xml_cannot_carry_is_refused_before_it_leaves() -> None:
    with pytest.raises(UsageError, match=r"\\x00"):
        written(wire.EchoRequest("a\x00b"))


def multipart(envelope: bytes, *parts: tuple[str, bytes], boundary: str = "MIME_boundary") -> tuple[bytes, str]:
    """An MTOM body and its media type."""
    line = f"--{boundary}\r\n".encode()
    octets = line + b'Content-Type: application/xop+xml; type="text/xml"\r\nContent-ID: <root@x>\r\n\r\n' + envelope
    for name, content in parts:
        octets += b"\r\n" + line + f"Content-Type: application/pdf\r\nContent-ID: <{name}>\r\n\r\n".encode() + content
    octets += f"\r\n--{boundary}--\r\n".encode()
    kind = f'multipart/related; type="application/xop+xml"; start="<root@x>"; boundary="{boundary}"'
    return octets, kind


def included(name: str) -> str:
    return f'<x:Include xmlns:x="{XOP}" href="cid:{name}"/>'


def test_an_attachment_is_read_in_the_place_that_refers_to_it(folder: Path) -> None:
    content = b"%PDF\r\n--MIME\r\n\x00\xff" * 1000
    octets, kind = multipart(creation(included("doc%40x")), ("doc@x", content), ("unused@x", b"-"))
    found = decode(BytesIO(octets), kind, folder)
    assert isinstance(found, wire.CreerDossierRequest)
    assert found.document.path.read_bytes() == content
    assert found.document.media == "application/pdf"


@pytest.mark.parametrize(
    "change",
    [
        lambda octets, kind: (octets[:-20], kind),
        lambda octets, kind: (octets[:200], kind),
        lambda _, kind: (b"", kind),
        lambda octets, _: (octets, "multipart/related"),
        lambda octets, _: (octets, 'multipart/form-data; boundary="MIME_boundary"'),
        lambda octets, kind: (octets, kind.replace("root@x", "autre@x")),
        lambda octets, kind: (octets, kind.replace("MIME_boundary", "other")),
        lambda octets, kind: (octets.replace(b"Content-ID: <doc@x>", b"Content-ID: <other@x>"), kind),
    ],
)
def test_parts_that_are_broken_or_do_not_fit_are_refused(folder: Path, change: Callable[[bytes, str], tuple[bytes, str]]) -> None:
    octets, kind = change(*multipart(creation(included("doc@x")), ("doc@x", b"%PDF")))
    with pytest.raises(MessageUnreadable):
        decode(BytesIO(octets), kind, folder)


def test_moments_of_other_zones_are_the_same_moments(read: Callable[[bytes], Any]) -> None:
    for text in ("2026-11-28T09:30:15.123+01:00", "2026-11-28T08:30:15.123Z", "2026-11-28T08:30:15.123+00:00"):
        line = f"<timestamp>{text}</timestamp><nom>a</nom><status>Lu</status><annotation/>"
        found = read(
            body(f'<GetHistoDossierResponse xmlns="{NAMESPACE}"><LogDossier>{line}</LogDossier></GetHistoDossierResponse>')
        )
        assert abs(found.entries[0].moment - MOMENT) < timedelta(milliseconds=1)
