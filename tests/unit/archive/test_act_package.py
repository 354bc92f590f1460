"""The package of an act: what was sent, the State's acknowledgement, every message that followed with its day and direction."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lxml import etree

from archive.ingest.inspection import check_package
from archive.kinds.act import ActFile, ActRecord, ActRole, Exchange, act_package
from archive.retention.defaults import DECISIONS, FREE, OTHER_ACTS, PRIVATE_LIFE, access_to_act
from archive.retention.referential import rules_for
from archive.retention.rules import RetentionRule
from core.database import Database
from core.errors import UsageError
from core.messages import Catalogue, speaking
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from schemas.actes.codes import NATURES, MessageCode
from schemas.seda import schema
from schemas.seda.model import Agency, Event, FinalAction, Version
from schemas.seda.reader import Manifest, read_manifest
from tests.referential import choose

AT = datetime(2026, 11, 28, 9, 15, tzinfo=UTC)
BASE = "040-219900016-20260210-DEL2026_07-DE"
ANSWER_NAME = f"99_DE-{BASE}-3-4_1.pdf"
RECORD = ActRecord(
    transfer="tabellion-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=AT,
    archival_agency=Agency("219900016", "SIREN"),
    transferring_agency=Agency("219900016", "SIREN"),
    producer=Agency("219900016", "SIREN"),
    producer_name="Commune de Valmorin",
    number="DEL2026_07",
    subject="Vote des tarifs de la cantine & du périscolaire",
    nature=1,
    nature_label="Délibérations",
    matiere="7.1",
    matiere_label="Finances locales / Décisions budgétaires",
    decided=date(2026, 2, 10),
    received=date(2026, 2, 12),
    id_acte=BASE,
    control_ended=date(2026, 7, 6),
    retention=DECISIONS,
    access=FREE,
    events=(Event(AT, "actes.elapsed", "01JEVENT"),),
)


def day(month: int, number: int, hour: int = 9) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., ActFile]:
    def make(role: str, name: str, media_type: str = "application/pdf", **more: object) -> ActFile:
        path = tmp_path / f"{role}-{name}"
        path.write_text(f"{role} {name}")
        return ActFile(role, path, media_type, name, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def files(made: Callable[..., ActFile]) -> list[ActFile]:
    xml, gz = "application/xml", "application/gzip"
    letter = date(2026, 3, 20)
    asked = Exchange(MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE, day(3, 21), letter, missing=("carte.pdf", "plan.pdf"))
    answered = Exchange(MessageCode.PIECE_COMPLEMENTAIRE, day(5, 4, 22), letter=letter)
    acknowledged = Exchange(MessageCode.AR_PIECE_COMPLEMENTAIRE, day(5, 6), date(2026, 5, 5), letter)
    return [
        made(ActRole.DOCUMENT, f"99_DE-{BASE}-1-1_1.pdf", own_name="Délibération tarifs.pdf"),
        made(ActRole.SIGNATURE, "délibération.p7s", "application/pkcs7-signature"),
        made(ActRole.ANNEX, f"99_DE-{BASE}-1-1_2.pdf", own_name="Grille des tarifs.pdf"),
        made(ActRole.ANNEX, f"99_DE-{BASE}-1-1_3.png", "image/png", own_name="Plan d’accès.png"),
        made(ActRole.ENVELOPE, "TAB-EACT--219900016--20260211-1.tar.gz", gz, exchange=Exchange(MessageCode.ACTE, day(2, 11))),
        made(
            ActRole.ACKNOWLEDGEMENT, f"{BASE}-1-2_0.xml", xml,
            exchange=Exchange(MessageCode.AR_ACTE, day(2, 13), date(2026, 2, 12)),
        ),
        made(ActRole.MESSAGE, f"{BASE}-3-1_17.xml", xml, exchange=asked),
        made(ActRole.ATTACHMENT, f"{BASE}-3-1_16.pdf"),
        made(ActRole.MESSAGE, "TAB-EACT--219900016--20260505-1.tar.gz", gz, exchange=answered),
        made(ActRole.ATTACHMENT, ANSWER_NAME, own_name="Étude complète.pdf"),
        made(ActRole.MESSAGE, f"{BASE}-3-5_3.xml", xml, exchange=acknowledged),
        made(ActRole.JOURNAL, "journal.jsonl", "application/x-ndjson"),
    ]  # fmt: skip


def manifest_of(package: Path, folder: Path) -> tuple[Manifest, str]:
    with zipfile.ZipFile(package) as zipped:
        path = Path(zipped.extract("manifest.xml", folder))
    return read_manifest(path), path.read_text()


def units_of(text: str) -> dict[str, dict[str, str]]:
    """The units of a manifest by title: the plain elements of each one's content."""
    namespace = f"{{{Version.V2_2.namespace}}}"
    found = {}
    for unit in etree.fromstring(text.encode()).iter(f"{namespace}ArchiveUnit"):
        content = {child.tag.removeprefix(namespace): child.text or "" for child in unit.find(f"{namespace}Content")}
        found[content["Title"]] = content
    return found


def test_a_package_holds_what_was_sent_its_proof_and_every_message_in_order(files: list[ActFile], tmp_path: Path) -> None:
    package = act_package(tmp_path / "p.zip", RECORD, files)
    assert check_package(package.path) == []
    manifest, _ = manifest_of(package.path, tmp_path)
    (act, *items) = manifest.units
    assert (act.level, act.parent, act.title) == ("File", None, "DEL2026_07 – Vote des tarifs de la cantine & du périscolaire")
    titles = {unit.identifier: unit.title for unit in manifest.units}
    assert [(titles[unit.parent or ""], unit.title) for unit in items] == [
        (act.title, "Délibération tarifs.pdf"),
        ("Délibération tarifs.pdf", "délibération.p7s"),
        (act.title, "Grille des tarifs.pdf"),
        (act.title, "Plan d’accès.png"),
        (act.title, "Archive transmise à l’État (1-1)"),
        (act.title, "Accusé de réception de l’acte (1-2)"),
        (act.title, "Demande de pièces complémentaires (3-1)"),
        ("Demande de pièces complémentaires (3-1)", f"{BASE}-3-1_16.pdf"),
        (act.title, "Pièces complémentaires (3-4)"),
        ("Pièces complémentaires (3-4)", "Étude complète.pdf"),
        (act.title, "Accusé de réception des pièces complémentaires ou de leur refus (3-5)"),
        (act.title, "Extrait du journal des événements"),
    ]
    assert {unit.level for unit in items} == {"Item"}
    assert all(len([one for one in unit.references if one.startswith("GO")]) == 1 for unit in items)


def test_files_keep_the_names_they_travelled_under_and_every_byte(files: list[ActFile], tmp_path: Path) -> None:
    package = act_package(tmp_path / "p.zip", RECORD, files)
    manifest, _ = manifest_of(package.path, tmp_path)
    assert [item.filename for item in manifest.objects] == [file.name for file in files]
    with zipfile.ZipFile(package.path) as zipped:
        for file, item in zip(files, manifest.objects, strict=True):
            assert zipped.read(item.uri or "") == file.path.read_bytes()


@pytest.mark.parametrize("version", list(Version))
def test_the_manifest_is_valid_against_the_official_schema(
    version: Version, files: list[ActFile], shared: Path, tmp_path: Path
) -> None:
    validator = schema.load(shared / "official/seda", version.value)
    every_code = [
        replace(files[6], exchange=Exchange(code, AT))
        for code in MessageCode
        if code.about_an_act or code is MessageCode.ANOMALIE_ENVELOPPE
    ]
    for rank, more in enumerate((files, [*files[:6], files[-1]], [*files[:-1], *every_code, files[-1]])):
        package = act_package(tmp_path / f"{rank}.zip", RECORD, more, version=version)
        manifest_of(package.path, tmp_path)
        assert validator.validate(etree.parse(tmp_path / "manifest.xml")), validator.error_log


def test_the_manifest_says_what_is_known_of_the_act(files: list[ActFile], tmp_path: Path) -> None:
    manifest, text = manifest_of(act_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    act = units_of(text)[RECORD.title]
    assert act["OriginatingAgencyArchiveUnitIdentifier"] == "DEL2026_07"
    assert act["DocumentType"] == "Délibérations"
    assert act["Description"] == (
        "Délibérations, matière 7.1 Finances locales / Décisions budgétaires. Décision du 10/02/2026, reçue par le représentant "
        f"de l’État le 12/02/2026 sous l’identifiant {BASE}. Contrôle de légalité achevé le 06/07/2026."
    )
    assert (act["TransactedDate"], act["ReceivedDate"]) == ("2026-02-10", "2026-02-12")
    assert (act["StartDate"], act["EndDate"]) == ("2026-02-10", "2026-05-06")
    for keyword in ("Commune de Valmorin", "contrôle de légalité", f"Identifiant de l’acte {BASE}"):
        assert f"<KeywordContent>{keyword}</KeywordContent>" in text
    assert "<KeywordReference>7.1</KeywordReference>" in text
    assert "<EventIdentifier>01JEVENT</EventIdentifier>" in text
    assert manifest.identifier == RECORD.transfer


def test_each_message_says_its_direction_its_days_and_what_never_came(files: list[ActFile], tmp_path: Path) -> None:
    units = units_of(manifest_of(act_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)[1])
    asked = units["Demande de pièces complémentaires (3-1)"]
    assert asked["Description"] == "Reçu de l’État le 21/03/2026. Pièces annoncées et jamais reçues\u00a0: carte.pdf, plan.pdf."
    assert (asked["TransactedDate"], asked["ReceivedDate"]) == ("2026-03-20", "2026-03-21")
    assert asked["DocumentType"] == "DemandePieceComplementaire"
    answered = units["Pièces complémentaires (3-4)"]
    assert answered["SentDate"] == "2026-05-05"  # 22:00 in UTC: the day in Paris is the next one
    assert (
        answered["Description"] == "Envoyé à l’État le 05/05/2026. Lettre du représentant de l’État concernée\u00a0: 20/03/2026."
    )
    proof = units["Accusé de réception de l’acte (1-2)"]
    assert (proof["TransactedDate"], proof["ReceivedDate"]) == ("2026-02-12", "2026-02-13")
    assert units["Archive transmise à l’État (1-1)"]["SentDate"] == "2026-02-11"
    assert units["Grille des tarifs.pdf"]["Description"] == "Annexe 1"
    assert units["Plan d’accès.png"]["Description"] == "Annexe 2"


def test_a_cancelled_transmission_says_so_and_not_that_the_control_is_over(files: list[ActFile], tmp_path: Path) -> None:
    record = replace(RECORD, control_ended=None, cancelled=date(2026, 3, 2), matiere_label=None)
    act = units_of(manifest_of(act_package(tmp_path / "p.zip", record, files).path, tmp_path)[1])[RECORD.title]
    assert "Transmission annulée le 02/03/2026" in act["Description"]
    assert "Contrôle de légalité" not in act["Description"]
    assert "matière 7.1." in act["Description"]


def test_a_second_try_gives_the_same_bytes_whatever_the_language_of_the_caller(files: list[ActFile], tmp_path: Path) -> None:
    first = act_package(tmp_path / "p.zip", RECORD, files)
    with speaking("en"):
        assert act_package(tmp_path / "again.zip", RECORD, files).sha256 == first.sha256


def test_a_deliberation_is_kept_for_ever_one_year_after_its_decision(files: list[ActFile], tmp_path: Path) -> None:
    _, text = manifest_of(act_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    rule = "<Rule>APP-ACTES-1AN</Rule>\n          <StartDate>2026-02-10</StartDate>"
    assert " ".join(rule.split()) in " ".join(text.split())
    assert "<FinalAction>Keep</FinalAction>" in text
    assert "DAF/DPACI/RES/2009/018" in text
    assert RECORD.keep_until == date(2027, 2, 10)


def test_private_life_is_hidden_from_the_most_recent_document_and_not_from_the_decision(
    files: list[ActFile], tmp_path: Path
) -> None:
    record = replace(RECORD, nature=3, matiere="4.1", access=access_to_act(3, (4, 1)))
    _, text = manifest_of(act_package(tmp_path / "p.zip", record, files).path, tmp_path)
    assert "<Rule>AR048</Rule> <StartDate>2026-05-06</StartDate>" in " ".join(text.split())
    assert "06/05/2076" in text
    assert "date du document le plus récent" in text
    assert text.count("<Comment>") == 2


@pytest.mark.parametrize(
    ("nature", "matieres", "rule"),
    [
        (3, (4, 1), PRIVATE_LIFE),
        (4, (4, 2), PRIVATE_LIFE),
        (3, (8, 2), PRIVATE_LIFE),
        (3, (8, 2, 1), PRIVATE_LIFE),
        (1, (4, 1), FREE),
        (4, (8, 2), FREE),
        (3, (8, 1), FREE),
        (3, (2, 2), FREE),
        (6, (9, 1), FREE),
    ],
)
def test_nature_and_matiere_say_when_an_act_may_be_read(nature: int, matieres: tuple[int, ...], rule: object) -> None:
    assert access_to_act(nature, matieres) == rule


def test_decisions_follow_the_national_instruction_and_the_rest_waits_for_the_archivist(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    upgrade(database)
    with database.writing(PLATFORM) as session:
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        default = [rules_for(session, town.id, f"actes.{nature}").appraisal for nature in sorted(NATURES)]
        fixed = RetentionRule(
            identifier="APP-CONTRATS-5ANS", years=5, final_action=FinalAction.DESTROY, label="contrats : 5 ans", source="visa"
        )
        choose(session, town, "actes.4", fixed)
        now = [rules_for(session, town.id, f"actes.{nature}").appraisal for nature in sorted(NATURES)]
    database.close()
    assert default == [DECISIONS, DECISIONS, DECISIONS, OTHER_ACTS, OTHER_ACTS, OTHER_ACTS]
    assert [rule.final_action for rule in default] == [FinalAction.KEEP] * 6
    assert now == [*default[:3], fixed, *default[4:]]


def test_every_message_about_an_act_has_a_name_for_the_archivist() -> None:
    messages = Catalogue("archive")
    codes = [code for code in MessageCode if code.about_an_act] + [MessageCode.ANOMALIE_ENVELOPPE]
    assert [code for code in codes if f"act.{code.value}" not in messages] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files[1:], "Acte tel qu’il a été transmis.*il y en a 0"),
        (lambda files: [files[0], *files], "Acte tel qu’il a été transmis.*il y en a 2"),
        (lambda files: [*files[:4], *files[5:]], "Archive transmise à l’État.*il y en a 0"),
        (lambda files: [*files[:5], *files[6:]], "Accusé de réception de l’État.*il y en a 0"),
        (lambda files: [*files[:6], *files[5:]], "Accusé de réception de l’État.*il y en a 2"),
        (lambda files: files[:-1], "journal.*il y en a 0"),
        (lambda files: [*files, replace(files[0], role="acquit")], "acquit"),
        (lambda files: [files[0], *files[2:5], files[1], *files[5:]], "délibération.p7s ne suit ni"),
        (lambda files: [*files[:5], files[7], *files[5:]], "3-1_16.pdf ne suit ni"),
        (lambda files: [files[1], files[0], *files[2:]], "délibération.p7s ne suit ni"),
        (lambda files: [*files[:6], replace(files[6], exchange=None), *files[7:]], "3-1_17.xml"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(
    files: list[ActFile], tmp_path: Path, change: Callable[[list[ActFile]], list[ActFile]], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        act_package(tmp_path / "p.zip", RECORD, change(files))
    assert not (tmp_path / "p.zip").exists()
