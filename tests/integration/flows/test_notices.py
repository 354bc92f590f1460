"""Notices become letters: once, to whoever chose it, when they chose it, with nothing in them that is not for everybody."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from shutil import copyfile

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from pydantic import SecretStr
from sqlmodel import col, select

from connectors.mail.errors import MailUnavailable, MessageRefused
from core import clock
from core.blobs import ObjectStore
from core.database import Database
from core.errors import Misconfigured
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from core.secrets import SecretBox
from core.settings import Settings
from flows.parapheur.notifying import late, send_due
from signing.parapheur import actions, desks, emitting, recall, starting
from signing.parapheur.history import Said
from signing.parapheur.models import Capacity, Folder, Notice, SignatoryProfile, Task, TaskState, Visibility
from tests.conftest import free_port
from tests.office import Office

ROOT = "https://parapheur.valmorin.test"


on_both = pytest.mark.parametrize("office", ["sqlite", "postgresql"], indirect=True)


class Box:
    """What people have received, and what the server answers."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refused: set[str] = set()
        self.answer = "250 OK"
        self.answers: dict[str, str] = {}
        """What a letter to an address is answered, when it is something else."""

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get(envelope.rcpt_tos[0], self.answer)
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return answer

    def to(self, address: str) -> list[EmailMessage]:
        return [letter for letter in self.letters if address in letter["To"]]


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def server(box: Box) -> Iterator[Controller]:
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    if controller.server is not None:
        controller.stop()


@pytest.fixture
def settings_changes(server: Controller) -> dict[str, object]:
    return {
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}"),
        "mail_from": "parapheur@valmorin.test",
        "public_url": f"{ROOT}/",
    }


def opened(settings: Settings, objects: ObjectStore, secrets: SecretBox) -> Platform:
    return Platform(settings, Database(settings.database), objects, secrets)


def furnish(platform: Platform) -> Office:
    upgrade(platform.database)
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
    return Office.opened(platform, town)


@pytest.fixture(scope="module")
def furnished(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A mairie on SQLite, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("furnished")
    settings = Settings(state_dir=folder, s3_bucket_prefix="notices")
    store = s3.store(settings.s3_bucket_prefix)
    store.prepare()
    office = furnish(opened(settings, store, SecretBox.created_at(folder / "secret.key")))
    office.platform.database.close()
    return office


@pytest.fixture
def office(
    request: pytest.FixtureRequest, furnished: Office, settings_changes: dict[str, object], tmp_path: Path
) -> Iterator[Office]:
    """The mairie on SQLite, or made anew on what a test asks for."""
    before, changes = furnished.platform, {"state_dir": tmp_path, **settings_changes}
    if getattr(request, "param", "sqlite") == "sqlite":
        copyfile(before.settings.state_dir / "tabellion.sqlite3", tmp_path / "tabellion.sqlite3")
        platform = opened(before.settings.model_copy(update=changes), before.objects, before.secrets)
        made = replace(furnished, platform=platform)
    else:
        changes["database_url"] = SecretStr(request.getfixturevalue("postgres_url"))
        platform = opened(before.settings.model_copy(update=changes), before.objects, before.secrets)
        made = furnish(platform)
    yield made
    platform.database.close()


def sent(office: Office, kind: str = "complet", title: str = "Arrêté 2026-118", **values: object) -> str:
    """Start a folder's circuit, and return its dossier."""
    values = {"visibility": Visibility.PUBLIC, **values}
    dossier = office.sends(kind, title, starts=False, **values)
    with office.platform.database.writing(PLATFORM) as session:
        starting.start(session, office.folder(dossier).id, "platform")
    return dossier


def prefers(office: Office, short: str, frequency: str) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        session.add(SignatoryProfile(person_id=office.people[short].id, frequency=frequency))


def approve(office: Office, short: str, dossier: str) -> None:
    (task,) = office.tasks(dossier, short)
    with office.platform.database.writing(PLATFORM) as session:
        actions.approve(session, office.principal(short), task.id)


def waiting(office: Office) -> int:
    with office.platform.database.reading(PLATFORM) as session:
        return len(session.exec(select(Notice).where(col(Notice.sent).is_(None))).all())


def plain_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(letter: EmailMessage) -> str:
    part = letter.get_body(("html",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@on_both
def test_whoever_has_something_to_do_receives_one_letter_with_its_link_and_never_again(office: Office, box: Box) -> None:
    dossier = sent(office, due=date(2099, 12, 1))
    assert send_due(office.platform) == 1
    (letter,) = box.letters
    assert letter["Subject"] == "À traiter\u00a0: Arrêté 2026-118"
    assert letter["To"] == "Dominique Exemple <dgs@valmorin.test>"
    assert (letter["From"], letter["Auto-Submitted"]) == ("Parapheur <parapheur@valmorin.test>", "auto-generated")
    link = f"{ROOT}/parapheur/dossiers/{office.folder(dossier).id}"
    for words in (
        "Bonjour Dominique Exemple",
        "Direction générale",
        "«\u00a0Arrêté 2026-118\u00a0» attend votre décision (visa)",
        link,
    ):
        assert words in plain_of(letter)
    assert "À terminer avant le 1er décembre 2099" in plain_of(letter)
    assert f'<a href="{link}">' in html_of(letter)
    assert '<html lang="fr">' in html_of(letter)
    assert f"{ROOT}/parapheur/preferences" in plain_of(letter)
    assert (send_due(office.platform), len(box.letters)) == (0, 1)


def test_the_title_of_a_confidential_folder_stays_out_of_the_mail(office: Office, box: Box) -> None:
    sent(office, title="Licenciement de Untel", visibility=Visibility.CONFIDENTIAL)
    send_due(office.platform)
    (letter,) = box.letters
    assert letter["Subject"] == "À traiter\u00a0: un dossier"
    assert "Untel" not in letter.as_string()
    assert "Untel" not in plain_of(letter) + html_of(letter)
    assert "Un dossier attend votre décision (visa)." in plain_of(letter)


def test_several_folders_due_at_once_make_one_letter_grouped_by_desk(office: Office, box: Box) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        desks.seat(session, office.desks["maire"], office.people["dgs"].id)
    sent(office, title="Un")
    sent(office, title="Deux")
    sent(office, "signature", title="Trois")
    assert send_due(office.platform) == 2
    (letter,) = box.to("dgs@valmorin.test")
    assert letter["Subject"] == "Parapheur\u00a0: 3 dossiers à voir"
    said = plain_of(letter)
    first, second = said.index("Direction générale\n"), said.index("\nMaire\n")
    assert first < said.index("Un\u00a0»") < said.index("Deux\u00a0»") < second < said.index("Trois\u00a0»")
    assert said.count(ROOT) == 4
    assert len(box.to("maire@valmorin.test")) == 1


def test_the_language_is_the_one_that_the_person_prefers(office: Office, box: Box) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        person = session.get_one(Person, office.people["dgs"].id)
        person.language = "en"
        session.add(person)
    sent(office)
    send_due(office.platform)
    (letter,) = box.letters
    assert letter["Subject"] == "To deal with: Arrêté 2026-118"
    assert "Hello Dominique Exemple" in plain_of(letter)


def test_a_daily_reader_is_told_later_and_one_who_wants_nothing_never(office: Office, box: Box) -> None:
    prefers(office, "dgs", "daily")
    prefers(office, "maire", "never")
    sent(office)
    sent(office, "signature", title="Autre")
    assert send_due(office.platform) == 0
    with office.platform.database.writing(PLATFORM) as session:
        (notice,) = session.exec(select(Notice)).all()
        assert clock.in_paris(notice.due).hour == 8
        notice.due = clock.now()
        session.add(notice)
    assert send_due(office.platform) == 1
    assert [letter["To"] for letter in box.letters] == ["Dominique Exemple <dgs@valmorin.test>"]


def test_what_was_done_meanwhile_is_not_told_any_more(office: Office, box: Box) -> None:
    dossier = sent(office)
    approve(office, "dgs", dossier)
    assert send_due(office.platform) == 1
    assert [letter["To"] for letter in box.letters] == ["Claude Modèle <maire@valmorin.test>"]
    assert waiting(office) == 0


def test_a_rejection_comes_back_to_the_desk_that_sent(office: Office, box: Box) -> None:
    dossier = sent(office, "visa")
    (task,) = office.tasks(dossier, "dgs")
    with office.platform.database.writing(PLATFORM) as session:
        actions.reject(session, office.principal("dgs"), task.id, Said("Motif qui reste dans le parapheur"))
    send_due(office.platform)
    (letter,) = box.letters
    assert letter["To"] == "Camille Essai <secretariat@valmorin.test>"
    assert letter["Subject"] == "À corriger\u00a0: Arrêté 2026-118"
    assert "Motif" not in plain_of(letter)


def test_a_letter_that_has_not_left_is_not_lost(office: Office, box: Box, server: Controller) -> None:
    sent(office)
    box.answer = "452 full"
    with pytest.raises(MailUnavailable):
        send_due(office.platform)
    assert waiting(office) == 1
    server.stop()
    with pytest.raises(MailUnavailable, match="ne répond pas"):
        send_due(office.platform)
    box.answer = "250 OK"
    again = Controller(box, hostname="127.0.0.1", port=server.port)
    again.start()
    assert (send_due(office.platform), waiting(office)) == (1, 0)
    again.stop()


def test_an_address_that_is_refused_keeps_nobody_else_waiting_and_is_tried_again_the_next_day(office: Office, box: Box) -> None:
    box.refused = {"dgs@valmorin.test"}
    sent(office, "premier")
    assert send_due(office.platform) == 1
    assert [letter["To"] for letter in box.letters] == ["Andrée Specimen <adjoint@valmorin.test>"]
    with office.platform.database.reading(PLATFORM) as session:
        (notice,) = session.exec(select(Notice).where(col(Notice.sent).is_(None))).all()
    assert notice.due > clock.now() + timedelta(hours=23)


@pytest.mark.parametrize("answer", ["452 4.2.2 mailbox full", "552 5.2.2 too much"])
def test_a_mailbox_that_takes_nothing_for_now_keeps_nobody_else_waiting(office: Office, box: Box, answer: str) -> None:
    first = min((office.people["dgs"], office.people["adjoint"]), key=lambda person: person.id)
    box.answers[first.email] = answer
    sent(office, "premier")
    with pytest.raises((MailUnavailable, MessageRefused), match=answer[:3]):
        send_due(office.platform)
    assert len(box.letters) == 1 and first.email not in box.letters[0]["To"]
    with office.platform.database.reading(PLATFORM) as session:
        (notice,) = session.exec(select(Notice).where(col(Notice.sent).is_(None))).all()
    assert (notice.person_id, notice.due > clock.now()) == (first.id, True)
    assert send_due(office.platform) == 0


def test_while_the_server_takes_no_letter_at_all_every_notice_stays_due(office: Office, box: Box) -> None:
    box.answer = "554 5.7.1 not from you"
    sent(office, "premier")
    for _ in range(2):
        with pytest.raises(MessageRefused, match="554"):
            send_due(office.platform)
    box.answer = "250 OK"
    assert send_due(office.platform) == 2


def test_a_suspended_person_receives_nothing(office: Office, box: Box) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        person = session.get_one(Person, office.people["dgs"].id)
        person.suspended = clock.now()
        session.add(person)
    sent(office)
    assert (send_due(office.platform), box.letters) == (0, [])


def test_a_title_steers_neither_the_headers_nor_the_page(office: Office, box: Box) -> None:
    title = "Bcc: x@y.z <b>gras</b> & \u0130" + "é" * 200
    sent(office, title=title)
    send_due(office.platform)
    (letter,) = box.letters
    assert letter["Subject"] == f"À traiter\u00a0: {title}"
    assert letter["Bcc"] is None
    assert "<b>gras" not in html_of(letter)
    assert title in plain_of(letter)


def test_without_a_server_notices_stay_and_without_a_sender_the_operator_is_told(office: Office, box: Box) -> None:
    sent(office)
    told = office.platform.settings
    without = replace(office.platform, settings=told.model_copy(update={"smtp_url": SecretStr("")}))
    assert (send_due(without), waiting(office)) == (0, 1)
    with pytest.raises(Misconfigured, match="TABELLION_MAIL_FROM"):
        send_due(replace(office.platform, settings=told.model_copy(update={"mail_from": ""})))
    assert box.letters == []


def overdue(office: Office, dossier: str) -> None:
    yesterday = clock.in_paris(clock.now()).date() - timedelta(days=1)
    with office.platform.database.writing(PLATFORM) as session:
        folder = session.get_one(Folder, office.folder(dossier).id)
        folder.due = yesterday
        session.add(folder)
        for task in session.exec(select(Task).where(Task.folder_id == folder.id)):
            task.due = yesterday
            session.add(task)


@on_both
def test_a_task_whose_day_has_passed_is_told_once_at_each_desk(office: Office, box: Box) -> None:
    dossier = sent(office)
    send_due(office.platform)
    assert late(office.platform) == 0
    overdue(office, dossier)
    assert (late(office.platform), late(office.platform)) == (1, 0)
    assert send_due(office.platform) == 1
    assert box.letters[-1]["Subject"] == "En retard\u00a0: Arrêté 2026-118"
    assert late(office.platform) == 0
    approve(office, "dgs", dossier)
    assert late(office.platform) == 1
    assert send_due(office.platform) == 1
    assert len(box.to("maire@valmorin.test")) == 1
    assert [task.state for task in office.tasks(dossier, "maire")] == [TaskState.OPEN.value]


def test_many_late_tasks_are_all_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.parapheur.notifying._AT_ONCE", 2)
    prefers(office, "dgs", "never")  # no notice is written, and the others are not kept waiting for it
    for rank in range(3):
        overdue(office, sent(office, "premier", title=f"Dossier {rank}"))
    assert late(office.platform) == 6
    assert late(office.platform) == 0


@on_both
def test_a_folder_that_is_late_in_a_second_round_is_told_again_and_once(office: Office, box: Box) -> None:
    dossier = sent(office, "visa")
    folder = office.folder(dossier).id
    send_due(office.platform)
    overdue(office, dossier)
    assert (late(office.platform), send_due(office.platform)) == (1, 1)
    (task,) = office.tasks(dossier, "dgs")
    with office.platform.database.writing(PLATFORM) as session:
        actions.reject(session, office.principal("dgs"), task.id, Said("À revoir"))
        emitting.recycle(session, office.principal("secretariat"), folder)
        starting.start(session, folder, "platform")
    send_due(office.platform)
    assert (late(office.platform), late(office.platform)) == (1, 0)
    send_due(office.platform)
    assert [letter["Subject"].partition("\u00a0")[0] for letter in box.to("dgs@valmorin.test")].count("En retard") == 2


def test_a_step_that_was_taken_back_is_late_anew_when_it_comes_again(office: Office) -> None:
    dossier = sent(office)
    approve(office, "dgs", dossier)
    overdue(office, dossier)
    assert late(office.platform) == 1
    with office.platform.database.writing(PLATFORM) as session:
        recall.undo(session, office.principal("dgs"), office.folder(dossier).id)
    assert late(office.platform) == 1, "the first desk, which was not late before"
    approve(office, "dgs", dossier)
    assert (late(office.platform), late(office.platform)) == (1, 0)


def test_a_desk_without_anybody_is_told_once_somebody_sits_there(office: Office) -> None:
    dossier = sent(office)
    overdue(office, dossier)
    desk, person = office.desks["dgs"], office.people["dgs"].id
    with office.platform.database.writing(PLATFORM) as session:
        desks.unseat(session, desk, person, Capacity.HOLDER)
    before = waiting(office)
    assert (late(office.platform), waiting(office)) == (1, before)
    with office.platform.database.writing(PLATFORM) as session:
        desks.seat(session, desk, person)
    assert (late(office.platform), waiting(office), late(office.platform)) == (1, before + 1, 0)
