"""The package of a document: what people signed, with its proofs, under the rule of the organisation's correspondence."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from archive.ingest.inspection import check_package
from archive.kinds.document import DocumentRecord, DocumentRole, document_package
from archive.package import PackageFile
from archive.retention.defaults import CORRESPONDENCE
from archive.retention.referential import rules_for
from archive.retention.rules import RetentionRule
from core.database import Database
from core.errors import UsageError
from core.messages import speaking
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from schemas.seda.model import Agency, Event, FinalAction
from schemas.seda.reader import Manifest, read_manifest
from tests.referential import choose

AT = datetime(2026, 11, 28, 9, 15, tzinfo=UTC)
RECORD = DocumentRecord(
    transfer="tabellion-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=AT,
    archival_agency=Agency("219900016", "SIREN"),
    transferring_agency=Agency("219900016", "SIREN"),
    producer=Agency("219900016", "SIREN"),
    producer_name="Commune de Valmorin",
    title="Réponse à l’association des Prés",
    type_name="Courrier",
    subtype_name="Courrier signé",
    emitter="Secrétariat général",
    started=date(2026, 11, 20),
    finished=date(2026, 11, 28),
    external_id="COURRIER-118",
    fields=(("Montant", "1 234,50"), ("Service", "Voirie")),
    events=(Event(AT, "folder.signed", "01JEVENT"),),
)


def file(folder: Path, role: str, name: str, media_type: str = "application/pdf") -> PackageFile:
    path = folder / f"{role}-{name}"
    path.write_text(f"{role} {name}")
    return PackageFile(role, path, media_type, name)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    return [
        file(tmp_path, DocumentRole.DOCUMENT, "lettre.pdf"),
        file(tmp_path, DocumentRole.DOCUMENT, "bon de commande.odt"),
        file(tmp_path, DocumentRole.SIGNATURE, "bon-1-Maire.p7s"),
        file(tmp_path, DocumentRole.ANNEX, "plan.png"),
        file(tmp_path, DocumentRole.PROOF, "preuve.xml"),
        file(tmp_path, DocumentRole.DOCKET, "bordereau.pdf"),
        file(tmp_path, DocumentRole.JOURNAL, "journal.jsonl"),
    ]


def manifest_of(package: Path, folder: Path) -> tuple[Manifest, str]:
    with zipfile.ZipFile(package) as zipped:
        path = Path(zipped.extract("manifest.xml", folder))
    return read_manifest(path), path.read_text()


def test_a_package_holds_each_document_with_the_signatures_that_are_over_it(files: list[PackageFile], tmp_path: Path) -> None:
    package = document_package(tmp_path / "p.zip", RECORD, files)
    assert check_package(package.path) == []
    manifest, _ = manifest_of(package.path, tmp_path)
    told = [(unit.identifier, unit.level, unit.parent, unit.title) for unit in manifest.units]
    assert told[0] == ("AU1", "File", None, "Réponse à l’association des Prés")
    assert [(parent, title) for _, _, parent, title in told[1:]] == [
        ("AU1", "lettre.pdf"),
        ("AU1", "bon de commande.odt"),
        (told[2][0], "bon-1-Maire.p7s"),
        ("AU1", "plan.png"),
        ("AU1", "preuve.xml"),
        ("AU1", "Bordereau de signature"),
        ("AU1", "Extrait du journal des événements"),
    ]


def test_the_manifest_says_whose_it_is_of_which_kind_and_bears_the_metadata(files: list[PackageFile], tmp_path: Path) -> None:
    _, text = manifest_of(document_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    for said in ("Commune de Valmorin", "Secrétariat général", "Courrier signé", "Montant\u00a0: 1 234,50", "COURRIER-118"):
        assert said in text
    assert "<EventIdentifier>01JEVENT</EventIdentifier>" in text


def test_a_second_try_gives_the_same_bytes_whatever_the_language_of_the_caller(files: list[PackageFile], tmp_path: Path) -> None:
    first = document_package(tmp_path / "p.zip", RECORD, files)
    with speaking("en"):
        assert document_package(tmp_path / "again.zip", RECORD, files).sha256 == first.sha256


def test_nothing_is_destroyed_before_the_archivist_has_fixed_the_rule(files: list[PackageFile], tmp_path: Path) -> None:
    _, text = manifest_of(document_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    assert "<FinalAction>Keep</FinalAction>" in text
    assert "à fixer par l’archiviste" in text
    assert RECORD.keep_until == date(2031, 11, 28)


def test_the_rule_that_the_archivist_has_fixed_is_the_one_that_applies(files: list[PackageFile], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    upgrade(database)
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        assert rules_for(session, town.id, "document").appraisal == CORRESPONDENCE
        fixed = RetentionRule(
            identifier="APP-COURRIER-2ANS", years=2, final_action=FinalAction.DESTROY, label="courrier : 2 ans", source="visa"
        )
        choose(session, town, "document", fixed)
    with database.reading(PLATFORM) as session:
        rule = rules_for(session, town.id, "document").appraisal
    database.close()
    record = replace(RECORD, retention=rule)
    _, text = manifest_of(document_package(tmp_path / "p.zip", record, files).path, tmp_path)
    assert (record.keep_until, rule) == (date(2028, 11, 28), fixed)
    assert "<Rule>APP-COURRIER-2ANS</Rule>" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: [files[0], files[3], files[2], *files[4:]], "ne suit aucun document"),
        (lambda files: files[3:], "au moins un document principal"),
        (lambda files: files[:-1], "il y en a 0"),
        (lambda files: [*files, files[5]], "il y en a 2"),
        (lambda files: [*files, replace(files[0], role="acquit")], "acquit"),
        (lambda files: [*files, files[2]], "bon-1-Maire.p7s"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(files: list[PackageFile], tmp_path: Path, change, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        document_package(tmp_path / "p.zip", RECORD, change(files))
    assert not (tmp_path / "p.zip").exists()
