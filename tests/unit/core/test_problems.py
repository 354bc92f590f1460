"""Problems and reports: what a verdict follows from, and what is shown of a document."""

from __future__ import annotations

import json

import pytest

from core.errors import Refused
from core.messages import Catalogue
from core.problems import Problem, Report, Severity, Verdict, problem_in_words

ERROR = Problem("R08", Severity.ERROR, "NomFic absent.", line=3, mend="Renseignez NomFic.")
WARNING = Problem("R12", Severity.WARNING, "Deux pièces portent le même nom.", scope="pj")


@pytest.mark.parametrize(
    ("problems", "verdict"),
    [
        ([], Verdict.ACCEPTED),
        ([WARNING], Verdict.ACCEPTED_WITH_WARNINGS),
        ([WARNING, WARNING], Verdict.ACCEPTED_WITH_WARNINGS),
        ([ERROR], Verdict.REJECTED),
        ([WARNING, ERROR], Verdict.REJECTED),
        ([ERROR.as_warning()], Verdict.ACCEPTED_WITH_WARNINGS),
    ],
)
def test_one_error_rejects_and_warnings_do_not(problems: list[Problem], verdict: Verdict) -> None:
    assert Report("pes-aller", problems).verdict is verdict


def test_the_errors_are_told_apart_in_their_order() -> None:
    other = Problem("R16", Severity.ERROR, "IdVer inconnu.")
    assert Report("pes-aller", [ERROR, WARNING, other]).errors == [ERROR, other]


def test_a_problem_made_a_warning_keeps_all_else() -> None:
    softened = ERROR.as_warning()
    assert softened.as_json() == ERROR.as_json() | {"severity": "warning"}
    assert ERROR.severity is Severity.ERROR


@pytest.mark.parametrize(("length", "kept"), [(199, 199), (200, 200), (201, 200), (1_000_000, 200)])
def test_what_is_quoted_from_a_document_is_short(length: int, kept: int) -> None:
    found = Problem("XSD", Severity.ERROR, "Valeur refusée.", found="x" * length).found or ""
    assert len(found) == kept
    assert found.endswith("…") == (length > 200)


def test_a_report_is_json_with_the_keys_of_the_contract() -> None:
    report = Report("pes-aller", [ERROR], {"NomFic": "PES1"})
    read = json.loads(json.dumps(report.as_json()))
    assert read == {
        "kind": "pes-aller",
        "verdict": "rejected",
        "problems": [
            {
                "rule": "R08",
                "severity": "error",
                "message": "NomFic absent.",
                "line": 3,
                "path": None,
                "found": None,
                "expected": None,
                "mend": "Renseignez NomFic.",
                "scope": "flow",
            }
        ],
        "facts": {"NomFic": "PES1"},
    }


def test_a_refusal_says_every_problem() -> None:
    refused = Refused([ERROR, WARNING])
    assert refused.problems == (ERROR, WARNING)
    assert "R08: NomFic absent." in str(refused)
    assert "R12" in str(refused)


class Words(Catalogue):
    """The words of a room that does not exist."""

    def texts(self, locale: str) -> dict[str, str]:  # noqa: ARG002 - it speaks one language
        return {
            "R1.message": "Trouvé {found} au lieu de {expected}.",
            "R1.mend": "Corrigez {name}.",
            "R1.act.message": "Cet acte dit {found}.",
            "any.absent.message": "Il manque {name}.",
            "any.absent.expected": "{name}",
            "R2.absent.message": "Rien.",
        }


@pytest.mark.parametrize(
    ("rule", "variant", "message", "expected", "mend"),
    [
        ("R1", "", "Trouvé a au lieu de b.", "b", "Corrigez le nom."),
        ("R1", "act", "Cet acte dit a.", "b", "Corrigez le nom."),
        ("R1", "absent", "Il manque le nom.", "b", "Corrigez le nom."),
        ("R2", "absent", "Rien.", "b", None),
    ],
)
def test_a_problem_is_said_in_the_words_that_are_nearest(
    rule: str, variant: str, message: str, expected: str, mend: str | None
) -> None:
    words, places = Words("nowhere"), {"name": "le nom"}
    told = problem_in_words(words, rule, variant, found="a", expected="b", shared="any", places=places, scope="pj")
    assert told == Problem(rule, Severity.ERROR, message, found="a", expected=expected, mend=mend, scope="pj")


def test_the_words_of_the_room_say_what_is_expected_unless_told() -> None:
    told = problem_in_words(Words("nowhere"), "R2", "absent", Severity.WARNING, shared="any", places={"name": "le nom"})
    assert (told.expected, told.severity) == ("le nom", Severity.WARNING)


def test_a_rule_without_words_is_a_fault() -> None:
    with pytest.raises(KeyError):
        problem_in_words(Words("nowhere"), "R9")
