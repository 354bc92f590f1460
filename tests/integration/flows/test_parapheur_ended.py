"""Folders that run ahead of the check of their dossier, which is refused meanwhile."""

from __future__ import annotations

import pytest

from core import clock
from core.errors import Conflict
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.parapheur.conclusion import perform
from flows.parapheur.leaving import leave
from signing.parapheur import actions, starting
from signing.parapheur.history import Said
from signing.parapheur.models import Folder, FolderState
from tests.conftest import on_one_shape
from tests.office import Office
from tests.town import Town

pytestmark = on_one_shape


@pytest.fixture
def office(town: Town) -> Office:
    return Office.opened(town.platform, town.organisation, town.played.authority)


def ahead(office: Office, kind: str = "visa") -> str:
    """A dossier that waits for its check, its folder in the circuit already, as some software sends it."""
    dossier = office.sends(kind, starts=False)
    with office.platform.database.writing(PLATFORM) as session:
        starting.start(session, office.folder(dossier).id, "platform")
    return dossier


def refused(office: Office, dossier: str) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        found = session.get_one(Dossier, dossier)
        found.state, found.problems = "rejected", [{"rule": "PDF", "severity": "error", "message": "La signature ne tient plus."}]
        session.add(found)


@pytest.mark.parametrize("kind", ["visa", "complet"])
def test_nobody_approves_what_was_refused_and_it_can_still_be_rejected(office: Office, kind: str) -> None:
    dossier = ahead(office, kind)
    refused(office, dossier)
    with pytest.raises(Conflict, match="La signature ne tient plus"):
        office.approves("dgs", dossier)
    (task,) = office.tasks(dossier, "dgs")
    who = office.principal("dgs")
    perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said("Signature rompue")))
    assert office.folder(dossier).state == FolderState.REJECTED


def test_a_folder_that_had_come_to_its_end_before_the_refusal_waits_for_nothing_any_more(office: Office) -> None:
    dossier = ahead(office)
    (task,) = office.tasks(dossier, "dgs")
    who = office.principal("dgs")
    with office.platform.database.writing(who) as session:
        actions.approve(session, who, task.id)
        folder = session.get_one(Folder, task.folder_id)
        assert folder.leaves_at is not None
        assert folder.leaves_at <= clock.now()
    refused(office, dossier)
    assert [leave(office.platform), leave(office.platform)] == [1, 0]
