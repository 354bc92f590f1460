"""What clients of Pastell send in the ways of their age: addresses, charsets, filters, sorts; what they are told of the rest."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from api.pastell import drafting, words
from api.pastell.calls import moment
from api.pastell.finding import Document
from api.pastell.models import PastellDocument
from api.pastell.standing import in_sql
from api.pastell.telling import since
from core import clock, passwords
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.mail.models import Mail, MailRecipient
from tests.integration.api.mails_office import MailsOffice
from tests.mails import ADDRESSES
from tests.office import pdf
from tests.turns import turns_taken

V2 = "/api/v2"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def client(software_office: MailsOffice) -> Iterator[httpx.Client]:
    auth = ("admin", software_office.service.mairie.token)
    with httpx.Client(base_url=software_office.service.address, auth=auth, timeout=60) as opened:
        yield opened


@pytest.fixture
def home(client: httpx.Client) -> str:
    """The documents of the mairie."""
    (entity,) = client.get(f"{V2}/entite").json()
    return f"{V2}/entite/{entity['id_e']}/document"


@pytest.fixture
def here(client: httpx.Client, home: str) -> str:
    """A draft with a recipient and a file."""
    made = f"{home}/{client.post(home, data={'type': 'mailsec'}).json()['id_d']}"
    client.patch(made, data={"to": ADDRESSES[0], "objet": "Avis", "message": "Bonjour"})
    client.post(f"{made}/file/document_attache/0", files={"file_content": ("avis.pdf", io.BytesIO(pdf("avis")))})
    return made


def test_nothing_but_a_whole_identifier_names_a_document(client: httpx.Client, home: str, here: str) -> None:
    for name in (f"{here}x", f"{here}%20", here[:-1], here.lower()):
        for answer in (client.get(name), client.patch(name, data={"objet": "Autre"}), client.delete(name)):
            assert (answer.status_code, answer.json()["status"]) == (404, "error"), name
    assert client.get(home, params={"id_d[]": [f"{here.rpartition('/')[2]}x"]}).status_code == 404
    data = client.get(here).json()["data"]
    assert (data["objet"], data["to"], data["document_attache"]) == ("Avis", ADDRESSES[0], ["avis.pdf"])


def test_the_content_of_a_file_stays_what_it_was_however_it_comes(client: httpx.Client, here: str) -> None:
    octets = bytes(range(256)) * 300
    field = "".join(f"%{one:02X}" for one in octets)
    sent = client.post(f"{here}/file/document_attache/0", content=f"file_name=a.bin&file_content={field}", headers=FORM)
    assert sent.status_code == 201, sent.text
    assert client.get(f"{here}/file/document_attache/0").content == octets
    parts = {"file_name": (None, b"b.bin"), "file_content": (None, octets)}
    assert client.post(f"{here}/file/document_attache/0", files=parts).status_code == 201
    assert client.get(f"{here}/file/document_attache/0").content == octets
    number, identifier = here.split("/")[4], here.rpartition("/")[2]
    whole = f"id_e={number}&id_d={identifier}&field=document_attache&file_name=c.txt&file_content=%92".encode()
    sent = client.post("/api/send-file.php", content=(one for one in (whole[:40], whole[40:])), headers=FORM)
    assert sent.json()["content"]["data"]["document_attache"] == ["c.txt"]
    given = client.get(f"{here}/file/document_attache/0")
    assert (given.content, given.headers["content-type"].partition(";")[0]) == (b"\x92", "text/plain")


def test_texts_of_windows_are_read_as_they_are_meant(client: httpx.Client, here: str) -> None:
    changed = client.patch(here, content="objet=L’été – 5 €&message=Œuvre".encode("cp1252"), headers=FORM).json()
    assert (changed["content"]["data"]["objet"], changed["content"]["data"]["message"]) == ("L’été – 5 €", "Œuvre")
    refused = client.patch(here, content=b"objet=a%00b", headers=FORM)
    assert (refused.status_code, "objet" in refused.json()["error-message"]) == (400, True)


def test_a_form_with_files_may_hold_a_long_message_and_many_people(client: httpx.Client, here: str) -> None:
    people = ", ".join(f"personne.{rank}@elus.test" for rank in range(600))
    fields = {"id_e": here.split("/")[4], "id_d": here.rpartition("/")[2], "to": people, "message": "Bonjour. " * 1000}
    files = {"document_attache[]": ("plan.pdf", io.BytesIO(pdf("plan")))}
    changed = client.post("/api/modif-document.php", data=fields, files=files).json()
    assert changed["content"]["data"]["to"].count("@") == 600, changed
    assert changed["content"]["data"]["message"] == fields["message"].strip()
    refused = client.post("/api/modif-document.php", data={**fields, "message": "x" * (4 << 20)}, files=files).json()
    assert (refused["status"], "message" in refused["error-message"]) == ("error", True)


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/api/foo.php", 404, "Impossible de trouver le script foo.php"),
        ("PUT", "/api/version.php", 405, "Cette méthode n'est pas utilisable sur l'API Pastell"),
        ("PUT", "/api/v2/version", 405, "Cette méthode n'est pas utilisable sur l'API Pastell"),
        ("PATCH", "/api/v2/version", 405, "La méthode patch n'existe pas pour cette ressource"),
        ("GET", "/api/v2/foo", 404, "La ressource Foo n'a pas été trouvée"),
        ("GET", "/api/v2/VERSION", 404, "La ressource VERSION n'a pas été trouvée"),
        ("GET", "/api/v2/entite/1/foo", 404, "La ressource entite/1/foo n'a pas été trouvée"),
        ("GET", "/api/v3/version", 400, "Version de l'API incorrecte ou version absente"),
        ("GET", "/api/v2/", 400, "Ressource absente"),
        ("GET", "/api/", 400, "Il faut spécifier une fonction de l'api"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_as_pastell_says_it(
    client: httpx.Client, method: str, path: str, status: int, sentence: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()) == (status, {"status": "error", "error-message": sentence})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_what_the_gate_refuses_is_json_too(client: httpx.Client) -> None:
    big = client.post("/api/action.php", content=b"x" * (300 * 1024), headers=FORM)
    assert (big.status_code, big.json()["status"]) == (200, "error")  # as the old names refuse
    assert client.get("/api/v2/version?a=%00").json()["status"] == "error"


def test_addresses_and_methods_that_clients_take_lead_there(client: httpx.Client) -> None:
    for path in ("/api//v2/version", "//api/v2/version", "/api/v2/Version", "/api/version.php", "/api//version.php"):
        assert client.get(f"{client.base_url}".rstrip("/") + path).json()["version"] == words.VERSION, path
    for method in ("POST", "PATCH", "DELETE"):
        assert client.request(method, "/api/version.php").json()["version"] == words.VERSION, method
    assert client.get("/api/rest/allo").json() == {"produit": "Pastell", "version": words.VERSION}


def test_the_list_is_sorted_and_narrowed_by_the_moment_that_it_shows(
    software_office: MailsOffice, client: httpx.Client, home: str
) -> None:
    mairie = software_office.mairie
    read, sent = mairie.mail("archived", subject="Moments"), mairie.mail(subject="Moments")
    drafts = [client.post(home, data={"type": "mailsec"}).json()["id_d"] for _ in range(3)]
    days = dict(zip((drafts[0], sent, read, drafts[1]), (2, 3, 5, 8), strict=True))
    mairie.answer(mairie.recipient(read), "Lu.")
    for one in drafts:
        client.patch(f"{home}/{one}", data={"objet": "Moments"})
    with software_office.service.platform.database.writing(PLATFORM) as session:
        for identifier, ago in days.items():
            when = clock.now() - timedelta(days=ago)
            dossier = session.get_one(Dossier, identifier)
            dossier.since = when if identifier == sent else clock.now() - timedelta(days=90)
            dossier.created = clock.now() - timedelta(days=100)
            if (row := session.get(PastellDocument, identifier)) is not None:
                row.modified = when
        session.exec(select(MailRecipient).where(MailRecipient.dossier_id == read)).one().withdrawn = clock.now() - timedelta(5)

    def asked(**query: Any) -> list[str]:
        return [one["id_d"] for one in client.get(home, params={"search": "Moments", **query}).json()]

    newest_first = [drafts[2], *days]
    assert asked() == newest_first
    assert asked(sens_tri="ASC") == newest_first[::-1]
    assert [one for at in range(5) for one in asked(limit=1, offset=at)] == newest_first
    shown = client.get(home, params={"search": "Moments"}).json()
    dates = [one["last_action_date"] for one in shown]
    assert dates == sorted(dates, reverse=True)
    day = dates[2][:10]
    assert asked(last_state_begin=day, last_state_end=day) == [sent]
    assert asked(last_state_begin="/".join(reversed(day.split("-"))), date_in_fr="true") == newest_first[:3]
    assert asked(last_state_end=dates[3]) == newest_first[3:]
    assert asked(last_state_begin="0001-01-01", last_state_end="9999-12-31") == newest_first


def test_the_database_tells_the_same_moment_of_every_state(software_office: MailsOffice) -> None:
    mairie, platform = software_office.mairie, software_office.service.platform
    others = ("handed", "waiting", "expired", "failed", "withdrawn")
    sent = {mairie.mail(stood, recipients=ADDRESSES[:2]): other for stood in ("sent", "archived") for other in others}
    cancelled = mairie.mail(recipients=ADDRESSES[:2])
    for identifier in (*sent, cancelled):
        mairie.answer(mairie.recipient(identifier), "Lu.")
    for identifier, other in sent.items():
        mairie.change(mairie.recipient(identifier, 1), state=other)
    with platform.database.writing(PLATFORM) as session:
        session.get_one(Mail, cancelled).cancelled = clock.now()
        for identifier in (*sent, cancelled):
            session.get_one(Dossier, identifier).since = clock.now() - timedelta(days=9)
    with platform.database.reading(PLATFORM) as session:
        own = select(Dossier, Mail).join(Mail, col(Mail.dossier_id) == col(Dossier.id))
        joined, stands = in_sql(own.where(Dossier.state != "abandoned"), mairie.organisation.id)
        sends = session.exec(joined.add_columns(stands.since).where(Dossier.organisation_id == mairie.organisation.id)).all()
        assert len(sends) > len(sent)
        for dossier, mail, told in sends:
            people = tuple(session.exec(select(MailRecipient).where(MailRecipient.dossier_id == dossier.id)))
            row = session.get(PastellDocument, dossier.id)
            document = Document(1, mairie.organisation, dossier, mail, people, row)
            assert moment(clock.as_utc(told)) == since(document), (dossier.state, Counter(one.state for one in people))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"etatTransit": "envoi", "state_begin": "2026-01-01"}, "etatTransit"),
        ({"state_end": "2026-01-01"}, "state_end"),
        ({"notEtatTransit": "envoi"}, "notEtatTransit"),
        ({"type": "mailsec", "sent_mail_read": "1"}, "sent_mail_read"),
        ({"tri": "sent_mail_number"}, "tri"),
        ({"last_state_begin": "demain"}, "last_state_begin"),
        ({"last_state_end": "31/02/2026"}, "last_state_end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "&".join(value),
)
def test_a_filter_is_done_or_refused_by_its_name(client: httpx.Client, home: str, query: dict[str, str], named: str) -> None:
    answer = client.get(home, params=query)
    assert (answer.status_code, answer.json()["error-message"].partition(" ")[0]) == (400, named)


def test_filters_that_are_empty_or_unknown_change_nothing(client: httpx.Client, home: str) -> None:
    every = client.get(home).json()
    assert client.get(home, params={"etatTransit": "", "state_begin": "", "surprise": "1", "sent_mail_read": "1"}).json() == every


def test_a_number_of_thousands_of_figures_is_none(client: httpx.Client, here: str) -> None:
    for figures in ("9" * 5000, "12345", "1", "x"):
        answer = client.get(f"{here}/file/document_attache/{figures}")
        assert (answer.status_code, answer.json()["error-message"]) == (404, words.NO_FILE)


def sent(client: httpx.Client, here: str, number: int) -> list[str]:
    """Send a file named after its number; return the names that the document has then."""
    part = {"file_content": ("x.pdf", io.BytesIO(pdf(f"{number}")), "application/pdf")}
    answer = client.post(f"{here}/file/document_attache/{number}", data={"file_name": f"{number}.pdf"}, files=part)
    assert answer.status_code == 201, answer.text
    return list(answer.json()["content"]["data"]["document_attache"])


@pytest.mark.parametrize("numbers", [(1, 0), (2, 0, 1), (1, 1, 0), (3, 7, 0)], ids=str)
def test_a_file_keeps_the_number_under_which_it_was_sent_whichever_comes_first(
    client: httpx.Client, home: str, numbers: tuple[int, ...]
) -> None:
    here = f"{home}/{client.post(home, data={'type': 'mailsec'}).json()['id_d']}"
    for number in numbers:
        names = sent(client, here, number)
    assert names == [f"{number}.pdf" for number in sorted(set(numbers))]
    for number in range(8):
        answer = client.get(f"{here}/file/document_attache/{number}")
        assert answer.status_code == 404 if number not in numbers else answer.content == pdf(f"{number}")
    last = max(numbers)
    assert client.delete(f"{here}/file/document_attache/0").status_code == 200
    assert client.get(f"{here}/file/document_attache/{last - 1}").content == pdf(f"{last}")
    gone = client.get(f"{here}/file/document_attache/{last}")
    assert (gone.status_code, gone.json()["error-message"]) == (404, words.NO_FILE)


def test_a_file_too_many_is_refused_and_none_is_lost(client: httpx.Client, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(client, here, 4) == ["avis.pdf", "4.pdf"]
    monkeypatch.setattr(drafting, "_MOST_FILES", 2)
    part = {"file_content": ("x.pdf", io.BytesIO(pdf("x")))}
    answer = client.post(f"{here}/file/document_attache/1", files=part)
    assert (answer.status_code, answer.json()["error-message"]) == (400, words.TOO_MANY.format(most=2))
    assert client.get(here).json()["data"]["document_attache"] == ["avis.pdf", "4.pdf"]


def test_a_document_that_is_read_and_sent_back_keeps_its_password(
    software_office: MailsOffice, client: httpx.Client, here: str
) -> None:
    secret, recipient = "quarante-deux clochers", here.rpartition("/")[2]
    client.patch(here, data={"password": secret, "password2": secret})
    read = client.get(here).json()["data"]
    assert read["password"] == read["password2"] == words.MASKED
    back = client.patch(
        here, data={**{name: read[name] for name in ("to", "password", "password2", "message")}, "objet": "Autre"}
    )
    assert (back.json()["formulaire_ok"], back.json()["content"]["data"]["objet"]) == (1, "Autre")
    assert passwords.matches(software_office.mairie.recipient(recipient).password_hash, secret)
    other = client.patch(here, data={"password": "trente-trois moulins", "password2": words.MASKED}).json()
    assert (other["formulaire_ok"], other["message"]) == (0, words.PASSWORDS_DIFFER)


def test_turns_are_shared_between_callers_and_nothing_is_read_of_a_stranger(
    software_office: MailsOffice, client: httpx.Client, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers, large = turns_taken(monkeypatch), b"message=" + b"x" * (1 << 17)
    number, identifier = here.split("/")[4], here.rpartition("/")[2]
    client.post("/api/modif-document.php", params={"id_e": number, "id_d": identifier}, content=large, headers=FORM)
    (caller,) = callers
    assert caller.startswith("token:")
    with httpx.Client(base_url=software_office.service.address, auth=("admin", "faux")) as stranger:
        assert stranger.post("/api/modif-document.php", content=large, headers=FORM).status_code == 401
    assert callers == [caller]
