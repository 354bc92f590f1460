"""Acts made public by software: asked for at the deposit, done and undone later, and told of in the answers about the act."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flows.actes.publishing_later import publish_due
from tests.integration.api.acts_mairie import today
from tests.integration.api.acts_software import Software, paper
from tests.integration.api.service import Service
from tests.published_acts import Publisher

AUTHOR = {"author_first_name": "Zoé", "author_last_name": "Le Guen", "author_capacity": "Présidente"}
NOBODYS = "0" * 26


@pytest.fixture(scope="module")
def town(service: Service) -> Software:
    taken = Software.of(service, "Commune de Sainte-Radegonde-du-Lavoir", "214098881")
    publisher(taken).open(author={"first_name": "Max", "last_name": "Orme", "capacity": "Maire"})
    return taken


@pytest.fixture(scope="module")
def closed(service: Service) -> Software:
    return Software.of(service, "Commune de Porte-Close", "214099988")


@pytest.fixture
def client(town: Software) -> Iterator[httpx.Client]:
    with town.client() as opened:
        yield opened


def publisher(town: Software) -> Publisher:
    return Publisher(town.service.platform, town.organisation)


def send(client: httpx.Client, number: str, **changes: str) -> httpx.Response:
    told = {
        "number": number,
        "decision_date": today().isoformat(),
        "nature": "1",
        "matiere": "7.10",
        "subject": f"Objet {number}",
    }
    return client.post("/v1/acts", data={**told, **changes}, files={"document": paper(number)})


def publication(client: httpx.Client, act: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = client.get(f"/v1/acts/{act}").json()["publication"]
    return found


def test_what_is_asked_for_at_the_deposit_is_published_once_the_state_has_the_act(town: Software, client: httpx.Client) -> None:
    sent = send(client, "P_1", publish="true", **AUTHOR)
    assert sent.status_code == 201, sent.text
    act = sent.json()["id"]
    author = {"first_name": "Zoé", "last_name": "Le Guen", "capacity": "Présidente"}
    asked = publication(client, act)
    assert asked is not None
    assert (asked["state"], asked["author"], asked["roles"], asked["id"], asked["page"]) == (
        "asked",
        author,
        ["document"],
        None,
        None,
    )
    town.acknowledged(act)
    publish_due(town.service.platform)
    online = publication(client, act)
    assert online is not None
    assert (online["state"], online["author"]) == ("online", author)
    assert online["page"] == f"{town.service.address}/publications/214098881/actes/{online['id']}"
    with town.service.client() as anybody:
        assert "Objet P_1" in anybody.get(online["page"]).text
        (file,) = online["files"]
        assert len(anybody.get(file["href"]).content) == file["size"]
        assert anybody.get(online["proof"]).status_code == 503


def test_nobody_named_is_the_author_that_the_organisation_configured(client: httpx.Client) -> None:
    asked = publication(client, send(client, "P_2", publish="1").json()["id"])
    assert asked is not None
    assert asked["author"] == {"first_name": "Max", "last_name": "Orme", "capacity": "Maire"}


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"author_first_name": "Zoé"}, 400, "Nommez l’auteur"),
        ({"author_first_name": "x" * 101}, 422, "author_first_name"),
        ({**AUTHOR, "author_capacity": "Ma\u200bire"}, 400, "auteur"),
        ({"nature": "3"}, 409, "Un acte individuel se notifie"),
        ({"publish": "peut-être"}, 422, "publish"),
    ],
    ids=["a part of the author", "too long", "unprintable", "individual", "neither yes nor no"],
)
def test_what_can_never_be_published_is_refused_at_the_deposit(
    client: httpx.Client, changes: dict[str, str], status: int, words: str
) -> None:
    refused = send(client, "P_NON", **{"publish": "true", **changes})
    assert refused.status_code == status, refused.text
    assert words in refused.text
    assert client.get("/v1/acts", params={"number": "P_NON"}).json()["acts"] == []


def test_a_closed_organisation_publishes_nothing(closed: Software) -> None:
    with closed.client() as client:
        refused = send(client, "P_1", publish="true", **AUTHOR)
        assert refused.status_code == 409
        assert "n’est pas ouverte" in refused.json()["detail"]
        act = publisher(closed).received()
        again = client.put(f"/v1/acts/{act}/publication", json=AUTHOR)
        assert again.status_code == 409


def test_an_act_is_published_once_withdrawn_with_a_reason_and_published_again(town: Software, client: httpx.Client) -> None:
    act = publisher(town).received()
    path = f"/v1/acts/{act}/publication"
    assert publication(client, act) is None
    assert client.delete(path, params={"reason": "Rien"}).status_code == 404
    made = client.put(path, json={**AUTHOR, "roles": ["document", "annex.1"]})
    assert made.status_code == 201, made.text
    assert [file["role"] for file in made.json()["files"]] == ["document", "annex.1"]
    same = client.put(path, json={**AUTHOR, "roles": ["annex.1", "document"]})
    assert (same.status_code, same.json()["id"]) == (200, made.json()["id"])
    for other in ({**AUTHOR, "author_capacity": "Maire"}, AUTHOR):
        refused = client.put(path, json=other)
        assert (refused.status_code, refused.json()["existing"]) == (409, made.json()["id"])
    assert client.delete(path).status_code == 400
    assert client.delete(path, params={"reason": "Coordonnées"}).status_code == 204
    assert client.delete(path, params={"reason": "Encore"}).status_code == 409
    told = publication(client, act)
    assert told is not None
    assert (told["state"], told["withdrawn_reason"], told["files"], told["proof"]) == ("withdrawn", "Coordonnées", [], None)
    with town.service.client() as anybody:
        assert anybody.get(told["page"]).status_code == 410
    again = client.put(path, json={**AUTHOR, "roles": ["document", "annex.1"]})
    assert again.status_code == 201
    assert again.json()["id"] != made.json()["id"]


def test_a_publication_that_is_only_asked_for_is_taken_back_without_a_reason(client: httpx.Client) -> None:
    act = send(client, "P_3", publish="true").json()["id"]
    assert client.delete(f"/v1/acts/{act}/publication").status_code == 204
    assert publication(client, act) is None
    early = client.put(f"/v1/acts/{act}/publication", json={})
    assert early.status_code == 409
    assert "pas encore accusé réception" in early.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"roles": []}, 400),
        ({"roles": ["annex.2"]}, 400),
        ({"roles": ["ar"]}, 400),
        ({"roles": "document"}, 422),
        ({"files": []}, 422),
    ],
    ids=["no file", "no PDF", "no file of the act", "no list", "unknown field"],
)
def test_only_what_can_be_published_is(town: Software, client: httpx.Client, body: dict[str, Any], status: int) -> None:
    act = publisher(town).received()
    assert client.put(f"/v1/acts/{act}/publication", json=body).status_code == status
    assert publication(client, act) is None


def test_who_may_not_deposit_publishes_and_withdraws_nothing(town: Software, closed: Software) -> None:
    act = publisher(town).publish().dossier_id
    path = f"/v1/acts/{act}/publication"
    with town.client("reader") as reader, closed.client() as stranger, town.client() as software:
        assert reader.put(path, json=AUTHOR).status_code == 403
        assert reader.delete(path, params={"reason": "Non"}).status_code == 403
        assert publication(reader, act) is not None
        for refused in (stranger.put(path, json=AUTHOR), stranger.delete(path, params={"reason": "Non"})):
            assert refused.status_code == 404
        assert software.put(f"/v1/acts/{NOBODYS}/publication", json=AUTHOR).status_code == 404
        told = publication(software, act)
    assert told is not None
    assert told["state"] == "online"
