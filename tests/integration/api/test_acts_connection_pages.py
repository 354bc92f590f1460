"""How a mairie is connected to the ministry, by the requests of its administrator."""

from __future__ import annotations

import pytest

from core.configuration import configuration_of
from core.errors import Unavailable
from core.principal import PLATFORM
from flows.actes import classifying
from flows.actes.settings import COLLECTIVITE, ActesCollectivite
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service


def test_an_administrator_connects_the_mairie(acts_service: Service, mairie: ActsMairie) -> None:
    where = "/administration/actes"
    with somebody(acts_service, mairie.people["administrateur"]) as client:
        page = client.get(where).text
        assert "Classification du 15 janvier 2026" in page
        assert "par l’opérateur TAB" in page
        given = {
            "department": "02a",
            "arrondissement": "2",
            "nature": "31",
            "addresses": "a@b.fr\nc@d.fr\na@b.fr",
            "referent": "Bureau",
        }
        changed = client.post(where, data={**csrf(client), **given})
        assert changed.status_code == 303
        with mairie.platform.database.reading(PLATFORM) as session:
            kept = configuration_of(session, mairie.platform.secrets, mairie.organisation.id, COLLECTIVITE, ActesCollectivite)
        assert kept == ActesCollectivite(
            department="02A", arrondissement="2", nature="31", referent="Bureau", addresses=("a@b.fr", "c@d.fr")
        )
        back = {"department": "040", "arrondissement": "1", "nature": "31"}
        assert client.post(where, data={**csrf(client), **back}).status_code == 303
        for wrong, words in (
            ({"department": "40"}, "trois caractères"),
            ({"arrondissement": "x"}, "un chiffre"),
            ({"nature": "3"}, "nature"),
            ({"addresses": "plus+signe@b.fr"}, "ni signe plus"),
        ):
            answer = client.post(where, data={**csrf(client), **back, **wrong})
            assert answer.status_code == 400
            assert words in answer.text


def test_the_classification_is_asked_for_and_a_ministry_that_is_away_is_said(
    acts_service: Service, mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = "/administration/actes/classification"
    with somebody(acts_service, mairie.people["administrateur"]) as client:
        away = client.post(where, data=csrf(client))
        assert away.status_code == 409
        assert "Rien n’a été enregistré." in away.text
        monkeypatch.setattr(classifying, "request", lambda _platform, _organisation: "EACT--214009995--20261128-1")
        asked = client.post(where, data=csrf(client))
        assert asked.headers["location"].endswith("fait=demandee")

        def trouble(_platform: object, _organisation: object) -> str:
            raise Unavailable("Le ministère ne répond pas <ici>.")

        monkeypatch.setattr(classifying, "request", trouble)
        assert "Le ministère ne répond pas &lt;ici&gt;." in client.post(where, data=csrf(client)).text
