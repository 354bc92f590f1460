"""What clients of S2LOW send in the ways of their age, and PES behind its interface: posted, followed, their acquit taken."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlmodel import select

from core.organisations import Organisation, OrganisationKind
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.engine import transitions
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.helios.returns import RETURNS, ROLE
from tests.integration.api.acts_software import Software, paper
from tests.integration.api.service import Service, pes
from tests.integration.api.test_s2low_facade import MODULE, Client, acknowledged, create, dossier, said
from tests.turns import turns_taken

HELIOS = "/modules/helios"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def town(service: Service) -> Software:
    return Software.of(service, "Commune de Sauvagnac", "214099970")


@pytest.fixture
def http(town: Software) -> Iterator[httpx.Client]:
    with town.client() as opened:
        yield opened


@pytest.fixture
def client(http: httpx.Client) -> Client:
    return Client(http)


def test_a_form_that_comes_in_pieces_is_read_to_its_end(town: Software, client: Client) -> None:
    number, _ = acknowledged(town, client, "C_1")
    whole = f"api=1&pad={'x' * 200_000}&id=0{number}".encode()  # what a server is given at once is smaller
    pieces = (piece for piece in (whole[:-2], whole[-2:]))
    told = client.http.post(f"{MODULE}/actes_transac_cancel.php", content=pieces, headers=FORM).text.splitlines()
    assert told[0] == "OK"
    assert client.lines("actes_transac_get_document.php", id=number) == [f"6-1-{told[1]}"]


def test_texts_of_windows_are_read_as_they_are_meant(town: Software, client: Client) -> None:
    subject = "L’été à 5 € – tarifs".encode("cp1252")
    fields = [(name, (None, str(value).encode())) for name, value in said("C_3").items() if name != "subject"]
    sent = client.http.post(
        f"{MODULE}/actes_transac_create.php", files=[*fields, ("subject", (None, subject)), ("acte_pdf_file", paper("C_3"))]
    )
    assert sent.text.splitlines()[0] == "OK"
    assert client.http.get("/v1/acts", params={"number": "C_3"}).json()["acts"][0]["subject"] == "L’été à 5 € – tarifs"
    assert town.checked(dossier(client, "C_3")) == "checked"


def test_the_classification_is_in_the_charset_that_it_declares(client: Client) -> None:
    given = client.get("actes_classification_fetch.php", api=1)
    assert (given.headers["content-type"], b'encoding="ISO-8859-1"' in given.content[:60]) == ("text/xml", True)


def test_a_user_name_in_the_charset_of_its_age_is_as_free_as_any(service: Service, town: Software) -> None:
    encoded = base64.b64encode(b"l\xe9a:" + town.tokens["software"].encode()).decode()
    with service.client(Authorization=f"Basic {encoded}") as named:
        assert named.get("/api/test-connexion.php").text == "OK\n"


def test_the_first_and_the_last_days_of_all_are_days(client: Client) -> None:
    create(client, "C_4")
    every = client.json("api/list_actes.php", status_id=1)["transactions"]
    assert every
    asked = client.json("api/list_actes.php", status_id=1, min_submission_date="0001-01-01", max_submission_date="9999-12-31")
    assert asked["transactions"] == every
    for year, month in ((2, 1), (9998, 12)):
        assert client.json("api/nb_actes_by_authorities_and_date.php", year=year, month=month)["result"] == "ok"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{MODULE}/nowhere.php", 404),
        ("POST", f"{MODULE}/actes_transac_get_status.php", 405),
        ("GET", f"{MODULE}/actes_transac_cancel.php", 405),
        ("POST", "/api/test-connexion.php", 405),
        ("POST", f"{MODULE}/actes_transac_cancel.php", 413),
        ("GET", "/api/get-nounce.php", 404),
        ("GET", "/admin/users/api-list-login.php", 404),
        ("GET", "//modules//actes/api/actes_status.php", 200),
    ],
)
def test_whatever_is_refused_is_refused_in_lines(http: httpx.Client, method: str, path: str, status: int) -> None:
    large = {"content": b"id=" + b"1" * 300_000, "headers": FORM} if status == 413 else {}
    answer = http.request(method, f"{http.base_url}".rstrip("/") + path, **large)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "text/plain; charset=ISO-8859-1"
        assert answer.text.splitlines()[0] == "KO"


def told(answer: httpx.Response, root: str) -> dict[str, str]:
    """What XML about a PES says."""
    assert answer.headers["content-type"] == "text/xml; charset=UTF-8", answer.text
    found = ET.fromstring(answer.content)
    assert found.tag == root
    return {one.tag: one.text or "" for one in found}


def post(http: httpx.Client, octets: bytes, **fields: Any) -> dict[str, str]:
    files = {"enveloppe": ("PESALR2_1.xml", io.BytesIO(octets), "text/xml")}
    return told(
        http.post(f"{HELIOS}/api/helios_importer_fichier.php", files=files, data={"MAX_FILE_SIZE": "1", **fields}), "import"
    )


def status(http: httpx.Client, number: str) -> dict[str, str]:
    return told(http.get(f"{HELIOS}/api/helios_transac_get_status.php", params={"transaction": number}), "transaction")


def test_a_pes_is_posted_once_and_a_double_is_said(http: httpx.Client) -> None:
    posted = post(http, pes("PES_CLIENT_1"))
    assert (posted["resultat"], posted["message"], posted["id"].isdigit()) == ("OK", "", True)
    assert post(http, pes("PES_CLIENT_1")) == posted
    double = post(http, pes("PES_CLIENT_1", "<Autre/>"))
    assert (double["resultat"], double["id"], "doublon" in double["message"]) == ("KO", "", True)
    (kept,) = http.get("/v1/dossiers", params={"flow": "helios", "q": "PES_CLIENT_1"}).json()["dossiers"]
    assert status(http, posted["id"]) | {"message": ""} == {"id": posted["id"], "resultat": "OK", "status": "1", "message": ""}
    given = http.get(f"{HELIOS}/helios_download_file.php", params={"id": posted["id"]})
    assert given.content == pes("PES_CLIENT_1")
    missing = http.get(f"{HELIOS}/helios_download_acquit.php", params={"id": posted["id"]})
    assert (missing.status_code, told(missing, "transaction")["resultat"]) == (404, "KO")
    assert kept["state"] == "received"


def test_a_form_that_holds_no_pes_or_is_cut_off_makes_nothing(http: httpx.Client) -> None:
    address = f"{HELIOS}/api/helios_importer_fichier.php"
    before = http.get("/v1/dossiers", params={"flow": "helios"}).json()["total"]
    assert told(http.post(address, files={"autre": ("a.xml", pes("PES_CLIENT_2"))}), "import")["resultat"] == "KO"
    assert told(http.post(address, files={"enveloppe": ("a.xml", b"")}), "import")["resultat"] == "KO"
    two = [("enveloppe", (f"{rank}.xml", pes(f"PES_CLIENT_2{rank}"))) for rank in range(2)]
    assert told(http.post(address, files=two), "import")["resultat"] == "KO"
    whole = http.build_request("POST", address, files={"enveloppe": ("a.xml", pes("PES_CLIENT_2"))})
    cut = http.post(address, content=whole.read()[:-20], headers={"Content-Type": whole.headers["content-type"]})
    assert told(cut, "import")["resultat"] == "KO"
    assert http.get("/v1/dossiers", params={"flow": "helios"}).json()["total"] == before


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("in_parapheur", "13"),
        ("signed", "2"),
        ("sent", "3"),
        ("acquitted", "8"),
        ("archived", "8"),
        ("refused", "8"),
        ("declined", "-1"),
    ],
)
def test_each_state_is_told_by_its_status_and_the_acquit_is_given(
    service: Service, http: httpx.Client, state: str, expected: str
) -> None:
    number = post(http, pes(f"PES_CLIENT_3_{state.upper()}"))["id"]
    (kept,) = http.get("/v1/dossiers", params={"q": f"PES_CLIENT_3_{state.upper()}"}).json()["dossiers"]
    blob = service.platform.objects.put(io.BytesIO(b"<acquit/>"))
    with service.platform.database.writing(PLATFORM) as session:
        found = session.get_one(Dossier, kept["id"])
        found.state = state
    assert status(http, number)["status"] == ("3" if expected == "8" else expected)  # no acquit can be fetched yet
    with service.platform.database.writing(PLATFORM) as session:
        file = KeptFile("acquit", "ACK.xml", "application/xml", blob.sha256, blob.size)
        transitions.add_files(session, found.organisation_id, found.id, (file,))
    answer = status(http, number)
    assert (answer["status"], bool(answer["message"])) == (expected, True)
    assert http.get(f"{HELIOS}/helios_download_acquit.php", params={"id": number}).content == b"<acquit/>"


def test_what_is_wrong_with_a_pes_comes_with_its_status(service: Service, http: httpx.Client) -> None:
    number = post(http, pes("PES_CLIENT_4"))["id"]
    (kept,) = http.get("/v1/dossiers", params={"q": "PES_CLIENT_4"}).json()["dossiers"]
    with service.platform.database.writing(PLATFORM) as session:
        found = session.get_one(Dossier, kept["id"])
        found.state, found.problems = "rejected", [{"rule": "R01", "message": "Pas de bordereau <1>\x01."}]
    assert status(http, number) == {"id": number, "resultat": "OK", "status": "-1", "message": "Pas de bordereau <1>."}


def test_pes_are_counted_and_those_of_others_are_nobodys(service: Service, http: httpx.Client) -> None:
    number = post(http, pes("PES_CLIENT_5"))["id"]
    counted = http.get(f"{HELIOS}/api/nb_pes_aller_by_authorities_and_date.php").json()
    assert (counted["result"], "214099970" in counted["nbTransactionPerAuthorities"]) == ("ok", True)
    with service.client(service.syndicat.token) as stranger:
        for path, query in (
            ("api/helios_transac_get_status.php", {"transaction": number}),
            ("helios_download_file.php", {"id": number}),
            ("helios_download_acquit.php", {"id": number}),
        ):
            assert told(stranger.get(f"{HELIOS}/{path}", params=query), "transaction")["resultat"] == "KO", path
    with service.platform.database.writing(PLATFORM) as session:
        top = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM.value)).one()
        token = issue_token(session, top, "groupe", {Right.READ})
    for login, result in (("groupe", "KO"), ("214099970", "OK")):  # a transaction is that of the organisation that is chosen
        with httpx.Client(base_url=service.address, auth=(login, token)) as group:
            assert status(group, number)["resultat"] == result
    with service.client() as nobody:
        refused = nobody.get(f"{HELIOS}/api/helios_get_list.php")
        assert (refused.status_code, told(refused, "liste")["resultat"]) == (401, "KO")
    assert told(http.get(f"{HELIOS}/nowhere.php"), "transaction")["resultat"] == "KO"
    for wrong in ("", "x", "9" * 5000, "999999999"):
        assert status(http, wrong)["resultat"] == "KO"


def test_returns_of_helios_are_listed_taken_and_listed_no_more(service: Service, town: Software, http: httpx.Client) -> None:
    content = b'<?xml version="1.0" encoding="ISO-8859-1"?><n:PES_Retour xmlns:n="x"/>'
    blob = service.platform.objects.put(io.BytesIO(content))
    document = KeptFile(ROLE, "retour.xml", "application/xml", blob.sha256, blob.size)
    kept = receive(
        service.platform.database, RETURNS, PLATFORM, Deposit(town.mairie.organisation.id, "PES2R_DEP_R", document, blob.sha256)
    ).dossier
    listed = http.get(f"{HELIOS}/api/helios_get_list.php")
    assert (told(listed, "liste")["resultat"], told(listed, "liste")["idColl"]) == ("OK", "214099970")
    ((number, name, _),) = [[part.text for part in one] for one in ET.fromstring(listed.content).findall("pes_retour")]
    assert name == "PES2R_DEP_R"
    assert http.get(f"{HELIOS}/api/helios_get_retour.php", params={"id": number}).content == content
    pes_number = post(http, pes("PES_CLIENT_6"))["id"]
    with service.client(service.syndicat.token) as stranger, service.client(town.tokens["reader"]) as reader:
        assert ET.fromstring(stranger.get(f"{HELIOS}/api/helios_get_list.php").content).findall("pes_retour") == []
        for who, asked in ((stranger, number), (http, pes_number), (http, "x"), (reader, number)):
            refused = who.get(f"{HELIOS}/api/helios_change_status.php", params={"id": asked})
            assert told(refused, "transaction")["resultat"] == "KO"
        for who, asked in ((stranger, number), (http, pes_number)):
            refused = who.get(f"{HELIOS}/api/helios_get_retour.php", params={"id": asked})
            assert (refused.status_code, told(refused, "get_retour")["resultat"]) == (404, "KO")
    for _ in range(2):
        taken = told(http.get(f"{HELIOS}/api/helios_change_status.php", params={"id": number}), "transaction")
        assert taken == {"idRetour": number, "resultat": "OK", "message": ""}
    assert ET.fromstring(http.get(f"{HELIOS}/api/helios_get_list.php").content).findall("pes_retour") == []
    with service.platform.database.reading(PLATFORM) as session:
        assert session.get_one(Dossier, kept.id).state == "taken"


def test_turns_are_shared_between_callers_and_nothing_is_read_of_a_stranger(
    service: Service, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers, large = turns_taken(monkeypatch), f"api=1&pad={'x' * (1 << 19)}&id=0".encode()
    http.post(f"{MODULE}/actes_transac_create.php", content=large, headers=FORM)
    (caller,) = callers
    assert caller.startswith("token:")
    with service.client("faux") as stranger:
        refused = stranger.post(f"{MODULE}/actes_transac_create.php", content=large, headers=FORM)
    assert (refused.status_code, callers) == (401, [caller])
