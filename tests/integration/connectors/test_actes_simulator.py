"""The ministry's side: archives in over HTTPS, answers out by real mail, whatever goes wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.actes.client import deposit
from connectors.actes.errors import DeliveryUnknown
from connectors.actes.settings import ActesOperator, Credentials
from connectors.actes.simulated_certificates import TlsAuthority
from connectors.actes.simulated_door import Access, Mishap
from connectors.actes.simulated_mailbox import PostOffice
from connectors.actes.simulated_mailing import Fidelity
from connectors.actes.simulator import MinistrySimulator
from connectors.mailbox.client import mailbox
from connectors.mailbox.mail import Mail
from core.clock import in_paris, now
from core.errors import NotFound, TabellionError, UsageError
from core.identifiers import new_id
from schemas.actes.archive import build
from schemas.actes.codes import MessageCode
from schemas.actes.messages import (
    Acte,
    Annulation,
    AnomalieActe,
    AnomalieEnveloppe,
    ARActe,
    ARAnnulation,
    ARDemandePieceComplementaire,
    ARPieceComplementaire,
    ARReponseRejetLettreObservations,
    Collectivite,
    CourrierSimple,
    DefereTA,
    DemandeClassification,
    DemandePieceComplementaire,
    EnveloppeCLMISILL,
    EnveloppeMISILLCL,
    LettreObservations,
    Message,
    PieceComplementaire,
    RefusPieceComplementaire,
    RejetLettreObservations,
    ReponseClassificationSansChangement,
    ReponseLettreObservations,
    RetourClassification,
    SignedFile,
)
from schemas.actes.names import ArchiveName, AttachmentName, EnvelopeName, IdActe, MessageBase, MessageName
from schemas.actes.reader import Read, read
from schemas.actes.writer import write
from tests.conftest import free_port
from tests.waiting import wait_until

TDT, AGENT = "tdt@tdt.test", "agent@valmorin.test"
TOWN = Collectivite("214009995", "040", "1", "31")
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
DECIDED = date(2026, 11, 2)


@dataclass
class Scene:
    """The ministry, the post office, and our side."""

    ministry: MinistrySimulator
    office: PostOffice
    folder: Path
    sent: int = 0

    @property
    def operator(self) -> ActesOperator:
        return self.ministry.operator(self.office.settings_for(TDT), TDT)

    def base(self, number: str, code: MessageCode) -> MessageBase:
        act = IdActe.build(department=TOWN.department, siren=TOWN.siren, day=DECIDED, number=number, nature="DE")
        return MessageBase.of_act(act, code)

    def id_acte(self, number: str = "2026_001") -> str:
        return str(self.base(number, MessageCode.ACTE).act)

    def act(self, number: str = "2026_001", **changes: Any) -> Acte:
        name = AttachmentName.build(type="99_DE", base=self.base(number, MessageCode.ACTE), n=1, extension="pdf")
        made = Acte(
            DECIDED, number, 1, (5, 2), "Règlement intérieur", self.ministry.classification.version, SignedFile(str(name))
        )
        return replace(made, **changes)

    def archive(self, *messages: tuple[Message, MessageBase], sender: Collectivite = TOWN, **files: bytes) -> tuple[Path, str]:
        """An archive of messages, each with the base of its name."""
        self.sent += 1
        room = self.folder / new_id()
        room.mkdir()
        envelope = EnvelopeName.to_state(application="TACT", siren=sender.siren, day=DECIDED, n=self.sent)
        written: dict[str, Path] = {str(envelope): room / str(envelope)}
        forms = []
        for message, base in messages:
            name = str(MessageName.build(base))
            write(message, room / name)
            written[name] = room / name
            forms.append(SignedFile(name))
            for file in message.files:
                (room / file.name).write_bytes(PDF)
                written[file.name] = room / file.name
        for extra, octets in files.items():
            (room / extra).write_bytes(octets)
            written[extra] = room / extra
        write(EnveloppeCLMISILL(sender, (TDT, AGENT), tuple(forms)), room / str(envelope))
        name = ArchiveName.build("TAB", envelope)
        return build(room, name, written), str(name)

    def send(self, *messages: tuple[Message, MessageBase], **options: Any) -> None:
        path, name = self.archive(*messages, **options)
        deposit(self.operator, path, name)

    def send_act(self, *numbers: str, **changes: Any) -> None:
        self.send(*((self.act(one, **changes), self.base(one, MessageCode.ACTE)) for one in numbers or ("2026_001",)))

    def mails(self, count: int, address: str = TDT) -> list[Mail]:
        """Wait for so many mails, take them out of the mailbox, and return them in their order."""
        with mailbox(self.office.settings_for(address)) as opened:
            wait_until(lambda: len(opened.waiting()) >= count, seen=lambda: str(self.ministry.deliveries()))
            found = []
            for one in opened.waiting():
                room = self.folder / new_id()
                room.mkdir()
                found.append(opened.fetch(one.uid, room))
                opened.done(one.uid)
        assert len(found) == count
        return found

    def messages(self, count: int = 1) -> list[Message]:
        return [message_of(one) for one in self.mails(count)]


def documents(mail: Mail) -> list[Read]:
    return [read(one.path) for one in mail.attachments if one.name.lower().endswith(".xml")]


def message_of(mail: Mail) -> Message:
    (found,) = (one.message for one in documents(mail) if one.message is not None)
    return found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[PostOffice]:
    with PostOffice(tmp_path / "post", accounts={TDT: "secret", AGENT: "other"}) as opened:
        yield opened


@pytest.fixture
def opening(tmp_path: Path, office: PostOffice) -> Iterator[Callable[..., Scene]]:
    opened: list[MinistrySimulator] = []

    def scene(**options: Any) -> Scene:
        given = {"relay": ("127.0.0.1", office.smtp_port), "delay": 0.0} | options
        ministry = MinistrySimulator(tmp_path / "ministry", **given)
        ministry.start()
        opened.append(ministry)
        return Scene(ministry, office, tmp_path)

    yield scene
    for ministry in opened:
        ministry.stop()


@pytest.fixture
def scene(opening: Callable[..., Scene]) -> Scene:
    return opening()


def test_an_act_is_acknowledged_at_every_address_of_its_envelope(scene: Scene) -> None:
    scene.send_act()
    for address in (TDT, AGENT):
        (mail,) = scene.mails(1, address)
        envelope, receipt = documents(mail)
        assert isinstance(envelope.document, EnveloppeMISILLCL)
        assert (str(envelope.document.sender), envelope.document.recipient) == ("SPREF0401", TOWN.siren)
        assert isinstance(receipt.message, ARActe)
        assert receipt.message.id_acte == "040-214009995-20261102-2026_001-DE"
        assert receipt.message.reception_date == in_paris(now()).date()
        assert receipt.message.received == scene.act(announced=0)
        assert (envelope.findings, receipt.findings) == ((), ())
        assert mail.attachments[0].name.startswith("TACT--SPREF0401-214009995-")
        assert mail.attachments[1].name.startswith("040-214009995-20261102-2026_001-DE-1-2_")
        assert mail.html is not None
    assert [act.id_acte for act in scene.ministry.acts()] == [scene.id_acte()]


def test_two_acts_of_one_envelope_are_answered_one_by_one(scene: Scene) -> None:
    scene.send_act("2026_001", "2026_002")
    receipts = scene.messages(2)
    assert [one.id_acte for one in receipts if isinstance(one, ARActe)] == [scene.id_acte(), scene.id_acte("2026_002")]


def test_an_act_with_a_stale_classification_is_refused_with_its_code(scene: Scene) -> None:
    scene.send_act(classification_date=date(2020, 1, 1))
    (refusal,) = scene.messages()
    assert isinstance(refusal, AnomalieActe)
    assert refusal.nature == "002"
    assert (refusal.detail or "").startswith("ODT-VERIF-01")
    assert refusal.current_classification_date == scene.ministry.classification.version
    assert scene.ministry.acts() == []


def test_an_act_refused_for_itself_does_not_take_its_neighbour_along(scene: Scene) -> None:
    wrong = AttachmentName.build(type="99_AI", base=scene.base("2026_002", MessageCode.ACTE), n=1, extension="pdf")
    other = scene.act("2026_002", document=SignedFile(str(wrong)))
    scene.send((scene.act(), scene.base("2026_001", MessageCode.ACTE)), (other, scene.base("2026_002", MessageCode.ACTE)))
    accepted, refused = scene.messages(2)
    assert isinstance(accepted, ARActe)
    assert isinstance(refused, AnomalieActe)
    assert "R22" in (refused.detail or "")


def test_a_file_that_nothing_names_refuses_the_envelope(scene: Scene) -> None:
    scene.send((scene.act(), scene.base("2026_001", MessageCode.ACTE)), **{"notes.pdf": PDF})
    (mail,) = scene.mails(1)
    (anomaly,) = documents(mail)
    assert isinstance(anomaly.message, AnomalieEnveloppe)
    assert (anomaly.message.nature, "R19" in (anomaly.message.detail or "")) == ("100", True)
    assert mail.attachments[0].name == "ANO_TACT--214009995--20261102-1.xml"
    assert anomaly.message.received is not None
    assert anomaly.message.received.sender == TOWN


def test_a_collectivite_that_is_not_registered_is_told_so(opening: Callable[..., Scene]) -> None:
    scene = opening(collectivites=["214009987"])
    scene.send_act()
    (anomaly,) = scene.messages()
    assert isinstance(anomaly, AnomalieEnveloppe)
    assert (anomaly.nature, "PREF-VERIF-02" in (anomaly.detail or "")) == ("005", True)


def test_an_archive_that_cannot_be_read_is_kept_and_answered_by_nothing(scene: Scene) -> None:
    broken = scene.folder / "broken"
    broken.write_bytes(b"not a tar")
    deposit(scene.operator, broken, "TAB-TACT--214009995--20261102-1.tar.gz")
    wait_until(lambda: bool(scene.ministry.deliveries()[0].outcome))
    assert scene.ministry.deliveries()[0].outcome == "silence"


def test_the_same_archive_twice_is_two_deliveries_and_one_answer(scene: Scene) -> None:
    path, name = scene.archive((scene.act(), scene.base("2026_001", MessageCode.ACTE)))
    for _ in range(2):
        deposit(scene.operator, path, name)
    wait_until(lambda: all(one.outcome for one in scene.ministry.deliveries()))
    assert [(one.name, one.outcome) for one in scene.ministry.deliveries()] == [(name, "1-2"), (name, "duplicate")]
    assert len({one.sha256 for one in scene.ministry.deliveries()}) == 1
    assert len(scene.messages()) == 1


def test_an_act_sent_again_in_another_envelope_is_refused(scene: Scene) -> None:
    scene.send_act()
    scene.send_act()
    received, refused = scene.messages(2)
    assert isinstance(received, ARActe)
    assert isinstance(refused, AnomalieActe)
    assert "déjà" in (refused.detail or "")


def test_an_act_is_cancelled_once(scene: Scene) -> None:
    scene.send_act()
    scene.messages()
    cancellation = (Annulation(scene.id_acte()), scene.base("2026_001", MessageCode.ANNULATION))
    scene.send(cancellation)
    (done,) = scene.messages()
    assert done == ARAnnulation(scene.id_acte(), in_paris(now()).date())
    scene.send(cancellation)
    (refused,) = scene.messages()
    assert isinstance(refused, AnomalieEnveloppe)
    assert (refused.nature, "ODT-VERIF-17" in (refused.detail or "")) == ("999", True)
    assert [act.state for act in scene.ministry.acts()] == ["cancelled"]


def test_the_classification_is_given_unless_it_is_known(scene: Scene) -> None:
    current = scene.ministry.classification.version
    assert current is not None
    base = MessageBase.of_classification(TOWN.department, TOWN.siren, MessageCode.DEMANDE_CLASSIFICATION)
    for known in (None, current - timedelta(days=1)):
        scene.send((DemandeClassification(known), base))
        (given,) = scene.messages()
        assert given == RetourClassification(scene.ministry.classification)
    scene.send((DemandeClassification(current), base))
    (mail,) = scene.mails(1)
    assert message_of(mail) == ReponseClassificationSansChangement(current)
    assert mail.attachments[1].name.startswith("040-214009995----7-3_")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("2-1", CourrierSimple), ("3-1", DemandePieceComplementaire), ("4-1", LettreObservations), ("5-1", DefereTA)],
)
def test_letters_come_with_their_document(scene: Scene, code: str, kind: type[Message]) -> None:
    scene.send_act()
    scene.messages()
    scene.ministry.send_letter(scene.id_acte(), code, "Merci de transmettre le plan.", date(2026, 11, 20))
    (mail,) = scene.mails(1)
    letter = message_of(mail)
    assert isinstance(letter, kind)
    assert str(letter.act) == scene.id_acte()
    (named,) = (file.name for file in letter.files)
    (pdf,) = (one for one in mail.attachments if one.name == named)
    assert pdf.path.read_bytes().startswith(b"%PDF-")
    assert pdf.media == "application/pdf"


def test_letters_are_about_acts_that_are_known_and_of_known_kinds(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.ministry.send_letter(scene.id_acte(), "2-1")
    scene.send_act()
    scene.messages()
    with pytest.raises(UsageError, match="1-2"):
        scene.ministry.send_letter(scene.id_acte(), "1-2")


@pytest.mark.parametrize(
    ("asked", "kind", "answer", "receipt"),
    [
        ("3-1", RefusPieceComplementaire, MessageCode.REFUS_PIECE_COMPLEMENTAIRE, ARPieceComplementaire),
        ("3-1", PieceComplementaire, MessageCode.PIECE_COMPLEMENTAIRE, ARPieceComplementaire),
        ("4-1", RejetLettreObservations, MessageCode.REJET_LETTRE_OBSERVATIONS, ARReponseRejetLettreObservations),
        ("4-1", ReponseLettreObservations, MessageCode.REPONSE_LETTRE_OBSERVATIONS, ARReponseRejetLettreObservations),
    ],
)
def test_the_answer_to_a_letter_is_acknowledged(
    scene: Scene, asked: str, kind: Callable[..., Message], answer: MessageCode, receipt: type[Message]
) -> None:
    scene.send_act()
    scene.messages()
    day = date(2026, 11, 20)
    scene.ministry.send_letter(scene.id_acte(), asked, "?", day)
    scene.messages()
    base = scene.base("2026_001", answer)
    file = SignedFile(str(AttachmentName.build(type="99_DE", base=base, n=1, extension="pdf")))
    scene.send((kind(scene.id_acte(), day, (file,) if kind is PieceComplementaire else file), base))
    (told,) = scene.messages()
    assert isinstance(told, receipt)
    assert (getattr(told, "letter_date", None), getattr(told, "reception_date", None)) == (day, in_paris(now()).date())


def test_a_receipt_of_a_request_is_noted_and_a_request_that_was_never_made_is_refused(scene: Scene) -> None:
    scene.send_act()
    scene.messages()
    day = date(2026, 11, 20)
    scene.ministry.send_letter(scene.id_acte(), "3-1", "?", day)
    scene.messages()
    base = scene.base("2026_001", MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE)
    scene.send((ARDemandePieceComplementaire(scene.id_acte(), day), base))
    wait_until(lambda: scene.ministry.deliveries()[-1].outcome == "noted")
    scene.send((ARDemandePieceComplementaire(scene.id_acte(), day + timedelta(days=1)), base))
    (refused,) = scene.messages()
    assert isinstance(refused, AnomalieEnveloppe)


@pytest.mark.parametrize(
    "oddity",
    ["utf8_octets", "empty_names", "large_counters", "message_after_document", "without_paper", "envelope_last", "alternative"],
)
def test_an_oddity_of_the_ministry_can_still_be_read(opening: Callable[..., Scene], oddity: str) -> None:
    scene = opening(fidelity=Fidelity(**{oddity: True}))
    scene.send_act("2026_001")
    (mail,) = scene.mails(1)
    receipt = message_of(mail)
    assert isinstance(receipt, ARActe)
    assert receipt.received is not None
    assert receipt.received.subject == "Règlement intérieur"
    names = [one.name for one in mail.attachments]
    if oddity == "utf8_octets":
        assert any("Règlement".encode() in one.path.read_bytes() for one in mail.attachments)
    if oddity == "large_counters":
        assert names[1].endswith("_10001.xml")
    if oddity == "without_paper":
        assert receipt.received.paper is None
    if oddity == "envelope_last":
        assert names[-1].startswith("TACT--")
    if oddity == "alternative":
        assert b"multipart/mixed" not in mail.raw.read_bytes()
    if oddity == "empty_names":
        scene.send_act(classification_date=date(2020, 1, 1))
        assert scene.mails(1)[0].attachments[1].name.startswith("040-214009995----1-3_")
    if oddity == "message_after_document":
        scene.ministry.send_letter(scene.id_acte(), "2-1")
        numbers = [int(one.name.rpartition("_")[2].partition(".")[0]) for one in scene.mails(1)[0].attachments[1:]]
        assert numbers[0] > numbers[1]


def test_mails_may_come_twice_in_disorder_or_without_any_file(opening: Callable[..., Scene]) -> None:
    scene = opening(fidelity=Fidelity(twice=True, reversed_order=True, paper_notice=True))
    scene.send((scene.act(paper="O"), scene.base("2026_001", MessageCode.ACTE)))
    mails = scene.mails(4)
    assert sorted(len(one.attachments) for one in mails) == [0, 0, 2, 2]
    notices = [one for one in mails if not one.attachments]
    assert all("papier" in (one.html or "") for one in notices)
    assert len({one.message_id for one in mails}) == 2


def test_an_act_may_be_refused_after_it_was_received(opening: Callable[..., Scene]) -> None:
    scene = opening(fidelity=Fidelity(anomaly_after_receipt=True))
    scene.send_act()
    assert [type(one) for one in scene.messages(2)] == [ARActe, AnomalieActe]


def test_nothing_refused_at_the_door_is_kept_and_nothing_kept_goes_unanswered(scene: Scene) -> None:
    path, name = scene.archive((scene.act(), scene.base("2026_001", MessageCode.ACTE)))
    for mishap in (Mishap.FAILED, Mishap.REFUSED, Mishap.DROPPED):
        scene.ministry.faults.plan(mishap)
        with pytest.raises(TabellionError):
            deposit(scene.operator, path, name)
    assert scene.ministry.deliveries() == []
    scene.ministry.faults.plan(Mishap.LOST)
    with pytest.raises(DeliveryUnknown):
        deposit(scene.operator, path, name)
    assert len(scene.messages()) == 1


def test_an_account_may_be_asked_for(opening: Callable[..., Scene]) -> None:
    scene = opening(access=Access(Credentials.QUERY, "tdt", "s&cret"))
    scene.send_act()
    assert len(scene.messages()) == 1


def test_mails_wait_for_a_mail_server_that_is_down(tmp_path: Path, opening: Callable[..., Scene]) -> None:
    port = free_port()
    scene = opening(relay=("127.0.0.1", port))
    scene.send_act()
    wait_until(lambda: bool(scene.ministry.deliveries()[0].outcome))
    with PostOffice(tmp_path / "late", accounts={TDT: "secret"}, smtp_port=port) as late:
        scene.office = late
        assert len(scene.messages()) == 1


def test_the_console_tells_everything_and_writes_letters(scene: Scene) -> None:
    scene.send_act()
    scene.messages()
    with urllib.request.urlopen(scene.ministry.console_url) as answer:
        told = json.load(answer)
    assert [one["outcome"] for one in told["deliveries"]] == ["1-2"]
    assert [one["id_acte"] for one in told["acts"]] == [scene.id_acte()]

    def ask(content: dict[str, str], media: str = "application/json") -> int:
        request = urllib.request.Request(
            f"{scene.ministry.console_url}letters", json.dumps(content).encode(), {"Content-Type": media}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    wanted = {"act": scene.id_acte(), "message": "3-1", "text": "Le plan", "day": "2026-11-20"}
    assert ask(wanted, "text/plain") == 404
    assert ask(wanted | {"act": "unknown"}) == 404
    assert ask(wanted | {"message": "9-9"}) == 422
    assert ask(wanted | {"day": "hier"}) == 422
    assert ask(wanted) == 202
    (letter,) = scene.messages()
    assert isinstance(letter, DemandePieceComplementaire)
    assert (letter.description, letter.letter_date) == ("Le plan", date(2026, 11, 20))


def test_what_was_taken_is_answered_after_a_kill(tmp_path: Path, office: PostOffice, opening: Callable[..., Scene]) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom connectors.actes.simulator import MinistrySimulator\n"
        "ministry = MinistrySimulator(Path(sys.argv[1]), relay=('127.0.0.1', int(sys.argv[2])), delay=3600)\n"
        "ministry.start()\nprint(ministry.url, flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "ministry"), str(office.smtp_port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        parked = tmp_path / "parked"
        idle = Scene(MinistrySimulator(parked, relay=("127.0.0.1", 1)), office, tmp_path)
        path, name = idle.archive((idle.act(), idle.base("2026_001", MessageCode.ACTE)))
        authority = TlsAuthority.open(tmp_path / "ministry" / "tls")
        endpoint = {
            "url": url,
            "client_certificate": authority.client().pem,
            "tls": {"authorities": authority.pem},
        }
        operator = ActesOperator.model_validate(
            {"trigramme": "TAB", "endpoint": endpoint, "mailbox": office.settings_for(TDT), "return_address": TDT}
        )
        deposit(operator, path, name)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    scene = opening()
    assert [one.name for one in scene.ministry.deliveries()] == [name]
    (receipt,) = scene.messages()
    assert isinstance(receipt, ARActe)
    scene.send_act("2026_002")
    assert len(scene.messages()) == 1
