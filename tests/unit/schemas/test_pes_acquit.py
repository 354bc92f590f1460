"""Acquits: read, judged, written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.pes.acquit import Acquit, Anomaly, Answer, Element, Line, Piece, read_acquit
from schemas.pes.header import Header
from schemas.pes.reader import read_header
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SchemaSets
from schemas.pes.writer import write_acquit


@pytest.fixture
def header(tmp_path: Path) -> Header:
    write_sample(Sample("PESALR1_ESSAI"), tmp_path / "flow.xml")
    return read_header(tmp_path / "flow.xml")


def test_an_acquit_that_is_written_is_valid_and_reads_back_the_same(header: Header, tmp_path: Path) -> None:
    anomalies = (Anomaly("ERREUR_AUTRE", "1971 - Compte fonction présent à tort"),)
    elements = (
        Element("5", True, bordereau="101", exercice="2026"),
        Element(
            "5",
            False,
            bordereau="102",
            exercice="2026",
            anomalies=(Anomaly("ERREUR_CUMUL_MONTANTS", None),),
            pieces=(Piece("7", anomalies, (Line("1", anomalies), Line("2"))), Piece("8")),
        ),
        Element("4", True, id_unique="2026PJ1"),
        Element("11", True, id_marche="20260000000001-001"),
    )
    path = tmp_path / "acquit.xml"
    write_acquit(Acquit(header, elements), path)
    back = read_acquit(path)
    assert back.elements == elements
    assert back.answer is Answer.PARTIAL
    assert (back.header.nom_fic, back.header.cod_col) == ("PESALR1_ESSAI", "123")
    assert path.read_bytes().startswith(b"<?xml version='1.0' encoding='ISO-8859-1'?>")
    document, report = examine(path, schemas=SchemaSets(None))
    assert document is not None
    assert report.problems == []


def test_an_acquit_can_be_stored_as_json(header: Header) -> None:
    acquit = Acquit(header, (Element("4", False, id_unique="A1", anomalies=(Anomaly("ERREUR_AUTRE", "1984 - déjà intégré"),)),))
    stored = json.loads(json.dumps(acquit.as_json()))
    assert stored["answer"] == "refused"
    assert stored["elements"][0]["anomalies"] == [{"code": "ERREUR_AUTRE", "label": "1984 - déjà intégré", "number": "1984"}]


@pytest.mark.parametrize(
    ("states", "answer"),
    [
        ([("5", True), ("4", True)], Answer.ACCEPTED),
        ([("5", True), ("4", False)], Answer.PARTIAL),
        ([("5", True), ("5", False)], Answer.PARTIAL),
        ([("5", True), ("6", None)], Answer.PARTIAL),
        ([("5", False), ("4", True)], Answer.REFUSED),
        ([("5", False), ("6", False)], Answer.REFUSED),
        ([("0", False)], Answer.REFUSED),
        ([("3", False), ("5", True)], Answer.REFUSED),
        ([("4", True), ("4", False)], Answer.PARTIAL),
        ([("4", False)], Answer.REFUSED),
        ([("11", True), ("4", False)], Answer.PARTIAL),
        ([("5", None)], None),
        ([("5", None), ("4", True)], None),
        ([("5", None), ("5", False)], None),
        ([("0", None), ("5", True)], Answer.PARTIAL),
        ([("0", False), ("5", None)], Answer.REFUSED),
        ([], None),
    ],
)
def test_the_answer_weighs_all_elements(states: list[tuple[str, bool | None]], answer: Answer | None) -> None:
    assert Acquit(Header(), tuple(Element(domain, accepted) for domain, accepted in states)).answer is answer


@pytest.mark.parametrize(("written", "read"), [("1", True), ("true", True), ("0", False), ("false", False), ("oui", None)])
def test_the_four_spellings_of_a_boolean_are_read(written: str, read: bool | None, tmp_path: Path) -> None:
    path = tmp_path / "acquit.xml"
    path.write_text(f"<PES_ACQUIT><ACQUIT><ElementACQUIT><EtatAck V='{written}'/></ElementACQUIT></ACQUIT></PES_ACQUIT>")
    acquit = read_acquit(path)
    assert acquit.elements[0].accepted is read
    assert [flaw.rule for flaw in acquit.flaws] == ([] if read is not None else ["A06"])


def test_the_first_version_puts_piece_line_and_anomaly_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "acquit.xml"
    path.write_text(
        "<PES_ACQUIT><ACQUIT><ElementACQUIT><DomaineAck V='5'/><EtatAck V='0'/><NumBord V='9'/><NumPiece V='3'/><NumLigne V='1'/>"
        "<NumAnoAck V='ERREUR_AUTRE'/><LibelleAnoAck V='1971 - Compte'/></ElementACQUIT></ACQUIT></PES_ACQUIT>"
    )
    (element,) = read_acquit(path).elements
    assert element.pieces == (Piece("3", (), (Line("1", (Anomaly("ERREUR_AUTRE", "1971 - Compte"),)),)),)
    assert element.pieces[0].lines[0].anomalies[0].number == "1971"


def test_an_acquit_without_elements_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "acquit.xml"
    path.write_text("<PES_ACQUIT/>")
    acquit = read_acquit(path)
    assert (acquit.answer, [flaw.rule for flaw in acquit.flaws]) == (None, ["A06"])


def test_a_domain_has_a_name_in_words() -> None:
    assert [Element(domain, True).label for domain in ("5", "4", "77")] == ["dépense", "pièce justificative", "domaine 77"]
