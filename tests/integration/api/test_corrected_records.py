"""The pages and the API of corrections, by whoever may; pages of records and of readers follow what was corrected."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from archive.correction import correcting
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from tests.ended_records import ended
from tests.integration.api.archive_town import Town, town

__all__ = ["town"]


def test_delays_are_corrected_on_the_page_of_the_record_and_what_opens_waits_for_the_control(town: Town, tmp_path: Path) -> None:
    record = ended(town.service.platform, town.organisation, tmp_path, day=date(1950, 1, 1), title="Arrêté individuel")
    here = f"/archives/{record.id}"
    assert f"{here}/correction" in town.see("archiviste", here)
    assert f"{here}/correction" not in town.see("lecteur", here)
    assert "AR048" in town.see("archiviste", f"{here}/correction")
    town.see("lecteur", f"{here}/correction", 403)
    for wrong in ({"access_from": "2020-02-21"}, {"closed": "1", "access_from": "2020-02-21"}, {"access": "AR048"}, {}):
        answer = town.post("archiviste", f"{here}/correction", {"reason": "sanction d’un agent", **wrong})
        assert (answer.status_code, "sanction d’un agent" in answer.text) == (400, True)
    assert town.post("controle", f"{here}/correction", {"reason": "x", "closed": "1"}).status_code == 404
    made = town.post("archiviste", f"{here}/correction", {"reason": "sanction d’un agent", "closed": "1"})
    assert (made.status_code, made.headers["location"].endswith("?fait=corrigee")) == (303, True)
    assert "L’archive est corrigée" in town.see("archiviste", made.headers["location"])
    page = town.see("lecteur", here)
    said = ("par Personne archiviste", "sanction d’un agent", "01/01/2000 devient sans date", " – corrigé le", "Délais corrigés")
    assert [words for words in said if words not in page] == []
    opening = {"reason": "le nom est occulté", "access": "AR038", "access_from": "2020-02-21"}
    proposed = town.post("archiviste", f"{here}/correction", opening).headers["location"]
    one = proposed.removesuffix("?fait=proposee")
    assert one != proposed
    assert "elle attend un accord" in town.see("lecteur", here)
    assert one in town.see("controle", "/archives/corrections")
    assert ("le nom est occulté" in town.see("controle", one), here in town.see("controle", one)) == (True, False)
    assert "Donner mon accord" not in town.see("archiviste", one)
    assert town.post("archiviste", f"{one}/accord").status_code == 403
    town.see("lecteur", one, 403)
    town.see("exploitant", one, 403)
    assert town.post("controle", f"{one}/accord").status_code == 303
    assert "avec l’accord de Personne controle" in town.see("lecteur", here)
    assert town.post("controle", f"{one}/retrait").status_code == 409
    assert one in town.see("archiviste", "/archives/corrections?etat=decidees")


def test_software_closes_a_record_and_is_not_heard_where_it_would_open_one(town: Town, tmp_path: Path) -> None:
    record = ended(town.service.platform, town.organisation, tmp_path, day=date(1950, 1, 1))
    with town.service.platform.database.writing(PLATFORM) as session:
        token = issue_token(session, town.organisation, "archives", {Right.READ, Right.ARCHIVE})
    asked = {"record": record.id, "reason": "agent nommé", "access": {"rule": "AR048", "start": None}}
    with town.service.client(town.token) as reader:
        assert reader.post("/v1/corrections", json=asked).status_code == 403
    with town.service.client(token) as client:
        made = client.post("/v1/corrections", json=asked)
        assert made.status_code == 201, made.text
        shape = made.json()
        assert client.get(made.headers["location"]).json() == shape
        told = (shape["state"], shape["before"]["open_from"], shape["after"]["open_from"], shape["reason"])
        assert told == ("applied", "2000-01-01", None, "agent nommé")
        assert client.get(f"/v1/records/{record.id}").json()["open_from"] is None
        assert client.post("/v1/corrections", json=asked).status_code == 400
        opening = asked | {"access": {"rule": "AR038", "start": "2020-02-21"}}
        assert client.post("/v1/corrections", json=opening).status_code == 403
        page = client.get("/v1/corrections", params={"record": record.id, "state": "applied"}).json()
        assert ([one["id"] for one in page["corrections"]], page["total"], page["next"]) == ([shape["id"]], 1, None)
        assert client.get("/v1/corrections/01JABCDEFGHJKMNPQRSTVWXYZ0").status_code == 404


def test_what_is_closed_after_a_reader_asked_for_it_is_given_to_nobody(town: Town, tmp_path: Path) -> None:
    platform = town.service.platform
    record, other = (ended(platform, town.organisation, tmp_path, day=date(1950, 1, 1)) for _ in range(2))
    wish = {"requester": "Une lectrice", "contact": "guichet", "reason": "Étude"}
    agreed, waiting = (
        town.post("archiviste", "/archives/demandes", {**wish, "records": one.id}).headers["location"].partition("?")[0]
        for one in (record, other)
    )
    assert town.post("archiviste", f"{agreed}/reponse", {"decision": "accord"}).status_code == 303
    link = town.link(agreed)
    for one in (record, other):
        correcting.correct(platform, PLATFORM, one.id, correcting.Wanted("agent nommé", correcting.Access("AR048", None)))
    with town.service.client() as reader:
        assert (reader.get(link).status_code, reader.post(link).status_code) == (404, 404)
    assert town.post("archiviste", f"{agreed}/lien").status_code == 409
    refused = town.post("archiviste", f"{waiting}/reponse", {"decision": "accord"})
    assert (refused.status_code, "a été refermée depuis" in refused.text) == (409, True)
    assert town.post("archiviste", f"{waiting}/reponse", {"decision": "refus", "answer": "fermée"}).status_code == 303
