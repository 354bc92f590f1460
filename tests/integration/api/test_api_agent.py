"""The protocol of the signing agent over HTTP: opened by software, held by whoever has the key, its results read back."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import col, select

from core.identifiers import new_id
from core.journal import JournalEntry
from core.principal import PLATFORM
from schemas.pes.sample import Sample, write_sample
from signing.cades import verifier as cades
from signing.keys import Pkcs12Signer
from signing.pes.verifier import verify
from signing.pki import TestAuthority
from tests.integration.api.service import Service, pes
from tests.integration.api.test_deposits import assert_problem

_numbers = itertools.count(1)
ROLE = {"context": {"role": "Maire", "city": "Valmorin", "postal_code": "99000"}}


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create()


@pytest.fixture(scope="module")
def signer(authority: TestAuthority) -> Pkcs12Signer:
    return Pkcs12Signer.load(authority.seal(bits=2048).as_pkcs12("secret"), "secret")


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def letter(title: str = "Courrier", content: bytes = b"Madame, Monsieur,", **changes: Any) -> dict[str, Any]:
    return {"title": title, "format": "cades", "content": encoded(content), **changes}


@pytest.fixture
def flow(tmp_path: Path) -> bytes:
    path = tmp_path / "flow.xml"
    write_sample(Sample(f"FLOW{next(_numbers)}", bordereaux=2, pieces=2, dematerialised=False), path)
    return path.read_bytes()


def ask(software: httpx.Client, *documents: dict[str, Any], **changes: Any) -> httpx.Response:
    return software.post("/v1/sittings", json={"person": "Camille Exemple", "documents": list(documents), **changes})


@dataclass
class Agent:
    """What the agent of a signatory does."""

    client: httpx.Client
    signer: Pkcs12Signer

    def open(self, ticket: str) -> dict[str, Any]:
        answer = self.client.post("/v1/agent/open", headers={"Authorization": f"Ticket {ticket}"})
        assert answer.status_code == 200, answer.text
        opening: dict[str, Any] = answer.json()
        self.client.headers["Authorization"] = f"Bearer {opening['token']}"
        return opening

    def announce(self, certificate: bytes | None = None) -> httpx.Response:
        der = certificate or self.signer.certificate.public_bytes(Encoding.DER)
        chain = [encoded(one.public_bytes(Encoding.DER)) for one in self.signer.chain]
        return self.client.post("/v1/agent/certificate", json={"certificate": encoded(der), "chain": chain})

    def prepare(self) -> list[dict[str, Any]]:
        while (answer := self.announce()).status_code == 202:
            assert answer.json()["ready"] < answer.json()["total"]
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def values(self, items: list[dict[str, Any]]) -> list[dict[str, str]]:
        return [
            {
                "id": item["id"],
                "identifier": slot["identifier"],
                "value": encoded(self.signer.sign(base64.b64decode(slot["octets"]))),
            }
            for item in items
            for slot in item["slots"]
        ]

    def send(self, values: list[dict[str, str]]) -> httpx.Response:
        return self.client.post("/v1/agent/values", json={"values": values})


@pytest.fixture
def agent(service: Service, signer: Pkcs12Signer) -> Iterator[Agent]:
    with service.client() as client:
        yield Agent(client, signer)


@pytest.fixture
def entered(software: httpx.Client, agent: Agent) -> str:
    """The identifier of a sitting over one letter, its ticket used."""
    opened = ask(software, letter()).json()
    agent.open(opened["ticket"])
    return str(opened["id"])


def told(service: Service, sitting_id: str) -> list[str]:
    with service.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).order_by(col(JournalEntry.number))).all()
    return [entry.kind for entry in entries if entry.facts.get("sitting") == sitting_id]


def test_documents_are_signed_from_the_link_to_the_download(
    software: httpx.Client, agent: Agent, service: Service, flow: bytes, tmp_path: Path
) -> None:
    wanted = {"title": "Bordereau 12", "format": "pes", "context": ROLE, "content": encoded(flow), "reference": "dossier 7"}
    opened = ask(software, wanted, letter("Délibération n° 3.txt"))
    assert opened.status_code == 201, opened.text
    link = urlsplit(opened.json()["url"])
    assert (link.scheme, f"http://{link.netloc}") == ("tabellion-agent", service.address)
    opening = agent.open(parse_qs(link.query)["ticket"][0])
    assert (opening["organisation"], opening["person"]) == ("Commune de Valmorin", "Camille Exemple")
    assert opening["items"][0] == {
        "id": opening["items"][0]["id"],
        "title": "Bordereau 12",
        "format": "pes",
        "sha256": hashlib.sha256(flow).hexdigest(),
        "size": len(flow),
    }
    shown = agent.client.get(f"/v1/agent/items/{opening['items'][0]['id']}/document")
    assert shown.content == flow
    assert shown.headers["content-type"] == "application/xml"
    assert shown.headers["content-disposition"].startswith("attachment;")
    items = agent.prepare()
    assert [len(item["slots"]) for item in items] == [2, 1]
    answer = agent.send(agent.values(items))
    assert [(item["state"], item["detail"]) for item in answer.json()["items"]] == [("signed", None)] * 2
    assert [agent.client.post("/v1/agent/close").status_code for _ in range(2)] == [204, 204]

    found = software.get(opened.headers["location"]).json()
    assert (found["state"], found["items"][0]["reference"]) == ("closed", "dossier 7")
    results = [software.get(item["href"]) for item in found["items"]]
    assert [hashlib.sha256(result.content).hexdigest() for result in results] == [item["sha256"] for item in found["items"]]
    (tmp_path / "sealed.xml").write_bytes(results[0].content)
    assert [one.intact for one in verify(tmp_path / "sealed.xml", trust=None).signatures] == [True, True]
    (tmp_path / "letter").write_bytes(b"Madame, Monsieur,")
    (tmp_path / "letter.p7s").write_bytes(results[1].content)
    verdict = cades.verify(tmp_path / "letter.p7s", detached=tmp_path / "letter", trust=None)
    assert [one.intact for one in verdict.signatures] == [True]
    assert results[1].headers["content-disposition"].endswith("D%C3%A9lib%C3%A9ration%20n%C2%B0%203.txt.p7s")
    kinds = told(service, found["id"])
    assert kinds == ["sitting.opened", "sitting.bound", "sitting.signed", "sitting.signed", "sitting.closed"]


def test_a_document_of_a_dossier_is_named_by_its_digest(software: httpx.Client, service: Service) -> None:
    document = pes(f"PES_{new_id()}")
    assert software.post("/v1/dossiers", files={"document": ("a.xml", document)}).status_code == 201
    named = {"title": "PES", "format": "pes", "context": ROLE, "sha256": hashlib.sha256(document).hexdigest()}
    assert ask(software, named).status_code == 201
    with service.client(service.syndicat.token) as stranger:
        assert_problem(ask(stranger, named), 404, "Aucun document")


def test_a_ticket_serves_once(service: Service, software: httpx.Client) -> None:
    ticket = ask(software, letter()).json()["ticket"]

    def redeem() -> int:
        with service.client() as client:
            return client.post("/v1/agent/open", headers={"Authorization": f"Ticket {ticket}"}).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(future.result() for future in [pool.submit(redeem) for _ in range(2)])
    assert statuses == [200, 401]


@pytest.mark.parametrize("header", [None, "", "Ticket", "Ticket abc", f"Ticket {'0' * 26}_{'x' * 43}", "Bearer tab_x_y"])
def test_whoever_has_no_ticket_is_told_so(service: Service, header: str | None) -> None:
    with service.client() as client:
        shown = {} if header is None else {"Authorization": header}
        problem = assert_problem(client.post("/v1/agent/open", headers=shown), 401)
    assert "ticket" in problem["detail"]


def test_a_token_of_the_api_is_no_token_of_a_sitting_and_the_reverse(software: httpx.Client, agent: Agent, entered: str) -> None:
    assert_problem(software.post("/v1/agent/close"), 401, "séance")
    assert_problem(agent.client.get(f"/v1/sittings/{entered}"), 401)


def test_another_certificate_is_refused(agent: Agent, entered: str, authority: TestAuthority) -> None:
    assert entered
    agent.prepare()
    other = authority.seal(bits=2048).certificate.public_bytes(Encoding.DER)
    assert_problem(agent.announce(other), 409, "autre certificat")
    assert_problem(agent.announce(b"no certificate"), 400, "pas lisible")


def test_preparation_goes_on_by_slices(software: httpx.Client, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.v1.agent._PREPARES_FOR", 0.0)
    agent.open(ask(software, letter(), letter(), letter()).json()["ticket"])
    answers = [agent.announce() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 200]
    assert [answer.json() for answer in answers[:2]] == [{"ready": 1, "total": 3}, {"ready": 2, "total": 3}]
    assert all(item["slots"] for item in answers[2].json()["items"])


def test_a_document_that_cannot_be_signed_is_said_and_the_others_go_on(software: httpx.Client, agent: Agent) -> None:
    spoilt = {"title": "Illisible", "format": "pes", "context": ROLE, "content": encoded(b"no XML")}
    agent.open(ask(software, spoilt, letter()).json()["ticket"])
    bad, good = agent.prepare()
    assert (bad["slots"], good["problem"]) == ([], None)
    assert bad["problem"]
    assert agent.send(agent.values([bad, good])).json()["items"] == [{"id": good["id"], "state": "signed", "detail": None}]


def test_an_altered_value_is_refused_then_the_right_one_is_taken_again_and_again(
    agent: Agent, entered: str, service: Service
) -> None:
    (value,) = agent.values(agent.prepare())
    altered = {**value, "value": encoded(base64.b64decode(value["value"])[::-1])}
    (refused,) = agent.send([altered]).json()["items"]
    assert refused["state"] == "refused"
    assert "pas la signature attendue" in refused["detail"]
    answers = [agent.send([value]).json() for _ in range(2)]
    assert answers == [{"items": [{"id": value["id"], "state": "signed", "detail": None}]}] * 2
    assert told(service, entered).count("sitting.signed") == 1


def test_two_values_requests_at_once_complete_once(agent: Agent, entered: str, service: Service) -> None:
    values = agent.values(agent.prepare())
    with ThreadPoolExecutor(2) as pool:
        answers = [future.result() for future in [pool.submit(agent.send, values) for _ in range(2)]]
    assert [answer.json()["items"][0]["state"] for answer in answers] == ["signed", "signed"]
    assert told(service, entered).count("sitting.signed") == 1


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([], 422),
        ([{"id": "0" * 26, "identifier": "signature", "value": "AAAA"}], 404),
        ([{"id": "0" * 26, "identifier": "signature", "value": "not base64"}], 400),
        ([{"id": "0" * 26, "identifier": "signature", "value": "é"}], 400),
        ([{"id": "\x00", "identifier": "signature", "value": "AAAA"}], 404),
        ([{"id": 7}], 422),
        ("values", 422),
    ],
)
def test_whatever_else_is_sent_is_answered_with_its_problem(agent: Agent, entered: str, values: Any, status: int) -> None:
    assert entered
    agent.prepare()
    assert_problem(agent.client.post("/v1/agent/values", json={"values": values}), status)


def test_values_before_a_certificate_are_refused(agent: Agent, software: httpx.Client) -> None:
    opening = agent.open(ask(software, letter()).json()["ticket"])
    value = {"id": opening["items"][0]["id"], "identifier": "signature", "value": "AAAA"}
    assert_problem(agent.send([value]), 409, "Aucun certificat")


def test_an_abandoned_sitting_is_over(agent: Agent, entered: str, software: httpx.Client) -> None:
    (item,) = items = agent.prepare()
    values = agent.values(items)
    for _ in range(2):
        assert agent.client.post("/v1/agent/abandon", json={"reason": "Carte retirée."}).status_code == 204
    for answer in (
        agent.send(values),
        agent.announce(),
        agent.client.get(f"/v1/agent/items/{item['id']}/document"),
        agent.client.post("/v1/agent/close"),
    ):
        assert_problem(answer, 409, "terminée")
    found = software.get(f"/v1/sittings/{entered}").json()
    assert (found["state"], found["reason"]) == ("abandoned", "Carte retirée.")
    assert (found["items"][0]["state"], found["items"][0]["href"]) == ("prepared", None)
    assert_problem(software.get(f"/v1/sittings/{entered}/items/{item['id']}/result"), 404)


def test_the_documents_and_results_of_other_sittings_are_not_found(
    agent: Agent, entered: str, software: httpx.Client, service: Service
) -> None:
    other = software.get(ask(software, letter("Autre")).headers["location"]).json()
    assert_problem(agent.client.get(f"/v1/agent/items/{other['items'][0]['id']}/document"), 404)
    agent.send(agent.values(agent.prepare()))
    (signed,) = software.get(f"/v1/sittings/{entered}").json()["items"]
    assert software.get(signed["href"]).status_code == 200
    assert_problem(software.get(f"/v1/sittings/{other['id']}/items/{signed['id']}/result"), 404)
    with service.client(service.syndicat.token) as stranger:
        for path in (f"/v1/sittings/{entered}", signed["href"]):
            assert_problem(stranger.get(path), 404)


def test_opening_a_sitting_asks_for_the_right_to_deposit(service: Service) -> None:
    with service.client(service.mairie.reader_token) as reader:
        assert_problem(ask(reader, letter()), 403)
    with service.client(service.mairie.depositor_token) as depositor:
        opened = ask(depositor, letter())
        assert opened.status_code == 201
        assert_problem(depositor.get(opened.headers["location"]), 404)


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        (letter(format="wax"), 400, "wax"),
        (letter(context={"rôle": "Maire"}), 400, "rôle"),
        (letter(context={"role": "Mai\x07re"}), 400, "caractère de commande"),
        ({"title": "t", "format": "cades"}, 400, "soit l’empreinte"),
        (letter(sha256="0" * 64), 400, "soit l’empreinte"),
        ({**letter(), "content": "not base64"}, 400, "base64"),
        (letter(content=b""), 400, "vide"),
        ({"title": "t", "format": "cades", "sha256": "0" * 64}, 404, "Aucun document"),
        (letter(title="a\nb"), 422, ""),
        (letter(media_type="text/html\r\nX: y"), 422, ""),
    ],
)
def test_what_cannot_be_signed_opens_nothing(software: httpx.Client, document: dict[str, Any], status: int, words: str) -> None:
    assert_problem(ask(software, document), status, words)


def test_the_answers_speak_english_to_who_prefers_it(service: Service) -> None:
    with service.client(**{"Accept-Language": "en"}) as client:
        answer = client.post("/v1/agent/open", headers={"Authorization": "Ticket x"})
    assert_problem(answer, 401, "signing ticket")


def test_a_large_batch_of_values_is_read(agent: Agent, entered: str) -> None:
    assert entered
    (value,) = agent.values(agent.prepare())
    answer = agent.send([value] * 1500)
    assert len(answer.request.content) > 256 * 1024
    assert answer.json()["items"] == [{"id": value["id"], "state": "signed", "detail": None}]


def test_the_store_is_asked_for_the_document_as_it_was_announced(agent: Agent, software: httpx.Client, service: Service) -> None:
    content = f"Lettre {new_id()}".encode()
    opening = agent.open(ask(software, letter(content=content)).json()["ticket"])
    blob = service.platform.objects.put(io.BytesIO(content))
    assert (opening["items"][0]["sha256"], opening["items"][0]["size"]) == (blob.sha256, blob.size)
