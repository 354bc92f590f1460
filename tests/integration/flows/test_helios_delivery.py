"""A PES on its way to a gateway that fails: one delivery, whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import clock
from core.principal import PLATFORM
from flows.engine import moves
from flows.helios.flow import HELIOS
from tests.conftest import on_one_shape
from tests.pes_office import Office, office

__all__ = ["office"]


def received(office: Office) -> list[str]:
    return [delivery.remote_name for delivery in office.simulator.received()]


@on_one_shape
@pytest.mark.parametrize("fault", ["drop_before_publication", "drop_after_publication"])
def test_a_connection_that_is_cut_at_the_rename_leads_to_one_delivery(office: Office, fault: str) -> None:
    dossier = office.signed()
    setattr(office.simulator.faults, fault, True)
    assert office.attempt(dossier).state == "signed"
    assert office.attempt(dossier).state == "sent"
    assert len(received(office)) == 1


@on_one_shape
def test_an_upload_that_is_cut_is_begun_again(office: Office) -> None:
    dossier = office.signed()
    office.simulator.faults.drop_upload_after = 500
    assert office.attempt(dossier).state == "signed"
    assert received(office) == []
    assert office.attempt(dossier).state == "sent"
    assert len(received(office)) == 1


@on_one_shape
def test_a_wrong_destination_is_corrected_and_the_flow_leaves_under_the_right_name(office: Office) -> None:
    office.configure(p_dest="INCONNU")
    dossier = office.signed()
    assert office.attempt(dossier).parked
    office.resume(dossier)
    assert office.attempt(dossier).parked  # nothing was corrected
    office.empty_depot()  # as a gateway may do with what it refuses: that proves no delivery
    office.configure()
    office.resume(dossier)
    assert office.attempt(dossier).state == "sent"
    (name,) = received(office)
    assert name.startswith("VHPCE11%%")


@on_one_shape
def test_what_was_about_to_leave_is_not_looked_for_at_another_gateway(office: Office) -> None:
    dossier = office.signed()
    office.simulator.faults.drop_before_publication = True
    office.attempt(dossier)
    office.configure(username="autre")
    parked = office.attempt(dossier)
    assert parked.state == "signed"
    assert "ville@127.0.0.1" in (parked.parked or "")
    assert received(office) == []
    office.configure()
    office.resume(dossier)
    assert office.attempt(dossier).state == "sent"
    assert len(received(office)) == 1


@on_one_shape
def test_what_was_not_yet_about_to_leave_goes_to_another_gateway(office: Office) -> None:
    dossier = office.signed()
    office.simulator.faults.drop_upload_after = 500
    office.attempt(dossier)
    office.configure(username="autre")
    assert office.attempt(dossier).state == "sent"
    assert [delivery.account for delivery in office.simulator.received()] == ["autre"]


@on_one_shape
def test_a_part_of_a_file_that_was_about_to_leave_is_uploaded_again(office: Office) -> None:
    dossier = office.signed()
    office.simulator.faults.drop_before_publication = True
    office.attempt(dossier)
    (temporary,) = (office.folder / "gateway" / "accounts" / "ville" / "depot").iterdir()
    temporary.write_bytes(temporary.read_bytes()[:100])
    assert office.attempt(dossier).state == "sent"
    assert len(received(office)) == 1


def lost(office: Office) -> str:
    """Return a dossier of which nobody knows whether it has left."""
    dossier = office.signed()
    office.simulator.faults.drop_before_publication = True
    office.attempt(dossier)
    office.empty_depot()
    sending = office.dossier(dossier).facts["sending"]
    long_ago = clock.iso(clock.now() - timedelta(hours=13))
    office.change(dossier, facts=office.dossier(dossier).facts | {"sending": sending | {"at": long_ago}})
    assert "12 heures" in (office.attempt(dossier).parked or "")
    return dossier


@on_one_shape
def test_what_nobody_knows_to_have_left_is_sent_again_once_a_person_says_so(office: Office) -> None:
    dossier = lost(office)
    with office.platform.database.writing(PLATFORM) as session:  # as if the worker had died before it set the dossier aside
        moves.enter(session.connection(), HELIOS, dossier, office.organisation.id, "signed")
    assert office.attempt(dossier).parked
    assert received(office) == []  # whoever was asked has not answered
    office.resume(dossier)
    assert office.attempt(dossier).state == "sent"
    assert len(received(office)) == 1


@on_one_shape
def test_the_acquit_of_what_nobody_knows_to_have_left_answers_for_the_person(office: Office) -> None:
    dossier = lost(office)
    office.answer()
    assert office.collect() is None
    assert office.dossier(dossier).parked is None
    assert office.attempt(dossier).state == "sent"
    assert office.collect() is None
    assert office.dossier(dossier).state == "acquitted"
    assert received(office) == []
