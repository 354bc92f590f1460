"""A file is recognised by what it holds, and by nothing else."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from core.errors import UnreadableInput, UsageError
from core.messages import speaking
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.timestamp.client import request
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import Kind, recognise, verify


@pytest.fixture
def message(tmp_path: Path, signer: Pkcs12Signer) -> Path:
    """A detached signature, beside its data."""
    (tmp_path / "data").write_bytes(b"Le texte sign\xc3\xa9.")
    sign(Cades(), tmp_path / "data", tmp_path / "message", signer)
    return tmp_path / "message"


@pytest.fixture
def tsa(tmp_path: Path) -> TsaSimulator:
    return TsaSimulator(tmp_path / "tsa")


def written(folder: Path, octets: bytes, name: str = "misleading.pdf") -> Path:
    path = folder / name
    path.write_bytes(octets)
    return path


def zipped(*entries: tuple[str, bytes]) -> bytes:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return octets.getvalue()


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"%PDF-1.7\n", Kind.PDF),
        (zipped(("a.txt", b"")), Kind.ASIC),
        (zipped(), Kind.ASIC),
        (b"<a/>", Kind.XML),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", Kind.XML),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>".encode("utf-16"), Kind.XML),
        (b"<x:Signature xmlns:x='http://www.w3.org/2000/09/xmldsig#'/>", Kind.XML),
    ],
)
def test_a_kind_is_told_by_the_first_octets(tmp_path: Path, octets: bytes, kind: Kind) -> None:
    assert recognise(written(tmp_path, octets, "misleading.p7s")) is kind


def test_a_pes_is_told_from_other_xml(sealed: Path, tmp_path: Path) -> None:
    assert recognise(written(tmp_path, sealed.read_bytes())) is Kind.PES


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252", "EUC-JP"])
def test_no_encoding_and_no_long_beginning_hides_a_pes(sealed: Path, tmp_path: Path, encoding: str) -> None:
    root = etree.fromstring(sealed.read_bytes())
    for accented in root.iter("*"):
        accented.attrib.update({name: value.encode("ascii", "replace").decode() for name, value in accented.attrib.items()})
    written_so = etree.tostring(root, encoding=encoding, xml_declaration=True)
    assert recognise(written(tmp_path, written_so)) is Kind.PES
    if encoding == "UTF-8":
        declaration, _, rest = written_so.partition(b"?>")
        late = declaration + b"?><!--" + b" " * (1 << 20) + b"-->" + rest
        assert recognise(written(tmp_path, late)) is Kind.PES


def test_octets_that_are_no_text_are_refused_and_not_a_fault(tmp_path: Path, sealed: Path) -> None:
    octets = (
        sealed.read_bytes().replace(b'encoding="ISO-8859-1"', b'encoding="UTF-8"').replace(b"</PES_PJ>", b"\xe9\xff</PES_PJ>")
    )
    with pytest.raises(UnreadableInput):
        verify(written(tmp_path, octets), trust=None)


def test_a_message_is_told_in_der_in_pem_and_with_open_lengths(message: Path, tmp_path: Path) -> None:
    der = message.read_bytes()
    assert recognise(message) is Kind.CMS
    for label in (b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"):
        pem = b"-----BEGIN " + label + b"-----\n" + base64.encodebytes(der) + b"-----END " + label + b"-----\n"
        assert recognise(written(tmp_path, pem)) is Kind.CMS
    signed = cms.ContentInfo.load(der)["content"].untag().dump()
    opened = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80" + signed + b"\0\0\0\0"
    assert recognise(written(tmp_path, opened)) is Kind.CMS


def test_a_timestamp_is_told_bare_and_in_its_response(tsa: TsaSimulator, tmp_path: Path) -> None:
    reply = tsa.answer(request(b"\0" * 32, nonce=1))
    assert recognise(written(tmp_path, reply)) is Kind.TIMESTAMP
    token = tsp.TimeStampResp.load(reply)["time_stamp_token"].dump()
    assert recognise(written(tmp_path, token)) is Kind.TIMESTAMP


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"Madame, Monsieur,",
        b"-----BEGIN PKCS7-----\n",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_anything_else_is_refused_with_what_would_be_taken(tmp_path: Path, octets: bytes) -> None:
    with pytest.raises(UnreadableInput, match="PDF, PES"):
        verify(written(tmp_path, octets, "named.pdf"), trust=None)


def test_a_pdf_that_does_not_begin_the_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="précèdent le début du PDF"):
        recognise(written(tmp_path, b"\r\n%PDF-1.7\n"))
    with pytest.raises(UnreadableInput, match="aucun type"):
        recognise(written(tmp_path, b" " * 1024 + b"%PDF-1.7\n"))


def test_a_certificate_and_a_list_of_revocations_are_no_timestamps(tmp_path: Path, trust: TrustStore) -> None:
    der = trust.anchors[0].public_bytes(Encoding.DER)
    with pytest.raises(UnreadableInput):
        recognise(written(tmp_path, der))


def test_an_archive_that_is_no_container_is_refused_and_an_empty_container_is_unsigned(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="ASiC"):
        verify(written(tmp_path, zipped(("word/document.xml", b"<a/>"))), trust=None)
    container = zipped(("mimetype", b"application/vnd.etsi.asic-e+zip"), ("a.txt", b"a"))
    assert verify(written(tmp_path, container), trust=None).verdict is Belief.UNSIGNED


def test_each_room_gives_its_verdict_through_the_same_door(message: Path, sealed: Path, trust: TrustStore) -> None:
    assert verify(sealed, trust=trust).verdict is Belief.VALID
    assert verify(message, detached=message.with_name("data"), trust=trust).verdict is Belief.VALID
    assert verify(message, detached=message.with_name("data"), trust=None).verdict is Belief.INDETERMINATE
    message.with_name("data").write_bytes(b"Un autre texte.")
    assert verify(message, detached=message.with_name("data"), trust=trust).verdict is Belief.INVALID


def test_a_signature_without_its_data_asks_for_them_by_the_name_of_the_option(message: Path, tsa: TsaSimulator) -> None:
    stamp = written(message.parent, tsa.answer(request(b"\0" * 32, nonce=1)))
    for path in (message, stamp):
        with pytest.raises(UsageError, match="--detached"):
            verify(path, trust=None)


def test_data_beside_a_file_that_holds_its_own_are_refused(sealed: Path, tmp_path: Path) -> None:
    for path in (sealed, written(tmp_path, b"%PDF-1.7\n"), written(tmp_path, zipped(), "a.zip")):
        with pytest.raises(UsageError, match="--detached"):
            verify(path, detached=sealed, trust=None)


def test_broken_xml_is_refused_in_the_language_in_force(tmp_path: Path) -> None:
    for octets, words in ((b"<a>", "bien formé"), (b"<!DOCTYPE a><a/>", "DOCTYPE"), (b"\xef\xbb\xbfMadame,", "bien formé")):
        with pytest.raises(UnreadableInput, match=words):
            verify(written(tmp_path, octets), trust=None)
    with speaking("en"), pytest.raises(UnreadableInput, match="not well-formed"):
        verify(written(tmp_path, b"<a>"), trust=None)
