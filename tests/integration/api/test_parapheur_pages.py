"""The signing book in the browser: what waits, the folder beside its decision, one act, the next folder."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlmodel import select

from api.app import create_app
from api.web.draft import page as drafts
from api.web.folder import routes
from api.web.trays import batch
from api.web.trays import page as trays
from core import clock
from core.errors import Conflict
from core.people import add_person, grant_role, principal_of
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Dossier
from signing.parapheur import actions, desks, signatures
from signing.parapheur.history import Said, events_of
from signing.parapheur.models import Folder, Task, Visibility
from tests.integration.api import service as services
from tests.integration.api.service import Service
from tests.pades_documents import paper, words
from tests.parapheur_office import PASSWORD, Office, open_office

BOOK = (trays.router, batch.router, routes.router, drafts.router)


def with_book(platform: Platform) -> FastAPI:
    """The application with the signing book, wherever its routes are gathered."""
    app = create_app(platform)
    there = {route.path for route in iter_route_contexts(app.routes)}
    for router in BOOK:
        if not {route.path for route in iter_route_contexts(router.routes)} <= there:
            app.include_router(router)
    return app


@contextmanager
def book_service(s3: S3Server, folder: Path) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_book)
        with services.web_service(s3, folder) as running:
            yield running


@pytest.fixture(scope="module")
def served(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with book_service(s3, tmp_path_factory.mktemp("book")) as running:
        yield running


@pytest.fixture(scope="module")
def office(served: Service) -> Office:
    return open_office(served.platform, served.mairie.organisation)


Enter = Callable[[str], httpx.Client]


@pytest.fixture(scope="module")
def enter(served: Service, office: Office) -> Iterator[Enter]:
    """The browser of somebody of the town hall, who has signed in."""
    clients: dict[str, httpx.Client] = {}
    with ExitStack() as stack:

        def entered(who: str) -> httpx.Client:
            if who not in clients:
                clients[who] = stack.enter_context(signed_in(served, office.people[who].email))
            return clients[who]

        yield entered


@contextmanager
def signed_in(service: Service, email: str) -> Iterator[httpx.Client]:
    with service.client(**{"Accept-Language": "fr"}) as client:
        csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/connexion").text)
        token = {"csrf": csrf[1]} if csrf else {}
        answer = client.post("/connexion", data={"email": email, "password": PASSWORD, **token})
        assert answer.status_code == 303, answer.text
        yield client


_tokens: dict[str, str] = {}


def token_of(client: httpx.Client) -> str:
    session = client.cookies["tabellion_session"]
    if session not in _tokens:
        _tokens[session] = re.findall(r'name="csrf" value="([^"]+)"', client.get("/compte").text)[0]
    return _tokens[session]


def post(client: httpx.Client, address: str, **fields: str | list[str]) -> httpx.Response:
    return client.post(address, data={"csrf": token_of(client), **fields})


def task_of(office: Office, folder_id: str, who: str = "mayor") -> str:
    with office.platform.database.reading(PLATFORM) as session:
        wanted = select(Task.id).where(Task.folder_id == folder_id, Task.state == "open", Task.desk_id == office.desks[who].id)
        return session.exec(wanted).one()


def folder_of(office: Office, folder_id: str) -> Folder:
    with office.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Folder).where(Folder.id == folder_id)).one()


def text_of(page: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).replace("\u00a0", " ").replace("\u202f", " ").split())


def approve(office: Office, folder_id: str, who: str, said: Said | None = None) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        principal = principal_of(session, office.people[who])
        task = session.exec(
            select(Task.id).where(Task.folder_id == folder_id, Task.state == "open", Task.desk_id == office.desks[who].id)
        ).one()
        actions.approve(session, principal, task, said or Said())


def kinds_of_events(office: Office, folder_id: str) -> list[str]:
    with office.platform.database.reading(PLATFORM) as session:
        return [event.kind for event in events_of(session, folder_id)]


def test_the_home_says_in_one_sentence_what_waits_then_lists_it_oldest_first(office: Office, enter: Enter) -> None:
    late = office.folder("Délibération tardive", due=clock.in_paris(clock.now()).date() - timedelta(days=3))
    office.folder("PES_118", "visa", summary={"document": "pes", "mandats": 18, "titres": 0, "amount": "41230.12"})
    page = enter("mayor").get("/parapheur")
    told = text_of(page)
    assert page.status_code == 200
    assert re.search(r"2 dossiers vous attendent, dont 1 en retard : 1 à signer, 1 à viser\.", told)
    assert "18 mandats · 41 230,12 €" in told
    assert "en retard de 3 jours" in told
    assert told.index("Délibération tardive") < told.index("PES_118")
    assert told.count("non lu") == 2
    enter("mayor").get(f"/parapheur/dossiers/{late}?depuis=a-traiter")
    assert text_of(enter("mayor").get("/parapheur")).count("non lu") == 1


def test_a_folder_is_found_by_a_part_of_its_title_whatever_its_accents(office: Office, enter: Enter) -> None:
    for title in ("Travaux des ÉCOLES", "Voirie"):
        office.folder(title, "visa")
    shown = enter("mayor").get("/parapheur/a-traiter?q=écoles").text
    assert ("Travaux des ÉCOLES" in shown, "Voirie" in shown) == (True, False)


def test_an_act_leads_to_the_next_folder_of_the_same_list_and_says_how_to_take_it_back(office: Office, enter: Enter) -> None:
    first, second, third = (office.folder(f"Suite {rank}", "visa") for rank in (1, 2, 3))
    mayor = enter("mayor")
    listing = "a-traiter?q=Suite"
    shown = mayor.get(f"/parapheur/dossiers/{second}", params={"depuis": listing})
    assert "2 sur 3" in text_of(shown)
    assert f"/parapheur/dossiers/{first}?" in shown.text
    done = post(mayor, f"/parapheur/taches/{task_of(office, second)}/viser", depuis=listing)
    assert done.status_code == 303
    following = mayor.get(done.headers["location"])
    assert urlsplit(done.headers["location"]).path == f"/parapheur/dossiers/{third}"
    assert "<title>Suite 3 – Visa – Parapheur – Tabellion</title>" in following.text
    assert "Visé : Suite 2" in text_of(following)
    back = post(mayor, f"/parapheur/dossiers/{second}/recuperer", depuis=listing)
    assert "Récupéré : Suite 2" in text_of(mayor.get(back.headers["location"]))
    assert folder_of(office, second).rank == 0
    last = post(mayor, f"/parapheur/taches/{task_of(office, third)}/viser", depuis=listing)
    assert urlsplit(last.headers["location"]).path == "/parapheur/a-traiter"
    assert parse_qs(urlsplit(last.headers["location"]).query)["q"] == ["Suite"]


def test_a_conflict_tells_who_was_faster_and_keeps_what_was_typed(office: Office, enter: Enter) -> None:
    folder = office.folder("Disputé", "visa")
    task = task_of(office, folder)
    approve(office, folder, "mayor")
    refused = post(enter("mayor"), f"/parapheur/taches/{task}/viser", note="Bon pour accord, sous réserve.")
    told = text_of(refused)
    assert refused.status_code == 409
    assert re.search(r"vient d’être traité par Camille Aubert le \d\d/\d\d/\d{4} à \d+ h \d\d", told)
    assert "Bon pour accord, sous réserve." in told
    assert kinds_of_events(office, folder).count("approved") == 1


def test_a_rejection_is_confirmed_asks_for_a_reason_and_goes_back_with_it(office: Office, enter: Enter) -> None:
    folder = office.folder("À rejeter", "asking")
    task, mayor = task_of(office, folder), enter("mayor")
    screen = mayor.get(f"/parapheur/taches/{task}/rejeter")
    assert "reviendra au bureau Secrétariat" in text_of(screen)
    assert 'maxlength="512"' in screen.text
    assert "Nature du rejet" in screen.text
    silent = post(mayor, f"/parapheur/taches/{task}/rejeter", **{"champ.motif_code": "fond"})
    assert (silent.status_code, folder_of(office, folder).state) == (400, "pending")
    assert '<option value="fond" selected>' in silent.text
    without = post(mayor, f"/parapheur/taches/{task}/rejeter", note="Montant faux.")
    assert (without.status_code, "Montant faux." in without.text) == (400, True)
    done = post(mayor, f"/parapheur/taches/{task}/rejeter", note="Montant faux.", **{"champ.motif_code": "fond"})
    assert done.status_code == 303
    assert folder_of(office, folder).state == "rejected"
    rejected = text_of(enter("secretary").get("/parapheur/rejetes"))
    assert "Motif : Montant faux." in rejected
    assert "Maire" in rejected


def test_metadata_that_a_step_asks_for_are_asked_in_the_panel_and_refused_without(office: Office, enter: Enter) -> None:
    folder = office.folder("Bon de commande", "asking")
    mayor, task = enter("mayor"), task_of(office, folder)
    assert 'name="champ.montant"' in mayor.get(f"/parapheur/dossiers/{folder}").text
    refused = post(mayor, f"/parapheur/taches/{task}/viser", note="Vu.")
    assert refused.status_code == 400
    assert "Renseignez : Montant." in text_of(refused)
    assert ">Vu.</textarea>" in refused.text
    assert post(mayor, f"/parapheur/taches/{task}/viser", **{"champ.montant": "1 204,50"}).status_code == 303
    assert folder_of(office, folder).fields["montant"] == "1204.50"
    assert "1 204,50" in text_of(mayor.get(f"/parapheur/dossiers/{folder}"))


def test_a_private_note_is_read_by_its_author_and_the_next_desk_only(office: Office, enter: Enter) -> None:
    folder = office.folder("Annoté", "long")
    approve(office, folder, "director", Said("Avis favorable.", "Entre nous."))
    read = {
        who: text_of(enter(who).get(f"/parapheur/dossiers/{folder}")) for who in ("director", "mayor", "secretary", "watcher")
    }
    assert all("Avis favorable." in told for told in read.values())
    assert {who for who, told in read.items() if "Entre nous." in told} == {"director", "mayor"}


def test_whoever_has_nothing_to_do_with_a_folder_does_not_find_it(office: Office, enter: Enter) -> None:
    folder = office.folder("Confidentiel", "long")
    answers = {who: enter(who).get(f"/parapheur/dossiers/{folder}").status_code for who in office.people}
    assert {who for who, status in answers.items() if status == 200} == {
        *("secretary", "director", "mayor", "watcher", "administrator")
    }
    assert set(answers.values()) == {200, 404}
    public = office.folder("Public", "signature", visibility=Visibility.PUBLIC)
    assert enter("stranger").get(f"/parapheur/dossiers/{public}").status_code == 404, "who reads no dossier of the organisation"
    assert enter("newcomer").get(f"/parapheur/dossiers/{public}").status_code == 200, "who reads them"


@pytest.mark.parametrize("who", ["watcher", "administrator", "secretary", "director"])
def test_those_who_only_see_find_no_button_and_are_refused_if_they_post(office: Office, enter: Enter, who: str) -> None:
    folder = office.folder(f"Regardé par {who}", "long")
    approve(office, folder, "director")
    task, client = task_of(office, folder), enter(who)
    shown = client.get(f"/parapheur/dossiers/{folder}")
    assert shown.status_code == 200
    assert f"/parapheur/taches/{task}/" not in shown.text
    assert 'action="/parapheur/seances"' not in shown.text
    for gesture in ("viser", "rejeter", "cacheter", "papier", "avis", "demander-avis", "transferer", "annoter"):
        answer = post(client, f"/parapheur/taches/{task}/{gesture}", note="Non.", bureau=office.desks["deputy"].id)
        assert answer.status_code == 403, gesture
    upload = client.post(f"/parapheur/taches/{task}/importer", data={"csrf": token_of(client)}, files={"fichier.x": b"%PDF-"})
    assert upload.status_code == 403
    assert folder_of(office, folder).state == "pending"
    assert kinds_of_events(office, folder)[-1] == "approved"


def test_another_collectivite_walks_every_route_in_vain(served: Service, office: Office, enter: Enter) -> None:
    folder = office.folder("SECRET-AUTRE", "long")
    approve(office, folder, "director")
    task = task_of(office, folder)
    document = re.search(
        rf"/parapheur/dossiers/{folder}/documents/(\w{{26}})", enter("mayor").get(f"/parapheur/dossiers/{folder}").text
    )
    assert document is not None
    names = {"folder_id": folder, "task_id": task, "document_id": document[1], "rank": "1", "number": "1", "geste": "viser"}
    events, walked = kinds_of_events(office, folder), 0
    with served.platform.database.writing(PLATFORM) as session:
        person = add_person(session, "ailleurs@lavoir.test", "Andrea Collin", PASSWORD)
        for role in ("signataire", "agent", "administrateur"):
            grant_role(session, person, served.syndicat.organisation, role)
    with signed_in(served, "ailleurs@lavoir.test") as foreign:
        token = token_of(foreign)
        for route in (one for router in BOOK[:3] for one in iter_route_contexts(router.routes)):
            path = route.path or ""
            for method in route.methods or ():
                address = path.format(**names)
                data = {"csrf": token, "note": "x", "choix": task, "tache": task} if method == "POST" else None
                answer = foreign.request(method, address, data=data, params={"choix": task, "geste": "viser", "l": "600"})
                assert "SECRET-AUTRE" not in answer.text, address
                assert answer.status_code < 500, address
                if "{folder_id}" in path or "{task_id}" in path:
                    assert answer.status_code == 404, (method, address)
                walked += 1
    assert walked > 40
    assert kinds_of_events(office, folder) == events


def test_a_form_of_another_site_does_nothing(office: Office, enter: Enter) -> None:
    folder = office.folder("Forgé", "visa")
    answer = enter("mayor").post(f"/parapheur/taches/{task_of(office, folder)}/viser", data={"csrf": "x"})
    assert (answer.status_code, kinds_of_events(office, folder)[-1]) == (403, "started")


def test_a_folder_that_must_be_read_is_refused_until_every_page_was_seen(office: Office, enter: Enter) -> None:
    folder = office.folder("À lire", "reading", document=paper(words("un"), words("deux"), words("trois")))
    mayor, task = enter("mayor"), task_of(office, folder)
    page = mayor.get(f"/parapheur/dossiers/{folder}")
    assert "Lire la suite" in page.text
    assert post(mayor, f"/parapheur/taches/{task}/viser").status_code == 400
    base = re.search(r'data-reading="([^"]+)/lu"', page.text)
    assert base is not None
    assert post(mayor, f"{base[1]}/lu", pages="1-2").status_code == 204
    still = mayor.get(f"/parapheur/dossiers/{folder}")
    assert "2 pages lues" in text_of(still)
    assert "#page-3" in still.text
    assert mayor.get(f"/parapheur/dossiers/{folder}/a-lire?lues=2").status_code == 204
    assert post(mayor, f"{base[1]}/lu", pages="9").status_code == 400
    assert post(mayor, f"{base[1]}/lu", pages="3").status_code == 204
    over = mayor.get(f"/parapheur/dossiers/{folder}/a-lire?lues=2")
    assert (over.status_code, "Tout est lu." in text_of(over)) == (286, True)
    assert post(mayor, f"/parapheur/taches/{task}/viser").status_code == 303


@pytest.mark.parametrize("way", ["texte", ""], ids=["its text", "the file itself"])
def test_a_document_is_read_without_a_script_by_its_text_or_the_file_itself(office: Office, enter: Enter, way: str) -> None:
    folder = office.folder(f"À lire {way}", "reading")
    mayor = enter("mayor")
    base = re.search(r'data-reading="([^"]+)/lu"', mayor.get(f"/parapheur/dossiers/{folder}").text)
    assert base is not None
    assert mayor.get(f"{base[1]}/{way}".rstrip("/")).status_code == 200
    assert post(mayor, f"/parapheur/taches/{task_of(office, folder)}/viser").status_code == 303


def test_a_document_changed_by_a_signature_stays_read_and_another_person_has_not_read_it(office: Office, enter: Enter) -> None:
    folder = office.folder("Lu par un autre", "reading")
    base = re.search(r'data-reading="([^"]+)/lu"', enter("mayor").get(f"/parapheur/dossiers/{folder}").text)
    assert base is not None
    enter("watcher").get(f"{base[1]}/texte")
    assert post(enter("mayor"), f"/parapheur/taches/{task_of(office, folder)}/viser").status_code == 400


def test_a_substitute_acts_in_the_absence_of_a_desk_from_a_tray_of_its_own(office: Office, enter: Enter) -> None:
    folder = office.folder("Délégué", "visa")
    with office.platform.database.writing(PLATFORM) as session:
        given = desks.delegate(
            session, "platform", office.desks["mayor"], office.desks["deputy"], clock.now() - timedelta(hours=1), None
        )
    deputy, task = enter("deputy"), task_of(office, folder)
    assert "Délégué" in text_of(deputy.get("/parapheur/delegues"))
    assert "En l’absence de : Maire" in text_of(deputy.get(f"/parapheur/dossiers/{folder}"))
    assert post(deputy, f"/parapheur/taches/{task}/viser").status_code == 303
    with office.platform.database.writing(PLATFORM) as session:
        desks.end_delegation(session, given.id)
    assert "en l’absence de Maire" in text_of(enter("mayor").get(f"/parapheur/dossiers/{folder}"))
    assert deputy.get(f"/parapheur/dossiers/{folder}").status_code == 200, "who has acted sees what came of it"
    assert deputy.get(f"/parapheur/dossiers/{office.folder('Après', 'visa')}").status_code == 404


def test_signing_goes_to_its_own_page_with_the_task_and_what_is_said(office: Office, enter: Enter) -> None:
    folder = office.folder("À signer")
    page = enter("mayor").get(f"/parapheur/dossiers/{folder}")
    form = re.search(r'<form id="decider"[^>]*action="([^"]+)".*?</form>', page.text, re.DOTALL)
    assert form is not None
    assert form[1] == "/parapheur/seances"
    names = set(re.findall(r'name="([^"]+)"', form[0]))
    assert names == {"csrf", "depuis", "tache", "note", "note_privee"}
    assert f'name="tache" value="{task_of(office, folder)}"' in form[0]


def test_a_session_that_takes_long_to_open_holds_nobody_else_up(
    office: Office, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, mayor, watcher = task_of(office, office.folder("À signer lentement")), enter("mayor"), enter("watcher")
    begun, answered = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        answered.wait(30)
        raise Conflict("plus tard")

    monkeypatch.setattr(signatures, "open_signing", slow)
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(post, mayor, "/parapheur/seances", tache=task)
        assert begun.wait(30)
        assert watcher.get("/health/live", timeout=10).status_code == 200
        answered.set()
        assert asked.result().status_code == 409


def test_a_session_is_called_off_once_and_again_changes_nothing(office: Office, enter: Enter) -> None:
    mayor = enter("mayor")
    opened = post(mayor, "/parapheur/seances", tache=task_of(office, office.folder("À ne pas signer")))
    page = opened.headers["Location"]
    for _ in range(2):
        assert post(mayor, f"{page}/annuler").headers["Location"] == page
    assert "À ne pas signer" in text_of(mayor.get(page))
    assert mayor.get(f"{page}/etat").status_code == 286


def test_the_dossier_behind_a_folder_goes_on_when_the_circuit_is_done(office: Office, enter: Enter) -> None:
    folder = office.folder("Au bout", "asking", fields={"montant": "12"})
    assert post(enter("mayor"), f"/parapheur/taches/{task_of(office, folder)}/viser").status_code == 303
    with office.platform.database.reading(PLATFORM) as session:
        dossier = session.exec(select(Dossier).where(Dossier.id == folder_of(office, folder).dossier_id)).one()
    assert dossier.state == "validated"
