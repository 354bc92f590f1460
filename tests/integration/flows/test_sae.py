"""A sealed record on its way to an as@lae: sent once, acknowledged, accepted or refused, whatever breaks on the way."""

from __future__ import annotations

import hashlib
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from archive.models import Record
from connectors.asalae.simulated_messages import reply
from connectors.asalae.simulator import AsalaeSimulator
from connectors.sae.simulated_http import Mishap, Told
from connectors.vitam.simulator import VitamSimulator
from core import clock
from core.addresses import AddressRefused
from core.errors import Forbidden, Unavailable, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.models import Dossier
from flows.sae import deciding, intake
from flows.sae.models import SaeTransfer
from flows.sae.settings import Seda, When
from schemas.seda.reader import read_manifest
from schemas.seda.replies import read_reply
from tests.conftest import on_one_shape
from tests.sae import SENDER, Office, outside

pytestmark = on_one_shape


@pytest.fixture
def asalae(tmp_path: Path) -> Iterator[AsalaeSimulator]:
    with AsalaeSimulator(tmp_path / "asalae") as running:
        yield running


@pytest.fixture
def office(platform: Platform, mairie: Organisation, asalae: AsalaeSimulator, tmp_path: Path) -> Iterator[Office]:
    with Office.opened(platform, mairie, tmp_path) as office:
        office.configure(outside(asalae=asalae.settings(), repeat_minutes=0))
        yield office


def test_a_sealed_record_is_sent_acknowledged_and_accepted_and_every_message_is_kept(
    office: Office, asalae: AsalaeSimulator, tmp_path: Path
) -> None:
    record = office.seal()
    dossier_id = office.gather()
    assert office.run(dossier_id).state == "sent"
    assert office.follow(dossier_id).state == "acknowledged"
    accepted = office.follow(dossier_id)
    assert (accepted.state, accepted.title) == ("accepted", record.title)
    transfer = office.transfer(dossier_id)
    assert (transfer.system, transfer.code, transfer.account) == ("asalae", "000", office.organisation.id)
    assert transfer.cote.startswith("FRAD999_")
    assert transfer.settled is not None
    assert office.roles(dossier_id) == ["acknowledgement", "bordereau", "reply"]
    assert read_reply(office.file(dossier_id, "reply")).archive_identifier == transfer.cote
    sent = read_manifest(office.file(dossier_id, "bordereau"))
    assert (sent.version, sent.identifier, sent.agreement) == ("2.1", transfer.identifier, "ACCORD-99")
    assert (sent.archival_agency, sent.transferring_agency) == ("FRAD999", SENDER)
    sealed = read_manifest(_sealed_manifest(tmp_path / f"{record.id}.zip", tmp_path))
    assert [item.digest for item in sent.objects] == [item.digest for item in sealed.objects]
    assert office.journal(dossier_id) == [
        "sae.asked", "dossier.received", "sae.send.intended", "sae.send.leaving", "sae.send.sent",
        "sae.acknowledged", "sae.accepted",
    ]  # fmt: skip
    assert asalae.received == 1


def _sealed_manifest(package: Path, folder: Path) -> Path:
    with zipfile.ZipFile(package) as zipped:
        return Path(zipped.extract("manifest.xml", folder))


def test_a_record_that_is_handed_over_already_is_not_gathered_again(office: Office, asalae: AsalaeSimulator) -> None:
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.gather() == dossier_id
    assert asalae.received == 1


def test_a_large_record_goes_in_pieces_and_arrives_whole(
    office: Office, asalae: AsalaeSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("connectors.asalae.client.MEBIBYTE", 100)
    office.configure(outside(asalae=asalae.settings().model_copy(update={"chunk_mebibytes": 1})))
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"
    (arrived,) = (tmp_path / "asalae" / "transfers").glob("*/archive.tar.gz")
    assert arrived.stat().st_size > 2 * 100
    with tarfile.open(arrived) as tarred:
        assert len(tarred.getnames()) == 4
        assert all(name.isascii() and name.startswith("content/") for name in tarred.getnames())
    noted = office.dossier(dossier_id).facts["sending"]
    assert hashlib.sha256(arrived.read_bytes()).hexdigest() == noted["content"]


@pytest.mark.parametrize("code", ["001", "002"])
def test_an_acceptance_with_remarks_is_an_acceptance(office: Office, asalae: AsalaeSimulator, code: str) -> None:
    asalae.verdict = (code, "Merci de compléter la description")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"
    assert office.transfer(dossier_id).code == code


def test_a_refused_transfer_says_why_and_goes_again_under_a_new_identifier(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.verdict = ("203", "Le profil attend un mot-clé")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    refused = office.follow(dossier_id)
    assert refused.state == "refused"
    assert [(one["message"], one["found"]) for one in refused.problems] == [("Le profil attend un mot-clé", "203")]
    first = office.transfer(dossier_id)
    assert (first.code, first.cote) == ("203", "")
    asalae.verdict = ("000", "")
    assert deciding.send_again(office.platform, office.archivist, [dossier_id]) == 1
    assert office.run(dossier_id).state == "sent"
    office.follow(dossier_id)
    again = office.follow(dossier_id)
    assert (again.state, again.problems) == ("accepted", [])
    assert office.transfer(dossier_id).identifier != first.identifier
    assert asalae.received == 2
    assert deciding.send_again(office.platform, office.archivist, [dossier_id]) == 0


def test_a_transfer_that_is_given_up_may_be_handed_over_anew(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.verdict = ("203", "")
    record = office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    office.follow(dossier_id)
    assert deciding.give_up(office.platform, office.archivist, [dossier_id]) == 1
    assert office.dossier(dossier_id).state == "given_up"
    assert office.gather() == dossier_id
    assert deciding.hand_over(office.platform, office.archivist, [record.id]) == 1


def test_what_is_not_there_yet_is_waited_for_and_a_deadline_ends_the_wait(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.delay = 3600
    office.seal()
    dossier_id = office.gather()
    sent = office.run(dossier_id)
    assert office.follow(dossier_id).state == "sent"
    step = office.step(dossier_id)
    assert step is not None
    assert (step.stage, (step.due - sent.since).total_seconds()) == ("sae.deadline", 3600)
    assert office.run(dossier_id, later=True).parked
    asalae.delay = 0
    assert office.follow(dossier_id).state == "acknowledged"
    assert office.dossier(dossier_id).parked is None


def test_a_wrong_password_parks_the_transfer_and_nothing_has_left(office: Office, asalae: AsalaeSimulator) -> None:
    wrong = asalae.settings().model_copy(update={"password": SecretStr("autre")})
    office.configure(outside(asalae=wrong, repeat_minutes=60))
    office.seal()
    dossier_id = office.gather()
    parked = office.run(dossier_id)
    assert (parked.state, asalae.received) == ("ready", 0)
    assert parked.parked is not None
    assert "401" in parked.parked
    assert parked.facts["sending"]["left"] is None
    office.configure(outside(asalae=asalae.settings(), repeat_minutes=60))
    office.resume(dossier_id)
    assert office.run(dossier_id).state == "sent"


def test_an_address_that_the_operator_permits_no_more_parks_the_transfer_and_nothing_has_left(
    office: Office, asalae: AsalaeSimulator
) -> None:
    """A name that pointed elsewhere when it was configured comes to the same."""
    office.seal()
    dossier_id = office.gather()
    settings = office.platform.settings.model_copy(update={"private_networks": ""})
    with Office.opened(replace(office.platform, settings=settings), office.organisation, office.folder) as confined:
        parked = confined.run(dossier_id)
        with pytest.raises(AddressRefused):
            confined.configure(outside(asalae=asalae.settings()))
    assert (parked.state, asalae.received, parked.facts["sending"]["left"]) == ("ready", 0, None)
    assert "TABELLION_PRIVATE_NETWORKS" in (parked.parked or "")
    office.resume(dossier_id)
    assert office.run(dossier_id).state == "sent"


def test_an_outage_is_waited_out(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.faults.plan(Mishap.UNAVAILABLE, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    assert (office.run(dossier_id).state, asalae.received) == ("ready", 0)
    step = office.step(dossier_id)
    assert step is not None
    assert step.failures == 1
    assert office.run(dossier_id, later=True).state == "sent"
    asalae.faults.plan(Mishap.UNAVAILABLE, "message:Acknowledgement")
    with pytest.raises(Unavailable):
        office.follow(dossier_id)
    assert office.follow(dossier_id).state == "acknowledged"


def test_a_fault_with_a_text_is_no_refusal(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.faults.plan(Mishap.FAULT, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    assert office.run(dossier_id).state == "ready"
    step = office.step(dossier_id)
    assert step is not None
    assert "base de données" in (step.trouble or "")
    assert office.run(dossier_id, later=True).state == "sent"
    assert asalae.received == 1


def test_where_the_answer_was_lost_the_service_is_asked_before_anything_leaves_again(
    office: Office, asalae: AsalaeSimulator
) -> None:
    asalae.faults.plan(Mishap.LOST, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    assert (office.run(dossier_id).state, asalae.received) == ("ready", 1)
    assert office.run(dossier_id, later=True).state == "sent"
    assert office.journal(dossier_id).count("sae.send.leaving") == 1
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"


def test_what_was_received_but_does_not_show_yet_is_not_sent_again_at_once(office: Office, asalae: AsalaeSimulator) -> None:
    office.configure(outside(asalae=asalae.settings(), repeat_minutes=15))
    asalae.delay = 3600
    asalae.faults.plan(Mishap.LOST, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.run(dossier_id, later=True).state == "ready"
    step = office.step(dossier_id)
    assert step is not None
    assert step.failures == 0
    assert "interrogé" in (step.trouble or "")
    assert office.journal(dossier_id).count("sae.send.leaving") == 1


def test_a_repeat_that_is_refused_as_a_repeat_arrived_before(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.delay = 3600
    asalae.faults.plan(Mishap.LOST, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    assert office.run(dossier_id, later=True).state == "sent"
    assert office.journal(dossier_id).count("sae.send.leaving") == 2
    assert asalae.received == 1
    asalae.delay = 0
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"


def test_a_worker_that_dies_once_it_has_noted_what_it_sends_leaves_one_transfer(
    office: Office, asalae: AsalaeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.seal()
    dossier_id = office.gather()
    with monkeypatch.context() as patch:
        patch.setattr("flows.sae.stages._leave", _dies)
        with pytest.raises(SystemExit):
            office.run(dossier_id)
    office.free(dossier_id)
    noted = office.dossier(dossier_id).facts["sending"]
    assert noted["left"]
    assert office.run(dossier_id).state == "sent"
    assert office.transfer(dossier_id).identifier == noted["identifier"]
    assert asalae.received == 1


def _dies(*_: object, **__: object) -> None:
    raise SystemExit


def test_a_message_that_is_refused_at_the_door_is_a_refusal(office: Office, asalae: AsalaeSimulator) -> None:
    office.seal()
    dossier_id = office.gather()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asalae, "_receive", lambda _form: Told.text(413, "Quota dépassé"))
        refused = office.run(dossier_id)
    assert refused.state == "refused"
    assert refused.problems[0]["found"] == "Quota dépassé"
    assert office.transfer(dossier_id).sent is None


def test_an_old_service_is_spoken_to_in_seda_1_0(office: Office, asalae: AsalaeSimulator) -> None:
    office.configure(outside(asalae=asalae.settings(), seda=Seda.V1_0))
    office.seal()
    dossier_id = office.gather()
    assert office.run(dossier_id).state == "sent"
    sent = read_manifest(office.file(dossier_id, "bordereau"))
    assert (sent.version, sent.identifier, len(sent.objects)) == ("1.0", office.transfer(dossier_id).identifier, 4)
    office.follow(dossier_id)
    assert office.follow(dossier_id).state == "accepted"
    assert office.transfer(dossier_id).cote.startswith("FRAD999_")


def test_a_person_hands_over_what_goes_on_demand_only(office: Office, asalae: AsalaeSimulator) -> None:
    office.configure(outside(asalae=asalae.settings(), kinds={"helios": When.ON_DEMAND}))
    record = office.seal()
    intake.gather(office.platform, office.organisation.id)
    with office.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(SaeTransfer)).all() == []
    reader = Principal("person:01LECTEUR", {office.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        deciding.hand_over(office.platform, reader, [record.id])
    assert deciding.hand_over(office.platform, office.archivist, [record.id]) == 1
    assert deciding.hand_over(office.platform, office.archivist, [record.id]) == 0
    office.configure(outside(asalae=asalae.settings(), kinds={}))
    with pytest.raises(UsageError):
        deciding.hand_over(office.platform, office.archivist, [office.seal("autre").id])


def test_two_workers_make_one_transfer(office: Office, asalae: AsalaeSimulator) -> None:
    office.seal()
    dossier_id = office.gather()
    actor = office.engine.broker.get_actor("sae.send")
    threads = [threading.Thread(target=actor, args=(dossier_id,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (office.dossier(dossier_id).state, asalae.received) == ("sent", 1)
    with office.platform.database.reading(PLATFORM) as session:
        assert len(session.exec(select(Dossier)).all()) == 1


def test_a_reply_about_another_transfer_is_not_believed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    identifier = office.transfer(dossier_id).identifier
    monkeypatch.setattr("connectors.asalae.simulator.reply", lambda kept: reply(kept).replace(identifier.encode(), b"AUTRE"))
    parked = office.follow(dossier_id)
    assert (parked.state, "celle d’un autre" in (parked.parked or "")) == ("acknowledged", True)
    monkeypatch.undo()
    assert office.follow(dossier_id).state == "accepted"


def test_an_account_that_is_withdrawn_gathers_nothing_more(office: Office, asalae: AsalaeSimulator) -> None:
    office.seal()
    deciding.keep(office.platform, office.archivist, office.organisation.id, None)
    intake.gather(office.platform, office.organisation.id)
    with office.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(SaeTransfer)).all() == []
    assert asalae.received == 0


@pytest.mark.parametrize("page", [Told(200, b'{"error": "inconnu"}'), Told(200, b"<html>maintenance</html>", "text/html")])
def test_what_stands_in_between_neither_acknowledges_a_transfer_nor_knows_of_it(
    office: Office, asalae: AsalaeSimulator, page: Told
) -> None:
    asalae.faults.plan(Mishap.FAULT, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asalae, "_message", lambda _: page)
        unknown = office.run(dossier_id, later=True)
    assert (unknown.state, "lisible" in (unknown.parked or "")) == ("ready", True)
    office.resume(dossier_id)
    assert (office.run(dossier_id).state, asalae.received) == ("sent", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asalae, "_message", lambda _: page)
        unheard = office.follow(dossier_id)
    assert (unheard.state, "lisible" in (unheard.parked or "")) == ("sent", True)
    assert "acknowledgement" not in office.roles(dossier_id)
    assert office.follow(dossier_id).state == "acknowledged"


def test_a_piece_that_is_not_taken_leaves_no_word_that_nothing_has_left(
    office: Office, asalae: AsalaeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is there, under its identifier."""
    monkeypatch.setattr("connectors.asalae.client.MEBIBYTE", 100)
    office.configure(outside(asalae=asalae.settings().model_copy(update={"chunk_mebibytes": 1}), repeat_minutes=0))
    asalae.faults.plan(Mishap.UNAVAILABLE, "sedaAttachmentsChunkFiles")
    office.seal()
    dossier_id = office.gather()
    assert office.run(dossier_id).facts["sending"]["left"]
    assert "sae.send.withheld" not in office.journal(dossier_id)
    assert office.run(dossier_id, later=True).state == "sent"
    assert asalae.received == 1


def test_a_success_that_is_none_of_the_service_is_asked_about_before_anything_leaves_again(
    office: Office, asalae: AsalaeSimulator
) -> None:
    office.seal()
    dossier_id = office.gather()
    own = asalae._receive
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asalae, "_receive", lambda form: replace(own(form), status=202))
        parked = office.run(dossier_id)
    assert (parked.state, "HTTP 202" in (parked.parked or ""), asalae.received) == ("ready", True, 1)
    office.resume(dossier_id)
    assert office.run(dossier_id).state == "sent"
    assert office.journal(dossier_id).count("sae.send.leaving") == 1


def test_a_code_without_end_enters_neither_the_journal_nor_the_reasons(office: Office, asalae: AsalaeSimulator) -> None:
    asalae.verdict = ("203" + "x" * 10_000, "Non")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    refused = office.follow(dossier_id)
    with office.platform.database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(JournalEntry.kind == "sae.refused")).all()
    assert refused.problems[0]["found"] == entry.facts["code"] == "203" + "x" * 17


def test_a_reply_that_says_neither_yes_nor_no_is_not_taken_for_a_refusal(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    office.follow(dossier_id)
    monkeypatch.setattr("connectors.asalae.simulator.reply", lambda kept: reply(kept).replace(b"<ReplyCode>000</ReplyCode>", b""))
    parked = office.follow(dossier_id)
    assert (parked.state, "ne dit pas" in (parked.parked or "")) == ("acknowledged", True)
    monkeypatch.undo()
    assert office.follow(dossier_id).state == "accepted"


def test_a_transfer_that_the_service_has_lost_goes_again_or_is_given_up_once_nobody_waits_for_it(
    office: Office, asalae: AsalaeSimulator
) -> None:
    asalae.delay = 3600
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    first = office.transfer(dossier_id).identifier
    assert deciding.send_again(office.platform, office.archivist, [dossier_id]) == 0
    assert deciding.give_up(office.platform, office.archivist, [dossier_id]) == 0
    assert office.run(dossier_id, later=True).parked
    assert deciding.send_again(office.platform, office.archivist, [dossier_id]) == 1
    assert (office.run(dossier_id).state, office.transfer(dossier_id).identifier != first) == ("sent", True)
    assert office.run(dossier_id, later=True).parked
    assert deciding.give_up(office.platform, office.archivist, [dossier_id]) == 1
    assert (office.dossier(dossier_id).state, office.dossier(dossier_id).parked) == ("given_up", None)


def test_a_record_that_is_gone_is_refused_here_and_can_be_given_up(office: Office, asalae: AsalaeSimulator) -> None:
    record = office.seal()
    dossier_id = office.gather()
    with office.platform.database.writing(PLATFORM) as session:
        session.get_one(Record, record.id).eliminated = clock.now()
    refused = office.run(dossier_id)
    assert (refused.state, refused.parked, asalae.received) == ("refused", None, 0)
    assert "éliminée" in refused.problems[0]["message"]
    assert (office.transfer(dossier_id).sent, office.roles(dossier_id)) == (None, [])
    assert deciding.give_up(office.platform, office.archivist, [dossier_id]) == 1


def test_what_may_be_at_one_service_is_neither_sent_to_another_nor_asked_of_it(
    office: Office, asalae: AsalaeSimulator, tmp_path: Path
) -> None:
    asalae.faults.plan(Mishap.LOST, "POST /restservices/sedaMessages")
    office.seal()
    dossier_id = office.gather()
    office.run(dossier_id)
    with VitamSimulator(tmp_path / "vitam") as vitam:
        office.configure(outside(vitam=vitam.settings(), repeat_minutes=0))
        waits = office.run(dossier_id, later=True)
        assert (waits.state, "autre service (asalae)" in (waits.parked or "")) == ("ready", True)
        office.configure(outside(asalae=asalae.settings(), repeat_minutes=0))
        office.resume(dossier_id)
        assert office.run(dossier_id).state == "sent"
        office.configure(outside(vitam=vitam.settings()))
        unasked = office.follow(dossier_id)
        assert (unasked.state, "autre service (asalae)" in (unasked.parked or "")) == ("sent", True)
        assert (asalae.received, vitam.received) == (1, 0)
    office.configure(outside(asalae=asalae.settings()))
    assert office.follow(dossier_id).state == "acknowledged"


def test_settings_that_are_withdrawn_are_not_replaced_by_those_of_an_organisation_above(
    office: Office, asalae: AsalaeSimulator, tmp_path: Path
) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        below = add_organisation(session, "Régie", OrganisationKind.SERVICE, parent=office.organisation)
    own = replace(office, organisation=below)
    with AsalaeSimulator(tmp_path / "own") as theirs:
        own.configure(outside(asalae=theirs.settings(), repeat_minutes=0))
        theirs.faults.plan(Mishap.LOST, "POST /restservices/sedaMessages")
        own.seal()
        dossier_id = own.gather()
        own.run(dossier_id)
        deciding.keep(own.platform, own.archivist, below.id, None)
        assert "configuré" in (own.run(dossier_id, later=True).parked or "")
        assert (theirs.received, asalae.received) == (1, 0)
