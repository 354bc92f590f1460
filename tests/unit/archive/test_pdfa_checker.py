"""veraPDF is asked about PDF/A: what it says is read as it is said, and what it does not say is not made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.ingest import pdfa
from archive.ingest.pdfa import Checked
from core.errors import Misconfigured
from tests.checker import checker

BY = "veraPDF 1.28.2"
BROKEN = ("ISO 19005-2:2011, 6.2.11.4.1, test 1", "ISO 19005-2:2011, 6.6.2.1, test 3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "files"
    place.mkdir()
    return place


@pytest.fixture
def program(tmp_path: Path) -> Path:
    place = tmp_path / "program"
    place.mkdir()
    return checker(place)


def test_each_file_is_judged_at_the_level_that_it_claims(folder: Path, program: Path) -> None:
    for name, text in {"0": "sain", "1": "BROKEN", "2": "UNREADABLE", "3": "sain", "4": "sain"}.items():
        (folder / name).write_text(text)
    found = pdfa.check(program, folder, {"0": "2B", "1": "2B", "2": "2B", "3": "4", "4": "9Z"})
    assert found == {
        "0": Checked(BY, True),
        "1": Checked(BY, False, BROKEN),
        "2": Checked(BY, None),
        "3": Checked(BY, True),
        "4": Checked("veraPDF", None),
    }
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "3", "4"]


def test_a_file_that_outlasts_the_checker_leaves_the_others_known(
    folder: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdfa, "_SECONDS", 1.0)
    monkeypatch.setattr(pdfa, "_SECONDS_EACH", 0.0)
    (folder / "0").write_text("sain")
    (folder / "1").write_text("ENDLESS")
    assert pdfa.check(program, folder, {"0": "2B", "1": "2B"}) == {"0": Checked(BY, True), "1": Checked("veraPDF", None)}


@pytest.mark.parametrize("said", ["rien", "<other/>", "<!DOCTYPE report><report><jobs/></report>"])
def test_a_program_that_writes_no_such_report_is_told_to_the_operator(said: str, folder: Path, tmp_path: Path) -> None:
    (folder / "0").write_text("sain")
    with pytest.raises(Misconfigured, match="TABELLION_PDFA_CHECKER"):
        pdfa.check(checker(tmp_path, f"#!/bin/sh\necho '{said}'\n"), folder, {"0": "2B"})
    for call in (lambda: pdfa.check(tmp_path / "absent", folder, {"0": "2B"}), lambda: pdfa.version(tmp_path / "absent")):
        with pytest.raises(Misconfigured, match="absent"):
            call()


def test_the_checker_says_what_it_is(program: Path) -> None:
    assert pdfa.version(program) == BY


@pytest.mark.parametrize(
    ("given", "instead"),
    [("isCompliant='true'", "isCompliant='oui'"), ("'normal'", "'maxfailures'"), ("PDF/A-$level", "PDF/A-1b")],
)
def test_what_is_not_said_clearly_is_not_known(given: str, instead: str, folder: Path, program: Path) -> None:
    program.write_text(program.read_text().replace(given, instead))
    (folder / "0").write_text("sain")
    assert pdfa.check(program, folder, {"0": "2B"}) == {"0": Checked(BY, None)}
