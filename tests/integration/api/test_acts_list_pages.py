"""The list of acts, by its requests: what narrows it, how it goes on, and that every word of it is there."""

from __future__ import annotations

import re
from datetime import date

import httpx

from api.web.acts.standing import GROUPS
from api.words import of_page
from flows.actes import following
from flows.actes.flow import ACTES
from flows.actes.legality import Happening
from tests.integration.api.acts_forms import somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service


def test_every_state_of_the_flow_stands_in_one_group() -> None:
    told = [state for states in GROUPS.values() for state in states]
    assert sorted(told) == sorted(ACTES.states)
    words = of_page("web/acts/list.html")
    assert all(f"group.{group}" in words for group in GROUPS)


def test_every_message_and_turn_has_words() -> None:
    words = of_page("web/acts/list.html")
    assert all(f"answer.code.{code}" in words for codes in following.ANSWERS.values() for code in codes)
    assert all(f"turn.{kind}" in words for kind in Happening)


def test_the_list_is_narrowed_by_state_nature_year_and_words(acts_service: Service, shelf: ActsMairie) -> None:
    one = shelf.act("ALPHA", subject="Élargissement de la voirie", nature=2, decision_date=date(2025, 3, 4))
    two = shelf.acknowledged("BETA", subject="Budget 100 %", decision_date=date(2026, 3, 4))
    shelf.letter(two, "4-1", "Incompétence")
    three = shelf.act("GAMMA_1", decision_date=date(2026, 1, 4))
    shelf.stand(three, "packed", parked="À regarder")

    def found(client: httpx.Client, **narrowed: str) -> set[str]:
        page = client.get("/actes", params=narrowed)
        assert page.status_code == 200
        return {one for one in (one, two, three) if f'href="/actes/{one}"' in page.text}

    with somebody(acts_service, shelf.people["liste"]) as client:
        assert found(client) == {one, two, three}
        assert found(client, etat="recu") == {two}
        assert found(client, etat="arret") == {three}
        assert found(client, etat="rien") == set()
        assert found(client, nature="2") == {one}
        assert found(client, nature="x") == set()
        assert found(client, annee="2026") == {two, three}
        assert found(client, nature="²") == set()
        assert found(client, annee="-1") == set()
        assert found(client, q="voirie") == {one}
        assert found(client, q="elargissement") == found(client, q="ÉLARGISSEMENT") == {one}
        assert found(client, q="100 %") == {two}
        assert found(client, q="GAMMA_1") == {three}
        assert found(client, q="GAMMA%1") == set()
        assert found(client, q=two) == {two}
        assert "1 courrier attend une réponse" in client.get("/actes?etat=recu").text
        assert client.get("/actes?apres=nimporte").status_code == 400


def test_pages_of_the_list_go_on_from_an_act(acts_service: Service, shelf: ActsMairie) -> None:
    for rank in range(30):
        shelf.act(f"PAGE_{rank:02d}", subject="Pagination")
    with somebody(acts_service, shelf.people["liste"]) as client:
        seen: list[str] = []
        address, previous = "/actes?q=Pagination", []
        while address:
            page = client.get(address).text
            seen += re.findall(r">(PAGE_\d\d) –", page)
            previous.append(re.search(r'href="([^"]+)" rel="prev"', page))
            onward = re.search(r'href="([^"]+)" rel="next"', page)
            address = onward[1].replace("&amp;", "&") if onward else ""
        assert seen == [f"PAGE_{rank:02d}" for rank in reversed(range(30))]
        assert previous[0] is None
        assert previous[-1] is not None
        back = client.get(previous[-1][1].replace("&amp;", "&")).text
        assert re.findall(r">(PAGE_\d\d) –", back) == seen[:25]
