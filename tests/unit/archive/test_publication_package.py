"""The package of a publication: what was put online, since when and under whose name, beside the State's acknowledgement."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lxml import etree

from archive.ingest.inspection import check_package
from archive.kinds.publication import PublicationRecord, PublicationRole, publication_package
from archive.package import PackageFile
from archive.retention.defaults import DECISIONS
from core.errors import UsageError
from core.messages import speaking
from schemas.seda import schema
from schemas.seda.model import Agency, Version
from schemas.seda.reader import Manifest, read_manifest

AT = datetime(2026, 11, 27, 23, 15, 7, tzinfo=UTC)  # the day after in Paris
TOWN = Agency("219900016", "SIREN")
RECORD = PublicationRecord(
    transfer="tabellion-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ1",
    at=AT,
    archival_agency=TOWN,
    transferring_agency=TOWN,
    producer=TOWN,
    producer_name="Commune de Valmorin",
    number="DEL2026_07",
    subject="Vote des tarifs de la cantine & du périscolaire",
    nature_label="Délibérations",
    matiere="7.1",
    matiere_label="Finances locales / Décisions budgétaires",
    decided=date(2026, 11, 10),
    received=date(2026, 11, 12),
    id_acte="040-219900016-20261110-DEL2026_07-DE",
    first_name="Élise",
    last_name="Martin-Prévost",
    capacity="Présidente de séance",
    retention=DECISIONS,
)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    contents = {
        PublicationRole.DOCUMENT: ("Délibération tarifs.pdf", "application/pdf"),
        PublicationRole.ANNEX: ("Grille.pdf", "application/pdf"),
        PublicationRole.ACKNOWLEDGEMENT: ("040-219900016-20261110-DEL2026_07-DE-1-2_0.xml", "application/xml"),
    }
    made = []
    for role, (name, media_type) in contents.items():
        path = tmp_path / role.value
        path.write_text(f"{role} {name}")
        made.append(PackageFile(role, path, media_type, name))
    return made


def manifest_of(package: Path, folder: Path) -> tuple[Manifest, str]:
    with zipfile.ZipFile(package) as zipped:
        path = Path(zipped.extract("manifest.xml", folder))
    return read_manifest(path), path.read_text()


def test_the_same_publication_gives_the_same_bytes_whatever_the_language_of_the_caller(
    files: list[PackageFile], tmp_path: Path
) -> None:
    first = publication_package(tmp_path / "p.zip", RECORD, files)
    with speaking("en"):
        again = publication_package(tmp_path / "again.zip", RECORD, files)
    assert again.path.read_bytes() == first.path.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"at": AT.replace(second=8)},
        {"last_name": "Martin"},
        {"capacity": "Maire"},
        {"received": date(2026, 11, 13)},
        {"transfer": "tabellion-01JABCDEFGHJKMNPQRSTVWXYZ2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_fact_gives_another_package(files: list[PackageFile], tmp_path: Path, change: dict[str, object]) -> None:
    first = publication_package(tmp_path / "p.zip", RECORD, files)
    assert publication_package(tmp_path / "q.zip", replace(RECORD, **change), files).sha256 != first.sha256


def test_it_holds_each_document_as_it_was_put_online_and_the_acknowledgement(files: list[PackageFile], tmp_path: Path) -> None:
    package = publication_package(tmp_path / "p.zip", RECORD, files)
    assert check_package(package.path) == []
    manifest, text = manifest_of(package.path, tmp_path)
    assert [(unit.level, unit.title) for unit in manifest.units] == [
        ("File", "DEL2026_07 – Vote des tarifs de la cantine & du périscolaire"),
        ("Item", "Délibération tarifs.pdf"),
        ("Item", "Grille.pdf"),
        ("Item", "Accusé de réception de l’acte (1-2)"),
    ]
    assert [item.filename for item in manifest.objects] == [file.name for file in files]
    with zipfile.ZipFile(package.path) as zipped:
        for file, item in zip(files, manifest.objects, strict=True):
            assert zipped.read(item.uri or "") == file.path.read_bytes()
    assert "Annexe 1, telle qu’elle a été mise en ligne" in text


def test_the_manifest_says_who_the_author_is_and_since_when_it_is_online_in_france(
    files: list[PackageFile], tmp_path: Path
) -> None:
    _, text = manifest_of(publication_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    online = "Mis en ligne le 28/11/2026 à 00:15:07 (heure de Paris). Auteur\u00a0: Élise Martin-Prévost, Présidente de séance."
    assert online in text
    assert "<EventType>actes.published</EventType>" in text
    assert "<EventDateTime>2026-11-27T23:15:07Z</EventDateTime>" in text
    assert "<KeywordContent>Élise Martin-Prévost</KeywordContent>" in text
    assert "040-219900016-20261110-DEL2026_07-DE" in text
    assert "<Rule>AR038</Rule>" in text


@pytest.mark.parametrize("version", list(Version))
def test_the_manifest_is_valid_against_the_official_schema(
    version: Version, files: list[PackageFile], shared: Path, tmp_path: Path
) -> None:
    validator = schema.load(shared / "official/seda", version.value)
    manifest_of(publication_package(tmp_path / "p.zip", RECORD, files, version=version).path, tmp_path)
    assert validator.validate(etree.parse(tmp_path / "manifest.xml")), validator.error_log


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files[2:], "au moins un document"),
        (lambda files: [files[0], *files], "un seul document principal"),
        (lambda files: files[:2], "il y en a 0"),
        (lambda files: [*files, files[2]], "il y en a 2"),
        (lambda files: [*files, replace(files[0], role="journal")], "journal"),
    ],
    ids=["nothing", "two mains", "no acknowledgement", "two acknowledgements", "unknown role"],
)
def test_a_publication_that_is_not_whole_is_refused(
    files: list[PackageFile], tmp_path: Path, change: Callable[[list[PackageFile]], list[PackageFile]], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        publication_package(tmp_path / "p.zip", RECORD, change(files))
    assert not (tmp_path / "p.zip").exists()


def test_annexes_alone_may_be_published(files: list[PackageFile], tmp_path: Path) -> None:
    assert check_package(publication_package(tmp_path / "p.zip", RECORD, files[1:]).path) == []
