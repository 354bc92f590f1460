"""Acts over the API: sent with their files, followed to the State and back, answered for, cancelled, and nobody else's."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.v1.act_sending import LARGEST_BODY
from flows.actes.legality import months_later
from schemas.actes.messages import ARAnnulation
from tests.integration.api.acts_mairie import IN_FORCE, today
from tests.integration.api.acts_software import Software, paper
from tests.integration.api.service import UPLOAD_LIMIT, Service, pes
from tests.office import pdf

SUBJECT = "Tarifs de l’eau – année 2027"


@pytest.fixture(scope="module")
def town(service: Service) -> Software:
    return Software.of(service, "Commune de Sainte-Aurore", "214099905")


@pytest.fixture(scope="module")
def other(service: Service) -> Software:
    return Software.of(service, "Commune de Chanteloube", "214099913")


@pytest.fixture
def client(town: Software) -> Iterator[httpx.Client]:
    with town.client() as opened:
        yield opened


def said(act: str, **changes: str) -> dict[str, str]:
    day = (today() - timedelta(days=1)).isoformat()
    return {"number": act, "decision_date": day, "nature": "1", "matiere": "7.10", "subject": SUBJECT, **changes}


def send(client: httpx.Client, number: str, **changes: str) -> dict[str, Any]:
    sent = client.post("/v1/acts", data=said(number, **changes), files={"document": paper(number)})
    assert sent.status_code == 201, sent.text
    found: dict[str, Any] = sent.json()
    return found


def test_an_act_is_sent_with_its_annexes_their_types_and_a_detached_signature(client: httpx.Client) -> None:
    files = [
        ("annexes", paper("rapport", "Rapport été.pdf")),
        ("annexes", ("plan.png", io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(20)), "image/png")),
        ("annexes_signature", ("", io.BytesIO(b""), "application/octet-stream")),
        ("annexes_signature", ("plan.p7s", io.BytesIO(b"0\x82..."), "application/pkcs7-signature")),
        ("document", paper("délibération", "délibération.pdf")),
    ]
    sent = client.post("/v1/acts", data={**said("A_1"), "annexes_type": ["21_RP", ""], "paper": "true"}, files=files)
    assert sent.status_code == 201, sent.text
    line = sent.json()
    assert sent.headers["location"] == f"/v1/acts/{line['id']}"
    day = (today() - timedelta(days=1)).strftime("%Y%m%d")
    assert (line["id_acte"], line["state"], line["number"]) == (f"040-214099905-{day}-A_1-DE", "received", "A_1")
    assert line["nature"] == {"code": 1, "abbreviation": "DE", "label": "Délibérations"}
    assert line["subject"] == SUBJECT
    listed = client.get(f"/v1/acts/{line['id']}/files").json()["files"]
    told = [(one["role"], one["name"], one["type"], one["label"]) for one in listed]
    assert told == [
        ("document", "délibération.pdf", "99_DE", "Acte"),
        ("annex.1", "Rapport été.pdf", "21_RP", "Annexe 1"),
        ("annex.2", "plan.png", "99_DE", "Annexe 2"),
        ("annex.2.signature", "plan.p7s", None, "Signature détachée\u00a0: Annexe 2"),
    ]
    assert client.get(listed[0]["href"]).content == pdf("délibération")
    assert client.get(f"/v1/acts/{line['id']}").json()["paper"] is True


def test_the_same_act_sent_again_is_the_same_dossier_and_a_key_is_bound_to_its_content(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "acte-2"}
    first = client.post("/v1/acts", data=said("A_2"), files={"document": paper("deux")}, headers=key)
    again = client.post("/v1/acts", data=said("A_2"), files={"document": paper("deux")}, headers=key)
    assert (first.status_code, again.status_code, again.headers.get("idempotent-replay")) == (201, 200, "true")
    assert first.json()["id"] == again.json()["id"]
    assert "idempotent-replay" not in first.headers
    other = client.post("/v1/acts", data=said("A_2B"), files={"document": paper("autre")}, headers=key)
    assert (other.status_code, other.json()["existing"]) == (409, first.json()["id"])
    taken = client.post("/v1/acts", data=said("A_2"), files={"document": paper("troisième")})
    assert (taken.status_code, taken.json()["existing"]) == (409, first.json()["id"])


def test_a_key_that_served_otherwise_is_what_is_refused_and_not_the_number(client: httpx.Client) -> None:
    file = {"document": paper("quatre-vingts")}
    elsewhere, here = {"Idempotency-Key": "autre-flux"}, {"Idempotency-Key": "acte-80"}
    assert client.post("/v1/dossiers", data={"flow": "helios"}, files=file, headers=elsewhere).status_code == 201
    assert client.post("/v1/acts", data=said("A_80"), files=file, headers=here).status_code == 201
    for number, changed, key in (("A_81", {}, elsewhere), ("A_81", {}, here), ("A_80", {"publish": "true"}, here)):
        refused = client.post("/v1/acts", data=said(number, **changed), files=file, headers=key)
        assert refused.status_code == 409
        assert "clé d’idempotence" in refused.json()["detail"]


def test_the_files_of_an_act_may_come_by_resumable_uploads(town: Software, client: httpx.Client) -> None:
    names = ("acte.pdf", "annexe.pdf", "annexe.p7s")
    document, annex, signature = (town.upload(client, name, pdf(name)) for name in names)
    body = {
        **said("A_3"),
        "nature": 1,
        "document": {"upload": document},
        "annexes": [{"upload": annex, "type": "22_DP", "signature": signature}],
    }
    key = {"Idempotency-Key": "acte-3"}
    sent = client.post("/v1/acts", json=body, headers=key)
    assert sent.status_code == 201, sent.text
    files = client.get(f"/v1/acts/{sent.json()['id']}/files").json()["files"]
    assert [(one["name"], one["type"]) for one in files] == [("acte.pdf", "99_DE"), ("annexe.pdf", "22_DP"), ("annexe.p7s", None)]
    again = client.post("/v1/acts", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, sent.json()["id"])
    used = client.post("/v1/acts", json={**body, "number": "A_3B"})
    assert used.status_code == 409
    half = client.post("/v1/uploads", json={"name": "moitié.pdf", "size": 10}).json()["id"]
    assert client.post("/v1/acts", json={**body, "number": "A_3C", "document": {"upload": half}}).status_code == 409


def test_everything_that_does_not_fit_is_told_at_once_as_problems(client: httpx.Client) -> None:
    wrong = said("A_4", decision_date="20/11/2026", nature="9", matiere="sept")
    refused = client.post("/v1/acts", data=wrong, files={"document": paper("quatre")})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert {problem["path"] for problem in refused.json()["problems"]} == {"body.decision_date", "body.nature", "body.matiere"}
    assert all(problem["mend"] for problem in refused.json()["problems"])


@pytest.mark.parametrize(
    ("changes", "files", "words"),
    [
        ({}, {}, "document principal"),
        ({}, {"document": ("vide.pdf", b"", "application/pdf")}, "vide.pdf"),
        ({"type": "99-DE"}, {"document": ("a.pdf", b"%PDF-", "application/pdf")}, "99-DE"),
        ({"annexes_type": "99_AU"}, {"document": ("a.pdf", b"%PDF-", "application/pdf")}, "annexe"),
        ({"number": "minuscule_a"}, {"document": ("a.pdf", b"%PDF-", "application/pdf")}, "minuscule_a"),
        ({"previous": "2025_118"}, {"document": ("a.pdf", b"%PDF-", "application/pdf")}, "2025_118"),
        ({"surprise": "1"}, {"document": ("a.pdf", b"%PDF-", "application/pdf")}, "surprise"),
        ({}, {"surprise": ("a.pdf", b"%PDF-", "application/pdf")}, "surprise"),
    ],
    ids=["no document", "empty file", "no typology", "type of nothing", "number", "previous", "unknown field", "unknown file"],
)
def test_a_form_that_cannot_be_meant_is_refused_in_words(
    client: httpx.Client, changes: dict[str, str], files: dict[str, tuple[str, bytes, str]], words: str
) -> None:
    sent = files or {"annexes": ("a.pdf", b"%PDF-", "application/pdf")}
    refused = client.post("/v1/acts", data=said("A_5", **changes), files=sent)
    assert refused.status_code == 400, refused.text
    assert words in refused.json()["detail"]


def test_what_the_check_refuses_is_told_with_the_act(town: Software, client: httpx.Client) -> None:
    act = client.post(
        "/v1/acts", data=said("A_6", matiere="9.99"), files={"document": ("a.pdf", b"PK\x03\x04", "application/pdf")}
    )
    assert town.checked(act.json()["id"]) == "rejected"
    shown = client.get(f"/v1/acts/{act.json()['id']}").json()
    assert {"R23", "R32"} <= {problem["rule"] for problem in shown["problems"]}
    assert all(problem["message"] and problem["mend"] for problem in shown["problems"])
    assert (shown["state"], shown["ended"], shown["control"]) == ("rejected", True, None)
    send(client, "A_6")  # its number is free again


def test_an_act_is_followed_to_the_state_and_its_control_is_counted_and_told(town: Software, client: httpx.Client) -> None:
    act = send(client, "A_7")["id"]
    town.acknowledged(act)
    shown = client.get(f"/v1/acts/{act}").json()
    assert (shown["state"], shown["received_by_state"], shown["classification_date"]) == (
        "acknowledged",
        today().isoformat(),
        IN_FORCE.isoformat(),
    )
    ends = months_later(today(), 2)
    control = shown["control"]
    assert (control["phase"], control["ends"], control["days_left"]) == ("running", ends.isoformat(), (ends - today()).days)
    assert f"encore {(ends - today()).days}\u00a0jours" in control["label"]
    assert [turn["kind"] for turn in control["turns"]] == ["received"]
    assert [(one["code"], one["outgoing"], one["state"]) for one in shown["messages"]] == [
        ("1-1", True, "sent"),
        ("1-2", False, "received"),
    ]
    assert [one["role"] for one in shown["messages"][0]["files"]] == ["message", "document", "archive"]
    receipt = client.get(shown["links"]["acknowledgement"])
    assert b"ARActe" in receipt.content
    assert shown["messages"][1]["files"][0]["sha256"] in {
        one["sha256"] for one in client.get(f"/v1/acts/{act}/files").json()["files"]
    }
    english = client.get(f"/v1/acts/{act}", headers={"Accept-Language": "en"}).json()
    assert english["control"]["label"].startswith("The control of legality runs until")


def test_a_letter_is_answered_once_and_stops_the_clock_until_then(town: Software, client: httpx.Client) -> None:
    act = send(client, "A_8")["id"]
    town.acknowledged(act)
    town.mairie.letter(act, "3-1", "Transmettez le plan.")
    shown = client.get(f"/v1/acts/{act}").json()
    letter = next(one for one in shown["messages"] if one["code"] == "3-1")
    assert (letter["answers"], letter["reason"], letter["label"]) == (
        ["3-4", "3-3"],
        "Transmettez le plan.",
        "Demande de pièces complémentaires",
    )
    assert [one["media_type"] for one in letter["files"]] == ["application/xml", "application/pdf"]
    assert (shown["control"]["phase"], shown["control"]["answer_by"]) == ("interrupted", months_later(today(), 2).isoformat())
    where = f"/v1/acts/{act}/replies"
    two = [("documents", paper("plan", "plan.pdf")), ("documents", paper("coupe", "coupe.pdf"))]
    wrong = client.post(where, data={"letter": letter["id"], "code": "4-3"}, files=two[:1])
    assert wrong.status_code == 400
    several = client.post(where, data={"letter": letter["id"], "code": "3-3"}, files=two)
    assert several.status_code == 400
    unfit = {"documents": ("plan.docx", b"PK\x03\x04", "application/octet-stream")}
    refused = client.post(where, data={"letter": letter["id"], "code": "3-4"}, files=unfit)
    assert (refused.status_code, refused.json()["problems"][0]["rule"]) == (422, "R23")
    asked = client.post(where, data={"letter": letter["id"], "code": "3-4", "documents_type": ["22_DP", ""]}, files=two)
    assert asked.status_code == 201, asked.text
    assert (asked.json()["code"], asked.json()["state"], asked.json()["answers_to"]) == ("3-4", "to_send", letter["id"])
    again = client.post(where, data={"letter": letter["id"], "code": "3-3"}, files=two[:1])
    assert again.status_code == 409
    town.answered(act)
    shown = client.get(f"/v1/acts/{act}").json()
    answer = next(one for one in shown["messages"] if one["code"] == "3-4")
    assert (answer["state"], [(one["name"], one["type"]) for one in answer["files"]][1:3]) == (
        "sent",
        [("plan.pdf", "22_DP"), ("coupe.pdf", "99_DE")],
    )
    town.mairie.close(act, "3-5")
    control = client.get(f"/v1/acts/{act}").json()["control"]
    assert (control["phase"], len(control["turns"])) == ("running", 3)


def test_an_answer_may_come_by_uploads_and_only_to_a_letter_of_that_act(town: Software, client: httpx.Client) -> None:
    act, stray = send(client, "A_9")["id"], send(client, "A_9B")["id"]
    for one in (act, stray):
        town.acknowledged(one)
    letter = town.mairie.letter(act, "2-1", "Pour information")
    body = {"letter": letter.id, "code": "2-2", "documents": [{"upload": town.upload(client, "reponse.pdf", pdf("réponse"))}]}
    assert client.post(f"/v1/acts/{stray}/replies", json=body).status_code == 404
    asked = client.post(f"/v1/acts/{act}/replies", json=body)
    assert (asked.status_code, asked.json()["code"]) == (201, "2-2")
    assert client.post(f"/v1/acts/{act}/replies", json={**body, "code": "9-9"}).status_code == 422


def test_a_transmission_is_cancelled_once_and_only_after_it_was_acknowledged(town: Software, client: httpx.Client) -> None:
    act = send(client, "A_10")["id"]
    assert client.post(f"/v1/acts/{act}/cancellation").status_code == 409
    town.acknowledged(act)
    asked = client.post(f"/v1/acts/{act}/cancellation")
    assert (asked.status_code, asked.json()["code"], asked.json()["state"]) == (201, "6-1", "to_send")
    assert client.post(f"/v1/acts/{act}/cancellation").status_code == 409
    town.answered(act)
    town.mairie.state_says(_cancelled(town, act))
    shown = client.get(f"/v1/acts/{act}").json()
    assert (shown["state"], shown["control"]["phase"]) == ("withdrawn", "cancelled")
    assert [one["code"] for one in shown["messages"]] == ["1-1", "1-2", "6-1", "6-2"]


def _cancelled(town: Software, act: str) -> ARAnnulation:
    return ARAnnulation(town.mairie.dossier(act).facts["id_acte"], today())


def test_acts_are_listed_by_pages_and_by_what_is_said_of_them(service: Service) -> None:
    town = Software.of(service, "Commune de Pierrefeu", "214099921")
    with town.client() as client:
        made = [send(client, f"L_{rank}", nature=str(1 + rank % 2), subject=f"Objet {rank}")["id"] for rank in range(5)]
        town.mairie.stand(made[0], "sent")
        first = client.get("/v1/acts", params={"limit": 2}).json()
        assert (first["total"], first["total_exact"]) == (5, True)
        second = client.get("/v1/acts", params={"limit": 2, "cursor": first["next"]}).json()
        third = client.get("/v1/acts", params={"limit": 2, "cursor": second["next"]}).json()
        walked = [one["id"] for page in (first, second, third) for one in page["acts"]]
        assert (walked, third["next"]) == (list(reversed(made)), None)

        def numbers(**wanted: Any) -> set[str]:
            return {one["number"] for one in client.get("/v1/acts", params=wanted).json()["acts"]}

        assert numbers(state="sent") == {"L_0"}
        assert numbers(state=["sent", "received"], nature=2) == {"L_1", "L_3"}
        assert numbers(number="L_4") == {"L_4"}
        assert numbers(number="L") == set()
        assert numbers(q="objet 3") == numbers(q="ÓBJET 3") == {"L_3"}
        yesterday = today() - timedelta(days=1)
        assert numbers(decided_from=yesterday, decided_to=yesterday) == {"L_0", "L_1", "L_2", "L_3", "L_4"}
        assert numbers(decided_from=today()) == numbers(decided_to=date(2020, 1, 1)) == set()
        assert numbers(organisation=town.organisation.siren) == {"L_0", "L_1", "L_2", "L_3", "L_4"}
        assert client.get("/v1/acts", params={"nature": 7}).status_code == 422


def test_a_dossier_of_another_flow_is_no_act(client: httpx.Client) -> None:
    form = {"flow": "helios"}
    deposited = client.post("/v1/dossiers", data=form, files={"document": ("a.xml", pes("PESALR2_21409990500017_77"))})
    assert deposited.status_code == 201, deposited.text
    other = deposited.json()["id"]
    assert client.get(f"/v1/acts/{other}").status_code == 404
    assert client.get(f"/v1/acts/{other}/files").status_code == 404
    assert client.post(f"/v1/acts/{other}/cancellation").status_code == 404
    assert client.post(f"/v1/acts/{other}/replies", data={"letter": "0" * 26, "code": "2-2"}).status_code == 404


def test_the_classification_is_given_and_searched_and_awaited_where_there_is_none(service: Service, client: httpx.Client) -> None:
    whole = client.get("/v1/acts/classification").json()
    assert whole["version"] == IN_FORCE.isoformat()
    types = {one["abbreviation"]: [kind["code"] for kind in one["types"]] for one in whole["natures"]}
    assert types["DE"][:2] == ["99_DE", "21_RP"]
    assert "7.10" in {one["code"] for one in whole["matieres"]}
    found = client.get("/v1/acts/classification", params={"q": "fiscalite"}).json()["matieres"]
    assert [one["labels"] for one in found] == [["Finances locales", "Fiscalité"]]
    assert client.get("/v1/acts/classification", params={"q": "7.1"}).json()["matieres"][0]["code"] == "7.1"
    unconnected = Software.of(service, "Commune sans classification", "214099939", connected=False)
    with unconnected.client() as alone:
        assert alone.get("/v1/acts/classification").status_code == 404
        assert alone.get("/v1/acts/classification", params={"organisation": "214099905"}).status_code == 404


def test_an_act_that_is_too_large_is_refused_before_it_is_read(service: Service, town: Software, client: httpx.Client) -> None:
    address = urlsplit(service.address)
    head = (
        f"POST /v1/acts HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {town.tokens['software']}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as line:
        line.sendall(head.encode())  # and not one octet of the body
        answer = line.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 413")
    one = client.post(
        "/v1/acts", data=said("A_11"), files={"document": ("gros.pdf", b"%PDF-" + bytes(UPLOAD_LIMIT), "application/pdf")}
    )
    assert one.status_code == 413


def test_each_right_opens_what_it_says_and_nothing_more(town: Software, client: httpx.Client) -> None:
    act = send(client, "A_12")["id"]
    town.acknowledged(act)
    with town.client("reader") as reader:
        assert reader.get(f"/v1/acts/{act}").status_code == 200
        assert reader.post("/v1/acts", data=said("A_13"), files={"document": paper("x")}).status_code == 403
        assert reader.post(f"/v1/acts/{act}/cancellation").status_code == 403
        assert reader.post(f"/v1/acts/{act}/replies", data={"letter": "0" * 26, "code": "2-2"}).status_code == 403
    with town.client("depositor") as depositor:
        assert depositor.get(f"/v1/acts/{act}").status_code == 404
        assert depositor.get("/v1/acts").json()["acts"] == []
        assert depositor.post("/v1/acts", data=said("A_14"), files={"document": paper("y")}).status_code == 201
        assert depositor.post(f"/v1/acts/{act}/cancellation").status_code == 201
    with town.client("signatory") as signatory:
        assert signatory.get(f"/v1/acts/{act}").status_code == 404
        assert signatory.post(f"/v1/acts/{act}/cancellation").status_code == 403


def test_nobody_sees_or_touches_the_acts_of_others(town: Software, other: Software, client: httpx.Client) -> None:
    act = send(client, "A_15")["id"]
    town.acknowledged(act)
    letter = town.mairie.letter(act, "2-1", "Confidentiel").id
    mine = client.get(f"/v1/acts/{act}/files").json()["files"][0]["id"]
    theirs = town.upload(client, "a.pdf", pdf("a"))
    with other.client() as stranger:
        for path in (f"/v1/acts/{act}", f"/v1/acts/{act}/files", f"/v1/acts/{act}/files/{mine}"):
            assert stranger.get(path).status_code == 404
        assert stranger.post(f"/v1/acts/{act}/cancellation").status_code == 404
        answer = stranger.post(f"/v1/acts/{act}/replies", data={"letter": letter, "code": "2-2"}, files={"documents": paper("r")})
        assert answer.status_code == 404
        named = stranger.post("/v1/acts", data=said("A_16", organisation="214099905"), files={"document": paper("z")})
        assert named.status_code == 404
        asked = stranger.post("/v1/acts", params={"organisation": "214099905"}, data=said("A_16"), files={"document": paper("z")})
        assert asked.status_code == 404
        taken = stranger.post("/v1/acts", json={**said("A_16"), "nature": 1, "document": {"upload": theirs}})
        assert taken.status_code == 404
        own = send(stranger, "A_15")["id"]
        assert stranger.get(f"/v1/acts/{own}/files/{mine}").status_code == 404
        assert "A_1" not in {one["number"] for one in stranger.get("/v1/acts").json()["acts"]}


def test_the_api_documents_how_acts_are_sent(client: httpx.Client) -> None:
    document = client.get("/v1/openapi.json").json()
    body = document["paths"]["/v1/acts"]["post"]["requestBody"]["content"]
    form = body["multipart/form-data"]["schema"]
    assert {"number", "decision_date", "nature", "matiere", "subject", "document"} == set(form["required"])
    assert {"annexes", "annexes_type", "annexes_signature", "signature", "type"} <= set(form["properties"])
    assert body["application/json"]["schema"]["properties"]["annexes"]["items"]["properties"]["upload"]["pattern"]
    assert "$ref" not in str(body)
    assert client.get("/v1/docs").status_code == 200
