"""Our side of a parapheur, over both protocols: once and only once, stored before closed, and every fault told for what it is."""

from __future__ import annotations

import base64
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from iparapheur_servers import identities, simulator

from connectors.iparapheur import errors, rest
from connectors.iparapheur.client import ParapheurConnector, open_connector
from connectors.iparapheur.dossiers import Attachment, State, Submission
from connectors.iparapheur.messages import ArchiveAction
from connectors.iparapheur.settings import ParapheurSettings, Protocol
from connectors.iparapheur.simulated_circuit import Refusal
from connectors.iparapheur.simulated_http import Mishap
from connectors.iparapheur.simulated_typology import EMITTER, MANAGER, MAYOR
from connectors.iparapheur.simulator import ParapheurSimulator
from core.addresses import AddressRefused
from core.clock import now
from schemas.pes.sample import Sample, write_sample
from signing.verification import verify
from tests.addresses import LOOPBACK
from tests.pades_documents import paper

PDF = "application/pdf"
CREATE = {Protocol.SOAP: "CreerDossier", Protocol.V5: "POST folder"}
LOOK = {Protocol.SOAP: "GetHistoDossier", Protocol.V5: "GET premis"}
FETCH = {Protocol.SOAP: "GetDossier", Protocol.V5: "GET zip"}


@pytest.fixture
def parapheur(tmp_path: Path) -> Iterator[ParapheurSimulator]:
    with simulator(tmp_path / "parapheur") as opened:
        yield opened


@pytest.fixture(params=Protocol)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    found: Protocol = request.param
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    return folder


@pytest.fixture
def dossier(folder: Path) -> Submission:
    path = folder / "délibération.pdf"
    path.write_bytes(paper())
    annex = folder / "plan.pdf"
    annex.write_bytes(paper(invariant=False))
    return Submission(
        id="01HXAMPLE0000000000000001",
        title="Délibération n° 12 : l’école",
        document=Attachment(path, "délibération.pdf", PDF),
        annexes=(Attachment(annex, "plan.pdf", PDF),),
        metadata={"urgence": "true", "interne": "x"},
        public_note="À signer",
        due=date(2027, 1, 31),
    )


def connector(
    parapheur: ParapheurSimulator, protocol: Protocol, subtype: str = "signature", **changes: Any
) -> ParapheurConnector:
    kind = changes.pop("kind", "Actes")
    return open_connector(parapheur.settings_for(kind, subtype, protocol, **changes), LOOPBACK)


def patience(mishap: Mishap) -> dict[str, float]:
    """Time-outs that are reached where only they can end the wait."""
    return {"read_timeout": 1.0, "total_timeout": 1.0} if mishap in {Mishap.SILENT, Mishap.SLOW} else {}


def test_a_dossier_goes_and_comes_back_signed(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, folder: Path
) -> None:
    ours = connector(parapheur, protocol)
    external = ours.submit(dossier)
    assert ours.status(external).state is State.PENDING
    parapheur.act(MAYOR, external, "sign", "Bon pour accord")
    status = ours.status(external)
    assert (status.state, status.reason) == (State.SIGNED, "")
    assert any((event.actor, event.note) == ("Camille Aubry", "Bon pour accord") for event in status.events)
    back = ours.fetch(external, folder)
    (document,) = back.documents
    assert document.name == "délibération.pdf"
    assert [one.intact for one in verify(document.path, trust=None).signatures] == [True]
    assert [one.path.read_bytes() for one in back.annexes] == [dossier.annexes[0].path.read_bytes()]
    assert back.bordereau is not None
    assert back.bordereau.path.read_bytes().startswith(b"%PDF-")
    assert (back.metadata["urgent"], "interne" in back.metadata) == ("true", False)
    ours.close(external, ArchiveAction.DELETE)
    with pytest.raises(errors.DossierMissing):
        ours.status(external)
    with pytest.raises(errors.DossierMissing):
        ours.fetch(external, folder)
    ours.close(external, ArchiveAction.DELETE)


def test_a_detached_signature_comes_back_with_its_document(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, folder: Path
) -> None:
    ours = connector(parapheur, protocol, kind="CAdES")
    external = ours.submit(dossier)
    parapheur.act(MAYOR, external, "sign")
    (document,) = ours.fetch(external, folder).documents
    assert document.signature is not None
    assert document.path.read_bytes() == dossier.document.path.read_bytes()
    assert document.signature.name.endswith(".p7s")
    assert [one.intact for one in verify(document.signature.path, detached=document.path, trust=None).signatures] == [True]


def test_a_visa_is_an_approval_and_no_signature(parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission) -> None:
    ours = connector(parapheur, protocol, "visa sans meta")
    external = ours.submit(dossier)
    parapheur.act(MANAGER, external, "visa")
    assert ours.status(external).state is State.APPROVED
    ours.close(external, ArchiveAction.KEEP)
    with pytest.raises(errors.DossierMissing):
        ours.status(external)


@pytest.mark.parametrize(
    ("kind", "subtype", "desk"),
    [("Actes", "visa sans meta", MANAGER), ("Actes", "signature", MAYOR), ("PDF", "cachet", MANAGER), ("Actes", "mail", MANAGER)],
)
def test_every_rejection_is_known_with_its_reason(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, kind: str, subtype: str, desk: str
) -> None:
    ours = connector(parapheur, protocol, subtype, kind=kind)
    external = ours.submit(dossier)
    parapheur.act(desk, external, "reject", "Montant erroné")
    status = ours.status(external)
    assert (status.state, status.reason) == (State.REJECTED, "Montant erroné")
    ours.close(external, ArchiveAction.KEEP)
    with pytest.raises(errors.DossierMissing):
        ours.status(external)


def test_a_dossier_under_way_is_not_closed(parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission) -> None:
    ours = connector(parapheur, protocol)
    external = ours.submit(dossier)
    with pytest.raises(errors.NotEnded):
        ours.close(external, ArchiveAction.DELETE)
    assert ours.status(external).state is State.PENDING


def test_a_dossier_is_taken_back_once(parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission) -> None:
    ours = connector(parapheur, protocol)
    external = ours.submit(dossier)
    ours.recall(external)
    with pytest.raises(Refusal):
        parapheur.act(MAYOR, external, "sign")
    with pytest.raises(errors.RecallRefused):
        ours.recall(external)
    with pytest.raises(errors.DossierMissing):
        ours.recall("nul")


def test_version_5_tells_that_a_dossier_was_taken_back_and_erases_it(parapheur: ParapheurSimulator, dossier: Submission) -> None:
    ours = connector(parapheur, Protocol.V5)
    external = ours.submit(dossier)
    ours.recall(external)
    assert ours.status(external).state is State.WITHDRAWN
    ours.close(external, ArchiveAction.KEEP)
    assert len(parapheur.dossiers()) == 0


def test_submitted_twice_a_dossier_is_there_once(parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission) -> None:
    ours = connector(parapheur, protocol)
    external = ours.submit(dossier)
    assert ours.submit(dossier) == external
    assert connector(parapheur, protocol).submit(dossier) == external
    other = ours.submit(replace(dossier, id="01HXAMPLE0000000000000002"))
    assert other != external
    assert len(parapheur.dossiers()) == 2


LOSSES = [
    (Mishap.LOST, "sign", State.SIGNED),
    (Mishap.LOST, "reject", State.REJECTED),
    (Mishap.LOST, None, State.PENDING),
    (Mishap.HALF, None, State.PENDING),
    (Mishap.SILENT, None, State.PENDING),
    (Mishap.SLOW, None, State.PENDING),
]


@pytest.mark.parametrize(("mishap", "gesture", "state"), LOSSES)
def test_a_submission_whose_answer_was_lost_is_not_made_again(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, mishap: Mishap, gesture: str | None, state: State
) -> None:
    parapheur.faults.plan(mishap, CREATE[protocol])
    with pytest.raises(errors.ParapheurUnavailable):
        connector(parapheur, protocol, **patience(mishap)).submit(dossier)
    (only,) = parapheur.dossiers()
    if gesture:
        parapheur.act(MAYOR, only, gesture)
    ours = connector(parapheur, protocol)
    external = ours.submit(dossier)
    assert parapheur.dossiers() == [only]
    assert ours.status(external).state is state


def test_what_was_refused_for_now_is_submitted_later(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission
) -> None:
    ours = connector(parapheur, protocol)
    parapheur.faults.plan(Mishap.REFUSED, CREATE[protocol])
    with pytest.raises(errors.ParapheurUnavailable):
        ours.submit(dossier)
    assert len(parapheur.dossiers()) == 0
    assert ours.status(ours.submit(dossier)).state is State.PENDING


@pytest.mark.parametrize("mishap", Mishap)
def test_looking_and_fetching_survive_every_mishap(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, folder: Path, mishap: Mishap
) -> None:
    ours = connector(parapheur, protocol, **patience(mishap))
    external = ours.submit(dossier)
    parapheur.act(MAYOR, external, "sign")
    parapheur.faults.plan(mishap, LOOK[protocol])
    with pytest.raises(errors.ParapheurUnavailable):
        ours.status(external)
    parapheur.faults.plan(mishap, FETCH[protocol])
    before = set(folder.iterdir())
    with pytest.raises(errors.ParapheurUnavailable):
        ours.fetch(external, folder)
    assert set(folder.iterdir()) == before
    assert len(ours.fetch(external, folder).documents) == 1


@pytest.mark.parametrize("mishap", [Mishap.LOST, Mishap.HALF])
def test_a_close_whose_answer_was_lost_is_a_close(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission, mishap: Mishap
) -> None:
    ours = connector(parapheur, protocol, "visa sans meta")
    external = ours.submit(dossier)
    parapheur.act(MANAGER, external, "visa")
    parapheur.faults.plan(mishap, "ArchiverDossier" if protocol is Protocol.SOAP else "PUT send_to_trash_bin")
    with pytest.raises(errors.ParapheurUnavailable):
        ours.close(external, ArchiveAction.KEEP)
    ours.close(external, ArchiveAction.KEEP)


def test_types_are_listed_with_their_sub_types(parapheur: ParapheurSimulator, protocol: Protocol) -> None:
    types = connector(parapheur, protocol).list_types()
    assert set(types) == {"Actes", "Actes multiples", "CAdES", "HELIOS", "PDF", "XAdES"}
    assert types["PDF"] == ("signature", "cachet")


def test_what_the_parapheur_does_not_take_is_refused_in_its_words(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission
) -> None:
    with pytest.raises(errors.SubmissionRefused, match="urgent"):
        connector(parapheur, protocol, "visa avec meta").submit(replace(dossier, metadata={}))
    with pytest.raises(errors.SubmissionRefused, match="Nul"):
        connector(parapheur, protocol, kind="Nul").submit(dossier)
    assert len(parapheur.dossiers()) == 0


def test_a_wrong_password_is_for_a_person_to_mend(parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission) -> None:
    ours = connector(parapheur, protocol, password="faux")
    with pytest.raises(errors.AccessRefused) as refused:
        ours.submit(dossier)
    assert "faux" not in str(refused.value)
    with pytest.raises(errors.AddressWrong):
        connector(parapheur, protocol, address=f"{parapheur.address}/ailleurs").status("x")


def test_somebody_elses_desk_is_refused(parapheur: ParapheurSimulator) -> None:
    with pytest.raises(errors.AccessRefused):
        connector(parapheur, Protocol.V5, desk="autre").list_types()


def test_a_token_that_is_no_longer_good_is_renewed(parapheur: ParapheurSimulator, dossier: Submission) -> None:
    ours = connector(parapheur, Protocol.V5)
    external = ours.submit(dossier)
    parapheur.rest.forget_tokens()
    assert ours.status(external).state is State.PENDING


def test_a_client_with_a_secret_of_its_own_needs_no_account(parapheur: ParapheurSimulator) -> None:
    parapheur.rest.secrets["tabellion"] = ("s3cret", parapheur.person_at(EMITTER).login)
    given = {"grant": "client_credentials", "client_id": "tabellion", "login": None, "password": None}
    assert "Actes" in connector(parapheur, Protocol.V5, client_secret="s3cret", **given).list_types()
    with pytest.raises(errors.AccessRefused):
        connector(parapheur, Protocol.V5, client_secret="faux", **given).list_types()


def test_version_5_sends_no_detached_signature_in_silence(parapheur: ParapheurSimulator, dossier: Submission) -> None:
    signed = replace(dossier.document, signature=dossier.annexes[0])
    with pytest.raises(errors.SubmissionRefused):
        connector(parapheur, Protocol.V5).submit(replace(dossier, document=signed))


def test_a_dossier_of_version_5_is_found_beyond_the_first_page(
    parapheur: ParapheurSimulator, dossier: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_PAGE", 2)
    ours = connector(parapheur, Protocol.V5, "visa sans meta")
    externals = [ours.submit(replace(dossier, id=f"N{rank}")) for rank in range(5)]
    assert [ours.submit(replace(dossier, id=f"N{rank}")) for rank in range(5)] == externals
    assert len(parapheur.dossiers()) == 5


def test_a_pes_is_signed_at_each_bordereau(parapheur: ParapheurSimulator, folder: Path) -> None:
    flow = folder / "flux.xml"
    write_sample(Sample("FLUX", bordereaux=2, dematerialised=False), flow)
    ours = connector(parapheur, Protocol.SOAP, kind="HELIOS", signature_place="//Bordereau")
    external = ours.submit(Submission("PES1", "Flux", Attachment(flow, "flux.xml", "application/xml")))
    parapheur.act(MAYOR, external, "sign")
    (document,) = ours.fetch(external, folder).documents
    assert [one.intact for one in verify(document.path, trust=None).signatures] == [True, True]


def test_a_parapheur_that_was_killed_forgets_nothing(dossier: Submission, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "connectors.iparapheur.simulator", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        account = process.stdout.readline().strip()
        login, password, _ = account.partition(": ")[2].split()
        told = {"address": address, "login": login, "password": password, "type": "Actes", "subtype": "visa sans meta"}
        external = open_connector(ParapheurSettings.model_validate(told), LOOPBACK).submit(dossier)
        os.kill(process.pid, signal.SIGKILL)
    with simulator(folder) as again:
        ours = connector(again, Protocol.SOAP, "visa sans meta")
        assert ours.submit(dossier) == external
        again.act(MANAGER, external, "visa")
        assert ours.status(external).state is State.APPROVED
    with simulator(folder) as again:
        assert connector(again, Protocol.SOAP, "visa sans meta").status(external).state is State.APPROVED


class Tls:
    """A server that speaks TLS with a certificate of its own, and remembers who came."""

    def __init__(self, folder: Path, *, asks: x509.Certificate | None = None) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self_signed(key, "127.0.0.1")
        self.pem = self.certificate.public_bytes(Encoding.PEM)
        self.peers: list[Any] = []
        kept = folder / "server.pem"
        kept.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + self.pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(kept)
        if asks is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=asks.public_bytes(Encoding.PEM).decode())
        peers = self.peers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                peers.append(self.connection.getpeercert())  # type: ignore[attr-defined]
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def self_signed(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = now()
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(start.replace(year=start.year - 1)).not_valid_after(start.replace(year=start.year + 1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    return builder.add_extension(alternative, critical=False).add_extension(constraints, critical=True).sign(key, hashes.SHA256())


def test_a_parapheur_on_our_own_network_hears_nothing_unless_the_operator_permits_it(
    parapheur: ParapheurSimulator, protocol: Protocol, dossier: Submission
) -> None:
    ours = open_connector(parapheur.settings_for("Actes", "signature", protocol), ())
    for ask in (ours.list_types, lambda: ours.submit(dossier), lambda: ours.status("x")):
        with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"):
            ask()
    assert parapheur.dossiers() == []


def test_a_server_whose_certificate_is_not_trusted_hears_nothing(tmp_path: Path) -> None:
    server = Tls(tmp_path)
    told = {"address": server.address, "login": "a", "password": "b", "type": "T", "subtype": "S"}
    try:
        with pytest.raises(errors.CertificateRefused):
            open_connector(ParapheurSettings.model_validate(told), LOOPBACK).status("x")
        assert server.peers == []
        trusted = ParapheurSettings.model_validate({**told, "authorities": server.pem.decode()})
        with pytest.raises(errors.ParapheurUnavailable):
            open_connector(trusted, LOOPBACK).status("x")
        assert len(server.peers) == 1
    finally:
        server.stop()


def test_a_client_certificate_is_shown_to_a_server_that_asks(tmp_path: Path) -> None:
    authority = identities().authority
    credential = authority.seal("DEMONSTRATION Client", bits=2048)
    server = Tls(tmp_path, asks=authority.certificate)
    told = {
        "address": server.address,
        "login": "a",
        "password": "b",
        "type": "T",
        "subtype": "S",
        "authorities": server.pem.decode(),
        "client_certificate": base64.b64encode(credential.as_pkcs12("secret")).decode(),
        "passphrase": "secret",
    }
    try:
        with pytest.raises(errors.ParapheurUnavailable, match="503"):
            open_connector(ParapheurSettings.model_validate(told), LOOPBACK).status("x")
        assert ("commonName", "DEMONSTRATION Client") in [pair for rdn in server.peers[0]["subject"] for pair in rdn]
    finally:
        server.stop()
