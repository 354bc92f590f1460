"""``tabellion check`` over the samples, as a user runs it: PES with our schemas and the official sets, ACTES, invoices, SIP."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

TABELLION = Path(sys.executable).with_name("tabellion")
KINDS = {"pes-aller", "pes-acquit", "pes-retour", "pdf"}


def tabellion(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TABELLION), *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600
    )


def entries_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for line in lines if (entry := json.loads(line))["kind"] in KINDS and entry["check"]]


def reports_of(folder: Path, entries: list[dict[str, Any]], **environment: str) -> dict[str, dict[str, Any]]:
    """Run the command once for each way of calling it, and return the reports by file."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for entry in entries:
        groups[entry["kind"], entry.get("trust_dir", ""), entry.get("at", "")].append(entry["file"])
    reports = {}
    for (kind, trust, at), files in groups.items():
        options = [*(("--trust", str(folder / trust)) if trust else ()), *(("--at", at) if at else ())]
        ran = tabellion("check", "--json", "--as", kind, *options, *(str(folder / file) for file in files), **environment)
        assert ran.returncode in {0, 1}, ran.stderr
        for line in ran.stdout.splitlines():
            report = json.loads(line)
            reports[Path(report["file"]).name] = report
    return reports


def disagreements(entries: list[dict[str, Any]], reports: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    for entry in entries:
        report = reports[Path(entry["file"]).name]
        rules = {problem["rule"] for problem in report["problems"]}
        if missing := set(entry["rules"]) - rules:
            found.append(f"{entry['file']}: {sorted(missing)} not among {sorted(rules)}")
        if entry["check"] not in {"either", report["verdict"]}:
            found.append(f"{entry['file']}: {report['verdict']} {sorted(rules)} instead of {entry['check']}")
    return found


@pytest.fixture(scope="module")
def official(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    ran = tabellion("schemas", "import", str(shared / "official" / "pes"), TABELLION_SCHEMAS_DIR=str(folder))
    assert ran.returncode == 0, ran.stderr
    return folder


def test_every_sample_gets_its_verdict_with_our_own_schemas(shared: Path) -> None:
    folder = shared / "corpus" / "pes"
    entries = entries_of(folder)
    assert disagreements(entries, reports_of(folder, entries)) == []


def test_every_sample_gets_its_verdict_with_the_official_schemas_imported(shared: Path, official: Path) -> None:
    folder = shared / "corpus" / "pes"
    entries = entries_of(folder)
    assert disagreements(entries, reports_of(folder, entries, TABELLION_SCHEMAS_DIR=str(official))) == []


@pytest.mark.parametrize("collection", ["parapheur", "signatures"])
def test_every_signed_sample_gets_its_verdict(collection: str, shared: Path) -> None:
    folder = shared / "corpus" / collection
    entries = entries_of(folder)
    assert disagreements(entries, reports_of(folder, entries)) == []


def test_every_sample_of_actes_is_recognised_and_gets_its_verdict(shared: Path) -> None:
    folder = shared / "corpus" / "actes"
    lines = map(json.loads, (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines())
    entries = {str(folder / entry["file"]): entry for entry in lines if entry["check"]}
    ran = tabellion("check", "--json", *entries)
    assert ran.returncode == 1, ran.stderr
    reports = {report["file"]: report for report in map(json.loads, ran.stdout.splitlines())}
    assert reports.keys() == entries.keys()
    for file, entry in entries.items():
        report = reports[file]
        assert report["kind"] == entry["kind"], file
        assert entry["check"] in {"either", report["verdict"]}, (file, report["problems"])
        assert set(entry["rules"]) <= {problem["rule"] for problem in report["problems"]}, file
        assert all(problem["message"] for problem in report["problems"])
        assert all(problem["mend"] for problem in report["problems"] if problem["severity"] == "error"), report["problems"]


# Files of which nothing tells that they should be invoices: one says so.
UNRECOGNISED = {
    *("facturx/encrypted_user_password.pdf", "facturx/not_a_pdf.pdf", "facturx/truncated.pdf"),
    "cii/xxe_external_entity.xml",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("imported", [False, True], ids=["packages-alone", "cen-imported"])
def test_every_sample_of_invoices_is_recognised_and_gets_its_verdict(shared: Path, tmp_path: Path, imported: bool) -> None:
    folder, schemas = shared / "corpus" / "invoices", {"TABELLION_SCHEMAS_DIR": str(tmp_path)} if imported else {}
    if imported:
        ran = tabellion("schemas", "import", str(shared / "official" / "invoices"), **schemas)
        assert ran.returncode == 0, ran.stderr
    lines = map(json.loads, (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines())
    entries = {str(folder / entry["file"]): entry for entry in lines}
    # With the rules of CEN, only what they change: the CII invoices that are to be held against them.
    concerned = [file for file, entry in entries.items() if not imported or entry["file"].startswith(("cen-cii/", "cii/"))]
    told = [file for file in concerned if entries[file]["file"] in UNRECOGNISED]
    reports = {}
    for options, files in (((), [file for file in concerned if file not in told]), (("--as", "invoice"), told)):
        ran = tabellion("check", "--json", *options, *files, **schemas)
        assert ran.returncode == 1, ran.stderr
        reports |= {report["file"]: report for report in map(json.loads, ran.stdout.splitlines())}
    assert reports.keys() == set(concerned)
    for file, report in reports.items():
        entry = entries[file]
        assert report["kind"] == entry["kind"], file
        assert entry["check"] in {"either", report["verdict"]}, (file, report["problems"])
        assert set(entry["rules"]) <= {problem["rule"] for problem in report["problems"]}, file
        assert all(problem["message"] for problem in report["problems"])
        assert all(problem["mend"] for problem in report["problems"] if problem["severity"] == "error"), report["problems"]


# The samples of archives that are no transfer, hence not for this command: what they are.
NO_SIP = {
    "METS_premisv3.xml": "METS of another system",
    "atr-with-seda-2.1.xml": "reply of an archive service",
    "sedaArchiveTransferReply.xml": "reply of an archive service",
    "seda02_EMEG_PROFIL_PES_0002_v1_schema.rng": "archival profile",
    "seda10_Profil_PES_AP_TESTCONNECT_schema.rng": "archival profile",
    "seda10_connecteur_info_schema.rng": "archival profile",
}


@pytest.mark.parametrize("installed", [False, True], ids=["our-schemas", "official-schemas"])
def test_every_sample_of_archives_is_recognised_and_gets_its_verdict(shared: Path, installed: bool) -> None:
    folder = shared / "corpus" / "archive"
    environment = {"TABELLION_SCHEMAS_DIR": str(shared / "official" / "seda") if installed else ""}
    lines = [json.loads(line) for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {entry["file"] for entry in lines if entry["kind"] is None} == NO_SIP.keys()
    entries = {str(folder / entry["file"]): entry for entry in lines if entry["kind"] == "sip"}
    ran = tabellion("check", "--json", *entries, **environment)
    assert ran.returncode == 1, ran.stderr
    reports = {report["file"]: report for report in map(json.loads, ran.stdout.splitlines())}
    assert reports.keys() == entries.keys()
    for file, entry in entries.items():
        report = reports[file]
        assert (report["kind"], report["verdict"]) == ("sip", entry["check"]), (file, report["problems"])
        assert set(entry["rules"]) <= {problem["rule"] for problem in report["problems"]}, file
        assert all(problem["message"] and problem["mend"] for problem in report["problems"]), report["problems"]
        if entry["check"] == "accepted":
            assert report["facts"]["schema"] == ("official" if installed else "tabellion"), file


def test_a_transfer_is_told_from_an_archive_of_acts_and_read_in_every_container(tmp_path: Path, shared: Path) -> None:
    with zipfile.ZipFile(shared / "corpus" / "archive" / "own_acte_seda2.2.zip") as zipped:
        contents = {name: zipped.read(name) for name in zipped.namelist() if not name.endswith("/")}
    files = []
    for suffix, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2")):
        path = tmp_path / f"paquet.{suffix}"
        with tarfile.open(path, mode) as tar:
            for name, data in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        files.append(str(path))
    ran = tabellion("check", "--json", *files)
    reports = list(map(json.loads, ran.stdout.splitlines()))
    assert [(report["kind"], report["verdict"]) for report in reports] == [("sip", "accepted")] * 3, reports
    held = sum(len(data) for name, data in contents.items() if name != "manifest.xml")
    facts = {key: reports[0]["facts"][key] for key in ("version", "objects", "units", "bytes")}
    assert facts == {"version": "2.2", "objects": 4, "units": 5, "bytes": held}
    forced = tabellion("check", "--json", "--as", "sip", str(tmp_path / "absent.xml"), __file__)
    (refused,) = map(json.loads, forced.stdout.splitlines())
    assert (refused["kind"], [problem["rule"] for problem in refused["problems"]]) == ("sip", ["XML"])


def test_every_problem_says_what_is_wrong_and_every_error_how_to_mend_it(shared: Path) -> None:
    folder = shared / "corpus" / "pes"
    for report in reports_of(folder, entries_of(folder)).values():
        for problem in report["problems"]:
            assert set(problem) >= {"rule", "severity", "line", "path", "found", "expected", "message", "mend"}
            assert problem["message"]
            assert problem["severity"] == "warning" or problem["mend"], problem


def test_a_file_that_cannot_be_read_is_told_apart_from_one_that_is_refused(tmp_path: Path) -> None:
    absent = tabellion("check", "--json", str(tmp_path / "absent.xml"))
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "absent.xml" in absent.stderr
    text = tmp_path / "letter.xml"
    text.write_text("Madame, Monsieur,", encoding="utf-8")
    refused = tabellion("check", "--json", str(text))
    assert refused.returncode == 1
    assert "R01" in {problem["rule"] for problem in json.loads(refused.stdout)["problems"]}


def test_verify_gives_each_sample_its_verdict(shared: Path) -> None:
    folder = shared / "corpus" / "pes"
    lines = [json.loads(line) for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    entries = [entry for entry in lines if entry["kind"] in KINDS and entry["verify"]]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[entry.get("trust_dir", ""), entry.get("at", "")].append(entry)
    found = []
    for (trust, at), members in groups.items():
        options = [*(("--trust", str(folder / trust)) if trust else ()), *(("--at", at) if at else ())]
        ran = tabellion("verify", "--json", *options, *(str(folder / entry["file"]) for entry in members))
        verdicts = {Path(told["file"]).name: told["verdict"] for told in map(json.loads, ran.stdout.splitlines())}
        found += [
            f"{entry['file']}: {verdicts.get(entry['file'])} instead of {entry['verify']}: {ran.stderr[-300:]}"
            for entry in members
            if verdicts.get(entry["file"]) != entry["verify"]
        ]
    assert found == []
