"""Timestamps of a foreign authority (``openssl ts`` behind HTTP): read, taken in turn when others fail, verified by both."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.errors import Unavailable
from signing.cades.seal import Cades
from signing.cades.verifier import verify as verify_cades
from signing.keys import Pkcs12Signer
from signing.legs import Signatory, sign
from signing.pki import TestAuthority
from signing.timestamp.client import AuthoritySettings, AuthorityUnavailable, TimestampClient, TokenRefused
from signing.timestamp.verifier import verify
from signing.trust import TrustStore
from signing.verdicts import Belief

OPENSSL = shutil.which("openssl")
FOLDER = Path(__file__).parents[3] / "../shared/corpus/signatures"
DIGEST = hashlib.sha256(b"data").digest()
CONFIGURATION = """
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = chain.pem
signer_digest = sha256
default_policy = 1.2.3.4.5
other_policies = 1.2.3.4.6
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = sha256
"""

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(OPENSSL), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def serving(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[str]:
    """An HTTP server that answers every query so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, reply = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, authority: TestAuthority) -> Path:
    """The folder of an authority run by ``openssl ts``."""
    folder = tmp_path_factory.mktemp("foreign")
    credential = authority.timestamping()
    (folder / "tsa.pem").write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "chain.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION)
    return folder


@pytest.fixture(scope="module")
def good(foreign: Path) -> Iterator[str]:
    def answer(query: bytes) -> tuple[int, bytes]:
        (foreign / "query").write_bytes(query)
        done = run(foreign, "ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "query", "-out", "reply")
        return (200, (foreign / "reply").read_bytes()) if done.returncode == 0 else (500, b"")

    with serving(answer) as url:
        yield url


@pytest.fixture(scope="module")
def rubbish() -> Iterator[str]:
    with serving(lambda _: (200, b"<html>maintenance</html>")) as url:
        yield url


@pytest.fixture(scope="module")
def failing() -> Iterator[str]:
    with serving(lambda _: (503, b"")) as url:
        yield url


@pytest.fixture
def dead() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def client(trust: TrustStore, *urls: str) -> TimestampClient:
    return TimestampClient(AuthoritySettings(urls, connect_timeout=2, read_timeout=20), trust)


@needs_openssl
def test_a_dead_a_failing_and_a_babbling_authority_are_passed_over(
    trust: TrustStore, dead: str, failing: str, rubbish: str, good: str
) -> None:
    stamp = client(trust, dead, failing, rubbish, good).stamp(DIGEST)
    assert (stamp.digest, stamp.policy) == (DIGEST, "1.2.3.4.5")
    assert stamp.authority == "DEMONSTRATION Horodatage"


def test_when_nobody_answers_it_is_worth_another_try_and_rubbish_is_for_a_person(
    trust: TrustStore, dead: str, failing: str, rubbish: str
) -> None:
    with pytest.raises(AuthorityUnavailable) as unavailable:
        client(trust, dead, failing).stamp(DIGEST)
    assert isinstance(unavailable.value, Unavailable)
    with pytest.raises(TokenRefused):
        client(trust, dead, rubbish).stamp(DIGEST)


@needs_openssl
def test_what_waits_for_an_authority_is_completed_when_it_is_back(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, dead: str, good: str
) -> None:
    source, target = tmp_path / "data", tmp_path / "data.p7s"
    source.write_bytes(b"data")
    how = Cades(level="T")
    prepared = how.prepare(source, tmp_path / "draft", Signatory(signer.certificate), datetime.now(UTC))
    values = {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}
    for _ in range(3):
        with pytest.raises(Unavailable):
            how.complete(prepared, source, tmp_path / "draft", values, target, client(trust, dead))
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
    how.complete(prepared, source, tmp_path / "draft", values, target, client(trust, dead, good))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data.p7s"]
    assert verify_cades(target, detached=source, trust=trust).signatures[0].timestamps[0].proves


@needs_openssl
def test_a_signature_stamped_by_a_foreign_authority_is_valid(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, good: str
) -> None:
    (tmp_path / "data").write_bytes(b"data")
    sign(Cades(level="T"), tmp_path / "data", tmp_path / "data.p7s", signer, timestamps=client(trust, good))
    verdict = verify_cades(tmp_path / "data.p7s", detached=tmp_path / "data", trust=trust)
    assert verdict.verdict is Belief.VALID


@needs_openssl
@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_we_and_openssl_agree_on_its_responses(foreign: Path, trust: TrustStore, tmp_path: Path, hash_name: str) -> None:
    (tmp_path / "data").write_bytes(b"data")
    (tmp_path / "other").write_bytes(b"other")
    query = ("ts", "-query", "-data", str(tmp_path / "data"), f"-{hash_name}", "-cert", "-out", "own-query")
    assert run(foreign, *query).returncode == 0
    reply = ("ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "own-query")
    for name, form in (("response.tsr", ()), ("token.tst", ("-token_out",))):
        path = tmp_path / name
        assert run(foreign, *reply, "-out", str(path), *form).returncode == 0
        for data, expected in (("data", Belief.VALID), ("other", Belief.INVALID)):
            ours = verify(path, detached=tmp_path / data, trust=trust)
            theirs = openssl_verify(path, tmp_path / data, foreign / "chain.pem")
            print(f"{name}, {hash_name}, {data}: ours {ours.verdict} | openssl {theirs}")  # noqa: T201 - the witness
            assert ours.verdict is expected
            assert theirs == (expected is Belief.VALID)


def openssl_verify(path: Path, data: Path, anchor: Path, *options: str) -> bool:
    form = ("-token_in",) if path.suffix == ".tst" else ()
    done = run(path.parent, "ts", "-verify", "-data", str(data), "-in", str(path), *form, "-CAfile", str(anchor), *options)
    return "Verification: OK" in done.stdout


def entries() -> list[Any]:
    listing = FOLDER / "expected.jsonl"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    found = [entry for entry in map(json.loads, lines) if entry["file"].startswith("timestamp/") and entry["verify"]]
    return [pytest.param(entry, id=entry["file"]) for entry in found]


@needs_openssl
@pytest.mark.parametrize("entry", entries())
def test_the_samples_get_their_verdict_and_openssl_agrees(shared: Path, entry: dict[str, Any]) -> None:
    folder = shared / "corpus/signatures"
    path, data = folder / entry["file"], folder / entry["detached"]
    trust = TrustStore.from_folder(folder / entry["trust_dir"])
    at = datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC)
    ours = verify(path, detached=data, trust=trust, at=at)
    untrusted = str(folder / "pki/sub.crt")
    theirs = openssl_verify(path, data, folder / "pki/root.crt", "-untrusted", untrusted)
    print(f"{entry['file']}: ours {ours.verdict} | openssl {theirs}")  # noqa: T201 - the witness, beside ours
    assert ours.verdict == entry["verify"], entry["why"]
    assert theirs == (entry["verify"] == "valid")
