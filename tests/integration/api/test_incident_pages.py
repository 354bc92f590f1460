"""The pages of incidents and places: who sees what, taking up, restoring a copy, closing, and what the places hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from archive.models import Record, RecordCopy
from archive.watch import audits
from archive.watch.audits import AuditKind
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import Incident
from core.identifiers import new_id
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from tests.bit_flips import flip
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.service import PASSWORD, Service, web_service
from tests.kept_records import SECOND, seal

PATH = "/archives/incidents"


@pytest.fixture(scope="module")
def watched(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose archive stands in two places."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "secret").write_text(s3.secret_key)
    place = {
        "name": SECOND,
        "endpoint": s3.endpoint,
        "access_key": s3.access_key,
        "secret_key_file": str(folder / "secret"),
        "bucket_prefix": f"t{new_id().lower()[-12:]}",
    }
    (folder / "places.json").write_text(json.dumps([place]))
    with web_service(s3, folder, archive_places_file=folder / "places.json") as running:
        running.platform.prepare_stores()
        yield running


@contextmanager
def person(service: Service, organisation: Organisation | None, *rights: Right) -> Iterator[httpx.Client]:
    """Somebody of a collectivité, or of the whole platform, signed in."""
    address = f"{new_id().lower()}@incidents.test"
    with service.platform.database.writing(PLATFORM) as session:
        where = organisation or session.get_one(Organisation, service.mairie.organisation.parent_id)
        grant_role(session, add_person(session, address, "Camille Test", PASSWORD), where, new_id()[-8:], set(rights))
    with somebody(service, address) as client:
        yield client


@pytest.fixture
def altered(watched: Service, s3: S3Server, tmp_path: Path) -> tuple[Record, str]:
    """A record of the first collectivité whose second copy was altered, and its incident."""
    platform = watched.platform
    record = seal(platform, watched.mairie.organisation, tmp_path)
    content = (tmp_path / f"{record.id}.zip").read_bytes()
    flip(s3, content, 60, bucket=platform.further[0].store.archive)
    for duty in audits.duties(platform, [AuditKind.INTEGRITY]):
        audits.whole(platform, duty, lambda *_: None)
    with platform.database.reading(PLATFORM) as session:
        return record, session.exec(select(Incident.id).where(Incident.subject == record.key)).one()


def state_of(service: Service, incident: str) -> tuple[str, str | None]:
    with service.platform.database.reading(PLATFORM) as session:
        found = session.get_one(Incident, incident)
        return found.state, found.how


def test_an_archivist_takes_an_incident_up_restores_the_copy_and_closes_it(watched: Service, altered: tuple[Record, str]) -> None:
    record, incident = altered
    with person(watched, watched.mairie.organisation, Right.READ, Right.ARCHIVE) as archivist:
        assert f'href="{PATH}/{incident}"' in archivist.get(PATH).text
        page = archivist.get(f"{PATH}/{incident}").text
        assert record.title in page
        assert record.key in page
        assert record.sha256 in page
        assert "Reconstruire cette copie depuis" in page
        assert 'value="principal"' in page
        assert f'value="{SECOND}"' not in page
        post = f"{PATH}/{incident}"
        assert archivist.post(f"{post}/prise", data=csrf(archivist)).headers["location"] == f"{post}?fait=pris"
        assert "Camille Test" in archivist.get(post).text
        foreign = archivist.post(f"{post}/reconstruction", data={**csrf(archivist), "source": "ailleurs"})
        assert foreign.status_code == 404
        done = archivist.post(f"{post}/reconstruction", data={**csrf(archivist), "source": "principal"})
        assert done.headers["location"] == f"{post}?fait=reconstruite"
        assert "La copie a été reconstruite" in archivist.get(done.headers["location"]).text
        assert state_of(watched, incident) == ("owned", None)
        silent = archivist.post(f"{post}/cloture", data={**csrf(archivist), "how": " "})
        assert (silent.status_code, "Dites ce qui a été fait" in silent.text) == (400, True)
        closed = archivist.post(f"{post}/cloture", data={**csrf(archivist), "how": "disque remplacé"})
        assert closed.headers["location"] == f"{post}?fait=clos"
        assert f'href="{PATH}/{incident}"' not in archivist.get(PATH).text
        assert f'href="{PATH}/{incident}"' in archivist.get(PATH, params={"etat": "clos"}).text
        page = archivist.get(post).text
        assert ("disque remplacé" in page, "<form" in page.partition("<main")[2]) == (True, False)
    assert state_of(watched, incident) == ("closed", "disque remplacé")
    for duty in audits.duties(watched.platform, [AuditKind.INTEGRITY], SECOND):
        assert audits.whole(watched.platform, duty, lambda *_: None)[1] == ()
    with watched.platform.database.reading(PLATFORM) as session:
        assert len(set(session.exec(select(RecordCopy.version_id).where(RecordCopy.record_id == record.id)))) == 2


def test_who_operates_without_reading_sees_keys_and_never_a_title(watched: Service, altered: tuple[Record, str]) -> None:
    record, incident = altered
    with person(watched, None, Right.OPERATE) as operator:
        page = operator.get(f"{PATH}/{incident}").text
        assert (record.key in page, record.title in page) == (True, False)
        assert record.title not in operator.get("/archives/lieux").text


def test_what_was_noted_is_said_in_words(watched: Service) -> None:
    owner = watched.mairie.organisation
    facts = {
        "marker": True,
        "eliminated": False,
        "on_top": "marker",
        "until": "2026-03-02T09:15:00.000000Z",
        "expected": "3f" * 16,
    }
    with watched.platform.database.writing(PLATFORM) as session:
        noted = open_incident(
            session, organisation_id=owner.id, kind=Kind.OBJECT_UNKNOWN, place=SECOND, subject=new_id(), facts=facts
        )
    with person(watched, owner, Right.ARCHIVE) as archivist:
        told = re.findall(r"<dd class=\"((?:code )?)long\">([^<]*)</dd>", archivist.get(f"{PATH}/{noted}").text)
    said = [(bool(code), words.replace("\u00a0", " ")) for code, words in told]
    assert said[-5:] == [
        (False, "oui"),
        (False, "non"),
        (False, "une marque de suppression"),
        (False, "2 mars 2026, 10 h 15"),
        (True, "3f" * 16),
    ]


def test_others_see_neither_the_incident_nor_the_pages(watched: Service, altered: tuple[Record, str]) -> None:
    _, incident = altered
    deeds = [("prise", {}), ("cloture", {"how": "rien"}), ("reconstruction", {"source": "principal"})]
    with person(watched, watched.syndicat.organisation, Right.READ, Right.ARCHIVE, Right.OPERATE) as neighbour:
        assert incident not in neighbour.get(PATH).text
        assert neighbour.get(f"{PATH}/{incident}").status_code == 404
        for deed, fields in deeds:
            assert neighbour.post(f"{PATH}/{incident}/{deed}", data={**csrf(neighbour), **fields}).status_code == 404
    with person(watched, watched.mairie.organisation, Right.READ, Right.DEPOSIT, Right.ADMINISTER) as reader:
        for path in (PATH, f"{PATH}/{incident}", "/archives/lieux"):
            assert reader.get(path).status_code == 403
    with person(watched, watched.mairie.organisation, Right.ARCHIVE) as archivist:
        for deed, fields in deeds:
            assert archivist.post(f"{PATH}/{incident}/{deed}", data={"csrf": "autre", **fields}).status_code == 403
    assert state_of(watched, incident) == ("open", None)


def test_a_right_elsewhere_gives_nothing_here(watched: Service, altered: tuple[Record, str]) -> None:
    _, incident = altered
    address = f"{new_id().lower()}@incidents.test"
    with watched.platform.database.writing(PLATFORM) as session:
        both = add_person(session, address, "Deux Rôles", PASSWORD)
        grant_role(session, both, watched.mairie.organisation, "lit", {Right.READ})
        grant_role(session, both, watched.syndicat.organisation, "archive", {Right.ARCHIVE})
    with somebody(watched, address) as client:
        assert client.get(f"{PATH}/{incident}").status_code == 404
        assert incident not in client.get(PATH).text


def test_the_list_goes_on_and_is_narrowed(watched: Service) -> None:
    owner = watched.syndicat.organisation
    with watched.platform.database.writing(PLATFORM) as session:
        for rank in range(30):
            kind = Kind.COPY_MISSING if rank % 2 else Kind.COPY_HIDDEN
            open_incident(session, organisation_id=owner.id, kind=kind, place=SECOND, subject=f"liste/{rank:02}", facts={})
    with person(watched, owner, Right.ARCHIVE) as archivist:
        first = archivist.get(PATH).text
        met = re.findall(r"liste/\d\d", first)
        more = re.search(r'href="([^"]+)" rel="next"', first)
        assert more
        met += re.findall(r"liste/\d\d", archivist.get(more[1].replace("&amp;", "&")).text)
        assert met == [f"liste/{rank:02}" for rank in reversed(range(30))]
        assert len(re.findall(r"liste/\d\d", archivist.get(PATH, params={"nature": Kind.COPY_MISSING}).text)) == 15
        assert "Aucun incident ne répond" in archivist.get(PATH, params={"lieu": "principal"}).text


def test_the_places_say_whether_they_answer_what_they_hold_and_how_old_the_proof_is(
    watched: Service, altered: tuple[Record, str]
) -> None:
    assert altered
    with (
        person(watched, None, Right.OPERATE) as operator,
        person(watched, watched.mairie.organisation, Right.ARCHIVE) as archivist,
    ):
        page = operator.get("/archives/lieux").text
        assert page.count("Répond<") == 2
        assert "Intégrité des archives" in page
        assert "Dernier horodatage du journal" in page
        assert "Jamais" in page
        told = archivist.get("/archives/lieux").text
        assert "Passages des contrôles" not in told
        assert re.search(r"\d+ copies|Une copie", told)
    with person(watched, watched.syndicat.organisation, Right.ARCHIVE) as neighbour:
        assert re.search(r"\b0 copie\b", neighbour.get("/archives/lieux").text)


def test_monitoring_reads_incidents_and_ages(watched: Service, altered: tuple[Record, str]) -> None:
    assert altered
    with watched.client() as prometheus:
        told = prometheus.get("/metrics").text
    assert re.search(r'tabellion_archive_incidents\{state="open"\} [1-9]', told)
    assert re.search(rf'tabellion_archive_oldest_check_seconds\{{place="{SECOND}"\}} \d', told)
