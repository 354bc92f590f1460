"""Asking a real HTTP authority for timestamps, with OpenSSL as a witness over the tokens."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import urllib3
from cryptography.hazmat.primitives.serialization import Encoding

from signing.pki import TestAuthority
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient, TokenRefused, request
from signing.timestamp.simulator import POLICY, TsaSimulator
from signing.timestamp.token import verify_token
from signing.trust import TrustStore

OPENSSL = shutil.which("openssl")
DATA = b"le registre du jour"
DIGEST = hashlib.sha256(DATA).digest()


@pytest.fixture(scope="module")
def believed(tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([tsa.anchor])


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


@pytest.fixture
def replay(tsa: TsaSimulator) -> Iterator[str]:
    """An authority that always gives the answer to an older request."""
    old = tsa.answer(request(DIGEST, nonce=1))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(old)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def client(trust: TrustStore, *urls: str, policy: str | None = None) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls, policy=policy, connect_timeout=2, read_timeout=10), trust)


def test_a_token_comes_back_verified(tsa: TsaSimulator, believed: TrustStore) -> None:
    stamp = client(believed, tsa.url, policy=POLICY).stamp(DIGEST)
    assert (stamp.digest, stamp.policy, stamp.hash_name) == (DIGEST, POLICY, "sha256")
    assert verify_token(stamp.token, DIGEST, trust=believed).holds


def test_the_next_authority_is_asked_when_one_is_down(tsa: TsaSimulator, believed: TrustStore, nobody: str) -> None:
    assert client(believed, nobody, tsa.url).stamp(DIGEST).digest == DIGEST


def test_the_next_authority_is_asked_when_one_answers_wrongly(tsa: TsaSimulator, believed: TrustStore, replay: str) -> None:
    assert client(believed, replay, tsa.url).stamp(DIGEST).digest == DIGEST


def test_no_answer_at_all_is_worth_another_try(believed: TrustStore, nobody: str) -> None:
    with pytest.raises(AuthorityUnavailable, match="horodatage"):
        client(believed, nobody).stamp(DIGEST)


def test_an_authority_that_is_not_believed_is_refused(tsa: TsaSimulator) -> None:
    stranger = TrustStore.of([TestAuthority.create("DEMONSTRATION Autre").certificate])
    with pytest.raises(TokenRefused):
        client(stranger, tsa.url).stamp(DIGEST)


def test_an_answer_to_another_request_is_refused(believed: TrustStore, replay: str) -> None:
    with pytest.raises(TokenRefused, match="nonce"):
        client(believed, replay).stamp(DIGEST)


def test_a_policy_that_the_authority_does_not_have_is_refused(tsa: TsaSimulator, believed: TrustStore) -> None:
    with pytest.raises(TokenRefused, match="rejection"):
        client(believed, tsa.url, policy="1.2.3.4").stamp(DIGEST)


def test_only_queries_of_a_reasonable_size_are_answered(tsa: TsaSimulator) -> None:
    http = urllib3.PoolManager(retries=False)
    query = {"Content-Type": "application/timestamp-query"}
    assert http.request("POST", tsa.url, body=b"x", headers={"Content-Type": "text/plain"}).status == 415
    assert http.request("POST", tsa.url, body=b"", headers={**query, "Content-Length": "99999999"}).status == 413


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_openssl_accepts_our_token_and_our_whole_answer(tsa: TsaSimulator, believed: TrustStore, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "anchor.pem").write_bytes(tsa.anchor.public_bytes(Encoding.PEM))
    (tmp_path / "token").write_bytes(client(believed, tsa.url).stamp(DIGEST).token)
    query = [str(OPENSSL), "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query"]
    subprocess.run(query, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (tmp_path / "answer").write_bytes(tsa.answer((tmp_path / "query").read_bytes()))
    verify = [str(OPENSSL), "ts", "-verify", "-CAfile", "anchor.pem"]
    for arguments in (["-data", "data", "-in", "token", "-token_in"], ["-queryfile", "query", "-in", "answer"]):
        done = subprocess.run([*verify, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert "Verification: OK" in done.stdout, done.stderr


def test_tokens_of_another_authority_are_verified(shared: Path) -> None:
    folder = shared / "corpus/signatures"
    trust = TrustStore.from_folder(folder / "pki")
    digest = hashlib.sha256((folder / "timestamp/hello.txt").read_bytes()).digest()
    status = verify_token((folder / "timestamp/t_token_chain_not_der_sorted.tst").read_bytes(), digest, trust=trust)
    assert status.holds, status.reason
    assert status.timestamp is not None
    assert status.timestamp.gen_time < datetime(2027, 1, 1, tzinfo=UTC)
