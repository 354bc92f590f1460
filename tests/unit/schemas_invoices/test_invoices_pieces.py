"""Taking attachments out: base64 in any cut, ZIPs of strangers, bombs; what a document is comes from its octets."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import pytest

from schemas.invoices import pieces
from schemas.invoices.pieces import Decoding, Piece, agree, sniffed
from tests.unit.schemas_invoices.documents import PDF, zipped


def taken(text: str, folder: Path, cut: int = 7) -> Piece:
    decoding = Decoding(folder / "0.octets", 1)
    for start in range(0, len(text), cut):
        decoding.take(text[start : start + cut])
    return decoding.conclude()


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("cut", [1, 3, 4, 76])
def test_base64_may_be_cut_anywhere_and_hold_white_space(cut: int, tmp_path: Path) -> None:
    found = taken(base64.encodebytes(PDF * 50).decode().replace("\n", "\r\n\t "), tmp_path, cut)
    assert found.path is not None
    assert found.path.read_bytes() == PDF * 50


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("@@not base64@@", "base64"),
        ("QUFB=", "base64"),
        ("QUF", "base64"),
        ("QQ==QUFB", "base64"),
        ("QUFBé", "base64"),
        ("Q=FB", "base64"),
    ],
)
def test_what_is_not_base64_is_told_and_leaves_nothing(text: str, flaw: str, tmp_path: Path) -> None:
    assert taken(text, tmp_path).flaw == flaw
    assert list(tmp_path.iterdir()) == []


def test_a_zip_bomb_is_left_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OCTETS", 1 << 20)
    bomb = zipped(a=bytes(5 << 20))
    assert len(bomb) < 10_000
    assert taken(in_base64(bomb), tmp_path, 4096) == Piece(1, zipped=True, flaw="large")
    assert list(tmp_path.iterdir()) == []


def test_a_document_larger_than_what_chorus_takes_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OCTETS", 1_000)
    assert taken(in_base64(bytes(2_000)), tmp_path, 100).flaw == "large"
    assert list(tmp_path.iterdir()) == []


def test_a_zip_whose_header_lies_about_its_size_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OCTETS", 1 << 20)
    lying = bytearray(zipped(a=bytes(5 << 20)))
    place = lying.index(b"PK\x01\x02") + 24
    lying[place : place + 4] = (10).to_bytes(4, "little")
    assert taken(in_base64(bytes(lying)), tmp_path, 4096).flaw in {"zip", "large"}
    assert list(tmp_path.iterdir()) == []


def test_damaged_encrypted_and_empty_zips_are_told_apart(tmp_path: Path) -> None:
    whole = zipped(a=PDF)
    damaged = whole[:40] + bytes(4) + whole[44:]
    assert taken(in_base64(damaged), tmp_path).flaw == "zip"
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert taken(in_base64(bytes(locked)), tmp_path).flaw == "encrypted"
    assert taken(in_base64(zipped(a=b"")), tmp_path).flaw == "empty"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_a_million_entries_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("the directory was read")

    octets = bytearray(zipped(a=PDF))
    end = octets.index(b"PK\x05\x06")
    octets[end + 12 : end + 16] = (1 << 24).to_bytes(4, "little")
    monkeypatch.setattr(zipfile, "ZipFile", opened)
    assert taken(in_base64(bytes(octets)), tmp_path).media_type == "application/zip"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\xef\xbb\xbf  <a/>", "application/xml"),
        (b"PK\x03\x04", "application/zip"),
        (b"MZ\x90\x00", "application/x-msdownload"),
        (b"\x7fELF", "application/x-executable"),
        (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "application/x-msdos-program"),
        ("Bon de livraison n° 778".encode("latin-1"), "text/plain"),
        ("Bon de livraison n° 778 : 12 €, œuvre d’été".encode("cp1252"), "text/plain"),
        ("\ufeffÀ l’École : 12 €, œuvre d’été".encode(), "text/plain"),
        ("“Œuvre” d’été".encode()[:-1], "text/plain"),
        ("À l’École\x1b[2J".encode(), "application/octet-stream"),
        (b"\x81\x8d", "application/octet-stream"),
        (b"\x00\x01", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_a_document_is_what_its_octets_say(head: bytes, media_type: str) -> None:
    assert sniffed(head) == media_type


@pytest.mark.parametrize(
    ("declared", "found", "agreed"),
    [
        ("application/pdf", "application/pdf", True),
        ("APPLICATION/PDF; charset=x", "application/pdf", True),
        ("", "application/pdf", True),
        ("text/xml", "application/xml", True),
        ("application/vnd.oasis.opendocument.text", "application/zip", True),
        ("application/pdf", "application/xml", False),
        ("image/png", "application/pdf", False),
    ],
)
def test_what_a_file_says_of_a_piece_is_held_against_its_octets(declared: str, found: str, agreed: bool) -> None:
    assert agree(declared, found) is agreed
