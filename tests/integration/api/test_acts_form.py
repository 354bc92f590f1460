"""The form of an act: the act that it follows, another organisation chosen in the middle, natures that are signed here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from core import uploads
from core.configuration import configure
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.actes.flow import ACTES
from flows.actes.settings import ROUTE, ActesRoute
from flows.engine.models import Dossier
from schemas.actes.codes import NATURES
from tests.integration.api.acts_forms import NEW, act_of, csrf, faults, filled, pieces, send, somebody
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import MAIRIE, Service, web_service
from tests.office import pdf

ELSEWHERE = "033-214009995-20240110-2024_7-DE"
AGENT = {Right.READ, Right.DEPOSIT}


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("acts")) as running:
        yield running


@pytest.fixture(scope="module")
def mairie(service: Service) -> ActsMairie:
    found = ActsMairie(service.platform, service.mairie.organisation)
    found.connect()
    found.hire("clerc", AGENT)
    found.hire("deposant", {Right.DEPOSIT})
    return found


@pytest.fixture
def clerk(service: Service, mairie: ActsMairie) -> Iterator[httpx.Client]:
    with somebody(service, mairie.people["clerc"]) as client:
        yield client


# The act that it follows


def asked(client: httpx.Client, mairie: ActsMairie, told: str) -> str:
    """What the page says while an earlier act is being written."""
    fields = {**csrf(client), "organisation": mairie.organisation.id, "previous": told}
    answer = client.post(f"{NEW}/precedent", data=fields)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def offered(page: str) -> list[str]:
    return re.findall(r'value="previous:([\w-]+)"', page)


def identifier(mairie: ActsMairie, act: str) -> str:
    return str(mairie.dossier(act).facts["id_acte"])


def test_an_earlier_act_is_told_by_its_number_and_goes_with_the_act(clerk: httpx.Client, mairie: ActsMairie) -> None:
    earlier = mairie.acknowledged("AVANT_1", subject="Règlement du marché")
    assert "«\u00a0AVANT_1 – Règlement du marché\u00a0», décidé le" in asked(clerk, mairie, "avant_1")
    act = act_of(mairie, send(clerk, filled(mairie, "APRES_1", previous="avant_1"), ("acte.pdf", pdf())))
    assert act.facts["act"]["previous"] == identifier(mairie, earlier)
    assert identifier(mairie, earlier) in clerk.get(f"/actes/{act.id}").text


def test_an_identifier_that_nobody_knows_here_is_a_warning_and_leaves_as_it_is(clerk: httpx.Client, mairie: ActsMairie) -> None:
    said = asked(clerk, mairie, ELSEWHERE)
    assert "amber-ink" in said
    assert "il sera transmis tel quel" in said
    act = act_of(mairie, send(clerk, filled(mairie, "APRES_2", previous=ELSEWHERE), ("acte.pdf", pdf())))
    assert act.facts["act"]["previous"] == ELSEWHERE


def test_a_number_of_two_acts_is_not_guessed(clerk: httpx.Client, mairie: ActsMairie) -> None:
    first = mairie.acknowledged("JUMEAU", decision_date=today() - timedelta(days=400))
    second = mairie.acknowledged("JUMEAU")
    answer = send(clerk, filled(mairie, "APRES_3", previous="JUMEAU"), ("acte.pdf", pdf()))
    assert answer.status_code == 400
    assert set(faults(answer)) == {"previous"}
    assert offered(answer.text) == [identifier(mairie, one) for one in (second, first)]
    given = filled(mairie, "APRES_3", previous="JUMEAU", do=f"previous:{identifier(mairie, first)}", piece=pieces(answer))
    chosen = send(clerk, given)
    assert (
        f'name="previous" autocomplete="off" spellcheck="false" maxlength="100" value="{identifier(mairie, first)}"'
        in chosen.text
    )
    assert offered(chosen.text) == []


@pytest.mark.parametrize("told", ["NULLE_PART", "040-1-2", "introuvable"])
def test_what_names_no_act_cannot_be_sent(clerk: httpx.Client, mairie: ActsMairie, told: str) -> None:
    answer = send(clerk, filled(mairie, "APRES_4", previous=told), ("acte.pdf", pdf()))
    assert set(faults(answer)) == {"previous"}
    assert "identifiant entier" in faults(answer)["previous"]
    assert f'value="{told}"' in answer.text


def test_acts_are_searched_by_their_words_among_those_that_the_prefecture_has(clerk: httpx.Client, mairie: ActsMairie) -> None:
    known = mairie.acknowledged("GLACE_1", subject="Patinoire 100 % éphémère")
    waiting = mairie.act("GLACE_2", subject="Patinoire 100 % éphémère")
    mairie.stand(waiting, "sent")
    cancelled = mairie.acknowledged("GLACE_3", subject="Patinoire 100 % éphémère")
    mairie.cancelled(cancelled)
    assert offered(asked(clerk, mairie, "PATINOIRE 100 % EPHEMERE")) == [identifier(mairie, known)]
    page = asked(clerk, mairie, "patinoire 100 %")
    assert offered(page) == [identifier(mairie, known)]
    assert "1 acte correspond" in page
    assert offered(asked(clerk, mairie, "100_%")) == []
    assert offered(asked(clerk, mairie, "p")) == []
    for rank in range(9):
        mairie.acknowledged(f"FOULE_{rank}", subject="Foire aux plants")
    crowd = asked(clerk, mairie, "foire aux plants")
    assert len(offered(crowd)) == 8
    assert "Les 8 actes les plus récents" in crowd


def test_whoever_reads_no_act_finds_none_by_words_and_resolves_a_number(service: Service, mairie: ActsMairie) -> None:
    mairie.acknowledged("TU_1", subject="Indemnité confidentielle")
    with somebody(service, mairie.people["deposant"]) as client:
        assert offered(asked(client, mairie, "indemnité")) == []
        told = asked(client, mairie, "tu_1")
        fields = {**csrf(client), **filled(mairie, "TU_1"), "decision_date": (today() - timedelta(days=1)).isoformat()}
        told += client.post(f"{NEW}/numero", data=fields).text
        told += client.post(f"{NEW}/numero", data={**fields, "decision_date": today().isoformat()}).text
    assert told.count("-TU_1-DE") == 4  # what is said aloud stands twice
    assert "Indemnité" not in told
    assert "/actes/" not in told


def test_an_act_of_another_organisation_is_none(service: Service, clerk: httpx.Client, mairie: ActsMairie) -> None:
    other = ActsMairie(service.platform, service.syndicat.organisation)
    other.connect()
    theirs = other.acknowledged("VOISIN_1", subject="Château d’eau")
    assert "ne correspond" in asked(clerk, mairie, "VOISIN_1")
    assert offered(asked(clerk, mairie, "château")) == []
    assert "ne porte cet identifiant ici" in asked(clerk, mairie, identifier(other, theirs))
    refused = clerk.post(f"{NEW}/precedent", data={**csrf(clerk), "organisation": other.organisation.id, "previous": "VOISIN_1"})
    assert refused.status_code == 404


def test_an_act_that_is_mended_keeps_the_act_that_it_follows(clerk: httpx.Client, mairie: ActsMairie) -> None:
    refused = mairie.act("A_REFAIRE", previous=ELSEWHERE)
    mairie.stand(refused, "rejected", reference=None)
    assert f'value="{ELSEWHERE}"' in clerk.get(f"{NEW}?depuis={refused}", follow_redirects=True).text


def test_every_state_after_the_acknowledgement_can_be_followed(clerk: httpx.Client, mairie: ActsMairie) -> None:
    act = mairie.acknowledged("ETATS_1")
    found = {}
    for state in ACTES.states:
        mairie.stand(act, state)
        found[state] = "décidé le" in asked(clerk, mairie, "ETATS_1")
    assert {state for state, there in found.items() if there} == {"acknowledged", "answering", "elapsed", "archived"}


# Another organisation


@pytest.fixture(scope="module")
def below(service: Service, mairie: ActsMairie) -> ActsMairie:
    """A service below the mairie, for which its people deposit too."""
    with service.platform.database.writing(PLATFORM) as session:
        above = session.get_one(Organisation, mairie.organisation.id)
        found = add_organisation(session, "Zone d’activité", OrganisationKind.SERVICE, parent=above, siren=MAIRIE.siren)
    under = ActsMairie(service.platform, found)
    under.classify()
    mairie.hire("deux", AGENT)
    return under


def test_another_organisation_is_chosen_and_nothing_is_lost(service: Service, mairie: ActsMairie, below: ActsMairie) -> None:
    with somebody(service, mairie.people["deux"]) as client:
        given = filled(mairie, "CHANGE_1", montre=mairie.organisation.id, subject="Un objet à garder", paper="1", do="look")
        there = send(client, given, ("acte.pdf", pdf("change")))
        given |= {"organisation": below.organisation.id, "piece": pieces(there)}
        shown = send(client, given)
        assert shown.status_code == 200
        for kept in ('value="CHANGE_1"', "Un objet à garder", "acte.pdf", today().isoformat()):
            assert kept in shown.text
        assert re.search(r'name="paper"[^>]+checked', shown.text)
        assert "La collectivité est maintenant Zone d’activité." in html.unescape(shown.text)
        assert f'name="montre" value="{below.organisation.id}"' in shown.text
        at_once = send(client, given | {"do": "send"})
        assert at_once.status_code == 200
        assert "Vérifiez le numéro" in at_once.text
        sent = send(client, given | {"do": "send", "montre": below.organisation.id, "matiere": "7.1.10"})
        assert act_of(mairie, sent).organisation_id == below.organisation.id


def test_an_organisation_that_is_not_connected_loses_nothing_and_sends_nothing(service: Service, mairie: ActsMairie) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        root = session.get_one(Organisation, mairie.organisation.parent_id)
        alone = add_organisation(session, "Régie des eaux", OrganisationKind.SERVICE, parent=root)
    address = mairie.hire("entre", AGENT)
    with service.platform.database.writing(PLATFORM) as session:
        person = session.exec(select(Person).where(Person.email == address)).one()
        grant_role(session, person, session.get_one(Organisation, alone.id), "agent", AGENT)
    with somebody(service, address) as client:
        given = filled(mairie, "SEUL_1", organisation=alone.id, montre=mairie.organisation.id, do="look")
        shown = send(client, given, ("acte.pdf", pdf()))
        assert "ne peut pas encore transmettre" in shown.text
        assert 'value="SEUL_1"' in shown.text
        assert "Déposer l’acte" not in shown.text
        back = send(client, given | {"organisation": mairie.organisation.id, "montre": alone.id, "piece": pieces(shown)})
        assert pieces(back) == pieces(shown)
        assert send(client, given | {"montre": alone.id, "do": "send", "piece": pieces(shown)}).status_code == 400


def test_files_go_to_no_organisation_for_which_one_may_not_deposit(
    service: Service, clerk: httpx.Client, mairie: ActsMairie
) -> None:
    given = filled(mairie, "FUITE_1", do="look")
    there = send(clerk, given, ("acte.pdf", pdf()))
    stranger = filled(mairie, "FUITE_1", organisation=service.syndicat.organisation.id, do="look", saisie=given["saisie"])
    assert send(clerk, stranger | {"piece": pieces(there)}).status_code == 404
    with service.platform.database.reading(PLATFORM) as session:
        kept = session.get_one(uploads.Upload, pieces(there)[0][1:])
    assert kept.organisation_id == mairie.organisation.id


# Natures that are signed here


def test_only_acts_of_the_natures_that_are_signed_ask_for_it(service: Service, mairie: ActsMairie, below: ActsMairie) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        route = ActesRoute(subtype=new_id(), emitter=new_id(), natures=(1,))
        configure(session, service.platform.secrets, below.organisation.id, ROUTE, route)
    with somebody(service, mairie.people["deux"]) as client:
        form = client.get(NEW, params={"organisation": below.organisation.id}, follow_redirects=True).text
        assert f"Natures concernées\u00a0: {NATURES[1].label}." in form
        for number, nature, signed in (("NATURE_1", "1", True), ("NATURE_2", "2", False)):
            given = filled(below, number, nature=nature, matiere="6.1")
            act = act_of(mairie, send(client, given, ("acte.pdf", pdf(number))))
            assert act.facts["sign"] is signed


def test_no_part_of_the_form_is_taken_from_elsewhere(clerk: httpx.Client, mairie: ActsMairie) -> None:
    before = number_of_acts(mairie)
    for address in (f"{NEW}/precedent", f"{NEW}/pieces", NEW):
        assert clerk.post(address, data=filled(mairie, "AILLEURS", previous="AVANT_1")).status_code == 403
    assert number_of_acts(mairie) == before


def number_of_acts(mairie: ActsMairie) -> int:
    with mairie.platform.database.reading(PLATFORM) as session:
        return len(session.exec(select(Dossier.id)).all())
