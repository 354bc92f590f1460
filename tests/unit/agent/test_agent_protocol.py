"""What the agent makes of what a platform answers, good or not."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tabellion_agent import protocol
from tabellion_agent.errors import NotWhatWasShown, Refused, Unreachable
from tabellion_agent.link import Link
from tabellion_agent.protocol import Item, Outcome, Platform, Value

DOCUMENT = b"the document"
ITEM = Item("a/b", "Délibération", "cades", hashlib.sha256(DOCUMENT).hexdigest(), len(DOCUMENT))
OPENING: dict[str, Any] = {
    "token": "bearer",
    "expires": "2030-01-01T00:00:00Z",
    "organisation": "Commune de Valmorin",
    "person": "Camille Essai",
    "items": [{"id": "1", "title": "Un\ntitre", "format": "pades", "sha256": "AB", "size": 3}],
}


class Script:
    """Answers what it was told to, in turn, and keeps what was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.asked: list[tuple[str, str, Any]] = []

    def says(self, status: int, body: object = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.answers.append((status, data, headers))

    def platform(self) -> Platform:
        return Platform(Link(self.url, "ticket"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setattr(protocol, "_PAUSE", 0.0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            made.asked.append((self.path, self.headers["Authorization"], json.loads(body) if body else None))
            status, data, headers = made.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST  # noqa: N815 - the base class names it so

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Script(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()


def test_a_ticket_is_exchanged_for_what_is_to_be_signed(script: Script) -> None:
    script.says(200, OPENING)
    script.says(204)
    platform = script.platform()
    opening = platform.open()
    platform.close()
    assert (opening.organisation, opening.person) == ("Commune de Valmorin", "Camille Essai")
    assert opening.items == (Item("1", "Un titre", "pades", "ab", 3),)
    assert script.asked == [("/v1/agent/open", "Ticket ticket", {}), ("/v1/agent/close", "Bearer bearer", {})]


def test_what_the_platform_refuses_is_told_in_its_words_and_the_ticket_is_not_sent_twice(script: Script) -> None:
    script.says(401, {"title": "Non", "detail": "Ce ticket a déjà servi."})
    with pytest.raises(Refused, match=r"^Ce ticket a déjà servi\.$"):
        script.platform().open()
    script.says(503, b"<html>")
    with pytest.raises(Unreachable, match="503"):
        script.platform().open()
    assert len(script.asked) == 2


def test_preparation_is_waited_for(script: Script) -> None:
    seen: list[tuple[int, int]] = []
    script.says(202, {"ready": 0, "total": 2})
    script.says(202, {"ready": 1, "total": 2})
    slots = [{"identifier": "s", "octets": "b2N0ZXRz"}]
    script.says(
        200, {"items": [{"id": "1", "slots": slots, "problem": None}, {"id": "2", "slots": [], "problem": "Déjà signé."}]}
    )
    prepared = script.platform().prepare(b"certificate", [b"issuer"], lambda ready, total: seen.append((ready, total)))
    assert seen == [(0, 2), (1, 2)]
    assert [(one.id, dict(one.slots), one.problem) for one in prepared] == [
        ("1", {"s": b"octets"}, None),
        ("2", {}, "Déjà signé."),
    ]
    assert script.asked[0][2] == {"certificate": "Y2VydGlmaWNhdGU=", "chain": ["aXNzdWVy"]}


def test_values_are_sent_again_when_the_network_fails(script: Script) -> None:
    script.says(502, b"")
    script.says(200, {"items": [{"id": "1", "state": "refused", "detail": "Valeur fausse."}]})
    assert script.platform().send([Value("1", "s", b"value")]) == [Outcome("1", "refused", "Valeur fausse.")]
    assert script.asked[0] == script.asked[1]


def test_a_document_is_given_only_if_it_is_the_one_that_was_announced(script: Script) -> None:
    script.says(200, DOCUMENT)
    assert b"".join(script.platform().document(ITEM)) == DOCUMENT
    assert script.asked[0][0] == "/v1/agent/items/a%2Fb/document"
    for other in (DOCUMENT[:-1], DOCUMENT.upper(), DOCUMENT * 1000, b""):
        script.says(200, other)
        with pytest.raises(NotWhatWasShown, match="Délibération"):
            b"".join(script.platform().document(ITEM))


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"token": 3}', b'{"token": "t", "items": 3}', b"[" * 100_000])
def test_an_answer_that_is_none_is_no_traceback(script: Script, answer: bytes) -> None:
    script.says(200, answer)
    with pytest.raises(Unreachable):
        script.platform().open()


def test_two_documents_of_one_name_are_no_answer(script: Script) -> None:
    script.says(200, {**OPENING, "items": [OPENING["items"][0]] * 2})
    with pytest.raises(Unreachable):
        script.platform().open()


def test_a_platform_in_trouble_says_so_in_its_words(script: Script) -> None:
    script.says(503, {"detail": "L’horodatage ne répond pas."})
    with pytest.raises(Unreachable, match="horodatage"):
        script.platform().open()


def test_nothing_is_sent_elsewhere(script: Script) -> None:
    script.says(302, b"", Location=f"{script.url}/elsewhere")
    with pytest.raises(Unreachable, match="302"):
        script.platform().open()
    assert [path for path, _, _ in script.asked] == ["/v1/agent/open"]


def test_a_platform_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match="ne répond pas"):
        Platform(Link(f"http://127.0.0.1:{port}", "ticket")).open()
