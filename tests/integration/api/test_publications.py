"""The public pages, as anybody asks for them: what they say, what they never say, what a reader may keep, what leads nowhere."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from lxml import etree
from sqlmodel import col, select

from api.publications.open_data import COLUMNS
from api.publications.routes import router
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.actes import published
from flows.actes.models import ActesPublication
from flows.engine.models import Dossier
from signing.trust import TrustStore
from tests.integration.api.publications_town import SECRET, PublicTown, public_town
from tests.integration.api.service import PASSWORD

ATOM = {"a": "http://www.w3.org/2005/Atom"}
NOBODYS = "0" * 26
MANY = 250
# The columns of the schema « Délibérations » (SCDL 2.1.4), written out: not what the product says of itself.
SCDL = (
    "COLL_NOM,COLL_SIRET,DELIB_ID,DELIB_DATE,DELIB_MATIERE_CODE,DELIB_MATIERE_NOM,DELIB_OBJET,BUDGET_ANNEE,BUDGET_NOM,PREF_ID,"
    "PREF_DATE,VOTE_EFFECTIF,VOTE_REEL,VOTE_POUR,VOTE_CONTRE,VOTE_ABSTENTION,DELIB_URL"
)


@pytest.fixture(scope="module")
def town(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicTown]:
    with public_town(s3, tmp_path_factory.mktemp("publications")) as opened:
        yield opened


@pytest.fixture
def anybody(town: PublicTown) -> Iterator[httpx.Client]:
    with town.service.client() as client:
        yield client


def addresses(town: PublicTown, situation: str) -> list[str]:
    """Every public route, with the identifiers of an act in it."""
    routes = (route.path or "" for route in iter_route_contexts(router.routes))
    names = {"siren": town.mairie.organisation.siren, "publication_id": town.acts[situation], "rank": "1"}
    return [path.format(**names) for path in routes if "elsewhere" not in path]


def text_of(answer: httpx.Response) -> str:
    """What a page shows, without its tags."""
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_every_route_answers_to_anybody_sets_no_cookie_and_is_kept_by_its_validator(
    town: PublicTown, anybody: httpx.Client
) -> None:
    paths = addresses(town, "online")
    assert len(paths) == 8
    for path in paths:
        given = anybody.get(path)
        assert given.status_code == 200, path
        assert "set-cookie" not in given.headers, path
        assert given.headers["cache-control"].startswith("public, "), path
        head = anybody.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        same = ("etag", "content-type", "content-disposition", "cache-control")
        assert [head.headers.get(name) for name in same] == [given.headers.get(name) for name in same], path
        for known in (given.headers["etag"], f"W/{given.headers['etag']}", f'"x", {given.headers["etag"]}', "*"):
            kept = anybody.get(path, headers={"If-None-Match": known})
            assert (kept.status_code, kept.content) == (304, b""), (path, known)
            assert kept.headers["etag"] == given.headers["etag"], path
        assert anybody.get(path, headers={"If-None-Match": '"x"'}).status_code == 200, path


def test_whoever_is_signed_in_is_shown_what_everybody_is(town: PublicTown, anybody: httpx.Client) -> None:
    with town.service.client() as client:
        csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
        client.post("/connexion", data={"csrf": csrf, "email": town.service.mairie.email, "password": PASSWORD})
        for path in addresses(town, "online"):
            assert client.get(path).content == anybody.get(path).content, path


def test_nothing_is_told_of_what_is_closed_withdrawn_unpublished_or_not_chosen(town: PublicTown, anybody: httpx.Client) -> None:
    open_, closed = town.page, f"/publications/{town.syndicat.organisation.siren}"
    ids = [*town.acts.values(), town.unpublished, NOBODYS]
    endings = ("", "/documents/1", "/documents/2", "/documents/1/tampon", "/documents/2/tampon", "/preuve")
    paths = [f"{page}/actes/{one}{ending}" for page in (open_, closed) for one in ids for ending in endings]
    paths += [
        f"{page}{ending}" for page in (open_, closed) for ending in ("", "/flux.atom", "/deliberations.csv", f"?q={SECRET}")
    ]
    paths += ["/publications", f"/publications?q={town.syndicat.organisation.siren}"]
    for path in paths:
        answer = anybody.get(path)
        seen = answer.content if answer.headers["content-type"] != "application/zip" else contents(answer.content)
        assert SECRET.encode() not in seen.replace(f'value="{SECRET}"'.encode(), b""), path
        assert town.syndicat.organisation.name.encode() not in seen, path
        if path.startswith(closed):
            assert answer.status_code == 404, path


def contents(octets: bytes) -> bytes:
    """Everything that a proof holds, its package unpacked."""
    with zipfile.ZipFile(io.BytesIO(octets)) as proof:
        kept = b"".join(proof.read(name) for name in proof.namelist() if name != "package.zip")
        with zipfile.ZipFile(io.BytesIO(proof.read("package.zip"))) as package:
            return kept + b"".join(name.encode() + package.read(name) for name in package.namelist())


def test_an_act_says_all_that_the_law_wants_said_and_gives_its_documents(town: PublicTown, anybody: httpx.Client) -> None:
    row = town.row("online")
    shown = text_of(anybody.get(town.act("online")))
    for words in (
        "Commune de Valmorin",
        "Délibération n°\u00a02026_118 du 20 novembre 2026",
        "Tarifs de la cantine &amp; du &lt;portage&gt; à domicile",
        "Élise Martin-Prévost",
        "Maire",
        "7.10 – Finances locales",
        "21 novembre 2026",
        row.id_acte,
        row.files[0]["sha256"],
    ):
        assert words in shown, words
    moment = row.published.astimezone(published.clock.PARIS)
    assert f"{moment.day} novembre 2026 à\u00a0{moment.hour}\u00a0h\u00a0{moment:%M}\u00a0min\u00a0{moment:%S}\u00a0s" in shown

    document = anybody.get(f"{town.act('online')}/documents/1")
    assert hashlib.sha256(document.content).hexdigest() == row.files[0]["sha256"]
    assert document.headers["content-type"] == "application/pdf"
    name = "2026_118-D%C3%A9lib%C3%A9ration.pdf"
    assert document.headers["content-disposition"] == f"inline; filename=\"2026_118-D_lib_ration.pdf\"; filename*=UTF-8''{name}"
    assert document.headers["x-content-type-options"] == "nosniff"
    assert "script-src" not in document.headers["content-security-policy"]
    assert anybody.get(f"{town.act('late')}/documents/2").content.startswith(b"%PDF")


def test_a_stamped_copy_is_made_once(town: PublicTown, anybody: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{town.act('regulatory')}/documents/1/tampon"
    made = anybody.get(path)
    assert made.status_code == 200
    assert made.headers["content-disposition"].startswith("attachment; filename=")
    assert made.content.startswith(b"%PDF")
    assert made.content != anybody.get(path.removesuffix("/tampon")).content

    def never(*_: object) -> bytes:
        raise AssertionError("made again")

    monkeypatch.setattr(published, "stamped", never)
    assert anybody.get(path).content == made.content


def test_the_proof_is_verified_by_anyone_and_awaited_until_it_is_there(
    town: PublicTown, anybody: httpx.Client, tmp_path: Path
) -> None:
    proof = tmp_path / "preuve.zip"
    given = anybody.get(f"{town.act('online')}/preuve")
    proof.write_bytes(given.content)
    assert f"preuve-{town.acts['online']}.zip" in given.headers["content-disposition"]
    assert verify_evidence(proof, trust=TrustStore.from_folder(town.trust)).verdict is EvidenceVerdict.VALID
    assert town.row("online").files[0]["sha256"].encode() in contents(given.content)

    soon = anybody.get(f"{town.act('late')}/preuve")
    assert soon.status_code == 503
    assert "quelques minutes" in text_of(soon)
    assert "sera disponible dans quelques minutes" in text_of(anybody.get(town.act("late")))


def test_a_withdrawn_act_says_when_and_gives_nothing(town: PublicTown, anybody: httpx.Client) -> None:
    page = anybody.get(town.act("withdrawn"))
    assert page.status_code == 410
    assert "n’est plus en ligne" in text_of(page)
    assert "2026_119" in text_of(page)
    assert "Date de retrait" in text_of(page)
    for ending in ("/documents/1", "/documents/1/tampon", "/documents/7", "/preuve"):
        gone = anybody.get(town.act("withdrawn") + ending)
        assert gone.status_code == 410, ending
        assert "no-store" in gone.headers["cache-control"], ending
    for elsewhere in ("", "/flux.atom", "/deliberations.csv"):
        assert "2026_119" not in anybody.get(town.page + elsewhere).text, elsewhere


def test_a_cancelled_transmission_is_told_and_no_stamp_is_given_any_more(town: PublicTown, anybody: httpx.Client) -> None:
    assert anybody.get(f"{town.act('cancelled')}/documents/1/tampon").status_code == 200
    town.mairie.stand(town.row("cancelled").dossier_id, "cancelled", cancelled_on="2026-11-27")
    page = anybody.get(town.act("cancelled"))
    assert "annulée le 27 novembre 2026" in text_of(page)
    assert "/tampon" not in page.text
    assert anybody.get(f"{town.act('cancelled')}/documents/1").status_code == 200
    refused = anybody.get(f"{town.act('cancelled')}/documents/1/tampon")
    assert refused.status_code == 409
    assert town.row("cancelled").dossier_id not in refused.text


def test_a_cancelled_transmission_is_marked_in_the_list_and_the_feed_and_left_out_of_the_open_data(
    town: PublicTown, anybody: httpx.Client
) -> None:
    row = town.row("cancelled")
    town.mairie.stand(row.dossier_id, "cancelled", cancelled_on="2026-11-27")
    with town.service.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, row.dossier_id)
        dossier.since = row.published + timedelta(hours=1)
        session.add(dossier)
    listed = anybody.get(town.page)
    assert listed.text.count("Transmission annulée") == 1
    assert re.search(r"2026_120</span>\s*<span[^>]*><span[^>]*></span>Transmission annulée", listed.text)
    feed = etree.fromstring(anybody.get(f"{town.page}/flux.atom").content)
    changed = f"{row.published + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    (entry,) = feed.xpath(f"a:entry[a:id='urn:tabellion:publication:{row.id}']", namespaces=ATOM)
    assert entry.findtext("a:title", namespaces=ATOM) == "Vente du lavoir (transmission annulée)"
    assert entry.findtext("a:updated", namespaces=ATOM) == changed
    assert "2026_120" not in anybody.get(f"{town.page}/deliberations.csv").text
    assert "2026_118" in anybody.get(f"{town.page}/deliberations.csv").text


def test_the_feed_is_valid_and_names_each_act_for_good(town: PublicTown, anybody: httpx.Client) -> None:
    given = anybody.get(f"{town.page}/flux.atom")
    assert given.headers["content-type"].startswith("application/atom+xml")
    feed = etree.fromstring(given.content)
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert feed.findtext("a:id", namespaces=ATOM) == f"urn:tabellion:publications:{town.mairie.organisation.siren}"
    assert feed.findtext("a:subtitle", namespaces=ATOM) == "Les actes sont aussi affichés à la mairie."
    (itself,) = feed.xpath("a:link[@rel='self']/@href", namespaces=ATOM)
    assert itself == f"{town.service.address}{town.page}/flux.atom"
    entries = feed.findall("a:entry", namespaces=ATOM)
    told = [entry.findtext("a:id", namespaces=ATOM).removeprefix("urn:tabellion:publication:") for entry in entries]
    assert told == [town.acts[name] for name in ("late", "regulatory", "cancelled", "online")]
    assert feed.findtext("a:updated", namespaces=ATOM) == max(one.findtext("a:updated", namespaces=ATOM) for one in entries)
    entry, row = entries[-1], town.row("online")
    assert entry.findtext("a:title", namespaces=ATOM) == "Tarifs de la cantine & du <portage> à domicile"
    assert entry.findtext("a:published", namespaces=ATOM) == f"{row.published:%Y-%m-%dT%H:%M:%SZ}"
    assert entry.findtext("a:author/a:name", namespaces=ATOM) == "Élise Martin-Prévost, Maire"
    (page,) = entry.xpath("a:link[@rel='alternate']/@href", namespaces=ATOM)
    (enclosed,) = entry.xpath("a:link[@rel='enclosure']", namespaces=ATOM)
    assert anybody.get(page).status_code == 200
    assert anybody.get(enclosed.get("href")).headers["content-type"] == enclosed.get("type") == "application/pdf"
    assert enclosed.get("length") == str(row.files[0]["size"])


def test_open_data_are_those_of_the_schema(town: PublicTown, anybody: httpx.Client) -> None:
    town.mairie.stand(town.row("cancelled").dossier_id, "cancelled")
    given = anybody.get(f"{town.page}/deliberations.csv")
    assert given.headers["content-type"] == "text/csv; charset=utf-8"
    text = given.content.decode("utf-8")
    assert text.partition("\r\n")[0] == SCDL == ",".join(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["DELIB_ID"] for row in rows] == ["2026_122", "2026_118"]
    for row in rows:
        assert re.fullmatch(r"\d{14}", row["COLL_SIRET"])
        assert re.fullmatch(r"\d\.\d{1,2}", row["DELIB_MATIERE_CODE"])
        assert not set("(),") & set(row["DELIB_MATIERE_NOM"])
        assert anybody.get(row["DELIB_URL"]).headers["content-type"] == "application/pdf"
    assert {name: value for name, value in rows[-1].items() if value and name != "DELIB_URL"} == {
        "COLL_NOM": "Commune de Valmorin",
        "COLL_SIRET": "21400999500017",
        "DELIB_ID": "2026_118",
        "DELIB_DATE": "2026-11-20",
        "DELIB_MATIERE_CODE": "7.10",
        "DELIB_MATIERE_NOM": "finances locales/divers",
        "DELIB_OBJET": "Tarifs de la cantine & du <portage> à domicile",
        "PREF_DATE": "2026-11-21",
    }


def found(answer: httpx.Response) -> list[str]:
    """The numbers of the acts that a list shows, in order."""
    return re.findall(r'register-number">n°\u00a0(\w+)<', answer.text)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"q": "CANTINE tarifs"}, ["2026_118"]),
        ({"q": "2026_12"}, ["2026_122", "2026_121", "2026_120"]),
        ({"q": "police"}, ["2026_121"]),
        ({"nature": "2"}, ["2026_121"]),
        ({"annee": "2025"}, ["2026_121"]),
        ({"annee": "2025", "nature": "1"}, []),
        ({"nature": "9"}, []),
        ({"annee": "20²6"}, []),
        ({"annee": "-1"}, []),
    ],
    ids=["words in any order", "number", "matière", "nature", "year", "both", "no nature", "no year", "less than none"],
)
def test_a_search_finds_what_it_names(town: PublicTown, anybody: httpx.Client, asked: dict[str, str], numbers: list[str]) -> None:
    answer = anybody.get(town.page, params=asked)
    assert answer.status_code == 200
    assert found(answer) == numbers


HOSTILE = [
    "%",
    "_",
    "\\",
    "' OR 1=1 --",
    '"><script>alert(1)</script>',
    "{{ 7*7 }}",
    "é" * 100,
    "\u202e\ufeff",
    "(((((",
    "🏛️",
    "%25%00".replace("%00", ""),
]


@pytest.mark.parametrize("words", HOSTILE, ids=[str(rank) for rank in range(len(HOSTILE))])
def test_hostile_words_are_words(town: PublicTown, anybody: httpx.Client, words: str) -> None:
    for path in (town.page, "/publications"):
        answer = anybody.get(path, params={"q": words})
        assert answer.status_code == 200, path
        assert "<script" not in answer.text
        assert "49" not in re.findall(r'value="([^"]*)"', answer.text)


@pytest.mark.parametrize(
    ("query", "status"),
    [("q=%00", 400), ("q=" + "x" * 101, 422), ("suite=zzz", 400), ("suite=" + "A" * 300, 422)],
    ids=["control", "long", "no cursor", "long cursor"],
)
def test_what_cannot_be_asked_is_said_on_a_public_page(town: PublicTown, anybody: httpx.Client, query: str, status: int) -> None:
    answer = anybody.get(f"{town.page}?{query}")
    assert answer.status_code == status
    assert_public(answer)


def assert_public(answer: httpx.Response) -> None:
    assert 'class="masthead"' in answer.text
    assert "Actes rendus publics" in answer.text
    for private in ("/connexion", "/dossiers", 'class="top"', "set-cookie"):
        assert private not in answer.text, private
    assert "set-cookie" not in answer.headers


def test_what_leads_nowhere_says_so_on_a_public_page(town: PublicTown, anybody: httpx.Client) -> None:
    act = town.act("online")
    nowhere = [
        "/publications/",
        "/publications/000000000",
        "/publications/21400999500017",
        "/publications/abc",
        f"/publications/{'9' * 4000}",
        f"{town.page}/nulle-part",
        f"{town.page}/actes",
        f"{town.page}/actes/{NOBODYS}",
        f"{town.page}/actes/{town.unpublished}",
        f"{town.page}/actes/{'A' * 3000}",
        *(f"{act}/documents/{rank}" for rank in ("0", "2", "-1", "9" * 5000, "x", "1.0", "²")),
        f"{act}/documents/2/tampon",
        f"{act}/documents",
    ]
    for path in nowhere:
        answer = anybody.get(path)
        assert answer.status_code == 404, path
        assert_public(answer)
    for method in ("POST", "PUT", "DELETE"):
        refused = anybody.request(method, act)
        assert refused.status_code == 405
        assert_public(refused)
    assert "Actes rendus publics" not in anybody.get("/publications-ailleurs").text


def test_the_pages_speak_the_language_of_the_browser(town: PublicTown, anybody: httpx.Client) -> None:
    for path in ("/publications", town.page, *(town.act(name) for name in ("online", "withdrawn", "cancelled", "late"))):
        page = anybody.get(path, headers={"Accept-Language": "en"})
        assert '<html lang="en">' in page.text, path
        assert "Published acts" in page.text, path
        assert "Accept-Language" in page.headers["vary"], path


def test_an_organisation_without_a_siret_gives_no_open_data(town: PublicTown, anybody: httpx.Client) -> None:
    with town.service.platform.database.writing(PLATFORM) as session:
        organisation = session.get_one(type(town.mairie.organisation), town.mairie.organisation.id)
        siret, organisation.siret = organisation.siret, None
    try:
        assert "deliberations.csv" not in anybody.get(town.page).text
        refused = anybody.get(f"{town.page}/deliberations.csv")
        assert refused.status_code == 404
        assert "SIRET" in text_of(refused)
    finally:
        with town.service.platform.database.writing(PLATFORM) as session:
            session.get_one(type(town.mairie.organisation), town.mairie.organisation.id).siret = siret


def test_hundreds_of_acts_are_read_page_by_page_each_once(town: PublicTown, anybody: httpx.Client) -> None:
    town.syndicat.open()
    try:
        many(town)
        page, numbers, pages = f"/publications/{town.syndicat.organisation.siren}", [], 0
        following: str | None = page + "?q=forage"
        while following and pages < MANY:
            answer = anybody.get(following)
            numbers += found(answer)
            pages += 1
            after = re.search(r'href="([^"]+)" rel="next"', answer.text)
            following = after.group(1).replace("&amp;", "&") if after else None
        assert numbers == [f"{rank:03d}" for rank in reversed(range(MANY))]
        assert pages == MANY // 25
        assert "250 actes répondent" in text_of(anybody.get(page + "?q=forage"))
        entries = etree.fromstring(anybody.get(f"{page}/flux.atom").content).findall("a:entry", namespaces=ATOM)
        assert len(entries) == 50
        rows = list(csv.DictReader(io.StringIO(anybody.get(f"{page}/deliberations.csv").text, newline="")))
        assert len(rows) == MANY + 1
    finally:
        town.syndicat.open(open=False)


def many(town: PublicTown) -> None:
    """Publications as they would stand, three a second so that some share their moment."""
    with town.service.platform.database.writing(PLATFORM) as session:
        one = session.exec(select(ActesPublication).where(ActesPublication.id == town.acts["closed"])).one()
        act = session.exec(select(Dossier).where(col(Dossier.id) == one.dossier_id)).one()
        told, about = one.model_dump(exclude={"id", "dossier_id"}), act.model_dump(exclude={"id"})
        for rank in range(MANY):
            dossier = Dossier(**about)
            session.add(dossier)
            session.flush()
            moment = one.published + timedelta(seconds=1 + rank // 3)
            more = {"number": f"{rank:03d}", "subject": f"Forage {rank}", "words": "forage", "published": moment}
            session.add(ActesPublication(**{**told, **more}, id=f"{rank:026d}", dossier_id=dossier.id))
