"""Invoices in PDF: what we write passes our own check, and what strangers do to a PDF is told, in the sandbox."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from core.messages import speaking
from core.problems import Problem, Report, Severity, Verdict
from schemas.invoices import facturx
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.invoice import Invoice, Preceding
from schemas.invoices.rules import examine_invoice
from schemas.invoices.sample import sample
from schemas.invoices.writer import facturx_of
from tests.unit.schemas_invoices.documents import PDF, UBL

Change = Callable[[Pdf], None]
ZUGFERD = b"urn:zugferd:pdfa:CrossIndustryDocument:invoice:2p0#"
BOMB = 130 << 20  # more than all files of a PDF may come to


@pytest.fixture(scope="module")
def written() -> bytes:
    return facturx_of(sample())


@pytest.fixture
def examined(written: bytes, tmp_path: Path) -> Callable[..., tuple[Invoice | None, Report]]:
    """A function that changes the PDF and examines it."""

    def examine(change: Change | None = None, *, issued: bool = True, **saved: Any) -> tuple[Invoice | None, Report]:
        path = tmp_path / "facture.pdf"
        with Pdf.open(io.BytesIO(written)) as pdf:
            if change is not None:
                change(pdf)
            pdf.save(path, fix_metadata_version=False, **saved)
        return examine_invoice(path, issued=issued)

    return examine


def told(report: Report) -> list[tuple[str, Severity]]:
    """Return what is wrong with the packaging, by the beginning of its words."""
    return [(problem.message[:44], problem.severity) for problem in report.problems if problem.rule == "packaging"]


def the(report: Report) -> Problem:
    (problem,) = report.problems
    return problem


def specification(pdf: Pdf) -> Any:
    return pdf.Root.Names.EmbeddedFiles.Names[1]


def attach(pdf: Pdf, name: str, content: bytes, raw: bytes | None = None, filters: Any = None) -> Any:
    stream = Stream(pdf, raw if raw is not None else content)
    stream.Type, stream.Subtype = Name.EmbeddedFile, Name("/application/octet-stream")
    if filters is not None:
        stream.Filter = filters
    told_of = pdf.make_indirect(
        Dictionary(
            Type=Name.Filespec,
            F=String(name),
            UF=String(name),
            AFRelationship=Name.Data,
            EF=Dictionary(F=pdf.make_indirect(stream)),
        )
    )
    pdf.Root.Names.EmbeddedFiles.Names.extend([String(name), told_of])
    pdf.Root.AF.append(told_of)
    return stream


def without_invoice(pdf: Pdf) -> None:
    pdf.Root.Names.EmbeddedFiles.Names = Array()
    pdf.Root.AF = pdf.make_indirect(Array())


VARIED: dict[str, dict[str, Any]] = {
    "plain": {},
    "credit": {"type_code": "381", "preceding": (Preceding("F2026-0100", sample().issued),)},
    "signs": {"buyer_reference": "経理 #[typst] $x$ *_\\", "terms": "40 %"},
}


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_what_we_write_passes_our_own_check_without_a_problem(changes: dict[str, Any], locale: str, tmp_path: Path) -> None:
    invoice, path = sample(**changes), tmp_path / "facture.pdf"
    with speaking(locale):
        path.write_bytes(facturx_of(invoice))
        read_back, report = examine_invoice(path)
    assert report.problems == []
    assert read_back == invoice


def test_the_same_invoice_gives_the_same_octets(written: bytes) -> None:
    assert facturx_of(sample()) == written


def test_people_read_what_software_reads(written: bytes) -> None:
    document = pypdfium2.PdfDocument(written)
    text = " ".join("".join(page.get_textpage().get_text_range() for page in document).split())
    document.close()
    for words in ("Facture n° F2026-0187", "Papeterie du Lavoir", "Commune de Saint-Exemple-lès-Bains", "ENG2026-0457", "251,88"):
        assert words in text.replace("\xa0", " ").replace("\u202f", " "), words


def test_the_pdf_declares_pdfa_3_and_describes_its_own_metadata(written: bytes) -> None:
    with Pdf.open(io.BytesIO(written)) as pdf:
        xmp = pdf.Root.Metadata.read_bytes().decode()
        assert pdf.Root.MarkInfo.Marked
        assert len(pdf.Root.OutputIntents) == 1
        assert pdf.attachments["factur-x.xml"].get_file().read_bytes() == cii_of(sample())
    for words in (
        "<pdfaid:part>3<",
        "<fx:ConformanceLevel>EN 16931<",
        "<fx:DocumentFileName>factur-x.xml<",
        "Factur-X PDFA Extension Schema",
    ):
        assert words in xmp, words


def renamed(pdf: Pdf) -> None:
    specification(pdf).UF = specification(pdf).F = String("facture.xml")


def shouted_name(pdf: Pdf) -> None:
    specification(pdf).UF = specification(pdf).F = String("FACTUR-X.XML")


def wrong_syntax(pdf: Pdf) -> None:
    specification(pdf).EF.F.write(UBL.encode())


def wrong_relationship(pdf: Pdf) -> None:
    specification(pdf).AFRelationship = Name.Supplement


def wrong_type(pdf: Pdf) -> None:
    specification(pdf).EF.F.Subtype = Name("/application/pdf")


def twice(pdf: Pdf) -> None:
    attach(pdf, "zugferd-invoice.xml", cii_of(sample(number="F2026-0188")))


def unlisted(pdf: Pdf) -> None:
    pdf.Root.AF = pdf.make_indirect(Array([specification(pdf)]))
    pdf.Root.Names.EmbeddedFiles.Names = Array()


def replaced(pdf: Pdf, old: bytes, new: bytes) -> None:
    xmp = pdf.Root.Metadata.read_bytes()
    assert old in xmp
    pdf.Root.Metadata.write(xmp.replace(old, new))


PACKAGED: dict[str, tuple[Change, list[tuple[str, Severity]]]] = {
    "name": (
        renamed,
        [
            ("Le fichier XML de la facture n’a pas le nom", Severity.ERROR),
            ("Le nom de fichier annoncé par les métadonnée", Severity.WARNING),
        ],
    ),
    "capitals": (shouted_name, [("Le fichier XML de la facture n’a pas le nom", Severity.WARNING)]),
    "syntax": (wrong_syntax, [("Le fichier XML de la facture est en UBL\u00a0: un", Severity.ERROR)]),
    "relationship": (wrong_relationship, [("Le lien entre le fichier XML et le PDF (/AFR", Severity.ERROR)]),
    "type": (wrong_type, [("Le type du fichier XML joint n’est pas text/", Severity.WARNING)]),
    "twice": (twice, [("Le PDF porte plusieurs factures\u00a0: on ne sait", Severity.ERROR)]),
    "none": (without_invoice, [("Le PDF ne porte aucune facture\u00a0: ce n’est pa", Severity.ERROR)]),
    "unassociated": (
        lambda pdf: pdf.Root.__delitem__("/AF"),
        [("Le fichier XML de la facture n’est pas assoc", Severity.ERROR)],
    ),
    "unlisted": (unlisted, [("Le fichier XML de la facture n’est pas dans", Severity.ERROR)]),
    "xmp": (
        lambda pdf: pdf.Root.__delitem__("/Metadata"),
        [("Le PDF n’a pas de métadonnées XMP lisibles\u00a0:", Severity.ERROR)],
    ),
    "xmp-broken": (
        lambda pdf: pdf.Root.Metadata.write(b"<!DOCTYPE a><a/>"),
        [("Le PDF n’a pas de métadonnées XMP lisibles\u00a0:", Severity.ERROR)],
    ),
    "part": (lambda pdf: replaced(pdf, b"part>3", b"part>1"), [("Le PDF ne se déclare pas PDF/A-3.", Severity.ERROR)]),
    "level": (
        lambda pdf: replaced(pdf, b"Level>EN 16931", b"Level>MINIMUM"),
        [("Le profil annoncé par les métadonnées du PDF", Severity.ERROR)],
    ),
    "conformance": (
        lambda pdf: replaced(pdf, b"conformance>A", b"conformance>X"),
        [("Le PDF ne dit pas à quel niveau il suit PDF/", Severity.ERROR)],
    ),
    "order": (
        lambda pdf: replaced(pdf, b"DocumentType>INVOICE", b"DocumentType>ORDER"),
        [("Les métadonnées XMP du PDF n’annoncent pas u", Severity.ERROR)],
    ),
    "version": (
        lambda pdf: replaced(pdf, b"Version>1.0", b"Version>2.0"),
        [("Les métadonnées XMP du PDF n’annoncent pas l", Severity.WARNING)],
    ),
    "no-level": (
        lambda pdf: replaced(pdf, b"Level>EN 16931", b"Level>"),
        [("Les métadonnées XMP du PDF ne disent pas le", Severity.ERROR)],
    ),
}


@pytest.mark.parametrize(("change", "expected"), PACKAGED.values(), ids=PACKAGED)
def test_a_wrong_packaging_is_told(change: Change, expected: list[tuple[str, Severity]], examined: Any) -> None:
    _, report = examined(change)
    assert [(words.strip(), severity) for words, severity in told(report)] == [(words.strip(), one) for words, one in expected]
    assert all(problem.mend for problem in report.problems)


def alone(pdf: Pdf) -> None:
    """As ISO 32000-2 lets it stand: without an array."""
    pdf.Root.AF = pdf.make_indirect(specification(pdf))


def shouted(pdf: Pdf) -> None:
    specification(pdf).EF.F.Subtype = Name("/Text/XML")


def described_twice(pdf: Pdf) -> None:
    xmp = pdf.Root.Metadata.read_bytes()
    start = xmp.rindex(b"<rdf:Description", 0, xmp.index(b"<fx:"))
    description = xmp[start : xmp.index(b"</rdf:Description>", start) + len(b"</rdf:Description>")]
    assert b"<fx:DocumentFileName>factur-x.xml<" in description
    of_zugferd = description.replace(b"urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#", ZUGFERD)
    other = of_zugferd.replace(b"Level>EN 16931<", b"Level>BASIC<")
    pdf.Root.Metadata.write(xmp[:start] + of_zugferd + xmp[start:].replace(b"</rdf:RDF>", other + b"</rdf:RDF>"))


@pytest.mark.parametrize("change", [alone, shouted, described_twice], ids=["alone", "media-type", "descriptions"])
def test_what_may_be_written_otherwise_is_no_flaw(change: Change, examined: Any) -> None:
    assert examined(change)[1].problems == []


def test_a_wrong_packaging_is_advice_on_what_was_received(examined: Any) -> None:
    invoice, report = examined(lambda pdf: pdf.Root.__delitem__("/Metadata"), issued=False)
    assert invoice == sample()
    assert [severity for _, severity in told(report)] == [Severity.WARNING]


def open_action(pdf: Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def named_script(pdf: Pdf) -> None:
    pdf.Root.Names.JavaScript = Dictionary(Names=Array([String("a"), Dictionary(S=Name.JavaScript, JS=Stream(pdf, b"1"))]))


def hidden_script(pdf: Pdf) -> None:
    action = Dictionary(S=Name.GoTo, D=Array([]), Next=Array([Dictionary(S=Name.JavaScript, JS=String("1"))]))
    pdf.pages[0].obj.Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, AA=Dictionary(E=action))])


def launch(pdf: Pdf) -> None:
    pdf.Root.OpenAction = pdf.make_indirect(Dictionary(S=Name.Launch, F=String("cmd.exe")))


def crowded(pdf: Pdf) -> None:
    pdf.Root.Crowd = Array([pdf.make_indirect(Dictionary(A=Dictionary(), B=Dictionary())) for _ in range(70_000)])


HOSTILE: dict[str, tuple[Change, str]] = {
    "open-action": (open_action, "script"),
    "named-script": (named_script, "script"),
    "hidden-script": (hidden_script, "script"),
    "launch": (launch, "program"),
    "crowd": (crowded, "large"),
    "program": (lambda pdf: attach(pdf, "plan.pdf", b"MZ\x90\x00" + bytes(50)), "executable"),
    "program-by-name": (lambda pdf: attach(pdf, "plan.pdf.exe ", b"words"), "executable"),
}


@pytest.mark.parametrize(("change", "mark"), HOSTILE.values(), ids=HOSTILE)
def test_active_content_refuses_the_file_received_or_not(change: Change, mark: str, examined: Any) -> None:
    _, report = examined(change, issued=False)
    assert report.verdict is Verdict.REJECTED
    assert report.facts["hostile"] == [mark]


def test_a_password_is_told_and_encryption_without_one_is_no_pdfa(examined: Any) -> None:
    _, locked = examined(encryption=pikepdf.Encryption(user="ouvrez", owner="ouvrez"))
    assert the(locked).message.startswith("Le PDF demande un mot de passe")
    invoice, opened = examined(encryption=pikepdf.Encryption(user="", owner="maître"))
    assert the(opened).message.startswith("Le PDF est chiffré")
    assert invoice == sample()


def embedded(pdf: Pdf, raw: bytes, filters: Any = None) -> None:
    without_invoice(pdf)
    attach(pdf, "factur-x.xml", b"", raw, filters)


def test_a_bomb_in_place_of_the_invoice_is_left_closed(examined: Any) -> None:
    squeezed = zlib.compress(bytes(BOMB), 9)
    assert len(squeezed) < BOMB // 500
    _, report = examined(lambda pdf: embedded(pdf, squeezed, Name.FlateDecode), issued=False)
    assert (the(report).severity, the(report).message[:49]) == (
        Severity.ERROR,
        "Le fichier XML de la facture dépasse 10 Mio une f",
    )


def test_a_bomb_in_a_bomb_breaks_its_reader_and_nothing_else(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facturx, "_MEMORY", 100 << 20)
    squeezed = zlib.compress(zlib.compress(bytes(2 * BOMB), 1), 9)
    _, report = examined(lambda pdf: embedded(pdf, squeezed, Array([Name.FlateDecode, Name.FlateDecode])), issued=False)
    assert (the(report).severity, the(report).message[:37]) == (Severity.ERROR, "Le PDF n’a pas pu être lu en sécurité")


@pytest.mark.parametrize(
    ("octets", "rule"),
    [
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "XML"),
        (b"<a>", "XML"),
        (b"", "XML"),
        (cii_of(sample())[:-40], "XML"),
    ],
    ids=["doctype", "cut", "empty", "truncated"],
)
def test_the_invoice_inside_is_read_as_any_other(octets: bytes, rule: str, examined: Any) -> None:
    invoice, report = examined(lambda pdf: embedded(pdf, octets), issued=False)
    assert invoice is None
    assert [problem.rule for problem in report.errors] == [rule]


def test_a_name_tree_of_200_kids_with_a_cycle_is_walked_once(examined: Any) -> None:
    def nested(pdf: Pdf) -> None:
        top = pdf.Root.Names.EmbeddedFiles
        leaf = pdf.make_indirect(Dictionary(Names=top.Names))
        node = leaf
        for _ in range(200):
            node = pdf.make_indirect(Dictionary(Kids=Array([node, node])))
        leaf.Kids = Array([node])
        pdf.Root.Names.EmbeddedFiles = node

    invoice, report = examined(nested)
    assert report.problems == []
    assert invoice == sample()
    assert [file["name"] for file in report.facts["carried"]["files"]] == ["factur-x.xml"]


def test_files_beside_the_invoice_are_told_and_harm_nothing(examined: Any) -> None:
    _, report = examined(lambda pdf: attach(pdf, "bon.pdf", PDF))
    assert report.problems == []
    assert [(file["name"], file["size"]) for file in report.facts["carried"]["files"]] == [
        ("factur-x.xml", 8122),
        ("bon.pdf", len(PDF)),
    ]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "Le fichier n’est pas un PDF."),
        (b"Madame, Monsieur,", "Le fichier n’est pas un PDF."),
        (b"%PDF-1.7\n%%EOF", "Le PDF est endommagé et ne peut pas être lu."),
    ],
    ids=["empty", "words", "hollow"],
)
def test_what_is_no_pdf_is_told(octets: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "facture.pdf"
    path.write_bytes(octets)
    assert the(examine_invoice(path)[1]).message == words


def test_a_pdf_cut_short_is_damaged(written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "facture.pdf"
    path.write_bytes(written[: len(written) // 3])
    _, report = examine_invoice(path)
    assert report.verdict is Verdict.REJECTED
    assert report.errors[0].message == "Le PDF est endommagé\u00a0; il a été lu malgré tout."


def test_a_child_that_was_taken_over_cannot_point_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "0000.octets").symlink_to("/etc/hostname")
    file = facturx.Embedded(
        name="factur-x.xml", relationship="Data", declared="text/xml", stored="0000.octets", size=1, listed=True, associated=True
    )
    assert facturx.octets_of(file, tmp_path) is None
    with pytest.raises(ValueError, match="stored"):
        facturx.Embedded.model_validate(file.model_dump() | {"stored": "../../etc/hostname"})
