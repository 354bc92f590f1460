"""The report of a verification: one content, three forms, nothing that a stranger wrote can steer."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from core.canonical import canonical_bytes
from core.errors import Conflict, UsageError
from core.messages import speaking
from signing.report import facts
from signing.report.content import Line, Page, Row, Section, Table, Tone, moment_in_words, page_of, plain, section_of
from signing.report.facts import FileFacts, Report
from signing.report.html import as_html
from signing.report.pdf import _KNOWN, as_pdf
from signing.report.writing import form_of, write
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict

NOON = datetime(2026, 1, 15, 11, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202egnp.exe &amp; {{ 7 * 7 }}"
FRENCH = "L’été… « œuvre » – 3\u202f000\u00a0€, Ÿ, Œ, ç, É"


def signature(**changes: object) -> SignatureVerdict:
    usual: dict[str, object] = {
        "format": "CAdES", "level": "B", "signer": "Cachet de démonstration", "signing_time": NOON, "intact": True,
        "covers": "document", "trust": TrustState.TRUSTED, "timestamps": (), "verdict": Belief.VALID, "reasons": (),
    }  # fmt: skip
    return SignatureVerdict(**{**usual, **changes})  # type: ignore[arg-type]


def report(*signatures: SignatureVerdict, verdict: Belief = Belief.VALID, name: str = "acte.pdf") -> Report:
    file = FileFacts(name, 1234567, hashlib.sha256(b"").hexdigest())
    return Report(file, None, NOON, NOON, 2, 0, 1, FileVerdict(verdict, signatures))


class Words(HTMLParser):
    """The text of a page, and the elements that it is made of."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(octets.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of_pdf(octets: bytes, folder: Path) -> str:
    (folder / "report.pdf").write_bytes(octets)
    read = subprocess.run(["pdftotext", "-raw", str(folder / "report.pdf"), "-"], capture_output=True, text=True, check=True)
    return read.stdout


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


needs_pdftotext = pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext is not installed")


@needs_pdftotext
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_page_and_document_say_every_word_of_the_content(tmp_path: Path, locale: str) -> None:
    stamp = TimestampVerdict(NOON, "Horodatage", True, TrustState.UNKNOWN, FRENCH)
    found = signature(signer=FRENCH, timestamps=(stamp,), reasons=(FRENCH, "Une autre."), qualification="RGS **")
    with speaking(locale):
        page = page_of(report(found, signature(intact=False, verdict=Belief.INVALID), verdict=Belief.INVALID))
        html, document = Words(as_html(page)).text, text_of_pdf(as_pdf(page), tmp_path)
    said = [page.title, page.verdict, page.meaning, *page.reasons, *page.notes]
    for section in page.sections:
        said += [section.title, *(text for row in section.rows for text in (row.label, *row.lines))]
    for text in said:
        assert squeezed(text) in squeezed(html)
        assert squeezed(text) in squeezed(document)


@needs_pdftotext
def test_figures_stand_in_tables_that_can_be_listened_to_in_both_forms(tmp_path: Path) -> None:
    lines = tuple(Line((f"{rank:03d}", HOSTILE, "1\u202f000,50", "−3,00")) for rank in range(80))
    table = Table(
        "Dépenses", ("N°", "Chapitre", "Vote", "Écart"), 2, (*lines, Line(("", "Total", "80\u202f040,00", "0,00"), True))
    )
    page = Page("fr", "Budget", "Équilibre", Tone.GOOD, "Deux sections.", (), (Section("Fonctionnement", (), (table,)),), ())
    html, octets = Words(as_html(page)), as_pdf(page)
    document = squeezed(text_of_pdf(octets, tmp_path))
    for words in ("Dépenses", *table.head, *table.lines[-1].cells):
        assert squeezed(words) in squeezed(html.text)
        assert squeezed(words) in document
    tags = [tag for tag, _ in html.tags]
    assert (tags.count("script"), tags.count("caption"), tags.count("tr")) == (0, 1, 82)
    kinds = structure_of(PdfFileReader(io.BytesIO(octets)).root["/StructTreeRoot"])
    assert (kinds.count("/Table"), kinds.count("/TH"), kinds.count("/TR")) == (1, 4, 82)
    assert as_pdf(page) == octets


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    octets = as_html(page_of(report(signature(signer=HOSTILE, reasons=(HOSTILE,)), name=HOSTILE)))
    page = Words(octets)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "form", "a"})
    assert not any(name.startswith("on") or name in {"src", "href"} for _, given in page.tags for name in given)
    assert not re.search(rb"url\(|@import|https?://", octets)
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_the_page_has_a_language_a_title_one_first_heading_and_labelled_tables() -> None:
    page = Words(as_html(page_of(report(signature(), signature()))))
    tags = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "fr"}) in page.tags
    assert (tags.count("title"), tags.count("h1"), tags.count("main")) == (1, 1, 1)
    identifiers = {given.get("id") for _, given in page.tags} - {None}
    tables = [given for tag, given in page.tags if tag == "table"]
    assert len(tables) == 4
    assert all(given["aria-labelledby"] in identifiers for given in tables)
    assert all(given["scope"] == "row" for tag, given in page.tags if tag == "th")


def test_the_document_has_a_language_a_title_and_its_fonts_inside() -> None:
    octets = as_pdf(page_of(report(signature())))
    read = PdfFileReader(io.BytesIO(octets))
    assert read.root["/Lang"] == "fr"
    assert "acte.pdf" in read.trailer["/Info"]["/Title"]
    fonts = read.root["/Pages"]["/Kids"][0]["/Resources"]["/Font"]
    described = [fonts[name]["/DescendantFonts"][0]["/FontDescriptor"] for name in fonts]
    assert described
    assert all("/FontFile3" in font for font in described)
    for active in ("/JavaScript", "/OpenAction", "/AA", "/AcroForm"):
        assert active not in read.root


def test_the_document_is_tagged_and_says_that_it_is_accessible() -> None:
    octets = as_pdf(page_of(report(signature())))
    root = PdfFileReader(io.BytesIO(octets)).root
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].data
    kinds = structure_of(root["/StructTreeRoot"])
    assert kinds.count("/H1") == 1
    assert kinds.count("/H2") == 3
    assert kinds.count("/LI") == kinds.count("/Lbl") == kinds.count("/LBody") > 10


def structure_of(element: object) -> list[str]:
    """The kinds of the elements of a structure tree, in the order in which they are read."""
    if isinstance(element, list):
        return [kind for child in element for kind in structure_of(child.get_object() if hasattr(child, "get_object") else child)]
    if not isinstance(element, dict):
        return []
    kids = element.get("/K") if "/K" in element else []
    own = [str(element["/S"])] if "/S" in element else []
    return own + structure_of(kids if isinstance(kids, list) else [kids])


def test_a_page_makes_the_same_bytes_each_time() -> None:
    page = page_of(report(signature()))
    assert as_pdf(page, NOON) == as_pdf(page, NOON)


def test_every_sign_that_is_said_to_be_known_can_be_shown() -> None:
    signs = "".join(chr(code) for first, last in _KNOWN for code in range(first, last + 1))
    page = Page("fr", signs, signs, Tone.PLAIN, signs, (signs,), (Section(signs, (Row(signs, (signs,)),)),), (signs,))
    assert as_pdf(page).startswith(b"%PDF-")


@needs_pdftotext
def test_what_a_stranger_wrote_is_never_markup(tmp_path: Path) -> None:
    hostile = '#read("/etc/passwd") #panic() $x^2$ *gras* \\u{41} #include "page.typ" \\ @a <b> // c /* d'
    page = Page(
        "fr", hostile, hostile, Tone.BAD, hostile, (hostile,), (Section(hostile, (Row(hostile, (hostile,)),)),), (hostile,)
    )
    assert squeezed(text_of_pdf(as_pdf(page), tmp_path)).count(squeezed(hostile)) == 8


@needs_pdftotext
def test_the_document_writes_a_sign_that_its_fonts_lack_by_its_number(tmp_path: Path) -> None:
    said = text_of_pdf(as_pdf(page_of(report(signature(signer="Ștefan \u202e山")))), tmp_path)
    assert "Ștefan \ufffd[U+5C71]" in said


@pytest.mark.parametrize("length", [300, 2_000, 100_000])
def test_endless_values_wrap_over_pages_and_are_cut(length: int) -> None:
    found = signature(signer="W" * length, reasons=tuple(f"{rank} " + "m" * length for rank in range(9)))
    page = page_of(report(found, name="x" * length))
    assert PdfFileReader(io.BytesIO(as_pdf(page))).root["/Pages"]["/Count"] >= 2
    assert max(len(line) for section in page.sections for row in section.rows for line in row.lines) < 2_100


def test_two_hundred_signatures_are_all_told() -> None:
    page = page_of(report(*[signature()] * 200))
    assert len(page.sections) == 202
    assert as_pdf(page).startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("found", "key", "words", "tone"),
    [
        (signature(), "Intacte", "Oui", Tone.GOOD),
        (signature(intact=False), "Intacte", "Non", Tone.BAD),
        (signature(covers="nothing"), "couvre", "Rien", Tone.BAD),
        (signature(covers="bordereau B1"), "couvre", "Le bordereau B1", Tone.PLAIN),
        (signature(covers="revision 2"), "couvre", "à la révision 2", Tone.PLAIN),
        (signature(trust=TrustState.UNKNOWN), "reconnu", "On ne sait pas", Tone.DOUBT),
        (signature(trust=TrustState.REVOKED), "reconnu", "révoqué", Tone.BAD),
        (signature(trust=TrustState.NOT_YET_VALID), "reconnu", "pas encore", Tone.BAD),
        (signature(), "date", "selon le signataire", Tone.DOUBT),
        (signature(signing_time=None), "date", "non prouvée", Tone.DOUBT),
        (signature(timestamps=(TimestampVerdict(NOON, "T", True, TrustState.TRUSTED),)), "date", "Au plus tard le", Tone.GOOD),
        (signature(timestamps=(TimestampVerdict(NOON, "T", True, TrustState.UNKNOWN),)), "date", "non prouvée", Tone.DOUBT),
        (signature(timestamps=(TimestampVerdict(None, None, False, TrustState.UNKNOWN),)), "date", "non prouvée", Tone.DOUBT),
        (signature(format="RFC3161", level=None), "date", "selon l’autorité d’horodatage", Tone.PLAIN),
    ],
)
def test_each_answer_is_told_apart_with_its_own_tone(found: SignatureVerdict, key: str, words: str, tone: Tone) -> None:
    row = next(row for row in section_of(found, 1, 1).rows if key in row.label)
    assert words in " / ".join(row.lines)
    assert row.tone is tone


def test_moments_are_those_of_paris_and_say_so() -> None:
    assert moment_in_words(NOON) == "15 janvier 2026, 12 h 00 min 00 s (UTC+01:00)"
    assert moment_in_words(NOON.replace(month=7)) == "15 juillet 2026, 13 h 00 min 00 s (UTC+02:00)"
    with speaking("en"):
        assert "15 January 2026, 12:00:00" in moment_in_words(NOON)
    assert any("heure de Paris" in note for note in page_of(report()).notes)


def test_what_steers_is_replaced_and_french_is_kept() -> None:
    assert plain(FRENCH) == FRENCH
    assert plain("a\x1b[31m\u202e\u2066\x00\nb") == "a\ufffd[31m\ufffd\ufffd\ufffd\ufffdb"
    assert plain("x" * 2_000) == "x" * 2_000
    assert plain("x" * 2_001) == "x" * 2_000 + "…"


def test_the_digest_of_a_report_is_that_of_its_json_and_is_shown_in_every_form() -> None:
    made = report(signature())
    told = made.as_json()
    digest = told.pop("sha256")
    assert hashlib.sha256(canonical_bytes(told)).hexdigest() == digest
    assert digest in Words(as_html(page_of(made))).text


def test_a_report_holds_the_facts_of_the_files_and_the_verdict(sealed: Path, trust: TrustStore, tmp_path: Path) -> None:
    path = tmp_path / "scellé.xml"
    path.write_bytes(sealed.read_bytes())
    write(Report.of(path, trust=trust), tmp_path / "report.json")
    told = json.loads((tmp_path / "report.json").read_bytes())
    octets = path.read_bytes()
    assert told["file"] == {"name": "scellé.xml", "size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    assert (told["verdict"], told["trust"]["anchors"], told["detached"]) == ("valid", 1, None)
    assert told["software"]["name"] == "tabellion"
    assert told["made"] == told["at"]
    assert [entry["covers"] for entry in told["signatures"]] == ["bordereau BRD101", "bordereau BRD102"]


def test_a_file_that_changes_meanwhile_has_no_report(
    sealed: Path, trust: TrustStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flow.xml"
    path.write_bytes(sealed.read_bytes())
    before = facts.verify

    def meddling(*given: object, **named: object) -> FileVerdict:
        found = before(*given, **named)  # type: ignore[arg-type]
        path.write_bytes(b"<a/>")
        return found

    monkeypatch.setattr(facts, "verify", meddling)
    with pytest.raises(Conflict, match=re.escape("flow.xml")):
        Report.of(path, trust=trust)


@pytest.mark.parametrize(("name", "begins"), [("r.html", b"<!DOCTYPE html>"), ("r.PDF", b"%PDF-"), ("r.json", b"{")])
def test_the_name_of_the_file_chooses_the_form(tmp_path: Path, name: str, begins: bytes) -> None:
    write(report(signature()), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_another_form_or_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("report.docx")):
        form_of(tmp_path / "report.docx")
    with pytest.raises(UsageError, match="ne peut pas être écrit"):
        write(report(), tmp_path / "absent" / "report.html")


def test_a_page_of_nothing_is_a_page() -> None:
    page = Page("fr", "t", "v", Tone.PLAIN, "m", ("r",), (Section("s", (Row("l", ()),)),), ())
    assert as_pdf(page).startswith(b"%PDF-")
    assert b"<th" in as_html(page)
