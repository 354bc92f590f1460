"""Tracked mails over the API: written, sent, followed, mended and proved by software, which is told each rule that it breaks."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from archive.proof import heads
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile
from flows.mail.models import MailAnswer
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.integration.api.mails_office import MailsOffice
from tests.office import pdf

FIELDS = {"subject": "Avis de passage", "body": "Bonjour,\n\nVeuillez trouver l’avis.", "sender": "Service des eaux"}
SECRET = "quarante-deux clochers"


@pytest.fixture
def office(software_office: MailsOffice) -> MailsOffice:
    return software_office


@pytest.fixture
def client(office: MailsOffice) -> Iterator[httpx.Client]:
    with office.service.client(office.service.mairie.token) as opened:
        yield opened


def to(*addresses: str, **more: Any) -> list[dict[str, Any]]:
    return [{"address": one, "name": one.partition("@")[0].title(), **more} for one in addresses]


def form(told: dict[str, Any], *names: str) -> list[tuple[str, Any]]:
    """A form whose files come before what is said of them."""
    files = [("document", (name, io.BytesIO(pdf(name) + b" " * 300_000), "application/pdf")) for name in names]
    return [*files, ("mail", (None, json.dumps(told), "application/json"))]


def written(client: httpx.Client, told: dict[str, Any], *names: str, **headers: str) -> httpx.Response:
    return client.post("/v1/mails", files=form({**FIELDS, **told}, *names), headers=headers)


def uploaded(client: httpx.Client, name: str, octets: bytes) -> str:
    begun = client.post("/v1/uploads", json={"name": name, "size": len(octets)}).json()["id"]
    digest = hashlib.sha256(octets)
    told = {"Content-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"}
    client.put("/v1/uploads/pieces", params={"upload": begun, "offset": 0}, content=octets, headers=told)
    assert client.post(f"/v1/uploads/{begun}/finish", json={"sha256": digest.hexdigest()}).status_code == 200
    return str(begun)


def how_many(office: MailsOffice) -> int:
    with office.service.platform.database.reading(PLATFORM) as session:
        return len(session.exec(select(Dossier.id).where(Dossier.flow == "mail")).all())


def test_a_draft_is_written_once_changed_as_a_whole_sent_and_another_given_up(office: MailsOffice, client: httpx.Client) -> None:
    told = {"recipients": to("max@elus.test", password=SECRET), "groups": [office.group], "kind": "secured"}
    first = written(client, told, "avis.pdf", "plan.pdf", **{"Idempotency-Key": "avis-1"})
    assert first.status_code == 201, first.text
    line = first.json()
    assert (line["standing"], line["label"], line["recipients"]) == ("draft", "Brouillon", 4)
    again = written(client, told, "avis.pdf", "plan.pdf", **{"Idempotency-Key": "avis-1"})
    assert (again.status_code, again.headers["idempotent-replay"], again.json()["id"]) == (200, "true", line["id"])
    other = written(client, {**told, "subject": "Autre"}, "avis.pdf", "plan.pdf", **{"Idempotency-Key": "avis-1"})
    assert (other.status_code, other.json()["existing"]) == (409, line["id"])

    whole = client.get(line["href"]).json()
    assert [one["name"] for one in whole["files"]] == ["avis.pdf", "plan.pdf"]
    assert (whole["to"][0]["address"], whole["to"][0]["password"]) == ("max@elus.test", True)
    assert whole["to"][1]["source"].startswith("contact:")
    upload = uploaded(client, "note.pdf", pdf("note"))
    stays = whole["files"][1]["id"]
    change = {**FIELDS, "subject": "Avis corrigé", "recipients": to("max@elus.test", place="cc")}
    change["documents"] = [{"upload": upload}, {"file": stays}]
    changed = client.put(line["href"], json=change)
    assert changed.status_code == 200, changed.text
    mended = client.get(line["href"]).json()
    assert [one["name"] for one in mended["files"]] == ["note.pdf", "plan.pdf"]
    (only,) = mended["to"]
    assert (only["id"], only["place"], only["password"]) == (whole["to"][0]["id"], "cc", True)  # who stays keeps both
    assert client.put(line["href"], json={**change, "documents": [{"file": line["id"]}]}).status_code == 404

    assert client.post(mended["links"]["send"]).json()["standing"] == "checking"
    assert client.put(line["href"], json={**FIELDS, "recipients": to("max@elus.test")}).status_code == 409
    assert client.delete(line["href"]).status_code == 409
    spare = written(client, {}).json()
    assert client.delete(spare["href"]).status_code == 204
    shown = client.get("/v1/mails", params={"limit": 200}).json()["mails"]
    assert line["id"] in {one["id"] for one in shown} and spare["id"] not in {one["id"] for one in shown}


def test_what_breaks_a_rule_is_told_with_its_number_and_nothing_is_kept(office: MailsOffice, client: httpx.Client) -> None:
    before = how_many(office)

    def rules(told: dict[str, Any], *names: str, key: str = "fautif") -> list[str]:
        refused = written(client, told, *names, **{"Idempotency-Key": key})
        assert refused.status_code == 422, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        return [one["rule"] for one in refused.json()["problems"]]

    assert rules({"recipients": to("ne va pas")}) == ["M01"]
    assert rules({"recipients": to("a@elus.test", "A@elus.test")}) == ["M01"]
    assert rules({"recipients": to("a@elus.test", password="court")}) == ["M04"]
    assert rules({"send": True}) == ["M01"]
    assert rules({"send": True, "recipients": to("a@elus.test"), "body": "", "subject": "Lettre recommandée"}) == ["M02", "M07"]
    assert rules({"send": True, "recipients": to("a@elus.test"), "kind": "notification"}) == ["M06"]
    assert rules({"send": True, "recipients": to("a@elus.test")}, "virus.exe") == ["M03"]
    assert rules({"recipients": [{"address": "a@elus.test", "shape": "ronde"}]}) == ["HTTP"]
    assert rules({"recipients": [{"address": f"a{n}@elus.test", "password": f"{SECRET} {n}"} for n in range(51)]}) == ["HTTP"]
    assert client.post("/v1/mails", files=[("autre", (None, "{}"))]).status_code == 400
    assert (
        client.post("/v1/mails", content=b" " * ((1 << 20) + 1), headers={"Content-Type": "application/json"}).status_code == 413
    )
    assert how_many(office) == before
    # The key is free: what was refused has not used it.
    sent = written(client, {"send": True, "recipients": to("a@elus.test")}, "a.pdf", **{"Idempotency-Key": "fautif"})
    assert (sent.status_code, sent.json()["standing"]) == (201, "checking")


def timestamped(office: MailsOffice, folder: Path) -> None:
    """Have the journal timestamped as it is."""
    authority = TsaSimulator(folder / "tsa")
    authority.start()
    (folder / "trust").mkdir()
    (folder / "trust/tsa.pem").write_bytes(authority.anchor.public_bytes(Encoding.PEM))
    trust = TrustStore.from_folder(folder / "trust")
    heads.cut(office.service.platform, TimestampClient(AuthoritySettings(urls=[authority.url]), trust))
    authority.stop()


def test_a_mail_sent_at_once_is_followed_mended_cancelled_and_proved(
    office: MailsOffice, client: httpx.Client, tmp_path: Path
) -> None:
    people = [*to("zoe@elus.test", password=SECRET), *to("refused.ana@elus.test", "bo@elus.test")]
    told = {"send": True, "recipients": people}
    begun = written(client, told, "avis.pdf", **{"Idempotency-Key": "envoi"}).json()
    assert written(client, told, "avis.pdf", **{"Idempotency-Key": "envoi"}).status_code == 200
    early = client.post(f"{begun['href']}/cancellation", json={"reason": "Erreur de date"})
    assert early.status_code == 409
    office.leave(begun["id"])
    assert len(office.sink.to("zoe@elus.test")) == 1
    (line,) = client.get("/v1/mails", params={"q": "zoe@elus.test", "standing": "sent"}).json()["mails"]
    assert (line["id"], line["recipients"], line["failed"], line["sender"]) == (begun["id"], 3, 1, "Service des eaux")
    whole = client.get(line["href"]).json()
    zoe, ana, bo = whole["to"]
    assert [one["state"] for one in whole["to"]] == ["handed", "failed", "handed"]
    assert "(550)" in ana["trouble"]
    download = client.get(whole["files"][0]["href"])
    assert hashlib.sha256(download.content).hexdigest() == whole["files"][0]["sha256"]

    assert client.post(zoe["links"]["again"]).status_code == 200
    assert client.put(ana["links"]["address"], json={"address": "bo@elus.test"}).status_code == 400
    mended = client.put(ana["links"]["address"], json={"address": "ana@elus.test"}).json()
    assert (mended["address"], mended["state"]) == ("ana@elus.test", "waiting")
    weak = client.put(zoe["links"]["password"], json={"password": "111111"})
    assert (weak.status_code, weak.json()["problems"][0]["rule"]) == (422, "M04")
    assert client.put(zoe["links"]["password"], json={"password": "autre phrase longue"}).json()["password"] is True
    assert client.post(bo["links"]["revocation"]).json()["state"] == "revoked"
    extra: list[tuple[str, Any]] = [
        ("addition", (None, '{"tell": true}')),
        ("document", ("annexe.pdf", pdf("annexe"))),
    ]
    key = {"Idempotency-Key": "annexe-1"}
    added, again = (client.post(whole["links"]["documents"], files=extra, headers=key) for _ in range(2))
    assert (added.status_code, again.status_code, again.headers["idempotent-replay"]) == (201, 200, "true")
    assert client.post(whole["links"]["documents"], files=[("document", ("b.pdf", pdf("b")))], headers=key).status_code == 409
    assert client.post(whole["links"]["documents"], files=extra[:1]).status_code == 400
    office.sending.post()
    assert len(office.sink.to("zoe@elus.test")) == 3  # the notice, once more, and the addition
    assert len(office.sink.to("ana@elus.test")) == 1
    other = client.post(f"/v1/mails/{client.get('/v1/mails').json()['mails'][-1]['id']}/recipients/{zoe['id']}/again")
    assert other.status_code == 404  # a recipient of another mail

    cancelled = client.post(whole["links"]["cancellation"], json={"reason": "Erreur de date"})
    assert (cancelled.status_code, cancelled.json()["standing"]) == (200, "cancelled")
    steps = client.get(whole["links"]["timeline"]).json()["steps"]
    kinds = [one["kind"] for one in steps]
    assert {"submission_acceptance", "relay_to_non_erds", "relay_to_non_erds_failure", "sent_again", "address_mended"} <= set(
        kinds
    )
    assert {"password_replaced", "link_revoked", "document_added", "send_cancelled"} <= set(kinds)
    assert next(one for one in steps if one["kind"] == "sent_again")["recipient"] == zoe["id"]
    assert SECRET not in json.dumps(steps)
    pages = [client.get(whole["links"]["timeline"], params={"limit": 3}).json()]
    while pages[-1]["next"]:
        pages.append(client.get(whole["links"]["timeline"], params={"limit": 3, "cursor": pages[-1]["next"]}).json())
    assert [one for page in pages for one in page["steps"]] == steps
    assert {(page["total"], page["total_exact"]) for page in pages} == {(len(steps), True)}
    assert client.delete(f"{line['href']}/content").status_code == 409
    assert client.get(whole["links"]["proof"]).status_code == 503  # no head of the journal was timestamped yet
    assert client.get(written(client, {}).json()["href"] + "/proof").status_code == 409
    timestamped(office, tmp_path)
    proof = client.get(bo["links"]["proof"])
    assert (proof.status_code, proof.headers["content-type"]) == (200, "application/zip"), proof.text
    names = zipfile.ZipFile(io.BytesIO(proof.content)).namelist()
    assert {"LISEZ-MOI.txt", "SHA256SUMS", "releves/01.json"} <= set(names) and "releves/envoi.json" not in names
    assert client.get(f"{line['href']}/proof", params={"recipient": line["id"]}).status_code == 404


def test_answers_are_read_with_their_files_and_lists_go_page_by_page(office: MailsOffice, client: httpx.Client) -> None:
    sends = [office.mairie.mail(subject=f"Enquête {number}") for number in range(3)]
    recipient = office.mairie.recipient(sends[0])
    office.mairie.answer(recipient, "D’accord.")
    with office.service.platform.database.writing(PLATFORM) as session:
        blob = office.service.platform.objects.put(io.BytesIO(b"%PDF-signed"))
        values: dict[str, Any] = {"name": "signe.pdf", "media_type": "application/pdf", "sha256": blob.sha256, "size": blob.size}
        owner = office.mairie.organisation.id
        session.add(DossierFile(organisation_id=owner, dossier_id=sends[0], role="answer", **values))
        session.get_one(MailAnswer, recipient.id).files = [values]
    (answer,) = client.get(f"/v1/mails/{sends[0]}/answers").json()["answers"]
    assert (answer["text"], answer["recipient"], answer["files"][0]["name"]) == ("D’accord.", recipient.id, "signe.pdf")
    assert client.get(answer["files"][0]["href"]).content == b"%PDF-signed"
    (taken,) = client.get("/v1/mails", params={"q": "Enquête", "standing": "taken"}).json()["mails"]
    assert (taken["id"], taken["taken"]) == (sends[0], 1)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/v1/mails", params={"q": "Enquête", "limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found, cursor = [*found, *(one["id"] for one in page["mails"])], page["next"]
        assert (page["total"], page["total_exact"]) == (len(sends), True)
    assert found == sends[::-1]


def test_the_book_is_searched_and_kept(office: MailsOffice, client: httpx.Client) -> None:
    added = client.post("/v1/contacts", json={"address": "noemie@elus.test", "name": "Noémie Àubry"})
    assert added.status_code == 201, added.text
    contact = added.json()["id"]
    assert client.post("/v1/contacts", json={"address": "NOEMIE@elus.test"}).status_code == 409
    assert [one["id"] for one in client.get("/v1/contacts", params={"q": "aubry noémie"}).json()["contacts"]] == [contact]
    changed = client.put(f"/v1/contacts/{contact}", json={"address": "noemie@elus.test", "name": "N. Aubry", "note": "Maire"})
    assert (changed.json()["name"], changed.json()["note"]) == ("N. Aubry", "Maire")
    assert client.delete(f"/v1/contacts/{contact}").status_code == 204
    assert client.delete(f"/v1/contacts/{office.council[0].id}").status_code == 409  # in a group
    (group,) = client.get("/v1/contact-groups").json()["groups"]
    assert (group["name"], group["members"], group["inherited"]) == ("Conseil municipal", 3, False)
    first = client.get("/v1/contacts", params={"limit": 2}).json()
    rest = client.get("/v1/contacts", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["name"] for one in first["contacts"] + rest["contacts"]] == ["Élodie Roy", "Lou Marchal", "Sacha Perrin"]
    assert [(one["total"], one["total_exact"]) for one in (first, rest)] == [(3, True)] * 2
    for cursor in ("x", base64.urlsafe_b64encode(b"[" * 2000).decode(), "W1siXHVkODAwIl0sICIiXQ"):
        assert client.get("/v1/contacts", params={"cursor": cursor}).status_code == 400


def test_who_only_reads_sends_nothing_who_only_deposits_reads_nothing_and_others_find_nothing(office: MailsOffice) -> None:
    service, kept = office.service, office.mairie.mail(subject="Pour nous")
    with (
        service.client(service.mairie.reader_token) as reader,
        service.client(service.mairie.depositor_token) as depositor,
        service.client(service.syndicat.token) as stranger,
    ):
        assert written(reader, {}).status_code == 403
        seen = reader.get(f"/v1/mails/{kept}").json()
        assert set(seen["links"]) == {"self", "timeline", "files", "answers", "proof"}
        assert set(seen["to"][0]["links"]) == {"proof"}
        assert reader.post(f"/v1/mails/{kept}/cancellation", json={"reason": "Non"}).status_code == 403
        assert reader.post("/v1/contacts", json={"address": "x@elus.test"}).status_code == 403
        assert written(depositor, {"recipients": to("x@elus.test")}).status_code == 201
        assert depositor.get("/v1/mails").json()["mails"] == []
        assert stranger.get(f"/v1/mails/{kept}").status_code == 404
        assert stranger.post(f"/v1/mails/{kept}/cancellation", json={"reason": "Non"}).status_code == 404
        assert written(stranger, {"organisation": office.mairie.organisation.id}).status_code == 404
        assert written(stranger, {"groups": [office.group]}).status_code == 404
