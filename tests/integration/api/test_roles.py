"""Who may do what: every route of the site is walked by each role; without the right there is neither page, button nor deed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.roles import BUILT_IN
from core.s3_server import S3Server
from core.tokens import issue_token
from tests.integration.api.service import PASSWORD, Service, web_service
from tests.office import Office

ROLES = {name: rights for name, rights in BUILT_IN.items() if name != "exploitant"} | {
    "personne": frozenset[Right](),
    "surveillant": frozenset({Right.SURVEY}),
}
# The right that a part of the site asks for; what is not named here is everybody's own.
PARTS: tuple[tuple[str, tuple[Right, ...]], ...] = (
    ("/administration/assemblees", (Right.ADMINISTER, Right.DEPOSIT)),
    ("/administration", (Right.ADMINISTER,)),
    ("/courriers/retours", (Right.READ, Right.DEPOSIT, Right.OPERATE)),
    ("/courriers", (Right.READ, Right.DEPOSIT)),
    ("/carnet", (Right.READ, Right.DEPOSIT)),
    ("/parapheur/brouillons/", (Right.DEPOSIT,)),
    ("/parapheur/seances", (Right.ACT,)),
    ("/parapheur/dossiers", (Right.ACT, Right.DEPOSIT, Right.READ, Right.ADMINISTER)),
    ("/parapheur/taches", (Right.ACT, Right.DEPOSIT, Right.READ, Right.ADMINISTER)),
    ("/parapheur", (Right.ACT, Right.DEPOSIT)),
    ("/deposer", (Right.DEPOSIT,)),
    ("/dossiers/{dossier_id}/fichiers", (Right.READ,)),
    ("/dossiers/{dossier_id}/pes", (Right.READ,)),
    ("/dossiers", (Right.READ, Right.SURVEY)),
    ("/archives/versements/nouveau", (Right.DEPOSIT,)),
    *((f"/archives/{name}", (Right.READ, Right.ARCHIVE)) for name in ("versements", "sae")),
    ("/archives/eliminations", (Right.ARCHIVE, Right.CONTROL, Right.ADMINISTER, Right.DEPOSIT)),
    *((f"/archives/{name}", (Right.ARCHIVE, Right.CONTROL)) for name in ("registre", "registre.csv", "demandes")),
    *((f"/archives/{name}", (Right.ARCHIVE, Right.OPERATE)) for name in ("incidents", "lieux")),
    *((f"/archives/{name}", (Right.ARCHIVE,)) for name in ("gels", "regles", "accords", "restitutions")),
    *((f"/archives/{name}", (Right.READ,)) for name in ("verifier", "{record_id}")),
    ("/archives", (Right.READ, Right.ARCHIVE, Right.CONTROL, Right.OPERATE)),
)
LINKS: dict[str, tuple[Right, ...]] = {
    "/parapheur": (Right.ACT, Right.DEPOSIT),
    "/deposer": (Right.DEPOSIT,),
    "/dossiers": (Right.READ, Right.SURVEY),
    "/archives": (Right.READ, Right.ARCHIVE, Right.CONTROL, Right.OPERATE),
    "/administration": (Right.ADMINISTER,),
}
NOBODYS = "0" * 26
CALLS_OF_ALL = ("/api/test-connexion.php", "/api/info-connexion.php")
_NO_PAGES = (
    "/publications",
    "/v1",
    "/static",
    "/health",
    "/metrics",
    "/ws-iparapheur",
    "/modules/",
    "/api/",
    "/connexion",
    "/deconnexion",
)
# What software calls of acts, on both faces: any of these rights opens it; every token does where none stands.
_READS, _SENDS = (Right.READ,), (Right.DEPOSIT,)
_MODULE = "/modules/actes"
CALLS: dict[str, tuple[Right, ...]] = {
    "GET /v1/acts": _READS,
    "POST /v1/acts": _SENDS,
    "GET /v1/acts/classification": (),
    "GET /v1/acts/{act_id}": _READS,
    "GET /v1/acts/{act_id}/files": _READS,
    "GET /v1/acts/{act_id}/files/{act_file_id}": _READS,
    "GET /v1/acts/{act_id}/files/{act_file_id}/stamped": _READS,
    "GET /v1/acts/{act_id}/acknowledgement.pdf": _READS,
    "GET /v1/acts/{act_id}/budget": _READS,
    "GET /v1/acts/{act_id}/budget.pdf": _READS,
    "POST /v1/acts/{act_id}/replies": _SENDS,
    "POST /v1/acts/{act_id}/cancellation": _SENDS,
    "POST /v1/acts/{act_id}/litigation": _SENDS,
    "PUT /v1/acts/{act_id}/publication": _SENDS,
    "DELETE /v1/acts/{act_id}/publication": _SENDS,
    "GET /api/test-connexion.php": (),
    "GET /api/info-connexion.php": (),
    f"GET {_MODULE}/actes_transac_get_status.php": _READS,
    f"GET {_MODULE}/actes_transac_get_document.php": _READS,
    f"GET {_MODULE}/actes_transac_get_files_list.php": _READS,
    f"GET {_MODULE}/actes_transac_get_ARActe.php": _READS,
    f"GET {_MODULE}/actes_download_file.php": _READS,
    f"GET {_MODULE}/api/list_document_prefecture.php": _READS,
    f"GET {_MODULE}/api/document_prefecture_mark_as_read.php": _SENDS,
    f"GET {_MODULE}/api/list_actes.php": _READS,
    f"GET {_MODULE}/api/number_actes.php": _READS,
    f"GET {_MODULE}/api/nb_actes_by_authorities_and_date.php": _READS,
    f"GET {_MODULE}/api/actes_status.php": (),
    f"GET {_MODULE}/actes_classification_fetch.php": (Right.READ, Right.DEPOSIT),
    f"GET {_MODULE}/actes_classification_request.php": _SENDS,
    f"GET {_MODULE}/actes_transac_get_tampon.php": _READS,
    f"GET {_MODULE}/actes_create_pdf.php": _READS,
    f"GET {_MODULE}/actes_transac_post_confirm_api.php": (),
    f"GET {_MODULE}/actes_transac_post_confirm_api_multi.php": (),
    f"POST {_MODULE}/actes_transac_create.php": _SENDS,
    f"POST {_MODULE}/actes_transac_cancel.php": _SENDS,
    f"POST {_MODULE}/actes_transac_reponse_create.php": _SENDS,
}


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a signing book, and somebody of each role."""
    with web_service(s3, tmp_path_factory.mktemp("roles")) as service:
        Office.opened(service.platform, service.mairie.organisation)
        with service.platform.database.writing(PLATFORM) as session:
            for role, rights in ROLES.items():
                person = add_person(session, f"{role}@roles.test", role.capitalize(), PASSWORD)
                if rights:
                    own = () if role in BUILT_IN else rights
                    grant_role(session, person, service.mairie.organisation, role, own)
        yield service


@pytest.fixture(params=sorted(ROLES))
def visitor(request: pytest.FixtureRequest, site: Service) -> Iterator[tuple[str, httpx.Client]]:
    """Somebody of each role, signed in."""
    role = str(request.param)
    with site.client() as client:
        csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
        entered = client.post("/connexion", data={"csrf": csrf, "email": f"{role}@roles.test", "password": PASSWORD})
        assert entered.status_code == 303
        yield role, client


def routes(service: Service) -> Iterator[tuple[str, str, str]]:
    """Every route of the pages: method, template, an address with identifiers of nobody."""
    for route in iter_route_contexts(create_app(service.platform).routes):
        template = route.path or "/"
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            if not template.startswith(_NO_PAGES):
                yield method, template, re.sub(r"{\w+}", NOBODYS, template)


def calls(service: Service) -> Iterator[tuple[str, str, str]]:
    """Every call of software about acts: method, template, an address with identifiers of nobody."""
    for route in iter_route_contexts(create_app(service.platform).routes):
        template = route.path or "/"
        if template.startswith(("/v1/acts", _MODULE)) or template in CALLS_OF_ALL:
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, template, re.sub(r"{\w+}", NOBODYS, template)


def asked(template: str) -> tuple[Right, ...]:
    """Return the rights of which one opens a route; none for what is everybody's own."""
    if template.startswith(("/parapheur/absences", "/parapheur/preferences")):  # the pages ask for a seat
        return ()
    return next((rights for part, rights in PARTS if template == part or template.startswith(f"{part.rstrip('/')}/")), ())


def test_without_the_right_no_route_gives_a_page_or_does_anything(site: Service, visitor: tuple[str, httpx.Client]) -> None:
    role, client = visitor
    csrf = client.get("/compte").text.partition('name="csrf" value="')[2].partition('"')[0]
    refused = 0
    for method, template, path in routes(site):
        rights = asked(template)
        if not rights or set(rights) & ROLES[role]:
            continue
        answer = client.request(method, path, data={"csrf": csrf} if method == "POST" else None)
        assert answer.status_code in {403, 404, 409, 413, 415, 422}, (role, method, template, answer.status_code)
        refused += 1
    assert refused or role == "tout"


def test_a_link_leads_only_where_one_may_go(visitor: tuple[str, httpx.Client]) -> None:
    role, client = visitor
    shown = client.get("/compte").text
    there = {address for address in LINKS if f'href="{address}"' in shown}
    assert there == {address for address, rights in LINKS.items() if set(rights) & ROLES[role]}


def test_with_the_right_the_first_page_of_each_part_is_there(visitor: tuple[str, httpx.Client]) -> None:
    role, client = visitor
    for address, rights in LINKS.items():
        if set(rights) & ROLES[role]:
            assert client.get(address, follow_redirects=True).status_code == 200, (role, address)
    assert client.get("/", follow_redirects=True).status_code == 200


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"personne"}))
def test_software_with_the_same_rights_neither_approves_nor_signs(site: Service, role: str) -> None:
    with site.platform.database.writing(PLATFORM) as session:
        token = issue_token(session, site.mairie.organisation, role, set(ROLES[role]))
    with site.client(token) as client:
        for deed in ("viser", "rejeter", "cacheter", "papier"):
            assert client.post(f"/parapheur/taches/{NOBODYS}/{deed}").status_code in {303, 401, 403}
        if Right.DEPOSIT not in ROLES[role]:
            assert client.post("/v1/dossiers", content=b"<a/>", headers={"Content-Type": "application/xml"}).status_code == 403


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"personne"}))
def test_software_reads_and_does_of_acts_what_its_rights_open_and_nothing_else(site: Service, role: str) -> None:
    with site.platform.database.writing(PLATFORM) as session:
        token = issue_token(session, site.mairie.organisation, role, set(ROLES[role]))
    with site.client(token) as client:
        for method, template, path in calls(site):
            rights = CALLS[f"{method} {template}"]
            answer = client.request(method, path)
            if not rights or set(rights) & ROLES[role]:
                assert answer.status_code not in {401, 403}, (role, method, template)
            else:
                nothing = answer.status_code in {403, 404} or answer.json()["acts"] == []
                assert nothing, (role, method, template, answer.status_code)


def test_every_call_about_acts_is_walked_and_asks_for_a_token(site: Service) -> None:
    walked = list(calls(site))
    assert sorted(f"{method} {template}" for method, template, _ in walked) == sorted(CALLS)
    with site.client() as nobody:
        assert {nobody.request(method, path).status_code for method, _, path in walked} == {401}


def test_the_walk_sees_the_whole_site(site: Service) -> None:
    walked = {template for _, template, _ in routes(site) if asked(template)}
    assert len(walked) > 100
    assert Path("/parapheur/taches/{task_id}/viser").as_posix() in walked
