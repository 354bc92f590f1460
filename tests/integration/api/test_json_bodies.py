"""JSON bodies over the API, whichever route takes them: nothing of one is read before the caller is known."""

from __future__ import annotations

import re
import socket
from typing import Any

import httpx
import pytest

from api import uploads
from core.identifiers import new_id
from tests.integration.api.service import Service

HALF = b'{"\\ud800": "\\ud800", "number": "\\ud800"}'


def operations(service: Service) -> list[tuple[str, str]]:
    """Method and path of every operation that takes JSON, with an identifier that nothing has."""
    with service.client() as client:
        paths: dict[str, dict[str, Any]] = client.get("/v1/openapi.json").json()["paths"]
    found = [
        (method, re.sub(r"\{\w+\}", new_id(), path))
        for path, methods in paths.items()
        for method, spec in methods.items()
        if "application/json" in spec.get("requestBody", {}).get("content", {})
    ]
    assert len(found) > 25
    return found


def send(client: httpx.Client, method: str, path: str, content: bytes) -> httpx.Response:
    return client.request(method, path, content=content, headers={"Content-Type": "application/json"})


def test_whoever_is_unknown_is_told_so_and_not_what_is_wrong_with_their_body(service: Service) -> None:
    with service.client() as nobody:
        answered = {
            (method, path, content): send(nobody, method, path, content).status_code
            for method, path in operations(service)
            for content in (b"{", HALF)
        }
    assert {asked: status for asked, status in answered.items() if status != 401} == {}


def test_half_a_surrogate_pair_is_a_fault_of_the_body(service: Service) -> None:
    with service.client(service.mairie.token) as software:
        answered = {
            (method, path): send(software, method, path, HALF).status_code
            for method, path in operations(service)
            if "/agent/" not in path
        }
    assert {asked: status for asked, status in answered.items() if status not in {403, 404, 422}} == {}
    with service.client(service.mairie.token) as software:
        told = send(software, "post", "/v1/contacts", HALF).json()
    assert told["problems"][0]["path"] == "body"
    assert "hex escape" in told["problems"][0]["found"]


def test_a_body_of_another_kind_is_refused(software: httpx.Client) -> None:
    sent = software.post("/v1/contacts", content=b"<contact/>", headers={"Content-Type": "application/xml"})
    assert sent.status_code == 415


def test_a_body_of_more_values_than_anything_asks_is_refused_before_it_is_understood(software: httpx.Client) -> None:
    content = b'{"person": "x", "documents": [' + b"{}," * 300_000 + b"{}]}"
    assert send(software, "post", "/v1/sittings", content).status_code == 400


def test_a_body_that_stops_coming_is_given_up(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PIECE_WITHIN", 0.05)
    host, port = service.address.removeprefix("http://").split(":")
    head = (
        f"POST /v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.mairie.token}\r\nContent-Length: 90\r\n\r\n{{"
    )
    with socket.create_connection((host, int(port)), 20) as line:
        line.sendall(head.encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
