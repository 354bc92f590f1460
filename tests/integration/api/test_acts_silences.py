"""What the State leaves without a word, and who is told: cancellations, sendings that are uncertain, letters without a date."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import httpx
from sqlalchemy import update
from sqlmodel import SQLModel, select

from core import clock
from core.journal import JournalEntry
from core.principal import PLATFORM
from flows.actes import following, silences
from flows.actes.flow import ACTES, DOUBT_WITHIN
from flows.actes.models import ActesMail, ActesMessage, MessageState
from flows.engine import transitions
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode
from schemas.actes.writer import render
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.acts_software import Software
from tests.integration.api.service import Service
from tests.office import pdf

_dossiers = SQLModel.metadata.tables["dossier"]


def waited(mairie: ActsMairie, act: str, time: timedelta) -> None:
    """Let an act have waited for the State, and whoever is to be told be told."""
    with mairie.platform.database.writing(PLATFORM) as session:
        since = clock.now() - time
        session.connection().execute(update(_dossiers).where(_dossiers.c.id == act).values(since=since))
    silences.tell(mairie.platform)


def patience(mairie: ActsMairie) -> timedelta:
    return timedelta(days=mairie.platform.settings.acts_silence_days)


def doubted(mairie: ActsMairie, act: str, code: str) -> ActesMessage:
    """Have the sending of a message be cut off at its last octets."""
    with mairie.platform.database.writing(PLATFORM) as session:
        message = session.get_one(ActesMessage, mairie.message(act, code).id)
        message.state = MessageState.UNCERTAIN.value
    return mairie.message(act, code)


def test_a_cancellation_that_the_state_does_not_answer_is_told_after_the_delay_and_sent_again(
    acts_service: Service, clerk: httpx.Client, mairie: ActsMairie
) -> None:
    act = mairie.acknowledged()
    following.cancel(mairie.platform, PLATFORM, act)
    mairie.sent_all(act)
    asked = mairie.message(act, "6-1")
    again = f"/actes/{act}/renvoi?message={asked.id}"
    waited(mairie, act, patience(mairie) - timedelta(minutes=1))
    page = clerk.get(f"/actes/{act}").text
    assert mairie.dossier(act).parked is None
    assert "Annulation demandée" in page
    assert "la transmission tient" in page
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        assert again not in operator.get(f"/actes/{act}").text
        waited(mairie, act, patience(mairie))
        told = mairie.dossier(act)
        assert (told.state, "n’a pas répondu à l’annulation" in (told.parked or "")) == ("acknowledged", True)
        assert (told.parked or "?") in clerk.get(f"/actes/{act}").text
        assert again not in clerk.get(f"/actes/{act}").text
        assert f"/actes/{act}" in clerk.get("/actes?etat=arret").text
        assert again in operator.get(f"/actes/{act}").text
        assert "n’a pas répondu à cette demande" in operator.get(again).text
        sent = operator.post(f"/actes/{act}/renvoi", data={**csrf(operator), "message": asked.id})
        assert sent.status_code == 303
    now = mairie.dossier(act)
    assert (mairie.message(act, "6-1").state, now.state, now.parked) == ("to_send", "answering", None)
    assert mairie.codes(act).count("6-1") == 1
    with mairie.platform.database.reading(PLATFORM) as session:
        own = select(JournalEntry).where(JournalEntry.dossier_id == act, JournalEntry.kind == "actes.deadline.parked")
        assert len(session.exec(own).all()) == 1


def test_whoever_takes_up_an_act_waits_as_long_once_more(mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    following.cancel(mairie.platform, PLATFORM, act)
    mairie.sent_all(act)
    waited(mairie, act, patience(mairie))
    assert mairie.dossier(act).parked
    transitions.resume(mairie.platform.database, ACTES, act, "platform")
    silences.tell(mairie.platform)
    assert mairie.dossier(act).parked is None
    waited(mairie, act, patience(mairie))
    assert mairie.dossier(act).parked
    mairie.state_says(said.ARAnnulation(mairie.dossier(act).facts["id_acte"], today()))
    now = mairie.dossier(act)
    assert (now.state, now.parked) == ("withdrawn", None)


def test_an_answer_whose_sending_is_uncertain_is_told_until_the_state_has_it(mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "3-1", "Le plan")
    mairie.reply(act, letter, MessageCode.PIECE_COMPLEMENTAIRE)
    doubted(mairie, act, "3-4")
    waited(mairie, act, DOUBT_WITHIN - timedelta(minutes=1))
    assert mairie.dossier(act).parked is None
    waited(mairie, act, DOUBT_WITHIN)
    assert "Pièces complémentaires" in (mairie.dossier(act).parked or "")
    mairie.letter(act, "2-1")  # which answers nothing
    assert mairie.dossier(act).parked
    mairie.close(act, "3-5")
    now = mairie.dossier(act)
    assert (mairie.message(act, "3-4").state, now.state, now.parked) == ("sent", "acknowledged", None)


def test_a_cancellation_that_the_state_refuses_leaves_the_transmission_as_it_was_and_is_told(
    clerk: httpx.Client, mairie: ActsMairie
) -> None:
    act = mairie.acknowledged()
    following.cancel(mairie.platform, PLATFORM, act)
    with mairie.platform.database.writing(PLATFORM) as session:
        refused = session.get_one(ActesMessage, mairie.message(act, "6-1").id)
        refused.state, refused.facts = "refused", {"anomaly": {"nature": "999", "detail": "Acte <inconnu>"}}
    page = clerk.get(f"/actes/{act}").text
    assert "Annulation refusée" in page
    assert page.count("Acte &lt;inconnu&gt;") == 2
    assert f"/actes/{act}/annulation" in page
    mairie.stand(act, "acknowledged")
    following.cancel(mairie.platform, PLATFORM, act)
    page = clerk.get(f"/actes/{act}").text
    assert "Annulation refusée" not in page
    assert "Annulation demandée" in page


def test_of_two_silences_the_one_that_lasts_is_still_told(mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = mairie.letter(act, "4-1", "Incompétence")
    mairie.reply(act, letter, MessageCode.REPONSE_LETTRE_OBSERVATIONS)
    following.cancel(mairie.platform, PLATFORM, act)
    mairie.sent_all(act)
    doubted(mairie, act, "4-4")
    waited(mairie, act, patience(mairie))
    assert "Réponse à la lettre d’observations" in (mairie.dossier(act).parked or "")
    mairie.close(act, "4-5")
    assert "n’a pas répondu à l’annulation" in (mairie.dossier(act).parked or "")


def test_what_cannot_be_sent_again_is_not_offered(acts_service: Service, mairie: ActsMairie) -> None:
    act, other = mairie.acknowledged(), mairie.act()
    letter = mairie.letter(act, "2-1")
    mairie.reply(act, letter, MessageCode.REPONSE_COURRIER_SIMPLE)
    first = mairie.message(act, "2-2")
    with mairie.platform.database.writing(PLATFORM) as session:
        session.get_one(ActesMessage, first.id).state = MessageState.REFUSED.value
    again = f"/actes/{act}/renvoi?message={first.id}"
    with somebody(acts_service, mairie.people["exploitant"]) as operator:
        assert again in operator.get(f"/actes/{act}").text
        assert f"/actes/{act}/renvoi" in operator.get(f"/dossiers/{act}").text
        mairie.reply(act, letter, MessageCode.REPONSE_COURRIER_SIMPLE)  # which the State would have twice
        assert again not in operator.get(f"/actes/{act}").text
        assert f"/actes/{act}/renvoi" not in operator.get(f"/dossiers/{act}").text
        assert operator.get(again).status_code == 303
        mairie.stand(other, "uncertain")
        # A message of another act is none of this one: nothing of either leaves.
        refused = operator.post(f"/actes/{other}/renvoi", data={**csrf(operator), "message": first.id})
        assert (refused.status_code, mairie.dossier(other).state) == (404, "uncertain")
        mairie.stand(other, "uncertain", overtaken=True, parked="La base a été restaurée.")
        assert f"/actes/{other}/renvoi" not in operator.get(f"/actes/{other}").text


def undated(mairie: ActsMairie, act: str) -> ActesMessage:
    """Have the préfecture write without a date, which its own schema forbids."""
    identifier = mairie.dossier(act).facts["id_acte"]
    dated = render(said.DemandePieceComplementaire(identifier, today(), said.SignedFile("demande.pdf"), "Le plan"))
    octets = re.sub(rb' actes:DateCourrierPref="[^"]*"', b"", dated)
    assert octets != dated
    blob = mairie.platform.objects.put(io.BytesIO(octets))
    part = {"name": "message.xml", "media_type": "application/xml", "sha256": blob.sha256, "size": blob.size}
    mail = mairie.mail([part])
    with mairie.platform.database.reading(PLATFORM) as session:
        assert session.get_one(ActesMail, mail).dossier_id == act
    return mairie.message(act, "3-1")


def test_a_letter_without_a_date_is_shown_with_why_nothing_can_answer_it(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged()
    letter = undated(mairie, act)
    where = f"/actes/{act}/courriers/{letter.id}/reponse"
    page = clerk.get(f"/actes/{act}").text
    assert "ne porte pas de date" in page
    assert where not in page
    refused = clerk.get(where, follow_redirects=True)
    assert (refused.status_code, "ne porte pas de date" in refused.text) == (409, True)
    assert "Le délai est interrompu" in page  # it counts from the day on which it came
    mairie.letter(act, "3-1", "Le plan, avec une date")
    page = clerk.get(f"/actes/{act}").text
    assert "ne porte pas de date" not in page
    assert page.count(">Répondre<") == 1


def test_software_is_told_that_a_letter_without_a_date_takes_no_answer(service: Service) -> None:
    town = Software.of(service, "Commune de Sansdate", "214099871")
    act = town.mairie.acknowledged()
    letter = undated(town.mairie, act)
    with town.client() as client:
        told = next(one for one in client.get(f"/v1/acts/{act}").json()["messages"] if one["id"] == letter.id)
        assert told["answers"] == []
        documents = {"documents": ("plan.pdf", pdf("plan"), "application/pdf")}
        answer = client.post(f"/v1/acts/{act}/replies", data={"letter": letter.id, "code": "3-4"}, files=documents)
    assert answer.status_code == 409, answer.text
    assert town.mairie.codes(act) == ["1-1", "1-2", "3-1"]
