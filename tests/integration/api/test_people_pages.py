"""The pages of administration: who sees them, whom they show, what is done there, and the links that are handed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlmodel import select

from core import clock, lockout, people, second_factor
from core.configuration import configure
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind
from core.people import Person
from core.principal import PLATFORM
from tests.integration.api.service import PASSWORD, Service

PEOPLE, ROLES = "/administration/personnes", "/administration/personnes/roles"
OTHER = "une autre phrase"


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def add(service: Service, name: str, organisation: Organisation, *roles: str) -> Person:
    with service.platform.database.writing(PLATFORM) as session:
        person = people.add_person(session, f"{clock.now():%H%M%S%f}@valmorin.test", name, PASSWORD)
        for role in roles:
            people.grant_role(session, person, organisation, role)
    return person


@contextmanager
def signed_in(service: Service, person: Person, password: str = PASSWORD) -> Iterator[httpx.Client]:
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        entered = client.post("/connexion", data={"csrf": csrf, "email": person.email, "password": password})
        assert entered.status_code == 303, entered.text
        yield client


@pytest.fixture
def mayor(service: Service) -> Iterator[httpx.Client]:
    """An administrator of the first collectivité, who also deposits."""
    with signed_in(service, add(service, "Maire", service.mairie.organisation, "administrateur", "agent")) as client:
        yield client


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": token_in(client.get("/compte").text)} | fields)


def link_in(page: str) -> str:
    found = re.search(r'readonly value="([^"]+/invitation/[^"]+)"', page)
    assert found
    return found[1]


def root_of(service: Service) -> Organisation:
    with service.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()


def told(service: Service, person: Person) -> list[str]:
    with service.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).order_by(JournalEntry.number))
        return [entry.kind for entry in entries if entry.facts.get("person") == person.id]


@pytest.mark.parametrize("path", [PEOPLE, f"{PEOPLE}/ajout", ROLES])
def test_whoever_administers_nothing_is_refused_and_nobody_is_sent_to_the_door(service: Service, path: str) -> None:
    with signed_in(service, add(service, "Agent", service.mairie.organisation, "agent")) as agent:
        refused = agent.get(path)
        assert refused.status_code == 403
        assert "Un administrateur de votre collectivité" in refused.text
        assert post(agent, path if path != PEOPLE else f"{PEOPLE}/ajout").status_code == 403
    with service.client() as nobody:
        assert nobody.get(path).status_code == 303


def test_the_people_of_others_are_neither_listed_nor_shown_nor_touched(service: Service, mayor: httpx.Client) -> None:
    stranger = add(service, "Étranger Secret", service.syndicat.organisation, "agent")
    assert "Étranger Secret" not in mayor.get(f"{PEOPLE}?q=secret").text
    assert mayor.get(f"{PEOPLE}/{stranger.id}").status_code == 404
    assert mayor.get(f"{PEOPLE}/01M8GNXCXJRMQ9DDTXGDFZ45XS").status_code == 404
    for act in ("suspension", "reactivation", "deblocage", "second-facteur", "lien", "nom", "roles", "roles/retrait"):
        assert post(mayor, f"{PEOPLE}/{stranger.id}/{act}", name="X", role="agent").status_code == 404, act
    assert told(service, stranger) == []


def test_somebody_is_added_chooses_a_password_by_the_link_once_and_signs_in(service: Service, mayor: httpx.Client) -> None:
    email, where = f"{clock.now():%H%M%S%f}@valmorin.test", service.mairie.organisation.id
    added = post(mayor, f"{PEOPLE}/ajout", email=email, name="Nina Neuve", organisation=where, role="agent")
    assert added.status_code == 200
    link = link_in(added.text)
    with service.platform.database.reading(PLATFORM) as session:
        person = people.with_address(session, email)
    assert person is not None
    assert link.rpartition("/")[2] not in mayor.get(f"{PEOPLE}/{person.id}").text
    with service.client() as invited:
        page = invited.get(link)
        assert "Nina Neuve" in page.text
        form = {"csrf": token_in(page.text), "password": OTHER, "again": OTHER}
        assert invited.post(link, data=form | {"csrf": "x"}).status_code == 403
        for wrong in ({"again": "autre chose"}, {"password": "court", "again": "court"}):
            assert invited.post(link, data=form | wrong).status_code == 400
        assert invited.post(link, data=form).headers["location"] == "/connexion?fait=mot-de-passe"
        assert (invited.get(link).status_code, invited.post(link, data=form).status_code) == (404, 404)
    with signed_in(service, person, OTHER) as client:
        assert client.get("/dossiers").status_code == 200
    assert told(service, person) == ["role.granted", "person.invited", "person.password_chosen"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"email": "pas une adresse"}, 400),
        ({"name": "  "}, 400),
        ({"name": "x" * 121}, 400),
        ({"role": "inconnu"}, 400),
        ({"organisation": "01M8GNXCXJRMQ9DDTXGDFZ45XS"}, 400),
        ({"role": "exploitant"}, 400),
    ],
)
def test_what_cannot_be_added_is_refused_and_told(
    service: Service, mayor: httpx.Client, fields: dict[str, str], status: int
) -> None:
    right = {"email": "x@valmorin.test", "name": "X", "organisation": service.mairie.organisation.id, "role": "agent"}
    refused = post(mayor, f"{PEOPLE}/ajout", **(right | fields))
    assert refused.status_code == status
    if status == 400:
        assert 'role="alert"' in refused.text
        assert 'value="x@valmorin.test"' in refused.text or "email" in fields
    with service.platform.database.reading(PLATFORM) as session:
        assert people.with_address(session, "x@valmorin.test") is None


def test_somebody_of_others_who_is_added_gets_the_role_and_no_link(service: Service, mayor: httpx.Client) -> None:
    known = add(service, "Connue Ailleurs", service.syndicat.organisation, "agent")
    asked = {"email": known.email, "name": "X", "organisation": service.mairie.organisation.id}
    added = post(mayor, f"{PEOPLE}/ajout", **asked, role="archiviste")
    page = mayor.get(added.headers["location"]).text
    assert "ouvert par une autre organisation" in page
    assert "Connue Ailleurs" in page
    assert "1 autre rôle, là où vous n’administrez rien" in page
    assert "Syndicat des eaux" not in page
    assert f"{PEOPLE}/{known.id}/lien" not in page
    assert post(mayor, f"{PEOPLE}/{known.id}/lien").status_code == 403
    assert post(mayor, f"{PEOPLE}/{known.id}/suspension").status_code == 403
    with service.platform.database.writing(PLATFORM) as session:
        session.get_one(Person, known.id).password_hash = ""
    refused = post(mayor, f"{PEOPLE}/ajout", **asked, role="agent")
    assert (refused.status_code, "pas encore choisi de mot de passe" in refused.text) == (400, True)


def test_a_role_is_given_and_taken_back(service: Service, mayor: httpx.Client) -> None:
    person = add(service, "Agent", service.mairie.organisation, "agent")
    where = service.mairie.organisation.id
    assert post(mayor, f"{PEOPLE}/{person.id}/roles", organisation=where, role="archiviste").status_code == 303
    assert post(mayor, f"{PEOPLE}/{person.id}/roles", organisation=where, role="archiviste").status_code == 409
    assert post(mayor, f"{PEOPLE}/{person.id}/roles", organisation=where, role="exploitant").status_code in {400, 403, 404}
    foreign = service.syndicat.organisation.id
    assert post(mayor, f"{PEOPLE}/{person.id}/roles", organisation=foreign, role="agent").status_code == 404
    with service.platform.database.reading(PLATFORM) as session:
        held = {membership.role: membership.id for membership, _ in people.memberships(session, person.id)}
    assert held.keys() == {"agent", "archiviste"}
    for role in ("agent", "archiviste"):
        assert post(mayor, f"{PEOPLE}/{person.id}/roles/retrait", membership=held[role]).status_code == 303
    assert mayor.get(f"{PEOPLE}/{person.id}").status_code == 404
    assert told(service, person) == ["role.granted", "role.withdrawn", "role.withdrawn"]


def test_an_account_is_suspended_reactivated_and_unlocked_from_its_page(service: Service, mayor: httpx.Client) -> None:
    person = add(service, "Agent", service.mairie.organisation, "agent")
    with signed_in(service, person) as agent:
        assert post(mayor, f"{PEOPLE}/{person.id}/suspension").status_code == 303
        assert agent.get("/dossiers").status_code == 303
    assert "Suspendu depuis le" in mayor.get(f"{PEOPLE}/{person.id}").text
    assert post(mayor, f"{PEOPLE}/{person.id}/suspension").status_code == 409
    assert post(mayor, f"{PEOPLE}/{person.id}/reactivation").status_code == 303
    with service.platform.database.writing(PLATFORM) as session:
        for _ in range(5):
            lockout.count(session, lockout.account_from(person.email, "192.0.2.1"))
    assert "Bloqué jusqu’au" in mayor.get(f"{PEOPLE}/{person.id}").text
    assert post(mayor, f"{PEOPLE}/{person.id}/deblocage").status_code == 303
    assert "Bloqué jusqu’au" not in mayor.get(f"{PEOPLE}/{person.id}").text
    assert post(mayor, f"{PEOPLE}/{person.id}/destruction").status_code == 404
    with signed_in(service, person):
        pass


def test_a_forgotten_password_is_replaced_by_a_link_and_the_present_one_serves_until_then(
    service: Service, mayor: httpx.Client
) -> None:
    person = add(service, "Agent", service.mairie.organisation, "agent")
    link = link_in(post(mayor, f"{PEOPLE}/{person.id}/lien").text)
    with signed_in(service, person):
        pass
    with service.client() as forgetful:
        form = {"csrf": token_in(forgetful.get(link).text), "password": OTHER, "again": OTHER}
        assert forgetful.post(link, data=form).status_code == 303
    with signed_in(service, person, OTHER):
        pass


def test_nobody_takes_over_the_account_of_somebody_with_more_rights(service: Service, mayor: httpx.Client) -> None:
    signer = add(service, "Signataire", service.mairie.organisation, "signataire")
    with service.platform.database.writing(PLATFORM) as session:
        box = service.platform.secrets
        second_factor.begin(session, box, signer.id)
        session.get_one(second_factor.SecondFactor, signer.id).confirmed = clock.now()
    page = mayor.get(f"{PEOPLE}/{signer.id}").text
    assert f"{signer.id}/lien" not in page
    assert f"{signer.id}/second-facteur" not in page
    for act in ("lien", "second-facteur"):
        assert post(mayor, f"{PEOPLE}/{signer.id}/{act}").status_code == 403
    with service.platform.database.reading(PLATFORM) as session:
        assert second_factor.is_on(session, signer.id)


def test_an_operator_of_the_platform_gives_every_role_and_sees_everybody(service: Service) -> None:
    root = root_of(service)
    lonely = add(service, "Sans Rôle Aucun", root)
    with signed_in(service, add(service, "Exploitante", root, "exploitant")) as operator:
        assert "Sans Rôle Aucun" in operator.get(f"{PEOPLE}?q=sans+role+aucun").text
        assert post(operator, f"{PEOPLE}/{lonely.id}/roles", organisation=root.id, role="exploitant").status_code == 303
        assert post(operator, f"{PEOPLE}/{lonely.id}/second-facteur").status_code == 303


def test_the_list_goes_by_pages_and_is_searched_without_accents(service: Service, mayor: httpx.Client) -> None:
    for rank in range(27):
        add(service, f"Ézéchiel {rank:02d}", service.mairie.organisation, "archiviste")
    first = mayor.get(f"{PEOPLE}?q=ezechiel").text
    assert "27 personnes" in first
    assert ("Ézéchiel 00" in first, "Ézéchiel 24" in first, "Ézéchiel 25" in first) == (True, True, False)
    following = re.search(r'href="([^"]+)" rel="next"', first)
    assert following
    second = mayor.get(following[1].replace("&amp;", "&")).text
    assert ("Ézéchiel 24" in second, "Ézéchiel 26" in second) == (False, True)
    back = re.search(r'href="([^"]+)" rel="prev"', second)
    assert back
    assert "Ézéchiel 00" in mayor.get(back[1].replace("&amp;", "&")).text
    assert "Personne ne correspond" in mayor.get(f"{PEOPLE}?q=introuvable").text


def test_an_organisation_defines_roles_within_what_its_administrator_holds(service: Service, mayor: httpx.Client) -> None:
    where = service.mairie.organisation.id
    page = mayor.get(ROLES).text
    assert "right.dossier.deposit" in page
    assert 'name="right.dossier.operate"' not in page
    defined = post(mayor, ROLES, organisation=where, name="Déposante", **{"right.dossier.deposit": "1"})
    assert defined.status_code == 303
    again = post(mayor, ROLES, organisation=where, name="Déposante", **{"right.dossier.deposit": "1"})
    assert (again.status_code, 'role="alert"' in again.text) == (400, True)
    assert post(mayor, ROLES, organisation=where, name="Vide").status_code == 400
    assert post(mayor, ROLES, organisation=where, name="Haut", **{"right.dossier.operate": "1"}).status_code == 403
    assert post(mayor, ROLES, organisation=service.syndicat.organisation.id, name="X").status_code == 404
    role = re.search(rf'action="{ROLES}/([0-9A-Z]{{26}})"', mayor.get(ROLES).text)
    assert role
    holder = add(service, "Déposante en titre", service.mairie.organisation, "Déposante")
    with signed_in(service, holder) as client:
        assert client.get("/deposer").status_code == 200
    assert post(mayor, f"{ROLES}/{role[1]}", **{"right.dossier.read": "1"}).status_code == 303
    with service.platform.database.reading(PLATFORM) as session:
        rights = people.principal_of(session, holder).grants[where]
    assert [str(right) for right in rights] == ["dossier.read"]
    assert post(mayor, f"{ROLES}/{role[1]}/suppression").status_code == 409
    with signed_in(service, add(service, "Voisine", service.syndicat.organisation, "administrateur")) as neighbour:
        assert post(neighbour, f"{ROLES}/{role[1]}", **{"right.dossier.read": "1"}).status_code == 404
        assert post(neighbour, f"{ROLES}/{role[1]}/suppression").status_code == 404


def test_a_second_factor_that_a_role_must_have_is_enrolled_at_the_next_sign_in(service: Service, mayor: httpx.Client) -> None:
    where = service.mairie.organisation.id
    assert (
        post(mayor, f"{ROLES}/second-facteur", organisation=where, **{"role.archiviste": "1", "role.x": "1"}).status_code == 303
    )
    person = add(service, "Archiviste", service.mairie.organisation, "archiviste")
    with service.client() as client:
        csrf = token_in(client.get("/connexion").text)
        client.post("/connexion", data={"csrf": csrf, "email": person.email, "password": PASSWORD})
        assert client.get("/dossiers").status_code == 303
        page = client.get("/connexion").text
        assert "Activer la double authentification" in page
        assert "<svg" in page
        secret = re.search(r'class="code secret">([A-Z2-7 ]+)<', page)
        assert secret
        assert secret[1] in client.get("/connexion").text
        code = second_factor.pyotp.TOTP(secret[1].replace(" ", "")).now()
        shown = client.post("/connexion", data={"csrf": token_in(page), "code": code, "suite": "/deposer"})
        assert (shown.status_code, 'href="/deposer"' in shown.text) == (200, True)
        assert client.get("/dossiers").status_code == 200
    assert post(mayor, f"{ROLES}/second-facteur", organisation=where).status_code == 303


def test_the_page_says_which_second_factors_are_asked_from_above(service: Service, mayor: httpx.Client) -> None:
    box, root = service.platform.secrets, root_of(service)
    try:
        with service.platform.database.writing(PLATFORM) as session:
            configure(session, box, root.id, second_factor.RULE, second_factor.SecondFactorRule(roles=("contrôleur",)))
        page = mayor.get(ROLES).text
        assert re.search(r'name="role.contrôleur" type="checkbox" value="1" checked disabled', page)
        assert "est demandé par une organisation au-dessus" in page
    finally:
        with service.platform.database.writing(PLATFORM) as session:
            configure(session, box, root.id, second_factor.RULE, second_factor.SecondFactorRule())


@pytest.mark.parametrize("path", [f"{PEOPLE}/ajout", ROLES, f"{ROLES}/second-facteur"])
def test_a_form_from_elsewhere_changes_nothing(mayor: httpx.Client, path: str) -> None:
    assert mayor.post(path, data={"csrf": "x"}).status_code == 403
    assert mayor.post(path).status_code == 403
