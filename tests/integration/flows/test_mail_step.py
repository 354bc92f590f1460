"""The mail step of a circuit: asked for by a desk, sent once to each, its refusals back at the desk, its addresses kept there."""

from __future__ import annotations

import email
import email.policy
import io
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any

import dramatiq
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from pydantic import SecretStr, ValidationError
from sqlalchemy import update
from sqlmodel import col, select

from api.runtime import build_engine
from core import clock
from core.errors import Conflict, Misconfigured, NotFound, UsageError
from core.journal import JournalEntry
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.platform import open_platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from core.settings import Settings
from flows.engine import transitions
from flows.engine.brokers import open_broker
from flows.engine.models import Dossier, Step
from flows.parapheur import mailing as sending
from flows.parapheur.conclusion import perform
from signing.parapheur import actions, circuits, consultation, folders, history, mailing, recall, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place
from signing.parapheur.folders import Joined
from signing.parapheur.history import Said
from signing.parapheur.mailing import Dispatch, Mailing, dispatch_of
from signing.parapheur.models import DocumentKind, FolderEvent, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import Standing
from signing.parapheur.typology import SubtypeOptions, TypeOptions
from tests.conftest import free_port
from tests.office import Office, pdf

PREFECT, MINISTER = "courrier@prefecture.test", "cabinet@ministere.test"


@dataclass
class Box:
    """What the server has taken, for whom, and what it answers."""

    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    answer: str = "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.taken.append((list(envelope.rcpt_tos), message))
        return self.answer


_BOX = Box()


@pytest.fixture(autouse=True)
def box() -> Box:
    """The server's own, empty again."""
    _BOX.taken, _BOX.answers, _BOX.answer = [], {}, "250 OK"
    return _BOX


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server answers."""
    with serving(free_port()) as controller:
        yield controller.port


@contextmanager
def serving(port: int) -> Iterator[Controller]:
    controller = Controller(_BOX, hostname="127.0.0.1", port=port)
    controller.start()
    yield controller
    controller.stop()


@dataclass
class Post:
    """A mairie whose secretariat sends its letters by mail, and the stages run one by one."""

    office: Office
    broker: dramatiq.Broker
    dossier: str = ""

    def run(self, stage: str) -> None:
        """Do what a worker would, now."""
        database = self.office.platform.database
        with database.writing(PLATFORM) as session:
            session.connection().execute(
                update(Step).where(col(Step.dossier_id) == self.dossier).values(due=clock.now(), leased_until=None)
            )
        self.broker.get_actor(f"document.{stage}").fn(self.dossier)

    def sent_to_circuit(self, kind: str, *contents: bytes, **values: Any) -> Post:
        self.dossier = self.office.sends(kind, "Arrêté « 2026-118 »", *contents, **values)
        self.run("check")
        self.run("proceed")
        return self

    @property
    def state(self) -> str:
        with self.office.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, self.dossier).state

    @property
    def task(self) -> Task:
        with self.office.platform.database.reading(PLATFORM) as session:
            folder = self.office.folder(self.dossier)
            wanted = select(Task).where(Task.folder_id == folder.id, Task.kind == StepKind.MAIL.value)
            return session.exec(wanted.order_by(Task.id.desc())).first()  # type: ignore[attr-defined, return-value]

    @property
    def dispatch(self) -> Dispatch:
        return dispatch_of(self.task)

    @property
    def events(self) -> list[FolderEvent]:
        with self.office.platform.database.reading(PLATFORM) as session:
            return history.events_of(session, self.office.folder(self.dossier).id)

    @property
    def documents(self) -> tuple[str, ...]:
        with self.office.platform.database.reading(PLATFORM) as session:
            return tuple(one.id for one in folders.documents_of(session, self.office.folder(self.dossier).id))

    def asks(self, *to: str, limit: int = 20 << 20, said: Said = history.SILENT, **values: Any) -> Standing:
        """Ask for the mail as the page does."""
        wanted = Mailing(**{"to": to, "subject": "Arrêté signé", "documents": self.documents, **values})
        who, task = self.office.principal("secretariat"), self.task.id
        act = lambda session: mailing.ask(session, who, task, wanted, limit, said)  # noqa: E731
        return perform(self.office.platform, who, act)


@pytest.fixture(scope="module")
def furnished(port: int, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """A mairie whose circuits send mail, for all the tests."""
    settings = Settings(
        state_dir=tmp_path_factory.mktemp("mailing"),
        s3_bucket_prefix=f"t{secrets.token_hex(6)}",
        smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"),
        mail_from="parapheur@valmorin.test",
    )
    platform = open_platform(settings, s3.store(settings.s3_bucket_prefix))
    platform.objects.prepare()
    upgrade(platform.database)
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        town = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root)
    office, broker = Office.opened(platform, town), open_broker("memory://")
    _classify(office)
    build_engine(platform, broker)
    yield Post(office, broker)
    broker.close()
    platform.database.close()


def _classify(office: Office) -> None:
    owner = office.organisation.id
    with office.platform.database.writing(PLATFORM) as session:
        mail = circuits.Step(kind=StepKind.MAIL, places=(Place(desk=office.desks["secretariat"].id),))
        visa = circuits.Step(kind=StepKind.VISA, places=(Place(desk=office.desks["dgs"].id),))
        of = typology.add_type(session, owner, "Envoi", TypeOptions(city="Valmorin", postal_code="99012"))
        for key, steps in {"mail": (mail,), "mail-visa": (mail, visa), "visa-mail": (visa, mail)}.items():
            circuits.draw_up(session, owner, key, key, steps)
            options = SubtypeOptions(main_documents=3, recall_minutes=60 if key == "mail" else 0)
            office.kinds[key] = typology.add_subtype(session, of, key, options, (Row(circuit=key),)).id


@pytest.fixture
def post(furnished: Post) -> Post:
    return replace(furnished)


def kinds(post: Post) -> list[str]:
    return [event.kind for event in post.events]


def test_a_desk_asks_and_the_platform_sends_the_documents_and_the_docket_to_everybody_once(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa", pdf("lettre"), pdf("annexe"))
    standing = post.asks(
        PREFECT, cc=(MINISTER,), bcc=("archives@valmorin.test",), message="Bonjour,\n\nCi-joint l’arrêté.", said=Said("Urgent")
    )
    assert (standing.automatic, post.state) == (True, "proceeding")
    post.run("proceed")
    ((recipients, message),) = box.taken
    assert sorted(recipients) == ["archives@valmorin.test", MINISTER, PREFECT]
    assert (message["To"], message["Cc"], message["Bcc"], message["Subject"]) == (PREFECT, MINISTER, None, "Arrêté signé")
    assert message["From"] == "Commune de Valmorin <parapheur@valmorin.test>"
    assert "archives@" not in message.as_string()
    body = message.get_body()
    assert body is not None
    assert "Ci-joint l’arrêté." in body.get_content()
    assert "Envoyé par Secrétariat général, Commune de Valmorin." in body.get_content()
    files = {one.get_filename(): one.get_content() for one in message.iter_attachments()}
    assert list(files) == ["document-1.pdf", "document-2.pdf", "bordereau.pdf"]
    assert (files["document-1.pdf"], files["document-2.pdf"]) == (pdf("lettre"), pdf("annexe"))
    assert files["bordereau.pdf"].startswith(b"%PDF-")
    assert kinds(post) == ["created", "started", "mailing", "mailed"]
    assert (post.events[2].note, post.events[3].facts["recipients"], len(post.events[3].facts["sent"])) == ("Urgent", 3, 3)
    assert (post.task.state, post.task.actor) == (TaskState.DONE.value, post.office.principal("secretariat").actor)
    assert len(post.office.tasks(post.dossier, "dgs")) == 1, "the next step is open"
    assert post.state == "in_parapheur"


def test_neither_the_journal_nor_the_events_bear_an_address(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa")
    box.answers[MINISTER] = "550 unknown"
    post.asks(PREFECT, MINISTER)
    post.run("proceed")
    with post.office.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == post.dossier))
        told = [entry.facts for entry in entries]
        facts = session.get_one(Dossier, post.dossier).facts
    assert any("message" in one.get("mailing", {}) for one in told), "what leaves is noted before"
    assert "@prefecture" not in json.dumps([told, facts, [event.facts for event in post.events]])
    assert PREFECT in post.dispatch.served


def test_a_mail_at_the_end_of_the_circuit_lets_the_folder_go_and_cannot_be_taken_back(post: Post) -> None:
    post.sent_to_circuit("mail")
    post.asks(PREFECT)
    post.run("proceed")
    folder = post.office.folder(post.dossier)
    assert (folder.state, folder.last_desk_id) == (FolderState.FINISHED.value, None)
    who = post.office.principal("secretariat")
    with pytest.raises(Conflict):
        perform(post.office.platform, who, lambda session: recall.undo(session, who, folder.id))


def test_while_the_mail_is_on_its_way_nothing_else_can_be_done_with_the_step(post: Post) -> None:
    post.sent_to_circuit("visa-mail")
    post.office.approves("dgs", post.dossier)
    post.asks(PREFECT)
    who, dgs, task = post.office.principal("secretariat"), post.office.principal("dgs"), post.task.id
    for act in (
        lambda session: actions.reject(session, who, task, Said("Non")),
        lambda session: consultation.transfer(session, who, task, post.office.desks["maire"].id),
        lambda session: mailing.ask(session, who, task, Mailing(to=(MINISTER,), subject="Encore"), 1 << 20),
        lambda session: recall.undo(session, dgs, post.office.folder(post.dossier).id),
    ):
        with pytest.raises(Conflict):
            perform(post.office.platform, who, act)
    assert post.dispatch.asked.to == (PREFECT,)


def test_a_server_that_is_down_loses_nothing_and_the_same_mail_leaves_when_it_is_back(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.sent_to_circuit("mail-visa")
    post.asks(PREFECT)
    elsewhere, known = free_port(), sending.server_of(post.office.platform.settings)
    monkeypatch.setattr(sending, "server_of", lambda _: replace(known, port=elsewhere))
    post.run("proceed")
    with post.office.platform.database.reading(PLATFORM) as session:
        waiting = session.exec(select(Step).where(Step.dossier_id == post.dossier)).one()
    assert "ne répond pas" in (waiting.trouble or "")
    assert (post.state, kinds(post)[-1], box.taken) == ("proceeding", "mailing", [])
    with serving(elsewhere):
        post.run("proceed")
    assert ([who for who, _ in box.taken], kinds(post)[-1]) == ([[PREFECT]], "mailed")


def test_a_crash_between_the_answer_and_the_record_sends_the_same_message_again(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.sent_to_circuit("mail-visa")
    post.asks(PREFECT)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(transitions, "advance", crash)
        with pytest.raises(RuntimeError):
            post.run("proceed")
    assert kinds(post)[-1] == "mailing"
    post.run("proceed")
    first, second = (message for _, message in box.taken)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@valmorin.test>")
    assert first.as_bytes() == second.as_bytes(), "the docket too is the same"
    assert kinds(post).count("mailed") == 1


def test_a_refused_recipient_is_back_at_the_desk_and_nobody_else_is_written_to_twice(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa")
    box.answers["parti@prefecture.test"] = "550 no such user"
    post.asks(PREFECT, "parti@prefecture.test")
    post.run("proceed")
    assert (post.state, kinds(post)[-1]) == ("in_parapheur", "mail_refused")
    assert {key: post.events[-1].facts[key] for key in ("recipients", "refused")} == {"recipients": 1, "refused": 1}
    assert (post.dispatch.served, post.dispatch.refused, post.dispatch.under_way) == (
        (PREFECT,), {"parti@prefecture.test": 550}, False,
    )  # fmt: skip
    assert len(post.office.tasks(post.dossier, "secretariat")) == 1
    post.asks(PREFECT, "arrive@prefecture.test")
    post.run("proceed")
    assert [who for who, _ in box.taken] == [[PREFECT], ["arrive@prefecture.test"]]
    assert box.taken[0][1]["Message-ID"] != box.taken[1][1]["Message-ID"]
    assert (kinds(post)[-1], post.events[-1].facts["recipients"]) == ("mailed", 2)


def test_the_desk_may_go_on_without_those_whom_the_server_refuses(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa")
    box.answers["parti@prefecture.test"] = "550 no such user"
    post.asks(PREFECT, "parti@prefecture.test")
    post.run("proceed")
    post.asks()
    post.run("proceed")
    assert (len(box.taken), kinds(post)[-1], post.task.state) == (1, "mailed", TaskState.DONE.value)


def test_those_for_whom_the_server_asks_to_wait_are_written_to_later_and_the_others_once(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa")
    box.answers = {MINISTER: "450 greylisted", "parti@prefecture.test": "550 no such user"}
    post.asks(PREFECT, MINISTER, "parti@prefecture.test")
    post.run("proceed")
    assert (post.state, post.dispatch.served, post.dispatch.left) == ("proceeding", (PREFECT,), (MINISTER,))
    del box.answers[MINISTER]
    post.run("proceed")
    assert [who for who, _ in box.taken] == [[PREFECT], [MINISTER]]
    assert (kinds(post)[-1], post.dispatch.refused) == ("mail_refused", {"parti@prefecture.test": 550})


@pytest.mark.parametrize(("answer", "everybody"), [("552 too big", ""), ("250 OK", "550 no such user")])
def test_what_the_server_takes_for_nobody_is_back_at_the_desk_with_the_reason(
    post: Post, box: Box, answer: str, everybody: str
) -> None:
    post.sent_to_circuit("mail-visa")
    box.answer, box.answers = answer, {PREFECT: everybody} if everybody else {}
    post.asks(PREFECT)
    post.run("proceed")
    assert (post.state, kinds(post)[-1], box.taken) == ("in_parapheur", "mail_refused", [])
    assert ("552" in post.dispatch.trouble, post.dispatch.refused) == (not everybody, {PREFECT: 550} if everybody else {})
    box.answer, box.answers = "250 OK", {}
    post.asks(PREFECT)
    post.run("proceed")
    assert [who for who, _ in box.taken] == [[PREFECT]]


def test_a_step_that_an_administrator_went_past_meanwhile_tells_all_the_same_that_the_mail_has_left(post: Post) -> None:
    post.sent_to_circuit("mail-visa")
    post.asks(PREFECT)
    with post.office.platform.database.writing(PLATFORM) as session:
        actions.bypass(session, PLATFORM, post.office.folder(post.dossier).id, Said("Bloqué"))
        mailing.mailed(session, post.task.id, (PREFECT,), {})
    assert kinds(post)[-2:] == ["bypassed", "mailed"]
    assert post.task.state == TaskState.BYPASSED.value
    assert len(post.office.tasks(post.dossier, "dgs")) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"to": ()}, "au moins un destinataire"),
        ({"to": ("pas une adresse",)}, "pas une adresse"),
        ({"to": ("a@b.test\nBcc: x@y.test",)}, "ne se lisent pas"),
        ({"to": ("élu@valmorin.test",)}, "sans accent"),
        ({"to": ("sans-domaine@valmorin",)}, "ne se lisent pas"),
        ({"to": tuple(f"a{rank}@b.test" for rank in range(51))}, "50 au plus"),
        ({"subject": ""}, "objet"),
        ({"subject": "Objet\nBcc: x@y.test"}, "objet"),
        ({"subject": "x" * 256}, "255"),
        ({"message": "x" * 5001}, "5000"),
        ({"message": "\x07"}, "caractères"),
        ({"documents": (), "docket": False}, "au moins un document"),
        ({"limit": 100}, "dépassent"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_with_what_to_do(post: Post, values: dict[str, Any], said: str) -> None:
    post.sent_to_circuit("mail-visa")
    with pytest.raises(UsageError, match=said):
        post.asks(**{"to": (PREFECT,), **values})
    assert kinds(post)[-1] == "started"


def test_a_document_of_another_folder_is_not_sent_and_another_desk_cannot_ask(post: Post) -> None:
    other = post.sent_to_circuit("mail-visa").documents
    post.sent_to_circuit("mail-visa")
    with pytest.raises(NotFound):
        post.asks(PREFECT, documents=other)


def test_annexes_and_files_of_any_kind_leave_as_they_are(post: Post, box: Box) -> None:
    objects = post.office.platform.objects
    post.sent_to_circuit("mail-visa")
    eml, odd = b"From: a@b.test\r\n\r\nBonjour", "pièce n° 1 – « à lire ».eml"
    blob = objects.put(io.BytesIO(eml))
    with post.office.platform.database.writing(PLATFORM) as session:
        folder = folders.locked(session, post.office.folder(post.dossier).id)
        folders.join(session, folder, [Joined(DocumentKind.ANNEX, odd, "message/rfc822", blob.sha256, blob.size)])
    post.asks(PREFECT, docket=False)
    post.run("proceed")
    attached = list(box.taken[0][1].iter_attachments())
    assert [one.get_filename() for one in attached] == ["document-1.pdf", odd]
    assert (attached[1].get_content_type(), attached[1].get_content()) == ("application/octet-stream", eml)


def test_without_a_server_or_a_sender_it_is_said_before(post: Post) -> None:
    settings = post.office.platform.settings
    assert sending.server_of(settings).host == "127.0.0.1"
    for changes in ({"smtp_url": SecretStr("")}, {"mail_from": ""}):
        with pytest.raises(Misconfigured, match="TABELLION_SMTP_URL"):
            sending.server_of(settings.model_copy(update=changes))
    with pytest.raises(ValidationError):
        Settings(mail_limit=0)


def test_a_server_that_is_taken_away_meanwhile_parks_the_dossier_and_nothing_is_lost(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.sent_to_circuit("mail-visa")
    post.asks(PREFECT)
    without = post.office.platform.settings.model_copy(update={"smtp_url": SecretStr("")})
    monkeypatch.setattr(sending, "server_of", lambda _: sending_server(without))
    post.run("proceed")
    with post.office.platform.database.reading(PLATFORM) as session:
        assert "TABELLION_SMTP_URL" in (session.get_one(Dossier, post.dossier).parked or "")
    assert (post.dispatch.under_way, box.taken) == (True, [])


sending_server = sending.server_of


def test_a_transferred_step_remembers_who_was_served(post: Post, box: Box) -> None:
    post.sent_to_circuit("mail-visa")
    box.answers[MINISTER] = "550 no such user"
    post.asks(PREFECT, MINISTER)
    post.run("proceed")
    who, task = post.office.principal("secretariat"), post.task.id
    target = post.office.desks["maire"].id
    perform(post.office.platform, who, lambda session: consultation.transfer(session, who, task, target))
    given = replace(post).task
    assert (given.desk_id, dispatch_of(given).served) == (target, (PREFECT,))
