"""Considering a dossier sent, from its page and from a terminal, in the same words."""

from __future__ import annotations

import httpx
import pytest

from api.cli import settling
from core.identifiers import new_id
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from flows.engine.models import Dossier
from tests.integration.api.service import PASSWORD, Service, add_dossier
from tests.integration.api.test_pages import token_in, visitor

__all__ = ["visitor"]
WORDS = "Considéré comme envoyé"


def overtaken(service: Service, state: str = "signed") -> str:
    owner, facts = service.mairie.organisation, {"nom_fic": "PES"}
    return add_dossier(
        service.platform, owner, f"PARTI_{new_id()}", state, parked="La base a été restaurée", overtaken=True, facts=facts
    )


def stands(service: Service, dossier_id: str) -> tuple[str, bool]:
    with service.platform.database.reading(PLATFORM) as session:
        found = session.get_one(Dossier, dossier_id)
    return found.state, found.overtaken


def test_a_person_says_on_what_evidence_confirms_and_sees_it_on_the_dossier(visitor: httpx.Client, service: Service) -> None:
    gone = overtaken(service)
    address = f"/dossiers/{gone}/envoye"
    assert address in visitor.get(f"/dossiers/{gone}").text
    page = visitor.get(address)
    assert page.status_code == 200 and "La base a été restaurée" in page.text
    csrf = token_in(page.text)
    assert visitor.post(address, data={"csrf": "x", "reason": "vu"}).status_code == 403
    mute = visitor.post(address, data={"csrf": csrf, "reason": " ", "reference": "ACQ-17"})
    assert mute.status_code == 400 and 'role="alert"' in mute.text and 'value="ACQ-17"' in mute.text
    assert stands(service, gone) == ("signed", True)

    done = visitor.post(address, data={"csrf": csrf, "reason": "accusé <b>vu</b>", "reference": "ACQ-17"})
    assert (done.status_code, done.headers["location"]) == (303, f"/dossiers/{gone}?fait=envoye")
    assert stands(service, gone) == ("sent", False)
    shown = visitor.get(f"/dossiers/{gone}").text
    for words in (WORDS, "accusé &lt;b&gt;vu&lt;/b&gt;", "ACQ-17", "Agent de Valmorin"):
        assert words in shown
    assert address not in shown
    assert visitor.post(address, data={"csrf": csrf, "reason": "encore"}).status_code == 303  # said twice, said once
    assert "encore" not in visitor.get(f"/dossiers/{gone}").text
    assert visitor.get(address).headers["location"] == f"/dossiers/{gone}"


def test_what_has_nothing_to_send_offers_to_be_resumed_only(visitor: httpx.Client, service: Service) -> None:
    waiting = overtaken(service, "sent")
    page = visitor.get(f"/dossiers/{waiting}").text
    assert "/reprise" in page and "/envoye" not in page
    refused = visitor.post(f"/dossiers/{waiting}/envoye", data={"csrf": token_in(page), "reason": "vu"})
    assert refused.status_code == 409 and "rien à envoyer" in refused.text


def test_who_may_not_operate_is_neither_shown_nor_allowed_it(service: Service) -> None:
    gone, email = overtaken(service), "lit@mairie.test"
    with service.platform.database.writing(PLATFORM) as session:
        grant_role(
            session, add_person(session, email, "Lectrice", PASSWORD), service.mairie.organisation, "lecteur", {Right.READ}
        )
    with service.client() as reader:
        form = {"csrf": token_in(reader.get("/connexion").text), "email": email, "password": PASSWORD}
        reader.post("/connexion", data=form)
        page = reader.get(f"/dossiers/{gone}")
        assert page.status_code == 200 and "/envoye" not in page.text
        assert reader.get(f"/dossiers/{gone}/envoye").status_code == 403
        assert reader.post(f"/dossiers/{gone}/envoye", data={"csrf": "x", "reason": "vu"}).status_code == 403


def test_a_terminal_says_it_in_the_same_words(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = overtaken(service)
    monkeypatch.setattr(settling, "opened_platform", lambda: service.platform)
    for _ in range(2):
        settling.consider_sent(gone, reason="accusé vu au portail", reference="ACQ-17")
    first, second = " ".join(capsys.readouterr().out.split()).split(f"Dossier {gone} ")[1:]
    assert first.startswith("considéré comme envoyé") and "Rien n’a été changé" in second
    assert stands(service, gone) == ("sent", False)
