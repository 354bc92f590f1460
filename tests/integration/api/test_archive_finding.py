"""The pages and the API of finding and giving back: search, a record and its files, checks, readers' requests, restitutions."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, select

from api.web.archive.requests import page as requests_page
from api.web.archive.restitutions import page as restitutions_page
from archive.finding import certificate, index, restitutions, volumes
from archive.finding.certificate import Listed
from archive.finding.files import count_of, files_of
from archive.finding.models import ReadingRequest, RecordState, Restitution, RestitutionVolume
from archive.models import Record, RecordFile
from archive.proof.proving import Standing
from core import clock
from core.errors import Unavailable
from core.organisations import OrganisationKind, add_organisation, subtree
from core.principal import PLATFORM
from tests.findable import add
from tests.integration.api.archive_town import Town, town
from tests.kept_records import seal

__all__ = ["town"]
_NO_RECORD = "01JZZZZZZZZZZZZZZZZZZZZZZZ"


def test_records_are_found_on_the_home_of_the_archive_and_narrowed_with_counts(town: Town) -> None:
    other = add(town.service.platform, town.organisation, "Délibération du budget", kind="actes", dated=date(2024, 5, 1))
    page = town.see("lecteur", "/archives?q=deliberations+budget")
    assert f'href="/archives/{other}"' in page
    assert "1 archive" in page
    assert town.record.id not in page
    everything = town.see("lecteur", "/archives")
    assert re.search(r'<option value="helios" >PES HELIOS \(1\)</option>', everything)
    assert re.search(r'<option value="2024" >2024 \(1\)</option>', everything)
    assert other not in town.see("lecteur", "/archives?type=helios")
    assert "Aucune archive ne répond" in town.see("lecteur", "/archives?q=introuvable")
    assert "4 caractères" in town.see("lecteur", "/archives?q=ab*", 400)
    assert "n’est pas une date" in town.see("lecteur", "/archives?echeance=demain", 400)
    for name in ("etat", "sort", "annee"):
        town.see("lecteur", f"/archives?{name}=x", 400)
    assert "Aucune archive ne répond" in town.see("lecteur", "/archives?type=x&producteur=x&organisation=x&ouvert=x&regle=x")


def test_the_list_goes_on_to_its_next_page(town: Town) -> None:
    records = [add(town.service.platform, town.organisation, "Bordereau suivi") for _ in range(27)]
    first = town.see("lecteur", "/archives?q=bordereau+suivi")
    following = re.search(r'href="(/archives\?[^"]+apres=\d+)"', first)
    assert following is not None
    second = town.see("lecteur", following[1].replace("&amp;", "&"))
    assert [one for one in records if one in first] == records[2:]
    assert [one for one in records if one in second] == records[:2]


def test_the_archive_is_met_by_whoever_has_something_to_do_there_and_by_nobody_else(town: Town) -> None:
    assert 'href="/archives"' in town.see("archiviste", "/archives")
    assert "dont la conservation s’achève" in town.see("archiviste", "/archives")
    assert "dont la conservation s’achève" not in town.see("lecteur", "/archives")
    for who, home in (("controle", "/archives/eliminations"), ("exploitant", "/archives/lieux")):
        turned = town.people[who].get("/archives")
        assert (turned.status_code, turned.headers["location"]) == (303, home)
        assert town.people[who].get(f"/archives/{town.record.id}").status_code == 403
    assert town.people["lecteur"].get("/archives/demandes").status_code == 403
    assert town.people["lecteur"].get("/archives/restitutions").status_code == 403


def test_a_record_says_what_it_holds_where_it_stands_and_until_when_and_why(town: Town) -> None:
    page = town.see("lecteur", f"/archives/{town.record.id}")
    for words in ("flux.xml", town.record.sha256, "Copie principale", "APP-COMPTA-10ANS v1", "Archive scellée", "21/02/2036"):
        assert words in page, words
    assert "Enregistrer une demande" not in page
    assert f"/archives/demandes/nouvelle?archive={town.record.id}" in town.see("archiviste", f"/archives/{town.record.id}")


def test_a_file_is_given_out_as_it_was_sealed_or_not_at_all(town: Town) -> None:
    with zipfile.ZipFile(io.BytesIO(town.package)) as zipped:
        sealed = zipped.read("content/flux.xml")
    answer = town.people["lecteur"].get(f"/archives/{town.record.id}/fichiers/1")
    assert answer.content == sealed
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert town.people["lecteur"].get(f"/archives/{town.record.id}/fichiers/99").status_code == 404
    with town.service.platform.database.writing(PLATFORM) as session:
        file = session.get_one(RecordFile, (town.record.id, 2))
        said, file.sha256 = file.sha256, "0" * 64
    refused = town.people["lecteur"].get(f"/archives/{town.record.id}/fichiers/2")
    assert refused.status_code >= 500
    assert "<ACQUIT/>" not in refused.text
    with town.service.platform.database.writing(PLATFORM) as session:
        session.get_one(RecordFile, (town.record.id, 2)).sha256 = said


def test_what_is_handed_out_explains_and_checks_itself(town: Town) -> None:
    answer = town.people["lecteur"].get(f"/archives/{town.record.id}/communication")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    documents = [name for name in held if name.startswith("documents/")]
    assert sorted(held) == sorted(["LISEZ-MOI.txt", *documents, "index.csv", "manifest.xml", "bordereau.xml", "SHA256SUMS"])
    assert len(documents) == 4
    for line in held["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(held[name]).hexdigest() == digest
    assert town.record.sha256 in held["LISEZ-MOI.txt"].decode()
    rows = list(csv.DictReader(io.StringIO(held["index.csv"].decode("utf-8-sig")), delimiter=";"))
    assert [row["nom d’origine"] for row in rows][:2] == ["flux.xml", "acquit.xml"]
    assert rows[0]["sha256"] == hashlib.sha256(held[rows[0]["fichier"]]).hexdigest()
    # The same record gives the same bytes, but for the moment of its delivery.
    again = town.people["lecteur"].get(f"/archives/{town.record.id}/communication")
    with zipfile.ZipFile(io.BytesIO(again.content)) as zipped:
        assert {name for name in held if zipped.read(name) != held[name]} == {"manifest.xml", "SHA256SUMS"}


def test_a_certificate_is_composed_over_what_the_places_hold_now(town: Town) -> None:
    answer = town.people["lecteur"].get(f"/archives/{town.record.id}/certificat")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_a_certificate_that_names_some_of_the_files_only_says_so(town: Town) -> None:
    with town.service.platform.database.reading(PLATFORM) as session:
        some, count = files_of(session, town.record.id, limit=1), count_of(session, town.record.id)
    pages = [certificate.page(town.record, "", Standing(), Listed(some, of), {}, clock.now()) for of in (len(some), count)]
    assert [one.sections[-1].title for one in pages] == [
        "Les documents et leurs empreintes SHA-256",
        "Les 1 premiers des 4 documents et leurs empreintes SHA-256 ; celles de tous sont dans la preuve",
    ]


def test_a_document_is_checked_against_all_that_was_sealed_and_nothing_of_it_is_kept(town: Town) -> None:
    with zipfile.ZipFile(io.BytesIO(town.package)) as zipped:
        sealed = zipped.read("content/flux.xml")

    def check(who: str, octets: bytes) -> str:
        answer = town.post(who, "/archives/verifier", files={"document": ("copie.bin", octets)})
        assert answer.status_code == 200
        return answer.text

    assert "identique à l’original scellé" in (page := check("lecteur", sealed))
    assert f"/archives/{town.record.id}" in page
    assert "le paquet scellé lui-même" in check("lecteur", town.package)
    assert "inconnu" in check("lecteur", sealed + b" ")
    assert town.people["lecteur"].post("/archives/verifier", files={"document": ("a", b"a")}).status_code == 403
    assert town.people["lecteur"].get("/archives/verifier").status_code == 200


def test_software_searches_and_takes_files_and_sees_nothing_of_others(town: Town) -> None:
    with town.service.client(town.token) as client:
        found = client.get("/v1/records", params={"q": "PES-Été-0001", "kind": "helios", "year": 2026}).json()
        assert ([one["id"] for one in found["records"]], found["total"], found["exact"]) == ([town.record.id], 1, True)
        page = client.get(f"/v1/records/{town.record.id}/files").json()
        files = page["files"]
        assert (page["total"], page["total_exact"], page["next"]) == (len(files), True, None)
        second = client.get(f"/v1/records/{town.record.id}/files", params={"limit": 1, "cursor": 1}).json()
        assert (second["files"], second["next"]) == (files[1:2], 2)
        assert [one["name"] for one in files][:2] == ["flux.xml", "acquit.xml"]
        octets = client.get(files[0]["href"]).content
        assert hashlib.sha256(octets).hexdigest() == files[0]["sha256"]
        assert client.get("/v1/records", params={"digest": files[0]["sha256"]}).json()["records"][0]["id"] == town.record.id
        first = client.get("/v1/records", params={"due_by": "2099-12-31", "limit": 1}).json()
        second = client.get("/v1/records", params={"due_by": "2099-12-31", "limit": 1, "cursor": first["next"]}).json()
        assert first["records"][0]["id"] > second["records"][0]["id"]
        assert client.get("/v1/records", params={"q": "acte", "cursor": "n1x"}).status_code == 400
        assert client.get("/v1/records", params={"q": "x*"}).status_code == 400
        assert client.get("/v1/records", params={"open": "false", "kind": "helios"}).json()["total"] == 1
    with town.service.client(town.service.syndicat.token) as stranger:
        assert stranger.get("/v1/records", params={"q": "PES-Été-0001"}).json()["records"] == []
        assert stranger.get(f"/v1/records/{town.record.id}/files").status_code == 404
        assert stranger.get(f"/v1/records/{town.record.id}/files/1").status_code == 404


def test_a_confidential_record_is_no_more_seen_than_its_dossier(town: Town) -> None:
    with town.service.platform.database.writing(PLATFORM) as session:
        secret = add(town.service.platform, town.organisation, "Affaire sensible", confidential=True)
        del session
    assert "Affaire sensible" not in town.see("lecteur", "/archives?q=affaire")
    for path in ("", "/preuve", "/communication", "/fichiers/1", "/certificat"):
        assert town.people["lecteur"].get(f"/archives/{secret}{path}").status_code == 404
    with town.service.client(town.token) as client:
        assert client.get(f"/v1/records/{secret}").status_code == 200


def test_of_an_eliminated_record_the_page_says_so_and_gives_nothing(town: Town) -> None:
    gone = add(town.service.platform, town.organisation, "Détruite")
    with town.service.platform.database.writing(PLATFORM) as session:
        session.get_one(Record, gone).eliminated = clock.now()
        session.flush()
        index.remove(session, gone)
    page = town.see("lecteur", f"/archives/{gone}")
    assert "Archive éliminée le" in page
    assert ("Paquet détruit" in page, "Paquet scellé" in page) == (True, False)
    assert f"/archives/{gone}/communication" not in page
    for path in ("/communication", "/fichiers/1", "/preuve"):
        assert town.people["lecteur"].get(f"/archives/{gone}{path}").status_code == 404
    assert gone in town.see("lecteur", f"/archives?etat={RecordState.ELIMINATED.value}")


def test_a_derogation_is_decided_by_the_state_and_by_somebody_else_and_the_reader_takes_it_once(town: Town) -> None:
    wish = {
        "requester": "Ludivine Aubépine",
        "contact": "ludivine@exemple.test",
        "reason": "Généalogie de la famille Aubépine",
        "records": town.record.id,
    }
    assert town.record.id in town.see("double", f"/archives/demandes/nouvelle?archive={town.record.id}")
    place = town.post("double", "/archives/demandes", wish).headers["location"].partition("?")[0]
    # Whoever wrote it down controls here, and may not decide all the same; an archivist may not either.
    for who in ("double", "archiviste"):
        assert "Accorder la dérogation" not in town.see(who, place)
        assert town.post(who, f"{place}/reponse", {"decision": "accord"}).status_code == 403
    assert "Accorder la dérogation" in town.see("controle", place)
    assert town.post("controle", f"{place}/reponse", {"decision": "refus"}).status_code == 400
    assert town.post("archiviste", f"{place}/lien").status_code == 409
    assert town.post("controle", f"{place}/reponse", {"decision": "accord", "answer": "Accord."}).status_code == 303
    assert town.post("controle", f"{place}/reponse", {"decision": "refus", "answer": "Non."}).status_code == 409
    assert town.post("controle", f"{place}/lien").status_code == 403
    shown = town.post("archiviste", f"{place}/lien").text
    older = re.search(r"(/lecture/[\w-]{43})<", shown)
    newer = re.search(r"(/lecture/[\w-]{43})<", town.post("archiviste", f"{place}/lien").text)
    assert older is not None
    assert newer is not None
    with town.service.client() as reader:
        assert reader.get(older[1]).status_code == 404
        for _ in range(2):
            page = reader.get(newer[1])
            assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
        assert town.record.title in page.text
        with zipfile.ZipFile(io.BytesIO(reader.post(newer[1]).content)) as zipped:
            assert "manifest.xml" in zipped.namelist()
        assert reader.get(newer[1]).status_code == reader.post(newer[1]).status_code == 404
    assert "Remise" in town.see("archiviste", place)
    assert "Créer un autre lien" in town.see("archiviste", place)
    request_id = place.rpartition("/")[2]
    for kind in ("asked", "agreed", "given"):
        (entry,) = (one for one in town.entries(f"archive.reading_{kind}") if one.facts["request"] == request_id)
        assert entry.facts == {"request": request_id, "records": [town.record.id], "derogation": True}
        assert "Aubépine" not in json.dumps(entry.facts)
    assert len([one for one in town.entries("archive.reading_linked") if one.facts["request"] == request_id]) == 2
    # A download that broke off: the reader is given another link, which the journal tells.
    again = re.search(r"(/lecture/[\w-]{43})<", town.post("archiviste", f"{place}/lien").text)
    assert again is not None
    with town.service.client() as reader:
        assert reader.post(again[1]).status_code == 200
        assert reader.get(again[1]).status_code == 404
    assert len([one for one in town.entries("archive.reading_given") if one.facts["request"] == request_id]) == 2


def test_what_is_open_is_given_by_an_archivist_alone(town: Town, tmp_path: Path) -> None:
    opened = seal(town.service.platform, town.organisation, tmp_path)
    with town.service.platform.database.writing(PLATFORM) as session:
        session.get_one(Record, opened.id).open_from = date(2020, 1, 1)
    wish = {"requester": "Un lecteur", "contact": "guichet", "reason": "Étude", "records": opened.id}
    place = town.post("archiviste", "/archives/demandes", wish).headers["location"].partition("?")[0]
    assert town.post("controle", f"{place}/reponse", {"decision": "accord"}).status_code == 403
    assert town.post("archiviste", f"{place}/reponse", {"decision": "accord"}).status_code == 303
    found = re.search(r"/lecture/([\w-]{43})<", town.post("archiviste", f"{place}/lien").text)
    assert found is not None
    with town.service.platform.database.writing(PLATFORM) as session:
        session.get_one(ReadingRequest, place.rpartition("/")[2]).link_ends = clock.now()
    with town.service.client() as reader:
        assert reader.get(f"/lecture/{found[1]}").status_code == reader.post(f"/lecture/{found[1]}").status_code == 404


def test_what_was_destroyed_since_it_was_asked_for_keeps_nothing_else_from_the_reader(town: Town, tmp_path: Path) -> None:
    platform = town.service.platform
    gone, left = (seal(platform, town.organisation, tmp_path) for _ in range(2))
    with platform.database.writing(PLATFORM) as session:
        for one in (gone, left):
            session.get_one(Record, one.id).open_from = date(2020, 1, 1)
    wish = {"requester": "Un lecteur", "contact": "guichet", "reason": "Étude", "records": f"{gone.id} {left.id}"}
    place = town.post("archiviste", "/archives/demandes", wish).headers["location"].partition("?")[0]
    town.post("archiviste", f"{place}/reponse", {"decision": "accord"})
    _destroy(town, gone)
    assert re.search(rf'<a href="/archives/{gone.id}">{gone.id}</a>', town.see("archiviste", place))
    with town.service.client() as reader:
        link = town.link(place)
        page = reader.get(link).text
        assert (left.title in page, "1 archive demandée a été éliminée depuis" in page) == (True, True)
        with zipfile.ZipFile(io.BytesIO(reader.post(link).content)) as zipped:
            assert left.id in zipped.read("LISEZ-MOI.txt").decode()
        given = town.entries("archive.reading_given")[-1]
        assert given.facts["records"] == [left.id]
        _destroy(town, left)
        link = town.link(place)
        assert "Télécharger" not in reader.get(link).text
        refused = reader.post(link)
    assert (refused.status_code, "il ne reste rien à communiquer" in refused.text) == (404, True)


def _destroy(town: Town, record: Record) -> None:
    with town.service.platform.database.writing(PLATFORM) as session:
        row = session.get_one(Record, record.id)
        row.eliminated, row.title = clock.now(), ""


def test_a_request_is_no_larger_than_one_download_can_hold(town: Town) -> None:
    half = add(town.service.platform, town.organisation, "Gros versement", size=1 << 31)
    wish = {"requester": "A", "contact": "B", "reason": "C", "records": half}
    assert town.post("archiviste", "/archives/demandes", wish).status_code == 303
    other = add(town.service.platform, town.organisation, "Gros versement", size=1 << 31)
    refused = town.post("archiviste", "/archives/demandes", {**wish, "records": f"{half} {other}"})
    assert (refused.status_code, "répartissez-les en plusieurs demandes" in refused.text) == (400, True)


@pytest.mark.parametrize("missing", ["requester", "contact", "reason", "records"])
def test_a_request_that_lacks_something_is_not_written_down(town: Town, missing: str) -> None:
    wish = {"requester": "A", "contact": "B", "reason": "C", "records": town.record.id, missing: " "}
    refused = town.post("archiviste", "/archives/demandes", wish)
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text


def test_a_request_names_records_that_whoever_writes_it_may_see(town: Town) -> None:
    wish = {"requester": "A", "contact": "B", "reason": "C", "records": f"{town.record.id} {_NO_RECORD}"}
    refused = town.post("archiviste", "/archives/demandes", wish)
    assert refused.status_code == 404
    assert _NO_RECORD in refused.text
    assert town.post("controle", "/archives/demandes", {**wish, "records": town.record.id}).status_code == 403


def test_requests_are_listed_a_page_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for requester in ("Première lectrice", "Second lecteur"):
        wish = {"requester": requester, "contact": "guichet", "reason": "Étude", "records": town.record.id}
        assert town.post("archiviste", "/archives/demandes", wish).status_code == 303
    monkeypatch.setattr(requests_page, "_A_PAGE", 1)
    first = town.see("archiviste", "/archives/demandes")
    assert ("Second lecteur" in first, "Première lectrice" in first) == (True, False)
    following = re.search(r'href="(/archives/demandes\?apres=\w{26})"', first)
    assert following is not None
    second = town.see("archiviste", following[1])
    assert ("Second lecteur" in second, "Première lectrice" in second) == (False, True)


def test_a_fonds_is_asked_for_once_written_by_a_worker_and_taken_from_the_page(town: Town, tmp_path: Path) -> None:
    platform, page = town.service.platform, "/archives/restitutions"
    with platform.database.writing(PLATFORM) as session:
        caisse = add_organisation(session, "Caisse de Fonds-Clair", OrganisationKind.SERVICE, parent=town.organisation)
    seal(platform, caisse, tmp_path)
    assert town.post("archiviste", page, {"organisation": caisse.id}).status_code == 303
    again = town.post("archiviste", page, {"organisation": caisse.id})
    assert (again.status_code, "déjà en cours" in again.text) == (409, True)
    elsewhere = town.service.syndicat.organisation.id
    assert town.post("archiviste", page, {"organisation": elsewhere}).status_code == 404
    assert "En attente" in town.see("archiviste", page)
    restitutions.run(platform, "")
    found = re.search(rf'href="({page}/\w{{26}}/1)"', town.see("archiviste", page))
    assert found is not None
    answer = town.people["archiviste"].get(found[1])
    assert answer.headers["content-disposition"].startswith("attachment")
    assert hashlib.sha256(answer.content).hexdigest() in town.see("archiviste", page)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert "LISEZ-MOI.txt" in zipped.namelist()
    for who in ("lecteur", "controle", "exploitant"):
        assert town.people[who].get(found[1]).status_code == 403
    with platform.database.writing(PLATFORM) as session:
        session.exec(select(RestitutionVolume).where(RestitutionVolume.organisation_id == caisse.id)).one().sha256 = "0" * 64
    with pytest.raises(httpx.RemoteProtocolError):  # what was altered never arrives whole
        town.people["archiviste"].get(found[1])


def test_restitutions_are_listed_a_page_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restitutions_page, "_A_PAGE", 1)
    over = clock.now() - timedelta(days=40)
    with town.service.platform.database.writing(PLATFORM) as session:
        owner = add_organisation(session, "Régie de Fonds-Clair", OrganisationKind.SERVICE, parent=town.organisation).id
        told = {"organisation_id": owner, "asked_by": "person:a", "done": 1, "finished": over, "expires": over}
        session.add_all(Restitution(**told) for _ in range(2))
    with town.service.platform.database.reading(PLATFORM) as session:
        own = col(Restitution.organisation_id).in_(subtree(session, town.organisation.path))
        expected = list(session.exec(select(Restitution.id).where(own).order_by(col(Restitution.id).desc())))
    seen, address = list[str](), "/archives/restitutions"
    while following := re.search(r'href="(/archives/restitutions\?apres=(\w{26}))"', town.see("archiviste", address)):
        address = following[1]
        seen.append(following[2])
    assert seen == expected[:-1]


def test_what_stops_a_restitution_or_is_missing_in_it_is_told_on_the_page(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise Unavailable("Le lieu « Nord » ne répond pas.")

    add(town.service.platform, town.organisation, "Sans paquet")
    assert town.post("archiviste", "/archives/restitutions", {"organisation": town.organisation.id}).status_code == 303
    with monkeypatch.context() as patch:
        patch.setattr(volumes, "fetch", silent)
        restitutions.run(town.service.platform, "")
    assert "Le lieu « Nord » ne répond pas." in town.see("archiviste", "/archives/restitutions")
    restitutions.run(town.service.platform, "")
    shown = town.see("archiviste", "/archives/restitutions")
    assert ("Nord" in shown, "aucun lieu n’en détient le paquet intact" in shown) == (False, True)
    assert town.entries("archive.restitution_asked")
