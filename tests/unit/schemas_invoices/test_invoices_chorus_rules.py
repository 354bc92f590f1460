"""Examining the files of Chorus Pro: advice on what the State made, errors on what is sent to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from core.problems import Report, Severity, Verdict
from schemas.invoices import pieces
from schemas.invoices.chorus_rules import examine_pivot
from schemas.invoices.syntax import kind_of_root
from tests.unit.schemas_invoices.documents import PDF, facts, mixte, piece, pivot, zipped

WHOLE = facts(vat="TVAs") + piece(PDF)


def report_of(octets: bytes, folder: Path, limit: int = 1 << 20) -> Report:
    path = folder / "pivot.xml"
    path.write_bytes(octets)
    return examine_pivot(path, limit=limit)[1]


def test_a_pivot_with_all_its_pieces_is_accepted(tmp_path: Path) -> None:
    report = report_of(pivot(WHOLE, facts(number="F2") + piece(zipped(**{"F2.pdf": PDF}))), tmp_path)
    assert (report.kind, report.problems) == ("cpp-pivot", [])
    assert [invoice["number"] for invoice in report.facts["invoices"]] == ["F2026-0187", "F2"]
    assert report.facts["flow"] == "FSO1117A_CPP001_42"


def test_an_unknown_element_is_nobodys_business(tmp_path: Path) -> None:
    assert report_of(pivot("<Nouveau><Element/></Nouveau>" + WHOLE), tmp_path).problems == []


@pytest.mark.parametrize("namespace", [b' xmlns="urn:pivot"', b""], ids=["namespace", "none"])
def test_a_pivot_is_known_by_its_name_whatever_its_namespace(namespace: bytes, tmp_path: Path) -> None:
    octets = pivot(WHOLE).replace(b"<CPPFacturePivot>", b"<CPPFacturePivot" + namespace + b">")
    assert report_of(octets, tmp_path).problems == []
    assert kind_of_root(etree.fromstring(octets).tag) == "cpp-pivot"


def test_a_piece_may_be_said_to_be_the_zip_that_it_stands_in(tmp_path: Path) -> None:
    for media_type, agreed in (("application/zip", True), ("application/x-zip-compressed", True), ("image/png", False)):
        report = report_of(pivot(facts() + piece(zipped(**{"F.pdf": PDF}), media_type=media_type)), tmp_path)
        assert (report.problems == []) is agreed, media_type
    assert report_of(pivot(facts() + piece(PDF, media_type="application/zip")), tmp_path).problems != []


def replaced(old: str, new: str, unit: str = WHOLE) -> bytes:
    octets = pivot(unit)
    assert old.encode() in octets
    return octets.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (pivot(facts()), "La facture est venue sans aucune pièce"),
        (
            replaced("<Contenu>", "<Contenus>").replace(b"</Contenu>", b"</Contenus>"),
            "La pièce «\u00a0F2026-0187.pdf\u00a0» est venue",
        ),
        (pivot(facts() + piece(PDF, role="02")), "Aucune des pièces n’est la facture elle-même"),
        (pivot(facts() + piece("@@")), "Le contenu de la pièce jointe «\u00a0F2026-0187.pdf\u00a0» n’est pas du base64"),
        (pivot(facts() + piece("QUFB<b/>")), "Le contenu de la pièce jointe «\u00a0F2026-0187.pdf\u00a0» contient des balises"),
        (
            pivot(facts() + piece(PDF, media_type="image/png")),
            "La pièce jointe «\u00a0F2026-0187.pdf\u00a0» n’est pas du type annoncé",
        ),
        (pivot(WHOLE, counter=3), "Le fichier ne contient pas le nombre de factures"),
        (replaced("<Id>F2026-0187</Id>", ""), "«\u00a0Id\u00a0» est absent"),
        (replaced("120.00</MontantTTC>", "beaucoup</MontantTTC>"), "La valeur de «\u00a0MontantTTC\u00a0» n’est pas un nombre"),
        (replaced("2026-10-05</DateE", "2026-02-30</DateE"), "La valeur de «\u00a0DateEmissionFacture\u00a0» n’est pas une date"),
        (replaced("21990001600011", "21990001600012"), "Le SIRET de «\u00a0Commune de Saint-Exemple-lès-Bains"),
        (replaced("<Type>380", "<Type>389"), "Le type de la facture n’est pas connu"),
        (pivot(facts(kind="381") + piece(PDF)), "L’avoir ne dit pas de quelle facture il vient"),
    ],
    ids=[
        *(
            "no-piece",
            "no-content",
            "no-original",
            "base64",
            "markup",
            "media-type",
            "count",
            "number",
            "amount",
            "date",
            "siret",
            "type",
            "origin",
        ),
    ],
)
def test_a_flaw_of_a_pivot_is_advice(octets: bytes, words: str, tmp_path: Path) -> None:
    report = report_of(octets, tmp_path)
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert any(problem.message.startswith(words) for problem in report.problems), report.problems
    assert all(problem.mend for problem in report.problems)


def test_a_bomb_or_a_program_refuses_even_a_pivot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OCTETS", 1_000)
    report = report_of(pivot(WHOLE + piece(zipped(a=bytes(2_000)), "bombe.zip", "02")), tmp_path)
    assert [(problem.rule, problem.severity, problem.path) for problem in report.problems] == [
        ("PIECE", Severity.ERROR, "bombe.zip")
    ]
    report = report_of(pivot(WHOLE + piece(b"MZ\x90\x00", "plan.exe", "02")), tmp_path)
    assert [problem.severity for problem in report.problems] == [Severity.ERROR]


@pytest.mark.parametrize(
    ("octets", "rule"),
    [(b"", "XML"), (b"<a>", "XML"), (b"<!DOCTYPE a><a/>", "XML"), (b"<a/>", "XML"), (pivot(), "CPP")],
    ids=["empty", "cut", "doctype", "other", "no-invoice"],
)
def test_what_is_no_pivot_is_refused(octets: bytes, rule: str, tmp_path: Path) -> None:
    report = report_of(octets, tmp_path)
    assert [problem.rule for problem in report.errors] == [rule]


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    assert [problem.rule for problem in report_of(pivot(WHOLE), tmp_path, limit=100).errors] == ["XML"]


def test_a_mixte_follows_its_schema(tmp_path: Path) -> None:
    assert report_of(mixte(facts() + piece(PDF)), tmp_path).problems == []
    for changed in (
        facts(frame="A22") + piece(PDF),
        facts(number="F" * 21) + piece(PDF),
        facts() + piece(PDF, name="n" * 51),
        facts(),
        piece(PDF) + facts(),
        facts(vat="TVAs") + piece(PDF),
    ):
        report = report_of(mixte(changed), tmp_path)
        assert {problem.rule for problem in report.errors} == {"XSD"}, changed[:200]
        assert all(problem.path.startswith("/CPPFactureMixte/CPPFactures") for problem in report.errors if problem.path)


def test_a_piece_of_a_mixte_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    report = report_of(mixte(facts() + piece("@@")), tmp_path)
    assert [(problem.rule, problem.scope) for problem in report.errors] == [("PIECE", "piece")]
