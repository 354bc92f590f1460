"""A manifest is held against the profile that an archivist wrote, offline, whatever the profile asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from schemas.seda.model import Version
from schemas.seda.profile import LARGEST, ProfileRefused, check_profile
from schemas.seda.reader import Manifest, read_manifest
from schemas.seda.schema import described
from schemas.seda.writer import write_transfer
from tests.unit.schemas_seda.test_seda_transfer import transfer

NAMESPACE = Version.V2_2.namespace
RNG = f"""<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="{NAMESPACE}"
  datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><element name="ArchiveTransfer">
    <oneOrMore><element name="Comment"><text/></element></oneOrMore>
    <element name="Date"><data type="dateTime"/></element>
    <element name="MessageIdentifier"><value>{{identifier}}</value></element>
    <ref name="anything"/>
  </element></start>
  <define name="anything"><zeroOrMore><element><anyName/><zeroOrMore><choice>
    <attribute><anyName/></attribute><text/><ref name="anything"/></choice></zeroOrMore></element></zeroOrMore></define>
</grammar>"""


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    write_transfer(transfer(), tmp_path / "manifest.xml")
    return read_manifest(tmp_path / "manifest.xml")


def profile(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "profil.rng"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_that_conforms_has_no_problem(manifest: Manifest, tmp_path: Path) -> None:
    assert check_profile(manifest, profile(tmp_path, RNG.format(identifier="TR-0001"))) == []


def test_a_manifest_that_does_not_conform_is_told_where(manifest: Manifest, tmp_path: Path) -> None:
    problems = check_profile(manifest, profile(tmp_path, RNG.format(identifier="TR-0002")))
    assert {problem.rule for problem in problems} == {"SEDA-203"}
    assert all(problem.message and problem.mend and problem.found for problem in problems)
    assert 6 in {problem.line for problem in problems}


def xsd(tmp_path: Path, old: str = "", new: str = "") -> Path:
    text = re.sub(r'schemaLocation="xml_names.xsd"', 'schemaLocation="http://www.w3.org/2001/xml.xsd"', _own())
    assert old in text
    return profile(tmp_path, text.replace(old, new, 1))


def _own() -> str:
    return etree.tostring(described("2.2"), encoding="unicode")


def test_an_xsd_profile_is_applied_and_its_vocabularies_are_ours(manifest: Manifest, tmp_path: Path) -> None:
    assert check_profile(manifest, xsd(tmp_path)) == []
    stricter = xsd(tmp_path, '<xs:enumeration value="Destroy"/>', "")
    (problem, *_) = problems = check_profile(manifest, stricter)
    assert {one.rule for one in problems} == {"SEDA-203"}
    assert (problem.found, problem.expected) == ("Destroy", "Keep")


REFUSED = {
    "a DOCTYPE": '<!DOCTYPE grammar [<!ENTITY a "b">]>' + RNG,
    "text": "Madame, Monsieur",
    "another document": "<a/>",
    "a Relax NG that does not compile": (
        '<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><ref name="x"/></start></grammar>'
    ),
    "a Relax NG that includes a file": (
        '<grammar xmlns="http://relaxng.org/ns/structure/1.0"><include href="/etc/passwd"/><start><text/></start></grammar>'
    ),
    "a Relax NG that refers to a file": (
        '<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><externalRef href="http://a.invalid/"/></start></grammar>'
    ),
    "an XSD that includes a file": (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="/etc/passwd"/></xs:schema>'
    ),
    "an XSD that redefines one": (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:redefine schemaLocation="a.xsd"/></xs:schema>'
    ),
    "an XSD that imports another vocabulary": (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="urn:a" schemaLocation="a.xsd"/></xs:schema>'
    ),
}


@pytest.mark.parametrize("flaw", REFUSED)
def test_a_profile_is_refused_when_it_is(flaw: str, manifest: Manifest, tmp_path: Path) -> None:
    elsewhere = " renvoie à un autre fichier" if re.search("includes|refers|redefines|imports", flaw) else ""
    with pytest.raises(ProfileRefused, match=rf"profil\.rng{elsewhere}"):
        check_profile(manifest, profile(tmp_path, REFUSED[flaw]))


def test_a_profile_beyond_its_bound_is_not_read(manifest: Manifest, tmp_path: Path) -> None:
    path = profile(tmp_path, "")
    with path.open("r+b") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(ProfileRefused, match="octets"):
        check_profile(manifest, path)


def test_the_profiles_of_the_field_compile_and_judge(shared: Path) -> None:
    corpus = shared / "corpus/archive"
    manifest = read_manifest(corpus / "seda10_connecteur_info_bordereau.xml")
    verdicts = {path.name: not check_profile(manifest, path) for path in sorted(corpus.glob("*.rng"))}
    assert verdicts.pop("seda10_connecteur_info_schema.rng")
    assert list(verdicts.values()) == [False, False]
