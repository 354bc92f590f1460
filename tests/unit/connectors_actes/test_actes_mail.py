"""A mail taken apart: every attachment wherever it stands, whatever its name looks like, and never a fall."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.mailbox.errors import MailUnreadable
from connectors.mailbox.mail import Mail, MailUid, take_apart

UID = MailUid(7, 42)
XML = "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>".encode("latin-1")


def taken(folder: Path, octets: bytes) -> Mail:
    raw = folder / "mail.eml"
    raw.write_bytes(octets)
    return take_apart(UID, raw, folder)


def part(head: str, body: bytes, boundary: str = "b") -> bytes:
    return f"--{boundary}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


def mail(*parts: bytes, kind: str = "mixed", head: str = "") -> bytes:
    start = f'{head}MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary="b"\r\n\r\n'.encode()
    return start + b"".join(parts) + b"--b--\r\n"


def encoded(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def file_part(octets: bytes = XML, disposition: str = 'attachment; filename="a.xml"', media: str = "application/xml") -> bytes:
    head = f"Content-Type: {media}\r\nContent-Disposition: {disposition}\r\nContent-Transfer-Encoding: base64"
    return part(head, encoded(octets))


def attached(coding: str) -> str:
    disposition = 'attachment; filename="a.pdf"'
    return f"Content-Type: application/pdf\r\nContent-Disposition: {disposition}\r\nContent-Transfer-Encoding: {coding}"


def names(found: Mail) -> list[str]:
    return [one.name for one in found.attachments]


def test_the_head_is_decoded_and_the_octets_are_kept(tmp_path: Path) -> None:
    head = (
        "Message-ID: <1@test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n"
        "From: =?utf-8?q?Pr=C3=A9fecture?= <p@test>\r\nSubject: =?iso-8859-1?q?Accus=E9?=\r\n =?utf-8?q?_de_r=C3=A9ception?=\r\n"
    )
    octets = mail(file_part(), head=head)
    found = taken(tmp_path, octets)
    assert (found.uid, found.message_id, found.subject) == (UID, "<1@test>", "Accusé de réception")
    assert found.sender == "Préfecture <p@test>"
    assert found.date is not None
    assert found.date.isoformat() == "2026-11-20T09:00:00+00:00"
    assert found.raw.read_bytes() == octets
    assert [(one.name, one.media, one.path.read_bytes()) for one in found.attachments] == [("a.xml", "application/xml", XML)]


def test_a_mail_without_any_head_is_a_mail(tmp_path: Path) -> None:
    found = taken(tmp_path, b"\r\nBonjour\r\n")
    assert (found.message_id, found.date, found.sender, found.subject) == ("", None, "", "")
    assert (found.attachments, found.html) == ((), None)


@pytest.mark.parametrize("kind", ["mixed", "alternative", "related", "unheard-of"])
def test_attachments_are_found_in_any_kind_of_multipart(tmp_path: Path, kind: str) -> None:
    html = part("Content-Type: text/html; charset=utf-8", "<p>Reçu</p>".encode())
    found = taken(tmp_path, mail(part("Content-Type: text/plain", b"Bonjour"), html, file_part(), kind=kind))
    assert (names(found), found.html) == (["a.xml"], "<p>Reçu</p>")


def test_attachments_are_found_in_multiparts_within_multiparts_and_in_enclosed_mails(tmp_path: Path) -> None:
    inner = EmailMessage()
    inner["Subject"] = "transmis"
    inner.set_content("Bonjour")
    inner.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="b.pdf")
    nested = (
        b'--b\r\nContent-Type: multipart/alternative; boundary="c"\r\n\r\n'
        b"--c\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n" + file_part().replace(b"--b", b"--c") + b"--c--\r\n"
    )
    enclosed = part('Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename="x.eml"', inner.as_bytes())
    found = taken(tmp_path, mail(nested, enclosed))
    assert names(found) == ["a.xml", "b.pdf"]
    assert found.attachments[1].path.read_bytes() == b"%PDF-1.4"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="simple.xml"', "simple.xml"),
        ("attachment; filename=bare.xml", "bare.xml"),
        ('inline; filename="inline.xml"', "inline.xml"),
        ("attachment; filename*=utf-8''pi%C3%A8ce%20jointe.pdf", "pièce jointe.pdf"),
        ("attachment; filename*=iso-8859-1'fr'd%E9cision.pdf", "décision.pdf"),
        ('attachment; filename*0="tres-long"; filename*1="-nom.xml"', "tres-long-nom.xml"),
        ("attachment; filename*0*=utf-8''d%C3%A9; filename*1*=cision.xml", "décision.xml"),
        ('attachment; filename="=?utf-8?b?ZMOpY2lzaW9uLnBkZg==?="', "décision.pdf"),
        ('attachment; filename="=?iso-8859-1?q?d=E9ci?=\r\n =?iso-8859-1?q?sion.pdf?="', "décision.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Temp\\\\acte.xml"', "acte.xml"),
        ('attachment; filename="a\x01b.xml"', "ab.xml"),
        ('attachment; filename=".."', "piece-1.xml"),
        ("attachment", "piece-1.xml"),
        ("attachment; filename*=no-such-charset''a%E9.xml", "piece-1.xml"),
    ],
    ids=lambda one: one if one.isprintable() and "filename" not in one else "",
)
def test_a_name_is_read_however_it_is_written(tmp_path: Path, disposition: str, name: str) -> None:
    (found,) = taken(tmp_path, mail(file_part(disposition=disposition))).attachments
    if "no-such-charset" in disposition:
        assert found.name.endswith(".xml")
    else:
        assert found.name == name
    assert found.path.read_bytes() == XML
    assert found.path.parent == tmp_path


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_raw_octets_in_a_header_are_read_as_the_field_writes_them(tmp_path: Path, coding: str) -> None:
    octets = mail(file_part(disposition='attachment; filename="NAME"'), head="Subject: NAME\r\n")
    found = taken(tmp_path, octets.replace(b"NAME", "décision".encode(coding)))
    assert (found.subject, names(found)) == ("décision", ["décision"])


def test_base64_with_lines_that_do_not_belong_there_is_still_decoded(tmp_path: Path) -> None:
    octets = bytes(range(256)) * 8
    lines = encoded(octets).splitlines(keepends=True)
    rubbish = b"".join(lines[:3]) + b"-- \r\n" + b"".join(lines[3:]) + b"\r\nAucun virus.\r\n"
    head = attached("base64")
    (found,) = taken(tmp_path, mail(part(head, rubbish))).attachments
    assert found.path.read_bytes() == octets


def test_base64_that_was_cut_gives_what_can_be_had(tmp_path: Path) -> None:
    head = attached("Base64 ")
    (found,) = taken(tmp_path, mail(part(head, encoded(b"abcdef").strip()[:-1]))).attachments
    assert found.path.read_bytes() == b"abcde"


@pytest.mark.parametrize("coding", ["7bit", "8bit", "binary", "unknown"])
def test_octets_without_a_coding_are_kept_as_they_are(tmp_path: Path, coding: str) -> None:
    head = attached(coding)
    (found,) = taken(tmp_path, mail(part(head, XML))).attachments
    assert found.path.read_bytes() == XML


def test_xml_without_a_name_is_an_attachment_and_prose_is_none(tmp_path: Path) -> None:
    found = taken(
        tmp_path,
        mail(
            part("Content-Type: text/plain", b"Bonjour"),
            part("Content-Type: text/html", b"<p>Bonjour</p>"),
            part("Content-Type: text/xml", b"<a/>"),
            part("Content-Type: text/plain; name=notes.txt", b"notes"),
        ),
    )
    assert names(found) == ["piece-1.xml", "notes.txt"]
    assert found.html == "<p>Bonjour</p>"


def test_a_notice_has_no_attachment(tmp_path: Path) -> None:
    found = taken(tmp_path, b"Subject: Transmission multicanal\r\nContent-Type: text/html; charset=nowhere\r\n\r\n<p>\xe9</p>")
    assert (found.attachments, found.html) == ((), "<p>é</p>")


@pytest.mark.parametrize("date", ["hier", "Fri, 99 Nov 2026 10:00:00 +0100", ""])
def test_a_date_that_does_not_read_is_none(tmp_path: Path, date: str) -> None:
    assert taken(tmp_path, f"Date: {date}\r\n\r\nBonjour".encode()).date is None


def test_too_many_parts_are_told_and_the_octets_kept(tmp_path: Path) -> None:
    octets = mail(*[part("Content-Type: text/plain", b"x")] * 3000)
    with pytest.raises(MailUnreadable, match="Ses octets ont été gardés") as unreadable:
        taken(tmp_path, octets)
    assert unreadable.value.raw.read_bytes() == octets


def test_nesting_without_end_is_told_and_the_octets_kept(tmp_path: Path) -> None:
    octets = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (rank, rank) for rank in range(3000))
    with pytest.raises(MailUnreadable) as unreadable:
        taken(tmp_path, octets)
    assert unreadable.value.raw.read_bytes() == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"Subject: x\r\n\r\n" + b"\n" * 2_000_001,
        b"Subject: x\r\n\r\n" + b"\r" * 2_000_001,
        b"".join(b"Content-Type: Multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (rank, rank) for rank in range(150))
        + b"\n" * 70_000,
    ],
    ids=["lines", "returns", "boundaries"],
)
def test_lines_out_of_all_proportion_are_told_and_the_octets_kept(tmp_path: Path, octets: bytes) -> None:
    with pytest.raises(MailUnreadable) as unreadable:
        taken(tmp_path, octets)
    assert unreadable.value.raw.read_bytes() == octets


def test_of_headers_without_end_the_first_of_those_that_are_read_counts(tmp_path: Path) -> None:
    others = b"".join(b"X-%d: \xe9\r\n" % rank for rank in range(60_000))
    found = taken(
        tmp_path, b"Subject: D\xc3\xa9cision\r\n" + others + b"Subject: \xe9\r\nFrom: Pr\xe9fecture <a@b>\r\n\r\nBonjour"
    )
    assert (found.subject, found.sender) == ("Décision", "Préfecture <a@b>")


WHOLE = mail(
    part("Content-Type: text/html; charset=utf-8", b"<p>x</p>"),
    file_part(disposition="attachment; filename*0*=utf-8''d%C3%A9; filename*1*=cision.xml"),
    file_part(disposition='attachment; filename="=?utf-8?b?ZMOpY2lzaW9uLnBkZg==?="'),
    head="Subject: =?utf-8?q?=C3=A9?=\r\nFrom: <a@b>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n",
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=6))
def test_a_damaged_mail_is_read_or_told_and_nothing_else(tmp_path: Path, damages: list[tuple[int, bytes, int]]) -> None:
    octets = bytearray(WHOLE)
    for place, added, removed in damages:
        octets[place : place + removed] = added
    try:
        found = taken(tmp_path, bytes(octets))
    except MailUnreadable:
        return
    assert all("/" not in one.name and one.name and one.path.parent == tmp_path for one in found.attachments)
