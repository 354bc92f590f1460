"""Lists, details, timelines, records over HTTP."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import httpx
import pytest

from core import journal
from core.identifiers import new_id
from core.principal import PLATFORM
from flows.engine.models import Dossier
from tests.integration.api.service import Service, add_dossier, add_record


@pytest.fixture(scope="module")
def dossiers(service: Service) -> list[str]:
    """Dossiers in several states, oldest first, under a name of their own."""
    states = ("archived", "sent", "sent", "rejected", "signed", "sent", "archived")
    return [
        add_dossier(
            service.platform,
            service.mairie.organisation,
            f"LISTE_{rank}%_é",
            state,
            days=100 - rank,
            parked="la passerelle" if state == "signed" else None,
        )
        for rank, state in enumerate(states)
    ]


def test_pages_hold_every_dossier_once_newest_first(software: httpx.Client, dossiers: list[str]) -> None:
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = software.get("/v1/dossiers", params={"q": "liste_", "limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        assert (page["total"], page["total_exact"]) == (7, True)
        found += [line["id"] for line in page["dossiers"]]
        cursor, pages = page["next"], pages + 1
    assert (found, pages) == (dossiers[::-1], 3)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"state": "sent"}, 3),
        ({"state": ["sent", "rejected"]}, 4),
        ({"parked": "true"}, 1),
        ({"parked": "false"}, 6),
        ({"flow": "helios"}, 7),
        ({"flow": "actes"}, 0),
        ({"state": "nowhere"}, 0),
        ({"q": "LISTE_1%"}, 1),
        ({"q": "LISTE%"}, 0),
        ({"q": "LISTE_' OR 1=1"}, 0),
    ],
)
def test_filters_narrow_the_list(software: httpx.Client, dossiers: list[str], filters: dict, count: int) -> None:
    assert len(dossiers) == 7
    assert software.get("/v1/dossiers", params={"q": "LISTE_"} | filters).json()["total"] == count


def test_days_are_those_of_metropolitan_france(software: httpx.Client, service: Service) -> None:
    title = f"NUIT_{new_id()}"
    with service.platform.database.writing(PLATFORM) as session:
        moment = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)  # half past midnight on the 15th in Paris
        owner = service.mairie.organisation.id
        session.add(Dossier(organisation_id=owner, flow="helios", title=title, state="sent", created=moment))

    def found(**days: str) -> int:
        return software.get("/v1/dossiers", params={"q": title} | days).json()["total"]

    assert found(created_from="2026-07-15", created_to="2026-07-15") == 1
    assert found(created_to="2026-07-14") == 0
    assert found(created_from="0001-01-01", created_to="9999-12-31") == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=zzz",
        "created_from=hier",
        "parked=peut-etre",
        "organisation=12",
        "q=" + "a" * 200,
    ],
)
def test_a_value_that_does_not_fit_is_a_problem(software: httpx.Client, query: str) -> None:
    answer = software.get(f"/v1/dossiers?{query}")
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code == 422:
        assert answer.json()["problems"][0]["path"] == f"query.{query.partition('=')[0]}"


@pytest.mark.parametrize(
    "path", ["/v1/dossiers/%00", "/v1/dossiers?q=%00", "/v1/dossiers/..%2f..", "/v1/nowhere", "/v1/dossiers/x"]
)
def test_an_address_that_leads_nowhere_is_a_problem(software: httpx.Client, path: str) -> None:
    answer = software.get(path)
    assert answer.status_code in {400, 404, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_dossier_is_shown_with_what_refused_it_and_its_warnings(software: httpx.Client, service: Service) -> None:
    problem = {"rule": "R08", "severity": "error", "message": "NomFic absent", "line": 3, "scope": "flow"}
    warning = {"rule": "B12", "severity": "warning", "message": "total", "scope": "flow"}
    identifier = add_dossier(
        service.platform,
        service.mairie.organisation,
        f"REFUS_{new_id()}",
        "rejected",
        problems=[problem],
        facts={"nom_fic": "x", "warnings": [warning]},
    )
    shown = software.get(f"/v1/dossiers/{identifier}").json()
    assert [found["rule"] for found in shown["problems"]] == ["R08", "B12"]
    assert (shown["ended"], shown["facts"]) == (True, {"nom_fic": "x"})
    entries = software.get(shown["links"]["timeline"]).json()["entries"]
    assert [entry["label"] for entry in entries] == ["Document déposé"]
    english = software.get(shown["links"]["timeline"], headers={"Accept-Language": "en"}).json()["entries"]
    assert [entry["label"] for entry in english] == ["Document deposited"]


def test_the_flow_is_drawn_with_the_state_marked(software: httpx.Client, dossiers: list[str]) -> None:
    answer = software.get(f"/v1/dossiers/{dossiers[1]}/diagram.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.text).tag.endswith("svg")
    assert "Transmis" in answer.text


def test_a_parked_dossier_is_resumed_once_by_who_may(software: httpx.Client, service: Service) -> None:
    owner = service.mairie.organisation
    identifier = add_dossier(service.platform, owner, f"PARK_{new_id()}", "signed", parked="la passerelle")
    with service.client(service.mairie.reader_token) as reader:
        assert reader.post(f"/v1/dossiers/{identifier}/resume").status_code == 403
    answer = software.post(f"/v1/dossiers/{identifier}/resume")
    assert (answer.status_code, answer.json()["parked"]) == (200, None)
    assert software.post(f"/v1/dossiers/{identifier}/resume").status_code == 409
    entries = software.get(f"/v1/dossiers/{identifier}/timeline").json()["entries"]
    assert entries[-1]["kind"] == "dossier.resumed"
    assert entries[-1]["actor"].startswith("token:")


def test_a_timeline_that_is_cut_says_so_and_leads_to_what_came_before(software: httpx.Client, service: Service) -> None:
    identifier = add_dossier(service.platform, service.mairie.organisation, f"LONG_{new_id()}", "sent")
    owner = service.mairie.organisation.id
    with service.platform.database.writing(PLATFORM) as session:
        for rank in range(4):
            journal.write(session, organisation_id=owner, dossier_id=identifier, kind=f"step.{rank}", actor="platform")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = software.get(f"/v1/dossiers/{identifier}/timeline", params=asked).json()
        assert (page["total"], page["total_exact"]) == (5, True)
        found, cursor = [*(entry["kind"] for entry in page["entries"]), *found], page["next"]
    assert found == ["dossier.received", "step.0", "step.1", "step.2", "step.3"]


def test_a_record_tells_where_its_proof_stands(software: httpx.Client, service: Service) -> None:
    owner = service.mairie.organisation
    identifier = add_dossier(service.platform, owner, f"ARCHIVE_{new_id()}", "archived")
    record = add_record(service.platform, owner, identifier, stamped=False)
    shown = software.get(f"/v1/dossiers/{identifier}").json()
    assert shown["record"] == record
    proven = software.get(shown["links"]["record"]).json()
    assert (proven["dossier_id"], proven["position"], proven["stamped"]) == (identifier, None, None)
    waiting = software.get(shown["links"]["evidence"])
    assert waiting.status_code == 503
    assert waiting.headers["retry-after"]
    assert record in [found["id"] for found in software.get("/v1/records").json()["records"]]


def test_a_document_that_the_store_altered_never_arrives_whole(
    software: httpx.Client, service: Service, dossiers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = software.get(f"/v1/dossiers/{dossiers[0]}/files").json()["files"][0]
    with monkeypatch.context() as patched:
        # Another document under the same name: what an altered store would give back.
        other = software.get(f"/v1/dossiers/{dossiers[1]}/files").json()["files"][0]["sha256"]
        reading = service.platform.objects.reading
        patched.setattr(type(service.platform.objects), "reading", lambda _self, _sha256: reading(other))
        with pytest.raises(httpx.RemoteProtocolError):
            software.get(kept["href"])
    assert software.get(kept["href"]).status_code == 200
