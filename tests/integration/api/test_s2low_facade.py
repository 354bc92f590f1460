"""Our acts behind the interface of S2LOW: what its clients send is taken, what they read is there, in their words and numbers."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.acts.gathering import AROUND, LARGEST
from core import clock
from schemas.actes.messages import ARAnnulation
from tests.integration.api.acts_mairie import today
from tests.integration.api.acts_software import Software, paper
from tests.integration.api.service import Service
from tests.office import pdf

MODULE = "/modules/actes"
SUBJECT = "Tarifs de l'eau à compter de l'été"


@dataclass(frozen=True)
class Client:
    """Software that speaks to the interface, as the client of one of its users."""

    http: httpx.Client

    def get(self, call: str, **query: Any) -> httpx.Response:
        return self.http.get(f"{MODULE}/{call}", params=query)

    def lines(self, call: str, **query: Any) -> list[str]:
        answer = self.get(call, **query)
        assert answer.headers["content-type"] == "text/plain; charset=ISO-8859-1"
        return answer.content.decode("iso-8859-1").splitlines()

    def json(self, call: str, **query: Any) -> Any:
        answer = self.get(call, **query)
        assert answer.headers["content-type"] == "application/json", answer.content
        return json.loads(answer.content.decode("ascii"))

    def post(self, call: str, fields: dict[str, Any], files: list[tuple[str, Any]] | None = None) -> list[str]:
        """Send a form whose texts are in ISO-8859-1, as historic clients do."""
        told = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
        parts = [(name, (None, str(value).encode("iso-8859-1"))) for name, value in told]
        answer = self.http.post(f"{MODULE}/{call}", files=[*parts, *(files or [])])
        assert answer.headers["content-type"] == "text/plain; charset=ISO-8859-1"
        return answer.content.decode("iso-8859-1").splitlines()

    def status(self, transaction: int | str) -> int:
        first, second = self.lines("actes_transac_get_status.php", transaction=transaction)[:2]
        assert first == "OK"
        return int(second)


@pytest.fixture(scope="module")
def town(service: Service) -> Software:
    return Software.of(service, "Commune de Montbrisel", "214099947")


@pytest.fixture(scope="module")
def other(service: Service) -> Software:
    return Software.of(service, "Commune de Valbonnette", "214099954")


@pytest.fixture
def client(town: Software) -> Iterator[Client]:
    with town.client() as http:
        yield Client(http)


def said(act: str, **changes: Any) -> dict[str, Any]:
    return {
        "api": 1,
        "nature_code": 1,
        "number": act,
        "subject": SUBJECT,
        "decision_date": (today() - timedelta(days=1)).isoformat(),
        "en_attente": 0,
        "document_papier": 0,
        "classif1": 7,
        "classif2": 10,
        "type_acte": "99_DE",
        **changes,
    }


def create(client: Client, act: str, files: list[tuple[str, Any]] | None = None, **changes: Any) -> int:
    ok, number = client.post("actes_transac_create.php", said(act, **changes), files or [("acte_pdf_file", paper(act))])
    assert ok == "OK", number
    return int(number)


def dossier(client: Client, act: str) -> str:
    """The dossier of an act, by its number, over the native API."""
    (found,) = client.http.get("/v1/acts", params={"number": act}).json()["acts"]
    return str(found["id"])


def acknowledged(town: Software, client: Client, act: str) -> tuple[int, str]:
    number = create(client, act)
    found = dossier(client, act)
    town.acknowledged(found)
    return number, found


def test_whoever_has_a_token_is_let_in_as_a_bearer_or_with_basic(service: Service, town: Software) -> None:
    token = town.tokens["software"]
    for header in (f"Bearer {token}", basic("pastell", token), basic("214099947", token), basic("pastell@214099947", token)):
        with service.client(Authorization=header) as http:
            assert http.get("/api/test-connexion.php").text == "OK\n"
            info = http.get("/api/info-connexion.php").json()
            assert (info["authority_info"]["siren"], info["authority_info"]["department"]) == ("214099947", "040")
            assert token not in json.dumps(info)


def basic(login: str, token: str) -> str:
    return f"Basic {base64.b64encode(f'{login}:{token}'.encode()).decode()}"


def test_nobody_else_is(service: Service, town: Software) -> None:
    token = town.tokens["software"]
    for header in ("", "Bearer tab_x_y", basic("pastell", "secret"), basic("214099954", token), "Basic ###", "Digest x"):
        with service.client(Authorization=header) as http:
            refused = http.get("/api/test-connexion.php")
            assert (refused.status_code, refused.text.splitlines()[0]) == (401, "KO")
            assert refused.headers["www-authenticate"].startswith("Basic")
            assert http.post(f"{MODULE}/actes_transac_create.php", data=said("X")).status_code == 401


def test_a_page_of_another_site_does_nothing_with_the_password_that_a_browser_remembers(town: Software) -> None:
    with town.client(**{"Sec-Fetch-Site": "cross-site"}) as http:
        refused = http.post(f"{MODULE}/actes_transac_cancel.php", data={"api": 1, "id": 1})
        assert (refused.status_code, refused.text.splitlines()[0]) == (403, "KO")


def test_an_act_is_taken_as_clients_send_it_and_its_status_followed(client: Client) -> None:
    files = [
        ("acte_pdf_file", paper("délibération", "deliberation.pdf")),
        ("acte_attachments[]", paper("plan", "plan.pdf")),
        ("acte_attachments[]", ("photo", io.BytesIO(b"\xff\xd8\xff\xe0" + bytes(30)), "image/jpeg")),
        ("acte_attachments_sign[]", ("", io.BytesIO(b""), "application/octet-stream")),
    ]
    number = create(client, "S_1", files, **{"type_pj[]": ["21_RP", "22_DP"], "document_papier": 1, "MAX_FILE_SIZE": 5})
    act = dossier(client, "S_1")
    shown = client.http.get(f"/v1/acts/{act}").json()
    assert (shown["subject"], shown["matiere"], shown["paper"], shown["nature"]["code"]) == (SUBJECT, "7.10", True, 1)
    kept = [(one["role"], one["type"], one["media_type"]) for one in client.http.get(f"/v1/acts/{act}/files").json()["files"]]
    assert kept == [
        ("document", "99_DE", "application/pdf"),
        ("annex.1", "21_RP", "application/pdf"),
        ("annex.2", "22_DP", "image/jpeg"),
    ]
    assert client.status(number) == 1
    assert client.lines("actes_transac_get_files_list.php", transaction=number)[0] == "KO"


@pytest.mark.parametrize("chunked", [False, True], ids=["stated length", "chunked"])
def test_a_document_of_some_size_is_read_as_it_comes(client: Client, chunked: bool) -> None:
    content = pdf("gros") + bytes(1 << 20)
    sent = client.http.build_request(
        "POST",
        f"{MODULE}/actes_transac_create.php",
        data={name: str(value) for name, value in said("S_17C" if chunked else "S_17S").items()},
        files={"acte_pdf_file": ("gros.pdf", content, "application/pdf")},
    )
    body = sent.read()
    pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    kind = {"Content-Type": sent.headers["content-type"]}
    answer = client.http.post(sent.url, content=pieces if chunked else body, headers=kind)
    ok, number = answer.text.splitlines()
    assert (answer.status_code, ok) == (200, "OK")
    act = dossier(client, "S_17C" if chunked else "S_17S")
    (kept,) = client.http.get(f"/v1/acts/{act}/files").json()["files"]
    assert kept["size"] == len(content)
    assert client.status(number) == 1
    cut = client.http.post(sent.url, content=body[:-40], headers=kind)
    assert cut.text.splitlines()[0] == "KO"


def test_an_act_reaches_the_state_and_its_acknowledgement_comes_with_the_status(town: Software, client: Client) -> None:
    number = create(client, "S_2")
    act = dossier(client, "S_2")
    town.packed(act)
    assert client.status(number) == 2
    town.mairie.stand(act, "uncertain")
    assert client.status(number) == 2
    town.mairie.stand(act, "sent")
    assert client.status(number) == 3
    assert client.lines("actes_transac_get_ARActe.php", transaction=number)[0] == "KO"
    second, _ = acknowledged(town, client, "S_2B")
    answer = client.get("actes_transac_get_status.php", transaction=second).content
    assert answer.startswith(b"OK\n4\n<?xml")
    # Where clients look for the date of receipt.
    place = answer.index(b"actes:DateReception") + 21
    assert answer[place : place + 10].decode() == today().isoformat()
    receipt = client.get("actes_transac_get_ARActe.php", transaction=second)
    assert (receipt.status_code, receipt.content) == (200, answer.removeprefix(b"OK\n4\n"))
    assert client.get("actes_transac_get_ARActe.php", id=second).content == receipt.content


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("received", 1),
        ("in_parapheur", 18),
        ("ready", 1),
        ("packed", 2),
        ("sent", 3),
        ("answering", 4),
        ("elapsed", 5),
        ("archived", 13),
        ("withdrawn", 0),
        ("cancelled", 0),
        ("declined", -1),
        ("refused", -1),
    ],
)
def test_each_state_is_told_by_its_status(town: Software, client: Client, state: str, status: int) -> None:
    act = f"S_3_{state.replace('_', '')[:9].upper()}"
    number = create(client, act)
    found = dossier(client, act)
    town.mairie.stand(found, state)
    assert client.status(number) == status


def test_what_is_wrong_with_an_act_comes_with_the_status(town: Software, client: Client) -> None:
    number = create(client, "S_4", classif1=9, classif2=99)
    assert town.checked(dossier(client, "S_4")) == "rejected"
    ok, status, *words = client.lines("actes_transac_get_status.php", transaction=number)
    assert (ok, status) == ("OK", "-1")
    assert "9.99" in " ".join(words)


def test_the_files_of_an_act_are_listed_and_given(town: Software, client: Client) -> None:
    content = pdf("délibération S_5")
    files = [
        ("acte_pdf_file", ("délibération.pdf", io.BytesIO(content), "application/pdf")),
        ("acte_attachments[]", paper("annexe S_5", "annexe.pdf")),
    ]
    number = create(client, "S_5", files, **{"type_pj[]": ["21_RP"]})
    town.acknowledged(dossier(client, "S_5"))
    listed = client.json("actes_transac_get_files_list.php", transaction=number)
    day = (today() - timedelta(days=1)).strftime("%Y%m%d")
    base = f"040-214099947-{day}-S_5-DE-1-1"
    assert [one["name"] for one in listed] == [f"{base}_0.xml", f"99_DE-{base}_1.pdf", f"21_RP-{base}_2.pdf"]
    assert [one["posted_filename"] for one in listed] == [f"{base}_0.xml", "délibération.pdf", "annexe.pdf"]
    assert [one["mimetype"] for one in listed] == ["application/xml", "application/pdf", "application/pdf"]
    assert [one["code_pj"] for one in listed] == [None, "99_DE", "21_RP"]
    message = client.get("actes_download_file.php", file=listed[0]["id"])
    assert b"<actes:Acte" in message.content
    assert len(message.content) == int(listed[0]["size"])
    assert client.get("actes_download_file.php", file=listed[1]["id"]).content == content
    stamped = client.get("actes_download_file.php", file=listed[1]["id"], tampon="true")
    assert stamped.content.startswith(content)  # the original, and an increment with the stamp
    assert len(stamped.content) > len(content)
    assert client.get("actes_transac_get_tampon.php", transaction=number).content == stamped.content
    wrong = client.get("actes_download_file.php", file=listed[1]["id"], tampon="true", date_affichage="demain")
    assert wrong.text.splitlines()[0] == "KO"
    assert client.get("actes_download_file.php", file=int(listed[2]["id"]) + 1).status_code == 404


@pytest.mark.parametrize(
    "call",
    [
        "actes_transac_post_confirm_api.php",
        "actes_transac_post_confirm_api_multi.php",
    ],
)
def test_what_is_not_done_here_is_said_and_never_passed_over(client: Client, call: str) -> None:
    answer = client.get(call, transaction=1, trans_id=1, id=1)
    ko, words = answer.content.decode("iso-8859-1").splitlines()
    assert (answer.status_code, ko) == (404, "KO")
    assert words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"en_attente": 1}, "en_attente"),
        ({"must_signed": 1}, "must_signed"),
        ({"broadcast_email[]": ["a@b.fr"]}, "broadcast_email"),
        ({"batchfile": 12}, "batchfile"),
        ({"nature_code": 9}, "nature"),
        ({"nature_code": ""}, "nature"),
        ({"number": "minuscule"}, "minuscule"),
        ({"decision_date": "20/11/2026"}, "date"),
        ({"classif1": "", "classif2": ""}, "matière"),
        ({"classif3": "", "classif4": 2}, "matière"),
        ({"classif2": "dix"}, "matière"),
        ({"type_acte": "99-DE"}, "99-DE"),
    ],
    ids=lambda value: "-".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, dict) else None,
)
def test_an_act_that_cannot_be_taken_as_asked_is_not_taken(client: Client, changes: dict[str, Any], words: str) -> None:
    before = client.http.get("/v1/acts").json()["total"]
    ko, *told = client.post("actes_transac_create.php", {**said("S_6"), **changes}, [("acte_pdf_file", paper("S_6"))])
    assert ko == "KO"
    assert words in " ".join(told)
    assert client.http.get("/v1/acts").json()["total"] == before


def test_the_same_act_sent_again_keeps_its_number_and_a_number_that_is_taken_is_said(client: Client) -> None:
    number = create(client, "S_7")
    assert create(client, "S_7") == number
    ko, words = client.post("actes_transac_create.php", said("S_7"), [("acte_pdf_file", paper("autre S_7"))])
    assert ko == "KO"
    assert words
    assert client.post("actes_transac_create.php", said("S_8"))[0] == "KO"


def test_letters_are_listed_until_they_are_read_and_given_as_archives(town: Software, client: Client) -> None:
    number, act = acknowledged(town, client, "S_9")
    town.mairie.letter(act, "2-1", "Pour information")
    town.mairie.letter(act, "3-1", "Transmettez le plan.")
    unread = [one for one in client.json("api/list_document_prefecture.php") if one["related_transaction_id"] == str(number)]
    assert [(one["type"], one["last_status_id"], one["number"]) for one in unread] == [("2", "21", "S_9"), ("3", "8", "S_9")]
    assert unread[0]["unique_id"].endswith("-S_9-DE")
    plain, asked = (one["id"] for one in unread)
    assert client.lines("actes_transac_get_document.php", id=number) == [f"2-21-{plain}", f"3-8-{asked}"]
    given = client.get("actes_transac_get_document.php", id=asked)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(given.content))) as archive:
        names = archive.getnames()
        assert names == ["message.xml", "courrier-3-1.pdf"]
        content = archive.extractfile("courrier-3-1.pdf")
        assert content is not None
        assert content.read().startswith(b"%PDF-")
    assert client.json("api/document_prefecture_mark_as_read.php", transaction_id=plain) == {"result": "ok"}
    assert client.json("api/document_prefecture_mark_as_read.php", transaction_id=plain) == {"result": "ok"}
    left = [one["id"] for one in client.json("api/list_document_prefecture.php")]
    assert plain not in left
    assert asked in left
    assert client.lines("api/document_prefecture_mark_as_read.php", transaction_id=999999999)[0] == "KO"


@pytest.mark.parametrize(
    ("letter", "kind", "code"), [("2-1", "", "2-2"), ("3-1", 3, "3-3"), ("3-1", 4, "3-4"), ("4-1", 3, "4-3"), ("4-1", 4, "4-4")]
)
def test_a_letter_is_answered_and_the_answer_followed(town: Software, client: Client, letter: str, kind: Any, code: str) -> None:
    number, act = acknowledged(town, client, f"S_10_{code.replace('-', '')}")
    town.mairie.letter(act, letter, "Courrier")
    (line,) = client.lines("actes_transac_get_document.php", id=number)
    transaction = line.rpartition("-")[2]
    form = {"api": 1, "id": transaction, "type_envoie": kind, "type_acte": "99_DE"}
    files = [("acte_pdf_file", paper(f"réponse {code}", "reponse.pdf"))]
    if code == "3-4":
        form["type_pj[]"] = ["22_DP"]
        files.append(("acte_attachments[]", paper("pièce", "piece.pdf")))
    ok, answer = client.post("actes_transac_reponse_create.php", form, files)
    assert ok == "OK", answer
    assert client.post("actes_transac_reponse_create.php", form, files)[0] == "KO"
    assert client.status(answer) == 1
    assert client.lines("actes_transac_get_document.php", id=number) == [f"{code[0]}-1-{answer}"]
    town.answered(act)
    assert client.status(answer) == 3
    archive = client.get("actes_transac_get_document.php", id=answer)
    assert archive.headers["content-type"] == "application/gzip"
    if code != "2-2":
        town.mairie.close(act, f"{code[0]}-5")
        answered = client.get("actes_transac_get_status.php", transaction=answer).content
        assert answered.startswith(b"OK\n4\n<?xml")
        listed = client.json("actes_transac_get_files_list.php", transaction=answer)
        assert [one["code_pj"] for one in listed] == [None, "99_DE", *(["22_DP"] if code == "3-4" else [])]
        assert (
            code.encode() in client.get("actes_download_file.php", file=listed[0]["id"]).headers["content-disposition"].encode()
        )


def test_an_answer_that_cannot_be_meant_is_not_sent(town: Software, client: Client) -> None:
    number, act = acknowledged(town, client, "S_11")
    town.mairie.letter(act, "3-1", "Courrier")
    (line,) = client.lines("actes_transac_get_document.php", id=number)
    form = {"api": 1, "id": line.rpartition("-")[2], "type_envoie": 4}
    one = [("acte_pdf_file", paper("réponse"))]
    for changed, files in (
        ({"type_envoie": 7}, one),
        ({"id": number}, one),
        ({"id": "999999999"}, one),
        ({"id": ""}, one),
        ({}, []),
        ({}, [("acte_pdf_file", ("a.docx", io.BytesIO(b"PK\x03\x04"), "application/octet-stream"))]),
        ({}, [*one, ("acte_pdf_file_sign", ("a.p7s", io.BytesIO(b"0"), "application/pkcs7-signature"))]),
    ):
        assert client.post("actes_transac_reponse_create.php", {**form, **changed}, files)[0] == "KO"
    assert client.http.get(f"/v1/acts/{act}").json()["messages"][-1]["code"] == "3-2"


@pytest.mark.parametrize("form", ["multipart", "urlencoded"])
def test_a_transmission_is_cancelled_and_the_cancellation_followed(town: Software, client: Client, form: str) -> None:
    number, act = acknowledged(town, client, f"S_12_{form[:1].upper()}")
    if form == "multipart":
        ok, cancellation = client.post("actes_transac_cancel.php", {"api": 1, "id": number})
    else:
        ok, cancellation = client.http.post(f"{MODULE}/actes_transac_cancel.php", data={"api": 1, "id": number}).text.splitlines()
    assert ok == "OK", cancellation
    assert client.post("actes_transac_cancel.php", {"api": 1, "id": number})[0] == "KO"
    assert client.post("actes_transac_cancel.php", {"api": 1, "id": cancellation})[0] == "KO"
    assert client.status(cancellation) == 1
    town.answered(act)
    assert client.lines("actes_transac_get_document.php", id=number) == [f"6-3-{cancellation}"]
    town.mairie.state_says(ARAnnulation(town.mairie.dossier(act).facts["id_acte"], today()))
    assert (client.status(number), client.status(cancellation)) == (0, 4)


def test_the_classification_is_given_octet_for_octet_and_asked_for_once_an_hour(client: Client) -> None:
    given = client.get("actes_classification_fetch.php", api=1)
    assert b"RetourClassification" in given.content
    assert given.content == client.get("actes_classification_fetch.php", api=1).content
    ko, words = client.lines("actes_classification_request.php", api=1)
    assert (ko, bool(words)) == ("KO", True)  # nobody answers at the operator's address
    ko, words = client.lines("actes_classification_request.php", api=1)
    assert (ko, f"{clock.in_paris(clock.now()):%d/%m/%Y}" in words) == ("KO", True)


def test_acts_are_listed_and_counted_by_status(service: Service) -> None:
    town = Software.of(service, "Commune de Rivaude", "214099962")
    with town.client() as http:
        client = Client(http)
        # What came by another face has numbers too.
        sent = http.post("/v1/acts", data={**_native("T_0")}, files={"document": paper("T_0")})
        assert sent.status_code == 201, sent.text
        numbers = [create(client, f"T_{rank}") for rank in range(1, 4)]
        town.mairie.stand(dossier(client, "T_2"), "sent")
        listed = client.json("api/list_actes.php", status_id=1)
        assert [one["number"] for one in listed["transactions"]] == ["T_3", "T_1", "T_0"]
        assert listed["transactions"][0] == {
            "id": str(numbers[2]),
            "subject": SUBJECT,
            "number": "T_3",
            "date": (today() - timedelta(days=1)).isoformat(),
            "nature_descr": "Délibérations",
            "classification": "7.10",
            "type": "1",
        }
        assert (listed["limit"], listed["offset"], listed["authority_id"]) == (100, 0, 214099962)
        assert client.status(listed["transactions"][2]["id"]) == 1
        page = client.json("api/list_actes.php", status_id=1, offset=1, limit=1)
        assert [one["number"] for one in page["transactions"]] == ["T_1"]
        assert client.json("api/list_actes.php", status_id=1, min_submission_date=today())["transactions"]
        assert not client.json("api/list_actes.php", status_id=1, max_date=today() - timedelta(days=1))["transactions"]
        assert client.json("api/number_actes.php", status_id=3)["nb_transactions"] == "1"
        assert client.json("api/number_actes.php", status_id=6)["nb_transactions"] == "0"
        assert client.lines("api/list_actes.php", status_id="un")[0] == "KO"
        assert client.lines("api/list_actes.php", status_id=1, min_date="demain")[0] == "KO"
        assert {"id": "4", "name": "Acquittement reçu"} in client.json("api/actes_status.php")
        now = today()
        month = client.json("api/nb_actes_by_authorities_and_date.php", year=now.year, month=now.month)
        assert month["nbTransactionPerAuthorities"]["214099962"]["nb_transactions"] == 4
        assert (month["result"], month["min_date"]) == ("ok", date(now.year, now.month, 1).isoformat())
        assert client.lines("api/nb_actes_by_authorities_and_date.php", year=2026, month=13)[0] == "KO"


def _native(act: str) -> dict[str, str]:
    day = (today() - timedelta(days=1)).isoformat()
    return {"number": act, "decision_date": day, "nature": "1", "matiere": "7.10", "subject": SUBJECT}


def test_an_act_that_is_too_large_is_refused_in_words_before_it_is_read(service: Service, town: Software) -> None:
    address = urlsplit(service.address)
    head = (
        f"POST {MODULE}/actes_transac_create.php HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {town.tokens['software']}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {LARGEST + AROUND + 1}\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as line:
        line.sendall(head.encode())  # and not one octet of the body
        answer = b""
        while b"KO\n" not in answer and (piece := line.recv(4096)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"KO\n" in answer


def test_nobody_reads_or_touches_the_transactions_of_others(town: Software, other: Software, client: Client) -> None:
    number, act = acknowledged(town, client, "S_13")
    town.mairie.letter(act, "3-1", "Confidentiel")
    (line,) = client.lines("actes_transac_get_document.php", id=number)
    letter = line.rpartition("-")[2]
    file = client.json("actes_transac_get_files_list.php", transaction=number)[1]["id"]
    with other.client() as http:
        stranger = Client(http)
        for call, query in (
            ("actes_transac_get_status.php", {"transaction": number}),
            ("actes_transac_get_document.php", {"id": number}),
            ("actes_transac_get_document.php", {"id": letter}),
            ("actes_transac_get_files_list.php", {"transaction": number}),
            ("actes_download_file.php", {"file": file}),
            ("actes_transac_get_ARActe.php", {"transaction": number}),
            ("api/document_prefecture_mark_as_read.php", {"transaction_id": letter}),
        ):
            assert stranger.lines(call, **query)[0] == "KO", call
        assert stranger.json("api/list_document_prefecture.php") == []
        assert stranger.post("actes_transac_cancel.php", {"api": 1, "id": number})[0] == "KO"
        form = {"api": 1, "id": letter, "type_envoie": 4}
        assert stranger.post("actes_transac_reponse_create.php", form, [("acte_pdf_file", paper("r"))])[0] == "KO"
    assert letter in [one["id"] for one in client.json("api/list_document_prefecture.php")]


def test_each_right_opens_what_it_says_and_nothing_more(town: Software, client: Client) -> None:
    number, act = acknowledged(town, client, "S_14")
    town.mairie.letter(act, "2-1", "Courrier")
    letter = client.lines("actes_transac_get_document.php", id=number)[0].rpartition("-")[2]
    with town.client("reader") as http:
        reader = Client(http)
        assert reader.status(number) == 4
        for call, fields in (("actes_transac_cancel.php", {"id": number}), ("actes_transac_create.php", said("S_15"))):
            refused = http.post(f"{MODULE}/{call}", files=[(name, (None, str(value))) for name, value in fields.items()])
            assert (refused.status_code, refused.text.splitlines()[0]) == (403, "KO"), call
        assert reader.get("api/document_prefecture_mark_as_read.php", transaction_id=letter).status_code == 403
        assert reader.get("actes_classification_request.php").status_code == 403
    with town.client("depositor") as http:
        depositor = Client(http)
        assert create(depositor, "S_16") > number
        assert depositor.get("actes_transac_get_status.php", transaction=number).status_code == 403
        assert depositor.get("actes_classification_fetch.php", api=1).status_code == 200
    with town.client("signatory") as http:
        assert http.get(f"{MODULE}/api/list_actes.php").status_code == 403
        assert http.get(f"{MODULE}/actes_classification_fetch.php").status_code == 403
