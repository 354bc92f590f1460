"""An administrator says where the stamp of acts goes and which acts are signed here; copies and acts follow."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import httpx
import pypdfium2
import pytest
from sqlmodel import select

from core.configuration import Configuration, configuration_of
from core.identifiers import new_id
from core.journal import JournalEntry
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.actes import asking, stages
from flows.actes.knowledge import route_of, stamp_of
from flows.actes.settings import ROUTE, STAMP, ActesRoute, ActesStamp
from flows.engine.work import Advance
from signing.parapheur import typology
from signing.parapheur.choice import Row
from signing.parapheur.typology import Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service, web_service
from tests.office import Office

STAMPING, ROUTING = "/administration/actes/tampon", "/administration/actes/parapheur"


@pytest.fixture(scope="module")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with web_service(s3, tmp_path_factory.mktemp("acts")) as running:
        yield running


@pytest.fixture(scope="module")
def mairie(service: Service) -> ActsMairie:
    found = ActsMairie(service.platform, service.mairie.organisation)
    found.connect()
    found.hire("administrateur", {Right.READ, Right.ADMINISTER})
    found.hire("clerc", {Right.READ, Right.DEPOSIT})
    return found


@pytest.fixture
def administrator(service: Service, mairie: ActsMairie) -> Iterator[httpx.Client]:
    with somebody(service, mairie.people["administrateur"]) as client:
        yield client


def posted(client: httpx.Client, where: str, **fields: Any) -> httpx.Response:
    return client.post(where, data={**csrf(client), **fields})


def changes(mairie: ActsMairie, name: str) -> list[str]:
    """What the journal tells of a configuration."""
    with mairie.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.organisation_id == mairie.organisation.id)).all()
    return [entry.kind for entry in entries if entry.facts.get("configuration") == name]


# The stamp


def box(page: str) -> tuple[float, float]:
    """Where the drawing puts the stamp: from the left and from the top, in points of an A4 page."""
    found = re.search(r'class="stamp-box" x="([\d.]+)" y="([\d.]+)"', page)
    assert found is not None
    return float(found[1]), float(found[2])


def printed(octets: bytes) -> tuple[float, float]:
    """Where the words of the stamp begin on a first page: from the left and from the top."""
    page = pypdfium2.PdfDocument(octets)[0]
    words = page.get_textpage()
    left, _, _, top = words.get_charbox(words.get_text_range().index("AR Préf"))
    return left, page.get_height() - top


def test_the_stamp_goes_where_the_administrator_says_on_the_copies(
    service: Service, administrator: httpx.Client, mairie: ActsMairie
) -> None:
    act = mairie.acknowledged("TAMPON_1")
    with somebody(service, mairie.people["clerc"]) as clerk:
        (copy,) = re.findall(rf"/actes/{act}/fichiers/[0-9A-Z]{{26}}/tampon", clerk.get(f"/actes/{act}").text)
        left, top = printed(clerk.get(copy).content)
        assert left > 300
        assert top < 40
        kept = posted(administrator, STAMPING, across="10", down="50,5", do="save")
        assert kept.status_code == 303
        assert "La place du tampon est enregistrée." in administrator.get(kept.headers["location"]).text
        assert stamp_of(mairie.platform, mairie.organisation.id) == ActesStamp(across=10, down=50.5)
        left, top = printed(clerk.get(copy).content)
    width, height = 595, 842
    assert left == pytest.approx(width * 0.10, abs=15)
    assert top == pytest.approx(height * 0.505, abs=30)
    assert changes(mairie, STAMP) == ["configuration.changed"]


def test_a_place_is_drawn_before_it_is_kept(administrator: httpx.Client, mairie: ActsMairie) -> None:
    before = stamp_of(mairie.platform, mairie.organisation.id)
    looked = posted(administrator, STAMPING, across="25", down="75", do="look")
    assert box(looked.text) == pytest.approx((149, 631), abs=2)
    assert "gauche=25.0&amp;haut=75.0" in looked.text
    for preset, corner in (("haut-gauche", (10, 10)), ("bas-droite", (350, 782))):
        assert box(posted(administrator, STAMPING, across="", down="", do=preset).text) == pytest.approx(corner, abs=2)
    assert stamp_of(mairie.platform, mairie.organisation.id) == before


def test_the_example_is_printed_where_it_is_drawn(administrator: httpx.Client) -> None:
    drawn = box(posted(administrator, STAMPING, across="30", down="40", do="look").text)
    sample = administrator.get(f"{STAMPING}/exemple.pdf", params={"gauche": "30", "haut": "40"})
    assert (sample.status_code, sample.headers["content-type"]) == (200, "application/pdf")
    left, top = printed(sample.content)
    assert left == pytest.approx(drawn[0] + 4, abs=3)
    assert drawn[1] < top < drawn[1] + 50
    assert len(pypdfium2.PdfDocument(BytesIO(sample.content))) == 1
    assert administrator.get(f"{STAMPING}/exemple.pdf", params={"gauche": "101"}).status_code == 422


@pytest.mark.parametrize(
    ("across", "down", "words"),
    [("-1", "0", "depuis la gauche"), ("0", "101", "depuis le haut"), ("x", "0", "depuis la gauche"), ("nan", "0", "gauche")],
)
def test_a_place_outside_of_the_page_is_refused(administrator: httpx.Client, across: str, down: str, words: str) -> None:
    answer = posted(administrator, STAMPING, across=across, down=down, do="save")
    assert answer.status_code == 400
    assert words in answer.text
    assert f'value="{across}"' in answer.text


def test_the_place_of_an_organisation_above_counts_until_there_is_an_own(service: Service, mairie: ActsMairie) -> None:
    other = service.syndicat.organisation.id
    assert stamp_of(service.platform, other) == ActesStamp()
    above = mairie.hire("toute", {Right.ADMINISTER}, above=True)
    with somebody(service, above) as client:
        assert "Rien n’est choisi ici" in client.get(STAMPING, params={"organisation": other}).text
        root = mairie.organisation.parent_id
        assert posted(client, f"{STAMPING}?organisation={root}", across="0", down="0", do="save").status_code == 303
    assert stamp_of(service.platform, other) == ActesStamp(across=0, down=0)
    with service.platform.database.writing(PLATFORM) as session:
        session.delete(session.get_one(Configuration, (root, STAMP)))


# The way through the parapheur


@pytest.fixture(scope="module")
def office(service: Service, mairie: ActsMairie) -> Office:
    """Its signing book, with a kind of folder for acts."""
    furnished = Office.opened(service.platform, mairie.organisation)
    with service.platform.database.writing(PLATFORM) as session:
        kind = typology.add_type(
            session, mairie.organisation.id, "Actes", TypeOptions(format=SignatureFormat.PADES, protocol=Protocol.ACTES)
        )
        furnished.kinds["acte"] = typology.add_subtype(session, kind, "Acte", SubtypeOptions(), (Row(circuit="complet"),)).id
    return furnished


def asked(office: Office, **fields: Any) -> dict[str, Any]:
    return {
        "subtype": office.kinds["acte"],
        "emitter": office.desks["secretariat"].id,
        "visibility": "confidential",
        "natures": ["1", "3"],
        **fields,
    }


def test_acts_of_some_natures_go_through_the_signing_book_and_no_longer(
    administrator: httpx.Client, mairie: ActsMairie, office: Office
) -> None:
    assert "Les actes ne passent pas par le parapheur" in administrator.get(ROUTING).text
    kept = posted(administrator, ROUTING, **asked(office))
    assert kept.status_code == 303
    page = html.unescape(administrator.get(kept.headers["location"]).text)
    assert "Sous-type Actes – Acte, envoyés par le bureau Secrétariat général." in page
    assert "Seulement\u00a0: Délibérations, Actes individuels." in page
    assert re.findall(r'name="natures" type="checkbox" value="(\d)" checked', page) == ["1", "3"]
    with mairie.platform.database.reading(PLATFORM) as session:
        route = configuration_of(session, mairie.platform.secrets, mairie.organisation.id, ROUTE, ActesRoute)
    assert route == ActesRoute(subtype=office.kinds["acte"], emitter=office.desks["secretariat"].id, natures=(1, 3))
    dropped = posted(administrator, ROUTING, **asked(office, subtype=""))
    assert dropped.headers["location"].endswith("fait=sans-route")
    assert route_of(mairie.platform, mairie.organisation.id) is None
    assert changes(mairie, ROUTE) == ["configuration.changed", "configuration.withdrawn"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"natures": []}, "au moins une nature"),
        ({"emitter": ""}, "bureau émetteur"),
        ({"subtype": "x"}, "sous-type"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused_and_comes_back_as_it_was(
    administrator: httpx.Client, office: Office, mairie: ActsMairie, change: dict[str, Any], words: str
) -> None:
    answer = posted(administrator, ROUTING, **{**asked(office), **change})
    assert answer.status_code == 400
    assert words in answer.text
    assert f'value="{office.desks["secretariat"].id}" selected' in answer.text or "emitter" in change
    assert route_of(mairie.platform, mairie.organisation.id) is None


def test_a_subtype_that_does_not_go_to_actes_is_refused(administrator: httpx.Client, office: Office) -> None:
    page = administrator.get(ROUTING).text
    assert office.kinds["acte"] in page
    assert office.kinds["pes"] not in page
    answer = posted(administrator, ROUTING, **asked(office, subtype=office.kinds["pes"]))
    assert answer.status_code == 400
    assert "ACTES" in answer.text


@pytest.mark.parametrize(("nature", "outcome"), [(1, "asked"), (2, "kept")])
def test_the_flow_asks_people_for_the_natures_that_were_chosen(
    mairie: ActsMairie, monkeypatch: pytest.MonkeyPatch, nature: int, outcome: str
) -> None:
    route = ActesRoute(subtype=new_id(), emitter=new_id(), natures=(1,))
    monkeypatch.setattr(stages.knowledge, "route_of", lambda _platform, _organisation: route)
    monkeypatch.setattr(asking, "ask", lambda _work, _act, _route: Advance("asked"))
    facts = mairie.dossier(mairie.act(nature=nature)).facts
    work: Any = SimpleNamespace(facts=facts, platform=mairie.platform, organisation_id=mairie.organisation.id)
    told = stages.sign.perform(work)
    assert isinstance(told, Advance)
    assert told.outcome == outcome


def test_the_connection_leads_to_both_pages_and_nobody_else_goes_there(
    service: Service, administrator: httpx.Client, mairie: ActsMairie
) -> None:
    page = administrator.get("/administration/actes").text
    for address in (STAMPING, ROUTING):
        assert f'href="{address}"' in page
        assert administrator.post(address, data={"across": "1", "down": "1", "do": "save"}).status_code == 403
    with somebody(service, mairie.people["clerc"]) as clerk:
        for address in (STAMPING, ROUTING, f"{STAMPING}/exemple.pdf"):
            assert clerk.get(address).status_code == 403
        theirs = {**csrf(clerk), "across": "1", "down": "1", "do": "save"}
        assert clerk.post(STAMPING, data=theirs).status_code == 403
    outside = administrator.get(STAMPING, params={"organisation": service.syndicat.organisation.id})
    assert outside.status_code == 404
