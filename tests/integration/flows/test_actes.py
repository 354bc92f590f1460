"""An act from its deposit to its sealed record, and every message that follows it.

What the database or the broker could change runs on each deployment shape; what only the ministry's words change, on one.
"""

from __future__ import annotations

from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select

from archive.models import Record
from connectors.actes.simulated_classification import demonstration
from core import clock
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import classifying, following, incoming
from flows.actes.act import Act
from flows.actes.applying import apply
from flows.actes.following import Reply
from flows.actes.knowledge import classification_of
from flows.actes.legality import Phase, months_later
from flows.actes.matching import NotYet
from flows.actes.models import ActesEnvelope, ActesMail, ActesMessage
from flows.actes.numbering import next_number
from flows.actes.parcel import Found, Parcel, parcel_of
from flows.engine.models import Dossier, Schedule
from schemas.actes import writer
from schemas.actes.codes import MessageCode
from schemas.actes.messages import ReponseClassificationSansChangement
from tests.acts import ADDRESS, ActsTown, today
from tests.conftest import free_port, on_one_shape
from tests.waiting import wait_until


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """The mailbox is read often; no timestamping authority is needed here."""
    return {"poll_seconds": 0.2, "archive_lock_days": 1}


def test_an_act_is_sent_once_and_acknowledged_under_the_identifier_that_was_foreseen(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send("2026_A", annexes=(acts.file("plan.pdf", type_="21_RP"),))
        ended = acts.wait_for(dossier, "acknowledged")
    day = (today() - timedelta(days=1)).strftime("%Y%m%d")
    assert ended.facts["id_acte"] == ended.facts["id_acte_of_state"] == f"040-214009995-{day}-2026_A-DE"
    assert [row.code for row in acts.messages(dossier)] == ["1-1", "1-2"]
    assert acts.delivered(dossier) == 1
    assert {"document", "annex.1", "archive", "ar"} <= acts.files(dossier).keys()
    (known,) = acts.state.acts()
    assert known.id_acte == ended.facts["id_acte"]


@on_one_shape
def test_the_clock_runs_from_the_states_own_date_and_the_act_is_archived_when_it_is_over(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        act = Act.from_facts(acts.dossier(dossier).facts)
        running = following.legality_of(acts.messages(dossier), act, today())
        assert running is not None
        assert (running.phase, running.ends) == (Phase.RUNNING, months_later(today(), 2))
        following.close_elapsed(acts.platform)
        assert acts.dossier(dossier).state == "acknowledged"
        with acts.platform.database.writing(PLATFORM) as session:
            received = session.get_one(ActesMessage, acts.message(dossier, "1-2").id)
            received.day = today() - timedelta(days=70)
            session.add(received)
        following.close_elapsed(acts.platform)
        acts.wait_for(dossier, "archived")
    with acts.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier)).one()
        kinds = [entry.kind for entry in session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier))]
    assert acts.platform.objects.sealed_versions(record.key) == 1
    assert kinds.count("actes.transmit.sent") == kinds.count("actes.acknowledged") == 1


@on_one_shape
def test_an_act_with_faults_is_rejected_with_every_problem_and_nothing_leaves(acts: ActsTown) -> None:
    with acts.at_work():
        wait_until(lambda: classification_of(acts.platform, acts.organisation.id) is not None)
        dossier = acts.send(
            matieres=(99,),
            subject="",
            document=acts.file("faux.pdf", b"PK\x03\x04 pas un PDF"),
            decision_date=today() + timedelta(days=3),
            annexes=(acts.file("annexe.pdf", type_="99_ZZ"),),
        )
        ended = acts.wait_for(dossier, "rejected")
    rules = {problem["rule"] for problem in ended.problems}
    assert {"R22", "R23", "R31", "R32", "R33"} <= rules
    assert all(problem["message"] and problem["mend"] for problem in ended.problems)
    assert any(problem["path"] == "faux.pdf" for problem in ended.problems)
    assert all("040-214009995" not in problem["message"] for problem in ended.problems if problem["rule"] in {"R22", "R23"})
    assert acts.envelopes(dossier) == []


@on_one_shape
def test_an_act_that_could_not_be_written_is_refused_by_the_check(acts: ActsTown) -> None:
    long = acts.send(subject="œuvre €" + "x" * 490)
    unwritable = acts.send()
    with acts.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, unwritable)
        dossier.facts = {**dossier.facts, "act": {**dossier.facts["act"], "previous": "2025_118"}}
        session.add(dossier)
    with acts.at_work():
        problems = {one: acts.wait_for(one, "rejected").problems for one in (long, unwritable)}
    errors = {one: [problem for problem in told if problem["severity"] == "error"] for one, told in problems.items()}
    assert {one: [problem["rule"] for problem in told] for one, told in errors.items()} == {long: ["R33"], unwritable: ["R12"]}
    assert "500" in errors[long][0]["message"]


def test_a_number_that_is_taken_is_refused_and_free_again_once_its_act_was_refused(acts: ActsTown) -> None:
    with acts.at_work():
        first = acts.send("2026_B")
        acts.wait_for(first, "acknowledged")
        with pytest.raises(Conflict):
            acts.send("2026_B", document=acts.file("autre.pdf", b"%PDF-1.4 autre"))
        bad = acts.send("2026_C", document=acts.file("vide.pdf", b"%PDF-1.4 rien"))
        acts.wait_for(bad, "rejected")
        again = acts.send("2026_C")
        acts.wait_for(again, "acknowledged")


@on_one_shape
@pytest.mark.parametrize("number", ["", "_A", "minuscule", "2026-12", "UN_NUMERO_TROP_LONG"])
def test_a_number_that_the_norm_does_not_take_is_refused_at_once(acts: ActsTown, number: str) -> None:
    with pytest.raises(UsageError):
        acts.send(number) if number else acts.send(" ")


def test_letters_of_the_prefecture_are_kept_acknowledged_and_answered(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send()
        ended = acts.wait_for(dossier, "acknowledged")
        identifier = ended.facts["id_acte"]
        acts.state.send_letter(identifier, "3-1", "Transmettez le plan.")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])
        asked = acts.message(dossier, "3-1")
        assert asked.facts["reason"] == "Transmettez le plan."
        answer = Reply(asked.id, MessageCode.PIECE_COMPLEMENTAIRE, (acts.file("plan.pdf"), acts.file("coupe.pdf")))
        following.reply(acts.platform, PLATFORM, dossier, answer)
        with pytest.raises(Conflict):
            following.reply(acts.platform, PLATFORM, dossier, answer)
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2", "3-4", "3-5"])
        acts.state.send_letter(identifier, "4-1", "Cette décision excède votre compétence.")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2", "3-4", "3-5", "4-1", "4-2"])
        observed = acts.message(dossier, "4-1")
        answer = Reply(observed.id, MessageCode.REJET_LETTRE_OBSERVATIONS, (acts.file("rejet.pdf"),))
        following.reply(acts.platform, PLATFORM, dossier, answer)
        rows = acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2", "3-4", "3-5", "4-1", "4-2", "4-3", "4-5"])
    for row in rows:
        if row.code in {"3-2", "3-4", "4-2", "4-3"}:
            letter = asked if row.code[0] == "3" else observed
            assert (row.answers_id, row.letter_date) == (letter.id, letter.letter_date)
    assert acts.delivered(dossier) == 5
    assert any(role.startswith("3-1.") for role in acts.files(dossier))


@on_one_shape
@pytest.mark.parametrize(("letter", "answer", "closed"), [("3-1", "3-3", "3-5"), ("4-1", "4-4", "4-5")])
def test_each_letter_may_be_answered_in_its_other_way(acts: ActsTown, letter: str, answer: str, closed: str) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], letter, "Courrier de la préfecture")
        acts.wait_for_messages(dossier, ["1-1", "1-2", letter, f"{letter[0]}-2"])
        reply = Reply(acts.message(dossier, letter).id, MessageCode(answer), (acts.file("reponse.pdf"),))
        following.reply(acts.platform, PLATFORM, dossier, reply)
        acts.wait_for_messages(dossier, ["1-1", "1-2", letter, f"{letter[0]}-2", answer, closed])


@on_one_shape
def test_a_plain_letter_is_answered_without_acknowledgement_and_a_referral_is_told(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        identifier = acts.dossier(dossier).facts["id_acte"]
        acts.state.send_letter(identifier, "2-1", "Pour information")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "2-1"])
        reply = Reply(acts.message(dossier, "2-1").id, MessageCode.REPONSE_COURRIER_SIMPLE, (acts.file("reponse.pdf"),))
        following.reply(acts.platform, PLATFORM, dossier, reply)
        acts.wait_for_messages(dossier, ["1-1", "1-2", "2-1", "2-2"])
        acts.state.send_letter(identifier, "5-1", "Excès de pouvoir")
        rows = acts.wait_for_messages(dossier, ["1-1", "1-2", "2-1", "2-2", "5-1"])
    found = following.legality_of(rows, Act.from_facts(acts.dossier(dossier).facts), today())
    assert found is not None
    assert found.phase is Phase.REFERRED


@on_one_shape
def test_a_transmission_is_cancelled_once_and_its_number_is_free_again(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send("2026_D")
        acts.wait_for(dossier, "acknowledged")
        following.cancel(acts.platform, PLATFORM, dossier)
        with pytest.raises(Conflict):
            following.cancel(acts.platform, PLATFORM, dossier)
        acts.wait_for(dossier, "cancelled")
        assert [row.code for row in acts.messages(dossier)] == ["1-1", "1-2", "6-1", "6-2"]
        with acts.platform.database.reading(PLATFORM) as session:
            assert session.exec(select(Record).where(Record.dossier_id == dossier)).first() is not None
        again = acts.send("2026_D", document=acts.file("nouvelle.pdf"), subject="Nouvelle transmission")
        acts.wait_for(again, "acknowledged")


@on_one_shape
def test_the_same_acknowledgement_by_every_address_counts_once(acts: ActsTown, tmp_path: Path) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        first = next(kept for kept in acts.mails("applied") if kept.dossier_id == dossier)
        acts.platform.objects.fetch(first.sha256, tmp_path / "mail.eml")
        by_another_way = b"Received: from relais.exemple.test\r\n" + (tmp_path / "mail.eml").read_bytes()
        acts.office.put(ADDRESS, by_another_way)
        acts.office.put(ADDRESS, by_another_way)
        wait_until(lambda: len(acts.mails("applied")) == 3)
    assert [row.code for row in acts.messages(dossier)] == ["1-1", "1-2"]
    assert acts.mails("unmatched") == []


@on_one_shape
def test_what_an_earlier_act_was_told_is_not_said_of_the_one_that_has_its_number_now(acts: ActsTown, tmp_path: Path) -> None:
    with acts.at_work():
        first = acts.send("2026_050")
        acts.wait_for(first, "acknowledged")
        receipt = next(kept for kept in acts.mails("applied") if kept.dossier_id == first)
        following.cancel(acts.platform, PLATFORM, first)
        acts.wait_for(first, "cancelled")
        acts.state._delay = timedelta(hours=1)
        second = acts.send("2026_050")
        acts.wait_for(second, "sent")
        acts.platform.objects.fetch(receipt.sha256, tmp_path / "mail.eml")
        acts.office.put(ADDRESS, b"Received: from relais.exemple.test\r\n" + (tmp_path / "mail.eml").read_bytes())
        wait_until(lambda: bool(acts.mails("unmatched")))
        (again,) = acts.mails("unmatched")
        assert [part["acts"] for part in again.parts if "acts" in part] == [[first, second]]
        incoming.analyse(acts.platform, again.id, first)
    assert len([kept for kept in acts.mails("applied") if kept.dossier_id == first]) == 3
    assert acts.dossier(second).state == "sent"
    assert [row.code for row in acts.messages(second)] == ["1-1"]


@on_one_shape
@pytest.mark.parametrize(
    "oddity",
    [
        "utf8_octets",
        "large_counters",
        "message_after_document",
        "without_paper",
        "envelope_last",
        "alternative",
        "reversed_order",
    ],
)
def test_what_the_ministry_writes_otherwise_than_the_norm_is_understood(acts: ActsTown, oddity: str) -> None:
    setattr(acts.state.fidelity, oddity, True)
    with acts.at_work():
        dossier = acts.send(subject="Fête de l’été : tarif réduit")
        acts.wait_for(dossier, "acknowledged")
        acts.state.send_letter(acts.dossier(dossier).facts["id_acte"], "3-1", "Pièce demandée")
        acts.wait_for_messages(dossier, ["1-1", "1-2", "3-1", "3-2"])


@on_one_shape
def test_a_notice_without_any_file_is_noise_and_stops_nothing(acts: ActsTown) -> None:
    acts.state.fidelity.paper_notice = True
    with acts.at_work():
        dossier = acts.send(paper=True)
        acts.wait_for(dossier, "acknowledged")
        wait_until(lambda: bool(acts.mails("noise")))
    assert acts.mails("unmatched") == []


@on_one_shape
def test_mails_that_nobody_understands_go_to_a_person_and_stop_nothing(acts: ActsTown) -> None:
    acts.office.put(ADDRESS, mail("Publicité", ("offre.pdf", b"%PDF-1.4 offre")))
    acts.office.put(ADDRESS, mail("Illisible", ("040-214009995----7-2_1.xml", b"<pas du xml")))
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        wait_until(lambda: len(acts.mails("unmatched")) == 2)
    assert all(kept.reason for kept in acts.mails("unmatched"))


@on_one_shape
def test_a_mail_that_cannot_be_applied_holds_up_no_other(acts: ActsTown, monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(platform: Platform, kept: ActesMail, folder: Path) -> Parcel:
        if kept.parts and kept.parts[0]["name"] == "empoisonnee.xml":
            raise RuntimeError("a fault of ours")
        return parcel_of(platform, kept, folder)

    monkeypatch.setattr(incoming, "parcel_of", poisoned)
    acts.office.put(ADDRESS, mail("Empoisonné", ("empoisonnee.xml", b"<acte/>")))
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
    (waiting,) = acts.mails("kept")
    assert waiting.parts[0]["name"] == "empoisonnee.xml"


@on_one_shape
def test_what_an_act_cannot_hear_yet_is_said_again_whatever_else_is_wrong_with_its_mail(
    acts: ActsTown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    good = tmp_path / "bonne.xml"
    writer.write(ReponseClassificationSansChangement(today()), good)

    def not_yet(session: ScopedSession, platform: Platform, kept: ActesMail, parcel: Parcel, found: Found) -> Dossier | None:
        said.append(kept.id)
        if said.count(kept.id) == 1:
            raise NotYet
        return apply(session, platform, kept, parcel, found)

    acts.office.put(ADDRESS, mail("Mêlé", (good.name, good.read_bytes()), ("mauvaise.xml", b"<pas du xml")))
    monkeypatch.setattr(incoming, "apply", not_yet)
    incoming.collect(acts.platform, acts.organisation.id)
    (kept,) = [one for one in acts.mails("kept") if one.id in said and "mauvaise.xml" in (one.reason or "")]
    incoming.apply_pending(acts.platform, acts.organisation.id)
    assert said.count(kept.id) == 2
    assert kept.id in {one.id for one in acts.mails("unmatched")}


@on_one_shape
def test_a_letter_about_an_unknown_act_waits_for_a_person_and_can_be_analysed_again(acts: ActsTown) -> None:
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        first = acts.message(dossier, "1-1")
        rename(acts, first.id, "040-214009995-20200101-AUTRE-DE")
        acts.state.send_letter(first.id_acte, "2-1", "Pour un acte inconnu")
        wait_until(lambda: bool(acts.mails("unmatched")))
        (mail_,) = acts.mails("unmatched")
        assert first.id_acte in (mail_.reason or "")
        rename(acts, first.id, first.id_acte)
        incoming.analyse(acts.platform, mail_.id)
    assert acts.mails("unmatched") == []
    assert acts.message(dossier, "2-1").facts["mail"] == mail_.id


def rename(acts: ActsTown, message_id: str, id_acte: str) -> None:
    with acts.platform.database.writing(PLATFORM) as session:
        first = session.get_one(ActesMessage, message_id)
        first.id_acte = id_acte
        session.add(first)


@on_one_shape
def test_a_whole_envelope_refused_ends_the_act_with_the_ministrys_words(acts: ActsTown) -> None:
    with acts.at_work():
        wait_until(lambda: version(acts) is not None)  # what asked for it would be refused as well
        acts.state._prefecture._collectivites = frozenset()
        dossier = acts.send("2026_E")
        ended = acts.wait_for(dossier, "refused")
        assert ended.facts["anomaly"]["nature"] == "005"
        assert ended.problems[0]["message"]
        acts.state._prefecture._collectivites = None
        again = acts.send("2026_E")
        acts.wait_for(again, "acknowledged")


@on_one_shape
def test_an_act_under_a_stale_classification_is_refused_and_the_new_one_is_due(
    acts: ActsTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acts.at_work():
        wait_until(lambda: classification_of(acts.platform, acts.organisation.id) is not None)
        acts.state.classification = demonstration(date(2026, 6, 1))
        dossier = acts.send("2026_F")
        ended = acts.wait_for(dossier, "refused")
        assert [row.code for row in acts.messages(dossier)] == ["1-1", "1-3"]
        assert ended.facts["anomaly"]["nature"] == "002"
        assert "ODT-VERIF-01" in ended.problems[0]["message"]
        later = clock.now() + timedelta(minutes=15)
        monkeypatch.setattr(classifying, "clock", SimpleNamespace(now=lambda: later))  # the workers keep the right time
        assert classifying.due(acts.platform, acts.organisation.id) == [acts.organisation.id]
        monkeypatch.undo()
        classifying.request(acts.platform, acts.organisation.id)
        wait_until(lambda: version(acts) == date(2026, 6, 1))
        again = acts.send("2026_F")
        acts.wait_for(again, "acknowledged")


@on_one_shape
def test_a_classification_that_has_not_changed_is_confirmed(acts: ActsTown) -> None:
    with acts.at_work():
        wait_until(lambda: classification_of(acts.platform, acts.organisation.id) is not None)
        before = version(acts)
        classifying.request(acts.platform, acts.organisation.id)
        wait_until(lambda: len(acts.mails("applied")) == 2)
    assert [delivery.outcome for delivery in acts.state.deliveries()] == ["7-2", "7-3"]
    assert version(acts) == before


def version(acts: ActsTown) -> date | None:
    found = classification_of(acts.platform, acts.organisation.id)
    return found.version if found else None


@on_one_shape
def test_a_mail_server_that_is_down_delays_answers_and_loses_none(acts: ActsTown) -> None:
    acts.prepare(classified=False, mailbox_port=free_port())
    with acts.at_work():
        dossier = acts.send()
        wait_until(lambda: trouble_of(acts, "actes.collect") is not None)
        assert acts.mails("applied", "kept") == []
        acts.prepare(classified=False)
        acts.wait_for(dossier, "acknowledged")
        wait_until(lambda: trouble_of(acts, "actes.collect") is None)


def trouble_of(acts: ActsTown, actor: str) -> str | None:
    with acts.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Schedule.trouble).where(Schedule.actor == actor)).one()


@on_one_shape
def test_an_anomaly_after_the_acknowledgement_changes_nothing_and_goes_to_a_person(acts: ActsTown) -> None:
    acts.state.fidelity.anomaly_after_receipt = True
    with acts.at_work():
        dossier = acts.send()
        acts.wait_for(dossier, "acknowledged")
        wait_until(lambda: bool(acts.mails("unmatched")))
    assert acts.dossier(dossier).state == "acknowledged"


def test_numbers_of_envelopes_are_counted_by_collectivite_and_day_and_never_twice(acts: ActsTown) -> None:
    with acts.platform.database.writing(PLATFORM) as session:
        assert [next_number(session, "214009995", date(2026, 3, 1)) for _ in range(3)] == [1, 2, 3]
        assert next_number(session, "214009995", date(2026, 3, 2)) == 1
        assert next_number(session, "987654324", date(2026, 3, 1)) == 1
    with acts.at_work():
        dossiers = [acts.send() for _ in range(8)]
        for dossier in dossiers:
            acts.wait_for(dossier, "acknowledged")
    with acts.platform.database.reading(PLATFORM) as session:
        names = [envelope.name for envelope in session.exec(select(ActesEnvelope))]
    assert len(names) == len(set(names))


def mail(subject: str, *files: tuple[str, bytes]) -> bytes:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = "quelquun@exemple.test", ADDRESS, subject
    written.set_content("Bonjour")
    for name, content in files:
        kind = "xml" if name.endswith(".xml") else "pdf"
        written.add_attachment(content, maintype="application", subtype=kind, filename=name)
    return written.as_bytes()
