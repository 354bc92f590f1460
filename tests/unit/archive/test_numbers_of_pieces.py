"""A mandat or a titre is found by its number, however few words the manifest names them all with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lxml import etree

from archive.describing import describe, described
from archive.finding.words import tokens_of
from archive.ingest.inspection import check_package, manifest_of
from archive.kinds.pes import pes_package
from archive.numbers import MOST, Run, bounded, numbers_in, runs_of
from archive.package import PackageFile
from flows.helios.archiving import numbers_of
from schemas.pes.reader import read
from schemas.pes.sample import Sample, write_sample
from schemas.seda import schema
from schemas.seda.model import Version
from schemas.seda.reader import read_manifest
from tests.archive_samples import RECORD
from tests.conftest import SHARED


def keywords(package: Path, folder: Path) -> list[str]:
    manifest = manifest_of(package, folder / "manifest.xml")
    assert manifest is not None
    return [one.text for one in manifest.tree.iter("{*}KeywordContent") if one.text]


def test_each_number_of_a_run_is_a_word_of_the_record_and_its_neighbours_are_not(
    files: list[PackageFile], tmp_path: Path
) -> None:
    record = replace(RECORD, mandats=(Run(1200, 1260), Run(1300, 1300)), titres=(Run(17, 18),))
    official = SHARED / "official/seda"
    for version in Version:
        package = pes_package(tmp_path / "pes.zip", record, files, version=version)
        assert check_package(package.path) == []
        manifest = manifest_of(package.path, tmp_path / "manifest.xml")
        assert manifest is not None
        for validator in (schema.own(version.value), *([schema.load(official, version.value)] if official.is_dir() else [])):
            assert validator.validate(manifest.tree), validator.error_log
    assert {"Mandats 1200 à 1260", "Mandat 1300", "Titres 17 à 18"} <= set(keywords(package.path, tmp_path))
    found = tokens_of(describe(package.path).words)
    assert {"mandat", "titr", "1200", "1234", "1260", "1300", "17", "18"} <= set(found)
    assert not {"1199", "1261", "1299", "19"} & set(found)


def test_a_manifest_names_a_bounded_number_of_runs_and_says_of_the_others_that_there_are_some(
    files: list[PackageFile], tmp_path: Path
) -> None:
    runs = bounded(runs_of(range(2, 4 * MOST, 2)))
    assert len(runs) == MOST + 1
    package = pes_package(tmp_path / "pes.zip", replace(RECORD, mandats=tuple(runs)), files)
    named = [one for one in keywords(package.path, tmp_path) if "andat" in one]
    assert (len(named), named[0], named[-1]) == (MOST + 1, "Mandat 2", f"Une partie des mandats {2 * MOST + 2} à {4 * MOST - 2}")
    assert str(2 * MOST + 4) not in tokens_of(describe(package.path).words)


def test_what_comes_from_outside_cannot_make_an_index_of_a_record_without_end(tmp_path: Path) -> None:
    reference = "<KeywordReference>IdPce 1-99999999</KeywordReference>"
    keyword = f"<Keyword><KeywordContent>tout</KeywordContent>{reference}</Keyword>" * 3
    unit = f'<ArchiveUnit id="A"><Content><Title>t</Title>{keyword}</Content></ArchiveUnit>'
    package = f"<DataObjectPackage><DescriptiveMetadata>{unit}</DescriptiveMetadata></DataObjectPackage>"
    (tmp_path / "manifest.xml").write_text(
        f'<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.2">{package}</ArchiveTransfer>'
    )
    assert len(described(read_manifest(tmp_path / "manifest.xml"), {}).words) < 11_000
    assert list(numbers_in(["12-14", "IdPce 9-7", "IdPce 123456789-123456790", "x IdPce 1-2"])) == []


def test_the_numbers_of_a_flow_are_read_of_both_domains_whatever_their_order_and_zeros(tmp_path: Path) -> None:
    write_sample(Sample("PES", bordereaux=2, pieces=3), tmp_path / "pes.xml")
    tree = etree.parse(tmp_path / "pes.xml")
    numbers = tree.findall(".//IdPce")
    for element, text in zip(numbers, ("00001234", "1233", "1300", "1235", "x", "1234"), strict=True):
        element.set("V", text)
    recette = etree.SubElement(tree.getroot(), "PES_RecetteAller")
    piece = etree.SubElement(etree.SubElement(recette, "Bordereau"), "Piece")
    etree.SubElement(etree.SubElement(piece, "BlocPiece"), "IdPce", V="7")
    tree.write(tmp_path / "pes.xml", encoding="ISO-8859-1")
    assert numbers_of(read(tmp_path / "pes.xml")) == {"depense": [(1233, 1235), (1300, 1300)], "recette": [(7, 7)]}
