"""A real OCSP responder and a real distribution point: what the client brings back, and what is refused on the way."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing.revocation import FetchSettings, Gathered, RevocationClient
from signing.standing import standing
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief
from tests.addresses import LOOPBACK
from tests.conftest import free_port
from tests.trust_samples import DAY, NOW, OCSP_SIGNING, SIGNS, Holder, usage

OPENSSL = shutil.which("openssl")
LOCAL = FetchSettings(permitted=LOOPBACK, connect_timeout=2, whole_timeout=5)
ROOT = Holder.root()
RESPONDER = ROOT.issue("DEMONSTRATION Répondeur", (usage(signature=True), True), (OCSP_SIGNING, False))
STRANGER = Holder.root()

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is absent")


def leaf(*, ocsp: str | None = None, crl: str | None = None) -> Holder:
    """A signer's certificate that names these addresses."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [SIGNS]
    if ocsp:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))
        extensions.append((x509.AuthorityInformationAccess([place]), False))
    if crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
        extensions.append((x509.CRLDistributionPoints([point]), False))
    return ROOT.issue("DEMONSTRATION Signataire", *extensions)


def gather(holder: Holder, settings: FetchSettings = LOCAL) -> Gathered:
    return RevocationClient(settings).gather((holder.certificate, ROOT.certificate))


def pem(folder: Path, name: str, holder: Holder) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(holder.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


@contextlib.contextmanager
def openssl_responder(folder: Path, index: str, port: int, signer: Holder, *options: str) -> Iterator[None]:
    """``openssl ocsp`` over an index of certificates."""
    (folder / "index.txt").write_text(index)
    authority, _ = pem(folder, "ca", ROOT)
    certificate, key = pem(folder, "responder", signer)
    command = [
        OPENSSL or "",
        "ocsp",
        "-index",
        "index.txt",
        "-port",
        str(port),
        "-rsigner",
        certificate,
        "-rkey",
        key,
        "-CA",
        authority,
    ]
    process = subprocess.Popen(
        [*map(str, command), *options], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        if not any("waiting" in line for line in process.stdout):
            pytest.fail("the responder does not listen")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def index_line(holder: Holder, revoked: str = "") -> str:
    state = "R" if revoked else "V"
    return f"{state}\t450101000000Z\t{revoked}\t{holder.certificate.serial_number:X}\tunknown\t/CN=x\n"


@needs_openssl
@pytest.mark.parametrize("signer", [ROOT, RESPONDER], ids=["the authority", "a responder it named"])
def test_a_real_responder_makes_revocation_known(tmp_path: Path, signer: Holder) -> None:
    port = free_port()
    holder = leaf(ocsp=f"http://127.0.0.1:{port}/")
    with openssl_responder(tmp_path, index_line(holder), port, signer, "-nmin", "60"):
        found = gather(holder)
    assert (found.complete, found.failures) == (True, ())
    status = TrustStore.of([ROOT.certificate]).assess(holder.certificate, at=NOW, evidence=found.evidence)
    assert (status.state, status.revocation_known) == (TrustState.TRUSTED, True)


@needs_openssl
def test_an_answer_without_a_next_one_is_kept_when_it_is_new(tmp_path: Path) -> None:
    port = free_port()
    holder = leaf(ocsp=f"http://127.0.0.1:{port}/")
    with openssl_responder(tmp_path, index_line(holder), port, RESPONDER):
        found = gather(holder)
    assert found.complete
    status = TrustStore.of([ROOT.certificate]).assess(holder.certificate, at=NOW - DAY, evidence=found.evidence)
    assert status.revocation_known


@needs_openssl
def test_a_real_responder_revokes_from_a_day_on(tmp_path: Path) -> None:
    port = free_port()
    holder = leaf(ocsp=f"http://127.0.0.1:{port}/")
    since = NOW - 10 * DAY
    with openssl_responder(tmp_path, index_line(holder, f"{since:%y%m%d%H%M%S}Z,keyCompromise"), port, RESPONDER, "-nmin", "60"):
        evidence = gather(holder).evidence
    trust = TrustStore.of([ROOT.certificate])
    assert trust.assess(holder.certificate, at=NOW, evidence=evidence).state is TrustState.REVOKED
    assert trust.assess(holder.certificate, at=since - DAY, evidence=evidence).state is TrustState.TRUSTED
    early = standing(holder.certificate, trust, claimed=since - DAY, proved=since - DAY, at=NOW, evidence=evidence)
    late = standing(holder.certificate, trust, claimed=since - DAY, proved=None, at=NOW, evidence=evidence)
    assert (early.belief, late.belief) == (Belief.VALID, Belief.INDETERMINATE)


@needs_openssl
@pytest.mark.parametrize("why", ["foreign responder", "unknown certificate"])
def test_what_a_real_responder_may_not_or_cannot_say_is_not_kept(tmp_path: Path, why: str) -> None:
    port = free_port()
    holder = leaf(ocsp=f"http://127.0.0.1:{port}/")
    foreign = STRANGER.issue("DEMONSTRATION Répondeur", (OCSP_SIGNING, False))
    signer, index = (foreign, index_line(holder)) if why == "foreign responder" else (RESPONDER, index_line(ROOT))
    with openssl_responder(tmp_path, index, port, signer, "-nmin", "60"):
        found = gather(holder)
    assert not found.complete
    assert found.evidence.answers == ()
    assert len(found.failures) == 1


@needs_openssl
def test_the_corpus_speaks_of_its_own_certificates(shared: Path) -> None:
    pki = shared / "corpus/signatures/pki"
    trust = TrustStore.from_folder(pki)

    def state(name: str) -> TrustState:
        return trust.assess(x509.load_pem_x509_certificate((pki / f"{name}.crt").read_bytes()), at=NOW).state

    found = {name: state(name) for name in ("signer", "revoked", "expired", "future", "weak1024", "nronly", "seal")}
    assert found == {
        "signer": TrustState.TRUSTED,
        "revoked": TrustState.REVOKED,
        "expired": TrustState.EXPIRED,
        "future": TrustState.NOT_YET_VALID,
        "weak1024": TrustState.UNTRUSTED,
        "nronly": TrustState.TRUSTED,
        "seal": TrustState.TRUSTED,
    }
    partial = TrustStore.of([x509.load_pem_x509_certificate((pki / f"{name}.crt").read_bytes()) for name in ("root", "sub")])
    stranger = x509.load_pem_x509_certificate((pki / "unknownca.crt").read_bytes())
    assert partial.assess(stranger, at=NOW).state is TrustState.UNKNOWN
    wrong = x509.load_pem_x509_certificate((pki / "nosign.crt").read_bytes())
    judged = standing(wrong, trust, claimed=NOW, proved=None, at=NOW)
    assert (judged.state, judged.belief) == (TrustState.UNTRUSTED, Belief.INVALID)


@dataclass
class Server:
    """An HTTP server that does what it is told, and remembers what it was asked."""

    url: str
    paths: list[str]
    act: Callable[[BaseHTTPRequestHandler], None] = lambda handler: handler.send_error(404)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server("", [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.paths.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with contextlib.suppress(OSError):
                found.act(self)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    found.url = f"http://127.0.0.1:{httpd.server_port}/list.crl"
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield found
    httpd.shutdown()
    httpd.server_close()


def reply(data: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return act


LISTING = ROOT.crl(until=NOW + 9 * DAY)
DER = LISTING.public_bytes(Encoding.DER)


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_list_is_fetched_from_its_distribution_point(server: Server, encoding: Encoding) -> None:
    server.act = reply(LISTING.public_bytes(encoding))
    holder = leaf(crl=server.url)
    found = gather(holder)
    assert (found.complete, found.failures, server.paths) == (True, (), ["/list.crl"])
    assert found.evidence.certificates == (holder.certificate, ROOT.certificate)
    status = TrustStore.of([ROOT.certificate]).assess(holder.certificate, at=NOW, evidence=found.evidence)
    assert status.revocation_known


def test_the_list_is_asked_when_the_responder_is_silent(server: Server) -> None:
    server.act = reply(DER)
    found = gather(leaf(ocsp=server.url, crl=server.url))
    assert found.complete
    assert (len(found.evidence.lists), len(found.failures)) == (1, 1)


def test_a_redirection_is_followed_a_few_times(server: Server) -> None:
    server.act = lambda handler: (reply(DER) if handler.path == "/there" else reply(b"", 302, Location="/there"))(handler)
    assert gather(leaf(crl=server.url)).complete
    server.act = reply(b"", 302, Location="/list.crl")
    server.paths.clear()
    assert not gather(leaf(crl=server.url)).complete
    assert len(server.paths) == 3


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(reply(b"not a list"), id="no list"),
        pytest.param(reply(DER, 500), id="error"),
        pytest.param(reply(DER[:-9]), id="cut"),
        pytest.param(reply(STRANGER.crl().public_bytes(Encoding.DER)), id="of another authority"),
        pytest.param(reply(ROOT.crl(said=NOW - 9 * DAY, until=NOW - DAY).public_bytes(Encoding.DER)), id="outdated"),
        pytest.param(reply(bytes(2 << 20)), id="too large"),
        pytest.param(lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), id="no HTTP"),
    ],
)
def test_what_is_of_no_use_is_not_kept(server: Server, act: Callable[[BaseHTTPRequestHandler], None]) -> None:
    server.act = act
    found = gather(leaf(crl=server.url), FetchSettings(permitted=LOCAL.permitted, largest_list=1 << 20))
    assert (found.complete, found.evidence.lists, len(found.failures)) == (False, (), 1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_drips_is_cut_off(server: Server, part: str) -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        if part == "body":
            handler.wfile.write(b"y\r\nContent-Length: 1000000\r\n\r\n")
        while not stop.wait(0.1):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    server.act = drip
    settings = FetchSettings(permitted=LOCAL.permitted, connect_timeout=1, whole_timeout=1)
    found = gather(leaf(crl=server.url), settings)
    stop.set()
    assert (found.complete, len(found.failures)) == (False, 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/list.crl",
        "http://localhost:{port}/list.crl",
        "http://[::ffff:127.0.0.1]:{port}/list.crl",
        "http://0.0.0.0:{port}/list.crl",
        "http://2130706433:{port}/list.crl",
    ],
)
def test_this_machine_is_not_asked_unless_the_operator_permits_it(server: Server, url: str) -> None:
    server.act = reply(DER)
    found = gather(leaf(crl=url.format(port=server.url.split(":")[2].partition("/")[0])), FetchSettings())
    assert (found.complete, server.paths, len(found.failures)) == (False, [], 1)
    assert "ni publique ni permise" in found.failures[0]


def test_a_redirection_to_another_place_is_looked_at_anew(server: Server) -> None:
    server.act = reply(b"", 302, Location="http://169.254.169.254/latest/")
    found = gather(leaf(crl=server.url))
    assert not found.complete
    assert "ni publique ni permise" in found.failures[0]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ldap://ldap.example/cn=x",
        "ftp://127.0.0.1/x",
        "http://user:word@127.0.0.1/",
        "http://",
        "http://[x/",
    ],
)
def test_other_schemes_and_odd_addresses_are_not_asked(url: str) -> None:
    found = gather(leaf(crl=url))
    assert (found.complete, len(found.failures)) == (False, 1)
    assert "ni publique ni permise" in found.failures[0]
