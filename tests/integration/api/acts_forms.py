"""Forms of acts as a browser without a script sends them, and what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from core.identifiers import new_id
from flows.engine.models import Dossier
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import PASSWORD, Service

NEW = "/actes/nouveau"


@contextmanager
def somebody(service: Service, address: str) -> Iterator[httpx.Client]:
    """Somebody signed in; every form that they send bears their token."""
    with service.client() as client:
        client.post("/connexion", data={"csrf": token(client, "/connexion"), "email": address, "password": PASSWORD})
        client.headers["X-Token"] = token(client, "/compte")
        yield client


def token(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


def csrf(client: httpx.Client) -> dict[str, str]:
    return {"csrf": client.headers["X-Token"]}


def filled(mairie: ActsMairie, number: str, **changes: Any) -> dict[str, Any]:
    return {
        "organisation": mairie.organisation.id,
        "saisie": new_id(),
        "number": number,
        "decision_date": today().isoformat(),
        "nature": "1",
        "matiere": "7.10",
        "subject": "Tarifs de la cantine",
        "sign": "1",
        "do": "send",
        **changes,
    }


def send(client: httpx.Client, fields: dict[str, Any], *files: tuple[str, bytes], to: str = NEW) -> httpx.Response:
    """Send a form as a browser without a script does."""
    return client.post(to, data={**csrf(client), **fields}, files=[("document", one) for one in files] or {"document": ("", b"")})


def faults(answer: httpx.Response) -> dict[str, str]:
    """What is said beside each field."""
    found = re.findall(r'<p class="fault-said" id="([\w.-]+)-fault">(.*?)</p>', answer.text, re.DOTALL)
    return {re.sub(r"^piece-.*", "piece", name): words for name, words in found}


def act_of(mairie: ActsMairie, answer: httpx.Response) -> Dossier:
    assert answer.status_code == 303, faults(answer)
    return mairie.dossier(answer.headers["location"].removeprefix("/actes/")[:26])


def pieces(answer: httpx.Response) -> list[str]:
    return re.findall(r'name="piece" value="(\w+)"', answer.text)
