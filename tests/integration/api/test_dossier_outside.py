"""The page of a dossier that is signed in a parapheur outside says where it stands there."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.identifiers import new_id
from tests.integration.api.service import PASSWORD, Service, add_dossier


@pytest.fixture
def visitor(service: Service) -> Iterator[httpx.Client]:
    """A browser in which the agent of the first collectivité is signed in."""
    with service.client() as client:
        csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
        client.post("/connexion", data={"csrf": csrf, "email": service.mairie.email, "password": PASSWORD})
        yield client


def test_the_page_of_a_dossier_says_where_it_waits_outside_and_why_it_came_back(service: Service, visitor: httpx.Client) -> None:
    told = {
        "external": "https://parapheur.example",
        "protocol": "soap",
        "account": service.mairie.organisation.id,
        "id": "01X PES",
    }
    page = shown(service, visitor, "in_parapheur", {**told, "state": "pending"})
    assert all(words in page for words in ("https://parapheur.example", "01X PES", "circuit en cours"))
    page = shown(service, visitor, "declined", {**told, "state": "rejected", "reason": "<b>Imputation</b> fausse"})
    assert all(words in page for words in ("rejeté", "Motif du rejet", "&lt;b&gt;Imputation"))


def test_the_page_of_a_dossier_in_our_own_book_names_no_parapheur_outside(service: Service, visitor: httpx.Client) -> None:
    page = shown(service, visitor, "in_parapheur", {"folder": new_id(), "state": "pending"})
    assert "Parapheur externe" not in page


def shown(service: Service, visitor: httpx.Client, state: str, parapheur: dict[str, str]) -> str:
    facts = {"parapheur": parapheur}
    identifier = add_dossier(service.platform, service.mairie.organisation, f"OUTSIDE_{new_id()}", state, facts=facts)
    answer = visitor.get(f"/dossiers/{identifier}")
    assert answer.status_code == 200
    return answer.text
