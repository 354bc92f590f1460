"""A transfer of ours is a manifest that every archive service can take, whatever the titles and the number of files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from lxml import etree

from core.errors import Misconfigured
from schemas.flood import Finding
from schemas.flood import flood as really_flood
from schemas.seda import schema
from schemas.seda.model import (
    AccessRule,
    Agency,
    AppraisalRule,
    ArchiveUnit,
    DataObject,
    DataObjectGroup,
    Dates,
    DigestAlgorithm,
    Event,
    FinalAction,
    HoldRule,
    Keyword,
    KeywordType,
    Level,
    Management,
    Rule,
    StorageAction,
    StorageRule,
    Transfer,
    Version,
)
from schemas.seda.reader import UnsupportedVersion, read_manifest
from schemas.seda.rules import check_manifest, check_manifest_file
from schemas.seda.writer import write_transfer
from schemas.seda.writing import TEXT_LIMIT, UnwritableTransfer

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
MANAGEMENT = Management(
    storage=StorageRule((Rule("STO-1", date(2026, 1, 1)),), StorageAction.TRANSFER),
    appraisal=AppraisalRule((Rule("APP-1", date(2026, 1, 1)), Rule("APP-2")), FinalAction.DESTROY),
    access=AccessRule((Rule("AR048", date(2026, 1, 1)),)),
)
FULL_UNIT = ArchiveUnit(
    identifier="AU1",
    level=Level.RECORD_GROUP,
    title="Délibération « Œuvres & < héritées > » à l’été – œuf, ÿ, 😀",
    description="Ligne une\nligne deux",
    originating_identifier="P-001",
    transferring_identifier="01JABCDEF",
    document_type="PES_Aller",
    language="fra",
    keywords=(
        Keyword("Sainte-Énimie-lès-Prés", KeywordType.CORPORATE_NAME, "213400012"),
        Keyword("comptabilité publique", KeywordType.SUBJECT),
    ),
    originating_agency=Agency("213400012", "SIREN"),
    submission_agency=Agency("TDT-1"),
    dates=Dates(
        created=date(2026, 1, 1),
        transacted=date(2026, 1, 2),
        acquired=date(2026, 1, 3),
        sent=AT,
        received=date(2026, 1, 5),
        registered=date(2026, 1, 6),
        start=date(2026, 1, 7),
        end=date(2026, 1, 8),
    ),
    events=(Event(AT, "Signature", "EV1", "détail", "OK", "tout va bien"), Event(AT, "Envoi")),
    management=MANAGEMENT,
    groups=("GO1",),
)


def data_object(number: int, **changes: object) -> DataObject:
    base = DataObject(
        identifier=f"BDO{number}",
        uri=f"content/file-{number}.xml",
        digest="ab" * 32,
        size=12,
        filename=f"Pièce n° {number} (été).xml",
        media_type="application/xml",
        puid="fmt/101",
        modified=AT,
    )
    return replace(base, **changes)


def transfer(**changes: object) -> Transfer:
    base = Transfer(
        identifier="TR-0001",
        at=AT,
        archival_agency=Agency("AD00"),
        transferring_agency=Agency("TDT-1"),
        originating_agency=Agency("213400012", "SIREN"),
        units=(FULL_UNIT,),
        groups=(DataObjectGroup("GO1", (data_object(1),)),),
        management=MANAGEMENT,
        agreement="ACCORD",
        profile="PROFIL",
        comments=("Un commentaire", "et un autre"),
    )
    return replace(base, **changes)


def nested(depth: int) -> ArchiveUnit:
    unit = ArchiveUnit(f"N{depth}", Level.ITEM, f"niveau {depth}")
    for rank in range(depth - 1, 0, -1):
        unit = ArchiveUnit(f"N{rank}", Level.FILE, f"niveau {rank}", units=(unit,))
    return unit


SHAPES = {
    "with every element": transfer(),
    "without any file": transfer(groups=(), units=(replace(FULL_UNIT, groups=()),)),
    "with the bare minimum": transfer(agreement=None, profile=None, comments=(), management=Management(), groups=(), units=()),
    "with an empty file": transfer(groups=(DataObjectGroup("GO1", (data_object(1, size=0),)),)),
    "with SHA-512": transfer(
        groups=(DataObjectGroup("GO1", (data_object(1, algorithm=DigestAlgorithm.SHA_512, digest="cd" * 64),)),)
    ),
    "with a file of unknown format": transfer(
        groups=(DataObjectGroup("GO1", (data_object(1, media_type=None, puid=None, modified=None),)),)
    ),
    "with a title as long as receivers take": transfer(units=(replace(FULL_UNIT, title="é" * TEXT_LIMIT),)),
    "with two uses of one content": transfer(
        groups=(DataObjectGroup("GO1", (data_object(1), data_object(2, usage="Dissemination_1"))),)
    ),
    "with units forty deep": transfer(groups=(), units=(nested(40),)),
    "with many units": transfer(
        groups=tuple(DataObjectGroup(f"G{n}", (data_object(n),)) for n in range(500)),
        units=tuple(ArchiveUnit(f"U{n}", Level.ITEM, f"Pièce {n}", groups=(f"G{n}",)) for n in range(500)),
    ),
}


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_transfer_is_valid_against_the_official_schema(shape: str, version: Version, shared: Path, tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(SHAPES[shape], target, version)
    validator = schema.load(shared / "official/seda", version.value)
    assert validator.validate(etree.parse(target)), validator.error_log
    assert check_manifest(read_manifest(target)) == []


def test_a_second_validator_that_checks_references_agrees(shared: Path, tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(SHAPES["with every element"], target)
    folder = shared / "official/seda"
    local = {
        "http://www.w3.org/2001/xml.xsd": folder / "w3c/2001/xml.xsd",
        "http://www.w3.org/1999/xlink.xsd": folder / "w3c/1999/xlink.xsd",
    }
    validator = xmlschema.XMLSchema(
        str(folder / "seda-2.2/seda-2.2-main.xsd"),
        uri_mapper=lambda uri: str(local.get(uri, uri)),
        allow="local",
    )
    validator.validate(str(target))


HELD = replace(
    MANAGEMENT,
    hold=HoldRule(Rule("GEL-1", date(2026, 1, 1)), "Service contentieux", "Recours en cours", date(2027, 1, 1), date(2026, 6, 1)),
)


@pytest.mark.parametrize("version", [Version.V2_2, Version.V2_3])
def test_a_hold_is_written_where_the_schema_has_it(version: Version, shared: Path, tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(transfer(management=HELD, units=(replace(FULL_UNIT, management=HELD),)), target, version)
    validator = schema.load(shared / "official/seda", version.value)
    tree = etree.parse(target)
    assert validator.validate(tree), validator.error_log
    assert [one.findtext("{*}HoldReason") for one in tree.iter("{*}HoldRule")] == ["Recours en cours"] * 2


@pytest.mark.parametrize("held", [transfer(management=HELD), transfer(units=(replace(FULL_UNIT, management=HELD),))])
def test_a_hold_is_refused_in_2_1_which_has_none(held: Transfer, tmp_path: Path):
    with pytest.raises(UnwritableTransfer, match=r"2\.2"):
        write_transfer(held, tmp_path / "manifest.xml", Version.V2_1)


def test_the_three_versions_differ_by_their_namespace_only(tmp_path: Path):
    texts = []
    for version in Version:
        target = tmp_path / f"{version.value}.xml"
        write_transfer(transfer(), target, version)
        texts.append(target.read_text().replace(version.namespace, "NS"))
    assert texts[0] == texts[1] == texts[2]


def test_what_was_written_is_read_back(tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(transfer(), target)
    manifest = read_manifest(target)
    assert (manifest.version, manifest.identifier, manifest.agreement) == ("2.2", "TR-0001", "ACCORD")
    assert manifest.date == "2026-03-02T09:15:00Z"
    assert manifest.originating_agency == "213400012"
    assert (manifest.archival_agency, manifest.transferring_agency) == ("AD00", "TDT-1")
    (item,) = manifest.objects
    assert (item.uri, item.algorithm, item.digest, item.size) == ("content/file-1.xml", "SHA-256", "ab" * 32, "12")
    assert (item.filename, item.puid) == ("Pièce n° 1 (été).xml", "fmt/101")
    (unit,) = manifest.units
    assert (unit.title, unit.level, unit.references) == (FULL_UNIT.title, "RecordGrp", ("GO1",))


UNWRITABLE = {
    "a reference to nothing": transfer(units=(replace(FULL_UNIT, groups=("GO9",)),)),
    "one identifier twice": transfer(units=(replace(FULL_UNIT, identifier="GO1"),)),
    "an identifier that is no XML name": transfer(units=(replace(FULL_UNIT, identifier="1"),)),
    "a path that steps up": transfer(groups=(DataObjectGroup("GO1", (data_object(1, uri="content/../x"),)),)),
    "a path with an accent": transfer(groups=(DataObjectGroup("GO1", (data_object(1, uri="content/é"),)),)),
    "two paths that differ by case": transfer(
        groups=(DataObjectGroup("GO1", (data_object(1, uri="content/a"), data_object(2, uri="content/A"))),)
    ),
    "a digest of another length": transfer(groups=(DataObjectGroup("GO1", (data_object(1, digest="ab"),)),)),
    "a negative size": transfer(groups=(DataObjectGroup("GO1", (data_object(1, size=-1),)),)),
    "an empty group": transfer(groups=(DataObjectGroup("GO1", ()),)),
    "an empty title": transfer(units=(replace(FULL_UNIT, title=" "),)),
    "an endless title": transfer(units=(replace(FULL_UNIT, title="x" * (TEXT_LIMIT + 1)),)),
    "a control character": transfer(units=(replace(FULL_UNIT, title="a\x0bb"),)),
}


@pytest.mark.parametrize("flaw", UNWRITABLE)
def test_a_transfer_is_refused_before_writing_when_it_holds(flaw: str, tmp_path: Path):
    with pytest.raises(UnwritableTransfer):
        write_transfer(UNWRITABLE[flaw], tmp_path / "manifest.xml")


def rewritten(tmp_path: Path, old: str, new: str) -> Path:
    target = tmp_path / "manifest.xml"
    write_transfer(SHAPES["with two uses of one content"], target)
    text = target.read_text()
    assert old in text
    target.write_text(text.replace(old, new, 1))
    return target


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('id="BDO2"', 'id="BDO1"', "XSD"),
        ('<ArchiveUnit id="AU1"', '<ArchiveUnit id="GO1"', "XSD"),
        (">GO1<", ">GO9<", "SEDA-101"),
        ("content/file-1.xml", "../file-1.xml", "SEDA-101"),
        ("content/file-1.xml", "content/file-2.xml", "SEDA-101"),
        ("<Size>12<", "<Size>douze<", "XSD"),
        ('algorithm="SHA-256"', 'algorithm="sha256"', "SEDA-207"),
        ('algorithm="SHA-256"', 'algorithm="MD5"', "SEDA-207"),
        ('algorithm="SHA-256"', 'algorithm="SHA-512"', "SEDA-207"),
        ("seda:v2.2", "seda:v9.9", "SEDA-101"),
        ("</ArchiveTransfer>", "", "XML"),
        ("<ArchiveTransfer", "<!DOCTYPE a><ArchiveTransfer", "XML"),
    ],
)
def test_a_flaw_that_the_schema_may_not_see_is_told_with_its_rule(old: str, new: str, rule: str, tmp_path: Path):
    _, problems = check_manifest_file(rewritten(tmp_path, old, new))
    assert [problem.rule for problem in problems] == [rule]
    assert all(problem.message and problem.mend for problem in problems)


def test_units_that_contain_one_another_are_told(tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(transfer(groups=(), units=(nested(3),)), target)
    text = target.read_text()
    link = '<ArchiveUnit id="LINK"><ArchiveUnitRefId>N1</ArchiveUnitRefId></ArchiveUnit>'
    at = text.rindex("</Content>") + len("</Content>")
    target.write_text(text[:at] + link + text[at:])
    (problem,) = check_manifest(read_manifest(target))
    assert (problem.rule, problem.found) == ("SEDA-101", "LINK, N1, N2, N3")


def test_a_document_that_is_no_transfer_is_not_read(tmp_path: Path):
    path = tmp_path / "x.xml"
    path.write_text('<Invoice xmlns="urn:x"/>')
    with pytest.raises(UnsupportedVersion):
        read_manifest(path)


def test_a_folder_without_the_schema_of_a_version_leaves_it_to_ours(tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(transfer(), target)
    assert check_manifest_file(target, schemas=tmp_path)[1] == []
    with pytest.raises(Misconfigured, match="absent"):
        schema.load(tmp_path, "2.2")


def test_an_official_schema_that_does_not_compile_is_a_fault_of_the_settings(tmp_path: Path):
    target = tmp_path / "manifest.xml"
    write_transfer(transfer(), target)
    (tmp_path / "seda-2.2").mkdir()
    (tmp_path / "seda-2.2/seda-2.2-main.xsd").write_text("<not-a-schema/>")
    with pytest.raises(Misconfigured, match="ne se lit pas"):
        check_manifest_file(target, schemas=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "found", "expected"),
    [
        ("<Size>12<", "<Size>0<", "0", "un nombre entier d’octets"),
        (">Destroy<", ">Détruire<", "Détruire", "Destroy, Keep"),
        ("<MessageIdentifier>TR-0001</MessageIdentifier>", "", "ArchivalAgreement", "MessageIdentifier"),
        ('<ArchiveUnit id="AU1"', "<ArchiveUnit", "ArchiveUnit", "ArchiveUnit@id"),
        ("<LastModified>2026-03", "<LastModified>03-2026", "03-2026-02T09:15:00Z", "une date et une heure"),
        ("<Outcome>OK<", "<Outcome><", "", "une valeur"),
        ("<Title>", '<Title lang="fra">', "Title@lang", None),
        ("<ManagementMetadata>", "<ManagementMetadata>texte", "ManagementMetadata", None),
    ],
)
@pytest.mark.parametrize("official", [False, True])
def test_what_the_schema_refuses_is_told_in_words_with_what_was_expected(
    old: str, new: str, found: str, expected: str | None, official: bool, shared: Path, tmp_path: Path
):
    schemas = shared / "official/seda" if official else None
    problem = check_manifest_file(rewritten(tmp_path, old, new), schemas=schemas)[1][0]
    assert (problem.rule, problem.found) == ("XSD", found)
    assert (
        set(expected.split(", ")) <= set(problem.expected.split(", ")) or problem.expected.startswith(expected)
        if expected
        else True
    )
    assert problem.line
    assert problem.path
    assert problem.message
    assert problem.mend


def test_a_manifest_with_more_flaws_than_anyone_reads_is_given_up_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []

    def flood(*arguments: Any) -> tuple[list[Finding], int] | None:
        found = really_flood(*arguments)
        read.append(found[1] if found else 0)
        return found

    monkeypatch.setattr("schemas.seda.schema.flood", flood)
    target = tmp_path / "manifest.xml"
    many = tuple(ArchiveUnit(f"U{n}", Level.ITEM, f"Pièce {n}") for n in range(3000))
    write_transfer(transfer(groups=(), units=many), target)
    target.write_text(target.read_text().replace("<DescriptionLevel>Item<", "<DescriptionLevel>Pièce<"))
    problems = check_manifest_file(target)[1]
    assert len(problems) == schema.MOST_FINDINGS
    assert 0 < read[0] < 2 * 3000  # a wrong value is two findings
    assert all(problem.path and problem.line for problem in problems)
