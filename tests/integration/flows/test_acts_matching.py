"""Which act a message of the ministry is about, when several bear one identifier or it comes out of turn; and who is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pytest
from sqlmodel import select

from api.web.acts.known import known_of
from api.web.acts.number import number_standing
from connectors.actes.settings import ActesOperator
from core import clock
from core.configuration import configuration_of, configure
from core.errors import Conflict
from core.identifiers import Siren
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Principal, Right
from core.problems import Problem
from flows.actes import incoming
from flows.actes.act import Act
from flows.actes.checking import problems_of
from flows.actes.intake import Submission, submit
from flows.actes.models import ActesEnvelope, ActesMail, ActesMessage
from flows.actes.settings import COLLECTIVITE, OPERATOR, ActesCollectivite
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import KeptFile, Work
from schemas.actes import messages as said
from schemas.actes.writer import render
from tests.acts import ADDRESS, ActsTown, today
from tests.conftest import on_one_shape

YESTERDAY = today() - timedelta(days=1)
SENDER = said.Collectivite("214009995", "040", "1", "31")
ENVELOPE = said.EnveloppeCLMISILL(SENDER, (ADDRESS,), (said.SignedFile("x.xml"),), None)


@dataclass(frozen=True)
class Correspondence:
    """A town whose acts stand where a test puts them, and the mails of the ministry about them."""

    acts: ActsTown
    service: Organisation

    def submit(
        self, organisation: Organisation, number: str, subject: str = "Tarifs de la cantine", who: Principal = PLATFORM
    ) -> str:
        values = (organisation.id, number, YESTERDAY, 1, (7, 10), subject)
        return submit(self.acts.platform, who, Submission(*values, self.acts.file(f"{subject}.pdf"))).dossier.id

    def stand(self, dossier_id: str, state: str, **facts: str) -> str:
        """Have an act in a state; it counts as refused, cancelled or under way accordingly."""
        with self.acts.platform.database.writing(PLATFORM) as session:
            dossier = session.get_one(Dossier, dossier_id)
            free = state in {"refused", "withdrawn", "cancelled"}
            dossier.state, dossier.reference = state, None if free else dossier.reference
            dossier.facts = {**dossier.facts, **facts}
            session.add(dossier)
        return dossier_id

    def sent(self, organisation: Organisation, number: str, subject: str = "Tarifs de la cantine", state: str = "sent") -> str:
        """An act that left, as its stages would have left it."""
        dossier_id = self.submit(organisation, number, subject)
        blob = self.acts.platform.objects.put(BytesIO(render(acte(number, subject))))
        kept = KeptFile("message", "m.xml", "application/xml", blob.sha256, blob.size)
        with self.acts.platform.database.writing(PLATFORM) as session:
            first = session.exec(select(ActesMessage).where(ActesMessage.dossier_id == dossier_id)).one()
            first.state = "sent"
            session.add(first)
            transitions.add_files(session, organisation.id, dossier_id, (kept,))
        self.leave(organisation, dossier_id, first.id)
        return self.stand(dossier_id, state)

    def leave(self, organisation: Organisation, dossier_id: str | None, message_id: str | None) -> str:
        """An envelope that left; return its name."""
        with self.acts.platform.database.writing(PLATFORM) as session:
            name = f"EACT--214009995--20260101-{len(session.exec(select(ActesEnvelope)).all()) + 1}"
            session.add(
                ActesEnvelope(
                    organisation_id=organisation.id,
                    dossier_id=dossier_id,
                    message_id=message_id,
                    name=name,
                    state="sent",
                    sha256="0" * 64,
                    size=1,
                    sent=clock.now(),
                )
            )
        return name

    def asked(self, dossier_id: str, code: str, state: str) -> str:
        """A message that follows an act."""
        dossier = self.acts.dossier(dossier_id)
        row = ActesMessage(
            organisation_id=dossier.organisation_id,
            dossier_id=dossier_id,
            code=code,
            id_acte=dossier.facts["id_acte"],
            outgoing=True,
            state=state,
            actor="platform",
        )
        with self.acts.platform.database.writing(PLATFORM) as session:
            session.add(row)
        return row.id

    def hear(self, message: said.Message | bytes, name: str = "message.xml", *others: said.Message) -> ActesMail:
        """Have the ministry mail a message, with others; return what became of the mail."""
        written = EmailMessage()
        written["From"], written["To"], written["Subject"] = "ministere@exemple.test", ADDRESS, "message"
        written.set_content("Bonjour")
        octets = message if isinstance(message, bytes) else render(message)
        written.add_attachment(octets, maintype="application", subtype="xml", filename=name)
        for n, other in enumerate(others):
            written.add_attachment(render(other), maintype="application", subtype="xml", filename=f"other{n}.xml")
        written.add_attachment(render(TO_TOWN), maintype="application", subtype="xml", filename="enveloppe.xml")
        self.acts.office.put(ADDRESS, written.as_bytes())
        incoming.collect(self.acts.platform, self.acts.organisation.id)
        mine = [mail for mail in self.acts.mails("applied", "unmatched", "kept") if any(p["name"] == name for p in mail.parts)]
        return max(mine, key=lambda mail: mail.id)

    def codes(self, dossier_id: str) -> list[str]:
        return [row.code for row in self.acts.messages(dossier_id)]

    def envelope(self, name: str) -> ActesEnvelope:
        with self.acts.platform.database.reading(PLATFORM) as session:
            return session.exec(select(ActesEnvelope).where(ActesEnvelope.name == name)).one()


TO_TOWN = said.EnveloppeMISILLCL(
    said.Office(said.OfficeKind.SOUS_PREFECTURE, "040", "1"), "214009995", (said.SignedFile("m.xml"),), None
)


def acte(number: str, subject: str) -> said.Acte:
    return said.Acte(YESTERDAY, number, 1, (7, 10), subject, date(2026, 1, 1), said.SignedFile(f"99_DE-{number}-1-1_1.pdf"))


def id_acte(number: str) -> str:
    return f"040-214009995-{YESTERDAY:%Y%m%d}-{number}-DE"


def receipt(number: str, subject: str) -> said.ARActe:
    return said.ARActe(id_acte(number), today(), acte(number, subject), date(2026, 1, 1))


def request(number: str, day: date | None) -> said.DemandePieceComplementaire:
    return said.DemandePieceComplementaire(id_acte(number), day, said.SignedFile("demande.pdf"), "Le plan")


def undated(number: str) -> bytes:
    """A request whose letter bears no date."""
    dated = render(request(number, today()))
    told = dated.replace(f' actes:DateCourrierPref="{today().isoformat()}"'.encode(), b"")
    assert told != dated
    return told


@pytest.fixture
def post(acts: ActsTown) -> Correspondence:
    """The town and a service of it, which sends acts under the same SIREN."""
    platform = acts.platform
    with platform.database.writing(PLATFORM) as session:
        town = session.get_one(Organisation, acts.organisation.id)
        service = add_organisation(session, "Service culture", OrganisationKind.SERVICE, parent=town, siren=Siren(SENDER.siren))
        configure(
            session,
            platform.secrets,
            service.id,
            COLLECTIVITE,
            ActesCollectivite(department="040", arrondissement="1", nature="31"),
        )
    return Correspondence(acts, service)


def problems_in(acts: ActsTown, dossier_id: str, folder: Path) -> list[Problem]:
    """What the check finds in an act."""
    dossier = acts.dossier(dossier_id)
    kept = tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in acts.files(dossier_id).values())
    facts = (dossier.title, dossier.state, dossier.facts, kept, folder, 1)
    work = Work(acts.platform, dossier_id, dossier.organisation_id, *facts, lambda *_: None)
    return problems_of(work, Act.from_facts(dossier.facts))


@on_one_shape
def test_a_number_serves_one_organisation_of_a_siren(post: Correspondence) -> None:
    acts, number = post.acts, "2026_01"
    own = post.submit(acts.organisation, number)
    of_service = Principal("person:01JPERS0NNE", {post.service.id: frozenset({Right.DEPOSIT})})
    with pytest.raises(Conflict) as refused:
        post.submit(post.service, number, "Un autre acte", of_service)
    assert refused.value.existing is None
    standing = number_standing(acts.platform, known_of(acts.platform, PLATFORM, post.service), number, YESTERDAY, 1)
    assert (standing.wrong, standing.dossier_id) == (True, "")
    assert "cantine" not in standing.words
    post.stand(own, "withdrawn")
    assert not number_standing(acts.platform, known_of(acts.platform, PLATFORM, post.service), number, YESTERDAY, 1).wrong
    assert post.submit(post.service, number, "Un autre acte", of_service)


@on_one_shape
def test_the_check_refuses_what_two_organisations_hold_already(post: Correspondence, tmp_path: Path) -> None:
    acts, number = post.acts, "2026_02"
    own = post.stand(post.submit(acts.organisation, number), "refused")
    other = post.submit(post.service, number, "Un autre acte")
    post.stand(own, "sent")
    assert [problem.found for problem in problems_in(acts, other, tmp_path) if problem.rule == "R31"] == [number]
    post.stand(own, "refused")
    assert "R31" not in [problem.rule for problem in problems_in(acts, other, tmp_path)]


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_of_two_organisations_that_take_a_number_at_once_one_has_it(post: Correspondence) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(10):
            number = f"2026_1{n}"
            tried = [
                pool.submit(post.submit, one, number, f"Acte {n} de {one.name}") for one in (post.acts.organisation, post.service)
            ]
            faults = [one.exception() for one in tried]
            assert [type(fault) for fault in faults if fault is not None] == [Conflict], number


@on_one_shape
@pytest.mark.parametrize("reply", ["receipt", "anomaly"])
def test_what_the_state_received_is_told_to_the_act_that_was_sent_so(post: Correspondence, reply: str) -> None:
    number, town = "2026_03", post.acts.organisation
    own = post.stand(post.sent(town, number, "La cantine"), "refused")
    other = post.sent(post.service, number, "Le théâtre")
    post.stand(own, "sent")
    if reply == "receipt":
        assert post.hear(receipt(number, "La  cantine")).dossier_id == own
    else:
        detail = said.AnomalieActe(today(), "002", "ODT-VERIF-01", acte(number, "La cantine"), date(2026, 1, 1))
        assert post.hear(detail).dossier_id == own
    assert (post.acts.dossier(own).state, post.acts.dossier(other).state) == (
        "acknowledged" if reply == "receipt" else "refused",
        "sent",
    )


@on_one_shape
def test_acts_that_cannot_be_told_apart_wait_for_a_person(post: Correspondence) -> None:
    number, town = "2026_04", post.acts.organisation
    own = post.stand(post.sent(town, number), "refused")
    other = post.sent(post.service, number)
    post.stand(own, "sent")
    mail = post.hear(receipt(number, "Tarifs de la cantine"))
    assert (mail.state, mail.dossier_id) == ("unmatched", None)
    assert number in (mail.reason or "")
    assert {post.acts.dossier(one).state for one in (own, other)} == {"sent"}


@on_one_shape
def test_a_letter_is_not_about_an_act_that_never_left_nor_about_one_received_after_it(post: Correspondence) -> None:
    number, town = "2026_05", post.acts.organisation
    first = post.sent(town, number, state="cancelled")
    second = post.submit(town, number, "Un autre acte")
    assert post.hear(request(number, today()), "3-1.xml").dossier_id == first
    assert post.codes(second) == ["1-1"]
    third = post.sent(town, "2026_06", state="cancelled")
    fourth = post.sent(town, "2026_06", "Un autre acte")
    waiting = request("2026_06", YESTERDAY)
    assert post.hear(waiting, "later.xml").state == "kept"
    post.stand(fourth, "acknowledged", reception_date=today().isoformat())
    incoming.apply_pending(post.acts.platform, town.id)
    assert post.codes(third) == ["1-1", "3-1"]
    assert post.hear(replace(waiting, letter_date=today()), "new.xml").dossier_id == fourth


@on_one_shape
def test_a_letter_waits_for_an_act_that_is_leaving(post: Correspondence) -> None:
    only = post.submit(post.acts.organisation, "2026_07")
    assert post.hear(request("2026_07", today())).state == "kept"
    assert post.codes(only) == ["1-1"]


@on_one_shape
@pytest.mark.parametrize("state", ["refused", "rejected"])
def test_a_receipt_after_a_refusal_changes_nothing_and_goes_to_a_person(post: Correspondence, state: str) -> None:
    act = post.sent(post.acts.organisation, "2026_08", state=state)
    mail = post.hear(receipt("2026_08", "Tarifs de la cantine"))
    assert mail.state == "unmatched"
    assert id_acte("2026_08") in (mail.reason or "")
    assert (post.acts.dossier(act).state, post.codes(act)) == (state, ["1-1"])


@on_one_shape
def test_an_anomaly_refuses_a_message_in_its_newest_envelope_only(post: Correspondence) -> None:
    town = post.acts.organisation
    act = post.sent(town, "2026_09", state="acknowledged")
    answer = post.asked(act, "3-4", "sent")
    names = [post.leave(town, act, answer) for _ in range(2)]
    for name, state in zip(names, ("sent", "refused"), strict=True):
        notice = said.AnomalieEnveloppe(today(), "100", f"{name} illisible", ENVELOPE)
        assert post.hear(notice, f"ANO_{name}.xml").state == "applied"
        assert post.envelope(name).state == "refused"
        assert post.acts.message(act, "3-4").state == state
    assert post.codes(act).count("ANO") == 2


@on_one_shape
def test_a_second_answer_is_refused_by_an_anomaly_that_says_the_same_as_that_of_the_first(post: Correspondence) -> None:
    town = post.acts.organisation
    act = post.sent(town, "2026_20", state="acknowledged")
    notice = said.AnomalieEnveloppe(today(), "100", "illisible", ENVELOPE)
    for _ in range(2):
        answer = post.asked(act, "3-4", "sent")
        name = post.leave(town, act, answer)
        assert post.hear(notice, f"ANO_{name}.xml").state == "applied"
        states = {row.id: row.state for row in post.acts.messages(act)}
        assert (post.envelope(name).state, states[answer]) == ("refused", "refused")


@on_one_shape
def test_a_refused_acknowledgement_that_left_by_itself_is_told(post: Correspondence) -> None:
    town = post.acts.organisation
    act = post.sent(town, "2026_18", state="acknowledged")
    name = post.leave(town, act, post.asked(act, "3-2", "sent"))
    mail = post.hear(said.AnomalieEnveloppe(today(), "100", "SIREN inconnu", ENVELOPE), f"ANO_{name}.xml")
    assert (mail.state, mail.dossier_id, post.acts.message(act, "3-2").state) == ("unmatched", act, "refused")
    assert "SIREN inconnu" in (mail.reason or "")


@on_one_shape
@pytest.mark.parametrize(("state", "mailed"), [("to_send", "applied"), ("packed", "kept")])
def test_an_anomaly_does_not_refuse_what_is_to_leave_again(post: Correspondence, state: str, mailed: str) -> None:
    town = post.acts.organisation
    act = post.sent(town, "2026_12", state="acknowledged")
    name = post.leave(town, act, post.asked(act, "3-4", state))
    notice = said.AnomalieEnveloppe(today(), "100", "illisible", ENVELOPE)
    assert post.hear(notice, f"ANO_{name}.xml").state == mailed
    assert post.acts.message(act, "3-4").state == state


@on_one_shape
def test_a_refused_request_for_the_classification_is_told_once(post: Correspondence) -> None:
    name = post.leave(post.service, None, None)
    mail = post.hear(said.AnomalieEnveloppe(today(), "005", "SIREN inconnu", ENVELOPE), f"ANO_{name}.xml")
    assert (mail.state, mail.organisation_id) == ("unmatched", post.service.id)
    assert "SIREN inconnu" in (mail.reason or "")
    assert post.envelope(name).state == "refused"
    incoming.analyse(post.acts.platform, mail.id)
    assert mail.id in [one.id for one in post.acts.mails("applied")]


@on_one_shape
def test_an_undated_letter_is_kept_and_told_and_nothing_leaves_for_it(post: Correspondence) -> None:
    act = post.sent(post.acts.organisation, "2026_13", state="acknowledged")
    mail = post.hear(undated("2026_13"))
    assert (mail.state, mail.dossier_id) == ("unmatched", act)
    assert "3-1" in (mail.reason or "")
    assert post.codes(act) == ["1-1", "3-1"]
    assert post.acts.dossier(act).state == "acknowledged"


@on_one_shape
def test_what_a_person_is_to_be_told_outlasts_what_must_wait_in_the_same_mail(post: Correspondence) -> None:
    town = post.acts.organisation
    act, leaving = post.sent(town, "2026_21", state="acknowledged"), post.submit(town, "2026_22")
    mail = post.hear(undated("2026_21"), "undated.xml", request("2026_22", today()))
    incoming.apply_pending(post.acts.platform, town.id)
    assert (mail.state, post.codes(act), post.codes(leaving)) == ("kept", ["1-1", "3-1"], ["1-1"])
    post.stand(leaving, "acknowledged", reception_date=today().isoformat())
    incoming.apply_pending(post.acts.platform, town.id)
    (told,) = [one for one in post.acts.mails("unmatched") if one.id == mail.id]
    assert id_acte("2026_21") in (told.reason or "")
    assert "3-1" in post.codes(leaving)
    incoming.analyse(post.acts.platform, mail.id)
    assert mail.id in [one.id for one in post.acts.mails("applied")]


@on_one_shape
@pytest.mark.parametrize("code", ["6-1", "3-4"])
def test_an_acknowledgement_is_told_to_the_act_that_asked_for_it(post: Correspondence, code: str) -> None:
    number, town = "2026_14", post.acts.organisation
    own = post.stand(post.sent(town, number), "refused")
    other = post.sent(post.service, number, "Le théâtre", state="acknowledged")
    post.stand(own, "acknowledged")
    row = post.asked(other, code, "sent")
    if code == "6-1":
        assert post.hear(said.ARAnnulation(id_acte(number), today())).dossier_id == other
        assert post.acts.dossier(other).state == "withdrawn"
    else:
        with post.acts.platform.database.writing(PLATFORM) as session:
            session.get_one(ActesMessage, row).letter_date = YESTERDAY
        assert post.hear(said.ARPieceComplementaire(id_acte(number), YESTERDAY, today())).dossier_id == other
    assert post.codes(own) == ["1-1"]


@on_one_shape
def test_a_person_says_which_of_two_acts_a_letter_is_about(post: Correspondence) -> None:
    number, town = "2026_15", post.acts.organisation
    own = post.stand(post.sent(town, number), "refused")
    other = post.sent(post.service, number, "Le théâtre", state="acknowledged")
    post.stand(own, "acknowledged")
    mail = post.hear(request(number, today()))
    assert mail.state == "unmatched"
    assert [part["acts"] for part in mail.parts if "acts" in part] == [[own, other]]
    stranger = post.sent(town, "2026_16", state="acknowledged")
    for meant, state in ((stranger, "unmatched"), (other, "applied")):
        incoming.analyse(post.acts.platform, mail.id, meant)
        (now,) = [one for one in post.acts.mails(state) if one.id == mail.id]
    assert (now.dossier_id, now.reason, [part for part in now.parts if "acts" in part]) == (other, None, [])
    assert [post.codes(one) for one in (own, other, stranger)] == [["1-1"], ["1-1", "3-1", "3-2"], ["1-1"]]


@on_one_shape
@pytest.mark.parametrize("kind", ["receipt", "anomaly", "cancellation"])
def test_what_one_act_has_heard_to_the_letter_goes_to_a_person_while_another_waits_for_it(
    post: Correspondence, kind: str
) -> None:
    number, town = "2026_19", post.acts.organisation
    message, standing, heard, after, code = {
        "receipt": (receipt(number, "Tarifs de la cantine"), "sent", "acknowledged", "cancelled", "1-2"),
        "anomaly": (
            said.AnomalieActe(today(), "002", "ODT-VERIF-01", acte(number, "Tarifs de la cantine"), date(2026, 1, 1)),
            "sent",
            "refused",
            "refused",
            "1-3",
        ),
        "cancellation": (said.ARAnnulation(id_acte(number), today()), "acknowledged", "withdrawn", "cancelled", "6-2"),
    }[kind]
    first = post.sent(town, number, state=standing)
    if kind == "cancellation":
        post.asked(first, "6-1", "sent")
    assert post.hear(message, "first.xml").dossier_id == first
    assert post.acts.dossier(first).state == heard
    post.stand(first, after)
    assert post.hear(message, "twice.xml").state == "applied"
    second = post.sent(town, number, state=standing)
    if kind == "cancellation":
        post.asked(second, "6-1", "sent")
    mail = post.hear(message, "second.xml")
    assert (mail.state, [part["acts"] for part in mail.parts if "acts" in part]) == ("unmatched", [[first, second]])
    assert code not in post.codes(second)
    incoming.analyse(post.acts.platform, mail.id, second)
    assert (post.acts.dossier(second).state, post.codes(second)[-1]) == (heard, code)
    assert post.hear(message, "again.xml").state == "applied"
    assert [post.codes(one).count(code) for one in (first, second)] == [1, 1]


@on_one_shape
def test_an_anomaly_is_about_no_envelope_of_those_whom_its_mailbox_does_not_serve(post: Correspondence) -> None:
    with post.acts.platform.database.writing(PLATFORM) as session:
        stranger = add_organisation(session, "Une voisine", OrganisationKind.COLLECTIVITE, siren=Siren("219900016"))
    act = post.sent(post.acts.organisation, "2026_17")
    name = post.leave(stranger, act, post.acts.message(act, "1-1").id)
    notice = said.AnomalieEnveloppe(today(), "100", "illisible", ENVELOPE)
    assert post.hear(notice, f"ANO_{name}.xml").state == "unmatched"
    assert post.acts.dossier(act).state == "sent"


@on_one_shape
def test_what_somebody_else_mails_changes_no_act_until_they_are_permitted(post: Correspondence) -> None:
    town, secrets = post.acts.organisation, post.acts.platform.secrets
    with post.acts.platform.database.reading(PLATFORM) as session:
        operator = configuration_of(session, secrets, town.id, OPERATOR, ActesOperator)

    def permit(*senders: str) -> None:
        box = operator.mailbox.model_copy(update={"senders": senders})
        with post.acts.platform.database.writing(PLATFORM) as session:
            configure(session, secrets, town.id, OPERATOR, operator.model_copy(update={"mailbox": box}))

    permit("interieur.test")
    act = post.sent(town, "2026_31")
    mail = post.hear(receipt("2026_31", "Tarifs de la cantine"))
    assert (mail.state, mail.dossier_id, post.codes(act), post.acts.dossier(act).state) == ("unmatched", None, ["1-1"], "sent")
    assert "ministere@exemple.test" in (mail.reason or "")
    assert "senders" in (mail.reason or "")
    incoming.analyse(post.acts.platform, mail.id)
    assert post.codes(act) == ["1-1"]
    permit("interieur.test", "exemple.test")
    incoming.analyse(post.acts.platform, mail.id)
    assert post.codes(act) == ["1-1", "1-2"]
    assert mail.id in [one.id for one in post.acts.mails("applied")]
