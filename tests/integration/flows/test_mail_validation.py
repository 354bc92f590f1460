"""Sends that are approved in the parapheur before they leave: asked, agreed, refused, called off, too late; and copied anew."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pypdfium2
import pytest
from sqlmodel import select

from archive.models import Record
from archive.places import places
from archive.proof import heads
from core import clock, passwords
from core.errors import Conflict, Forbidden, UsageError
from core.journal import JournalEntry
from core.principal import PLATFORM, Principal, Right
from flows.engine.models import Dossier, DossierFile
from flows.mail import acting, configuring, copying, following, intake, proving, validating
from flows.mail.flow import MAIL
from flows.mail.intake import Addressed
from flows.mail.models import Place
from flows.mail.reading import Standing, Wanted, list_mails, seen
from flows.parapheur.conclusion import perform
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import actions, drafting, recall, starting, typology
from signing.parapheur.desks import Hand
from signing.parapheur.drafting import Change
from signing.parapheur.folders import documents_of
from signing.parapheur.history import Said, events_of
from signing.parapheur.models import DocumentKind, Folder, FolderState, Subtype, TaskState
from tests.mail_sink import Sink
from tests.meetings import Council, clerk_of, on
from tests.office import Office
from tests.pades_documents import stamping
from tests.sending import Sending, mairie, sending, sink

__all__ = ["mairie", "sending", "sink"]

TO, CC, BCC = "camille.aubert@elus.test", "dominique.marchal@elus.test", "sacha.perrin@elus.test"
REASON = "Le montant annoncé n’est pas celui de la délibération."


@pytest.fixture(scope="module")
def office(sending: Sending) -> Office:
    return Office.opened(sending.platform, sending.organisation)


def route_of(office: Office, kind: str = "visa") -> ParapheurRoute:
    return ParapheurRoute(subtype=office.kinds[kind], emitter=office.desks["secretariat"].id)


@pytest.fixture
def routed(mairie: Sending, office: Office) -> Sending:
    """The mairie, whose sends are approved by its general management."""
    for kind in ("secured", "convocation"):
        configuring.keep_visa(mairie.platform, PLATFORM, mairie.organisation.id, kind, route_of(office))
    return mairie


def asked(mairie: Sending, *addresses: str, **changes: object) -> str:
    """Have a draft checked and put before those who approve it."""
    dossier_id = mairie.checked(*(addresses or (TO,)), **changes)
    for stage in ("ask", "proceed"):
        mairie.perform(stage, dossier_id)
    return dossier_id


def rejects(office: Office, dossier_id: str, words: str = REASON) -> None:
    (task,) = office.tasks(dossier_id, "dgs")
    who = office.principal("dgs")
    perform(office.platform, who, lambda session: actions.reject(session, who, task.id, Said(words)))


def files(mairie: Sending, dossier_id: str, role: str) -> list[DossierFile]:
    with mairie.platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id, DossierFile.role == role)))


def text_of(mairie: Sending, sha256: str, folder: Path) -> str:
    path = folder / f"{sha256}.pdf"
    mairie.platform.objects.fetch(sha256, path)
    return " ".join("".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)).split())


def test_a_send_waits_for_its_visa_and_leaves_as_it_was_shown_with_the_docket_in_its_proof(
    routed: Sending, office: Office, sink: Sink, tmp_path: Path
) -> None:
    people = (Addressed(TO, "Camille Aubert"), Addressed(CC, "", Place.CC), Addressed(BCC, "Sacha Perrin", Place.BCC))
    dossier_id = asked(routed, subject="Tarifs de l’eau", body="Bonjour,\n\n" + "mot " * 900 + "FIN", recipients=people)
    assert routed.dossier(dossier_id).state == "in_parapheur"
    folder = office.folder(dossier_id)
    with routed.platform.database.reading(PLATFORM) as session:
        main, *annexes = documents_of(session, folder.id)
    assert (main.kind, [one.kind for one in annexes]) == (DocumentKind.MAIN, [DocumentKind.ANNEX])
    assert annexes[0].sha256 == routed.document().sha256
    shown = text_of(routed, main.sha256, tmp_path)
    for said in ("Tarifs de l’eau", "Camille Aubert", TO, CC, "Copie cachée", BCC, "avis.pdf", annexes[0].sha256, "FIN"):
        assert said in shown, said
    assert folder.fields["courrier.destinataires"] == "3"
    assert (sink.kept(), routed.notices(dossier_id)) == ([], [])
    with pytest.raises(Conflict):
        acting.send_again(routed.platform, PLATFORM, routed.recipients(dossier_id)[0].id)
    with pytest.raises(Conflict):
        proving.package(routed.platform, PLATFORM, dossier_id, tmp_path / "early.zip")
    told = seen(routed.platform.database, office.principal("secretariat"), dossier_id)
    assert (told.standing, told.visa and told.visa.desks) == (Standing.VALIDATING, ("Direction générale",))

    office.approves("dgs", dossier_id)
    assert routed.dossier(dossier_id).state == "validated"
    routed.perform("conclude", dossier_id)
    routed.perform("send", dossier_id)
    assert (routed.dossier(dossier_id).state, len(sink.kept())) == ("sent", 3)
    (docket,) = files(routed, dossier_id, "docket")
    (event,) = [one for one in routed.events(dossier_id) if one.kind == "send_validated"]
    assert event.facts["dockets"] == [
        {"name": docket.name, "media_type": docket.media_type, "size": docket.size, "sha256": docket.sha256}
    ]
    with stamping(tmp_path) as (_, stamps):
        heads.cut(routed.platform, stamps)
    proving.package(routed.platform, PLATFORM, dossier_id, tmp_path / "proof.zip")
    with zipfile.ZipFile(tmp_path / "proof.zip") as proof:
        assert [name for name in proof.namelist() if name.startswith("visa/")] == [f"visa/01-{docket.name}"]
    acting.cancel(routed.platform, PLATFORM, dossier_id, "Erreur de date")
    routed.post()
    following.age(routed.platform)
    assert routed.dossier(dossier_id).state == "closing"
    routed.perform("archive", dossier_id)
    assert routed.dossier(dossier_id).state == "archived", routed.dossier(dossier_id).parked
    with routed.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()
    places.fetch(routed.platform, record, tmp_path / "package.zip")
    with zipfile.ZipFile(tmp_path / "package.zip") as package:
        assert docket.sha256 in {hashlib.sha256(package.read(name)).hexdigest() for name in package.namelist()}
    one = routed.recipients(dossier_id)[0]
    proving.package(routed.platform, PLATFORM, dossier_id, tmp_path / "one.zip", one.id)
    with zipfile.ZipFile(tmp_path / "one.zip") as proof:  # nobody learns from their own proof who decided what inside the mairie
        assert not [name for name in proof.namelist() if name.startswith("visa/")]
        assert all(folder.id not in proof.read(name).decode("utf-8", "replace") for name in proof.namelist() if "releve" in name)


def test_a_refusal_stops_the_send_with_its_reason_and_a_copy_begins_anew(
    routed: Sending, office: Office, sink: Sink, tmp_path: Path
) -> None:
    secret = "trois lavoirs au bord"
    dossier_id = asked(routed, recipients=(Addressed(TO, "Camille Aubert", password=secret), Addressed(CC, "", Place.CC)))
    clerk = office.principal("secretariat")
    with pytest.raises(Conflict, match="arrêté avant de partir"):
        copying.copy(routed.platform, clerk, dossier_id)
    rejects(office, dossier_id)
    routed.perform("decline", dossier_id)
    dossier = routed.dossier(dossier_id)
    told = seen(routed.platform.database, clerk, dossier_id)
    assert (dossier.state, told.standing, told.visa and told.visa.reason) == ("rejected", Standing.REJECTED, REASON)
    (event,) = [one for one in routed.events(dossier_id) if one.kind == "send_not_validated"]
    assert event.facts["reason"] == REASON
    assert len(files(routed, dossier_id, "docket")) == 1
    assert sink.kept() == []
    with routed.platform.database.reading(PLATFORM) as session:  # the reason may name people: the journal has its digest only
        leaves = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)).all()
    assert REASON not in str([one.facts for one in leaves])
    with pytest.raises(Conflict, match="arrêté avant de partir"):
        acting.cancel(routed.platform, clerk, dossier_id, "Erreur")
    with pytest.raises(Conflict):
        proving.package(routed.platform, clerk, dossier_id, tmp_path / "none.zip")

    copied = copying.copy(routed.platform, clerk, dossier_id).dossier.id
    assert routed.dossier(copied).state == "draft"
    former, new = routed.recipients(dossier_id), routed.recipients(copied)
    assert [(one.address, one.name, one.place) for one in new] == [(one.address, one.name, one.place) for one in former]
    assert passwords.matches(new[0].password_hash, secret)
    assert new[1].password_hash == ""
    assert (routed.mail(copied).body, routed.mail(copied).terms) == (routed.mail(dossier_id).body, {})
    assert [one.sha256 for one in files(routed, copied, "document")] == [routed.document().sha256]
    reader = Principal("person:x", {routed.organisation.id: frozenset({Right.READ})})
    with pytest.raises(Forbidden):
        copying.copy(routed.platform, reader, dossier_id)


def remade(office: Office, dossier_id: str, what: str) -> None:
    """Change what the signing book lets nobody change."""
    with office.platform.database.writing(PLATFORM) as session:
        folder = session.get_one(Folder, office.folder(dossier_id).id)
        if what == "subtype":
            folder.subtype_id = office.kinds["premier"]
            session.add(folder)
        else:
            session.delete(documents_of(session, folder.id)[-1])


def test_the_desk_that_sends_takes_a_send_back_and_decides_neither_what_is_approved_nor_by_whom(
    routed: Sending, office: Office
) -> None:
    dossier_id = asked(routed)
    folder, clerk = office.folder(dossier_id), office.principal("secretariat")
    hand = Hand(clerk.actor, office.people["secretariat"].id, folder.emitter_id, None)
    perform(routed.platform, clerk, lambda session: recall.undo(session, clerk, folder.id))
    with routed.platform.database.reading(PLATFORM) as session:
        annex = documents_of(session, folder.id)[-1]
    for act in (
        lambda session: drafting.change(session, folder.id, hand, Change(subtype_id=office.kinds["premier"])),
        lambda session: drafting.remove(session, folder.id, annex.id, hand),
    ):
        with pytest.raises(Forbidden), routed.platform.database.writing(clerk) as session:
            act(session)
    perform(routed.platform, clerk, lambda session: starting.start(session, folder.id, hand, Said("Merci.")))
    office.approves("dgs", dossier_id)
    routed.perform("conclude", dossier_id)
    assert routed.dossier(dossier_id).state == "ready"


@pytest.mark.parametrize("what", ["subtype", "document"])
def test_a_folder_that_is_not_what_was_asked_about_is_not_approved_and_lets_nothing_leave(
    routed: Sending, office: Office, sink: Sink, what: str
) -> None:
    dossier_id = asked(routed)
    remade(office, dossier_id, what)
    with pytest.raises(Conflict, match="ne sont plus ceux"):
        office.approves("dgs", dossier_id)
    late = asked(routed)
    office.approves("dgs", late)
    remade(office, late, what)
    routed.perform("conclude", late)
    dossier = routed.dossier(late)
    assert (dossier.state, "ne sont plus ceux" in (dossier.parked or "")) == ("validated", True)
    alone = routed.checked(TO)
    routed.perform("ask", alone)
    remade(office, alone, what)
    with routed.platform.database.writing(PLATFORM) as session:  # its last step was the platform's own
        session.get_one(Folder, office.folder(alone).id).state = FolderState.FINISHED.value
    routed.perform("proceed", alone)
    dossier = routed.dossier(alone)
    assert (dossier.state, "ne sont plus ceux" in (dossier.parked or "")) == ("proceeding", True)
    assert sink.kept() == []


def test_a_send_that_is_called_off_is_taken_from_the_desks_and_nobody_is_told(
    routed: Sending, office: Office, sink: Sink
) -> None:
    clerk = office.principal("secretariat")
    early = routed.checked(TO)
    with pytest.raises(Conflict, match="change d’étape"):  # no folder yet: a worker is about to make it
        acting.cancel(routed.platform, clerk, early, "Erreur de date")
    assert routed.mail(early).cancelled is None
    dossier_id = asked(routed)
    acting.cancel(routed.platform, clerk, dossier_id, "Erreur de date")
    assert (routed.dossier(dossier_id).state, routed.states(dossier_id)) == ("cancelled", ["revoked"])
    folder = office.folder(dossier_id)
    assert (folder.state, office.tasks(dossier_id, "dgs", TaskState.OPEN)) == (FolderState.REJECTED.value, [])
    with routed.platform.database.reading(PLATFORM) as session:
        assert "Erreur de date" in events_of(session, folder.id)[-1].note
    routed.post()
    assert (sink.kept(), routed.notices(dossier_id)) == ([], [])
    with pytest.raises(Conflict):
        acting.cancel(routed.platform, clerk, dossier_id, "Encore")
    assert seen(routed.platform.database, clerk, dossier_id).standing is Standing.CANCELLED
    assert routed.dossier(copying.copy(routed.platform, clerk, dossier_id).dossier.id).state == "draft"


def test_of_two_who_decide_at_once_one_is_told_that_the_other_was_first(routed: Sending, office: Office) -> None:
    dossier_id = asked(routed)
    office.approves("dgs", dossier_id)
    clerk = office.principal("secretariat")
    with pytest.raises(Conflict, match="change d’étape"):
        acting.cancel(routed.platform, clerk, dossier_id, "Trop tard")
    assert (routed.mail(dossier_id).cancelled, routed.states(dossier_id)) == (None, ["waiting"])
    assert office.folder(dossier_id).state == FolderState.FINISHED.value


def test_a_convocation_that_is_approved_after_its_last_day_does_not_leave(routed: Sending, office: Office, sink: Sink) -> None:
    council = Council(routed.platform, routed.organisation, clerk_of(routed.organisation)).seat()
    dossier_id = council.convene(4)
    intake.send(routed.platform, council.clerk, dossier_id)
    for stage in ("check", "ask", "proceed"):
        routed.perform(stage, dossier_id)
    assert office.folder(dossier_id).due == clock.in_paris(clock.now()).date()  # the last day to convene them
    council.starts(dossier_id, on(3))  # midnight went by
    office.approves("dgs", dossier_id)
    routed.perform("conclude", dossier_id)
    dossier = routed.dossier(dossier_id)
    assert (dossier.state, [one["rule"] for one in dossier.problems]) == ("rejected", ["M09"])
    assert routed.kinds(dossier_id)[-1] == "submission_rejection"
    assert sink.kept() == []
    with pytest.raises(UsageError, match="séance"):
        copying.copy(routed.platform, council.clerk, dossier_id)


def test_what_is_configured_later_changes_nothing_for_a_send_that_was_accepted(routed: Sending, office: Office) -> None:
    accepted = routed.checked(TO)
    configuring.keep_visa(routed.platform, PLATFORM, routed.organisation.id, "secured", None)
    free = routed.checked(TO)
    routed.perform("ask", accepted)
    assert (routed.dossier(accepted).state, routed.dossier(free).state) == ("proceeding", "ready")
    assert routed.dossier(accepted).facts[validating.ROUTE] == route_of(office).model_dump()


def test_only_a_fit_subtype_of_the_organisation_is_taken_and_only_from_its_administrator(routed: Sending, office: Office) -> None:
    owner, database = routed.organisation.id, routed.platform.database
    with database.writing(PLATFORM) as session:
        subtype = session.get_one(Subtype, office.kinds["premier"])
        subtype.options = {**typology.kind_of(session, subtype.id).options.model_dump(mode="json"), "annexes": False}
        session.add(subtype)
    for kind, route, words in (
        ("secured", route_of(office, "pes"), "NONE"),
        ("secured", route_of(office, "premier"), "annexes"),
        ("lettre", route_of(office), "genre d’envoi"),
        ("secured", ParapheurRoute(subtype=office.kinds["visa"], emitter=office.kinds["visa"]), "bureau"),
    ):
        with pytest.raises(UsageError, match=words):
            configuring.keep_visa(routed.platform, PLATFORM, owner, kind, route)
    with pytest.raises(Forbidden):
        configuring.keep_visa(routed.platform, office.principal("secretariat"), owner, "secured", None)
    with database.reading(PLATFORM) as session:
        assert validating.route_of(session, routed.platform.secrets, owner, "secured") == route_of(office)


@pytest.mark.parametrize("state", sorted(MAIL.rows))
def test_the_list_finds_every_state_under_the_standing_that_it_shows(routed: Sending, state: str) -> None:
    dossier_id = routed.written(TO)
    with routed.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier_id).state = state
    every = {one.dossier_id: one for one in list_mails(routed.platform.database, PLATFORM, Wanted(limit=200)).lines}
    if state == "abandoned":
        assert dossier_id not in every
        return
    standing = every[dossier_id].standing
    found = list_mails(routed.platform.database, PLATFORM, Wanted(standing=standing, limit=200))
    assert dossier_id in {one.dossier_id for one in found.lines}
    assert (standing is Standing.VALIDATING) == (state in validating.VALIDATING)
