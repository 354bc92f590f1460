"""Our parapheur behind the legacy SOAP service: who comes in, what is refused and how, what is told of our own faults."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pyotp
import pytest
import xmlschema
from lxml import etree

from api.iparapheur import creation, wsdl
from api.iparapheur.settings import FACADE, FacadeSettings
from api.uploads import Uploads
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ActesMetaData, ArchiveAction, Code, Document, EtapeCircuit
from connectors.iparapheur.simulated_typology import ACCOUNTS, EMITTER, MANAGER
from connectors.iparapheur.writing import MEDIA, encode
from core import second_factor
from core.configuration import configure
from core.errors import Conflict, Unavailable
from core.people import Person
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.integration.api.iparapheur_software import PATH, PDF, Caller, act, caller, create
from tests.iparapheur_platform import UPLOAD_LIMIT, AtWork, Town, at_work
from tests.turns import turns_taken


@pytest.fixture(scope="module")
def running(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    with at_work(s3, tmp_path_factory.mktemp("facade")) as opened:
        yield opened


@pytest.fixture
def town(running: AtWork) -> Town:
    return running.town()


@pytest.fixture
def emitter(town: Town, tmp_path: Path) -> Caller:
    return caller(town, tmp_path)


@pytest.fixture
def software(town: Town, tmp_path: Path) -> Caller:
    return Caller(town.address, EMITTER, town.token, tmp_path)


@pytest.fixture
def asked(tmp_path: Path) -> wire.CreerDossierRequest:
    return act(tmp_path)


def refusal(who: Caller, asked: wire.CreerDossierRequest) -> str:
    answer = who.ask(asked, wire.CreerDossierResponse)
    assert (answer.notice.code, answer.notice.severity, answer.dossier_id) == (Code.KO, "ERROR", None)
    assert who.ask(wire.RechercherDossiersRequest(), wire.RechercherDossiersResponse).entries == ()
    return answer.notice.message


def test_software_with_a_token_sends_in_the_name_of_a_desk_and_decides_nothing(
    town: Town, software: Caller, asked: wire.CreerDossierRequest
) -> None:
    dossier = create(software, replace(asked, dossier_id="MANDAT 12"))
    assert software.history(dossier)[0].name == "Gestion financière"
    notice = software.ask(wire.ForcerEtapeRequest(dossier, Code.OK), wire.ForcerEtapeResponse).notice
    assert (notice.code, "Seule une personne tient un bureau" in notice.message) == (Code.KO, True)
    (found,) = software.ask(wire.RechercherDossiersRequest(), wire.RechercherDossiersResponse).entries
    assert (found.name, found.status, found.accessible) == ("MANDAT 12", "EnCoursVisa", "Recuperable")
    town.act(MANAGER, dossier, "visa", "Vu")
    assert software.history(dossier)[-1].status == "Archive"
    put_away = wire.ArchiverDossierRequest(dossier, ArchiveAction.DELETE)
    assert software.ask(put_away, wire.ArchiverDossierResponse).notice.code is Code.OK
    assert create(software, replace(asked, dossier_id="MANDAT 12")) == "MANDAT 12"


def test_software_takes_back_and_sends_again_what_was_rejected_under_the_same_identifier(
    town: Town, software: Caller, asked: wire.CreerDossierRequest
) -> None:
    dossier = create(software, asked)
    recalled = software.ask(wire.ExercerDroitRemordDossierRequest(dossier), wire.ExercerDroitRemordDossierResponse)
    assert recalled.notice.code is Code.OK
    rejected = create(software, replace(asked, dossier_id="MANDAT 13"))
    town.act(MANAGER, rejected, "reject", "Montant faux")
    assert software.history(rejected)[-1].annotation == "Montant faux"
    erased = software.ask(wire.EffacerDossierRejeteRequest(rejected), wire.EffacerDossierRejeteResponse)
    assert erased.notice.message == "Dossier MANDAT 13 supprimé du Parapheur."
    assert create(software, replace(asked, dossier_id="MANDAT 13")) == "MANDAT 13"


def test_another_organisation_sees_nothing_of_it(running: AtWork, emitter: Caller, asked: wire.CreerDossierRequest) -> None:
    dossier = create(emitter, asked)
    other = running.town()
    for stranger in (caller(other, emitter.folder), Caller(other.address, EMITTER, other.token, emitter.folder)):
        assert stranger.ask(wire.GetDossierRequest(dossier), wire.GetDossierResponse).notice.code is Code.KO  # type: ignore[union-attr]
        assert stranger.ask(wire.RechercherDossiersRequest(), wire.RechercherDossiersResponse).entries == ()


@pytest.mark.parametrize("password", ["faux", "tab_faux_faux"])
def test_nobody_behind_a_request_is_asked_for_basic(town: Town, tmp_path: Path, password: str) -> None:
    reply = Caller(town.address, town.people[EMITTER].email, password, tmp_path).send(wire.EchoRequest("?"))
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic realm=")
    without = httpx.post(town.address + PATH, content=b"".join(encode(wire.EchoRequest("?"))), headers={"Content-Type": MEDIA})
    assert without.status_code == 401


def test_guessing_locks_an_account_as_at_the_front_door(town: Town, tmp_path: Path) -> None:
    wrong = Caller(town.address, town.people[ACCOUNTS].email, "faux", tmp_path)
    for _ in range(5):
        assert wrong.send(wire.EchoRequest("?")).status_code == 401
    right = caller(town, tmp_path, ACCOUNTS).send(wire.EchoRequest("?"))
    assert right.status_code == 401
    assert "minute" in wrong.fault(right).text


def test_a_right_password_that_comes_many_times_at_once_locks_nobody_out(emitter: Caller) -> None:
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda rank: emitter.send(wire.EchoRequest(str(rank))), range(24)))
    assert {reply.status_code for reply in replies} == {200}


def test_a_password_that_was_changed_is_no_longer_remembered(town: Town, emitter: Caller) -> None:
    assert emitter.send(wire.EchoRequest("?")).status_code == 200
    with town.platform.database.writing(PLATFORM) as session:
        session.get_one(Person, town.people[EMITTER].id).password_hash = ""
    assert emitter.send(wire.EchoRequest("?")).status_code == 401


def test_a_person_with_a_second_factor_is_told_to_take_a_token(town: Town, emitter: Caller) -> None:
    assert emitter.send(wire.EchoRequest("?")).status_code == 200
    person, box = town.people[EMITTER].id, town.platform.secrets
    with town.platform.database.writing(PLATFORM) as session:
        secret = second_factor.begin(session, box, person)
        second_factor.confirm(session, box, person, pyotp.TOTP(secret).now())
    reply = emitter.send(wire.EchoRequest("?"))
    assert reply.status_code == 401
    assert "second facteur" in emitter.fault(reply).text


def test_the_user_name_beside_a_token_is_a_desk(town: Town, tmp_path: Path) -> None:
    reply = Caller(town.address, "Nul", town.token, tmp_path).send(wire.EchoRequest("?"))
    assert (reply.status_code, "nom court" in Caller(town.address, "", "", tmp_path).fault(reply).text) == (401, True)
    named = Caller(town.address, f"{EMITTER}@{town.organisation.id}", town.token, tmp_path)
    assert named.ask(wire.EchoRequest("oui"), wire.EchoResponse).text == "oui"
    assert Caller(town.address, f"{EMITTER}@219900016", town.token, tmp_path).send(wire.EchoRequest("?")).status_code == 401


def test_what_would_not_be_done_is_refused_and_nothing_is_created(emitter: Caller, asked: wire.CreerDossierRequest) -> None:
    unreadable = emitter.folder / "faux.pdf"
    unreadable.write_bytes(b"%PDF-1.7 rien")
    empty = emitter.folder / "vide.txt"
    empty.touch()
    large = emitter.folder / "gros.bin"
    large.write_bytes(secrets.token_bytes(UPLOAD_LIMIT + 1))
    step = EtapeCircuit(MANAGER, "", "", "VISEUR")
    actes = ActesMetaData("1", "1.1", "2026-11-28", "Objet")
    for changed, words in (
        (replace(asked, circuit=(step,)), "CircuitObligatoire"),
        (replace(asked, actes=actes), "MetaDataTdtACTES"),
        (replace(asked, document=Document(unreadable, PDF)), "PDF"),
        (replace(asked, document=Document(empty, "text/plain")), "vide"),
        (replace(asked, document=Document(large, "application/octet-stream")), "4"),
        (replace(asked, subtype="nul"), "nul"),
        (replace(asked, subtype="visa avec meta"), "urgent"),
        (replace(asked, dossier_id="x" * 201), "200"),
        (replace(asked, type="Arrêtés du maire", subtype="signature"), "Arrêtés du maire"),
    ):
        assert words in refusal(emitter, changed)


def test_every_rejection_is_told_as_a_signer_s_where_the_organisation_says_so(
    town: Town, emitter: Caller, asked: wire.CreerDossierRequest
) -> None:
    with town.platform.database.writing(PLATFORM) as session:
        configure(session, town.platform.secrets, town.organisation.id, FACADE, FacadeSettings(signer_rejects=True))
    dossier = create(emitter, asked)
    town.act(MANAGER, dossier, "reject", "Non")
    assert emitter.history(dossier)[-1].status == "RejetSignataire"
    search = wire.RechercherDossiersRequest(status="RejetSignataire")
    assert len(emitter.ask(search, wire.RechercherDossiersResponse).entries) == 1


def test_a_private_note_is_told_to_nobody_but_who_sent_it(town: Town, emitter: Caller, asked: wire.CreerDossierRequest) -> None:
    dossier = create(emitter, replace(asked, private_note="Entre nous"))
    own = emitter.ask(wire.GetDossierRequest(dossier), wire.GetDossierResponse)
    others = caller(town, emitter.folder, MANAGER).ask(wire.GetDossierRequest(dossier), wire.GetDossierResponse)
    assert (own.private_note, others.private_note) == ("Entre nous", None)


def test_what_is_no_message_is_a_fault_of_the_client(emitter: Caller) -> None:
    echo = b"".join(encode(wire.EchoRequest("?")))
    for content, headers in (
        (b"<a/>", {}),
        (b"<!DOCTYPE a><a/>", {}),
        (b"".join(encode(wire.EchoResponse("?"))), {}),
        (echo, {"Content-Type": "text/plain"}),
    ):
        reply = emitter.post(content, **headers)
        assert (reply.status_code, emitter.fault(reply).code) == (500, "Client")


def test_what_the_gate_refuses_is_a_fault_that_soap_clients_read(town: Town, emitter: Caller) -> None:
    large = emitter.post(b" " * (UPLOAD_LIMIT * 2))
    other = httpx.put(town.address + PATH, content=b"x")
    steering = httpx.get(f"{town.address}{PATH}?wsdl=%00")
    for reply, status in ((large, 413), (other, 405), (steering, 500)):
        assert (reply.status_code, emitter.fault(reply).code) == (status, "Client")
    assert "Mio" in emitter.fault(large).text
    assert other.headers["allow"]


def test_a_turn_that_does_not_come_is_a_fault_of_ours_that_is_worth_a_retry(
    emitter: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise Unavailable("Trop de dépôts sont en cours.")

    monkeypatch.setattr(Uploads, "run", busy)
    reply = emitter.post(b"<" + b"x" * (1 << 19))
    assert (reply.status_code, emitter.fault(reply)) == (500, wire.Fault("Server", "Trop de dépôts sont en cours."))
    assert reply.headers["retry-after"]


def test_a_fault_is_read_whatever_it_quotes(town: Town, tmp_path: Path) -> None:
    steering = Caller(town.address, "Gui\0chet", town.token, tmp_path)
    reply = steering.send(wire.EchoRequest("?"))
    assert (reply.status_code, "Gui\ufffdchet" in steering.fault(reply).text) == (401, True)
    assert reply.headers["www-authenticate"].startswith("Basic realm=")


def test_a_refusal_is_read_whatever_it_quotes(
    emitter: Caller, asked: wire.CreerDossierRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> None:
        raise Conflict("Le bureau « A\x01 » a déjà traité ce dossier.")

    monkeypatch.setattr(creation, "receive", refusing)
    assert "A\ufffd" in refusal(emitter, asked)


def test_turns_are_shared_between_callers_and_nothing_is_read_of_a_stranger(
    town: Town, emitter: Caller, software: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers, large = turns_taken(monkeypatch), b"<" + b"x" * (1 << 19)
    assert [one.post(large).status_code for one in (emitter, software)] == [500, 500]
    assert callers[0] == f"person:{town.people[EMITTER].id}"
    assert callers[1].startswith("token:")
    stranger = replace(emitter, password="un autre mot de passe").post(large)
    assert (stranger.status_code, len(callers)) == (401, 2)


def test_a_fault_of_ours_tells_nothing_of_itself(
    town: Town, emitter: Caller, asked: wire.CreerDossierRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = create(emitter, asked)

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(town.platform.objects, "fetch", broken)
    reply = emitter.send(wire.GetDossierRequest(dossier))
    fault = emitter.fault(reply)
    assert (reply.status_code, fault.code) == (500, "Server")
    assert "secret" not in reply.text
    assert reply.headers["x-request-id"] in fault.text


def test_documents_may_come_as_attachments(emitter: Caller, asked: wire.CreerDossierRequest) -> None:
    envelope = b"".join(encode(asked))
    start, end = envelope.index(b"DocumentPrincipal"), envelope.index(b"</p:DocumentPrincipal>")
    start = envelope.index(b">", start) + 1
    include = b'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:acte"/>'
    octets = asked.document.path.read_bytes()
    body = (
        b"--limite\r\nContent-Type: application/xop+xml\r\nContent-ID: <racine>\r\n\r\n"
        + envelope[:start]
        + include
        + envelope[end:]
        + b"\r\n--limite\r\nContent-Type: application/pdf\r\nContent-ID: <acte>\r\n\r\n"
        + octets
        + b"\r\n--limite--\r\n"
    )
    media = 'multipart/related; boundary=limite; type="application/xop+xml"; start="<racine>"'
    answer = emitter.read(emitter.post(body, "/ws-iparapheur", **{"Content-Type": media}))
    assert isinstance(answer, wire.CreerDossierResponse)
    told = emitter.ask(wire.GetDossierRequest(answer.dossier_id or ""), wire.GetDossierResponse)
    assert told.document is not None
    assert told.document.path.read_bytes() == octets


def test_what_php_writes_is_read(emitter: Caller, asked: wire.CreerDossierRequest) -> None:
    written = b"".join(encode(asked)).replace(b" m:contentType=", b" contentType=")
    nothing = b'<p:MetaDataTdtACTES i:nil="true"/>'
    for empty in (nothing, b"<p:MetaDataTdtACTES></p:MetaDataTdtACTES>"):
        answer = emitter.read(emitter.post(written.replace(nothing, empty)))
        assert isinstance(answer, wire.CreerDossierResponse)
        assert answer.notice.code is Code.OK, answer.notice.message


def test_the_description_says_what_the_messages_are(town: Town, asked: wire.CreerDossierRequest) -> None:
    reply = httpx.get(f"{town.address}/ws-iparapheur?wsdl")
    assert reply.headers["content-type"].startswith("text/xml")
    described = etree.fromstring(reply.content)
    assert described.xpath("string(//*[local-name()='address']/@location)") == f"{town.address}/ws-iparapheur"
    operations = described.xpath("//*[local-name()='portType']/*/@name")
    assert len(operations) == 14
    assert {"echo", "CreerDossier", "GetHistoDossier", "EffacerDossierRejete"} <= set(operations)
    base64_schema, schema = (etree.tostring(one).decode() for one in described.iter("{http://www.w3.org/2001/XMLSchema}schema"))
    checked = xmlschema.XMLSchema([base64_schema, schema])
    for message in (
        asked,
        wire.EchoRequest("?"),
        wire.GetListeTypesRequest(),
        wire.GetHistoDossierRequest("12"),
        wire.ArchiverDossierRequest("12", ArchiveAction.KEEP),
        wire.ArchiverDossierResponse(notice=wire.MessageRetour(Code.OK)),
        wire.GetDossierResponse(notice=wire.MessageRetour(Code.KO, "?", "ERROR")),
    ):
        body = etree.fromstring(b"".join(encode(message)))[0][0]
        checked.validate(body)
    assert wsdl.describe('http://a/?b&"c"').count("&amp;") == 1
