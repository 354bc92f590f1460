"""The pages and the API of time: rules, holds, eliminations and the register, each by whoever may, and by nobody else."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from api.web.archive.eliminations import visas
from api.web.archive.holds import page as holds_page
from archive.elimination.analysis import MOST_DESTROYED
from archive.elimination.models import Elimination, EliminationLine
from archive.models import Record
from archive.retention import holds
from archive.retention.models import RecordHold
from archive.retention.referential import rules_for
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.roles import BUILT_IN, OPERATOR
from core.tokens import issue_token
from tests.ended_records import ended, run, today
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.service import PASSWORD, Service
from tests.waiting import wait_until

_RIGHTS = {
    "archiviste": {Right.READ, Right.ARCHIVE},
    "maire": {Right.READ, Right.ADMINISTER},
    "controle": {Right.CONTROL},
    "lecteur": {Right.READ},
    "exploitant": BUILT_IN[OPERATOR],
}


@dataclass(frozen=True)
class Town:
    """A commune of its own, with people who are signed in."""

    service: Service
    organisation: Organisation
    people: dict[str, httpx.Client]
    token: str

    def due(self, folder: Path, **changes: object) -> Record:
        """Seal a record whose time is over."""
        return ended(self.service.platform, self.organisation, folder, **changes)  # type: ignore[arg-type]

    def post(self, who: str, path: str, fields: dict[str, object] | None = None, **more: object) -> httpx.Response:
        """Send a form."""
        client = self.people[who]
        return client.post(path, data={**csrf(client), **(fields or {})}, **more)  # type: ignore[arg-type]

    def see(self, who: str, path: str) -> str:
        """Open a page."""
        answer = self.people[who].get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="module")
def town(service: Service) -> Iterator[Town]:
    with service.platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        name = "Commune de Longue-Garde"
        organisation = add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root)
        addresses = {}
        for role, rights in _RIGHTS.items():
            addresses[role] = f"{role}@{new_id().lower()}.test"
            person = add_person(session, addresses[role], f"Personne {role}", PASSWORD)
            grant_role(session, person, organisation, role, rights)
        token = issue_token(session, organisation, "archives", {Right.ARCHIVE})
    with ExitStack() as opened:
        people = {role: opened.enter_context(somebody(service, address)) for role, address in addresses.items()}
        yield Town(service, organisation, people, token)


def test_an_elimination_goes_from_hand_to_hand_through_its_pages(town: Town, tmp_path: Path) -> None:
    kept, gone = (town.due(tmp_path, title=f"Mandats {rank}") for rank in "ab")
    assert "Nouvelle analyse" in town.see("archiviste", "/archives/eliminations")
    made = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat(), "kinds": "helios"})
    assert made.status_code == 303
    here = made.headers["location"]
    page = town.see("archiviste", here)
    assert "Mandats a" in page
    assert "APP-COMPTA-10ANS v1" in page
    assert town.post("archiviste", f"{here}/liste", {"do": "off", "record": kept.id}).status_code == 303
    assert "Hors de la liste (1)" in town.see("archiviste", here)
    exported = town.people["archiviste"].get(f"{here}/liste.csv", params={"montrer": "chosen"})
    rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig")), delimiter=";"))
    told = [(row["Identifiant"], row["Statut"], "Mandats b" in row["Titre"]) for row in rows]
    assert told == [(gone.id, "à détruire", True)]
    assert town.post("maire", f"{here}/proposition").status_code == 403
    assert town.post("archiviste", f"{here}/proposition").status_code == 303
    assert town.people["maire"].get(f"{here}/bordereau.pdf").content.startswith(b"%PDF-")
    assert town.post("archiviste", f"{here}/accord").status_code == 403
    assert (town.people["exploitant"].get(here).status_code, town.post("exploitant", f"{here}/accord").status_code) == (404, 404)
    assert town.post("maire", f"{here}/accord").status_code == 303
    assert town.post("maire", f"{here}/visa", {"reference": "AD-1"}).status_code == 403
    assert "Mandats b" in town.see("controle", here)
    assert re.findall(r'name="refused" value="(\w+)" +>', town.see("controle", f"{here}/visa")) == [gone.id]
    assert town.people["maire"].get(f"{here}/visa").status_code == 403
    assert town.post("controle", f"{here}/visa", {"reference": "AD-1"}).status_code == 303
    assert town.people["controle"].get(f"{here}/visa").headers["location"] == here  # there is nothing left to decide
    assert town.post("controle", f"{here}/execution").status_code == 403
    assert "Détruire 1 document" in town.see("archiviste", here)
    assert town.post("archiviste", f"{here}/execution").status_code == 303
    _carried_out(town, here.rpartition("/")[2])
    page = town.see("archiviste", f"{here}?montrer=destroyed")
    assert "AD-1" in page
    assert "Mandats b" not in page
    assert town.people["lecteur"].get(f"/archives/{gone.id}").status_code == 200
    assert town.people["maire"].get(f"{here}/certificat.pdf").content.startswith(b"%PDF-")
    assert gone.producer in town.see("controle", "/archives/registre")
    table = town.people["controle"].get("/archives/registre.csv").content.decode("utf-8-sig")
    (line,) = (row for row in csv.DictReader(io.StringIO(table), delimiter=";") if row["Producteur"] == gone.producer)
    assert (line["Année"], line["Éliminations"], line["Éliminations (octets)"]) == (str(today().year), "1", str(gone.size))


def _carried_out(town: Town, elimination_id: str) -> None:
    platform = town.service.platform

    def done() -> bool:
        run(platform)
        with platform.database.reading(PLATFORM) as session:
            return session.get_one(Elimination, elimination_id).state == "done"

    wait_until(done)


def test_a_visa_signed_on_paper_is_handed_in_with_its_document(town: Town, tmp_path: Path) -> None:
    one = town.due(tmp_path)
    here = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat()}).headers["location"]
    town.post("archiviste", f"{here}/proposition")
    town.post("maire", f"{here}/accord")
    fields: dict[str, object] = {"reference": "AD-2", "refused": one.id}
    wrong = town.post("archiviste", f"{here}/visa-signe", fields, files={"document": ("visa.gif", b"GIF89a")})
    assert wrong.status_code == 400
    assert "Joignez le bordereau visé" in wrong.text
    signed = b"%PDF-1.7" + b" " * (1 << 20)
    given = town.post("archiviste", f"{here}/visa-signe", fields, files={"document": ("visa.pdf", signed)})
    assert given.status_code == 303, given.text
    assert "Refusés" in town.see("archiviste", f"{here}?montrer=refused")
    assert town.people["maire"].get(f"{here}/visa.pdf").content == signed


def test_lines_that_are_ticked_are_refused_whatever_their_page_and_the_rest_of_the_list_is_accepted(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visas, "_LINES", 2)
    first, second, third = sorted(town.due(tmp_path).id for _ in range(3))
    here = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat()}).headers["location"]
    town.post("archiviste", f"{here}/proposition")
    town.post("maire", f"{here}/accord")
    for who, way in (("controle", "visa"), ("archiviste", "visa-signe")):
        page = town.post(who, f"{here}/{way}", {"refused": [first, second], "apres": second})
        assert page.status_code == 200, page.text
        assert re.findall(r'type="hidden" name="refused" value="(\w+)"', page.text) == [first, second]
        assert re.findall(r'type="checkbox" name="refused" value="(\w+)" +>', page.text) == [third]
    back = town.post("controle", f"{here}/visa", {"refused": [first, third], "apres": ""}).text
    assert re.findall(r'type="checkbox" name="refused" value="(\w+)" checked>', back) == [first]
    assert town.post("controle", f"{here}/visa", {"refused": "01JABCDEFGHJKMNPQRSTVWXYZ0"}).status_code == 400
    most = [f"{rank:026}" for rank in range(MOST_DESTROYED)]
    assert town.post("controle", f"{here}/visa", {"refused": most}).status_code == 400  # and not 413: a list may be as long
    assert town.post("controle", f"{here}/visa", {"refused": [first, third]}).status_code == 303
    with town.service.platform.database.reading(PLATFORM) as session:
        listed = (EliminationLine.elimination_id == here.rpartition("/")[2], EliminationLine.chosen)
        lines = session.exec(select(EliminationLine).where(*listed))
        assert {line.record_id: line.accepted for line in lines} == {first: False, second: True, third: False}


@pytest.mark.parametrize(("who", "way"), [("controle", "visa"), ("archiviste", "visa-signe")])
def test_a_whole_list_is_refused_by_one_button_however_long_it_is(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str, way: str
) -> None:
    monkeypatch.setattr(visas, "_LINES", 1)
    for _ in range(2):
        town.due(tmp_path)
    here = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat()}).headers["location"]
    town.post("archiviste", f"{here}/proposition")
    town.post("maire", f"{here}/accord")
    assert "Refuser toute la liste" in town.see(who, f"{here}/{way}")
    files = {"document": ("visa.pdf", b"%PDF-1.7")} if way == "visa-signe" else None
    done = town.post(who, f"{here}/{way}", {"reference": "AD-3", "refus": "tout"}, files=files)
    assert (done.status_code, done.headers["location"]) == (303, f"{here}?fait=refus")
    assert "rien de cette liste ne sera détruit" in town.see(who, f"{here}?fait=refus")
    with town.service.platform.database.reading(PLATFORM) as session:
        elimination = session.get_one(Elimination, here.rpartition("/")[2])
        listed = (EliminationLine.elimination_id == elimination.id, EliminationLine.chosen)
        decided = {line.accepted for line in session.exec(select(EliminationLine).where(*listed))}
    assert (elimination.state, decided) == ("refused", {False})


def test_nobody_else_opens_these_pages(town: Town) -> None:
    reader = town.people["lecteur"]
    names = ("gels", "regles", "registre", "eliminations", "eliminations/nouvelle")
    assert [reader.get(f"/archives/{name}").status_code for name in names] == [403] * len(names)
    assert town.people["maire"].get("/archives/eliminations/nouvelle").status_code == 403
    assert town.people["controle"].get("/archives/gels").status_code == 403
    assert "/archives/gels" not in town.see("controle", "/archives/eliminations")
    assert town.people["exploitant"].get("/archives/eliminations").status_code == 403
    assert "/archives/eliminations" not in town.see("exploitant", "/archives/lieux")


@pytest.mark.parametrize("path", ["archives/xyz", "archives/eliminations/1", "archives/xyz/fichiers/1", "dossiers/é", "actes/x"])
def test_an_address_that_names_nothing_by_its_very_shape_leads_to_a_page_that_says_so(town: Town, path: str) -> None:
    answer = town.people["archiviste"].get(f"/{path}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert "ne convient pas" not in answer.text


def test_records_are_held_and_let_go_through_the_pages(town: Town, tmp_path: Path) -> None:
    one, other = (town.due(tmp_path, title=f"Marché litigieux {rank}") for rank in "ab")
    picked = r'name="archive" type="checkbox" value="(\w+)" checked><label class="long" for="archive-\w+">([^<]*)<'
    asked = re.findall(picked, town.see("archiviste", f"/archives/gels/nouveau?archive={one.id}"))
    assert [(identifier, "Marché litigieux a" in title) for identifier, title in asked] == [(one.id, True)]
    fields: dict[str, object] = {"reason": "litige", "owner": "service juridique", "review": "hier", "archive": one.id}
    wrong = town.post("archiviste", "/archives/gels", {**fields, "records": f"{other.id}, inconnu"})
    assert (wrong.status_code, "Donnez le jour du réexamen" in wrong.text) == (400, True)
    assert [identifier for identifier, _ in re.findall(picked, wrong.text)] == [one.id, other.id]
    assert ">inconnu</textarea>" in wrong.text
    held = town.post("archiviste", "/archives/gels", {**fields, "review": (today() + timedelta(days=9)).isoformat()})
    assert held.status_code == 303, held.text
    here = held.headers["location"].partition("?")[0]
    assert "Marché litigieux a" in town.see("archiviste", here)
    assert "litige" in town.see("archiviste", "/archives/gels")
    assert town.people["maire"].get(here).status_code == 403
    silent = town.post("archiviste", f"{here}/levee", {"reason": " "})
    assert (silent.status_code, "Dites pourquoi ce gel est levé" in silent.text) == (400, True)
    assert town.post("archiviste", f"{here}/levee", {"reason": "jugement rendu"}).status_code == 303
    assert "jugement rendu" in town.see("archiviste", here)
    assert "litige" in town.see("archiviste", "/archives/gels?etat=leves")
    again = town.post("archiviste", f"{here}/levee", {"reason": "jugement rendu"})
    assert (again.status_code, "a été levé" in again.text) == (409, True)


def test_a_list_says_which_hold_of_a_package_blocks_a_record_to_whoever_may_lift_it(town: Town, tmp_path: Path) -> None:
    one, platform = town.due(tmp_path, title="Versement gelé"), town.service.platform
    told = {"organisation_id": town.organisation.id, "owner": "Service contentieux", "statement": "", "placed_by": "platform"}
    days = {"review": date(2027, 1, 31), "ends": date(2180, 6, 30)}
    hold = RecordHold(**told, **days, reason="GEL-1, recours de M. Untel", package_of=one.id)  # type: ignore[arg-type]
    identifier = hold.id
    holds.place(platform, hold, [one.id])
    made = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat()}).headers["location"]
    page = town.see("archiviste", f"{made}?montrer=conflict")
    said = ("un gel le retient", f'href="/archives/gels/{identifier}"', "recours de M. Untel", "Service contentieux")
    assert [words in page for words in (*said, "31 janvier 2027", "30 juin 2180")] == [True] * 6
    others = town.see("controle", f"{made}?montrer=conflict")
    assert ("un gel le retient" in others, "Untel" in others) == (True, False)
    here = f"/archives/gels/{identifier}"
    assert [words in town.see("archiviste", here) for words in ("le bordereau du paquet", "30 juin 2180")] == [True] * 2
    with town.service.client(town.token) as client:
        shape = client.get(f"/v1/holds/{identifier}").json()
        assert (shape["package_of"], shape["ends"], shape["placed_by"]) == (one.id, "2180-06-30", "platform")
    assert town.post("archiviste", f"{here}/levee", {"reason": "désistement"}).status_code == 303
    assert town.post("archiviste", f"{made}/abandon").status_code == 303
    again = town.post("archiviste", "/archives/eliminations", {"as_of": today().isoformat()}).headers["location"]
    assert one.id in town.see("archiviste", f"{again}?montrer=chosen")
    assert town.post("archiviste", f"{again}/abandon").status_code == 303


def test_the_records_of_a_hold_are_shown_a_page_at_a_time(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds_page, "_RECORDS", 1)
    first, second = sorted(town.due(tmp_path).id for _ in range(2))
    fields: dict[str, object] = {"reason": "litige", "owner": "service juridique", "review": today().isoformat()}
    held = town.post("archiviste", "/archives/gels", {**fields, "archive": [first, second]})
    here = held.headers["location"].partition("?")[0]
    page = town.see("archiviste", here)
    assert (f"/archives/{first}" in page, f"/archives/{second}" in page) == (True, False)
    following = re.search(rf'href="({here}\?apres=\w{{26}})"', page)
    assert following is not None
    page = town.see("archiviste", following[1])
    assert (f"/archives/{first}" in page, f"/archives/{second}" in page) == (False, True)
    assert town.post("archiviste", f"{here}/levee", {"reason": "jugement rendu"}).status_code == 303


def test_software_holds_and_lets_go_over_the_api(town: Town, tmp_path: Path) -> None:
    one = town.due(tmp_path)
    asked = {
        "organisation": town.organisation.id,
        "reason": "enquête",
        "owner": "direction générale",
        "review": (today() + timedelta(days=30)).isoformat(),
        "records": [one.id],
    }
    with town.service.client(town.token) as client:
        put, repeat = (client.post("/v1/holds", json=asked, headers={"Idempotency-Key": "gel-1"}) for _ in range(2))
        assert put.status_code == 201, put.text
        hold = put.json()
        assert (repeat.status_code, repeat.headers["idempotent-replay"], repeat.json()) == (200, "true", hold)
        other = client.post("/v1/holds", json=asked | {"reason": "autre"}, headers={"Idempotency-Key": "gel-1"})
        assert (other.status_code, other.json()["existing"]) == (409, hold["id"])
        assert client.post("/v1/holds", json=asked, headers={"Idempotency-Key": "a b"}).status_code == 400
        assert (hold["records"], hold["told"], hold["lifted"]) == ([one.id], True, None)
        second = client.post("/v1/holds", json=asked | {"reason": "autre"}).json()
        page = client.get("/v1/holds", params={"limit": 1}).json()
        assert ([one["id"] for one in page["holds"]], page["total"], page["total_exact"]) == ([second["id"]], 2, True)
        page = client.get("/v1/holds", params={"limit": 1, "cursor": page["next"]}).json()
        assert ([one["id"] for one in page["holds"]], page["total"], page["next"]) == ([hold["id"]], 2, None)
        lift = f"/v1/holds/{hold['id']}/lift"
        assert [client.post(lift, json=body).status_code for body in ({}, {"reason": ""}, {"reason": " "})] == [422, 422, 400]
        lifted = client.post(lift, json={"reason": "enquête close"}).json()
        assert (lifted["lifted_by"].partition(":")[0], lifted["lift_reason"]) == ("token", "enquête close")
        assert client.post(lift, json={"reason": "enquête close"}).status_code == 409
        assert client.get("/v1/holds", params={"standing": "false"}).json()["holds"][0]["id"] == hold["id"]
        assert client.post("/v1/holds", json=asked | {"records": []}).status_code == 422
    for token in (town.service.mairie.token, town.service.mairie.reader_token):
        with town.service.client(token) as stranger:
            assert stranger.get(f"/v1/holds/{hold['id']}").status_code == 404
            assert stranger.post(lift, json={"reason": "rien"}).status_code in {403, 404}
            assert stranger.get("/v1/holds").json() == {"holds": [], "total": 0, "total_exact": True, "next": None}


def test_rules_are_followed_chosen_and_exchanged_through_the_pages(town: Town) -> None:
    assert "AR048" in town.see("archiviste", "/archives/regles")
    rule: dict[str, object] = {
        "category": "appraisal",
        "code": "APP-LOCAL",
        "label": "courriers de la commune",
        "years": "trois",
        "ends": "year_end",
        "final_action": "Destroy",
        "source": "accord du 2 mars 2026",
        "since": date(2026, 1, 1).isoformat(),
    }
    wrong = town.post("archiviste", "/archives/regles/nouvelle", rule)
    assert (wrong.status_code, "nombre entier d’années" in wrong.text) == (400, True)
    made = town.post("archiviste", "/archives/regles/nouvelle", {**rule, "years": "3"})
    assert made.status_code == 303, made.text
    assert "au 31 décembre de l’année" in town.see("archiviste", made.headers["location"])
    assert town.post("archiviste", "/archives/regles/choix", {"kind": "mail", "appraisal": "APP-LOCAL"}).status_code == 303
    with town.service.platform.database.reading(PLATFORM) as session:
        assert rules_for(session, town.organisation.id, "mail").appraisal.years == 3
    refused = town.post("archiviste", "/archives/regles/regle/retrait", {"category": "appraisal", "code": "APP-LOCAL"})
    assert (refused.status_code, "est choisie pour" in refused.text) == (409, True)
    table = town.people["archiviste"].get("/archives/regles/table.csv").content
    changed = table.replace(b"APP-LOCAL;1;courriers de la commune;3;", b"APP-LOCAL;1;courriers de la commune;4;")
    taken = town.post("archiviste", "/archives/regles/table", files={"table": ("regles.csv", changed)})
    assert taken.headers["location"].endswith("fait=repris&nombre=1")
    faulty = b"code;categorie;libelle;annees;source\nx y;gel;a;0;b\n"
    wrong = town.post("archiviste", "/archives/regles/table", files={"table": ("regles.csv", faulty)})
    assert (wrong.status_code, "Ligne 2" in wrong.text) == (400, True)
    assert town.post("archiviste", "/archives/regles/choix", {"kind": "mail"}).status_code == 303
    withdrawn: dict[str, object] = {"category": "appraisal", "code": "APP-LOCAL"}
    assert town.post("archiviste", "/archives/regles/regle/retrait", withdrawn).status_code == 303
