"""Keys of a remote service: what signs, and what the service answers when it does not."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from core import clock
from core.addresses import AddressRefused
from signing.algorithms import METHODS, method_of, value_holds
from signing.keys import KeyOutOfDate, KeyRefused, csc_simulator
from signing.keys import csc as keys
from signing.keys.csc import CscClient, CscSettings, CscSigner
from signing.keys.csc_simulator import CscSimulator, RemoteKey
from signing.pki import TestAuthority
from tests.addresses import LOOPBACK

Version = Literal["v1", "v2"]
BATCH = [f"document {number}".encode() for number in range(12)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CscSimulator]:
    with CscSimulator(tmp_path_factory.mktemp("csc")) as simulator:
        yield simulator


@pytest.fixture
def service(running: CscSimulator) -> Iterator[CscSimulator]:
    """The service, whose keys, lifetimes and troubles are a test's own."""
    before = {name: replace(key, proofs=dict(key.proofs)) for name, key in running.keys.items()}
    yield running
    running.keys, running.lifetime, running.outage = before, 300.0, None


@pytest.fixture
def settings(service: CscSimulator) -> CscSettings:
    return CscSettings(service.url, service.token, networks=LOOPBACK)


def opened(settings: CscSettings, service: CscSimulator, name: str, **proofs: str) -> CscSigner:
    return CscSigner.open(settings, name, {**service.keys[name].proofs, **proofs})


def holds(certificate: x509.Certificate, value: bytes, octets: bytes) -> bool:
    return value_holds(certificate, METHODS[method_of(certificate)], value, octets)


@pytest.mark.parametrize("version", ["v2", "v1"])
@pytest.mark.parametrize("name", ["MAIRE", "ADJOINTE", "CACHET"])
def test_a_batch_is_signed_with_one_authorisation(
    settings: CscSettings, service: CscSimulator, version: Version, name: str
) -> None:
    signer = opened(replace(settings, version=version), service, name)
    values = signer.sign_all(BATCH)
    assert [holds(signer.certificate, value, octets) for value, octets in zip(values, BATCH, strict=True)] == [True] * len(BATCH)
    assert not holds(signer.certificate, values[0], BATCH[1])
    assert signer.chain == (service.anchor,)


def test_a_service_that_gives_ecdsa_values_side_by_side_is_read_too(
    settings: CscSettings, service: CscSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = opened(settings, service, "ADJOINTE")
    ask = CscClient.sign_hashes

    def side_by_side(*arguments: object) -> list[bytes]:
        return [raw for value in ask(*arguments) if (raw := keys._raw(value, signer.certificate))]  # type: ignore[arg-type]

    monkeypatch.setattr(CscClient, "sign_hashes", side_by_side)
    assert holds(signer.certificate, signer.sign(b"octets"), b"octets")


def test_a_service_says_what_it_is_and_which_keys_it_keeps(settings: CscSettings) -> None:
    client = CscClient(settings)
    assert client.info()["specs"] == "2.0.0.2"
    assert {"MAIRE", "ADJOINTE", "CACHET"} <= set(client.credentials())
    assert client.credential("MAIRE").proofs == ("PIN", "OTP")


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_a_one_time_code_is_sent_when_asked_for_and_serves_once(
    settings: CscSettings, service: CscSimulator, version: Version
) -> None:
    client = CscClient(replace(settings, version=version))
    client.challenge(client.credential("MAIRE"), "OTP")
    signer = opened(replace(settings, version=version), service, "MAIRE")
    assert signer.sign(b"first")
    with pytest.raises(keys.ProofRefused, match="déjà servi"):
        signer.sign(b"second")


def test_wrong_codes_are_refused_until_the_service_locks_the_key(settings: CscSettings, service: CscSimulator) -> None:
    signer = opened(settings, service, "MAIRE", OTP="wrong")
    for _ in range(3):
        with pytest.raises(keys.ProofRefused, match="nouveau code"):
            signer.sign(b"octets")
    with pytest.raises(keys.RemoteKeyRefused, match="locked"):
        opened(settings, service, "MAIRE").sign(b"octets")


def test_a_wrong_pin_is_typed_again_and_what_the_service_said_of_it_is_in_the_log(
    settings: CscSettings, service: CscSimulator
) -> None:
    with capture_logs() as told, pytest.raises(keys.ProofRefused) as refused:
        opened(settings, service, "ADJOINTE", PIN="0").sign(b"octets")
    assert "Saisissez-le de nouveau" in str(refused.value)
    assert [one["words"] for one in told if one["words"] not in str(refused.value)]


def test_a_code_that_is_missing_is_asked_for_before_anything_is_sent(settings: CscSettings, service: CscSimulator) -> None:
    signer = CscSigner.open(settings, "MAIRE", {"PIN": service.keys["MAIRE"].proofs["PIN"]})
    service.outage = 500
    with pytest.raises(keys.ProofRefused, match="OTP"):
        signer.sign(b"octets")


def test_more_than_one_code_allows_is_refused_before_anything_is_sent(settings: CscSettings, service: CscSimulator) -> None:
    with pytest.raises(keys.ProofRefused, match="100"):
        opened(settings, service, "MAIRE").sign_all([b"octets"] * 101)


def test_a_key_without_code_signs_more_than_one_authorisation_covers(settings: CscSettings, service: CscSimulator) -> None:
    signer = opened(settings, service, "ADJOINTE")
    values = signer.sign_all([b"octets"] * 101)
    assert [holds(signer.certificate, value, b"octets") for value in values] == [True] * 101


def test_activation_data_run_out(settings: CscSettings, service: CscSimulator) -> None:
    service.lifetime = -1
    with capture_logs() as told, pytest.raises(keys.ProofRefused, match="Recommencez la signature"):
        opened(settings, service, "CACHET").sign(b"octets")
    assert "SAD expired" in told[0]["words"]


def test_activation_data_cover_these_digests_alone_once_and_for_one_key(settings: CscSettings) -> None:
    client = CscClient(settings)
    credential, other = client.credential("CACHET"), client.credential("ADJOINTE")
    sad = client.authorize(credential, [bytes(32)], {})
    with pytest.raises(keys.ProofRefused):
        client.sign_hashes(credential, sad, [b"\x01" * 32])
    with pytest.raises(keys.ProofRefused):
        client.sign_hashes(other, sad, [bytes(32)])
    assert client.sign_hashes(credential, sad, [bytes(32)])
    with pytest.raises(keys.ProofRefused):
        client.sign_hashes(credential, sad, [bytes(32)])


def test_an_approval_on_a_telephone_is_waited_for(settings: CscSettings, service: CscSimulator) -> None:
    signer = opened(settings, service, "MOBILE")
    assert holds(signer.certificate, signer.sign(b"octets"), b"octets")
    with pytest.raises(keys.ProofRefused, match="téléphone"):
        opened(replace(settings, patience=-1), service, "MOBILE").sign(b"octets")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_out_of_order_is_worth_trying_again(settings: CscSettings, service: CscSimulator, status: int) -> None:
    signer = opened(settings, service, "CACHET")
    service.outage = status
    with pytest.raises(keys.ServiceUnavailable, match=str(status)):
        signer.sign(b"octets")
    service.outage = None
    assert signer.sign(b"octets")


def test_a_service_that_is_not_there_or_never_answers_is_unavailable(settings: CscSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(keys.ServiceUnavailable):
            CscClient(replace(settings, url=url, read_timeout=0.2)).info()
    with pytest.raises(keys.ServiceUnavailable):
        CscClient(replace(settings, url=url)).info()


def test_another_token_another_address_and_another_key_are_told_apart(settings: CscSettings) -> None:
    for token in ("another", "with a line\nfeed"):
        with pytest.raises(keys.AccessEnded):
            CscClient(replace(settings, token=token)).credentials()
    with pytest.raises(keys.ServiceMisread):
        CscClient(replace(settings, url=f"{settings.url}/elsewhere", version="v3")).info()  # type: ignore[arg-type]
    with pytest.raises(keys.ServiceMisread, match="credentialID"):
        CscClient(settings).credential("NOBODY")


def test_a_service_without_https_is_refused_unless_it_is_this_machine(settings: CscSettings) -> None:
    for url in ("http://signature.example", "signature.example", "ftp://127.0.0.1.example", "http://[half", ""):
        with pytest.raises(keys.ServiceMisread, match="HTTPS"):
            CscClient(replace(settings, url=url))


def test_a_service_on_our_own_network_is_not_reached_unless_the_operator_permits_it(settings: CscSettings) -> None:
    with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"):
        CscClient(replace(settings, networks=())).info()


def test_keys_that_must_not_sign_are_refused(settings: CscSettings, service: CscSimulator, authority: TestAuthority) -> None:
    now = clock.now()
    service.keys["MAIRE"].enabled = False
    with pytest.raises(keys.RemoteKeyRefused, match="désactivé"):
        opened(settings, service, "MAIRE")
    with pytest.raises(keys.RemoteKeyRefused, match="page"):
        opened(settings, service, "NAVIGATEUR")
    service.keys["ANCIENNE"] = RemoteKey(authority.seal(bits=2048, start=now - timedelta(days=9), end=now - timedelta(days=1)))
    with pytest.raises(KeyOutOfDate):
        opened(settings, service, "ANCIENNE")
    signer = opened(settings, service, "CACHET")
    service.keys["CACHET"].enabled = False
    with pytest.raises(KeyRefused, match="disabled"):
        signer.sign(b"octets")


def test_a_value_of_another_key_is_not_given_on(settings: CscSettings, service: CscSimulator) -> None:
    signer = opened(settings, service, "CACHET")
    service.keys["CACHET"].credential = service.keys["MAIRE"].credential
    with pytest.raises(keys.ServiceRefused, match="rien n’a été signé"):
        signer.sign(b"octets")


@pytest.mark.parametrize("most", [0, -1])
def test_a_key_that_signs_nothing_at_a_time_is_not_taken(
    settings: CscSettings, service: CscSimulator, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(csc_simulator, "_MOST_SIGNATURES", most)
    with pytest.raises(keys.ServiceRefused, match="norme"):
        opened(settings, service, "CACHET").sign(b"octets")


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"credentialIDs": 3}', b'{"cert": {}}', b"[" * 100_000])
def test_an_answer_that_is_none_is_said_and_not_a_fault_of_ours(
    answer: bytes,
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        client = CscClient(CscSettings(f"http://127.0.0.1:{server.server_port}", "token", networks=LOOPBACK))
        for call in (client.credentials, lambda: client.credential("MAIRE")):
            with pytest.raises(keys.ServiceRefused, match="norme"):
                call()
        server.shutdown()


def test_no_secret_shows_in_a_representation(settings: CscSettings) -> None:
    assert settings.token not in repr(settings)


def test_the_simulator_runs_by_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "signing.keys.csc_simulator", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        url, token = served.stdout.readline().strip(), served.stdout.readline().split()[1]
        signer = CscSigner.open(CscSettings(url, token, networks=LOOPBACK), "CACHET", {})
        assert holds(signer.certificate, signer.sign(b"octets"), b"octets")
        served.terminate()
