"""Invoices in the hands of people: who is asked whether the service was done, what their answer leads to, what may be decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from connectors.chorus.statuses import Status
from core import clock
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.journal import JournalEntry
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM, Principal, Right
from flows.engine.models import Schedule
from flows.invoices import deciding, life, telling
from flows.invoices.deciding import Asked
from flows.invoices.models import TargetState
from flows.invoices.settings import VISA, InvoiceVisa, VisaRoute
from flows.parapheur.conclusion import perform
from signing.parapheur import actions
from signing.parapheur.folders import documents_of
from signing.parapheur.history import Said, events_of
from signing.parapheur.models import DocumentKind, FolderState, Notice, TaskState
from tests.conftest import on_one_shape
from tests.invoices import InvoicesTown
from tests.office import Office
from tests.waiting import wait_until

REASON = "La quantité facturée n’est pas celle qui a été livrée."


@pytest.fixture
def office(invoices: InvoicesTown) -> Office:
    return Office.opened(invoices.platform, invoices.organisation)


def routed(invoices: InvoicesTown, office: Office, service: str = "", engagement: str = "", kind: str = "visa") -> None:
    """Let invoices of a service go through the signing book of the mairie."""
    route = VisaRoute(service=service, engagement=engagement, subtype=office.kinds[kind], emitter=office.desks["secretariat"].id)
    invoices.configure(VISA, InvoiceVisa(routes=(route,)))


def rejects(office: Office, short: str, dossier_id: str, words: str = REASON) -> None:
    (task,) = office.tasks(dossier_id, short)
    who = office.principal(short)
    perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said(words)))


def kinds(invoices: InvoicesTown, dossier_id: str) -> list[str]:
    """What the journal tells of an invoice."""
    with invoices.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry.kind).where(JournalEntry.dossier_id == dossier_id)
        return list(session.exec(wanted.order_by(col(JournalEntry.number))))


def decides(office: Office, *targets: Asked) -> Callable[[str], None]:
    return lambda dossier_id: deciding.ask(office.platform, office.principal("secretariat"), dossier_id, targets)


def test_a_visa_is_asked_of_those_whom_the_route_names_and_tells_chorus_that_the_service_was_done(
    invoices: InvoicesTown, office: Office
) -> None:
    routed(invoices, office, service="SG")
    (known,) = invoices.arrive(number="F-2026-1", desk=101, engagement="ENG-7", market="M-3", pieces=2)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        folder = office.folder(dossier.id)
        assert (folder.title, folder.due) == (dossier.title, invoices.invoice(dossier.id).due)
        assert folder.fields == {
            "facture.numero": "F-2026-1",
            "facture.fournisseur": "Fournitures du Val SARL",
            "facture.siret": "99912345800013",
            "facture.service": "SG",
            "facture.engagement": "ENG-7",
            "facture.marche": "M-3",
            "facture.montant": "120.00",
        }
        with invoices.platform.database.reading(PLATFORM) as session:
            documents = documents_of(session, folder.id)
        assert [one.kind for one in documents] == [DocumentKind.MAIN, DocumentKind.ANNEX, DocumentKind.ANNEX]
        assert documents[0].media_type == "application/pdf"
        office.approves("dgs", dossier.id)
        invoices.wait_for(dossier.id, "handed")
        wait_until(lambda: invoices.state.invoice(known).status == Status.SERVICE_DONE)
        wait_until(lambda: [one.state for one in invoices.targets(dossier.id)] == [TargetState.TOLD])
    (docket,) = invoices.files(dossier.id, "docket")
    assert docket.media_type == "application/pdf"
    assert invoices.targets(dossier.id)[0].actor == "platform"
    told = kinds(invoices, dossier.id)
    assert told.index("folder.approved") < told.index("invoices.asked") < told.index("invoices.told")


@on_one_shape
def test_nobody_is_asked_of_a_service_without_a_route(invoices: InvoicesTown, office: Office) -> None:
    routed(invoices, office, service="TECH")
    (known,) = invoices.arrive(desk=101)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    assert "invoices.route.straight" in kinds(invoices, dossier.id)
    assert invoices.targets(dossier.id) == []


@on_one_shape
def test_nobody_is_asked_when_chorus_was_told_by_another_way_that_the_service_was_done(
    invoices: InvoicesTown, office: Office
) -> None:
    routed(invoices, office)
    (known,) = invoices.arrive()
    invoices.move(known, Status.SERVICE_DONE)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    assert "invoices.route.straight" in kinds(invoices, dossier.id)


@on_one_shape
def test_a_dangerous_piece_is_kept_from_those_who_are_asked_and_they_are_told(
    invoices: InvoicesTown, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.invoices import fetching

    heavy = 300_000

    def look(_: object, path: Path) -> str | None:
        """The antivirus knows the first supporting piece."""
        return fetching.VIRUS if path.stat().st_size >= heavy else None

    monkeypatch.setattr(fetching, "_scanned", look)
    routed(invoices, office)
    (known,) = invoices.arrive(pieces=2, weight=heavy)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
    folder = office.folder(dossier.id)
    with invoices.platform.database.reading(PLATFORM) as session:
        given = {one.sha256 for one in documents_of(session, folder.id)}
    (danger,) = dossier.facts["marks"]
    assert danger in {one.sha256 for one in invoices.files(dossier.id)}
    assert danger not in given
    name = next(one.name for one in invoices.files(dossier.id) if one.sha256 == danger)
    assert name in folder.fields["facture.alerte"]


@on_one_shape
def test_an_objection_waits_for_the_manager_who_may_hand_the_invoice_over_all_the_same(
    invoices: InvoicesTown, office: Office
) -> None:
    routed(invoices, office)
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        rejects(office, "dgs", dossier.id)
        objected = invoices.wait_for(dossier.id, "objected")
        assert objected.reference == f"chorus:sandbox:{known}"
        deciding.accept(invoices.platform, office.principal("secretariat"), dossier.id)
        invoices.wait_for(dossier.id, "handed")
    assert invoices.targets(dossier.id) == []
    with pytest.raises(Conflict, match="n’attend pas de décision"):
        deciding.accept(invoices.platform, office.principal("secretariat"), dossier.id)


@on_one_shape
def test_approvers_may_be_asked_again_and_what_they_said_before_stays_known(invoices: InvoicesTown, office: Office) -> None:
    routed(invoices, office)
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        rejects(office, "dgs", dossier.id)
        invoices.wait_for(dossier.id, "objected")
        deciding.again(invoices.platform, office.principal("secretariat"), dossier.id)
        invoices.wait_for(dossier.id, "in_parapheur")
        office.approves("dgs", dossier.id)
        invoices.wait_for(dossier.id, "handed")
    folder = office.folder(dossier.id)
    with invoices.platform.database.reading(PLATFORM) as session:
        happened = [one.kind for one in events_of(session, folder.id)]
    assert happened == ["created", "started", "rejected", "renewed", "started", "approved"]
    assert [one.name for one in invoices.files(dossier.id, "docket")] == ["bordereau-de-visa-3.pdf", "bordereau-de-visa-6.pdf"]


@on_one_shape
def test_a_folder_is_taken_back_when_the_invoice_is_suspended_and_goes_round_again_once_it_is_completed(
    invoices: InvoicesTown, office: Office
) -> None:
    routed(invoices, office, kind="ensemble")
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        office.approves("dgs", dossier.id)
        invoices.suspend(known)
        invoices.wait_for(dossier.id, "suspended")
        folder = office.folder(dossier.id)
        assert folder.state == FolderState.REJECTED
        assert office.tasks(dossier.id) == []
        with invoices.platform.database.reading(PLATFORM) as session:
            last = events_of(session, folder.id)[-1]
            notices = session.exec(select(Notice).where(Notice.folder_id == folder.id, Notice.category == "withdrawn")).all()
        assert last.kind == "withdrawn"
        assert "Il manque le bon de livraison." in last.note
        told = {office.people[short].id for short in ("dgs", "adjoint", "secretariat")}
        assert {one.person_id for one in notices} == told
        invoices.complete(known)
        invoices.wait_for(dossier.id, "in_parapheur")
        assert {one.desk_id for one in office.tasks(dossier.id)} == {office.desks["dgs"].id, office.desks["adjoint"].id}
    assert invoices.invoice(dossier.id).cycle == 2
    assert office.folder(dossier.id).id == folder.id


@on_one_shape
def test_a_folder_is_taken_back_when_the_invoice_is_rejected_on_the_portal(invoices: InvoicesTown, office: Office) -> None:
    routed(invoices, office)
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        invoices.move(known, Status.REJECTED, comment="Facture reçue deux fois.")
        invoices.wait_for(dossier.id, "archived")
    with invoices.platform.database.reading(PLATFORM) as session:
        last = events_of(session, office.folder(dossier.id).id)[-1]
    assert (last.kind, "Facture reçue deux fois." in last.note) == ("withdrawn", True)
    assert [one.state for one in office.tasks(dossier.id, state=TaskState.WITHDRAWN)] == [TaskState.WITHDRAWN]


@on_one_shape
def test_a_rejection_moves_the_dossier_once_chorus_has_said_so(invoices: InvoicesTown, office: Office) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known)
    decides(office, Asked(Status.REJECTED, REASON, "LIVR_INCOMP"))(dossier_id)
    assert invoices.dossier(dossier_id).state == "handed"
    (target,) = invoices.targets(dossier_id)
    assert (target.state, target.reason, target.reason_code) == (TargetState.DUE, REASON, "LIVR_INCOMP")
    assert target.actor == f"person:{office.people['secretariat'].id}"
    with pytest.raises(Conflict, match="déjà demandé"):
        decides(office, Asked(Status.MANDATED, mandate="1204"))(dossier_id)
    decides(office, Asked(Status.REJECTED, REASON, "LIVR_INCOMP"))(dossier_id)  # said again, it is written once
    assert len(invoices.targets(dossier_id)) == 1
    telling.tell(invoices.platform, invoices.organisation.id)
    assert invoices.dossier(dossier_id).state == "closing"
    assert invoices.state.invoice(known).comment == REASON
    assert invoices.state.statuses(known).count(Status.REJECTED) == 1


@on_one_shape
def test_what_is_decided_is_told_at_once_and_not_at_the_next_turn(invoices: InvoicesTown, office: Office) -> None:
    def planned_for() -> datetime:
        with invoices.platform.database.reading(PLATFORM) as session:
            return session.get_one(Schedule, f"{telling.ACTOR}:{invoices.organisation.id}").due

    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known)
    with invoices.platform.database.writing(PLATFORM) as session:
        session.get_one(Schedule, f"{telling.ACTOR}:{invoices.organisation.id}").due = clock.now() + timedelta(hours=1)
    with pytest.raises(UsageError):
        decides(office, Asked("A_RECYCLER"))(dossier_id)
    assert planned_for() > clock.now()
    decides(office, Asked(Status.SERVICE_DONE))(dossier_id)
    assert planned_for() <= clock.now()


@on_one_shape
def test_while_a_rejection_is_on_its_way_nobody_hands_the_invoice_over(invoices: InvoicesTown, office: Office) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known, "objected")
    decides(office, Asked(Status.REJECTED, REASON))(dossier_id)
    for decide in (deciding.accept, deciding.again):
        with pytest.raises(Conflict, match="déjà demandé"):
            decide(invoices.platform, office.principal("secretariat"), dossier_id)


@on_one_shape
def test_where_chorus_is_told_nothing_a_rejection_ends_the_dossier_at_once(invoices: InvoicesTown, office: Office) -> None:
    invoices.prepare(tell=False)
    routed(invoices, office)
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "in_parapheur")
        with pytest.raises(Conflict, match="sur le portail"):
            decides(office, Asked(Status.SUSPENDED, REASON))(dossier.id)
        decides(office, Asked(Status.REJECTED, REASON))(dossier.id)
        invoices.wait_for(dossier.id, "archived")
    assert invoices.targets(dossier.id) == []
    assert invoices.state.invoice(known).status == Status.AVAILABLE
    told = kinds(invoices, dossier.id)
    assert told.index("invoices.decided") < told.index("invoices.ended") < told.index("invoices.withdraw.ended")
    with invoices.platform.database.reading(PLATFORM) as session:
        last = events_of(session, office.folder(dossier.id).id)[-1]
    assert REASON in last.note


@on_one_shape
def test_what_cannot_be_decided_is_refused_in_words_and_nothing_is_written(invoices: InvoicesTown, office: Office) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known)
    for targets, words in (
        ((), "de un à 10"),
        ((Asked("A_RECYCLER"),), "recycler"),
        ((Asked(Status.REJECTED),), "motif"),
        ((Asked(Status.REJECTED, "x" * 256),), "256"),
        ((Asked(Status.REJECTED, REASON, "JUSTIF_ABS"),), "JUSTIF_ABS"),
        ((Asked(Status.SERVICE_DONE, reason_code="AUTRE"),), "AUTRE"),
        ((Asked(Status.SERVICE_DONE, mandate="1204"),), "mandat"),
        ((Asked(Status.REJECTED, "Un \u202e retournement"),), "invisible"),
        ((Asked(Status.MANDATED, mandate="1204"), Asked(Status.SERVICE_DONE)), "ne se suivent pas"),
        ((Asked(Status.SERVICE_DONE), Asked(Status.SERVICE_DONE)), "ne se suivent pas"),
        ((Asked(Status.SERVICE_DONE), Asked(Status.REJECTED, REASON)), "seul"),
    ):
        with pytest.raises(UsageError, match=words):
            decides(office, *targets)(dossier_id)
    assert invoices.targets(dossier_id) == []
    decides(office, Asked(Status.SERVICE_DONE), Asked(Status.MANDATED, mandate="1204"))(dossier_id)
    assert [(one.status, one.mandate) for one in invoices.targets(dossier_id)] == [("SERVICE_FAIT", ""), ("MANDATEE", "1204")]
    assert invoices.invoice(dossier_id).mandate == "1204"


@on_one_shape
def test_only_who_may_deposit_for_the_organisation_decides_of_its_invoices(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known)
    with invoices.platform.database.writing(PLATFORM) as session:
        other = add_organisation(session, "Commune de Rivebelle", OrganisationKind.COLLECTIVITE)
    reader = Principal("person:reader", {invoices.organisation.id: frozenset({Right.READ})})
    stranger = Principal("person:stranger", {other.id: frozenset(Right)})
    for decide in (
        lambda who: deciding.ask(invoices.platform, who, dossier_id, [Asked("no status at all")]),
        lambda who: deciding.accept(invoices.platform, who, dossier_id),
        lambda who: deciding.again(invoices.platform, who, dossier_id),
    ):
        with pytest.raises(Forbidden):
            decide(reader)
        with pytest.raises(NotFound):
            decide(stranger)


@on_one_shape
def test_nothing_is_decided_of_an_invoice_that_is_paid(invoices: InvoicesTown, office: Office) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known, "following")
    invoices.pay(known)
    life.observe(invoices.platform, dossier_id, invoices.client(dossier_id))
    assert invoices.dossier(dossier_id).state == "closing"
    with pytest.raises(Conflict, match="close"):
        decides(office, Asked(Status.REJECTED, REASON))(dossier_id)
    assert invoices.targets(dossier_id) == []
