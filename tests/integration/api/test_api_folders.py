"""Folders of the parapheur over the API: software sends them, follows them, takes them back, and decides nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api import answers
from api.guard import Guard
from api.metrics import Requests
from api.uploads import Uploads
from api.v1 import deposits, dossiers, folders, sittings
from core.identifiers import new_id
from core.organisations import OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.engine import reading as dossiers_read
from flows.engine.models import Dossier
from signing.parapheur import reading, typology
from signing.parapheur.choice import Row
from signing.parapheur.history import Said
from signing.parapheur.models import Visibility
from signing.parapheur.starting import start
from signing.parapheur.typology import SubtypeOptions
from tests.integration.api.service import UPLOAD_LIMIT, Service
from tests.office import Office, pdf
from tests.serving import served

TITLE = "Arrêté 2026-118"
SENTENCE = "Seule une personne tient un bureau\u00a0: un logiciel ne peut ni viser, ni signer, ni rejeter."


@dataclass(frozen=True)
class Town:
    """A mairie with its signing book, and its software by right."""

    platform: Platform
    address: str
    office: Office
    tokens: dict[str, str]

    def client(self, who: str = "software") -> httpx.Client:
        return httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {self.tokens[who]}"}, timeout=60)

    def stands(self, dossier_id: str, state: str) -> None:
        """Bring a dossier where its stages would have brought it."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Dossier, dossier_id).state = state

    def draft(self, kind: str = "visa", **said: str) -> dict[str, Any]:
        """Deposit a draft, and return its folder."""
        form = {"flow": "document", "desk": "secretariat", "type": "Courrier", "subtype": kind, "title": TITLE, "start": "false"}
        files = {"document": ("arrete.pdf", pdf(new_id()), "application/pdf")}
        with self.client() as client:
            deposited = client.post("/v1/dossiers", data={**form, **said}, files=files)
            assert deposited.status_code == 201, deposited.text
            self.stands(deposited.json()["id"], "in_parapheur")
            (folder,) = (
                one for one in client.get("/v1/folders").json()["folders"] if one["dossier_id"] == deposited.json()["id"]
            )
        found: dict[str, Any] = folder
        return found

    def started(self, kind: str = "visa", **said: str) -> dict[str, Any]:
        """Deposit a folder that is on its way."""
        draft = self.draft(kind, **said)
        with self.client() as client:
            found: dict[str, Any] = client.post(f"/v1/folders/{draft['id']}/start", json={}).json()
        assert found["state"] == "pending", found
        return found


@pytest.fixture(scope="module")
def town(service: Service) -> Iterator[Town]:
    platform = service.platform
    with platform.database.writing(PLATFORM) as session:
        organisation = add_organisation(session, "Commune de Bellerive", OrganisationKind.COLLECTIVITE)
        other = add_organisation(session, "Commune de Rochebrune", OrganisationKind.COLLECTIVITE)
        tokens = {
            "software": issue_token(session, organisation, "Gestion financière", {Right.READ, Right.DEPOSIT}),
            "renewed": issue_token(session, organisation, "Gestion financière 2027", {Right.READ, Right.DEPOSIT}),
            "reader": issue_token(session, organisation, "Lecture", {Right.READ}),
            "depositor": issue_token(session, organisation, "Dépôt", {Right.DEPOSIT}),
            "stranger": issue_token(session, other, "Voisine", {Right.READ, Right.DEPOSIT}),
        }
    app = FastAPI()
    app.state.platform, app.state.uploads = platform, Uploads()
    answers.install(app)
    for part in (deposits, dossiers, folders, sittings):
        app.include_router(part.router)
    guarded = Guard(app, {"/v1/dossiers": UPLOAD_LIMIT}, Requests(CollectorRegistry()), "")
    office = Office.opened(platform, organisation, domain="bellerive.test")
    _discreet(office)
    with served(guarded) as address:
        yield Town(platform, address, office, tokens)


def _discreet(office: Office) -> None:
    """Add a kind of folder that is not taken back once it was opened."""
    with office.platform.database.writing(PLATFORM) as session:
        letters = next(of for of in typology.types(session, office.organisation.id) if of.name == "Courrier")
        options = SubtypeOptions(recall_after_reading=False)
        office.kinds["discret"] = typology.add_subtype(session, letters, "discret", options, (Row(circuit="visa"),)).id


@pytest.fixture
def software(town: Town) -> Iterator[httpx.Client]:
    with town.client() as client:
        yield client


def test_the_kinds_of_folder_say_what_may_be_sent_and_in_whose_name(software: httpx.Client) -> None:
    found = software.get("/v1/folder-types").json()["types"]
    visa = next(kind for kind in found if kind["subtype"] == "visa")
    assert (visa["type"], visa["format"], visa["protocol"], visa["main_documents"]) == ("Courrier", "auto", "none", 3)
    assert {"secretariat", "dgs", "maire"} <= {desk["short_name"] for desk in visa["desks"]}


def test_the_circuit_that_would_run_is_shown_and_nothing_is_kept(software: httpx.Client) -> None:
    asked = {"type": "Courrier", "subtype": "ensemble", "desk": "secretariat"}
    before = software.get("/v1/folders").json()["folders"]
    shown = software.post("/v1/circuits/preview", json=asked).json()
    assert (shown["circuit"], shown["row"]) == ("ensemble", 1)
    steps = [(step["kind"], step["together"], [desk["short_name"] for desk in step["desks"]]) for step in shown["steps"]]
    assert steps == [("visa", "all", ["dgs", "adjoint"]), ("signature", "any", ["maire"])]
    assert software.get("/v1/folders").json()["folders"] == before
    missing = software.post("/v1/circuits/preview", json={**asked, "subtype": "au-choix"})
    assert missing.status_code == 400
    assert software.post("/v1/circuits/preview", json={**asked, "subtype": "nul"}).status_code == 404


def test_a_draft_is_completed_started_and_followed_to_its_end(town: Town, software: httpx.Client) -> None:
    draft = town.draft()
    where = f"/v1/folders/{draft['id']}"
    annex = software.post(f"{where}/documents", params={"name": "plan.pdf"}, content=pdf("plan"))
    assert annex.status_code == 201, annex.text
    assert (annex.json()["kind"], annex.json()["name"]) == ("annex", "plan.pdf")
    more = software.post(
        f"{where}/documents", data={"kind": "main"}, files={"document": ("deux.pdf", pdf("deux"), "application/pdf")}
    )
    assert more.json()["kind"] == "main"
    started = software.post(f"{where}/start", json={"note": "À viser", "private_note": "Entre nous"})
    assert (started.status_code, started.json()["state"]) == (200, "pending")
    town.office.approves("dgs", draft["dossier_id"], Said("Vu"))
    shown = software.get(where).json()
    assert (shown["state"], shown["type"], shown["subtype"], shown["desk"]["short_name"]) == (
        "finished",
        "Courrier",
        "visa",
        "secretariat",
    )
    assert [one["kind"] for one in shown["documents"]] == ["main", "main", "annex"]
    assert software.get(shown["documents"][2]["href"]).content == pdf("plan")
    (step,) = shown["circuit"]
    assert (step["kind"], step["state"], step["desk"], step["who"]["name"]) == (
        "visa",
        "done",
        "Direction générale",
        "Dominique Exemple",
    )
    assert [(event["kind"], event["note"]) for event in shown["history"]] == [
        ("created", ""),
        ("started", "À viser"),
        ("approved", "Vu"),
    ]
    assert shown["history"][0]["who"]["kind"] == "token"
    assert all(len(event["digest"]) == 64 for event in shown["history"])
    assert "Entre nous" not in json.dumps(shown, ensure_ascii=False)
    docket = software.get(shown["links"]["docket"])
    assert docket.content.startswith(b"%PDF-")


@pytest.mark.parametrize("decision", ["approve", "sign", "reject"])
def test_software_decides_nothing(town: Town, software: httpx.Client, decision: str) -> None:
    folder = town.started()
    refused = software.post(f"/v1/folders/{folder['id']}/{decision}")
    assert (refused.status_code, refused.json()["detail"]) == (403, SENTENCE)
    assert software.get(f"/v1/folders/{folder['id']}").json()["state"] == "pending"


def test_a_folder_is_taken_back_as_long_as_nobody_has_dealt_with_it(town: Town, software: httpx.Client) -> None:
    folder = town.started("complet")
    where = f"/v1/folders/{folder['id']}"
    assert software.post(f"{where}/recall").json()["state"] == "draft"
    assert software.post(f"{where}/recall").status_code == 409
    assert software.post(f"{where}/start", json={}).json()["state"] == "pending"
    town.office.approves("dgs", folder["dossier_id"])
    late = software.post(f"{where}/recall")
    assert late.status_code == 409
    assert software.get(where).json()["state"] == "pending"


def test_a_draft_or_a_rejected_folder_is_given_up_and_gives_its_identifier_back(town: Town, software: httpx.Client) -> None:
    folder = town.draft(external_id="MANDAT-7")
    where = f"/v1/folders/{folder['id']}"
    assert software.get("/v1/folders", params={"external_id": "MANDAT-7"}).json()["folders"][0]["id"] == folder["id"]
    assert software.delete(where).status_code == 204
    assert software.get("/v1/folders", params={"external_id": "MANDAT-7"}).json()["folders"] == []
    shown = software.get(where).json()
    assert (shown["state"], shown["documents"]) == ("erased", [])
    again = town.started(external_id="MANDAT-7")
    assert software.delete(f"/v1/folders/{again['id']}").status_code == 409
    assert software.get(f"/v1/folders/{again['id']}").json()["state"] == "pending"


def test_a_finished_folder_is_put_away_and_erased_once_its_record_is_sealed(town: Town, software: httpx.Client) -> None:
    folder = town.started()
    where = f"/v1/folders/{folder['id']}"
    assert software.post(f"{where}/trash").status_code == 409
    town.office.approves("dgs", folder["dossier_id"])
    assert software.delete(where).status_code == 409
    assert software.post(f"{where}/trash").json()["state"] == "trashed"
    assert software.delete(where).status_code == 409
    town.stands(folder["dossier_id"], "archived")
    assert software.delete(where).status_code == 204


def test_software_of_the_organisation_goes_on_where_another_token_began_and_nobody_else_does(town: Town) -> None:
    folder = town.draft()
    where = f"/v1/folders/{folder['id']}"
    with town.client("stranger") as stranger:
        assert stranger.get(where).status_code == 404
        assert stranger.post(f"{where}/start", json={}).status_code == 404
        assert stranger.delete(where).status_code == 404
        assert folder["id"] not in stranger.get("/v1/folders").text
    with town.client("reader") as reader:
        assert reader.get(where).status_code == 200
        assert reader.post(f"{where}/start", json={}).status_code == 403
        assert reader.post(f"{where}/documents", content=pdf("x")).status_code == 403
        assert reader.delete(where).status_code == 403
    with town.client("depositor") as depositor:
        assert depositor.get(where).status_code == 404
        assert depositor.get("/v1/folders").json()["folders"] == []
    with town.client("renewed") as renewed:
        assert renewed.post(f"{where}/start", json={}).json()["state"] == "pending"


def test_what_people_made_is_theirs(town: Town, software: httpx.Client) -> None:
    hidden, public, draft = (
        town.office.folder(town.office.sends("visa", name, starts=False, visibility=visibility)).id
        for name, visibility in (
            ("Confidentiel", Visibility.CONFIDENTIAL),
            ("Public", Visibility.PUBLIC),
            ("Brouillon", Visibility.PUBLIC),
        )
    )
    for folder_id in (hidden, public):
        with town.platform.database.writing(PLATFORM) as session:
            start(session, folder_id, "platform")
    for folder_id, status in ((hidden, 404), (draft, 404), (public, 200)):
        assert software.get(f"/v1/folders/{folder_id}").status_code == status
        refused = 403 if status == 200 else 404
        assert software.post(f"/v1/folders/{folder_id}/recall").status_code == refused
        assert software.post(f"/v1/folders/{folder_id}/start", json={}).status_code == refused
        assert software.delete(f"/v1/folders/{folder_id}").status_code == refused
    listed = {one["id"] for one in software.get("/v1/folders").json()["folders"]}
    assert {hidden, public, draft} & listed == {public}


@pytest.mark.parametrize(
    ("visibility", "starts", "status"),
    [(Visibility.CONFIDENTIAL, True, 404), (Visibility.PUBLIC, False, 404), (Visibility.PUBLIC, True, 200)],
    ids=["confidential", "draft", "public"],
)
def test_no_other_way_shows_what_people_keep_to_themselves(
    town: Town, software: httpx.Client, visibility: Visibility, starts: bool, status: int
) -> None:
    title, content = f"Sanction {new_id()}", pdf(new_id())
    dossier_id = town.office.sends("visa", title, content, starts=False, visibility=visibility)
    if starts:
        with town.platform.database.writing(PLATFORM) as session:
            start(session, town.office.folder(dossier_id).id, "platform")
    with dossiers_read.opened(town.platform.database, PLATFORM) as session:
        (file,) = dossiers_read.seen(session, dossier_id).files  # the platform's own work sees everything
    for where in ("", "/timeline", "/files", f"/files/{file.id}"):
        assert software.get(f"/v1/dossiers/{dossier_id}{where}").status_code == status
    assert software.get("/v1/dossiers", params={"q": title}).json()["total"] == (status == 200)
    asked = {"person": "Agent", "documents": [{"title": "Lettre", "format": "cades", "sha256": file.sha256}]}
    assert software.post("/v1/sittings", json=asked).status_code == (201 if status == 200 else 404)


@pytest.mark.parametrize(("kind", "status"), [("visa", 200), ("discret", 409)])
def test_a_folder_that_was_opened_is_taken_back_only_where_its_kind_says_so(
    town: Town, software: httpx.Client, kind: str, status: int
) -> None:
    folder = town.started(kind)
    with town.platform.database.writing(PLATFORM) as session:
        reading.opened(session, town.office.folder(folder["dossier_id"]), town.office.people["dgs"].id)
    assert software.post(f"/v1/folders/{folder['id']}/recall").status_code == status


@pytest.mark.parametrize(
    "changed",
    [
        {"flow": "helios"},
        {"subtype": "discret"},
        {"title": "Autre"},
        {"start": "true"},
        {"desk": "dgs"},
        {"visibility": "public"},
    ],
    ids="-".join,
)
def test_a_key_stands_for_all_that_was_asked(software: httpx.Client, changed: dict[str, str]) -> None:
    key, files = {"Idempotency-Key": new_id()}, {"document": ("arrete.pdf", pdf(), "application/pdf")}
    asked = {"flow": "document", "desk": "secretariat", "type": "Courrier", "subtype": "visa", "title": TITLE, "start": "false"}
    first = software.post("/v1/dossiers", data=asked, files=files, headers=key).json()
    again = software.post("/v1/dossiers", data=asked, files=files, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    other = {"flow": "helios"} if changed == {"flow": "helios"} else {**asked, **changed}
    refused = software.post("/v1/dossiers", data=other, files=files, headers=key)
    assert (refused.status_code, refused.json()["existing"]) == (409, first["id"])


def test_a_list_goes_by_pages_and_by_what_is_asked(town: Town, software: httpx.Client) -> None:
    made = [town.draft(external_id=f"PAGE-{rank}")["id"] for rank in range(3)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(100):
        page = software.get("/v1/folders", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["id"] for one in page["folders"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen[:3] == made[::-1]
    assert (page["total"], page["total_exact"]) == (len(seen), True)
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    for wanted, count in (
        ({"external_id": "PAGE-1"}, 1),
        ({"external_id": "PAGE-1", "state": "draft", "type": "Courrier", "desk": "secretariat"}, 1),
        ({"external_id": "PAGE-1", "state": "pending"}, 0),
        ({"external_id": "PAGE-1", "type": "HELIOS"}, 0),
        ({"external_id": "PAGE-1", "desk": "dgs"}, 0),
    ):
        assert len(software.get("/v1/folders", params=wanted).json()["folders"]) == count, wanted
    assert software.get("/v1/folders", params={"state": "nul"}).status_code == 422
    assert software.get("/v1/folders", params={"cursor": "nul"}).status_code == 400


def test_a_document_that_nobody_can_read_does_not_enter_a_draft(town: Town, software: httpx.Client) -> None:
    where = f"/v1/folders/{town.draft()['id']}"
    for content in (b"%PDF-1.7 rien", b""):
        assert software.post(f"{where}/documents", params={"name": "plan.pdf"}, content=content).status_code == 400
    odd = software.post(f"{where}/documents", data={"kind": "autre"}, files={"document": ("a.pdf", io.BytesIO(pdf()))})
    assert odd.status_code == 400
    assert len(software.get(where).json()["documents"]) == 1


def test_a_folder_that_its_check_refused_does_not_start(town: Town, software: httpx.Client) -> None:
    folder = town.draft()
    town.stands(folder["dossier_id"], "rejected")
    refused = software.post(f"/v1/folders/{folder['id']}/start", json={})
    assert refused.status_code == 409
    assert software.get(f"/v1/folders/{folder['id']}").json()["state"] == "draft"


def test_every_operation_is_documented() -> None:
    described = FastAPI()
    described.include_router(folders.router)
    paths = described.openapi()["paths"]
    assert {
        "/v1/folder-types",
        "/v1/circuits/preview",
        "/v1/folders",
        "/v1/folders/{folder_id}",
        "/v1/folders/{folder_id}/documents",
        "/v1/folders/{folder_id}/documents/{document_id}",
        "/v1/folders/{folder_id}/docket",
        "/v1/folders/{folder_id}/start",
        "/v1/folders/{folder_id}/recall",
        "/v1/folders/{folder_id}/trash",
    } <= paths.keys()
    assert all(spec.get("summary") for methods in paths.values() for spec in methods.values())
