"""Manifests that another hand wrote: what is unusual and right is taken, what the schema does not see and is wrong is told."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.seda.model import DataObjectGroup
from schemas.seda.reader import read_manifest
from schemas.seda.rules import check_manifest_file
from schemas.seda.writer import write_transfer
from tests.unit.schemas_seda.test_seda_transfer import FULL_UNIT, data_object, nested, transfer

DIGEST = data_object(1).digest
TWO = transfer(
    groups=(DataObjectGroup("GO1", (data_object(1), data_object(2, usage="Dissemination_1"))),),
    units=(replace(FULL_UNIT, units=(nested(1),)),),
)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    target = tmp_path / "manifest.xml"
    write_transfer(TWO, target)
    text = target.read_text(encoding="utf-8")
    assert old in text
    target.write_text(text.replace(old, new, 1), encoding="utf-8")
    return target


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f">{DIGEST}<", f">{DIGEST[:10]}<!-- ici -->{DIGEST[10:]}<"),
        (f">{DIGEST}<", f">\n  <![CDATA[{DIGEST.upper()}]]>\n<"),
        (">content/file-1.xml<", "> content/<?a b?>file-1.xml <"),
        ('algorithm="SHA-256"', 'algorithm=" SHA-256 "'),
        (">BinaryMaster_1<", ">BinaryMaster<"),
        (">BinaryMaster_1<", ">TextContent_12<"),
    ],
)
def test_what_says_the_same_otherwise_is_taken(old: str, new: str, tmp_path: Path) -> None:
    path = changed(tmp_path, old, new)
    assert check_manifest_file(path)[1] == []
    item = read_manifest(path).objects[0]
    assert (item.uri, item.algorithm, item.digest) == ("content/file-1.xml", "SHA-256", DIGEST)


@pytest.mark.parametrize(
    ("old", "new", "rule", "found"),
    [
        (">GO1<", ">BDO1<", "SEDA-101", "DataObjectGroupReferenceId BDO1 (BinaryDataObject)"),
        (">GO1<", ">N1<", "SEDA-101", "DataObjectGroupReferenceId N1 (ArchiveUnit)"),
        (
            '<ArchiveUnit id="N1">',
            '<ArchiveUnit id="X"><ArchiveUnitRefId>GO1</ArchiveUnitRefId></ArchiveUnit><ArchiveUnit id="N1">',
            "SEDA-101",
            "ArchiveUnitRefId GO1 (DataObjectGroup)",
        ),
        (">BinaryMaster_1<", ">PhysicalMaster_1<", "SEDA-101", "PhysicalMaster_1"),
        (">BinaryMaster_1<", ">Original<", "SEDA-101", "Original"),
        (">content/file-1.xml<", ">content/file-1.xml#<", "SEDA-101", "content/file-1.xml#"),
        (">content/file-1.xml<", ">content/file?1.xml<", "SEDA-101", "content/file?1.xml"),
        ("<Uri>content/file-1.xml</Uri>", "<Uri> </Uri>", "SEDA-211", None),
    ],
)
def test_what_is_wrong_and_unseen_by_the_schema_is_told(old: str, new: str, rule: str, found: str | None, tmp_path: Path) -> None:
    (problem,) = check_manifest_file(changed(tmp_path, old, new))[1]
    assert (problem.rule, problem.found) == (rule, found)
    assert problem.line
    assert problem.mend


def test_an_object_of_a_group_is_named_through_it(tmp_path: Path) -> None:
    named = "<DataObjectReferenceId>BDO1</DataObjectReferenceId>"
    path = changed(tmp_path, "<DataObjectGroupReferenceId>GO1</DataObjectGroupReferenceId>", named)
    path.write_text(path.read_text(encoding="utf-8").replace("seda:v2.2", "seda:v2.1"), encoding="utf-8")
    (problem,) = check_manifest_file(path)[1]
    assert (problem.rule, problem.found) == ("SEDA-101", "BDO1")
    assert "groupe" in problem.message


def test_a_file_held_in_the_manifest_is_held_against_its_digest_and_size(tmp_path: Path) -> None:
    content = b"0123456789ab"
    inside = f'<Attachment filename="a">{base64.b64encode(content).decode()}</Attachment>'
    path = changed(tmp_path, "<Uri>content/file-1.xml</Uri>", inside)
    assert [problem.rule for problem in check_manifest_file(path)[1]] == ["SEDA-207"]
    right = path.read_text(encoding="utf-8").replace(DIGEST, hashlib.sha256(content).hexdigest(), 1)
    for text, rules in ((right, []), (right.replace("<Size>12<", "<Size>13<", 1), ["SEDA-207"])):
        path.write_text(text, encoding="utf-8")
        assert [problem.rule for problem in check_manifest_file(path)[1]] == rules
