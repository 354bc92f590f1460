"""What ``tabellion doctor`` says of the archive: each line well on a new platform, and each with what to do once it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.cli.doctor_archive import archive
from api.cli.finding import Finding
from archive.models import RecordCopy
from archive.watch import incidents
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import AuditRun
from core import clock
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Dossier
from tests.conftest import on_one_shape
from tests.kept_records import SECOND, seal, with_second_place

pytestmark = on_one_shape
OFFICIAL = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"/></xs:schema>'


def found(platform: Platform, part: str) -> Finding:
    (line,) = (line for line in archive(platform) if line.part == part)
    return line


def changed(platform: Platform, **settings: object) -> Platform:
    return replace(platform, settings=platform.settings.model_copy(update=settings))


@pytest.mark.usefixtures("mairie")
def test_on_a_new_platform_every_line_is_well(platform: Platform) -> None:
    lines = list(archive(platform))
    assert [line.well for line in lines] == [True] * 8
    assert "TABELLION_FORMATS_DIR" in lines[7].mend
    assert "TABELLION_SCHEMAS_DIR" in lines[6].mend
    assert "TABELLION_SMTP_URL" in lines[0].mend
    assert found(changed(platform, smtp_url=SecretStr("smtp://mail.test")), lines[0].part).mend == ""


def test_incidents_are_counted_until_they_are_closed_with_the_page_to_open(platform: Platform, mairie: Organisation) -> None:
    told = changed(platform, public_url="https://tabellion.test")
    with platform.database.writing(PLATFORM) as session:
        made = [
            open_incident(session, organisation_id=mairie.id, kind=Kind.COPY_ALTERED, place="", subject=name, facts={})
            for name in "abc"
        ]
        incidents.own(session, made[0], "person:p", new_id())
        incidents.close(session, made[1], "person:p", new_id(), "réparé")
    line = found(told, "Incidents des archives")
    assert (line.well, line.seen) == (False, "2 ouverts, dont 1 que personne n’a pris en charge")
    assert "https://tabellion.test/archives/incidents" in line.mend


def test_dossiers_that_a_restored_backup_has_as_they_were_are_counted_with_what_can_be_decided(
    platform: Platform, mairie: Organisation
) -> None:
    with platform.database.writing(PLATFORM) as session:
        session.add(Dossier(organisation_id=mairie.id, flow="helios", title="x", state="signed", parked="x", overtaken=True))
        session.add(Dossier(organisation_id=mairie.id, flow="helios", title="y", state="signed", parked="autre chose"))
    line = found(platform, "Dossiers d’avant la restauration")
    assert (line.well, line.seen.partition(" attend")[0]) == (False, "1 dossier mis de côté")
    assert "/dossiers?parked=1" in line.mend and "consider-sent" in line.mend


def test_an_audit_that_lags_is_named_with_its_place(platform: Platform, s3: S3Server) -> None:
    run = AuditRun(kind="integrity", place=SECOND, started=clock.now() - timedelta(days=400), total=10, looked=9)
    with platform.database.writing(PLATFORM) as session:
        session.add(run)
    line = found(with_second_place(platform, s3), "Contrôles des archives")
    assert (line.well, f"Intégrité des archives ({SECOND})" in line.seen, "archive.audit" in line.mend) == (False, True, True)


def test_locks_that_should_have_been_extended_and_copies_that_lack_are_told_by_place(
    platform: Platform, mairie: Organisation, s3: S3Server, tmp_path: Path
) -> None:
    record = seal(platform, mairie, tmp_path)
    assert found(platform, "Verrous des archives").well
    soon = clock.now() + timedelta(days=20)
    with platform.database.writing(PLATFORM) as session:
        session.get_one(RecordCopy, (record.id, "principal")).locked_until = soon
    line = found(platform, "Verrous des archives")
    assert not line.well
    assert line.seen == f"principal\u00a0: 1 non prolongés, le premier finit le {clock.in_paris(soon):%d/%m/%Y}"
    assert "archive.locks" in line.mend
    with platform.database.writing(PLATFORM) as session:
        session.get_one(RecordCopy, (record.id, "principal")).locked_until = clock.now() + timedelta(days=200)
    assert found(platform, "Verrous des archives").well
    assert found(platform, "Archives dans chaque lieu").well
    line = found(with_second_place(platform, s3), "Archives dans chaque lieu")
    assert (line.well, line.seen, "archive.replicate" in line.mend) == (False, f"1 manquent dans {SECOND}", True)


@pytest.mark.usefixtures("mairie")
def test_folders_of_schemas_and_signatures_are_tried(platform: Platform, tmp_path: Path) -> None:
    for name, content in (("sound", OFFICIAL), ("broken", "<xs:schema")):
        main = tmp_path / name / "seda-2.2" / "seda-2.2-main.xsd"
        main.parent.mkdir(parents=True)
        main.write_text(content)
    line = found(changed(platform, schemas_dir=tmp_path / "sound"), "Schémas SEDA")
    assert (line.well, line.seen) == (True, f"officiels 2.2 ({tmp_path / 'sound'})")
    line = found(changed(platform, schemas_dir=tmp_path / "broken"), "Schémas SEDA")
    assert (line.well, "TABELLION_SCHEMAS_DIR" in line.mend) == (False, True)
    line = found(changed(platform, formats_dir=tmp_path), "Formats de fichiers")
    assert (line.well, "TABELLION_FORMATS_DIR" in line.mend, "versions.xml" in line.seen) == (False, True, True)
