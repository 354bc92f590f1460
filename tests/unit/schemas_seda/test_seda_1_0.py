"""SEDA 1.0 and 0.2: written for the services that take nothing later, and read so that files can be compared."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from schemas.seda import schema
from schemas.seda.model import (
    AccessRule,
    Agency,
    AppraisalRule,
    ArchiveUnit,
    DataObjectGroup,
    Dates,
    DigestAlgorithm,
    FinalAction,
    HoldRule,
    Level,
    Management,
    Rule,
    Transfer,
)
from schemas.seda.reader import read_manifest
from schemas.seda.rules import check_manifest, check_manifest_file
from schemas.seda.writer_1_0 import _FORMATS, _MEDIA_TYPES, write_transfer_1_0
from schemas.seda.writing import UnwritableTransfer
from tests.unit.schemas_seda.test_seda_transfer import AT, FULL_UNIT, data_object, nested, transfer

RULES = Management(
    appraisal=AppraisalRule((Rule("A", date(2026, 1, 1), 5), Rule("B", date(2025, 1, 1), 10)), FinalAction.DESTROY),
    access=AccessRule((Rule("AR048", date(2026, 1, 1)),)),
)


def old(**changes: object) -> Transfer:
    unit = replace(FULL_UNIT, management=None, units=(nested(3),))
    return transfer(**({"management": RULES, "units": (unit,)} | changes))


SHAPES = {
    "with every element": old(),
    "without any file": old(groups=(), units=(nested(4),)),
    "with two archives": old(units=(replace(FULL_UNIT, management=RULES), nested(2)), management=RULES),
    "with rules of its own below": old(units=(ArchiveUnit("T", Level.FILE, "t", units=(replace(FULL_UNIT, management=RULES),)),)),
    "with nothing to destroy": old(management=replace(RULES, appraisal=None)),
    "with a file whose formats the lists have not": old(
        groups=(DataObjectGroup("GO1", (data_object(1, media_type="application/x-ndjson", puid="fmt/1"),)),)
    ),
    "with SHA-512 and an empty file": old(
        groups=(DataObjectGroup("GO1", (data_object(1, algorithm=DigestAlgorithm.SHA_512, digest="cd" * 64, size=0),)),)
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_transfer_is_valid_against_the_official_schema_of_1_0(shape: str, shared: Path, tmp_path: Path) -> None:
    target = tmp_path / "bordereau.xml"
    write_transfer_1_0(SHAPES[shape], target)
    for validator in (schema.load(shared / "official/seda", "1.0"), schema.own("1.0")):
        assert validator.validate(etree.parse(target)), validator.error_log
    assert check_manifest(read_manifest(target)) == []


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    target = tmp_path / "bordereau.xml"
    write_transfer_1_0(old(), target)
    manifest = read_manifest(target)
    assert (manifest.version, manifest.identifier, manifest.agreement, manifest.profile) == ("1.0", "TR-0001", "ACCORD", "PROFIL")
    assert (manifest.archival_agency, manifest.transferring_agency) == ("AD00", "TDT-1")
    assert manifest.originating_agency == "213400012"
    (item,) = manifest.objects
    assert (item.uri, item.algorithm, item.digest, item.size) == ("content/file-1.xml", "SHA-256", "ab" * 32, "12")
    assert [(unit.level, unit.title) for unit in manifest.units][1:] == [
        ("file", "niveau 1"),
        ("file", "niveau 2"),
        ("item", "niveau 3"),
    ]
    assert [unit.parent for unit in manifest.units] == [None, "Archive 1", "ArchiveObject 2", "ArchiveObject 3"]


def test_the_rules_stand_on_the_archive_with_their_duration_and_dates_are_the_extremes(tmp_path: Path) -> None:
    target = tmp_path / "bordereau.xml"
    write_transfer_1_0(old(units=(replace(FULL_UNIT, management=None, dates=Dates(date(2026, 1, 5), sent=AT)),)), target)
    root = etree.parse(target).getroot()
    assert [one.text for one in root.iterfind("{*}Archive/{*}AppraisalRule/{*}*")] == ["detruire", "P10Y", "2025-01-01"]
    assert [one.text for one in root.iterfind("{*}Archive/{*}AccessRestrictionRule/{*}*")] == ["AR048", "2026-01-01"]
    description = root.find("{*}Archive/{*}ContentDescription")
    assert (description.findtext("{*}OldestDate"), description.findtext("{*}LatestDate")) == ("2026-01-05", "2026-03-02")


UNWRITABLE = {
    "no unit": old(units=(), groups=()),
    "a hold": old(management=replace(RULES, hold=HoldRule(Rule("GEL")))),
    "no access rule": old(management=replace(RULES, access=None)),
    "an access rule of another list": old(management=replace(RULES, access=AccessRule((Rule("ACC-1", date(2026, 1, 1)),)))),
    "an access rule without start": old(management=replace(RULES, access=AccessRule((Rule("AR048"),)))),
    "an appraisal rule without duration": old(
        management=replace(RULES, appraisal=AppraisalRule((Rule("A", date(2026, 1, 1)),), FinalAction.KEEP))
    ),
    "an appraisal rule without start": old(
        management=replace(RULES, appraisal=AppraisalRule((Rule("A", None, 5),), FinalAction.KEEP))
    ),
    "a file that no unit names": old(units=(nested(2),)),
    "a file that two units name": old(
        units=(replace(FULL_UNIT, management=None), replace(FULL_UNIT, management=None, identifier="AU9"))
    ),
    "an organisation without a name": old(archival_agency=Agency(" ")),
}


@pytest.mark.parametrize("flaw", UNWRITABLE)
def test_a_transfer_is_refused_when_it_holds(flaw: str, tmp_path: Path) -> None:
    with pytest.raises(UnwritableTransfer):
        write_transfer_1_0(UNWRITABLE[flaw], tmp_path / "bordereau.xml")


def test_the_formats_that_are_written_are_in_the_lists_of_1_0(shared: Path) -> None:
    codes = shared / "official/seda/seda_v1-0/v10/codes"
    for name, own in (("IANA_MIMEMediaType_20110216.xsd", _MEDIA_TYPES), ("seda_v1-0_filetype_code.xsd", _FORMATS)):
        assert own <= set(etree.parse(str(codes / name)).xpath("//*[local-name() = 'enumeration']/@value"))


DIGEST = bytes(range(32))
DOCUMENT = '<Document Id="D1"><Attachment {attachment}</Attachment>{integrity}<Type>CDO</Type></Document>'
V1_0 = """<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v1.0"><TransferIdentifier>T</TransferIdentifier>
  <Archive><Name>a</Name><ArchiveObject><Name>b</Name>{document}</ArchiveObject></Archive></ArchiveTransfer>"""
V0_2 = """<ArchiveTransfer xmlns="fr:gouv:ae:archive:draft:standard_echange_v0.2"><TransferIdentifier>T</TransferIdentifier>
  <Integrity><Contains algorithme="{algorithm}">{digest}</Contains><UnitIdentifier>a.xml</UnitIdentifier></Integrity>
  <Contains><Name>a</Name><DescriptionLevel>file</DescriptionLevel><Document><Attachment filename="a.xml"/></Document>
  <Contains><Name>b</Name><Document><Attachment filename="b.xml"/></Document></Contains></Contains></ArchiveTransfer>"""


@pytest.mark.parametrize(
    ("algorithm", "value", "expected"),
    [
        ("http://www.w3.org/2001/04/xmlenc#sha256", DIGEST.hex().upper(), ("SHA-256", DIGEST.hex())),
        ("SHA256", base64.b64encode(DIGEST).decode(), ("SHA-256", DIGEST.hex())),
        ("sha-256", f" {DIGEST.hex()} ", ("SHA-256", DIGEST.hex())),
        ("http://www.w3.org/2000/09/xmldsig#sha1", "00" * 20, ("SHA-1", "00" * 20)),
        ("whirlpool", "00", ("whirlpool", "00")),
        ("SHA256", "not base64 !", ("SHA-256", "notbase64!")),
    ],
)
def test_the_digest_of_a_document_is_read_however_it_is_written(
    algorithm: str, value: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    beside = DOCUMENT.format(
        attachment='filename="a.xml">',
        integrity=f'<Integrity algorithme="{algorithm}">{value}</Integrity><Size unitCode="AD">3</Size>',
    )
    for text in (V1_0.format(document=beside), V0_2.format(algorithm=algorithm, digest=value)):
        path = tmp_path / "bordereau.xml"
        path.write_text(text)
        item = read_manifest(path).objects[0]
        assert (item.uri, item.algorithm, item.digest) == ("a.xml", *expected)


def test_what_a_document_says_is_read_and_units_know_their_place(tmp_path: Path) -> None:
    path = tmp_path / "bordereau.xml"
    path.write_text(V0_2.format(algorithm="SHA-256", digest=DIGEST.hex()))
    manifest = read_manifest(path)
    assert (manifest.version, manifest.identifier) == ("0.2", "T")
    assert [(unit.title, unit.parent) for unit in manifest.units] == [("a", None), ("b", "Contains 1")]
    assert [(item.uri, item.digest) for item in manifest.objects] == [("a.xml", DIGEST.hex()), ("b.xml", None)]
    assert [problem.rule for problem in check_manifest(manifest)] == ["SEDA-207"]


def test_a_document_held_in_the_manifest_itself_has_no_path(tmp_path: Path) -> None:
    path = tmp_path / "bordereau.xml"
    path.write_text(V1_0.format(document=DOCUMENT.format(attachment='filename="a.xml">YWJj', integrity="")))
    (item,) = read_manifest(path).objects
    assert (item.uri, item.filename, item.content) == (None, "a.xml", b"abc")
    assert check_manifest(read_manifest(path)) == []
    said = f'<Integrity algorithme="SHA256">{DIGEST.hex()}</Integrity><Size unitCode="AD">4</Size>'
    path.write_text(V1_0.format(document=DOCUMENT.format(attachment='filename="a.xml">YWJj', integrity=said)))
    assert [problem.rule for problem in check_manifest(read_manifest(path))] == ["SEDA-207", "SEDA-207"]


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (">AR048<", ">AR037<"),
        (">detruire<", ">trier<"),
        (">P10Y<", ">10 ans<"),
        (">fra<", ">fr<"),
        ("2026-03-02T09:15:00Z", "2026-03-02"),
        ('format="fmt/101"', 'format="fmt/1010"'),
        ('mimeCode="application/xml"', 'mimeCode=""'),
        ("<Type>CDO</Type>", ""),
    ],
)
def test_what_the_schema_of_1_0_refuses_is_refused_without_the_official_one(found: str, written: str, tmp_path: Path) -> None:
    target = tmp_path / "bordereau.xml"
    write_transfer_1_0(SHAPES["with every element"], target)
    assert check_manifest_file(target)[1] == []
    text = target.read_text()
    assert found in text
    target.write_text(text.replace(found, written))
    assert {problem.rule for problem in check_manifest_file(target)[1]} == {"XSD"}


def test_a_size_in_another_unit_than_bytes_is_not_compared(tmp_path: Path) -> None:
    sizes = {}
    for unit in ("AD", "2P"):
        path = tmp_path / "bordereau.xml"
        integrity = f'<Size unitCode="{unit}">3</Size>'
        path.write_text(V1_0.format(document=DOCUMENT.format(attachment='filename="a.xml">', integrity=integrity)))
        sizes[unit] = read_manifest(path).objects[0].size
    assert sizes == {"AD": "3", "2P": None}
