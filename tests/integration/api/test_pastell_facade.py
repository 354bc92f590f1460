"""Our tracked mails behind the interface of Pastell: what its clients send is taken, what they read is there, in its words."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from api.pastell import words
from api.pastell.models import PastellDocument
from api.pastell.standing import in_sql, last_action
from core import clock, passwords
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.mail.models import Mail, MailRecipient
from tests.integration.api.mails_office import MailsOffice
from tests.mails import ADDRESSES
from tests.office import pdf

V2 = "/api/v2"
SECRET = "quarante-deux clochers"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def office(software_office: MailsOffice) -> MailsOffice:
    return software_office


@pytest.fixture
def client(office: MailsOffice) -> Iterator[httpx.Client]:
    """Software with a user name of its own, and the token for password."""
    auth = ("admin", office.service.mairie.token)
    with httpx.Client(base_url=office.service.address, auth=auth, timeout=60) as opened:
        yield opened


@pytest.fixture
def home(client: httpx.Client) -> str:
    """The documents of the mairie."""
    (entity,) = client.get(f"{V2}/entite").json()
    return f"{V2}/entite/{entity['id_e']}/document"


def sentence(answer: httpx.Response) -> str:
    told = answer.json()
    assert told["status"] == "error", told
    return str(told["error-message"])


def part(name: str, octets: bytes | None = None) -> dict[str, Any]:
    return {"file_content": (name, io.BytesIO(octets or pdf(name)), "application/pdf")}


def test_a_mail_goes_the_way_that_software_takes_it(office: MailsOffice, client: httpx.Client, home: str) -> None:
    begun = client.post(home, params={"type": "mailsec"})  # the type may stand in the address
    assert begun.status_code == 201, begun.text
    made = begun.json()
    assert made["id_d"] == made["info"]["id_d"]
    assert (made["data"], made["last_action"]["action"]) == ([], "creation")
    assert made["action_possible"] == made["action-possible"] == ["modification", "supression"]
    assert begun.headers["content-type"] == "application/json; charset=utf-8"
    here = f"{home}/{made['id_d']}"

    large = pdf("x") + b" " * 300_000  # more than the gate lets through elsewhere
    for rank, name in enumerate(("avis.pdf", "plan.pdf", "autre.pdf")):
        sent = client.post(f"{here}/file/document_attache/{rank}", data={"file_name": name}, files=part("x.pdf", large))
        assert sent.status_code == 201, sent.text
    assert sent.json()["content"]["data"]["document_attache"] == ["avis.pdf", "plan.pdf", "autre.pdf"]
    assert client.post(f"{here}/file/document_attache/1", files=part("plan-2.pdf")).status_code == 201
    assert client.delete(f"{here}/file/document_attache/0").json()["data"]["document_attache"] == ["plan-2.pdf", "autre.pdf"]
    assert client.get(f"{here}/file/document_attache/0").content == pdf("plan-2.pdf")
    assert sentence(client.get(f"{here}/file/document_attache/9")) == "Ce fichier n'existe pas"

    first = client.patch(here, content="objet=Délibération n°1&zzz=1".encode(), headers=FORM).json()  # values as they are
    assert (first["result"], first["formulaire_ok"]) == ("ok", 0)
    assert first["message"] == "Le formulaire est incomplet : le champ «Destinataire(s)» est obligatoire."
    assert (first["content"]["info"]["titre"], first["content"]["last_action"]["action"]) == ("Délibération n°1", "modification")
    assert (
        sentence(client.post(f"{here}/action/envoi"))
        == "L'action « envoi »  n'est pas permise : document_is_valide n'est pas vérifiée"
    )
    people = {
        "to": f'"Aubert, Camille" <{ADDRESSES[0]}>, {ADDRESSES[1]}',
        "cc": ADDRESSES[2],
        "bcc": ADDRESSES[0],
        "message": "Bonjour",
    }
    filled = client.patch(here, data=people).json()
    assert (filled["formulaire_ok"], filled["message"]) == (1, "")
    data = filled["content"]["data"]
    assert data["to"] == f'"Aubert, Camille" <{ADDRESSES[0]}>, {ADDRESSES[1]}'
    assert (data["cc"], "bcc" in data) == (ADDRESSES[2], False)  # an address counts once
    assert filled["content"]["action_possible"] == ["modification", "supression", "envoi"]

    done = client.post(f"{here}/action/envoi")
    assert (done.status_code, done.json()["result"]) == (201, True), done.text
    told = client.get(here).json()
    assert told["last_action"]["action"] == "envoi"  # at once: software reads it back
    assert sentence(client.patch(here, data={"objet": "Trop tard"})).endswith(
        "Le dernier état du document (envoi) ne permet pas de déclencher cette action"
    )
    assert client.post(f"{here}/file/document_attache", files=part("z.pdf")).status_code == 400
    assert client.delete(here).status_code == 400
    office.leave(made["id_d"])
    assert len(office.sink.to(ADDRESSES[1])) == 1

    told = client.get(here).json()
    row = told["email_info"][0]
    assert (row["email"], row["lu"], row["type_destinataire"]) == (f'"Aubert, Camille" <{ADDRESSES[0]}>', 0, "to")
    assert (row["date_lecture"], row["nb_renvoi"], row["id_d"]) == ("1970-01-01 00:00:00", 0, made["id_d"])
    assert told["action_possible"] == ["renvoi"]
    assert client.post(f"{here}/action/renvoi", data={"id_de": row["id_de"]}).status_code == 201
    office.sending.post()
    assert (len(office.sink.to(ADDRESSES[0])), len(office.sink.to(ADDRESSES[1]))) == (2, 1)
    office.mairie.answer(office.mairie.recipient(made["id_d"]), "D’accord.")
    told = client.get(here).json()
    assert told["last_action"]["action"] == "reception-partielle"
    assert (told["data"]["sent_mail_number"], told["data"]["sent_mail_read"]) == ("3", "1")
    assert (told["email_info"][0]["lu"], told["email_info"][0]["nb_renvoi"], told["email_info"][0]["reponse"]) == (
        1,
        1,
        "D’accord.",
    )
    for rank in (1, 2):
        office.mairie.answer(office.mairie.recipient(made["id_d"], rank), "Lu.")
    assert client.get(here).json()["last_action"]["action"] == "reception"
    assert client.post(f"{here}/action/renvoi").status_code == 400


def test_one_password_is_asked_of_all_and_never_shown(office: MailsOffice, client: httpx.Client, home: str) -> None:
    here = f"{home}/{client.post(home, data={'type': 'mailsec'}).json()['id_d']}"
    weak = client.patch(here, data={"password": "court", "password2": "court"})
    assert weak.status_code == 400 and "trop faible" in sentence(weak), weak.text
    differs = client.patch(here, data={"password": SECRET, "password2": "autre chose encore"}).json()
    assert (differs["formulaire_ok"], differs["message"]) == (0, words.PASSWORDS_DIFFER)
    client.patch(here, data={"to": ADDRESSES[0], "objet": "Secret", "message": "Bonjour"})  # addressed after it was set
    told = client.patch(here, data={"password2": SECRET})
    assert (told.json()["formulaire_ok"], SECRET in told.text) == (1, False)
    assert told.json()["content"]["data"]["password"] == "MOT DE PASSE NON RECUPERABLE"
    identifier = here.rpartition("/")[2]
    assert passwords.matches(office.mairie.recipient(identifier).password_hash, SECRET)
    cleared = client.patch(here, data={"password": ""}).json()
    assert (cleared["formulaire_ok"], "password" in cleared["content"]["data"]) == (1, False)
    assert office.mairie.recipient(identifier).password_hash == ""


def test_what_two_calls_change_at_once_is_not_lost(client: httpx.Client, home: str) -> None:
    here = f"{home}/{client.post(home, data={'type': 'mailsec'}).json()['id_d']}"
    changes = ({"objet": "Avis"}, {"message": "Bonjour"}, {"to": ADDRESSES[0]})
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda change: client.patch(here, data=change).status_code, changes))
    assert answers == [200, 200, 200]
    data = client.get(here).json()["data"]
    assert (data["objet"], data["message"], data["to"]) == ("Avis", "Bonjour", ADDRESSES[0])


def test_refusals_are_said_as_pastell_says_them(office: MailsOffice, client: httpx.Client, home: str) -> None:
    number = home.split("/")[4]
    draft = client.post(home, data={"type": "mailsec"}).json()["id_d"]
    here = f"{home}/{draft}"
    refused = client.post(home, data={"type": "zzz"})
    assert refused.status_code == 403
    assert sentence(refused).startswith(f"Acces interdit id_e={number}, droit=zzz:edition,id_u=")
    assert sentence(client.get(f"{home}?type=zzz")).startswith(f"Acces interdit id_e={number}, droit=zzz:lecture,id_u=")
    for path, status, words_of in (
        (f"{V2}/entite/4242/document", 404, "L'entité 4242 n'existe pas"),
        (f"{V2}/entite/4242", 404, "L'entité 4242 n'a pas été trouvée"),
        (f"{V2}/entite/0/document", 400, "id_e est obligatoire"),
        (f"{home}/NoTfOuN", 404, f"Le document NoTfOuN n'appartient pas à l'entité {number}"),
        (f"{home}?id_d=42", 400, "Le paramètre id_d[] ne semble pas valide"),
        (f"{V2}/flux/zzz", 404, "Le flux zzz n'existe pas sur cette plateforme"),
        (f"{home}?offset=-1", 400, "offset : « -1 » n'est pas un nombre"),
    ):
        answer = client.get(path)
        assert (answer.status_code, sentence(answer)) == (status, words_of)
    assert sentence(client.post(f"{here}/action/zzz")) == "L'action zzz n'existe pas."
    assert "role_id_e" in sentence(client.post(f"{here}/action/reception"))
    assert "non reçu" in sentence(client.post(f"{here}/action/non-recu"))
    assert "(creation)" in sentence(client.post(f"{here}/action/renvoi"))
    assert sentence(client.patch(here, data={"document_attache": "x"})) == words.NOT_TEXT.format(field="document_attache")
    assert sentence(client.post(f"{here}/file/zzz", files=part("a.pdf"))).startswith("Le champ 'zzz'")
    assert sentence(client.post(f"{here}/file/document_attache", data={"file_name": "a.pdf"})) == words.NO_CONTENT
    assert "ne va pas" in sentence(client.patch(here, data={"to": f"ne va pas, {ADDRESSES[0]}"}))
    assert client.get(f"{V2}/inconnu").json()["status"] == client.put(f"{V2}/version").json()["status"] == "error"
    big = client.post(f"{here}/action/envoi", content=b"x" * (300 * 1024), headers=FORM)
    assert (big.status_code, big.json()["status"]) == (413, "error")
    big = client.post("/api/modif-document.php", content=b"objet=" + b"x" * (5 << 20), headers=FORM)
    assert (big.status_code, big.json()["status"]) == (200, "error")  # as the old names refuse
    assert client.delete(here).status_code == 204
    assert client.get(here).status_code == 404

    with httpx.Client(base_url=office.service.address) as nobody:
        for auth in (None, ("admin", "admin")):
            answer = nobody.get(f"{V2}/version", auth=auth)
            assert (answer.status_code, sentence(answer)) == (401, "Accès interdit")
            assert answer.headers["www-authenticate"] == 'Basic realm="API Pastell"'
        led = nobody.get(f"{V2}/version", auth=client.auth, headers={"Sec-Fetch-Site": "cross-site"})
        assert led.status_code == 403
    with office.service.client(office.service.mairie.reader_token) as reader:  # a bearer will do
        assert reader.get(home).status_code == 200
        assert sentence(reader.post(home, data={"type": "mailsec"})).startswith(
            f"Acces interdit id_e={number}, droit=mailsec:edition"
        )
    with office.service.client(office.service.syndicat.token) as stranger:
        assert stranger.get(home).status_code == 404
        assert number not in {one["id_e"] for one in stranger.get(f"{V2}/entite").json()}


def test_the_old_names_do_the_same_in_texts(client: httpx.Client, home: str) -> None:
    number = home.split("/")[4]

    def old(name: str, **told: Any) -> httpx.Response:
        files = told.pop("files", None)
        return client.post(f"/api/{name}.php", data={"id_e": number, **told}, files=files)

    (entity,) = client.get("/api/list-entite.php").json()
    assert (entity["id_e"], entity["is_active"]) == (number, "1")
    assert client.get("/api/detail-entite.php", params={"id_e": number}).json()["entite_fille"] == []
    made = client.get("/api/create-document.php", params={"id_e": number, "type": "mailsec"}).json()["id_d"]
    latin = f"id_e={number}&id_d={made}&objet=%E9cole&message=Bonjour&to={ADDRESSES[0]}".encode("ascii")
    changed = client.post("/api/modif-document.php", content=latin, headers=FORM)
    assert (changed.status_code, changed.json()["formulaire_ok"]) == (200, "1"), changed.text
    assert changed.json()["content"]["data"]["objet"] == "école"
    joined = [("document_attache[]", (f"{rank}.pdf", io.BytesIO(pdf(str(rank))))) for rank in range(2)]
    both = old("modif-document", id_d=made, cc="école@elus.test", files=joined).json()
    assert (both["content"]["data"]["document_attache"], both["content"]["data"]["cc"]) == (["0.pdf", "1.pdf"], "école@elus.test")
    sent = old(
        "send-file", id_d=made, field_name="document_attache", file_number="2", file_name="b.txt", file_content="né en 1900"
    )
    assert sent.json()["content"]["data"]["document_attache"] == ["0.pdf", "1.pdf", "b.txt"]
    one = {"id_e": number, "id_d": made, "field": "document_attache"}
    assert client.get("/api/recuperation-fichier.php", params={**one, "num": "0"}).content == pdf("0")
    assert client.get("/api/receive-file.php", params={**one, "num": "2"}).json() == {
        "file_name": "b.txt",
        "file_content": "né en 1900",
    }
    assert "n'est pas un texte" in sentence(client.get("/api/receive-file.php", params={**one, "num": "0"}))
    refused = old("action", id_d=made, action="zzz")
    assert (refused.status_code, sentence(refused)) == (200, "L'action zzz n'existe pas.")
    assert old("action", id_d=made, action="envoi").json() == {"result": "1", "message": words.SENT}
    assert old("detail-document", id_d=made).json()["last_action"]["action"] == "envoi"
    several = client.get("/api/detail-several-document.php", params={"id_e": number, "id_d[]": [made]}).json()
    assert several[made]["email_info"][0]["lu"] == "0"
    assert "objet" in client.get("/api/document-type-info.php?type=mailsec").json()
    assert "envoi" in client.get("/api/document-type-action.php?type=mailsec").json()
    assert old("detail-document", id_d="NoTfOuN").status_code == 404


def test_lists_find_every_state_as_details_tell_it(office: MailsOffice, client: httpx.Client, home: str) -> None:
    mairie = office.mairie
    of_state = {
        "creation": client.post(home, data={"type": "mailsec"}).json()["id_d"],
        "modification": mairie.mail("draft", subject="Liste"),
        "send-mailsec-error": mairie.mail("draft", subject="Liste"),
        "envoi": mairie.mail(subject="Liste"),
        "reception-partielle": mairie.mail(subject="Liste", recipients=ADDRESSES),
        "reception": mairie.mail("archived", subject="Liste"),
        "erreur": mairie.mail(subject="Liste"),
        "non-recu": mairie.mail("archived", subject="Liste", recipients=ADDRESSES[:2]),
    }
    mairie.answer(mairie.recipient(of_state["reception-partielle"]), "Lu.")
    mairie.answer(mairie.recipient(of_state["reception"]), "Lu.")
    mairie.change(mairie.recipient(of_state["erreur"]), state="failed", trouble="550 5.1.1 inconnu")
    mairie.change(mairie.recipient(of_state["non-recu"]), state="expired")
    convocation, cancelled = mairie.mail(kind="convocation", subject="Liste"), mairie.mail(subject="Liste")
    with office.service.platform.database.writing(PLATFORM) as session:
        session.get_one(Dossier, of_state["send-mailsec-error"]).problems = [{"rule": "M03", "message": "Un programme."}]
        session.get_one(Mail, cancelled).cancelled = clock.now()
    for state, identifier in of_state.items():
        found = client.get(home, params={"lastetat": state, "type": "mailsec", "limit": 500}).json()
        assert identifier in {one["id_d"] for one in found}, state
        assert {one["last_action"] for one in found} == {state}
        told = client.get(f"{home}/{identifier}").json()
        assert (told["last_action"]["action"], state in words.ACTIONS) == (state, True)
    assert client.get(f"{home}/{convocation}").status_code == 404  # it is none of the type
    assert cancelled in {one["id_d"] for one in client.get(home, params={"lastetat": "non-recu"}).json()}
    assert told["email_info"][0]["non_recu"] == 1
    failed = client.get(f"{home}/{of_state['erreur']}").json()
    assert (failed["email_info"][0]["has_error"], failed["email_info"][0]["last_error"]) == (1, "550 5.1.1 inconnu")
    assert "Un programme." in client.get(f"{home}/{of_state['send-mailsec-error']}").json()["last_action"]["message"]

    every = client.get(home, params={"search": "liste", "limit": 500}).json()
    pages = [client.get(home, params={"search": "liste", "limit": 3, "offset": at}).json() for at in range(0, len(every), 3)]
    assert [one["id_d"] for page in pages for one in page] == [one["id_d"] for one in every]
    assert client.get(home, params={"lastetat": "inconnu"}).json() == []
    with office.service.platform.database.reading(PLATFORM) as session:  # both ways of telling agree on every send there is
        own = select(Dossier, Mail).join(Mail, col(Mail.dossier_id) == col(Dossier.id)).where(Dossier.state != "abandoned")
        joined, stands = in_sql(own.where(Dossier.organisation_id == mairie.organisation.id), mairie.organisation.id)
        for dossier, mail, action in session.exec(joined.add_columns(stands.action)):
            states = Counter(session.exec(select(MailRecipient.state).where(MailRecipient.dossier_id == dossier.id)))
            assert action == last_action(dossier, mail, states, session.get(PastellDocument, dossier.id)), (dossier.state, states)
