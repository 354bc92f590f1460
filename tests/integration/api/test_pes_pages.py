"""The pages of a PES without a browser: what they show, what they hide, what they give out, while a flow is read and after."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.web.pes import page
from core.people import add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.engine.models import Dossier, DossierFile
from schemas.pes import shelf
from schemas.pes.sample import Sample, fictitious_iban, write_sample
from tests.integration.api import service as services
from tests.integration.api.service import PASSWORD, Service, add_dossier
from tests.pes_flows import pes_retour, recette, sepa
from tests.waiting import wait_until


def with_pages(platform: Platform) -> FastAPI:
    app = create_app(platform)
    if not any(getattr(route, "path", "") == "/dossiers/{dossier_id}/pes" for route in app.routes):
        app.include_router(page.router)
    return app


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The running service, with the pages of a PES."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_pages)
        with services.web_service(s3, tmp_path_factory.mktemp("pes")) as running:
            yield running


@contextmanager
def signed_in(service: Service, email: str) -> Iterator[httpx.Client]:
    with service.client() as client:
        csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
        assert client.post("/connexion", data={"csrf": csrf, "email": email, "password": PASSWORD}).status_code == 303
        yield client


@pytest.fixture(scope="module")
def agent(service: Service) -> Iterator[httpx.Client]:
    """Somebody who operates the dossiers of the first collectivité."""
    with signed_in(service, service.mairie.email) as client:
        yield client


@pytest.fixture(scope="module")
def reader(service: Service) -> Iterator[httpx.Client]:
    """Somebody who only reads them."""
    with service.platform.database.writing(PLATFORM) as session:
        person = add_person(session, "lectrice@valmorin.test", "Lectrice", PASSWORD)
        grant_role(session, person, service.mairie.organisation, "lecture", {Right.READ})
    with signed_in(service, "lectrice@valmorin.test") as client:
        yield client


def add_pes(service: Service, document: bytes, *, title: str = "PES_LU", **values: Any) -> str:
    """Put a dossier in the database whose flow is this document; return the address of its PES."""
    owner = service.mairie.organisation
    dossier = add_dossier(service.platform, owner, title, "sent", **values)
    add_file(service, dossier, "signed", f"{title}.xml", document)
    return f"/dossiers/{dossier}/pes"


def add_file(service: Service, dossier: str, role: str, name: str, content: bytes) -> None:
    blob = service.platform.objects.put(io.BytesIO(content))
    with service.platform.database.writing(PLATFORM) as session:
        kept = DossierFile(
            organisation_id=service.mairie.organisation.id,
            dossier_id=dossier,
            role=role,
            name=name,
            media_type="application/xml",
            sha256=blob.sha256,
            size=blob.size,
        )
        session.add(kept)


def sample(tmp_path: Path, **values: Any) -> bytes:
    path = tmp_path / "sample.xml"
    write_sample(Sample(**{"nom_fic": "PES_LU", **values}), path)
    return path.read_bytes()


def until_whole(client: httpx.Client, address: str) -> str:
    """Wait until the flow has been read, and return its page."""
    wait_until(lambda: client.get(f"{address}/lecture").status_code == 286)
    return client.get(address).text


def emptied(service: Service) -> None:
    """Forget every index, as an operator may."""
    shutil.rmtree(service.platform.settings.state_dir / "cache", ignore_errors=True)


def test_every_sample_of_the_field_opens_whatever_is_wrong_with_it(agent: httpx.Client, service: Service, shared: Path) -> None:
    files = sorted((shared / "corpus" / "pes").glob("*.xml"))
    assert len(files) > 60

    def opened(path: Path) -> list[tuple[str, int]]:
        address = add_pes(service, path.read_bytes(), title=path.stem)
        shown = agent.get(address)
        rest = ("/pj", "/pieces/1") if "/pieces/1" in shown.text else ("/pj",)
        answers = [shown, *(agent.get(address + part) for part in rest)]
        return [(path.name, answer.status_code) for answer in answers if answer.status_code != 200]

    with ThreadPoolExecutor(4) as pool:
        assert [fault for faults in pool.map(opened, files) for fault in faults] == []


def test_the_first_page_holds_header_totals_and_pieces_and_its_filters_stand_in_the_address(
    agent: httpx.Client, service: Service, tmp_path: Path
) -> None:
    address = add_pes(service, sample(tmp_path, bordereaux=2, pieces=30, first_bordereau=401))
    page = until_whole(agent, address)
    assert page.count("/pes/pieces/") == 25
    assert "Bordereau 401 de 2026" in page
    assert "Dépenses\u00a0:" in page
    following = re.findall(r'href="([^"]+)" rel="next"', page)[0].replace("&amp;", "&")
    second = agent.get(following.partition("#")[0]).text
    assert "Mandat 26" in second
    narrowed = agent.get(address, params={"bordereau": "2", "tiers": "épine", "min": "10"}).text
    assert 'name="tiers" type="search" maxlength="100" value="épine"' in narrowed
    assert "Mandat 31" not in narrowed
    assert "Mandat 34" in narrowed
    assert "écrivez par exemple" in agent.get(address, params={"min": "douze"}).text
    assert agent.get(address, params={"apres": "-1", "bordereau": "x" * 200}).status_code == 200


def test_bank_details_are_whole_for_who_operates_and_masked_for_who_reads(
    agent: httpx.Client, reader: httpx.Client, service: Service, tmp_path: Path
) -> None:
    address = add_pes(service, sample(tmp_path, pieces=2, first_bordereau=402))
    until_whole(agent, address)
    iban = fictitious_iban(1)
    operated = agent.get(f"{address}/pieces/1").text
    assert " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) in operated
    seen = reader.get(f"{address}/pieces/1").text
    assert f"••••{iban[-4:]}" in seen
    assert iban[:12] not in seen.replace(" ", "")
    assert iban[4:8] not in re.sub(r"<[^>]+>", "", seen)


def test_the_former_account_of_a_direct_debit_is_masked_as_any_other(
    agent: httpx.Client, reader: httpx.Client, service: Service
) -> None:
    iban = fictitious_iban(3)
    address = add_pes(service, recette(line=sepa(f'<AncienIBAN V="{iban}"/>')).encode("iso-8859-1"), title="PRELEVE")
    until_whole(agent, address)
    assert iban in agent.get(f"{address}/pieces/1").text
    seen = reader.get(f"{address}/pieces/1").text
    assert f"••••{iban[-4:]}" in seen
    assert iban[:12] not in seen


def test_a_return_shows_what_the_accountant_did_and_finds_no_gap(agent: httpx.Client, service: Service) -> None:
    address = add_pes(service, pes_retour("21400999500017"), title="RETOUR")
    page = until_whole(agent, address)
    assert "Chez le comptable\N{NO-BREAK SPACE}: rejetée" in page
    assert "ne correspondent pas au contenu" not in page
    assert "non signé" not in page
    piece = agent.get(f"{address}/pieces/1").text
    for words in ("État de la pièce", "rejetée", "Commentaire du comptable", "Facture absente"):
        assert words in piece


def test_a_document_is_given_out_whole_under_its_true_type_and_opened_as_pages(
    agent: httpx.Client, service: Service, tmp_path: Path
) -> None:
    document = sample(tmp_path, first_bordereau=403).replace(b'NomPJ V="facture.pdf"', b'NomPJ V="../..\\x/&quot;fact&#233;.exe"')
    address = add_pes(service, document.replace(b"application/pdf", b"text/html"))
    page = until_whole(agent, address)
    assert "1 pièce justificative" in page
    listed = agent.get(f"{address}/pj").text
    assert "Le contenu n’est pas du type annoncé (text/html)." in listed
    given = agent.get(f"{address}/pj/1")
    assert (given.content[:8], len(given.content)) == (b"%PDF-1.4", len(given.content))
    assert given.headers["content-type"] == "application/pdf"
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["content-security-policy"] == "default-src 'none'; sandbox"
    name = given.headers["content-disposition"]
    assert name.startswith("attachment")
    assert ".." not in name
    assert "/" not in name.replace("UTF-8''", "")
    viewed = agent.get(f"{address}/pj/1/apercu")
    assert viewed.status_code == 200
    image = agent.get(f"{address}/pj/1/pages/1.webp", params={"l": 150})
    assert (image.status_code, image.headers["content-type"]) == (200, "image/webp")
    assert agent.get(f"{address}/pj/1/texte").status_code == 200
    assert agent.get(f"{address}/pj/2").status_code == 404
    assert agent.get(f"{address}/pieces/9").status_code == 404


def test_a_document_that_is_empty_or_broken_is_refused_on_a_page(agent: httpx.Client, service: Service, tmp_path: Path) -> None:
    whole = sample(tmp_path, first_bordereau=404)
    start = whole.index(b"H4sI")
    for content in (b"", whole[start : start + 400], b"<b/>"):
        document = whole[:start] + content + whole[whole.index(b"</Fichier>") :]
        address = add_pes(service, document)
        until_whole(agent, address)
        refused = agent.get(f"{address}/pj/1")
        assert refused.status_code == 400
        assert "pièce justificative" in refused.text


def test_what_the_flow_says_is_never_markup(agent: httpx.Client, service: Service, tmp_path: Path) -> None:
    hostile = b"&lt;script&gt;alert(1)&lt;/script&gt;"
    document = sample(tmp_path, first_bordereau=405)
    for text in (b"Fournitures de la mairie", b"PAPETERIE DU LAVOIR", b"facture.pdf", b"Exemple de flux", b"F1-1", b"60632"):
        document = document.replace(text, hostile)
    address = add_pes(service, document)
    until_whole(agent, address)
    for part in ("", "/pieces/1", "/pj", "?q=%3Cscript%3E&min=%3Cscript%3E", "/pieces/1?q=%3Cscript%3E"):
        page = agent.get(address + part).text
        assert "<script>alert" not in page
        assert '<script>"' not in page
        assert "&lt;script&gt;" in page


def test_signatures_and_the_answer_of_the_state_stand_beside_what_they_are_about(
    agent: httpx.Client, service: Service, tmp_path: Path
) -> None:
    piece = {"number": "0001", "anomalies": [{"code": "ERREUR", "label": "1971 - tiers inconnu"}], "lines": []}
    element = {"domain": "5", "accepted": False, "bordereau": "0406", "exercice": "2026", "id_unique": None}
    acquit = {"answer": "partial", "elements": [element | {"anomalies": [], "pieces": [piece]}]}
    address = add_pes(service, sample(tmp_path, pieces=2, first_bordereau=406), facts={"acquit": acquit})
    signature = {"signer": "Camille AUBRAC", "signing_time": "2026-03-02T09:15:00Z", "covers": "bordereau BRD406"}
    report = {"verdict": "invalid", "signatures": [signature | {"verdict": "invalid", "reasons": ["Le contenu a changé."]}]}
    add_file(service, address.split("/")[2], "report", "signatures.json", json.dumps(report).encode())
    page = until_whole(agent, address)
    for words in ("Camille AUBRAC", "Signature invalide", "Le contenu a changé.", "Refusé par la DGFiP", "1971 - tiers inconnu"):
        assert words in page
    assert "1971" in agent.get(f"{address}/pieces/1").text
    assert "1971" not in agent.get(f"{address}/pieces/2").text


def test_a_page_that_shows_nothing_yet_follows_the_reading_and_one_that_does_is_left_alone(
    agent: httpx.Client, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, released = threading.Event(), threading.Event()
    store = type(service.platform.objects)
    reading = store.reading

    @contextmanager
    def slow(self: Any, sha256: str) -> Iterator[Any]:
        with reading(self, sha256) as source:
            yield SimpleNamespace(stream=lambda size: _held(source.stream(size), arrived, released))

    monkeypatch.setattr(store, "reading", slow)
    address = add_pes(service, sample(tmp_path, pieces=50, attachment_size=900_000, first_bordereau=407))
    assert "Lecture du flux en cours" in agent.get(address).text
    assert agent.get(f"{address}/pieces/1").status_code == 404
    arrived.set()
    wait_until(lambda: "hx-refresh" in agent.get(f"{address}/lecture").headers)
    assert "hx-refresh" not in agent.get(f"{address}/lecture", params={"vu": "1"}).headers
    begun = agent.get(address).text
    assert "50 pièces lues" in begun
    assert "Mandat 25" in begun
    assert "lecture?vu=1" in begun
    released.set()
    wait_until(lambda: agent.get(f"{address}/lecture", params={"vu": "1"}).status_code == 286)
    assert "Lecture terminée" in agent.get(f"{address}/lecture", params={"vu": "1"}).text
    assert "lecture?vu=1" not in agent.get(address).text


def _held(pieces: Iterator[bytes], arrived: threading.Event, released: threading.Event) -> Iterator[bytes]:
    arrived.wait(30)
    for piece in pieces:
        yield piece
        released.wait(30)


def test_a_store_that_gives_back_something_else_is_not_believed(agent: httpx.Client, service: Service, tmp_path: Path) -> None:
    document = sample(tmp_path, first_bordereau=408)
    address = add_pes(service, document)
    objects = service.platform.objects
    key = f"sha256/{(digest := hashlib.sha256(document).hexdigest())[:2]}/{digest}"
    altered = document.replace(b"Fournitures", b"fournitures")
    objects._client.put_object(objects.documents, key, io.BytesIO(altered), len(altered))
    wait_until(lambda: agent.get(f"{address}/lecture").status_code == 286)
    page = agent.get(address).text
    assert "Le dépôt de documents a rendu un autre contenu" in page
    assert agent.get(f"{address}/pj/1").status_code >= 400


def test_an_index_is_made_once_made_again_when_it_is_gone_and_another_tenant_sees_none_of_it(
    agent: httpx.Client, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    build = shelf._build

    def counted(platform: Platform, sha256: str, folder: Path) -> None:
        made.append(sha256)
        build(platform, sha256, folder)

    monkeypatch.setattr(shelf, "_build", counted)
    address = add_pes(service, sample(tmp_path, first_bordereau=409))
    for _ in range(3):
        until_whole(agent, address)
    assert len(made) == 1
    emptied(service)
    until_whole(agent, address)
    assert len(made) == 2
    with signed_in(service, service.syndicat.email) as stranger:
        for part in ("", "/lecture", "/pieces/1", "/pj", "/pj/1", "/pj/1/apercu", "/pj/1/texte", "/pj/1/pages/1.webp?l=150"):
            assert stranger.get(address + part).status_code == 404


def test_what_was_least_read_is_thrown_away_when_there_is_too_much(tmp_path: Path) -> None:
    for name, seconds in (("ancien", 20), ("récent", 10), ("hier", 90_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.sqlite").write_bytes(bytes(1000))
        used = time.time() - seconds
        os.utime(tmp_path / name, (used, used))
    shelf._make_room(tmp_path, 2500)  # there is room for two: what nobody has read for a day goes all the same
    assert {folder.name for folder in tmp_path.iterdir()} == {"ancien", "récent"}
    shelf._make_room(tmp_path, 1500)
    assert [folder.name for folder in tmp_path.iterdir()] == ["récent"]


def test_a_dossier_without_a_flow_says_so(agent: httpx.Client, service: Service) -> None:
    with service.platform.database.writing(PLATFORM) as session:
        dossier = Dossier(organisation_id=service.mairie.organisation.id, flow="helios", title="VIDE", state="sent")
        session.add(dossier)
        session.flush()
        identifier = dossier.id
    answer = agent.get(f"/dossiers/{identifier}/pes")
    assert answer.status_code == 404
    assert "ne contient pas de flux PES" in answer.text
