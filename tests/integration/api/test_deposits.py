"""Deposits over HTTP, good and bad: each is one dossier or none, and each refusal says what to do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from sqlmodel import func, select

from core import clock
from core.identifiers import new_id
from core.principal import PLATFORM, Right
from core.tokens import ApiToken, issue_token
from flows.engine.models import DepositKey, Dossier
from tests.integration.api.service import UPLOAD_LIMIT, Service, pes


def count(service: Service) -> int:
    with service.platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Dossier)).one()


def unique() -> bytes:
    return pes(f"PES_{new_id()}")


@pytest.fixture
def no_dossier(service: Service) -> Iterator[None]:
    """Whatever the test does makes no dossier."""
    before = count(service)
    yield
    assert count(service) == before


def assert_problem(answer: httpx.Response, status: int, words: str = "") -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert words in problem["detail"], problem
    assert {"type", "title", "detail", "instance", "problems"} <= problem.keys()
    assert "Traceback" not in answer.text
    return problem


def test_a_form_makes_a_dossier_and_its_repeat_finds_it(software: httpx.Client, service: Service) -> None:
    document = unique()
    first = software.post("/v1/dossiers", files={"document": ("PESALR2.xml", document, "application/xml")})
    again = software.post("/v1/dossiers", files={"document": ("PESALR2.xml", document, "application/xml")})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == again.headers["location"] == f"/v1/dossiers/{first.json()['id']}"
    assert again.headers["idempotent-replay"] == "true"
    shown = software.get(first.headers["location"]).json()
    assert (shown["state"], shown["label"], shown["ended"], shown["record"]) == ("received", "Reçu", False, None)
    assert shown["organisation"]["siret"] == service.mairie.organisation.siret
    assert software.get(shown["files"][0]["href"]).content == document


def test_the_document_may_be_the_body_itself(software: httpx.Client, service: Service) -> None:
    answer = software.post(
        "/v1/dossiers",
        params={"flow": "helios", "organisation": service.mairie.organisation.siren, "name": "../../é.xml"},
        content=unique(),
        headers={"Content-Type": "application/xml; charset=iso-8859-1"},
    )
    assert answer.status_code == 201, answer.text
    files = software.get(f"{answer.headers['location']}/files").json()["files"]
    assert files[0]["name"] == "é.xml"
    disposition = software.get(files[0]["href"]).headers["content-disposition"]
    assert disposition == "attachment; filename=\"_.xml\"; filename*=UTF-8''%C3%A9.xml"


def test_fields_before_the_document_say_where_it_goes(software: httpx.Client, service: Service) -> None:
    fields = {"flow": "helios", "organisation": service.mairie.organisation.siret}
    answer = software.post("/v1/dossiers", data=fields, files={"document": ("a.xml", unique())})
    assert answer.status_code == 201


def test_an_idempotency_key_stands_for_one_document(software: httpx.Client) -> None:
    key, document = {"Idempotency-Key": new_id()}, unique()
    first = software.post("/v1/dossiers", files={"document": document}, headers=key)
    assert software.post("/v1/dossiers", files={"document": document}, headers=key).json()["id"] == first.json()["id"]
    problem = assert_problem(software.post("/v1/dossiers", files={"document": unique()}, headers=key), 409, "clé d’idempotence")
    assert problem["existing"] == first.json()["id"]


def test_a_key_that_comes_with_a_known_document_is_kept(software: httpx.Client) -> None:
    key, document = {"Idempotency-Key": new_id()}, unique()
    first = software.post("/v1/dossiers", files={"document": document}).json()
    again = software.post("/v1/dossiers", files={"document": document}, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    other = software.post("/v1/dossiers", files={"document": unique()}, headers=key)
    assert assert_problem(other, 409, "clé d’idempotence")["existing"] == first["id"]


def test_a_key_of_before_requests_were_kept_stands_for_its_document(software: httpx.Client, service: Service) -> None:
    key, document = {"Idempotency-Key": new_id()}, unique()
    first = software.post("/v1/dossiers", files={"document": document}, headers=key).json()
    with service.platform.database.writing(PLATFORM) as session:
        session.get_one(DepositKey, (service.mairie.organisation.id, key["Idempotency-Key"])).asked = None
    assert software.post("/v1/dossiers", files={"document": document}, headers=key).json()["id"] == first["id"]
    assert_problem(software.post("/v1/dossiers", data={"flow": "sales"}, files={"document": document}, headers=key), 409, "clé")
    assert_problem(software.post("/v1/dossiers", files={"document": unique()}, headers=key), 409, "clé")


def test_a_large_document_streamed_without_a_length_is_kept_whole(software: httpx.Client) -> None:
    document = pes(f"PES_{new_id()}", "<a>" + "x" * (UPLOAD_LIMIT - 4096) + "</a>")

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(document), 50_000):
            yield document[start : start + 50_000]

    answer = software.post("/v1/dossiers", content=pieces(), headers={"Content-Type": "application/xml"})
    assert answer.status_code == 201, answer.text
    kept = software.get(f"{answer.headers['location']}/files").json()["files"][0]
    assert kept["size"] == len(document)
    assert software.get(kept["href"]).content == document


@pytest.mark.usefixtures("no_dossier")
class TestWhatIsRefusedMakesNoDossier:
    """Every bad input is a clear problem, and leaves nothing."""

    def test_a_second_file(self, software: httpx.Client) -> None:
        files = [("document", ("a.xml", unique())), ("document", ("b.xml", unique()))]
        assert_problem(software.post("/v1/dossiers", files=files), 400, "un seul document")

    def test_a_second_file_after_a_large_one(self, software: httpx.Client) -> None:
        large = pes(new_id(), "<a>" + "x" * (9 << 20) + "</a>")
        files = [("document", ("a.xml", large)), ("document", ("b.xml", unique()))]
        assert_problem(software.post("/v1/dossiers", files=files), 400, "un seul document")

    def test_no_document(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", files={"flow": (None, "helios")})
        assert_problem(answer, 400, "pas de document")

    def test_an_empty_document(self, software: httpx.Client) -> None:
        assert_problem(software.post("/v1/dossiers", files={"document": ("a.xml", b"")}), 400, "vide")
        answer = software.post("/v1/dossiers", content=b"", headers={"Content-Type": "application/xml"})
        assert_problem(answer, 400, "vide")

    @pytest.mark.parametrize("fields", [{"flow": "helios", "start": "false"}, {"desk": "zz"}], ids=["named", "by-default"])
    def test_a_field_of_another_flow(self, software: httpx.Client, fields: dict[str, str]) -> None:
        answer = software.post("/v1/dossiers", data=fields, files={"document": unique()})
        assert_problem(answer, 400, "document, flow, organisation.")

    @pytest.mark.parametrize("path", ["dossiers", "transfers", "acts"])
    def test_an_organisation_said_twice_otherwise(self, software: httpx.Client, service: Service, path: str) -> None:
        fields = {"organisation": service.mairie.organisation.id}
        if path == "acts":
            fields |= {"number": "Z_1", "decision_date": "2026-11-20", "nature": "1", "matiere": "7.1", "subject": "Objet"}
        said = {"organisation": str(service.syndicat.organisation.siret)}
        answer = software.post(f"/v1/{path}", params=said, data=fields, files={"document": ("a.pdf", unique())})
        assert_problem(answer, 400, "une seule fois")

    def test_an_unknown_field(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", data={"color": "red"}, files={"document": unique()})
        assert_problem(answer, 400, "organisation")

    def test_a_field_after_the_document(self, software: httpx.Client) -> None:
        files = [("document", ("a.xml", unique())), ("flow", (None, "helios"))]
        assert_problem(software.post("/v1/dossiers", files=files), 400, "avant le document")

    def test_an_unknown_flow(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", data={"flow": "actes?"}, files={"document": unique()})
        assert_problem(answer, 400, "Flux inconnu")

    def test_a_number_that_is_no_siren(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", data={"organisation": "123456789"}, files={"document": unique()})
        assert_problem(answer, 400, "clé de contrôle")

    def test_an_unknown_organisation_and_that_of_others_are_not_told_apart(
        self, software: httpx.Client, service: Service
    ) -> None:
        unknown = software.post("/v1/dossiers", data={"organisation": "732829320"}, files={"document": unique()})
        foreign = software.post(
            "/v1/dossiers", data={"organisation": service.syndicat.organisation.siren}, files={"document": unique()}
        )
        assert assert_problem(unknown, 404)["detail"] == assert_problem(foreign, 404)["detail"]

    def test_a_document_over_the_limit_with_its_length_said(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", files={"document": b"x" * (UPLOAD_LIMIT + 200_000)})
        assert_problem(answer, 413, "24 Mio")

    def test_a_document_over_the_limit_without_its_length_said(self, software: httpx.Client) -> None:
        pieces = (b"x" * 100_000 for _ in range(UPLOAD_LIMIT // 100_000 + 2))
        answer = software.post("/v1/dossiers", content=pieces, headers={"Content-Type": "application/xml"})
        assert_problem(answer, 413, "24 Mio")

    def test_a_body_of_another_kind(self, software: httpx.Client) -> None:
        assert_problem(software.post("/v1/dossiers", json={"document": "x"}), 415, "multipart/form-data")
        assert_problem(software.post("/v1/dossiers"), 415)

    def test_a_key_that_cannot_be_one(self, software: httpx.Client) -> None:
        answer = software.post("/v1/dossiers", files={"document": unique()}, headers={"Idempotency-Key": "a b"})
        assert_problem(answer, 400, "Idempotency-Key")

    def test_a_form_without_its_end(self, software: httpx.Client) -> None:
        body = b'--b\r\nContent-Disposition: form-data; name="document"; filename="a.xml"\r\n\r\n' + unique()
        answer = software.post("/v1/dossiers", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert_problem(answer, 400, "incomplet")

    def test_no_token_and_a_wrong_one(self, service: Service) -> None:
        for token in (None, "x", "tab__", f"tab_{new_id()}_x", service.mairie.token[:-1], "é".encode().decode("latin-1")):
            headers = {"Authorization": f"Bearer {token}".encode("latin-1")} if token else {}
            answer = httpx.post(f"{service.address}/v1/dossiers", files={"document": unique()}, headers=headers)
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_an_expired_token_and_a_revoked_one(self, service: Service) -> None:
        with service.platform.database.writing(PLATFORM) as session:
            expired = issue_token(session, service.mairie.organisation, "x", {Right.DEPOSIT}, timedelta(seconds=-1))
            revoked = issue_token(session, service.mairie.organisation, "x", {Right.DEPOSIT})
            identifier = revoked.split("_")[1]
            session.exec(select(ApiToken).where(ApiToken.id == identifier)).one().revoked = clock.now()
        for token, words in ((expired, "expiré"), (revoked, "révoqué")):
            with service.client(token) as client:
                assert_problem(client.post("/v1/dossiers", files={"document": unique()}), 401, words)

    def test_a_token_that_may_only_read(self, service: Service) -> None:
        with service.client(service.mairie.reader_token) as client:
            assert_problem(client.post("/v1/dossiers", files={"document": unique()}), 403)

    @pytest.mark.parametrize("sent", [100, 9 << 20])
    def test_a_sender_that_goes_away(self, service: Service, sent: int) -> None:
        address = urlsplit(service.address)
        head = (
            f"POST /v1/dossiers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.mairie.token}\r\n"
            f"Content-Type: application/xml\r\nContent-Length: {sent + 1000}\r\n\r\n"
        )
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + pes(new_id()).ljust(sent, b" "))
        deadline = time.monotonic() + 10
        while service.platform.database.connections_in_use() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert httpx.get(f"{service.address}/health/live").status_code == 200


def test_a_token_that_may_only_deposit_sees_what_it_has_deposited_and_no_more(service: Service) -> None:
    with service.client(service.mairie.depositor_token) as client:
        answer = client.post("/v1/dossiers", files={"document": unique()})
        assert answer.status_code == 201
        assert_problem(client.get(answer.headers["location"]), 404)
        assert client.get("/v1/dossiers").json()["total"] == 0
