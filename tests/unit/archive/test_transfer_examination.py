"""What ``check`` says of a transfer without a platform: its rules make sense, and its files belong together."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from archive.examination import examine, is_transfer
from core.problems import Verdict
from schemas.seda.model import Version
from tests.transfers import Sip

DAY = date(2026, 3, 2)
ACT = "content/034-218500992-20260212-DEL2026_07-DE-1-1_1.pdf"
FLOW = (
    '<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"><Enveloppe><Parametres><NomFic V="{}"/>'
    "</Parametres></Enveloppe></n:PES_Aller>"
)
ACQUIT = (
    '<n:PES_ACQUIT xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour/v2"><Enveloppe><Parametres><NomFic V="{}"/>'
    '</Parametres></Enveloppe><ACQUIT><ElementACQUIT><EtatAck V="1"/></ElementACQUIT></ACQUIT></n:PES_ACQUIT>'
)
HOLD = "<HoldRule><Rule>GEL</Rule><StartDate>2026-02-01</StartDate><HoldEndDate>{}</HoldEndDate></HoldRule></ManagementMetadata>"


def receipt(number: str) -> bytes:
    return (
        f'<a:ARActe xmlns:a="http://www.interieur.gouv.fr/ACTES#v1.1-20040216" a:IDActe="034-218500992-20260212-{number}-DE" '
        'a:DateReception="2026-02-13"/>'
    ).encode()


def told(path: Path) -> list[tuple[str, str | None]]:
    return [(problem.rule, problem.found) for problem in examine(path, day=DAY).problems]


@pytest.mark.parametrize(
    ("start", "rules"),
    [
        ("2026-02-21", []),
        ("2027-03-03", []),
        ("2027-03-04", [("SEDA-203", "2027-03-04")]),
        ("9090-10-10", [("SEDA-203", "9090-10-10")]),
        ("0999-12-31", [("SEDA-203", "0999-12-31")]),
    ],
)
def test_a_rule_starts_on_a_day_that_can_be_meant(start: str, rules: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "manifest.xml"
    path.write_bytes(Sip().manifest(tmp_path).replace(b"<StartDate>2026-02-21", f"<StartDate>{start}".encode(), 1))
    assert told(path) == rules


def test_a_value_that_the_schema_refuses_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "manifest.xml"
    path.write_bytes(Sip().manifest(tmp_path).replace(b"<StartDate>2026-02-21", b"<StartDate>2026-02-30", 1))
    assert told(path) == [("XSD", "2026-02-30")]


@pytest.mark.parametrize(("end", "rules"), [("2026-02-01", []), ("2026-01-31", [("SEDA-203", "2026-01-31")])])
def test_a_hold_does_not_end_before_it_starts(end: str, rules: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "manifest.xml"
    manifest = Sip(version=Version.V2_2).manifest(tmp_path)
    path.write_bytes(manifest.replace(b"</ManagementMetadata>", HOLD.format(end).encode()))
    assert told(path) == rules


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({ACT: b"%PDF-1.4", "content/ar.xml": receipt("DEL2026_07")}, []),
        ({ACT: b"%PDF-1.4"}, ["SEDA-211"]),
        ({ACT: b"%PDF-1.4", "content/ar.xml": receipt("DEL2026_08")}, ["SEDA-203"]),
    ],
)
def test_an_act_comes_with_its_own_receipt(files: dict[str, bytes], rules: list[str], tmp_path: Path) -> None:
    path = tmp_path / "versement.zip"
    path.write_bytes(Sip(files=files, puids={}).zip(tmp_path))
    report = examine(path, day=DAY)
    assert [problem.rule for problem in report.problems] == rules
    assert report.verdict is (Verdict.REJECTED if rules else Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("flows", "named", "rules"),
    [
        (["F1"], "F1", []),
        (["F1"], "", []),
        (["F1"], "F2", ["SEDA-203"]),
        (["F1", "F2"], "", ["SEDA-203", "SEDA-211"]),
    ],
)
def test_an_acquit_answers_a_flow_of_the_package(flows: list[str], named: str, rules: list[str], tmp_path: Path) -> None:
    files = {f"content/{name}.xml": FLOW.format(name).encode() for name in flows}
    package = Sip(files=files | {"content/acquit.xml": ACQUIT.format(named).encode()}, puids={})
    path = tmp_path / "versement.zip"
    path.write_bytes(package.zip(tmp_path))
    assert sorted({problem.rule for problem in examine(path, day=DAY).problems}) == rules


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    package = Sip(files={ACT: b"%PDF-1.4", "content/b.txt": b"b"}, puids={}, appraisal=("APP", date(2126, 1, 1)))
    path = tmp_path / "versement.zip"
    path.write_bytes(package.zip(tmp_path, **{"content/b.txt": b"B", "content/c.txt": b"c"}))
    assert {problem.rule for problem in examine(path, day=DAY).problems} == {"SEDA-101", "SEDA-203", "SEDA-207", "SEDA-211"}


@pytest.mark.parametrize("doctype", [b"<!DOCTYPE ArchiveTransfer>", b'<!DOCTYPE a [<!ENTITY e "e">]>'])
def test_a_manifest_with_a_doctype_is_known_for_one_and_refused(doctype: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bordereau"
    path.write_bytes(Sip().manifest(tmp_path).replace(b"<ArchiveTransfer", doctype + b"<ArchiveTransfer", 1))
    assert is_transfer(path)
    assert [rule for rule, _ in told(path)] == ["XML"]
    path.write_bytes(b"<!DOCTYPE a><a/>")
    assert not is_transfer(path)
