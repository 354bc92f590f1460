"""Agreements by the API, one decision for several transfers, packages that come in pieces."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from archive.ingest.models import ArchiveAgreement
from core.principal import PLATFORM
from tests.integration.api.service import Service
from tests.integration.api.test_transfers_faces import archivist, browser, csrf_of, desk
from tests.transfers import Desk, Sip

__all__ = ["archivist", "browser", "desk"]
SIP = Sip()


def test_software_opens_reads_and_closes_agreements(service: Service, archivist: str) -> None:
    rng = (
        b'<element name="ArchiveTransfer" xmlns="http://relaxng.org/ns/structure/1.0" '
        b'ns="fr:gouv:culture:archivesdefrance:seda:v2.1"><text/></element>'
    )
    asked = {
        "identifier": "ACCORD-API",
        "label": "Délibérations",
        "transferring_agency": "218500991",
        "pdfa": "verified",
        "digests": ["SHA-512"],
        "signed_manifest": True,
        "volume": 10,
        "starts": "2026-01-01",
    }
    with service.client(service.mairie.token) as sender, service.client(archivist) as archives:
        assert sender.post("/v1/agreements", json=asked).status_code == 403
        wrong = archives.post("/v1/agreements", json={**asked, "formats": ["pdf"], "ends": "2025-01-01"})
        assert (wrong.status_code, wrong.json()["problems"][0]["path"]) == (422, "body.formats.0")
        assert archives.post("/v1/agreements", json={**asked, "profile": "!"}).status_code == 422
        unusable = {**asked, "profile": base64.b64encode(b"<a/>").decode()}
        assert archives.post("/v1/agreements", json=unusable).status_code == 400
        opened = archives.post("/v1/agreements", json={**asked, "profile": base64.b64encode(rng).decode()})
        assert opened.status_code == 201
        told = opened.json()
        assert {name: told[name] for name in asked} == asked
        assert (told["formats"], told["largest_file"], told["closed"]) == ([], None, None)
        assert archives.get(opened.headers["Location"]).json() == told
        assert archives.get(told["links"]["profile"]).content == rng
        assert archives.post("/v1/agreements", json=asked).status_code == 409
        assert sender.get("/v1/agreements").json() == {"agreements": [], "total": 0, "total_exact": True, "next": None}
        assert sender.get(opened.headers["Location"]).status_code == 404
        closed = archives.post(f"{opened.headers['Location']}/close")
        assert closed.json()["closed"] is not None
        assert archives.post(f"{opened.headers['Location']}/close").status_code == 409
        assert archives.get("/v1/agreements", params={"standing": "true"}).json()["agreements"] == []
        page = archives.get("/v1/agreements", params={"standing": "false", "organisation": service.mairie.organisation.id})
        assert "ACCORD-API" in [one["identifier"] for one in page.json()["agreements"]]


def test_an_agreement_says_on_its_page_what_it_asks(service: Service, browser: httpx.Client) -> None:
    terms = {
        "csrf": csrf_of(browser, "/archives/accords"),
        "identifier": "ACCORD-PDFA",
        "label": "Délibérations",
        "transferring_agency": "218500991",
        "pdfa": "declared",
        "digests": ["SHA-384", "SHA-512"],
        "signed_manifest": "1",
        "signatures": "1",
        "unverified_signatures": "1",
        "largest_file": "3",
        "volume": "500",
        "starts": "2026-01-01",
    }
    assert browser.post("/archives/accords", data=terms).status_code == 303
    page = browser.get("/archives/accords").text
    for told in ("PDF/A exigé, sur déclaration", "SHA-384, SHA-512", "bordereau signé exigé", "non vérifiables admises", "500"):
        assert told in page, told
    with service.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(ArchiveAgreement).where(ArchiveAgreement.identifier == "ACCORD-PDFA")).one()
    assert (kept.pdfa, kept.volume, kept.largest_file) == ("declared", 500 << 20, 3 << 20)
    browser.post(f"/archives/accords/{kept.id}/cloture", data={"csrf": terms["csrf"]})


def test_software_decides_of_several_transfers_and_is_told_of_each(
    service: Service, desk: Desk, archivist: str, tmp_path: Path
) -> None:
    ids = [desk.hand(SIP.but(identifier=f"LOT-{rank}").zip(tmp_path)) for rank in range(2)]
    for one in ids:
        desk.run(one)
    asked = {"transfers": [*ids, "01ZZZZZZZZZZZZZZZZZZZZZZZZ"], "decision": "refuse", "code": "203", "comment": "Plan manquant"}
    with service.client(service.mairie.token) as sender, service.client(archivist) as archives:
        forbidden = sender.post("/v1/transfers/decisions", json=asked).json()["decisions"]
        assert [one["status"] for one in forbidden] == [403, 403, 404]
        assert archives.post("/v1/transfers/decisions", json={**asked, "comment": ""}).status_code == 400
        told = archives.post("/v1/transfers/decisions", json=asked).json()["decisions"]
        assert [(one["id"], one["decided"], one["status"]) for one in told] == [
            (ids[0], True, 200),
            (ids[1], True, 200),
            (asked["transfers"][2], False, 404),
        ]
        assert told[2]["detail"]
        again = archives.post("/v1/transfers/decisions", json={"transfers": ids, "decision": "accept"}).json()["decisions"]
        assert [one["status"] for one in again] == [409, 409]


def test_an_archivist_decides_of_several_transfers_on_the_list(desk: Desk, browser: httpx.Client, tmp_path: Path) -> None:
    ids = [desk.hand(SIP.but(identifier=f"CASE-{rank}", title=f"Liasse {rank}").zip(tmp_path)) for rank in range(3)]
    for one in ids:
        desk.run(one)
    page = browser.get("/archives/versements", params={"q": "Liasse"}).text
    assert all(f'value="{one}"' in page for one in ids)
    csrf = csrf_of(browser, "/archives/versements?q=Liasse")
    where, refused = "/archives/versements/decisions?q=Liasse", {"csrf": csrf, "transfer": ids[:2], "refuse": "1", "code": "203"}
    without = browser.post(where, data=refused)
    assert (without.status_code, "pourquoi" in without.text, without.text.count("checked")) == (400, True, 2)
    assert browser.post(where, data={"transfer": ids, "accept": "1"}).status_code == 403
    done = browser.post(where, data={**refused, "refusing": "Plan manquant"})
    assert done.status_code == 303
    assert "2 versements sont refusés" in browser.get(done.headers["location"]).text
    late = browser.post(where, data={"csrf": csrf, "transfer": ids, "accept": "1", "accepting": "Lot"})
    assert late.status_code == 409
    assert "Un versement est accepté" in late.text
    assert [f'href="/archives/versements/{one}">Liasse' in late.text.partition("Rien n’est décidé")[2] for one in ids[:2]] == [
        True
    ] * 2
    assert desk.transfer(ids[2]).comment == "Lot"


def test_a_package_larger_than_a_request_comes_in_pieces_and_serves_for_a_transfer_only(
    service: Service, desk: Desk, tmp_path: Path
) -> None:
    limit = service.platform.settings.upload_limit
    package = SIP.but(identifier="PIECES-1").zip(tmp_path)
    with service.client(service.mairie.token) as sender:
        assert sender.post("/v1/uploads", json={"name": "v.zip", "size": limit + 1}).status_code == 413
        assert sender.post("/v1/uploads", json={"name": "v.zip", "size": limit + 1, "place": "transfers"}).status_code == 201
        begun = sender.post("/v1/uploads", json={"name": "v.zip", "size": len(package), "place": "transfers"}).json()["id"]
        digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
        sent = sender.put(
            "/v1/uploads/pieces",
            params={"upload": begun, "offset": 0},
            content=package,
            headers={"Content-Digest": f"sha-256=:{digest}:"},
        )
        assert sent.status_code == 200
        whole = {"sha256": hashlib.sha256(package).hexdigest()}
        assert sender.post("/v1/transfers", json={"upload": begun}).status_code == 409
        assert sender.post(f"/v1/uploads/{begun}/finish", json=whole).status_code == 200
        act = {"number": "A1", "decision_date": "2026-01-01", "nature": 1, "matiere": "1.1", "subject": "x"}
        assert sender.post("/v1/acts", json={**act, "document": {"upload": begun}}).status_code == 404
        handed = sender.post("/v1/transfers", json={"upload": begun})
        assert handed.status_code == 202
        again = sender.post("/v1/transfers", json={"upload": begun})
        assert (again.status_code, again.json()["id"]) == (200, handed.json()["id"])
        assert sender.post("/v1/transfers", json={"upload": begun, "de_trop": 1}).status_code == 422
    assert desk.run(handed.json()["id"]).state == "to_accept"


def uploaded(sender: httpx.Client, package: bytes) -> str:
    """Send a package in one piece, and return the upload that it makes."""
    upload = sender.post("/v1/uploads", json={"name": "v.zip", "size": len(package), "place": "transfers"}).json()["id"]
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    where, bears = {"upload": upload, "offset": 0}, {"Content-Digest": f"sha-256=:{digest}:"}
    assert sender.put("/v1/uploads/pieces", params=where, content=package, headers=bears).status_code == 200
    whole = {"sha256": hashlib.sha256(package).hexdigest()}
    assert sender.post(f"/v1/uploads/{upload}/finish", json=whole).status_code == 200
    return str(upload)


@pytest.mark.parametrize("more", [{"dry_run": True}, {}], ids=["dry run", "refused"])
def test_a_package_that_came_in_pieces_is_told_again_under_its_key_whatever_became_of_it(
    service: Service, desk: Desk, more: dict[str, bool]
) -> None:
    package, key = f"no package at all {more}".encode(), {"Idempotency-Key": f"pieces-{len(more)}"}
    with service.client(service.mairie.token) as sender:
        asked = {"upload": uploaded(sender, package), **more}
        first = sender.post("/v1/transfers", json=asked, headers=key)
        assert first.status_code == 202
        made = first.json()["id"]
        assert desk.run(made).state in {"tried", "rejected"}
        again = sender.post("/v1/transfers", json=asked, headers=key)
        assert (again.status_code, again.headers["Idempotent-Replay"], again.json()["id"]) == (200, "true", made)
        other = sender.post("/v1/transfers", json={"upload": uploaded(sender, package + b"!"), **more}, headers=key)
        assert (other.status_code, other.json()["existing"]) == (409, made)
        assert sender.post("/v1/transfers", json=asked).status_code == 409
