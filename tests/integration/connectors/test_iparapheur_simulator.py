"""The simulated parapheur where it is strict: accounts, hostile requests, what it keeps and how it names it, hands over HTTP."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import urllib3
from iparapheur_servers import simulator

from connectors.iparapheur import messages as wire
from connectors.iparapheur.client import open_connector
from connectors.iparapheur.dossiers import Attachment, State, Submission
from connectors.iparapheur.messages import PATH, Code
from connectors.iparapheur.reading import decode
from connectors.iparapheur.settings import Protocol
from connectors.iparapheur.simulated_rest import TOKENS
from connectors.iparapheur.simulated_typology import ACCOUNTS, EMITTER, MANAGER, MAYOR, TENANT, identifier
from connectors.iparapheur.simulator import ParapheurSimulator
from connectors.iparapheur.writing import MEDIA, encode
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import TestAuthority
from tests.addresses import LOOPBACK
from tests.pades_documents import paper

HTTP = urllib3.PoolManager(retries=False, timeout=20)


@pytest.fixture
def parapheur(tmp_path: Path) -> Iterator[ParapheurSimulator]:
    with simulator(tmp_path / "parapheur") as opened:
        yield opened


@pytest.fixture
def dossier(tmp_path: Path) -> Submission:
    path = tmp_path / "acte.pdf"
    path.write_bytes(paper())
    return Submission("N1", "Acte", Attachment(path, "acte.pdf", "application/pdf"))


def basic(parapheur: ParapheurSimulator, desk: str = EMITTER) -> dict[str, str]:
    person = parapheur.person_at(desk)
    return {"Authorization": "Basic " + base64.b64encode(f"{person.login}:{person.password}".encode()).decode()}


def post(
    parapheur: ParapheurSimulator, body: bytes, headers: dict[str, str], path: str = PATH
) -> urllib3.response.BaseHTTPResponse:
    return HTTP.request("POST", parapheur.address + path, body=body, headers={"Content-Type": MEDIA, **headers})


def bearer(parapheur: ParapheurSimulator, desk: str = EMITTER) -> dict[str, str]:
    person = parapheur.person_at(desk)
    fields = {"grant_type": "password", "client_id": "ipcore-web", "username": person.login, "password": person.password}
    reply = HTTP.request("POST", parapheur.address + TOKENS, fields=fields, encode_multipart=False)
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


def echo(text: str = "ici") -> bytes:
    return b"".join(encode(wire.EchoRequest(text)))


@pytest.mark.parametrize(
    "authorization", [None, "Basic ", "Basic eA==", "Basic é", "Bearer x", "Basic bG9naWNpZWxAdmFsbW9yaW46Z3VpY2hldA=="]
)
def test_nobody_comes_in_without_an_account(parapheur: ParapheurSimulator, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode().decode("latin-1")}
    reply = post(parapheur, echo(), headers)
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Basic realm="i-Parapheur"')


def test_a_password_may_hold_a_colon(parapheur: ParapheurSimulator) -> None:
    assert ":" in parapheur.person_at(EMITTER).password
    assert post(parapheur, echo(), basic(parapheur)).status == 200


@pytest.mark.parametrize("body", [b"", b"<", b"<!DOCTYPE a><a/>", b"<a/>", b"".join(encode(wire.EchoResponse("non")))])
def test_what_is_no_request_is_a_fault_of_the_client(parapheur: ParapheurSimulator, tmp_path: Path, body: bytes) -> None:
    reply = post(parapheur, body, basic(parapheur))
    fault = decode(BytesIO(reply.data), MEDIA, tmp_path)
    assert reply.status == 500
    assert isinstance(fault, wire.Fault)
    assert fault.code == "Client"
    assert post(parapheur, echo(), basic(parapheur)).status == 200


def test_a_body_beyond_the_limit_is_not_read(parapheur: ParapheurSimulator) -> None:
    reply = HTTP.request("POST", parapheur.address + PATH, body=b"x", headers={"Content-Length": str(1 << 40)})
    assert reply.status == 413


def test_a_request_with_attachments_is_taken(parapheur: ParapheurSimulator, dossier: Submission, tmp_path: Path) -> None:
    document = wire.Document(dossier.document.path, "application/pdf")
    asked = wire.CreerDossierRequest(type="Actes", subtype="signature", document=document, visibility=wire.Visibility.PUBLIC)
    envelope = b"".join(encode(asked))
    inline = base64.b64encode(dossier.document.path.read_bytes())
    include = b'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:acte"/>'
    assert inline in envelope
    body = b"--B\r\nContent-ID: <root>\r\n\r\n" + envelope.replace(inline, include)
    body += b"\r\n--B\r\nContent-ID: <acte>\r\n\r\n" + dossier.document.path.read_bytes() + b"\r\n--B--"
    headers = {**basic(parapheur), "Content-Type": 'multipart/related; boundary=B; start="<root>"'}
    answer = decode(BytesIO(post(parapheur, body, headers, "/ws-iparapheur").data), MEDIA, tmp_path)
    assert isinstance(answer, wire.CreerDossierResponse)
    assert answer.notice.code is Code.OK
    ours = open_connector(parapheur.settings_for("Actes", "signature"), LOOPBACK)
    (back,) = ours.fetch(answer.dossier_id or "", tmp_path).documents
    assert back.path.read_bytes() == dossier.document.path.read_bytes()


def test_a_refused_dossier_leaves_no_document_behind(parapheur: ParapheurSimulator, dossier: Submission, tmp_path: Path) -> None:
    kept = tmp_path / "parapheur" / "documents"
    with pytest.raises(Exception, match="urgent"):
        open_connector(parapheur.settings_for("Actes", "visa avec meta"), LOOPBACK).submit(dossier)
    assert list(kept.iterdir()) == []


def test_detached_signatures_are_named_by_rank_and_signatory(
    parapheur: ParapheurSimulator, dossier: Submission, tmp_path: Path
) -> None:
    signature = tmp_path / "signature"
    credential = TestAuthority.create().seal(family="ec", bits=256)
    sign(Cades(), dossier.document.path, signature, Pkcs12Signer.load(credential.as_pkcs12("pin"), "pin"))
    came = Attachment(signature, "x", "application/pkcs7-signature")
    signed = Attachment(dossier.document.path, "acte.pdf", "application/pdf", came)
    ours = open_connector(parapheur.settings_for("XAdES", "signature"), LOOPBACK)
    external = ours.submit(Submission("N1", "Acte", signed))
    parapheur.act(MAYOR, external, "sign")
    headers = bearer(parapheur)
    (uuid,) = [one["id"] for one in listed(parapheur, headers, "FINISHED")]
    reply = HTTP.request("GET", f"{parapheur.address}{desk()}/folder/{uuid}/zip", headers=headers)
    with zipfile.ZipFile(BytesIO(reply.data)) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("Documents"))
    assert names == [
        "Documents principaux/acte-0-signature_externe.p7s",
        "Documents principaux/acte-1-Camille Aubry.xml",
        "Documents principaux/acte.pdf",
    ]


def desk(name: str = EMITTER) -> str:
    return f"/api/standard/v1/tenant/{TENANT}/desk/{identifier(name)}"


def listed(parapheur: ParapheurSimulator, headers: dict[str, str], state: str) -> list[dict[str, Any]]:
    reply = HTTP.request("GET", f"{parapheur.address}{desk()}/{state}", headers=headers)
    content: list[dict[str, Any]] = reply.json()["content"]
    return content


def test_both_services_show_the_same_dossiers(parapheur: ParapheurSimulator, dossier: Submission) -> None:
    headers = bearer(parapheur)
    external = open_connector(parapheur.settings_for("Actes", "visa sans meta"), LOOPBACK).submit(dossier)
    assert [one["name"] for one in listed(parapheur, headers, "DOWNSTREAM")] == ["Acte"]
    assert len(listed(parapheur, headers, "RETRIEVABLE")) == 1
    parapheur.act(MANAGER, external, "read")
    assert listed(parapheur, headers, "RETRIEVABLE") == []
    parapheur.act(MANAGER, external, "visa")
    (found,) = listed(parapheur, headers, "FINISHED")
    rest = open_connector(parapheur.settings_for("Actes", "visa sans meta", Protocol.V5), LOOPBACK)
    assert rest.status(found["id"]).state is State.APPROVED


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", desk() + "/NUL", 400),
        ("GET", desk(MAYOR) + "/DRAFT", 403),
        ("GET", desk().replace(TENANT, "autre") + "/DRAFT", 404),
        ("GET", desk() + "/folder/nul/premis", 404),
        ("DELETE", desk() + "/folder/nul", 404),
        ("PUT", desk() + "/folder/nul/task/nul/undo", 404),
        ("GET", desk() + "/types/nul/subtypes/creation-allowed", 404),
        ("GET", desk() + "/DRAFT?page=x", 400),
        ("POST", desk() + "/folder", 400),
        ("GET", "/api/standard/v2", 404),
    ],
)
def test_an_error_of_version_5_says_its_status_and_a_message(
    parapheur: ParapheurSimulator, method: str, path: str, status: int
) -> None:
    reply = HTTP.request(method, parapheur.address + path, headers=bearer(parapheur))
    said = reply.json()
    assert (reply.status, said["status"], said["path"]) == (status, status, path.partition("?")[0])
    assert said["message"]
    assert HTTP.request(method, parapheur.address + path).status in {401, 404}


def test_people_act_over_http_with_the_account_of_their_desk(parapheur: ParapheurSimulator, dossier: Submission) -> None:
    ours = open_connector(parapheur.settings_for("Actes", "visa sans meta"), LOOPBACK)
    external = ours.submit(dossier)
    asked = json.dumps({"dossier": external, "gesture": "visa", "note": "Vu"}).encode()
    assert post(parapheur, asked, {}, "/simulator/act").status == 401
    assert post(parapheur, asked, basic(parapheur, ACCOUNTS), "/simulator/act").status == 409
    assert post(parapheur, b"[]", basic(parapheur, MANAGER), "/simulator/act").status == 409
    assert post(parapheur, asked.replace(b"visa", b"sign"), basic(parapheur, MANAGER), "/simulator/act").status == 409
    assert post(parapheur, asked, basic(parapheur, MANAGER), "/simulator/act").status == 200
    status = ours.status(external)
    assert status.state is State.APPROVED
    assert ("Dominique Vasseur", "Vu") in [(event.actor, event.note) for event in status.events]


def test_a_step_that_cannot_be_done_leaves_the_dossier_as_it_was(parapheur: ParapheurSimulator, tmp_path: Path) -> None:
    path = tmp_path / "faux.pdf"
    path.write_bytes(b"%PDF- not really")
    ours = open_connector(parapheur.settings_for("PDF", "signature"), LOOPBACK)
    external = ours.submit(Submission("N1", "Faux", Attachment(path, "faux.pdf", "application/pdf")))
    before = ours.status(external)
    with pytest.raises(Exception, match="PDF"):
        parapheur.act(MAYOR, external, "sign")
    assert ours.status(external) == before
