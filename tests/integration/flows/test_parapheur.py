"""Documents through the signing book: people decide, and dossiers follow; what the shape could change, on each."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from archive.models import Record
from core import clock
from core.configuration import configure
from core.errors import Conflict, Forbidden, UsageError
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.engine.models import DossierFile
from flows.parapheur.conclusion import perform
from flows.parapheur.leaving import leave
from signing.parapheur import actions, consultation, desks, emitting, folders, recall, starting
from signing.parapheur.desks import Hand
from signing.parapheur.history import Said, broken_at, events_of
from signing.parapheur.models import Folder, FolderDocument, FolderEvent, FolderState, StepKind, Subtype, TaskState, Visibility
from signing.parapheur.sealing import SEAL, ServerSeal
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from tests.conftest import on_one_shape
from tests.office import Office, pdf
from tests.town import Town


@pytest.fixture
def office(town: Town) -> Office:
    return Office.opened(town.platform, town.organisation, town.played.authority)


def files(office: Office, dossier_id: str) -> dict[str, DossierFile]:
    with office.platform.database.reading(PLATFORM) as session:
        return {kept.role: kept for kept in session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id))}


def told(office: Office, dossier_id: str) -> list[str]:
    with office.platform.database.reading(PLATFORM) as session:
        return [event.kind for event in events_of(session, office.folder(dossier_id).id)]


def kept_to_themselves(office: Office, dossier_id: str) -> tuple[bool, bool]:
    """Tell whether the record of a dossier is confidential, and withheld from software."""
    with office.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()
        return record.confidential, record.withheld


def document_of(office: Office, dossier_id: str) -> FolderDocument:
    with office.platform.database.reading(PLATFORM) as session:
        return folders.main_documents(session, office.folder(dossier_id).id)[0]


def test_a_pes_is_approved_then_signed_by_the_mayor_then_sent_and_archived(office: Office, town: Town) -> None:
    office.routes_helios()
    with town.at_work():
        dossier = town.push("PES_PARAPHEUR", bordereaux=2)
        town.wait_for(dossier, "in_parapheur")
        assert office.folder(dossier).summary["mandats"] == 2
        office.approves("dgs", dossier)
        office.signs("maire", dossier)
        town.wait_for(dossier, "archived")
    (delivered,) = town.played.gateway.received()
    assert delivered.sha256 == files(office, dossier)["signed"].sha256 != files(office, dossier)["pes"].sha256
    path = town.folder / "delivered.xml"
    town.platform.objects.fetch(delivered.sha256, path)
    verdict = verify(path, trust=TrustStore.from_folder(town.played.trust_dir))
    assert (verdict.verdict, {one.signer for one in verdict.signatures}) == (Belief.VALID, {"Claude Modèle"})


@on_one_shape
def test_a_pes_that_signing_has_to_prepare_leaves_once_it_is_signed(office: Office, town: Town) -> None:
    office.routes_helios()
    path = town.pes("PES_A_PREPARER", dematerialised=False)
    path.write_bytes(re.sub(rb'<Bordereau Id="[^"]*"', b"<Bordereau", path.read_bytes()))
    with town.at_work():
        dossier = town.deposit(path)
        town.wait_for(dossier, "in_parapheur")
        office.approves("dgs", dossier)
        office.signs("maire", dossier)
        town.wait_for(dossier, "archived")


def test_a_pes_rejected_in_the_signing_book_never_leaves_and_may_be_sent_again(office: Office, town: Town) -> None:
    office.routes_helios()
    path = town.pes("PES_REJECTED")
    with town.at_work():
        dossier = town.deposit(path)
        town.wait_for(dossier, "in_parapheur")
        (task,) = office.tasks(dossier, "dgs")
        who = office.principal("dgs")
        with pytest.raises(UsageError, match="motif"):
            perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said(note="  ")))
        perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said(note="Imputation fausse")))
        town.wait_for(dossier, "declined")
        again = town.deposit(path)
        town.wait_for(again, "in_parapheur")
    assert again != dossier
    assert office.folder(dossier).state == FolderState.REJECTED.value
    assert town.played.gateway.received() == []


@on_one_shape
def test_a_pes_whose_circuit_asks_nobody_to_sign_is_held_back_at_once_and_goes_once_it_does(office: Office, town: Town) -> None:
    office.routes_helios()
    takes(office, "visa")
    with town.at_work():
        dossier = town.push("PES_UNSIGNED")
        town.wait_for(dossier, "in_parapheur")
        held = office.folder(dossier)
        assert held.state == FolderState.DRAFT.value
        assert "ne part pas sans signature" in (held.trouble or "")
        assert office.tasks(dossier, "dgs") == []
        takes(office, "complet")
        who = office.principal("secretariat")
        hand = emitting_hand(office, held)
        perform(office.platform, who, lambda session: starting.start(session, held.id, hand))
        office.approves("dgs", dossier)
        office.signs("maire", dossier)
        town.wait_for(dossier, "archived")


def takes(office: Office, circuit: str) -> None:
    """Let the PES take another circuit."""
    with office.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["pes"])
        subtype.choice = [{"circuit": circuit}]
        session.add(subtype)


def emitting_hand(office: Office, folder: Folder) -> Hand:
    with office.platform.database.reading(PLATFORM) as session:
        return emitting.emitter_hand(session, office.principal("secretariat"), folder.emitter_id)


def test_a_letter_goes_through_its_circuit_and_its_signature_holds(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = office.sends("complet")
        town.wait_for(dossier, "in_parapheur")
        office.approves("dgs", dossier, Said(note="Bon pour signature"))
        office.signs("maire", dossier)
        town.wait_for(dossier, "archived")
    signed = town.folder / "signed.pdf"
    town.platform.objects.fetch(files(office, dossier)["signed"].sha256, signed)
    verdict = verify(signed, trust=TrustStore.from_folder(town.played.trust_dir))
    assert (verdict.verdict, verdict.signatures[0].signer) == (Belief.VALID, "Claude Modèle")
    assert told(office, dossier) == ["created", "started", "approved", "signed"]
    assert kept_to_themselves(office, dossier) == (True, True)


@on_one_shape
def test_a_seal_is_set_without_anybody(office: Office, town: Town) -> None:
    seal = town.played.seal()
    with town.platform.database.writing(PLATFORM) as session:
        values = {"pkcs12": seal.pkcs12, "password": seal.password, "quality": "Commune de Valmorin"}
        configure(session, town.platform.secrets, town.organisation.id, SEAL, ServerSeal(**values))
    with town.at_work():
        dossier = office.sends("cachet", visibility=Visibility.PUBLIC)
        town.wait_for(dossier, "archived")
    sealed = town.folder / "sealed.pdf"
    town.platform.objects.fetch(files(office, dossier)["signed"].sha256, sealed)
    assert verify(sealed, trust=TrustStore.from_folder(town.played.trust_dir)).verdict is Belief.VALID
    assert told(office, dossier) == ["created", "started", "sealed"]
    assert kept_to_themselves(office, dossier) == (False, False)


@on_one_shape
def test_without_a_seal_the_dossier_waits_for_an_operator_who_is_told_why(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = office.sends("cachet")
        from tests.waiting import wait_until

        wait_until(lambda: town.dossier(dossier).parked is not None, 20)
    assert "cachet" in (town.dossier(dossier).parked or "")


def in_circuit(office: Office, town: Town, kind: str, **values: object) -> str:
    dossier = office.sends(kind, **values)  # type: ignore[arg-type]
    town.wait_for(dossier, "in_parapheur")
    return dossier


@on_one_shape
def test_the_last_desk_takes_back_what_nobody_has_dealt_with(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        office.approves("dgs", dossier)
        who = office.principal("dgs")
        perform(office.platform, who, lambda session: recall.undo(session, who, office.folder(dossier).id))
        assert len(office.tasks(dossier, "dgs")) == 1
        assert office.tasks(dossier, "maire") == []
        office.approves("dgs", dossier)
        office.signs("maire", dossier)
        with pytest.raises(Conflict):
            perform(office.platform, who, lambda session: recall.undo(session, who, office.folder(dossier).id))


@on_one_shape
def test_a_signature_taken_back_leaves_the_document_as_it_was(office: Office, town: Town) -> None:
    with town.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["signature"])
        subtype.options = {**subtype.options, "recall_minutes": 30}
        session.add(subtype)
    with town.at_work():
        dossier = in_circuit(office, town, "signature")
        before = document_of(office, dossier).sha256
        office.signs("maire", dossier)
        assert document_of(office, dossier).sha256 != before
        assert town.dossier(dossier).state == "in_parapheur"
        who = office.principal("maire")
        perform(office.platform, who, lambda session: recall.undo(session, who, office.folder(dossier).id))
        assert document_of(office, dossier).sha256 == before
        office.signs("maire", dossier)
        with town.platform.database.writing(PLATFORM) as session:
            folder = session.get_one(Folder, office.folder(dossier).id)
            folder.leaves_at = clock.now() - timedelta(seconds=1)
            session.add(folder)
        assert leave(town.platform) == 1
        town.wait_for(dossier, "archived")


@on_one_shape
def test_a_finished_folder_waits_for_its_time_before_it_leaves(office: Office, town: Town) -> None:
    with town.platform.database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["visa"])
        subtype.options = {**subtype.options, "recall_minutes": 30}
        session.add(subtype)
    with town.at_work():
        dossier = in_circuit(office, town, "visa")
        office.approves("dgs", dossier)
        assert leave(town.platform) == 0
        assert town.dossier(dossier).state == "in_parapheur"


@on_one_shape
def test_every_desk_of_a_step_acts_where_all_must(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "ensemble")
        office.approves("adjoint", dossier)
        assert office.tasks(dossier, "maire") == []
        office.approves("dgs", dossier)
        assert len(office.tasks(dossier, "maire")) == 1


@on_one_shape
def test_the_first_desk_decides_where_one_is_enough(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "premier")
        office.approves("adjoint", dossier)
        assert len(office.tasks(dossier, "maire")) == 1
        (task,) = office.tasks(dossier, "dgs", TaskState.WITHDRAWN)
        who = office.principal("dgs")
        with pytest.raises(Conflict):
            perform(office.platform, who, lambda session: actions.approve(session, who, task.id))


def test_of_two_who_act_at_once_one_is_told_who_was_first_and_nothing_is_lost(office: Office, town: Town) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        desks.seat(session, office.desks["dgs"], office.people["secretariat"].id)
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        (task,) = office.tasks(dossier, "dgs")
        ready, refusals = threading.Barrier(2), []

        def act(short: str) -> None:
            who = office.principal(short)
            ready.wait()
            try:
                perform(office.platform, who, lambda session: actions.approve(session, who, task.id))
            except Conflict as error:
                refusals.append(str(error))

        threads = [threading.Thread(target=act, args=(short,)) for short in ("dgs", "secretariat")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(refusals) == 1
    assert any(name in refusals[0] for name in ("Dominique Exemple", "Camille Essai"))
    assert told(office, dossier).count("approved") == 1


@on_one_shape
def test_who_stands_in_acts_in_the_absence_of_a_desk_and_for_nothing_else(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        who = office.principal("adjoint")
        (task,) = office.tasks(dossier, "dgs")
        with pytest.raises(Forbidden):
            perform(office.platform, who, lambda session: actions.approve(session, who, task.id))
        now = clock.now()
        with office.platform.database.writing(PLATFORM) as session:
            dgs, adjoint = office.desks["dgs"], office.desks["adjoint"]
            desks.delegate(session, "platform", dgs, adjoint, now - timedelta(days=1), now + timedelta(days=1))
        perform(office.platform, who, lambda session: actions.approve(session, who, task.id))
    with office.platform.database.reading(PLATFORM) as session:
        event = session.exec(select(FolderEvent).where(FolderEvent.task_id == task.id)).one()
    assert (event.desk_id, event.behalf_id) == (office.desks["adjoint"].id, office.desks["dgs"].id)


@on_one_shape
def test_an_opinion_comes_back_to_the_desk_that_asked(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        (task,) = office.tasks(dossier, "dgs")
        dgs, adjoint = office.principal("dgs"), office.principal("adjoint")
        target = office.desks["adjoint"].id
        perform(office.platform, dgs, lambda session: consultation.ask_opinion(session, dgs, task.id, target))
        assert office.tasks(dossier, "dgs") == []
        (asked,) = office.tasks(dossier, "adjoint")
        assert asked.kind == StepKind.OPINION.value
        said = Said(note="Favorable")
        perform(office.platform, adjoint, lambda session: consultation.give_opinion(session, adjoint, asked.id, said))
        office.approves("dgs", dossier)
        assert len(office.tasks(dossier, "maire")) == 1


@on_one_shape
def test_a_task_transferred_is_done_by_the_other_desk(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        (task,) = office.tasks(dossier, "dgs")
        dgs = office.principal("dgs")
        target = office.desks["adjoint"].id
        perform(office.platform, dgs, lambda session: consultation.transfer(session, dgs, task.id, target))
        office.approves("adjoint", dossier)
        assert len(office.tasks(dossier, "maire")) == 1


@on_one_shape
def test_a_rejected_letter_is_mended_and_sent_again(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "visa")
        (task,) = office.tasks(dossier, "dgs")
        dgs, clerk = office.principal("dgs"), office.principal("secretariat")
        perform(office.platform, dgs, lambda session: actions.reject(session, dgs, task.id, Said(note="À compléter")))
        assert town.dossier(dossier).state == "in_parapheur"
        folder = office.folder(dossier).id
        perform(office.platform, clerk, lambda session: emitting.recycle(session, clerk, folder))

        def start(session):  # type: ignore[no-untyped-def]
            hand = emitting.emitter_hand(session, clerk, office.desks["secretariat"].id)
            return starting.start(session, folder, hand)

        perform(office.platform, clerk, start)
        office.approves("dgs", dossier)
        town.wait_for(dossier, "archived")


@on_one_shape
def test_a_draft_given_up_ends_its_dossier(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "visa", starts=False)
        clerk = office.principal("secretariat")
        folder = office.folder(dossier).id
        perform(office.platform, clerk, lambda session: emitting.erase(session, clerk, folder))
        town.wait_for(dossier, "given_up")


@on_one_shape
def test_a_folder_whose_circuit_cannot_be_drawn_comes_back_as_a_draft_with_the_reason(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "au-choix")
    folder = office.folder(dossier)
    assert folder.state == FolderState.DRAFT.value
    assert "au choix" in (folder.trouble or "")


@on_one_shape
def test_the_certificate_of_somebody_else_signs_nothing(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "signature")
        with pytest.raises(Forbidden, match="Autre Personne"):
            office.signs("maire", dossier, key=office.key_named("Autre Personne"))
    assert len(office.tasks(dossier, "maire")) == 1


@on_one_shape
def test_a_certificate_of_an_unknown_authority_signs_nothing(office: Office, town: Town) -> None:
    from signing.pki import TestAuthority

    stranger = Office(office.platform, office.organisation, TestAuthority.create("Inconnue"))
    with town.at_work():
        dossier = in_circuit(office, town, "signature")
        with pytest.raises(Forbidden, match="reconnue"):
            office.signs("maire", dossier, key=stranger.key_named("Claude Modèle"))


@on_one_shape
def test_many_folders_are_signed_in_one_sitting_and_each_goes_on(office: Office, town: Town) -> None:
    with town.at_work():
        dossiers = [in_circuit(office, town, "signature", title=f"Arrêté {number}") for number in range(4)]
        office.signs("maire", *dossiers)
        for dossier in dossiers:
            town.wait_for(dossier, "archived")


@on_one_shape
def test_an_event_that_was_changed_is_found_by_its_number_and_the_journal_bears_each_digest(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "complet")
        office.approves("dgs", dossier, Said(note="Accord"))
    with office.platform.database.writing(PLATFORM) as session:
        events = events_of(session, office.folder(dossier).id)
        assert broken_at(events) is None
        leaves = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier)).all()
        borne = {entry.facts["event"] for entry in leaves if entry.kind.startswith("folder.")}
        assert borne == {event.digest for event in events}
        events[2].note = "Refus"
        assert broken_at(events) == 3
        session.rollback()


@on_one_shape
def test_nothing_that_people_write_stands_in_the_journal(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = in_circuit(office, town, "visa", title="Sanction de Paul Essai")
        office.approves("dgs", dossier, Said(note="Secret de polichinelle", private_note="Ne pas dire"))
    with office.platform.database.reading(PLATFORM) as session:
        leaves = [entry.leaf() for entry in session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier))]
    assert leaves
    assert not any(word in leaf for leaf in leaves for word in (b"Paul", b"polichinelle", b"Ne pas dire"))


@on_one_shape
def test_a_pdf_that_nobody_can_open_is_refused_before_anybody_is_asked(office: Office, town: Town) -> None:
    with town.at_work():
        dossier = office.sends("visa", "Cassé", pdf()[:300])
        town.wait_for(dossier, "rejected")
    assert town.dossier(dossier).problems[0]["rule"] == "PDF"
