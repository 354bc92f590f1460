"""What the platform does with a folder whose matter moved on outside: taken from its desks, sent once more with what is new."""

from __future__ import annotations

from io import BytesIO

import pytest
from sqlmodel import select

from core.errors import Conflict, UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.parapheur.conclusion import perform
from signing.parapheur import actions, emitting, starting
from signing.parapheur.folders import Joined, NewFolder, documents_of
from signing.parapheur.history import Said, broken_at, events_of
from signing.parapheur.models import DocumentKind, Folder, FolderState, Notice, TaskState
from signing.parapheur.renewal import renew, take_away
from tests.conftest import on_one_shape
from tests.office import Office, pdf
from tests.town import Town

pytestmark = on_one_shape
WHY = Said("La facture est suspendue.")


@pytest.fixture
def office(town: Town) -> Office:
    return Office.opened(town.platform, town.organisation, town.played.authority)


def sent(office: Office, kind: str = "complet") -> Folder:
    """A folder on its way."""
    dossier = office.sends(kind, starts=False)
    office.ready()
    folder = office.folder(dossier)
    with office.platform.database.writing(PLATFORM) as session:
        starting.start(session, folder.id, "platform")
    return office.folder(dossier)


def new(office: Office, folder: Folder, **changes: object) -> NewFolder:
    """The next round of a folder, with another document."""
    blob = office.platform.objects.put(BytesIO(pdf("Facture complétée")))
    values: dict[str, object] = {
        "title": "Facture complétée",
        "emitter_id": office.desks["secretariat"].id,
        "documents": (Joined(DocumentKind.MAIN, "complet.pdf", "application/pdf", blob.sha256, blob.size),),
        "subtype_id": office.kinds["visa"],
        "fields": {"facture.service": "TECH"},
        **changes,
    }
    return NewFolder(folder.dossier_id, folder.organisation_id, author="platform", **values)  # type: ignore[arg-type]


def taken(platform: Platform, folder: Folder) -> None:
    with platform.database.writing(PLATFORM) as session:
        take_away(session, folder.id, WHY)


def kinds(platform: Platform, folder: Folder) -> list[str]:
    with platform.database.reading(PLATFORM) as session:
        events = events_of(session, folder.id)
    assert broken_at(events) is None
    return [one.kind for one in events]


def test_a_folder_that_is_taken_away_waits_for_nobody_and_all_who_had_it_are_told_once(office: Office) -> None:
    folder = sent(office)
    office.approves("dgs", folder.dossier_id)
    taken(office.platform, folder)
    taken(office.platform, folder)
    now = office.folder(folder.dossier_id)
    assert (now.state, now.last_desk_id) == (FolderState.REJECTED, None)
    assert office.tasks(folder.dossier_id) == []
    assert [one.desk_id for one in office.tasks(folder.dossier_id, state=TaskState.DONE)] == [office.desks["dgs"].id]
    assert kinds(office.platform, folder) == ["created", "started", "approved", "withdrawn"]
    with office.platform.database.reading(PLATFORM) as session:
        told = session.exec(select(Notice.person_id).where(Notice.category == "withdrawn")).all()
    assert sorted(told) == sorted(office.people[short].id for short in ("dgs", "maire", "secretariat"))


def test_what_was_decided_before_is_left_as_it_is(office: Office) -> None:
    folder = sent(office, "visa")
    office.approves("dgs", folder.dossier_id)
    taken(office.platform, folder)
    assert office.folder(folder.dossier_id).state == FolderState.FINISHED
    assert kinds(office.platform, folder)[-1] == "approved"


def test_another_round_has_its_own_documents_and_circuit_after_the_history_of_those_before(office: Office) -> None:
    folder = sent(office)
    taken(office.platform, folder)
    with office.platform.database.writing(PLATFORM) as session:
        renew(session, folder.id, new(office, folder))
        starting.start(session, folder.id, "platform")
    again = office.folder(folder.dossier_id)
    assert (again.id, again.title, again.state) == (folder.id, "Facture complétée", FolderState.PENDING)
    assert again.fields == {"facture.service": "TECH"}
    with office.platform.database.reading(PLATFORM) as session:
        assert [one.name for one in documents_of(session, folder.id)] == ["complet.pdf"]
    assert len(office.tasks(folder.dossier_id, "dgs")) == 1
    assert kinds(office.platform, folder) == ["created", "started", "withdrawn", "renewed", "started"]


def test_a_folder_whose_documents_were_given_up_goes_round_again_too(office: Office) -> None:
    folder = sent(office)
    (task,) = office.tasks(folder.dossier_id, "dgs")
    who, sender = office.principal("dgs"), office.principal("secretariat")
    perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said("Non")))
    with office.platform.database.writing(sender) as session:
        emitting.erase(session, sender, folder.id)
    with office.platform.database.writing(PLATFORM) as session:
        renew(session, folder.id, new(office, folder))
    assert office.folder(folder.dossier_id).state == FolderState.DRAFT


def test_a_folder_in_its_circuit_is_not_sent_again(office: Office) -> None:
    folder = sent(office)
    with pytest.raises(Conflict), office.platform.database.writing(PLATFORM) as session:
        renew(session, folder.id, new(office, folder))
    assert kinds(office.platform, folder) == ["created", "started"]


def test_a_desk_that_may_send_nothing_sends_nothing_again(office: Office) -> None:
    folder = sent(office)
    taken(office.platform, folder)
    with pytest.raises(UsageError), office.platform.database.writing(PLATFORM) as session:
        renew(session, folder.id, new(office, folder, emitter_id="0" * 26))
    assert office.folder(folder.dossier_id).state == FolderState.REJECTED
