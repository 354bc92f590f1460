"""The package of a tracked mail: an item for each recipient, with all that proves what became of the mail for them alone."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lxml import etree

from archive.ingest.inspection import check_package
from archive.kinds.mail import Addressee, MailRecord, MailRole, mail_package
from archive.package import PackageFile
from archive.retention.defaults import MAILS
from archive.retention.referential import rules_for
from archive.retention.rules import RetentionRule
from core.database import Database
from core.errors import UsageError
from core.messages import speaking
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from schemas.seda import schema
from schemas.seda.model import Agency, Event, FinalAction, Version
from schemas.seda.reader import read_manifest
from tests.referential import choose

AT = datetime(2026, 11, 28, 9, 15, tzinfo=UTC)
RECORD = MailRecord(
    transfer="tabellion-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=AT,
    archival_agency=Agency("219900016", "SIREN"),
    transferring_agency=Agency("219900016", "SIREN"),
    producer=Agency("219900016", "SIREN"),
    producer_name="Commune de Valmorin",
    subject="Arrêté de péril – 4, rue du Lavoir",
    sender="Service de l’urbanisme",
    kind="Notification d’un document administratif",
    recipients=(
        Addressee("Camille Aubert (camille.aubert@elus.test)", "Courrier retiré"),
        Addressee("sacha.perrin@elus.test", "Courrier non retiré dans le délai"),
    ),
    sent=date(2026, 11, 10),
    closed=date(2026, 11, 28),
    events=(Event(AT, "mail.finished", "01JEVENT"),),
)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    def file(role: MailRole, name: str, media_type: str = "application/pdf") -> PackageFile:
        path = tmp_path / f"{role}-{name}"
        path.write_text(f"{role} {name}")
        return PackageFile(role, path, media_type, name)

    return [
        file(MailRole.MESSAGE, "message.txt", "text/plain"),
        file(MailRole.DOCUMENT, "arrêté.pdf"),
        file(MailRole.ADDITION, "plan.pdf"),
        file(MailRole.STATEMENT, "releve-01.json", "application/json"),
        file(MailRole.ATTESTATION, "attestation-01.pdf"),
        file(MailRole.ANSWER, "recours.pdf"),
        file(MailRole.STATEMENT, "releve-02.json", "application/json"),
        file(MailRole.ATTESTATION, "attestation-02.pdf"),
        file(MailRole.RETURN, "retour-02-1.eml", "message/rfc822"),
        file(MailRole.SUMMARY, "releve-envoi.json", "application/json"),
        file(MailRole.OVERVIEW, "attestation.pdf"),
        file(MailRole.JOURNAL, "journal.jsonl", "application/x-ndjson"),
    ]


def manifest_in(package: Path, folder: Path) -> Path:
    with zipfile.ZipFile(package) as zipped:
        return Path(zipped.extract("manifest.xml", folder))


def test_a_package_holds_an_item_for_each_recipient(files: list[PackageFile], tmp_path: Path) -> None:
    package = mail_package(tmp_path / "p.zip", RECORD, files)
    assert check_package(package.path) == []
    path = manifest_in(package.path, tmp_path)
    first, *others = read_manifest(path).units
    assert (first.level, first.title) == ("File", "Arrêté de péril – 4, rue du Lavoir")
    assert {one.parent for one in others} == {"AU1"}
    counts = {unit.get("id"): len(unit.findall("{*}DataObjectReference")) for unit in etree.parse(path).iter("{*}ArchiveUnit")}
    assert [(one.title, counts[one.identifier]) for one in others] == [
        ("Message envoyé", 1),
        ("arrêté.pdf", 1),
        ("plan.pdf", 1),
        ("Preuve pour Camille Aubert (camille.aubert@elus.test)", 3),
        ("Preuve pour sacha.perrin@elus.test", 3),
        ("Relevé de l’envoi entier", 1),
        ("Attestation de l’envoi entier", 1),
        ("Extrait du journal des événements", 1),
    ]


@pytest.mark.parametrize("version", list(Version))
def test_the_manifest_of_a_mail_is_valid_against_the_official_schema(
    version: Version, files: list[PackageFile], shared: Path, tmp_path: Path
) -> None:
    package = mail_package(tmp_path / "p.zip", RECORD, files, version=version)
    schemas = shared / "official/seda"
    validator = schema.load(schemas, version.value)
    assert validator.validate(etree.parse(manifest_in(package.path, tmp_path))), validator.error_log
    assert check_package(package.path, schemas=schemas) == []


def test_the_manifest_says_what_was_sent_under_which_rule_and_bears_no_language_of_the_caller(
    files: list[PackageFile], tmp_path: Path
) -> None:
    package = mail_package(tmp_path / "p.zip", RECORD, files)
    text = manifest_in(package.path, tmp_path).read_text()
    for said in (
        "Notification d’un document administratif, de Service de l’urbanisme, pour 2 destinataires.",
        "Courrier non retiré dans le délai",
        "<Rule>APP-COURRIER-SUIVI-5ANS</Rule>",
        "<FinalAction>Keep</FinalAction>",
        "à fixer par l’archiviste",
        "28/11/2031",
        "AR048",
        "<EventIdentifier>01JEVENT</EventIdentifier>",
    ):
        assert said in text, said
    with speaking("en"):
        assert mail_package(tmp_path / "again.zip", RECORD, files).sha256 == package.sha256


def test_a_mail_that_never_left_or_whose_documents_were_destroyed_has_its_record_too(
    files: list[PackageFile], tmp_path: Path
) -> None:
    package = mail_package(tmp_path / "p.zip", replace(RECORD, sent=None), files[3:])
    assert check_package(package.path) == []


def test_the_rule_that_the_archivist_has_fixed_is_the_one_that_applies(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    upgrade(database)
    fixed = RetentionRule(identifier="COURRIER-1AN", years=1, final_action=FinalAction.DESTROY, label="1 an", source="visa")
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        assert rules_for(session, town.id, "mail").appraisal == MAILS
        choose(session, town, "mail", fixed)
        rule = rules_for(session, town.id, "mail").appraisal
    database.close()
    assert (rule, replace(RECORD, retention=rule).keep_until) == (fixed, date(2027, 11, 28))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: [*files[:3], files[4], *files[3:]], "attestation-01.pdf ne suit le relevé d’aucun"),
        (lambda files: [*files[:6], *files[8:]], "il y en a 1"),
        (lambda files: files[:-1], "il y en a 0"),
        (lambda files: [*files, files[-2]], "il y en a 2"),
        (lambda files: [*files, replace(files[0], role="acquit")], "acquit"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(files: list[PackageFile], tmp_path: Path, change, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mail_package(tmp_path / "p.zip", RECORD, change(files))
    assert not (tmp_path / "p.zip").exists()
