"""The set-up of a parapheur is seen and changed by those who administer its organisation, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import select

from core import clock
from core.configuration import Configuration
from core.journal import JournalEntry
from core.organisations import Organisation
from core.people import with_address
from core.principal import PLATFORM
from signing.parapheur.models import Circuit, Delegation, Desk, FolderType, MetadataField, Subtype
from tests.integration.api.parapheur_town import (
    PAGES,
    Browser,
    add_circuit,
    add_desk,
    add_holder,
    add_kind,
    admin,
    at,
    browsing,
    new_town,
    served,
)
from tests.integration.api.service import Service

__all__ = ["admin", "served"]


def walked(names: dict[str, str]) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for route in iter_route_contexts(page.router.routes):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, (route.path or "/").format(**names)


@pytest.fixture(scope="module")
def town(served: Service) -> Organisation:
    """One organisation for all of these tests: none of them may change it."""
    return new_town(served)


@pytest.fixture(scope="module")
def names(served: Service, admin: Browser, town: Organisation) -> dict[str, str]:
    """Things of a town that only its administrators may know of; their names say so."""
    desk = add_desk(admin, town, "CONFIDENTIEL")
    holder = add_holder(served, town, desk, "CONFIDENTIEL Paul")
    circuit = add_circuit(admin, town, "secret", {"kind": "visa", "place": desk})
    kind = add_kind(admin, town, "secret", "CONFIDENTIEL")
    admin.posted(at("/administration/metadonnees", town), {"key": "secret", "name": "CONFIDENTIEL", "kind": "text"})
    substitute = add_desk(admin, town, "CONFIDENTIEL 2")
    today = clock.in_paris(clock.now()).date().isoformat()
    with browsing(served, holder) as browser:
        browser.posted("/parapheur/absences", {"desk": desk, "substitute": substitute, "first": today})
    with served.platform.database.reading(PLATFORM) as session:
        person = with_address(session, holder)
        return {
            "desk_id": desk,
            "circuit_id": circuit,
            "subtype_id": kind,
            "type_id": session.get_one(Subtype, kind).type_id,
            "field_id": session.exec(select(MetadataField.id).where(MetadataField.organisation_id == town.id)).one(),
            "delegation_id": session.exec(select(Delegation.id).where(Delegation.organisation_id == town.id)).one(),
            "person_id": person.id if person else "",
            "sha256": "0" * 64,
            "step": "cachet",
        }


def test_an_administrator_of_elsewhere_walks_every_route_reads_nothing_and_writes_nothing(
    served: Service, town: Organisation, names: dict[str, str]
) -> None:
    before, count = everything(served, town), 0
    form = {"name": "X", "short_name": "X", "key": "x", "kind": "visa", "desk": names["desk_id"], "do": "save"}
    with browsing(served, f"admin@{served.syndicat.organisation.siret}.test") as stranger:
        for method, path in walked(names):
            for address in (path, f"{path}?organisation={town.id}"):
                answer = stranger.get(address) if method == "GET" else stranger.post(address, form)
                assert answer.status_code < 500, path
                assert "CONFIDENTIEL" not in answer.text, path
                assert not (town.id in address and answer.is_success and path.startswith("/administration")), path
                count += 1
    assert count > 90
    assert everything(served, town) == before


def everything(served: Service, town: Organisation) -> list[Any]:
    with served.platform.database.reading(PLATFORM) as session:
        tables = (Desk, Circuit, FolderType, Subtype, MetadataField, Delegation, JournalEntry, Configuration)
        rows = [session.exec(select(table).where(table.organisation_id == town.id)).all() for table in tables]
        return [[row.model_dump() for row in found] for found in rows]


def test_who_administers_nothing_gets_403_and_nobody_is_sent_to_the_door(served: Service, names: dict[str, str]) -> None:
    with browsing(served, served.mairie.email) as agent, served.client() as nobody:
        for method, path in walked(names):
            if path.startswith("/administration"):
                answer = agent.get(path) if method == "GET" else agent.post(path)
                assert answer.status_code == 403, path
                assert "CONFIDENTIEL" not in answer.text
            door = nobody.request(method, path)
            assert door.status_code in {303, 401}, path


def test_a_form_without_its_token_changes_nothing(
    served: Service, admin: Browser, town: Organisation, names: dict[str, str]
) -> None:
    before = everything(served, town)
    for method, path in walked(names):
        if method == "POST":
            answer = admin.client.post(f"{path}?organisation={town.id}", data={"name": "X", "csrf": "faux"})
            assert answer.status_code == 403, path
    assert everything(served, town) == before


def test_of_several_organisations_one_is_chosen_in_the_address_and_kept(admin: Browser, town: Organisation) -> None:
    page = admin.get("/administration/bureaux", organisation=town.id).text
    assert f'<option value="{town.id}" selected>' in page
    assert f"/administration/bureaux/ajout?organisation={town.id}" in page
    first = admin.get("/administration/bureaux").text
    assert f'<option value="{town.id}" selected>' not in first
    assert admin.get("/administration").headers["location"].startswith("/administration/demarrage")


def test_the_pages_speak_english_too(admin: Browser, town: Organisation, names: dict[str, str]) -> None:
    for method, path in walked(names):
        if method == "GET" and path.startswith("/administration") and not path.endswith(".json"):
            answer = admin.client.get(
                path, params={"organisation": town.id}, headers={"Accept-Language": "en"}, follow_redirects=True
            )
            assert answer.status_code == 200, path
            assert '<html lang="en">' in answer.text
