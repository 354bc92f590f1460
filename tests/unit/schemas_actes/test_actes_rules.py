"""Each numbered rule, broken alone: that it refuses or warns, and that a clerk is told in French what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.problems import Problem, Report, Severity, Verdict
from schemas.actes.contents import content_problems
from schemas.actes.messages import Annulation, SignedFile
from schemas.actes.names import IdActe, MessageBase, MessageName
from schemas.actes.rules import Limits, Operator, examine_archive, examine_envelope, examine_message
from schemas.actes.writer import render
from tests.unit.schemas_actes.acts import (
    CLASSIFICATION,
    DECIDED,
    DEPARTMENT,
    ID_ACTE,
    MAILBOX,
    PDF,
    SENDER,
    SIREN,
    Parcel,
    a_budget,
    a_parcel,
    an_act,
    an_envelope,
    built,
    file_of,
)
from tests.unit.schemas_actes.broken_archives import (
    ANNEX,
    BROKEN,
    BUDGET,
    BUDGET_ID,
    DOCUMENT,
    MESSAGE,
    Broken,
    called,
    in_envelope,
    renamed,
    replaced,
    several,
    with_content,
    without,
)

OPERATOR = Operator("SIC", "EACT", MAILBOX)


def examined(parcel: Parcel, folder: Path, **known: object) -> Report:
    """The report on an archive, everything known that a platform knows."""
    path = parcel.write(folder)
    taken = folder / "taken"
    taken.mkdir()
    known = {"operator": OPERATOR, "sender": SENDER, "classification": CLASSIFICATION, **known}
    return examine_archive(path, folder=taken, **known)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_rule_broken_alone_is_told_alone(broken: Broken, tmp_path: Path) -> None:
    parcel = broken.parcel()
    broken.change(parcel)
    report = examined(parcel, tmp_path)
    assert {problem.rule for problem in report.problems} == {broken.rule}, report.problems
    assert report.verdict is (Verdict.REJECTED if broken.severity is Severity.ERROR else Verdict.ACCEPTED_WITH_WARNINGS)
    assert all(problem.severity is broken.severity for problem in report.problems)
    if broken.found is not None:
        assert broken.found in {problem.found for problem in report.problems}
    _speaks(report.problems)


def _speaks(problems: list[Problem]) -> None:
    """A message, what to do about it and what was expected, none of them in the words of a parser."""
    for problem in problems:
        assert problem.message.endswith((".", "}")) or problem.message
        assert problem.mend
        assert problem.rule in ("R04", "R05", "R07", "R12") or problem.expected
        assert not {"Element", "facet", "atomic"} & set(problem.message.split())


def test_a_sound_archive_has_nothing_against_it(tmp_path: Path) -> None:
    report = examined(a_parcel(), tmp_path)
    assert (report.verdict, report.problems) == (Verdict.ACCEPTED, [])
    assert report.kind == "actes-archive"
    assert report.facts["messages"][0] | {"documents": None} == {
        "code": "1-1",
        "direction": "to-state",
        "decision_date": "2024-03-15",
        "number": "2024_012",
        "nature": 1,
        "matiere": "5.2",
        "subject": "Élection d'un délégué",
        "classification_date": "2024-01-10",
        "annexes": 1,
        "paper": "N",
        "previous": None,
        "documents": None,
    }


def test_a_counter_may_begin_with_noughts_in_the_name_of_the_archive_and_of_its_envelope_alike(tmp_path: Path) -> None:
    parcel = a_parcel()
    several(called("SIC-EACT--254002264--20240316-01.tar.gz"), renamed(parcel.envelope_name, "EACT--254002264--20240316-01.xml"))(
        parcel
    )
    assert examined(parcel, tmp_path).problems == []


def test_what_the_product_builds_is_sound_and_comes_out_as_it_went_in(tmp_path: Path) -> None:
    parcel = a_parcel(an_act(), a_budget())
    path = built(parcel, tmp_path)
    taken = tmp_path / "taken"
    taken.mkdir()
    archive, report = examine_archive(path, folder=taken, operator=OPERATOR, sender=SENDER, classification=CLASSIFICATION)
    assert report.problems == []
    assert archive is not None
    assert [message.message.act or message.name for message in archive.messages] == [MESSAGE, BUDGET]
    assert [document.name for document in archive.messages[1].documents] == [
        f"99_BU-{BUDGET_ID}-1-1_1.xml",
        f"70_DE-{BUDGET_ID}-1-1_2.pdf",
    ]
    assert {name: (taken / name).read_bytes() for name in parcel.files} == parcel.files


@pytest.mark.parametrize(
    ("part", "value"), [("siren", "217300012"), ("nature", "44"), ("department", "064"), ("arrondissement", "2")]
)
def test_r09_tells_which_part_of_the_sender_differs(part: str, value: str, tmp_path: Path) -> None:
    report = examined(a_parcel(), tmp_path, sender=replace(SENDER, **{part: value}))
    assert [(problem.rule, problem.expected) for problem in report.problems] == [("R09", value)]


def test_r11_a_message_left_out_leaves_its_documents_without_a_reference(tmp_path: Path) -> None:
    parcel = a_parcel()
    without(MESSAGE)(parcel)
    report = examined(parcel, tmp_path)
    assert [(problem.rule, problem.found) for problem in report.problems] == [("R11", MESSAGE), ("R19", DOCUMENT), ("R19", ANNEX)]


def test_r11_alone_when_the_message_has_no_document(tmp_path: Path) -> None:
    name = f"{ID_ACTE}-6-1_0.xml"
    parcel = Parcel()
    parcel.files[parcel.envelope_name] = render(an_envelope(name))
    report = examined(parcel, tmp_path)
    assert [problem.rule for problem in report.problems] == ["R11"]
    _speaks(report.problems)


def test_r11_a_message_announced_twice_is_told_and_read_once(tmp_path: Path) -> None:
    parcel = a_parcel()
    parcel.files[parcel.envelope_name] = render(an_envelope(MESSAGE, MESSAGE))
    report = examined(parcel, tmp_path)
    assert [problem.rule for problem in report.problems] == ["R11"]
    assert len(report.facts["messages"]) == 1


def _with_message(name: str, content: bytes) -> Parcel:
    parcel = Parcel()
    parcel.files = {parcel.envelope_name: render(an_envelope(name)), name: content}
    return parcel


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("R13", "annulation.xml"),
        ("R13", "040-254002264-20240315-2024_012-DE-4365-DE_0.xml"),
        ("R13", f"{ID_ACTE}-2-2_0.xml"),
        ("R14", f"{ID_ACTE.replace(SIREN, '217300012')}-6-1_0.xml"),
        ("R14", f"064{ID_ACTE[3:]}-6-1_0.xml"),
        ("R15", f"{ID_ACTE.replace('20240315', '20240316')}-6-1_0.xml"),
        ("R16", f"{ID_ACTE.replace('012', '013')}-6-1_0.xml"),
        ("R17", f"{ID_ACTE[:-2]}AR-6-1_0.xml"),
    ],
)
def test_the_name_of_a_cancellation_must_be_that_of_its_act(rule: str, name: str, tmp_path: Path) -> None:
    report = examined(_with_message(name, render(Annulation(ID_ACTE))), tmp_path)
    assert {problem.rule for problem in report.problems} == {rule}
    _speaks(report.problems)


def test_r13_and_r14_of_an_act_whose_message_is_named_for_somebody_else(tmp_path: Path) -> None:
    other = "217300012"
    identifier = IdActe(DEPARTMENT, other, DECIDED, "2024_012", "DE")
    act = an_act(document=SignedFile(file_of(identifier, 1)), annexes=())
    name = str(MessageName(MessageBase.of_act(identifier, act.code)))
    parcel = _with_message(name, render(act))
    parcel.files[file_of(identifier, 1)] = PDF
    report = examined(parcel, tmp_path)
    assert [(problem.rule, problem.found, problem.expected) for problem in report.problems] == [("R14", other, SIREN)]


def test_r17_nature_letters_come_from_the_classification_first(tmp_path: Path) -> None:
    parcel = a_parcel()
    replaced('CodeNatureActe="1"', 'CodeNatureActe="2"')(parcel)
    problems = examined(parcel, tmp_path, classification=None).problems
    assert [(problem.rule, problem.found, problem.expected) for problem in problems] == [("R17", "DE", "AR")]
    _speaks(problems)


def test_r17_a_nature_that_nobody_knows(tmp_path: Path) -> None:
    parcel = a_parcel()
    replaced('CodeNatureActe="1"', 'CodeNatureActe="8"')(parcel)
    problems = examined(parcel, tmp_path, classification=None).problems
    assert [(problem.rule, problem.found) for problem in problems] == [("R17", "8")]


def test_r21_tells_a_typology_in_small_letters_from_one_that_is_missing(tmp_path: Path) -> None:
    parcel = a_parcel()
    renamed(DOCUMENT, DOCUMENT.replace("99_DE", "99_de"))(parcel)
    (problem,) = examined(parcel, tmp_path).problems
    assert "minuscules" in problem.message


def test_r22_is_silent_without_a_classification_and_with_one_older_than_typologies(tmp_path: Path) -> None:
    parcel = a_parcel()
    renamed(DOCUMENT, DOCUMENT.replace("99_DE", "99_XX"))(parcel)
    (tmp_path / "old").mkdir()
    older = replace(CLASSIFICATION, natures=tuple(replace(nature, types=()) for nature in CLASSIFICATION.natures))
    assert examined(parcel, tmp_path, classification=None).verdict is Verdict.ACCEPTED
    assert examined(parcel, tmp_path / "old", classification=older).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("R24", {"document": SignedFile(DOCUMENT.replace(".pdf", ".jpg"))}),
        ("R24", {"document": SignedFile(DOCUMENT.replace(".pdf", ".xml")), "annexes": ()}),
        ("R30", {"number": "2024-012"}),
        ("R30", {"number": "2024_012_"}),
        ("R30", {"number": "délib12"}),
        ("R30", {"number": "2024_012 "}),
        ("R32", {"matieres": (7, 10, None, 2)}),
        ("R30", {"number": "A" * 16}),
        ("R33", {"subject": ""}),
        ("R33", {"subject": "x" * 500}),
        ("R33", {"subject": "deux\nlignes"}),
        ("R35", {"paper": "oui"}),
        ("R20", {"announced": 4}),
        ("R23", {"annexes": (SignedFile(ANNEX.replace(".png", ".jpeg")),)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_lone_act_is_judged_by_its_content(rule: str, changes: dict[str, object], tmp_path: Path) -> None:
    problems = examined_alone(an_act(**changes), tmp_path).problems
    assert {problem.rule for problem in problems} == {rule}
    assert all(problem.line or problem.rule == "R23" for problem in problems)
    _speaks(problems)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("R24", {"matieres": (7, 2)}),
        ("R25", {"annexes": (SignedFile(f"70_DE-{BUDGET_ID}-1-1_2.png"),)}),
        ("R26", {"annexes": ()}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_budget_is_judged_by_its_own_rules(rule: str, changes: dict[str, object], tmp_path: Path) -> None:
    problems = examined_alone(a_budget(**changes), tmp_path, name=BUDGET).problems
    assert {problem.rule for problem in problems} == {rule}
    _speaks(problems)


def test_a_deliberation_of_matiere_7_1_2_in_pdf_is_no_budget(tmp_path: Path) -> None:
    assert examined_alone(an_act(matieres=(7, 1, 2)), tmp_path).verdict is Verdict.ACCEPTED


def test_an_act_of_nature_5_may_be_a_pdf(tmp_path: Path) -> None:
    document = SignedFile(f"99_BU-{BUDGET_ID}-1-1_1.pdf")
    assert examined_alone(a_budget(document=document), tmp_path, name=BUDGET).verdict is Verdict.ACCEPTED


def examined_alone(act: object, folder: Path, name: str = "message.xml") -> Report:
    """The report on a message that its writer would have refused."""
    from lxml import etree

    from schemas.actes.writing import element_of

    path = folder / name
    content = etree.tostring(element_of(act), encoding="ISO-8859-1", xml_declaration=True)  # type: ignore[arg-type]
    path.write_bytes(content)
    return examine_message(path)[1]


@pytest.mark.parametrize(("subject", "length"), [("x" * 501, 501), ("œ" + "x" * 498, 500), ("x" * 490 + "€…", None)])
def test_r33_an_object_is_measured_as_it_travels(subject: str, length: int | None, tmp_path: Path) -> None:
    problems = examined_alone(an_act(subject=subject), tmp_path).problems
    assert {problem.rule for problem in problems} == ({"R33"} if length else set())
    assert all(str(length) in problem.message for problem in problems)
    assert [problem.rule for problem in content_problems(an_act(subject=subject))] == (["R33"] if length else [])


def test_r05_acts_and_annexes_within_the_limit_and_one_byte_above(tmp_path: Path) -> None:
    parcel = a_parcel()
    size = sum(len(parcel.files[name]) for name in (DOCUMENT, ANNEX))
    (tmp_path / "above").mkdir()
    assert examined(parcel, tmp_path, limits=Limits(documents=size)).verdict is Verdict.ACCEPTED
    report = examined(parcel, tmp_path / "above", limits=Limits(documents=size - 1))
    assert [problem.rule for problem in report.problems] == ["R05"]
    assert "Mo" in report.problems[0].message


def test_all_problems_of_an_archive_are_told_at_once(tmp_path: Path) -> None:
    parcel = a_parcel()
    several(
        called("SLO-EACT--254002264--20240316-1.tar.gz"),
        in_envelope(MAILBOX, "autre@example.fr"),
        replaced('Nombre="1"', 'Nombre="3"'),
        with_content(DOCUMENT, b"PK\x03\x04"),
        without(ANNEX),
        with_content("notes.txt", b"x"),
    )(parcel)
    report = examined(parcel, tmp_path)
    assert [problem.rule for problem in report.problems] == ["R02", "R10", "R20", "R23", "R18", "R19"]


def test_documents_of_a_message_that_cannot_be_read_are_not_called_unreferenced(tmp_path: Path) -> None:
    parcel = a_parcel()
    parcel.files[MESSAGE] = b"<broken"
    assert {problem.rule for problem in examined(parcel, tmp_path).problems} == {"R12"}


def test_a_problem_inside_a_file_of_an_archive_says_which_file_and_where(tmp_path: Path) -> None:
    parcel = a_parcel()
    replaced('Nombre="1"', 'Nombre="3"')(parcel)
    problem = examined(parcel, tmp_path).problems[0]
    assert problem.path == f"{MESSAGE}:/actes:Acte/actes:Annexes"
    assert problem.line == 10


@pytest.mark.parametrize("name", ["EACT--217300012--20240316-1.xml"])
def test_r08_of_a_lone_envelope(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(render(an_envelope(MESSAGE)))
    report = examine_envelope(path)[1]
    assert (report.kind, [problem.rule for problem in report.problems]) == ("actes-envelope", ["R08"])


def test_an_envelope_examined_as_a_message_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(render(an_envelope(MESSAGE)))
    message, report = examine_message(path)
    assert (message, report.kind, report.verdict) == (None, "actes-envelope", Verdict.ACCEPTED)


def test_a_message_may_be_of_any_name_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "document-7.xml"
    path.write_bytes(render(an_act()))
    assert examine_message(path)[1].verdict is Verdict.ACCEPTED
    assert [problem.rule for problem in examine_message(path, name=MESSAGE.replace("_012", "_013"))[1].problems] == [
        "R16",
        "R21",
        "R21",
    ]


def test_an_absent_object_is_told_where_the_act_stands(tmp_path: Path) -> None:
    parcel = a_parcel()
    replaced("<actes:Objet>Élection d'un délégué</actes:Objet>", "")(parcel)
    problems = examined(parcel, tmp_path).problems
    assert {(problem.rule, problem.line) for problem in problems} >= {("R33", 2)}
    assert {problem.rule for problem in problems} == {"R12", "R33"}
