"""Who exploits the platform sees how dossiers stand and does what has to be done; what they are about is for those who read."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import pytest

from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.roles import BUILT_IN, OPERATOR
from core.tokens import issue_token
from flows.engine import reading
from flows.engine.models import Dossier
from flows.mail.intake import Addressed
from flows.mail.models import MailReturn
from flows.mail.reading import unsettled
from schemas.actes.codes import MessageCode
from signing.parapheur.models import Visibility
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.mails_office import MailsOffice
from tests.integration.api.service import PASSWORD, Service, add_dossier, add_record
from tests.office import Office

TITLE, WORDS, TO = "Sanction de l’agent Dupuis", "Vous êtes convoqué mardi.", "camille.secret@elus.test"


@pytest.fixture(scope="module")
def office(software_office: MailsOffice) -> MailsOffice:
    found = software_office
    hired = ActsMairie(found.service.platform, found.mairie.organisation, found.people)
    address = "exploite@plateforme.test"
    with found.service.platform.database.writing(PLATFORM) as session:
        root = session.get_one(type(found.mairie.organisation), found.mairie.organisation.parent_id)
        grant_role(session, add_person(session, address, "Exploitante", PASSWORD), root, OPERATOR)
    hired.people["exploitant"] = address
    return found


@pytest.fixture(scope="module")
def operator(office: MailsOffice) -> Iterator[httpx.Client]:
    with somebody(office.service, office.people["exploitant"]) as client:
        yield client


@pytest.fixture(scope="module")
def surveying(office: MailsOffice) -> Iterator[httpx.Client]:
    """Software that surveys, operates, and does nothing else."""
    with office.service.platform.database.writing(PLATFORM) as session:
        token = issue_token(session, office.mairie.organisation, "supervision", set(BUILT_IN[OPERATOR]))
    with office.service.client(token) as client:
        yield client


def sent(office: MailsOffice) -> str:
    """A send to somebody, on its way."""
    people = (Addressed(TO, "Camille Secret"),)
    dossier_id = office.sending.written(TO, subject=TITLE, body=WORDS, recipients=people)
    with office.service.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, dossier_id).parked = "Le serveur refuse notre adresse."
    return dossier_id


SECRETS = (TITLE, WORDS, TO, "Camille Secret", "avis.pdf")


def test_a_send_is_seen_by_its_state_and_its_trouble_and_nothing_of_it_is_told(
    office: MailsOffice, operator: httpx.Client, surveying: httpx.Client
) -> None:
    dossier_id = sent(office)
    answers = [
        operator.get("/dossiers", params={"parked": "1"}),
        operator.get(f"/dossiers/{dossier_id}"),
        operator.get(f"/dossiers/{dossier_id}/suivi"),
        surveying.get("/v1/dossiers", params={"flow": "mail"}),
        surveying.get(f"/v1/dossiers/{dossier_id}"),
        surveying.get(f"/v1/dossiers/{dossier_id}/timeline"),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.url
        assert not [one for one in SECRETS if one in answer.text], answer.url
        assert dossier_id in answer.text or answer.url.path.endswith("timeline")
    assert "Le serveur refuse notre adresse." in answers[1].text
    shown = answers[4].json()
    assert (shown["title"], shown["parked"], shown["facts"], shown["files"]) == (
        dossier_id,
        "Le serveur refuse notre adresse.",
        {},
        [],
    )
    for q in (TITLE, "Dupuis"):  # not even whether there is a dossier of that name
        assert surveying.get("/v1/dossiers", params={"q": q}).json()["total"] == 0
        assert dossier_id not in operator.get("/dossiers", params={"q": q}).text
    assert surveying.get("/v1/dossiers", params={"q": dossier_id}).json()["total"] == 1
    with office.service.platform.database.reading(PLATFORM) as session:
        (kept,) = reading.seen(session, dossier_id).files
    closed = (
        *(f"/courriers/{dossier_id}{part}" for part in ("", "/suivi", "/preuve", "/attestation", f"/fichiers/{kept.id}")),
        *(f"/dossiers/{dossier_id}/fichiers/{kept.id}{part}" for part in ("", "/apercu")),
        "/courriers",
        "/carnet",
    )
    assert {operator.get(path).status_code for path in closed} <= {403, 404}
    for path in (f"dossiers/{dossier_id}/files", f"mails/{dossier_id}", f"mails/{dossier_id}/proof"):
        answer = surveying.get(f"/v1/{path}")
        assert answer.status_code in {403, 404} or answer.json() == {"files": []}, path
    assert surveying.get(f"/v1/dossiers/{dossier_id}/files/{kept.id}").status_code == 404
    with somebody(office.service, office.people["clerc"]) as clerk:
        assert TITLE in clerk.get(f"/dossiers/{dossier_id}").text


def test_a_parked_dossier_is_taken_up_again_by_whoever_surveys_and_operates(
    office: MailsOffice, operator: httpx.Client, surveying: httpx.Client
) -> None:
    dossiers = [
        add_dossier(office.service.platform, office.mairie.organisation, "Bordereau", "checked", parked="Certificat expiré")
        for _ in range(2)
    ]
    assert operator.post(f"/dossiers/{dossiers[0]}/reprise", data=csrf(operator)).status_code == 303
    assert surveying.post(f"/v1/dossiers/{dossiers[1]}/resume").json()["parked"] is None
    assert "Certificat expiré" not in operator.get(f"/dossiers/{dossiers[0]}").text


def test_a_record_is_not_opened_by_whoever_surveys(office: MailsOffice, operator: httpx.Client, surveying: httpx.Client) -> None:
    dossier_id = add_dossier(office.service.platform, office.mairie.organisation, "PESALR2_secret", "archived")
    record_id = add_record(office.service.platform, office.mairie.organisation, dossier_id, stamped=False)
    assert surveying.get(f"/v1/dossiers/{dossier_id}").json()["record"] is None
    assert record_id not in operator.get(f"/dossiers/{dossier_id}").text
    assert surveying.get(f"/v1/records/{record_id}").status_code == 404
    assert operator.get(f"/archives/{record_id}").status_code in {403, 404}


def test_a_folder_of_the_signing_book_is_not_opened_by_whoever_only_administers(
    office: MailsOffice, operator: httpx.Client
) -> None:
    book = Office.opened(office.service.platform, office.mairie.organisation, domain="survey.test")
    for visibility in Visibility:
        folder = book.folder(book.sends("visa", TITLE, visibility=visibility))
        assert operator.get(f"/parapheur/dossiers/{folder.id}").status_code == 404


def test_what_came_back_about_no_known_send_is_settled_by_whoever_operates_and_the_rest_is_not_shown(
    office: MailsOffice, operator: httpx.Client
) -> None:
    platform, town = office.service.platform, office.mairie.organisation
    dossier_id = sent(office)
    blob = platform.objects.put(io.BytesIO(f"Subject: {TITLE}\n\n{WORDS}".encode()))
    with platform.database.writing(PLATFORM) as session:
        for owner, about in ((town.parent_id or "", None), (town.id, dossier_id)):
            session.add(
                MailReturn(
                    organisation_id=owner, dossier_id=about, what="unknown", source=f"essai:{about}", sha256=blob.sha256, size=9
                )
            )
    nobodys, mine = unsettled(platform.database, PLATFORM)[-2:]
    page = operator.get("/courriers/retours").text
    assert nobodys.id in page and mine.id not in page
    assert 'href="/courriers"' not in page
    assert operator.get(f"/courriers/retours/{mine.id}").status_code == 404
    assert operator.post(f"/courriers/retours/{mine.id}", data=csrf(operator)).status_code == 403
    assert operator.post(f"/courriers/retours/{nobodys.id}", data=csrf(operator)).status_code == 303
    assert nobodys.id not in operator.get("/courriers/retours").text


def test_an_act_that_nobody_knows_to_have_arrived_is_sent_again_without_being_read(
    acts_service: Service, mairie: ActsMairie
) -> None:
    surveyor = mairie.hire("surveillant", {Right.OPERATE, Right.SURVEY}, above=True)
    act, followed = mairie.act(subject="Objet à taire"), mairie.acknowledged(subject="Objet à taire")
    mairie.stand(act, "uncertain")
    mairie.letter(followed, "2-1")
    mairie.reply(followed, mairie.message(followed, "2-1"), MessageCode.REPONSE_COURRIER_SIMPLE)
    with mairie.platform.database.writing(PLATFORM) as session:
        answer = mairie.message(followed, "2-2")
        session.get_one(type(answer), answer.id).state = "uncertain"
    with somebody(acts_service, surveyor) as operator:
        assert operator.get(f"/actes/{act}").status_code == 403
        for dossier_id in (act, followed):
            page = operator.get(f"/dossiers/{dossier_id}").text
            assert f'href="/actes/{dossier_id}/renvoi"' in page
            asked = operator.get(f"/actes/{dossier_id}/renvoi")
            assert asked.status_code == 200
            assert "Objet à taire" not in page + asked.text
        assert answer.id in asked.text
        sent_again = operator.post(f"/actes/{followed}/renvoi", data={**csrf(operator), "message": answer.id})
        assert sent_again.headers["location"] == f"/dossiers/{followed}?fait=renvoi"
        assert operator.post(f"/actes/{act}/renvoi", data=csrf(operator)).status_code == 303
        assert "renvoi" not in operator.get(f"/dossiers/{act}").text
    assert (mairie.dossier(act).state, mairie.message(followed, "2-2").state) == ("packed", "to_send")
