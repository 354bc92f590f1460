"""Publication as agents and administrators meet it: what the page of an act says of it, who may do what, what forms refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from core.identifiers import Siren, new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from flows.actes.knowledge import publishing_of
from flows.actes.models import ActesPublication
from flows.actes.publishing import publication_of
from flows.actes.publishing_later import asked_of
from flows.actes.settings import ActesPublishing
from flows.engine.models import Dossier
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import PASSWORD, Service
from tests.office import pdf
from tests.published_acts import Publisher

AUTHOR = {"author_first_name": "Jeanne", "author_last_name": "Dubreuil", "author_capacity": "Maire"}
ROLES: dict[str, set[Right]] = {
    "publie": {Right.READ, Right.DEPOSIT},
    "lit": {Right.READ},
    "depose": {Right.DEPOSIT},
    "administre": {Right.READ, Right.ADMINISTER},
}


@pytest.fixture(scope="module")
def town(service: Service) -> Publisher:
    """A collectivité with a public page, an act of each kind, and somebody of each role."""
    with service.platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM.value)).one()
        taken = add_organisation(
            session, "Commune de Vaux-Publiés", OrganisationKind.COLLECTIVITE, parent=root, siren=Siren("214099806")
        )
    mairie = ActsMairie(service.platform, taken)
    mairie.connect()
    for role, rights in ROLES.items():
        mairie.hire(role, rights)
    with service.platform.database.writing(PLATFORM) as session:  # reads here, and deposits elsewhere only
        person = add_person(session, f"ailleurs@{taken.siren}.test", "Ailleurs", PASSWORD)
        grant_role(session, person, session.get_one(Organisation, taken.id), "lit", {Right.READ})
        grant_role(session, person, session.get_one(Organisation, service.mairie.organisation.id), "dépose", {Right.DEPOSIT})
    publisher = Publisher(service.platform, taken)
    publisher.open()
    return publisher


@contextmanager
def somebody(service: Service, town: Publisher, role: str) -> Iterator[httpx.Client]:
    with service.client() as client:
        address = f"{role}@{town.organisation.siren}.test"
        client.post("/connexion", data={"csrf": token(client, "/connexion"), "email": address, "password": PASSWORD})
        client.headers["X-Token"] = token(client, "/compte")
        yield client


def token(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture
def clerk(service: Service, town: Publisher) -> Iterator[httpx.Client]:
    with somebody(service, town, "publie") as client:
        yield client


def post(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    return client.post(path, data={"csrf": client.headers["X-Token"], **fields})


def section(client: httpx.Client, act: str) -> str:
    """What the page of an act says of its publication; empty when it says nothing."""
    found = re.search(r'<section class="block" id="publication".*?</section>', client.get(f"/actes/{act}").text, re.DOTALL)
    return found.group(0) if found else ""


def online(town: Publisher, act: str) -> ActesPublication | None:
    with town.platform.database.reading(PLATFORM) as session:
        last = publication_of(session, act)
    return last if last is not None and last.withdrawn is None else None


def test_the_act_is_proposed_annexes_are_not_and_the_last_author_is(town: Publisher, clerk: httpx.Client) -> None:
    first, second = town.received(), town.received()
    assert f'href="/actes/{first}/publication"' in section(clerk, first)
    page = clerk.get(f"/actes/{first}/publication").text
    ticked = re.findall(r'name="role" type="checkbox" value="([^"]+)"[^>]*?(checked)?>', page)
    assert ticked == [("document", "checked"), ("annex.1", "")]  # the picture is no PDF
    done = post(clerk, f"/actes/{first}/publication", role=["document"], **AUTHOR)
    assert done.headers["location"] == f"/actes/{first}?fait=publication"
    published = online(town, first)
    assert published is not None
    assert [file["role"] for file in published.files] == ["document"]
    assert f"/publications/214099806/actes/{published.id}" in section(clerk, first)
    assert 'value="Dubreuil"' in clerk.get(f"/actes/{second}/publication").text


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({**AUTHOR, "author_last_name": " "}, 400, "Nommez l’auteur"),
        (AUTHOR | {"role": []}, 400, "Choisissez au moins un document"),
        (AUTHOR | {"role": ["annex.2"]}, 400, "PDF"),
        (AUTHOR | {"role": ["../ar"]}, 400, "PDF"),
        (AUTHOR | {"author_capacity": "x" * 201}, 400, "200"),
    ],
    ids=["no last name", "no file", "a picture", "no file of the act", "too long"],
)
def test_the_form_says_what_is_missing_and_keeps_what_was_typed(
    town: Publisher, clerk: httpx.Client, fields: dict[str, object], status: int, words: str
) -> None:
    act = town.received()
    refused = post(clerk, f"/actes/{act}/publication", **{"role": ["document"], **fields})
    assert refused.status_code == status
    assert words in refused.text
    assert 'value="Jeanne"' in refused.text
    assert online(town, act) is None


def test_what_stands_in_the_way_is_said_and_no_form_is_shown(town: Publisher, clerk: httpx.Client) -> None:
    individual, cancelled, early = town.received(nature=3), town.received(), town.received(facts={"reception_date": None})
    town.asks_to_cancel(cancelled)
    for act, words in ((individual, "se notifie"), (cancelled, "annul"), (early, "pas encore accusé réception")):
        page = clerk.get(f"/actes/{act}/publication")
        assert page.status_code == 200
        assert words in page.text
        assert "Publier l’acte</button>" not in page.text
        assert post(clerk, f"/actes/{act}/publication", role=["document"], **AUTHOR).status_code == 409
        assert online(town, act) is None
    assert "se notifie" in section(clerk, individual)
    assert section(clerk, early) == ""


def test_withdrawing_warns_for_two_months_asks_why_and_is_done_once(town: Publisher, clerk: httpx.Client) -> None:
    act = town.publish().dossier_id
    path = f"/actes/{act}/publication/retrait"
    assert "Moins de deux mois en ligne" in clerk.get(path).text
    refused = post(clerk, path, reason="x" * 501)
    assert refused.status_code == 400
    assert "Dites pourquoi" in refused.text
    with town.platform.database.writing(PLATFORM) as session:
        row = session.exec(select(ActesPublication).where(ActesPublication.dossier_id == act)).one()
        row.published -= timedelta(days=63)
    assert "Moins de deux mois" not in clerk.get(path).text
    for fait in ("?fait=retrait", ""):  # the same form again changes nothing
        assert post(clerk, path, reason="Erreur de document").headers["location"] == f"/actes/{act}{fait}"
    assert clerk.get(path).status_code == 303
    assert online(town, act) is None
    shown = section(clerk, act)
    assert "Erreur de document" in shown
    assert f'href="/actes/{act}/publication"' in shown
    assert [one.kind for one in town.told(act)] == ["actes.published", "actes.publication_withdrawn"]


def test_only_who_deposits_publishes_and_whoever_reads_is_told(service: Service, town: Publisher) -> None:
    act, published = town.received(), town.publish().dossier_id
    with somebody(service, town, "lit") as reader:
        assert section(reader, act) == ""
        shown = section(reader, published)
        assert "En ligne" in shown
        assert "/retrait" not in shown
    for role in ("lit", "administre", "depose", "ailleurs"):
        with somebody(service, town, role) as client:
            for path in (
                f"/actes/{act}/publication",
                f"/actes/{published}/publication/retrait",
                f"/actes/{act}/publication/oubli",
            ):
                fields = {**AUTHOR, "role": ["document"], "reason": "Non"}
                assert post(client, path, **fields).status_code in {403, 404, 409}, (role, path)
                if not path.endswith("oubli"):
                    assert client.get(path).status_code in {403, 404}, (role, path)
    assert online(town, act) is None
    assert online(town, published) is not None


def test_every_form_bears_a_token(town: Publisher, clerk: httpx.Client) -> None:
    act, published = town.received(), town.publish().dossier_id
    for path in (f"/actes/{act}/publication", f"/actes/{published}/publication/retrait", f"/actes/{act}/publication/oubli"):
        assert clerk.post(path, data={"csrf": "faux", **AUTHOR, "role": "document", "reason": "Non"}).status_code == 403
    assert online(town, act) is None
    assert online(town, published) is not None


def send(client: httpx.Client, town: Publisher, number: str, **changes: str) -> httpx.Response:
    fields = {
        "organisation": town.organisation.id,
        "saisie": new_id(),
        "number": number,
        "decision_date": today().isoformat(),
        "nature": "1",
        "matiere": "7.10",
        "subject": "Tarifs",
        "do": "send",
        "publish": "1",
        **AUTHOR,
        **changes,
    }
    return client.post(
        "/actes/nouveau", data={"csrf": client.headers["X-Token"], **fields}, files={"document": ("acte.pdf", pdf(number))}
    )


def test_an_act_is_deposited_to_be_published_which_can_be_taken_back(town: Publisher, clerk: httpx.Client) -> None:
    sent = send(clerk, town, "W_1")
    assert sent.status_code == 303, sent.text
    act = sent.headers["location"].split("/")[2].partition("?")[0]
    with town.platform.database.reading(PLATFORM) as session:
        asked = asked_of(session, act)
    assert asked is not None
    assert (asked.author_last_name, asked.roles) == ("Dubreuil", ["document"])
    assert "Sera publié dès sa réception" in section(clerk, act)
    assert post(clerk, f"/actes/{act}/publication/oubli").headers["location"] == f"/actes/{act}?fait=oubli"
    assert section(clerk, act) == ""
    assert post(clerk, f"/actes/{act}/publication/oubli").status_code == 409


def test_an_individual_act_is_never_published_whatever_the_form_says(town: Publisher, clerk: httpx.Client) -> None:
    sent = send(clerk, town, "W_2", nature="3", matiere="4.1")
    assert sent.status_code == 303, sent.text
    with town.platform.database.reading(PLATFORM) as session:
        act = session.exec(
            select(Dossier).where(Dossier.organisation_id == town.organisation.id, Dossier.title == "W_2 – Tarifs")
        ).one()
        assert asked_of(session, act.id) is None


def test_the_author_is_asked_for_before_anything_leaves(town: Publisher, clerk: httpx.Client) -> None:
    refused = send(clerk, town, "W_3", author_first_name="")
    assert refused.status_code == 400
    assert 'href="#author_first_name"' in refused.text
    assert re.search(r'id="publish"[^>]*checked', refused.text)
    assert send(clerk, town, "W_3", author_first_name="", publish="").status_code == 303


def test_the_choice_is_not_shown_where_there_is_no_public_page(town: Publisher, clerk: httpx.Client) -> None:
    new = f"/actes/nouveau?organisation={town.organisation.id}&saisie={new_id()}"
    assert 'name="publish"' in clerk.get(new).text
    act, published = town.received(), town.publish().dossier_id
    town.open(open=False)
    try:
        assert 'name="publish"' not in clerk.get(new).text
        assert section(clerk, act) == ""
        assert "page publique de l’organisation est fermée" in section(clerk, published)
        assert "n’est pas ouverte" in clerk.get(f"/actes/{act}/publication").text
    finally:
        town.open()


def test_the_administrator_opens_the_page_and_the_journal_says_so(service: Service, town: Publisher) -> None:
    path = f"/administration/publication?organisation={town.organisation.id}"
    with somebody(service, town, "administre") as client:
        assert "http" in client.get(path).text
        fields = {"open": "1", "about": "Aussi\naffichés  en mairie.", **AUTHOR}
        assert "fait=ouverte" in post(client, path, **fields).headers["location"]
        kept = publishing_of(town.platform, town.organisation.id)
        assert (kept.open, kept.about) == (True, "Aussi affichés en mairie.")
        assert kept.author is not None
        assert kept.author.last_name == "Dubreuil"
        page = client.get(path).text
        assert re.search(r'id="open-1"[^>]* checked ', page)
        assert 'value="Dubreuil"' in page
        for wrong, words in (({"about": "x" * 501}, "about"), ({"author_capacity": "Ma\u200bire"}, "auteur")):
            refused = post(client, path, **{**fields, **wrong})
            assert refused.status_code == 400, wrong
            assert words in refused.text
        assert publishing_of(town.platform, town.organisation.id) == kept
        assert client.post(path, data={"csrf": "faux", **fields}).status_code == 403
    with town.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.organisation_id == town.organisation.id)).all()
    assert {"configuration": "actes.publication"} in [one.facts for one in entries if one.kind == "configuration.changed"]
    town.open()


def test_an_organisation_without_a_siren_opens_no_page(service: Service, town: Publisher) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        above = session.get_one(Organisation, town.organisation.id)
        below = add_organisation(session, "Service de l’état civil", OrganisationKind.SERVICE, parent=above)
    path = f"/administration/publication?organisation={below.id}"
    with somebody(service, town, "administre") as client:
        assert "n’a pas de SIREN" in client.get(path).text
        refused = post(client, path, open="1")
        assert refused.status_code == 400
        assert "SIREN" in refused.text
    assert publishing_of(town.platform, below.id) == ActesPublishing(open=True)  # what the commune above says
