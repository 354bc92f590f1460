"""The rules R01 to R04: the bytes of a flow, before anything that stands in it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from core.problems import Severity, Verdict
from schemas.pes.reader import read
from schemas.xml import Malformed
from tests.pes_looks import Examine, clean, look, schemas, the_one

__all__ = ["clean", "look", "schemas"]


def in_ascii(content: bytes) -> bytes:
    return bytes(byte if byte < 128 else ord("E") for byte in content)


@pytest.mark.parametrize("content", [b"", b"not xml", b"<a><b></a>", b'<?xml version="1.0" encoding="martian"?><a/>'])
def test_an_empty_or_malformed_file_is_refused_with_rule_r01(content: bytes, look: Examine) -> None:
    document, report = look(content)
    assert document is None
    assert the_one(report, "R01").severity is Severity.ERROR


def test_a_truncated_flow_is_still_recognised_as_a_pes_aller(clean: bytes, look: Examine) -> None:
    _, report = look(clean[:1500])
    assert report.kind == "pes-aller"
    assert the_one(report, "R01").line


@pytest.mark.parametrize("doctype", [b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'])
def test_a_doctype_is_refused_with_rule_r02(doctype: bytes, clean: bytes, look: Examine) -> None:
    document, report = look(clean.replace(b"?>\n", b"?>\n" + doctype, 1))
    assert document is None
    assert the_one(report, "R02").line == 2


def test_a_pes_in_utf8_is_refused_with_rule_r03(clean: bytes, look: Examine) -> None:
    document, report = look(clean.decode("iso-8859-1").replace("ISO-8859-1", "UTF-8", 1).encode())
    assert document is not None
    assert the_one(report, "R03").found == "UTF-8"
    assert report.verdict is Verdict.REJECTED


@pytest.mark.parametrize("name", [b"ISO-8859-15", b"windows-1252", b"US-ASCII"])
def test_a_near_relative_of_latin_1_is_refused_with_rule_r03(name: bytes, clean: bytes, look: Examine) -> None:
    assert the_one(look(in_ascii(clean).replace(b"ISO-8859-1", name, 1))[1], "R03").found == name.decode()


def test_the_name_of_the_encoding_may_be_written_in_any_case_and_quotes(clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b'"ISO-8859-1"', b"'iso-8859-1'", 1))[1].problems == []


def test_a_byte_order_mark_and_a_missing_declaration_are_refused_with_rule_r03(clean: bytes, look: Examine) -> None:
    text = clean.decode("iso-8859-1").partition("?>\n")[2].encode()
    _, report = look(b"\xef\xbb\xbf" + text)
    assert [problem.found for problem in report.problems if problem.rule == "R03"] == ["UTF-8", None]


def test_utf8_under_a_latin_1_label_is_warned_of_with_rule_r04_at_its_line(clean: bytes, look: Examine) -> None:
    _, report = look(clean.replace(b"\xc8", "È".encode()))
    problem = the_one(report, "R04")
    assert (problem.severity, problem.line) == (Severity.WARNING, 4)
    assert "È" in (problem.found or "")


def test_windows_1252_under_a_latin_1_label_is_warned_of_with_rule_r04(clean: bytes, look: Examine) -> None:
    assert "€" in (the_one(look(clean.replace(b"Exemple de flux", b"Exemple \x80"))[1], "R04").found or "")


@pytest.mark.parametrize("text", ["«\xa0été\xa0»", "«\xa0CARRÉ\xa0»", "«MARCHÉ» DU PRÉ°", "ÀÂÇÉÈÊËÎÏÔÙÛÜàâçéèêëîïôùûüÿ°§²½"])
def test_french_in_latin_1_is_not_taken_for_utf8(text: str, clean: bytes, look: Examine) -> None:
    assert look(clean.replace(b"Exemple de flux", text.encode("iso-8859-1")))[1].problems == []


def test_doubtful_bytes_are_found_across_the_chunks_of_a_large_file(clean: bytes, look: Examine) -> None:
    megabyte = 1 << 20
    for shift in range(4):
        head, _, tail = clean.partition(b"<PES_DepenseAller>")
        comment = b"<!--" + b"\n" * (megabyte - len(head) - 4 - shift) + "€".encode() + b"-->"
        problem = the_one(look(head + comment + b"<PES_DepenseAller>" + tail)[1], "R04")
        assert problem.found == "0xE282AC (€)"
        assert problem.line == head.count(b"\n") + comment.count(b"\n") + 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (gzip.compress, "application/gzip"),
        (lambda content: b"PK\x03\x04" + content, "application/zip"),
        (lambda content: b"\n" + content, None),
        (lambda content: content.replace(b"ISO-8859-1", b"UTF-8", 1), "UTF-8"),
        (lambda content: content.split(b"\n", 1)[1], "UTF-8"),
        (lambda content: b"\xef\xbb\xbf" + content, "UTF-8"),
    ],
    ids=["gzip", "zip", "late declaration", "another encoding", "no encoding", "byte order mark"],
)
def test_what_keeps_a_file_from_being_read_is_told(
    change: Callable[[bytes], bytes], found: str | None, clean: bytes, look: Examine
) -> None:
    document, report = look(change(clean))
    problem = the_one(report, "R01")
    assert (document, problem.found) == (None, found)
    assert "Error" not in problem.message


@pytest.mark.parametrize("breaks", [0, 2, 70_000])
@pytest.mark.parametrize(
    ("written", "shown", "told"),
    [
        ("GARAGE & FILS", "GARAGE & FILS", "réservé"),
        ("CAF&eacute;", "CAF&eacute;", "réservé"),
        ('LE "BON" COIN', 'LE "BON" COIN', "réservé"),
        ("A\x0bB", "A\N{REPLACEMENT CHARACTER}B", "contrôle"),
    ],
)
def test_a_character_that_xml_does_not_take_is_shown_where_it_stands(
    written: str, shown: str, told: str, breaks: int, clean: bytes, look: Examine
) -> None:
    filling = (b"<!--" + b"x" * 60 + b"\n" * 2 + b"-->") * (breaks // 2)
    content = clean.replace(b"GARAGE DES TROIS ORMES", written.encode(), 1).replace(b"<PES_DepenseAller>", filling, 1)
    problem = the_one(look(content)[1], "R01")
    assert told in problem.message
    assert shown in (problem.found or "")
    assert problem.line == content[: content.index(written.encode())].count(b"\n") + 1


def test_a_gzip_is_never_inflated_into_a_tree(clean: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    path.write_bytes(gzip.compress(clean))
    with pytest.raises(Malformed):
        read(path)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_a_file_of_wide_characters_declares_is_read(codec: str, clean: bytes, look: Examine) -> None:
    text = clean.decode("iso-8859-1").replace("ISO-8859-1", "UTF-16", 1)
    _, report = look(text.encode(codec))
    assert report.kind == "pes-aller"
    assert {problem.found for problem in report.problems if problem.rule == "R03"} == {"UTF-16"}
