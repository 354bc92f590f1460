"""What every answer bears, what an operator's tools read, and what happens when a part is away or we are at fault."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
import structlog
from sqlalchemy import create_engine

from core.errors import Unavailable
from core.identifiers import new_id
from tests.integration.api.service import Service, add_dossier


def test_the_process_is_alive_and_ready(service: Service) -> None:
    assert httpx.get(f"{service.address}/health/live").status_code == 200
    answer = httpx.get(f"{service.address}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["parts"].keys() == {"database", "objects", "broker"}


def test_it_is_not_ready_without_its_store_and_says_which_part_is_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> int:
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(type(service.platform.objects), "sealed_versions", away)
    answer = httpx.get(f"{service.address}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["parts"]["objects"] == {"answers": False, "trouble": "Unavailable"}
    assert answer.json()["parts"]["database"]["answers"]


def test_it_is_not_ready_on_a_database_without_its_migrations(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = create_engine(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    monkeypatch.setattr(service.platform.database, "engine", empty)
    answer = httpx.get(f"{service.address}/health/ready")
    assert (answer.status_code, answer.json()["parts"]["database"]["answers"]) == (503, False)
    empty.dispose()


def test_the_metrics_count_dossiers_by_state_requests_by_route_and_name_nobody(service: Service) -> None:
    title = f"METRIQUE_{new_id()}"
    dossier = add_dossier(service.platform, service.mairie.organisation, title, "sent")
    with service.client(service.mairie.token) as client:
        assert client.get(f"/v1/dossiers/{dossier}").status_code == 200
        text = client.get("/metrics").text
    assert re.search(r'tabellion_dossiers{flow="helios",state="sent"} \d', text)
    assert 'tabellion_http_requests_total{method="GET",route="/v1/dossiers/{dossier_id}",status="200"}' in text
    assert "tabellion_steps_due" in text
    for private in (title, dossier, service.mairie.organisation.id, service.mairie.organisation.name):
        assert private not in text


@pytest.mark.parametrize(
    "path", ["/connexion", "/v1/docs", "/v1/dossiers", "/nulle-part", "/static/tabellion.css", "/health/live"]
)
def test_every_answer_forbids_what_no_page_needs(service: Service, path: str) -> None:
    headers = httpx.get(f"{service.address}{path}").headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert re.fullmatch(r"[0-9A-Z]{26}", headers["x-request-id"])


@pytest.mark.parametrize("path", ["/v1/dossiers", "/v1/dossiers/nul", "/v1/openapi.json", "/health/live", "/metrics"])
def test_software_may_ask_for_the_head_of_whatever_it_gets(service: Service, path: str) -> None:
    with service.client(service.mairie.token) as client:
        head, got = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert httpx.head(f"{service.address}/connexion").status_code == 405  # what people open may count as having been read


def test_a_fault_of_ours_is_a_problem_with_a_reference_and_no_trace(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr("flows.engine.reading.page", fail)
    with structlog.testing.capture_logs() as logs, service.client(service.mairie.token) as client:
        answer = client.get("/v1/dossiers", headers={"Accept-Language": "en"})
    assert answer.json()["title"] == "Platform error"
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert answer.json()["instance"].endswith(answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    faults = [line for line in logs if line["event"] == "http.fault"]
    assert [(line["request"], line["error"]) for line in faults] == [(answer.headers["x-request-id"], "ZeroDivisionError")]


def test_a_log_line_holds_the_route_and_no_more_than_that(service: Service) -> None:
    with structlog.testing.capture_logs() as logs, service.client(service.mairie.token) as client:
        client.get("/v1/dossiers", params={"q": "quelqu’un@exemple.test"})
    line = next(line for line in logs if line["event"] == "http.request")
    assert (line["route"], line["method"], line["status"]) == ("/v1/dossiers", "GET", 200)
    assert "exemple" not in json.dumps(logs)
    assert service.mairie.token not in json.dumps(logs)


def test_a_method_that_is_not_foreseen_and_a_large_small_form_are_refused(service: Service) -> None:
    assert httpx.delete(f"{service.address}/v1/dossiers").status_code == 405
    assert httpx.request("PROPFIND", f"{service.address}/connexion").status_code == 405
    answer = httpx.post(f"{service.address}/connexion", data={"email": "x" * 400_000})
    assert answer.status_code == 413
    pieces = (b"email=" + b"x" * 50_000 for _ in range(10))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert httpx.post(f"{service.address}/connexion", content=pieces, headers=kind).status_code == 413


def test_the_documentation_names_every_operation_of_the_openapi_document(service: Service) -> None:
    document = httpx.get(f"{service.address}/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    page = httpx.get(f"{service.address}/v1/docs").text
    for path, methods in document["paths"].items():
        assert path in page
        for spec in methods.values():
            assert f'id="{spec["operationId"]}"' in page
            assert {"401", "404", "422"} <= spec["responses"].keys()
    assert "http://" not in re.sub(r'xmlns="[^"]*"', "", page)
