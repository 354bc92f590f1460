"""What ISO-8859-1 can hold, and what a classification can be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.actes.classification import Classification, Matiere, NatureActe, PieceType
from schemas.actes.latin import Flaw, read_octets, transliterate, untransmittable
from tests.unit.schemas_actes.acts import CLASSIFICATION

DECLARED = b'<?xml version="1.0" encoding="ISO-8859-1"?>'


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("l’été", "l'été"),
        ("“mot” ‘mot’ «\u202fmot\u00a0»", "\"mot\" 'mot' «\u00a0mot\u00a0»"),
        ("œuvre Œuvre", "oeuvre OEuvre"),
        ("10 € – 20 €…", "10 EUR - 20 EUR..."),
        ("e\u0301te\u0301", "été"),
        ("mot\u200bcollé\ufeff", "motcollé"),
        ("d\x92un \x80", "d'un EUR"),
        ("ﬁn", "fin"),
        ("simple", "simple"),
        ("½ § ° Ç ÿ ß", "½ § ° Ç ÿ ß"),
    ],
)
def test_typography_is_put_in_characters_that_can_be_sent(text: str, sent: str) -> None:
    assert transliterate(text) == sent
    assert untransmittable(transliterate(text)) == ()


@pytest.mark.parametrize(
    ("text", "characters"),
    [("Дума", ("Д", "у", "м", "а")), ("naïve Ω Ω", ("Ω",)), ("bell\x07", ("\x07",)), ("\x81", ("\ufffd",)), ("🙂", ("🙂",))],
)
def test_what_has_no_equivalent_is_told_and_never_becomes_a_question_mark(text: str, characters: tuple[str, ...]) -> None:
    assert untransmittable(transliterate(text)) == characters
    assert "?" not in transliterate(text)


def test_tabs_and_line_breaks_can_be_sent() -> None:
    assert untransmittable("a\tb\r\nc") == ()


@pytest.mark.parametrize(
    ("octets", "flaw"),
    [
        (DECLARED + "<a>é</a>".encode("latin-1"), None),
        (DECLARED + b"<a>e</a>", None),
        (b"<a>e</a>", None),
        (DECLARED + "<a>é</a>".encode(), Flaw.UTF8),
        (DECLARED.replace(b"ISO-8859-1", b"windows-1252") + "<a>é</a>".encode(), Flaw.UTF8),
        (DECLARED + b"<a>d\x92un \xe9</a>", Flaw.CONTROL),
        (DECLARED.replace(b"ISO-8859-1", b"UTF-8") + "<a>é</a>".encode(), Flaw.OTHER),
        (DECLARED.replace(b"ISO-8859-1", b"windows-1252") + b"<a>\xe9</a>", Flaw.OTHER),
        (b"<a>\xe9</a>", Flaw.UNDECLARED),
        ("<a>é</a>".encode(), Flaw.UNDECLARED),
        (b"\xef\xbb\xbf" + DECLARED + "<a>é</a>".encode(), Flaw.BOM),
        ("<a/>".encode("utf-16"), Flaw.OTHER),
    ],
)
def test_octets_that_do_not_keep_to_the_encoding_are_told(octets: bytes, flaw: Flaw | None) -> None:
    assert read_octets(octets).flaw is flaw


def test_the_line_of_the_first_doubtful_octet_is_told_and_lines_keep_their_numbers() -> None:
    octets = DECLARED.replace(b" encoding", b"\n encoding") + "\n<a>\n<b>l’été</b></a>".encode()
    seen = read_octets(octets)
    assert (seen.flaw, seen.line, seen.found) == (Flaw.UTF8, 4, "0xE28099 (’)")
    assert seen.content.count(b"\n") == octets.count(b"\n")


def test_a_matiere_is_found_by_its_path_whatever_the_digits() -> None:
    found = CLASSIFICATION.find((7, 10, 2))
    assert found is not None
    assert (found.code, found.labels) == ("7.10.2", ("Finances locales", "Divers", "Admissions en non-valeur"))
    assert CLASSIFICATION.find((7, 1)) is not None
    for path in ((), (8,), (7, 10, 3), (7, 10, 2, 1), (7, None, 2)):
        assert CLASSIFICATION.find(path) is None


def test_matieres_come_by_number_and_not_by_letter() -> None:
    assert [found.code for found in CLASSIFICATION.walk()] == ["5", "5.2", "7", "7.1", "7.10", "7.10.2"]


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("assemblees", ["5.2"]),
        ("FINANCES divers", ["7.10", "7.10.2"]),
        ("7.1", ["7.1"]),
        ("7.10", ["7.10", "7.10.2"]),
        ("décision", ["7.1"]),
        ("rien", []),
        ("  ", []),
    ],
)
def test_a_search_forgets_accents_and_case_and_knows_codes(words: str, codes: list[str]) -> None:
    assert [found.code for found in CLASSIFICATION.search(words)] == codes


def test_typologies_go_by_nature_alone() -> None:
    assert [piece.code for piece in CLASSIFICATION.types(1)] == ["99_DE", "70_DE"]
    assert CLASSIFICATION.allows(1, "99_DE")
    assert not CLASSIFICATION.allows(1, "99_BU")
    assert not CLASSIFICATION.allows(2, "99_AR"), "a nature that the classification lacks allows nothing"
    assert CLASSIFICATION.types(2) == ()
    assert (CLASSIFICATION.type_label("99_BU"), CLASSIFICATION.type_label("99_XX")) == ("Budget", None)


def test_a_classification_older_than_typologies_allows_everything() -> None:
    older = replace(CLASSIFICATION, natures=(NatureActe(1, "DE", "Délibérations"),))
    assert older.allows(1, "99_ZZ")


def test_the_first_of_two_natures_of_one_code_counts() -> None:
    twice = Classification(
        None, (NatureActe(1, "DE", "a", (PieceType("99_DE", ""),)), NatureActe(1, "XX", "b")), (Matiere(1, ""),)
    )
    nature = twice.nature(1)
    assert nature is not None
    assert nature.abbreviation == "DE"
