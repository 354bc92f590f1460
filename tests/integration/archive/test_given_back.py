"""What is given back proves for as long as the platform does, and says what was decided: renewed proofs, holds, statements."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from archive.correction import correcting
from archive.correction.models import RecordCorrection
from archive.describing import describe
from archive.finding import restitutions, volumes
from archive.finding.dip import write_dip
from archive.finding.restitution import restitute
from archive.models import EvidenceStamp, Record
from archive.package import Package
from archive.places import statements
from archive.proof import heads
from archive.proof.ers import stamping
from archive.proof.ers.verification import verify_with_package
from archive.proof.resealing import reseal
from archive.proof.verification import EvidenceVerdict, verify_evidence
from archive.retention import changing, holds
from archive.retention.defaults import ACCOUNTING, PRIVATE_LIFE
from archive.retention.models import RecordHeld, RecordHold
from archive.retention.rules import Category
from archive.sealing import Sealing, intent_of, put_under_lock
from archive.sealing import record as record_it
from core import clock
from core.canonical import canonical_bytes
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.ended_records import today
from tests.journals import quiet
from tests.kept_records import seal

pytestmark = on_one_shape


@pytest.fixture
def trust(authority: Callable[[str], TsaSimulator]) -> TrustStore:
    return TrustStore.of([authority("tsa").anchor])


@dataclass(frozen=True)
class Given:
    """A fonds as it was given back, in a folder."""

    folder: Path

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.folder / name).read_text("utf-8-sig")), delimiter=";"))

    def summed(self) -> set[str]:
        return {line.split("  ")[1] for line in (self.folder / "SHA256SUMS").read_text().splitlines()}


def both(platform: Platform, organisation: Organisation, folder: Path) -> Iterator[Given]:
    """Give a fonds back into a folder, and into volumes that are unpacked into another."""
    assert restitute(platform, organisation, folder / "folder", actor="platform").finished
    yield Given(folder / "folder")
    asked = restitutions.ask(platform, PLATFORM, organisation.id)
    restitutions.run(platform, "")
    with platform.database.reading(PLATFORM) as session:
        kept = volumes.volumes_of(session, asked)
    for volume in kept:
        with (
            platform.objects.reading_held(volumes.key_of(volume)) as stream,
            zipfile.ZipFile(io.BytesIO(stream.read())) as zipped,
        ):
            zipped.extractall(folder / "volumes")
    yield Given(folder / "volumes")


def handed_over(platform: Platform, organisation: Organisation, folder: Path) -> Record:
    """Seal a package that came from outside."""
    came = seal(platform, organisation, folder)
    path = folder / f"{came.id}.zip"
    told = Sealing(organisation.id, new_id(), "transfer", ACCOUNTING, PRIVATE_LIFE)
    package = Package(path, came.sha256, came.size, "", ())
    copies = put_under_lock(platform, package, intent_of(told, package))
    with platform.database.writing(PLATFORM) as session:
        return session.get_one(Record, record_it(session, told, describe(path), copies))


def test_what_is_handed_out_is_proved_by_its_newest_digest_and_by_what_is_renewed(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamps: TimestampClient, trust: TrustStore
) -> None:
    record = seal(platform, mairie, tmp_path)
    heads.cut(platform, stamps)
    stamping.begin(platform, stamps)
    reseal(platform, "SHA-512", stamps, quiet)
    write_dip(platform, record.id, tmp_path / "dip.zip")
    with zipfile.ZipFile(tmp_path / "dip.zip") as zipped:
        zipped.extractall(tmp_path / "dip")
    assert verify_evidence(tmp_path / "dip/preuve.zip", trust=trust).verdict is EvidenceVerdict.VALID
    with zipfile.ZipFile(tmp_path / "dip/preuve.zip") as evidence:
        assert json.loads(evidence.read("proof.json"))["package_hash"] == "SHA-512"
        evidence.extract("package.zip", tmp_path)
    renewed = verify_with_package(tmp_path / "dip/preuve.ers", tmp_path / "package.zip", trust=trust)
    assert renewed.verdict is EvidenceVerdict.VALID
    assert "archive verify preuve.ers --package package.zip" in (tmp_path / "dip/LISEZ-MOI.txt").read_text()
    assert "preuve.ers" in (tmp_path / "dip/SHA256SUMS").read_text()


def test_a_fonds_is_given_back_with_the_proofs_that_are_renewed_as_they_stand_on_that_day(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamps: TimestampClient, trust: TrustStore
) -> None:
    record = seal(platform, mairie, tmp_path)
    heads.cut(platform, stamps)
    stamping.begin(platform, stamps)
    first = []
    for given in both(platform, mairie, tmp_path):
        (row,) = given.rows("index.csv")
        assert row["enregistrement de preuve"] == row["preuve"].replace(".zip", ".ers")
        first.append((given.folder / row["enregistrement de preuve"]).read_bytes())
        package, renewed = given.folder / row["paquet"], given.folder / row["enregistrement de preuve"]
        assert verify_with_package(renewed, package, trust=trust).verdict is EvidenceVerdict.VALID
        assert row["enregistrement de preuve"] in given.summed()
    written = tmp_path / "folder" / row["enregistrement de preuve"]
    file = written.stat().st_ino
    assert next(both(platform, mairie, tmp_path)).folder == tmp_path / "folder"
    assert written.stat().st_ino == file  # nothing was renewed: it was not written again
    with platform.database.writing(PLATFORM) as session:
        for stamp in session.exec(select(EvidenceStamp)):
            stamp.stamped -= timedelta(days=40)
    assert stamping.renew(platform, stamps, timedelta(days=36500)) == 1
    # A folder that was begun before takes up what was renewed meanwhile.
    again = next(both(platform, mairie, tmp_path))
    now = (again.folder / again.rows("index.csv")[0]["enregistrement de preuve"]).read_bytes()
    assert len(now) > len(first[0])
    assert first[0] == first[1]
    assert again.rows("index.csv")[0]["identifiant"] == record.id


def test_a_fonds_is_given_back_with_what_was_decided_about_it(platform: Platform, mairie: Organisation, tmp_path: Path) -> None:
    free, frozen = seal(platform, mairie, tmp_path), handed_over(platform, mairie, tmp_path)
    found = canonical_bytes({"dossier": frozen.dossier_id, "signatures": "valides le jour de l’entrée"})
    statements.keep(platform, statements.OF_TRANSFER, frozen.dossier_id or "", found)
    wanted = holds.Wanted("recours n° 12", "direction juridique", today() + timedelta(days=90), (frozen.id,))
    stands = holds.put(platform, PLATFORM, mairie.id, wanted)
    gone = holds.put(platform, PLATFORM, mairie.id, holds.Wanted("erreur", "archives", today(), (free.id, frozen.id)))
    holds.lift(platform, PLATFORM, gone, "posé par erreur")
    rule = changing.follow(platform, PLATFORM, mairie.id, changing.Wanted(Category.APPRAISAL, ACCOUNTING, today()))
    closing = correcting.Wanted("agent nommé", correcting.Access("AR048", None))
    corrected = correcting.correct(platform, PLATFORM, free.id, closing)
    with platform.database.reading(PLATFORM) as session:
        sealed_as = session.get_one(RecordCorrection, corrected).statement
    for given in both(platform, mairie, tmp_path):
        rows = {row["identifiant"]: row for row in given.rows("index.csv")}
        assert (rows[free.id]["règle d’accès"], rows[free.id]["communicable le"]) == ("AR048 v1", "")
        assert "agent nommé" in (given.folder / f"decisions/correction/{sealed_as}.json").read_text()
        assert (rows[free.id]["gels"], rows[frozen.id]["gels"]) == ("", stands)
        assert (rows[free.id]["décision d’entrée"], rows[free.id]["enregistrement de preuve"]) == ("", "")
        assert (given.folder / rows[frozen.id]["décision d’entrée"]).read_bytes() == found
        (held,) = given.rows("gels.csv")
        assert (held["gel"], held["motif"], held["responsable"]) == (stands, "recours n° 12", "direction juridique")
        assert (held["archives"], held["à réexaminer le"]) == ("1", wanted.review.isoformat())
        said = json.loads((given.folder / held["décision"]).read_text())
        assert (said["reason"], said["records"]) == ("recours n° 12", [frozen.id])
        decided = {name for name in given.summed() if name.startswith("decisions/")}
        assert {f"decisions/{kind}/{name}.json" for kind, name in (("hold", gone), ("rule", rule.id))} < decided
        assert len(decided) == 6
        (why,) = (name for name in decided if name.startswith("decisions/hold_lifted/"))
        assert json.loads((given.folder / why).read_text())["reason"] == "posé par erreur"
        assert "reposez d’abord ceux de gels.csv" in (given.folder / "LISEZ-MOI.txt").read_text()


def test_a_decision_that_no_place_holds_keeps_nothing_else_from_its_owner_and_is_named(
    platform: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = handed_over(platform, mairie, tmp_path)  # without what was found at its entry
    owned = {"organisation_id": mairie.id, "placed": clock.now(), "placed_by": "platform"}
    hold = RecordHold(reason="perdu", owner="archives", statement="0" * 64, review=today(), **owned)
    with platform.database.writing(PLATFORM) as session:
        session.add(hold)
        session.flush()
        session.add(RecordHeld(hold_id=hold.id, record_id=record.id, organisation_id=mairie.id))
    for given in both(platform, mairie, tmp_path):
        (row,) = [row for row in given.rows("index.csv") if row["identifiant"] == record.id]
        assert (row["gels"], row["décision d’entrée"]) == (hold.id, "")
        assert (given.rows("gels.csv")[0]["motif"], given.rows("gels.csv")[0]["décision"]) == ("perdu", "")
        told = (given.folder / "LISEZ-MOI.txt").read_text()
        assert "une décision manque" in told
        assert f"decisions/hold/{hold.id}.json" in told
        assert not list((given.folder).glob("decisions/*/*"))
