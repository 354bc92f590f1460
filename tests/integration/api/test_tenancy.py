"""Every route of the application is walked with the identifiers of another organisation: none reads, none writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import select

from api.app import create_app
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from tests.integration.api.service import PASSWORD, Service, Tenant, add_dossier, add_record, add_sitting, pes

SECRET = "CONFIDENTIEL"
# What no organisation owns: these answer alike to everyone.
COMMON = {"/", "/connexion", "/v1/docs", "/v1/openapi.json", "/health/live", "/health/ready", "/metrics", "/static"}


@dataclass(frozen=True)
class Walk:
    """A route with the identifiers of somebody's things in it."""

    method: str
    template: str
    path: str


def walks(platform: Platform, names: dict[str, str]) -> Iterator[Walk]:
    for route in iter_route_contexts(create_app(platform).routes):
        template = route.path or "/"
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            if template not in COMMON:
                yield Walk(method, template, template.format(**names))


@pytest.fixture(scope="module")
def names(service: Service) -> dict[str, str]:
    """Things of the first collectivité: a parked dossier with a file, a record that could be proved, and a signed letter."""
    owner = service.mairie.organisation
    dossier = add_dossier(service.platform, owner, SECRET, "signed", parked=SECRET, facts={"nom_fic": SECRET})
    record = add_record(service.platform, owner, dossier, stamped=True)
    with service.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(DossierFile.id).where(DossierFile.dossier_id == dossier)).one()
    sitting, item = add_sitting(service.platform, owner, SECRET)
    return {"dossier_id": dossier, "file_id": kept, "record_id": record, "sitting_id": sitting, "item_id": item}


@contextmanager
def signed_in(service: Service, tenant: Tenant) -> Iterator[httpx.Client]:
    """Open a client that is software and person at once: a token for the API, a session for the pages."""
    with service.client(tenant.token) as client:
        csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
        entered = client.post("/connexion", data={"csrf": csrf, "email": tenant.email, "password": PASSWORD})
        assert entered.status_code == 303
        yield client


def csrf_of(client: httpx.Client) -> str:
    return client.get("/deposer").text.partition('name="csrf" value="')[2].partition('"')[0]


def written(service: Service) -> tuple[int, int, str | None]:
    owner = service.mairie.organisation.id
    with service.platform.database.reading(PLATFORM) as session:
        dossiers = session.exec(select(Dossier).where(Dossier.organisation_id == owner)).all()
        entries = session.exec(select(JournalEntry.id).where(JournalEntry.organisation_id == owner)).all()
    return len(dossiers), len(entries), next(found.parked for found in dossiers if found.title == SECRET)


def test_a_stranger_who_walks_every_route_reads_nothing_and_writes_nothing(service: Service, names: dict[str, str]) -> None:
    before, walked = written(service), 0
    with signed_in(service, service.syndicat) as stranger:
        csrf = csrf_of(stranger)
        for walk in walks(service.platform, names):
            if walk.template == "/deconnexion":
                continue
            # A body that is right for a form of the pages, with a token of the stranger's own session.
            answer = stranger.request(walk.method, walk.path, data={"csrf": csrf} if walk.method == "POST" else None)
            assert SECRET not in answer.text, walk
            assert SECRET.encode() not in answer.content, walk
            assert not (answer.is_success and "{" in walk.template), walk
            assert answer.status_code < 500, walk
            walked += 1
    assert walked >= 17
    assert written(service) == before


def test_the_same_walk_by_the_owner_finds_what_the_stranger_did_not(service: Service, names: dict[str, str]) -> None:
    with signed_in(service, service.mairie) as owner:
        for walk in walks(service.platform, names):
            # The evidence of this record cannot be made: the head over it is a dummy. The agent's routes ask for a ticket.
            if walk.template.startswith("/v1/agent/"):
                assert owner.request(walk.method, walk.path).status_code in {401, 422}, walk
            elif walk.method == "GET" and not walk.template.endswith(("/preuve", "/evidence")):
                answer = owner.get(walk.path)
                assert answer.status_code == 200, walk


def test_a_stranger_can_deposit_nothing_for_others(service: Service) -> None:
    before = written(service)
    for named in (service.mairie.organisation.siren, service.mairie.organisation.siret, service.mairie.organisation.id):
        with signed_in(service, service.syndicat) as stranger:
            api = stranger.post("/v1/dossiers", data={"organisation": named}, files={"document": pes()})
            page = stranger.post(
                "/deposer",
                data={"csrf": csrf_of(stranger), "flow": "helios", "organisation": named},
                files={"document": ("a.xml", pes())},
            )
        assert (api.status_code, page.status_code) == (404, 404)
    assert written(service) == before


def test_a_list_filtered_on_the_organisation_of_others_gives_nothing(service: Service, names: dict[str, str]) -> None:
    assert names
    with signed_in(service, service.syndicat) as stranger:
        named = service.mairie.organisation.siren
        assert stranger.get("/v1/dossiers", params={"organisation": named}).status_code == 404
        assert stranger.get("/v1/records", params={"organisation": named}).status_code == 404
        assert "Aucun dossier" in stranger.get("/dossiers", params={"organisation": named}).text


def test_nobody_reads_nothing(service: Service, names: dict[str, str]) -> None:
    with service.client() as nobody:
        for walk in walks(service.platform, names):
            answer = nobody.request(walk.method, walk.path)
            assert answer.status_code in {303, 401, 403, 404}, walk
            assert SECRET not in answer.text, walk
