"""How an act ends, seen by people and software: the end of a litigation, messages as they left, what came late or infected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from core.principal import PLATFORM, Right
from flows.actes.models import ActesMail, ActesMessage
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.acts_software import Software
from tests.integration.api.service import PASSWORD, Service

RESULT = "Déféré rejeté par jugement n° 2600123 <définitif>"


@pytest.fixture(scope="module")
def town(service: Service) -> Software:
    found = Software.of(service, "Commune de Bellerive", "214099996")
    found.mairie.hire("clerc", {Right.READ, Right.DEPOSIT})
    found.mairie.hire("lecteur", {Right.READ})
    found.mairie.hire("exploitant", {Right.READ, Right.OPERATE}, above=True)
    return found


@pytest.fixture
def clerk(service: Service, town: Software) -> Iterator[httpx.Client]:
    with _somebody(service, town.mairie, "clerc") as client:
        yield client


@contextmanager
def _somebody(service: Service, mairie: ActsMairie, name: str) -> Iterator[httpx.Client]:
    with service.client() as client:
        door = {"csrf": _token(client, "/connexion"), "email": mairie.people[name], "password": PASSWORD}
        client.post("/connexion", data=door)
        client.headers["X-Token"] = _token(client, "/compte")
        yield client


def _token(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


def _said(client: httpx.Client, **changes: str) -> dict[str, str]:
    return {"csrf": client.headers["X-Token"], "ended": today().isoformat(), "result": RESULT, **changes}


def test_a_clerk_notes_the_end_of_a_litigation_behind_a_page_that_says_what_follows(
    clerk: httpx.Client, service: Service, town: Software
) -> None:
    act, other = town.mairie.acknowledged(), town.mairie.acknowledged()
    town.mairie.letter(act, "5-1", "Incompétence")
    page = clerk.get(f"/actes/{act}").text
    where = f"/actes/{act}/contentieux"
    assert f'href="{where}"' in page
    assert "contentieux" not in clerk.get(f"/actes/{other}").text
    assert clerk.get(f"/actes/{other}/contentieux").status_code == 303
    assert "définitif" in clerk.get(where).text
    for changes, status in (
        ({"csrf": "x"}, 403),
        ({"ended": "hier"}, 400),
        ({"result": ""}, 400),
        ({"ended": "2020-01-01"}, 400),
    ):
        refused = clerk.post(where, data=_said(clerk, **changes))
        assert refused.status_code == status
        if changes.get("ended"):
            assert "&lt;définitif&gt;" in refused.text
    with _somebody(service, town.mairie, "lecteur") as reader:
        assert where not in reader.get(f"/actes/{act}").text
        assert reader.post(where, data=_said(reader)).status_code == 403
    assert town.mairie.dossier(act).state == "acknowledged"
    assert clerk.post(where, data=_said(clerk)).headers["location"] == f"/actes/{act}?fait=contentieux"
    assert town.mairie.dossier(act).state == "elapsed"
    page = clerk.get(f"/actes/{act}?fait=contentieux").text
    assert "&lt;définitif&gt;" in page
    assert "Le contentieux s’est terminé." in page
    assert clerk.post(where, data=_said(clerk)).status_code == 409


def test_software_says_that_a_litigation_is_over(town: Software) -> None:
    act = town.mairie.acknowledged()
    said = {"ended": today().isoformat(), "result": RESULT}
    with town.client() as client:
        assert client.post(f"/v1/acts/{act}/litigation", json=said).status_code == 409
        town.mairie.letter(act, "5-1", "Incompétence")
        assert client.get(f"/v1/acts/{act}").json()["control"]["phase"] == "referred"
        assert client.post(f"/v1/acts/{act}/litigation", json={**said, "result": ""}).status_code == 422
        with town.client("reader") as reader:
            assert reader.post(f"/v1/acts/{act}/litigation", json=said).status_code == 403
        told = client.post(f"/v1/acts/{act}/litigation", json=said)
        assert told.status_code == 201, told.text
        assert (told.json()["state"], told.json()["litigation"]) == ("elapsed", said)
        assert told.json()["control"]["phase"] == "settled"


def test_each_message_that_left_can_be_had_as_it_left(clerk: httpx.Client, town: Software) -> None:
    act = town.mairie.act()
    town.acknowledged(act)
    page = clerk.get(f"/actes/{act}").text
    links = re.findall(rf'href="(/dossiers/{act}/fichiers/\w+)">[^<]+<span class="unseen"> ([^<]+)</span>', page)
    ours = [link for link, name in links if "-1-1_0.xml" in name]
    assert len(ours) == 1
    octets = clerk.get(ours[0]).content
    assert b"ISO-8859-1" in octets[:80].upper()
    assert b":Acte " in octets
    with town.client() as client:
        (first, *_) = client.get(f"/v1/acts/{act}").json()["messages"]
        assert (first["files"][0]["role"], first["files"][0]["label"]) == ("message", "Message envoyé")
        assert client.get(first["files"][0]["href"]).content == octets


def test_what_came_late_or_infected_is_told(clerk: httpx.Client, service: Service, town: Software) -> None:
    act = town.mairie.acknowledged()
    letter = town.mairie.letter(act, "2-1")
    with service.platform.database.writing(PLATFORM) as session:
        kept = session.get_one(ActesMessage, letter.id)
        kept.facts = {**kept.facts, "late": True, "infected": [["<piege>.pdf", "Essai.Marque"]]}
        mail = session.get_one(ActesMail, kept.facts["mail"])
        mail.parts = [{**part, "infected": "Essai.Marque"} for part in mail.parts]
        mail_id = mail.id
    page = clerk.get(f"/actes/{act}").text
    assert "Arrivé après l’archivage" in page
    assert "l’antivirus a trouvé" in page.lower()
    assert "&lt;piege&gt;.pdf" in page
    with town.client() as client:
        told = client.get(f"/v1/acts/{act}").json()["messages"][-1]
        assert (told["late"], told["infected"]) == (True, ["<piege>.pdf"])
    with _somebody(service, town.mairie, "exploitant") as operator:
        assert operator.get(f"/actes/courriels/{mail_id}/fichiers/1").status_code == 403
        assert operator.get(f"/actes/courriels/{mail_id}/fichiers/0").status_code == 200
        assert "Essai.Marque" in operator.get("/actes/courriels?etat=applied").text
