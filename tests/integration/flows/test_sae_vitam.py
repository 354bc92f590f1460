"""A sealed record on its way to a Vitam: ingested once over mutual TLS, followed by its operation, accepted or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.sae.simulated_http import Mishap
from connectors.vitam.client import Status
from connectors.vitam.settings import Context
from connectors.vitam.simulator import VitamSimulator
from core.organisations import Organisation
from core.platform import Platform
from flows.sae import deciding
from flows.sae.settings import Seda
from schemas.seda.reader import read_manifest
from schemas.seda.replies import read_reply
from tests.conftest import on_one_shape
from tests.sae import Office, outside

pytestmark = on_one_shape


@pytest.fixture
def vitam(tmp_path: Path) -> Iterator[VitamSimulator]:
    with VitamSimulator(tmp_path / "vitam") as running:
        yield running


@pytest.fixture
def office(platform: Platform, mairie: Organisation, vitam: VitamSimulator, tmp_path: Path) -> Iterator[Office]:
    with Office.opened(platform, mairie, tmp_path) as office:
        office.configure(outside(vitam=vitam.settings(), seda=Seda.V2_2, repeat_minutes=0))
        yield office


def test_a_sealed_record_is_ingested_followed_and_accepted(office: Office, vitam: VitamSimulator) -> None:
    office.seal()
    dossier_id = office.gather()
    assert office.run(dossier_id).state == "sent"
    assert office.follow(dossier_id).state == "acknowledged"
    assert office.follow(dossier_id).state == "accepted"
    transfer = office.transfer(dossier_id)
    assert (transfer.system, transfer.code, len(transfer.reference), len(transfer.cote)) == ("vitam", "OK", 36, 36)
    assert office.roles(dossier_id) == ["acknowledgement", "bordereau", "reply"]
    assert read_manifest(office.file(dossier_id, "bordereau")).version == "2.2"
    assert vitam.received == 1


def test_an_ingest_with_a_warning_is_an_acceptance(office: Office, vitam: VitamSimulator) -> None:
    vitam.verdict = (Status.WARNING, "Des formats n’ont pas été identifiés")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"
    assert office.transfer(dossier_id).code == "WARNING"


def test_a_failed_ingest_is_refused_though_its_reply_is_no_valid_seda(office: Office, vitam: VitamSimulator) -> None:
    vitam.verdict = (Status.KO, "La règle de gestion APP-COMPTA-10ANS est inconnue du référentiel")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    refused = office.follow(dossier_id)
    assert refused.state == "refused"
    assert [one["message"] for one in refused.problems] == [vitam.verdict[1]]
    assert b"<ReplyCodeListVersion></ReplyCodeListVersion>" in office.file(dossier_id, "reply").read_bytes()
    assert not read_reply(office.file(dossier_id, "reply")).accepted


def test_an_ingest_that_stopped_at_a_fault_of_vitam_is_told_and_not_taken_for_a_refusal(
    office: Office, vitam: VitamSimulator
) -> None:
    vitam.verdict = (Status.FATAL, "")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.follow(dossier_id).state == "acknowledged"
    stopped = office.follow(dossier_id)
    assert stopped.state == "acknowledged"
    assert "PAUSE, FATAL" in (stopped.parked or "")


def test_an_ingest_that_runs_is_waited_for(office: Office, vitam: VitamSimulator) -> None:
    vitam.delay = 3600
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "acknowledged"
    vitam.delay = 0
    assert office.follow(dossier_id).state == "accepted"


def test_where_the_answer_was_lost_the_journal_of_vitam_tells_the_operation(office: Office, vitam: VitamSimulator) -> None:
    vitam.faults.plan(Mishap.LOST, "POST /ingest-external/v1/ingests")
    office.seal()
    dossier_id = office.gather()
    assert (office.run(dossier_id).state, vitam.received) == ("ready", 1)
    assert office.run(dossier_id, later=True).state == "sent"
    assert (len(office.transfer(dossier_id).reference), vitam.received) == (36, 1)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"


def test_an_operation_whose_manifest_was_not_read_yet_is_found_by_its_session(office: Office, vitam: VitamSimulator) -> None:
    vitam.delay = 3600
    vitam.faults.plan(Mishap.LOST, "POST /ingest-external/v1/ingests")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.run(dossier_id, later=True).state == "sent"
    assert (len(office.transfer(dossier_id).reference), vitam.received) == (36, 1)


def test_under_a_name_of_our_own_an_operation_is_found_once_its_manifest_was_read(office: Office, vitam: VitamSimulator) -> None:
    named = vitam.settings().model_copy(update={"application": "TABELLION"})
    office.configure(outside(vitam=named, seda=Seda.V2_2, repeat_minutes=60))
    vitam.delay = 3600
    vitam.faults.plan(Mishap.LOST, "POST /ingest-external/v1/ingests")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.run(dossier_id, later=True).state == "ready"
    vitam.delay = 0
    assert office.run(dossier_id, later=True).state == "sent"
    assert vitam.received == 1


def test_a_package_that_was_cut_off_leaves_again_though_the_journal_knows_of_it(office: Office, vitam: VitamSimulator) -> None:
    vitam.cut = 1
    vitam.faults.plan(Mishap.LOST, "POST /ingest-external/v1/ingests")
    office.seal()
    dossier_id = office.gather()
    assert (office.run(dossier_id).state, vitam.received) == ("ready", 0)
    assert office.run(dossier_id, later=True).state == "sent"
    office.follow(dossier_id)
    assert (office.follow(dossier_id).state, vitam.received) == ("accepted", 1)


def test_another_certificate_than_the_one_expected_parks_the_transfer(
    office: Office, vitam: VitamSimulator, tmp_path: Path
) -> None:
    with VitamSimulator(tmp_path / "other") as other:
        stranger = other.settings().client_certificate
    office.configure(outside(vitam=vitam.settings().model_copy(update={"client_certificate": stranger}), seda=Seda.V2_2))
    office.seal()
    dossier_id = office.gather()
    parked = office.run(dossier_id)
    assert (parked.state, vitam.received) == ("ready", 0)
    assert parked.parked is not None
    assert "certificat client" in parked.parked
    assert parked.facts["sending"]["left"] is None


def test_a_server_of_an_unknown_authority_is_sent_nothing(office: Office, vitam: VitamSimulator, tmp_path: Path) -> None:
    with VitamSimulator(tmp_path / "other") as other:
        authorities = other.settings().authorities
    office.configure(outside(vitam=vitam.settings().model_copy(update={"authorities": authorities}), seda=Seda.V2_2))
    office.seal()
    dossier_id = office.gather()
    assert "autorité connue" in (office.run(dossier_id).parked or "")
    assert vitam.received == 0


def test_another_tenant_is_refused_and_told(office: Office, vitam: VitamSimulator) -> None:
    office.configure(outside(vitam=vitam.settings().model_copy(update={"tenant": 9, "passphrase": SecretStr("secret")})))
    office.seal()
    dossier_id = office.gather()
    refused = office.run(dossier_id)
    assert refused.state == "refused"
    assert "Tenant inconnu" in refused.problems[0]["message"]


def test_what_vitam_only_looked_at_is_not_told_to_be_kept_there(office: Office, vitam: VitamSimulator) -> None:
    trial = vitam.settings().model_copy(update={"context": Context.DRY_RUN})
    office.configure(outside(vitam=trial, seda=Seda.V2_2))
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    office.configure(outside(vitam=vitam.settings(), seda=Seda.V2_2))  # what counts is for what it was handed over
    tried = office.follow(dossier_id)
    assert (tried.state, office.transfer(dossier_id).cote) == ("refused", "")
    assert "n’en a rien gardé" in tried.problems[0]["message"]
    assert deciding.send_again(office.platform, office.archivist, [dossier_id]) == 1
    office.run(dossier_id)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"
