"""The record of an invoice: what an auditor wants to know of it in ten years, sealed once, proved and verified offline."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api.simulators import Treasury
from archive.ingest.inspection import check_package
from archive.models import Record
from archive.places.places import fetch
from archive.proof.proving import write_evidence
from archive.proof.verification import EvidenceVerdict, verify_evidence
from connectors.chorus import services
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.statuses import Status
from core.errors import TabellionError, Unavailable
from core.principal import PLATFORM
from flows.engine.work import KeptFile, Work
from flows.invoices import archiving, deciding, life, telling
from flows.invoices.deciding import Asked
from flows.invoices.handing import acknowledge
from flows.invoices.models import TargetState
from flows.invoices.settings import VISA, InvoiceVisa, VisaRoute
from schemas.seda.reader import Manifest, read_manifest
from signing.parapheur.history import Said
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.invoices import InvoicesTown
from tests.office import Office
from tests.waiting import wait_until

pytestmark = on_one_shape
REASON = "Facture reçue deux fois."


@pytest.fixture
def office(invoices: InvoicesTown) -> Office:
    return Office.opened(invoices.platform, invoices.organisation)


def record_of(invoices: InvoicesTown, dossier_id: str) -> Record:
    with invoices.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()


def opened(invoices: InvoicesTown, record: Record, folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a package that holds, and its files by their names in it."""
    path = folder / "package.zip"
    fetch(invoices.platform, record, path)
    assert check_package(path) == []
    with zipfile.ZipFile(path) as zipped:
        content = {name.removeprefix("content/"): zipped.read(name) for name in zipped.namelist()}
        return read_manifest(Path(zipped.extract("manifest.xml", folder))), content


def words(octets: bytes, folder: Path) -> str:
    """What people read in a PDF, on one line."""
    path = folder / "read.pdf"
    path.write_bytes(octets)
    said = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, text=True, check=True).stdout
    return " ".join(said.split())


def test_the_record_of_a_paid_invoice_says_who_approved_what_was_told_and_what_was_handed_over(
    invoices: InvoicesTown, office: Office, played: Treasury, tmp_path: Path
) -> None:
    route = VisaRoute(subtype=office.kinds["visa"], emitter=office.desks["secretariat"].id)
    invoices.configure(VISA, InvoiceVisa(routes=(route,)))
    (known,) = invoices.arrive(number="F-2026-1", desk=101, engagement="ENG-7", pieces=2)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        office.approves("dgs", dossier.id, Said("Livré et conforme."))
        invoices.wait_for(dossier.id, "handed")
        acknowledge(invoices.platform, PLATFORM, dossier.id, taken=True, software_reference="LIQ-12")
        deciding.ask(invoices.platform, office.principal("secretariat"), dossier.id, [Asked(Status.MANDATED, mandate="1204")])
        wait_until(lambda: invoices.state.invoice(known).status == Status.MANDATED)
        wait_until(lambda: {one.state for one in invoices.targets(dossier.id)} == {TargetState.TOLD})
        invoices.pay(known)
        invoices.wait_for(dossier.id, "archived")
        record = record_of(invoices, dossier.id)
        proof = tmp_path / "proof.zip"

        def proved() -> bool:
            try:
                write_evidence(invoices.platform, PLATFORM, record.id, proof)
            except Unavailable:
                return False
            return True

        wait_until(proved)
    assert record.rule == "APP-FACTURES-10ANS v1"
    manifest, content = opened(invoices, record, tmp_path)
    unit = manifest.units[0]
    assert unit.title is not None
    assert unit.title.startswith("Facture F-2026-1 du ")
    assert [one.title for one in manifest.units[1:]] == [
        f"Facture_{known}.pdf",
        "Bon_de_livraison_1.pdf",
        "Bon_de_livraison_2.pdf",
        f"pivot_{known}.xml",
        "Rapport de contrôle de la facture",
        "Bordereau du visa «\u00a0service fait\u00a0»",
        "Manifeste de remise au logiciel financier",
        "Fiche de suivi de la facture",
        "Vie de la facture\u00a0: statuts de Chorus Pro, décisions dites, remises",
        "Traces des échanges avec Chorus Pro",
        "Extrait du journal des événements",
    ]
    told = json.loads(content["vie.json"])
    (visa,) = told["visas"]
    assert (visa["event"], visa["who"], visa["desk"]) == ("approved", "Dominique Exemple", "Direction générale")
    assert [(one["status"], one["outcome"], one["mandate"]) for one in told["decisions"]] == [
        ("SERVICE_FAIT", "told", ""),
        ("MANDATEE", "told", "1204"),
    ]
    assert [one["code"] for one in told["statuses"]] == invoices.state.statuses(known)
    (handed,) = told["handovers"]
    assert (handed["state"], handed["software_reference"], handed["cycle"]) == ("taken", "LIQ-12", 1)
    read = words(content["fiche-de-suivi.pdf"], tmp_path)
    for said in ("Dominique Exemple (Direction générale)", "Livré et conforme.", "Mandat 1204", "LIQ-12", "Camille Essai"):
        assert said in read
    treated = [json.loads(line) for line in content["echanges-chorus.jsonl"].splitlines()]
    assert sum(one["service"] == services.TREAT.path for one in treated) == 2
    assert b"Dominique" not in content["journal.jsonl"]
    report = verify_evidence(proof, trust=TrustStore.from_folder(played.trust_dir))
    assert report.verdict is EvidenceVerdict.VALID, report.as_json()


def test_the_record_of_a_rejected_invoice_has_the_reason_and_each_cycle(
    invoices: InvoicesTown, office: Office, tmp_path: Path
) -> None:
    route = VisaRoute(subtype=office.kinds["visa"], emitter=office.desks["secretariat"].id)
    invoices.configure(VISA, InvoiceVisa(routes=(route,)))
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        invoices.suspend(known)
        invoices.wait_for(dossier.id, "suspended")
        invoices.complete(known)
        invoices.wait_for(dossier.id, "in_parapheur")
        deciding.ask(invoices.platform, office.principal("dgs"), dossier.id, [Asked(Status.REJECTED, REASON, "DOUBLON")])
        invoices.wait_for(dossier.id, "archived")
    _, content = opened(invoices, record_of(invoices, dossier.id), tmp_path)
    told = json.loads(content["vie.json"])
    assert told["invoice"]["cycle"] == 2
    assert [one["event"] for one in told["visas"]] == ["withdrawn", "withdrawn"]
    (decision,) = told["decisions"]
    assert (decision["outcome"], decision["reason"], decision["reason_code"]) == ("told", REASON, "DOUBLON")
    assert decision["who"] == "Dominique Exemple"
    assert sum(name.startswith("bordereau-de-visa") for name in content) == 2


def resting(invoices: InvoicesTown, known: int, folder: Path) -> tuple[str, Work]:
    """An invoice in the hands of the archiving."""
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    invoices.pay(known)
    return dossier.id, work_on(invoices, dossier.id, folder)


def work_on(invoices: InvoicesTown, dossier_id: str, folder: Path) -> Work:
    folder.mkdir()
    files = tuple(
        KeptFile(one.role, one.name, one.media_type, one.sha256, one.size, one.created) for one in invoices.files(dossier_id)
    )
    notes: dict[str, Any] = dict(invoices.dossier(dossier_id).facts)
    return Work(
        invoices.platform, dossier_id, invoices.organisation.id, "", "closing", notes, files, folder, 1,
        lambda _, **told: notes.update(told),
    )  # fmt: skip


def test_a_second_try_makes_the_same_package_whatever_came_meanwhile(invoices: InvoicesTown, tmp_path: Path) -> None:
    (known,) = invoices.arrive()
    dossier_id, _ = resting(invoices, known, tmp_path / "before")
    life.observe(invoices.platform, dossier_id, invoices.client(dossier_id))
    assert invoices.dossier(dossier_id).state == "closing"
    first = archiving.archive.perform(work_on(invoices, dossier_id, tmp_path / "1"))
    acknowledge(invoices.platform, PLATFORM, dossier_id, taken=True, software_reference="LIQ-12")
    again = archiving.archive.perform(work_on(invoices, dossier_id, tmp_path / "2"))
    assert first.journal == again.journal  # type: ignore[union-attr]


def test_what_was_still_to_be_told_is_closed_before_the_record_is_made(invoices: InvoicesTown, tmp_path: Path) -> None:
    """The answer to a rejection was lost, and the search found it before anybody came back to it."""
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    deciding.ask(invoices.platform, PLATFORM, dossier.id, [Asked(Status.REJECTED, REASON)])
    invoices.state.gateway.faults.plan(Mishap.LOST, services.TREAT.path)
    with pytest.raises(TabellionError):
        telling.tell(invoices.platform, invoices.organisation.id)
    life.observe(invoices.platform, dossier.id, invoices.client(dossier.id))
    archiving.archive.perform(work_on(invoices, dossier.id, tmp_path / "1"))
    assert [one.state for one in invoices.targets(dossier.id)] == [TargetState.TOLD]
    with zipfile.ZipFile(tmp_path / "1" / "package.zip") as zipped:
        told = json.loads(zipped.read("content/vie.json"))
    assert [one["outcome"] for one in told["decisions"]] == ["told"]
