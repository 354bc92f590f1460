"""An organisation whose parapheur is set up by its pages, and a browser without scripts, for the tests of these pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlmodel import select

from api.web.absences import page as absences_page
from api.web.circuits import page as circuits_page
from api.web.desks import page as desks_page
from api.web.preferences import page as preferences_page
from api.web.setup import page as setup_page
from api.web.types import page as types_page
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role, with_address
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.parapheur import desks
from signing.parapheur.models import Capacity, Desk
from signing.pki import Credential, TestAuthority
from tests.integration.api.service import PASSWORD, Service, web_service

PAGES = (desks_page, types_page, circuits_page, absences_page, preferences_page, setup_page)


@pytest.fixture(scope="module")
def served(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("administration")) as running:
        for tenant in (running.mairie, running.syndicat):
            add_administrator(running.platform, f"admin@{tenant.organisation.siret}.test", tenant.organisation)
        yield running


def add_administrator(platform: Platform, email: str, *organisations: Organisation) -> str:
    with platform.database.writing(PLATFORM) as session:
        person = add_person(session, email, f"Administratrice {email.partition('@')[0]}", PASSWORD)
        for organisation in organisations:
            grant_role(session, person, organisation, "administrateur")
        return person.id


@dataclass
class Browser:
    """A browser without scripts."""

    client: httpx.Client
    csrf: str

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.client.get(path, params=params or None)

    def post(self, path: str, fields: dict[str, Any] | None = None, **files: Any) -> httpx.Response:
        return self.client.post(path, data={"csrf": self.csrf, **(fields or {})}, files=files or None)

    def posted(self, path: str, fields: dict[str, Any] | None = None, **files: Any) -> str:
        """The address to which a form that was accepted leads."""
        answer = self.post(path, fields, **files)
        assert answer.status_code == 303, said_in(answer.text)
        return answer.headers["location"]


def said_in(page: str) -> str:
    """What the page says in its alerts."""
    alerts = re.findall(r'<div class="alert [a-z]+".*?</div>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", alert) for alert in alerts)


@contextmanager
def browsing(service: Service, email: str) -> Iterator[Browser]:
    with service.client(**{"Accept-Language": "fr"}) as client:
        found = re.search(r'name="csrf" value="([^"]+)"', client.get("/connexion").text)
        assert found
        entered = client.post("/connexion", data={"csrf": found[1], "email": email, "password": PASSWORD})
        assert entered.status_code == 303
        own = re.search(r'name="csrf" value="([^"]+)"', client.get("/compte").text + client.get("/deposer").text)
        assert own
        yield Browser(client, own[1])


@pytest.fixture(scope="module")
def admin(served: Service) -> Iterator[Browser]:
    with browsing(served, f"admin@{served.mairie.organisation.siret}.test") as browser:
        yield browser


def new_town(service: Service) -> Organisation:
    """A service of the first collectivité, with nothing in it; the administrator of the one administers the other."""
    with service.platform.database.writing(PLATFORM) as session:
        owner = session.get_one(Organisation, service.mairie.organisation.id)
        number = len(session.exec(select(Organisation)).all())
        return add_organisation(session, f"Service {number}", OrganisationKind.SERVICE, parent=owner)


@pytest.fixture
def town(served: Service) -> Organisation:
    """An organisation of its own for the test."""
    return new_town(served)


def kinds_told(service: Service, organisation: Organisation) -> list[str]:
    with service.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry).where(JournalEntry.organisation_id == organisation.id)
        return [entry.kind for entry in session.exec(wanted.order_by(JournalEntry.number))]


def identifier(address: str) -> str:
    """The identifier at the end of an address to which a form has led."""
    return address.partition("?")[0].rpartition("/")[2]


def at(path: str, town: Organisation) -> str:
    return f"{path}?organisation={town.id}"


def add_desk(admin: Browser, town: Organisation, name: str, **more: str) -> str:
    fields = {"name": name, "short_name": name, "may_create": "1", "may_act": "1", **more}
    return identifier(admin.posted(at("/administration/bureaux/ajout", town), fields))


def add_holder(service: Service, town: Organisation, desk_id: str, name: str, capacity: Capacity = Capacity.HOLDER) -> str:
    """Seat somebody new, and return their address."""
    email = f"{name.casefold()}@{town.id}.test".replace(" ", ".")
    with service.platform.database.writing(PLATFORM) as session:
        person = with_address(session, email) or add_person(session, email, name, PASSWORD)
        grant_role(session, person, town, "signataire")
        desks.seat(session, session.get_one(Desk, desk_id), person.id, capacity)
    return email


def add_circuit(admin: Browser, town: Organisation, key: str, *steps: dict[str, Any]) -> str:
    fields: dict[str, Any] = {"key": key, "name": f"Circuit {key}", "steps": str(len(steps)), "do": "save"}
    for rank, step in enumerate(steps):
        fields |= {f"{name}.{rank}": value for name, value in step.items()}
    return identifier(admin.posted(at("/administration/circuits/ajout", town), fields))


def add_kind(admin: Browser, town: Organisation, circuit: str, name: str = "Courrier", **signing: str) -> str:
    wanted = {"name": f"Type {name}", "format": "auto", "protocol": "none", **signing}
    of = identifier(admin.posted(at("/administration/types/ajout", town), wanted))
    fields = {"name": name, "circuit": circuit, "main_documents": "1", "recall_minutes": "0", "annexes": "1", "do": "save"}
    return identifier(admin.posted(f"/administration/types/{of}/ajout", fields))


@pytest.fixture(scope="module")
def credential() -> Credential:
    return TestAuthority.create().seal(bits=2048)
