"""What the files of an act are worth beyond their names (R27 to R29): budgets sealed, PDF that open, signatures that hold."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from core.problems import Problem, Severity
from schemas.actes.messages import SignedFile
from schemas.actes.writer import render
from schemas.budget.sample import SampleBudget, write_sample
from schemas.pes.versions import SchemaSets
from signing.actes.examination import examine
from signing.actes.pieces import piece_problems
from signing.cades.seal import Cades
from signing.examination import Rules
from signing.examination import examine as examine_file
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.trust import TrustStore
from tests.pades_documents import encrypted, paper, revised
from tests.unit.schemas_actes.acts import DECIDED, Parcel, a_budget, a_parcel, an_act, an_envelope

NOBODY = TrustStore(())
ON_FILES = frozenset({"R27", "R28", "R29"})


@dataclass(frozen=True)
class Papers:
    """A document, the same signed, signed and then changed, and a signature over it that stands apart."""

    plain: Path
    signed: Path
    changed: Path
    apart: Path


def rewritten(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"BT (Autre chose) Tj ET"))
    writer.update_container(page)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory, signer: Pkcs12Signer) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    found = Papers(*(folder / name for name in ("plain.pdf", "signed.pdf", "changed.pdf", "apart.p7s")))
    found.plain.write_bytes(paper())
    sign(Pades(), found.plain, found.signed, signer)
    found.changed.write_bytes(revised(found.signed.read_bytes(), rewritten))
    sign(Cades(), found.plain, found.apart, signer)
    return found


def told(path: Path, name: str = "acte.pdf", **asked: object) -> list[tuple[str, Severity]]:
    return [(one.rule, one.severity) for one in piece_problems(path, name, **asked)]  # type: ignore[arg-type]


def test_an_unsigned_document_and_one_soundly_signed_have_nothing_wrong(papers: Papers, trust: TrustStore) -> None:
    assert told(papers.plain, trust=trust) == []
    assert told(papers.signed, trust=trust) == []
    assert told(papers.plain, trust=trust, signature=papers.apart) == []


def test_an_authority_that_is_not_known_is_a_warning_but_for_a_public_contract(papers: Papers) -> None:
    assert told(papers.signed, trust=NOBODY) == [("R29", Severity.WARNING)]
    assert told(papers.signed, trust=NOBODY, signer_must_be_known=False) == []
    assert told(papers.signed, trust=None) == []  # authorities are not judged at all


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("believed", [True, False])
def test_a_document_changed_after_its_signature_is_refused_whoever_may_sign(
    papers: Papers, trust: TrustStore, known: bool, believed: bool
) -> None:
    found = told(papers.changed, trust=trust if believed else NOBODY, signer_must_be_known=known)
    assert found == [("R29", Severity.ERROR)]


def test_a_signature_apart_must_be_one_over_that_very_document(papers: Papers, trust: TrustStore) -> None:
    assert told(papers.changed, signature=papers.apart, trust=trust).count(("R29", Severity.ERROR)) == 2
    for stranger in (papers.signed, papers.plain):  # a document, where a signature over another is announced
        assert told(papers.plain, signature=stranger, trust=trust) == [("R29", Severity.ERROR)]


def test_what_is_no_pdf_is_told_once_under_the_rule_of_acts(tmp_path: Path, trust: TrustStore) -> None:
    path = tmp_path / "acte.pdf"
    path.write_bytes(b"%PDF-1.7 rien")
    (problem,) = piece_problems(path, "acte.pdf", trust=trust)
    assert (problem.rule, problem.path, problem.severity) == ("R28", "acte.pdf", Severity.ERROR)


def test_a_pdf_by_itself_is_checked_with_its_signatures(papers: Papers, trust: TrustStore) -> None:
    asked = Rules(SchemaSets(None), trust, None, 1 << 20)
    reports = [examine_file(path, asked) for path in (papers.plain, papers.signed, papers.changed)]
    assert [report.verdict.value for report in reports] == ["accepted", "accepted", "rejected"]
    assert [problem.rule for problem in reports[2].problems] == ["PDF"]


@pytest.mark.parametrize("flaw", ["locked", "cut", "begun late"])
@pytest.mark.parametrize("signed", [False, True])
def test_what_viewers_mend_is_taken_where_it_shows_no_signature(
    flaw: str, signed: bool, papers: Papers, tmp_path: Path, trust: TrustStore
) -> None:
    octets = (papers.signed if signed else papers.plain).read_bytes()
    path = tmp_path / "acte.pdf"
    path.write_bytes({"locked": encrypted(octets, ""), "cut": octets[:-20], "begun late": b"\n" + octets}[flaw])
    (problem,) = piece_problems(path, "acte.pdf", trust=trust)
    assert (problem.rule, problem.path) == ("R28", "acte.pdf")
    assert problem.severity is (Severity.ERROR if signed or flaw == "locked" else Severity.WARNING)
    if flaw != "locked":
        (told,) = examine_file(path, Rules(SchemaSets(None), trust, None, 1 << 20)).problems
        assert (told.rule, told.severity) == ("PDF", problem.severity)


def test_a_budget_is_told_with_the_name_of_its_file(tmp_path: Path, trust: TrustStore) -> None:
    path = tmp_path / "budget.xml"
    write_sample(SampleBudget(sealed=None), path)
    (problem,) = piece_problems(path, "budget.xml", budget=True, trust=trust)
    assert (problem.rule, problem.path) == ("R27", "budget.xml")


def examined(parcel: Parcel, folder: Path, rules: frozenset[str] = ON_FILES, today: date = DECIDED) -> list[Problem]:
    problems = examine(parcel.write(folder), trust=None, today=today).problems
    return [problem for problem in problems if problem.rule in rules]


def test_an_act_is_decided_before_it_is_transmitted(tmp_path: Path) -> None:
    (early,) = examined(a_parcel(), tmp_path, frozenset({"R31"}), DECIDED - timedelta(days=1))
    assert early.found == DECIDED.isoformat()
    assert examined(a_parcel(), tmp_path, frozenset({"R31"})) == []
    message = tmp_path / "acte.xml"
    message.write_bytes(render(an_act()))
    for day, rules in ((DECIDED - timedelta(days=1), ["R31"]), (DECIDED, [])):
        asked = Rules(SchemaSets(None), None, datetime.combine(day, time(12), UTC), 1 << 20)
        assert [problem.rule for problem in examine_file(message, asked).problems if problem.rule == "R31"] == rules


def test_the_files_of_an_archive_are_examined_each_as_what_it_is(tmp_path: Path) -> None:
    parcel = a_parcel(a_budget())
    (budget,) = (name for name in parcel.files if name.startswith("99_BU"))
    (deliberation,) = (name for name in parcel.files if name.startswith("70_DE"))
    parcel.files[deliberation] = paper()
    write_sample(SampleBudget(), tmp_path / "budget.xml")
    parcel.files[budget] = (tmp_path / "budget.xml").read_bytes()
    assert examined(parcel, tmp_path) == []
    parcel.files[budget] = parcel.files[budget].replace(b"BUDGET PRINCIPAL", b"BUDGET PRINCIPAUX")
    (altered,) = examined(parcel, tmp_path)
    assert (altered.rule, (altered.path or "").partition(":")[0]) == ("R27", budget)


def test_the_signature_of_a_message_is_over_that_message(signer: Pkcs12Signer, tmp_path: Path) -> None:
    parcel = a_parcel(an_act(annexes=()))
    message, document = list(parcel.files)[1:]
    parcel.files[document] = paper()
    (tmp_path / "message.xml").write_bytes(parcel.files[message])
    sign(Cades(), tmp_path / "message.xml", tmp_path / "message.p7s", signer)
    apart = base64.b64encode((tmp_path / "message.p7s").read_bytes()).decode()
    parcel.files[parcel.envelope_name] = render(replace(an_envelope(), forms=(SignedFile(message, apart),)))
    assert examined(parcel, tmp_path) == []
    parcel.files[message] = parcel.files[message].replace(b"?>\n", b"?>\n\n")
    (problem,) = examined(parcel, tmp_path)
    assert (problem.rule, problem.path) == ("R29", message)


def test_an_annex_is_no_budget_because_the_budget_itself_is_missing(tmp_path: Path) -> None:
    parcel = a_parcel(a_budget())
    (deliberation,) = (name for name in parcel.files if name.startswith("70_DE"))
    parcel.files = {name: content for name, content in parcel.files.items() if not name.startswith("99_BU")}
    parcel.files[deliberation] = paper()
    assert examined(parcel, tmp_path) == []
