"""The pages without a browser: signing in and out, forms that come from elsewhere, deposits, the part that follows the work."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from sqlmodel import select

from core.identifiers import new_id
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows.engine.models import Dossier
from tests.integration.api.service import PASSWORD, Service, add_dossier, add_record, pes


def token_in(page: str) -> str:
    return page.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture
def visitor(service: Service) -> Iterator[httpx.Client]:
    """A browser in which the agent of the first collectivité is signed in."""
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        client.post("/connexion", data={"csrf": csrf, "email": service.mairie.email, "password": PASSWORD})
        yield client


def test_nobody_is_sent_to_the_door_and_comes_back_where_they_wanted_to_go(service: Service) -> None:
    with service.client() as client:
        turned = client.get("/deposer")
        assert turned.status_code == 303
        door = client.get(turned.headers["location"])
        form = {"csrf": token_in(door.text), "suite": "/deposer", "email": service.mairie.email, "password": PASSWORD}
        entered = client.post("/connexion", data=form)
        assert (entered.status_code, entered.headers["location"]) == (303, "/deposer")
        cookie = next(value for value in entered.headers.get_list("set-cookie") if value.startswith("tabellion_session="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert service.mairie.organisation.name in client.get("/deposer").text


@pytest.mark.parametrize("suite", ["//elsewhere.test", "https://elsewhere.test", "/\\elsewhere.test", "javascript:alert(1)", ""])
def test_the_door_leads_nowhere_else(service: Service, suite: str) -> None:
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        form = {"csrf": csrf, "suite": suite, "email": service.mairie.email, "password": PASSWORD}
        assert client.post("/connexion", data=form).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(service: Service) -> None:
    said = []
    for email in (service.mairie.email, "personne@exemple.test", "", "a\x00b"):
        with service.client() as client:
            csrf = token_in(client.get("/connexion").text)
            answer = client.post("/connexion", data={"csrf": csrf, "email": email, "password": "faux"})
            assert answer.status_code == 401
            assert "tabellion_session" not in answer.cookies
            said.append(re.findall(r'id="trouble"><p>([^<]*)', answer.text))
    assert said == [said[0]] * 4


def test_a_sign_in_form_that_is_not_ours_is_refused(service: Service) -> None:
    form = {"csrf": "", "email": service.mairie.email, "password": PASSWORD}
    with service.client() as client:
        assert client.post("/connexion", data=form).status_code == 403
        client.get("/connexion")
        assert client.post("/connexion", data=form | {"csrf": "x"}).status_code == 403


def test_signing_out_ends_the_session_for_good(visitor: httpx.Client) -> None:
    cookie = visitor.cookies["tabellion_session"]
    csrf = token_in(visitor.get("/dossiers").text)
    assert visitor.post("/deconnexion", data={"csrf": "wrong"}).status_code == 403
    assert visitor.get("/dossiers").status_code == 200
    assert visitor.post("/deconnexion", data={"csrf": csrf}).status_code == 303
    assert visitor.get("/dossiers", headers={"Cookie": f"tabellion_session={cookie}"}).status_code == 303


def test_a_document_is_deposited_by_hand_and_its_repeat_is_told(visitor: httpx.Client, service: Service) -> None:
    fields = {
        "csrf": token_in(visitor.get("/deposer").text),
        "flow": "helios",
        "organisation": service.mairie.organisation.id,
    }
    document = pes(f"MAIN_{new_id()}")
    first = visitor.post("/deposer", data=fields, files={"document": ("a.xml", document)})
    assert first.status_code == 303
    assert "Document déposé" in visitor.get(first.headers["location"]).text
    again = visitor.post("/deposer", data=fields, files={"document": ("a.xml", document)})
    assert "déjà été déposé" in visitor.get(again.headers["location"]).text
    altered = visitor.post("/deposer", data=fields, files={"document": ("a.xml", document + b"\n")})
    assert altered.status_code == 409
    assert first.headers["location"].partition("?")[0] in altered.text


def test_a_deposit_from_elsewhere_or_without_document_is_refused_on_the_page(visitor: httpx.Client, service: Service) -> None:
    csrf, owner = token_in(visitor.get("/deposer").text), service.mairie.organisation.id
    foreign = visitor.post("/deposer", data={"csrf": "x", "flow": "helios", "organisation": owner}, files={"document": pes()})
    assert foreign.status_code == 403
    nothing = visitor.post("/deposer", data={"csrf": csrf, "flow": "helios"}, files={"document": ("", b"")})
    assert nothing.status_code == 400
    assert "pas de document" in nothing.text


def test_the_following_part_comes_when_something_has_changed_and_stops_at_the_end(
    visitor: httpx.Client, service: Service
) -> None:
    identifier = add_dossier(service.platform, service.mairie.organisation, f"SUIVI_{new_id()}", "sent")
    page = visitor.get(f"/dossiers/{identifier}").text
    assert 'hx-trigger="every 2s"' in page
    version = re.findall(r'name="version" value="(\w+)"', page)[0]
    address = f"/dossiers/{identifier}/suivi"
    assert visitor.get(address, params={"version": version}).status_code == 204
    with service.platform.database.writing(PLATFORM) as session:
        session.exec(select(Dossier).where(Dossier.id == identifier)).one().state = "acquitted"
    changed = visitor.get(address, params={"version": version})
    assert changed.status_code == 200
    assert "Acquitté" in changed.text
    with service.platform.database.writing(PLATFORM) as session:
        session.exec(select(Dossier).where(Dossier.id == identifier)).one().state = "archived"
    assert visitor.get(address).status_code == 286
    assert "hx-get" not in visitor.get(f"/dossiers/{identifier}").text


def test_a_parked_dossier_is_resumed_from_its_page(visitor: httpx.Client, service: Service) -> None:
    identifier = add_dossier(
        service.platform, service.mairie.organisation, f"PAGE_{new_id()}", "signed", parked="la clé a changé"
    )
    page = visitor.get(f"/dossiers/{identifier}").text
    assert "la clé a changé" in page
    assert visitor.post(f"/dossiers/{identifier}/reprise", data={"csrf": "x"}).status_code == 403
    assert visitor.post(f"/dossiers/{identifier}/reprise", data={"csrf": token_in(page)}).status_code == 303
    assert "Agent de Valmorin" in visitor.get(f"/dossiers/{identifier}").text
    assert visitor.post(f"/dossiers/{identifier}/reprise", data={"csrf": token_in(page)}).status_code == 409


def test_what_comes_from_a_document_is_never_markup(visitor: httpx.Client, service: Service) -> None:
    hostile = "<script>alert(1)</script>"
    problem = Problem(hostile, Severity.ERROR, hostile, found=hostile, expected=hostile, path=hostile, mend=hostile)
    identifier = add_dossier(
        service.platform,
        service.mairie.organisation,
        hostile,
        "rejected",
        facts={"nom_fic": hostile, "libelle_col_bud": hostile},
        problems=[problem.as_json()],
    )
    for path in ("/dossiers", f"/dossiers/{identifier}"):
        page = visitor.get(path).text
        assert hostile not in page
        assert "&lt;script&gt;" in page


def test_the_list_is_filtered_paged_and_keeps_its_filters(visitor: httpx.Client, service: Service) -> None:
    for rank in range(30):
        add_dossier(service.platform, service.mairie.organisation, f"PAGINE_{rank}", "sent", days=rank)
    page = visitor.get("/dossiers", params={"q": "PAGINE_", "etat": "sent"}).text
    assert "30 dossiers" in page
    following = re.findall(r'href="([^"]+)" rel="next"', page)[0].replace("&amp;", "&")
    assert "etat=sent" in following
    second = visitor.get(following).text
    assert 'rel="next"' not in second
    back = re.findall(r'href="([^"]+)" rel="prev"', second)[0].replace("&amp;", "&")
    assert visitor.get(back).text.count("PAGINE_") == page.count("PAGINE_")
    assert "Aucun dossier ne correspond" in visitor.get("/dossiers", params={"q": "INTROUVABLE"}).text


def test_a_record_waits_for_its_timestamp_in_words(visitor: httpx.Client, service: Service) -> None:
    owner = service.mairie.organisation
    dossier = add_dossier(service.platform, owner, f"SCELLE_{new_id()}", "archived")
    record = add_record(service.platform, owner, dossier, stamped=False)
    page = visitor.get(f"/archives/{record}").text
    assert "En attente d’horodatage" in page
    assert "/preuve" not in page
    assert visitor.get(f"/archives/{record}/preuve").status_code == 503


def test_an_error_is_a_page_in_the_language_of_the_browser(visitor: httpx.Client) -> None:
    french = visitor.get(f"/dossiers/{new_id()}")
    assert french.status_code == 404
    assert "Introuvable" in french.text
    assert french.headers["x-request-id"] in french.text
    english = visitor.get("/nulle-part", headers={"Accept-Language": "en-GB"})
    assert '<html lang="en">' in english.text
    assert "Not found" in english.text
