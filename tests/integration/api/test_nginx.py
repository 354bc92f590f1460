"""The proxy of the deployment files, as it is run: what the platform takes comes through it."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.acts.gathering import AROUND
from api.app import largest_bodies
from api.courrier.answering import PATH as ANSWER
from api.s2low.service import LARGE, largest
from connectors.actes.simulated_certificates import TlsAuthority
from core.settings import Settings
from tests.conftest import free_port

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nginx.conf"
PROGRAM = "/usr/sbin/nginx"
SETTINGS = Settings(state_dir=Path("/nowhere"))
LIMITS = largest_bodies(SETTINGS) | {path: largest(path, SETTINGS.upload_limit) + AROUND for path in LARGE}
USUAL, RECIPIENTS = "tabellion.example.org", "courrier.example.org"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the proxy listens."""
    if not Path(PROGRAM).exists():
        pytest.skip("no nginx: install the package nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    secure, plain = free_port(), free_port()
    TlsAuthority.create().server("localhost").kept(folder / "server.pem")
    written = CONFIGURATION.read_text(encoding="utf-8")
    for pattern, instead in (
        (r"listen \[::\]:.*\n", "\n"),
        (r"listen 443 ", f"listen 127.0.0.1:{secure} "),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"/etc/ssl/tabellion/\S+\.pem", str(folder / "server.pem")),
        (r"/var/log/nginx/", f"{folder}/"),
    ):
        written, count = re.subn(pattern, instead, written)
        assert count, pattern
    (folder / "tabellion.conf").write_text(written, encoding="utf-8")
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; error_log {folder}/error.log; pid {folder}/pid; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;"
        f" include {folder}/tabellion.conf; }}\n",
        encoding="utf-8",
    )
    subprocess.run([PROGRAM, "-t", "-q", "-p", folder, "-c", whole], check=True)
    process = subprocess.Popen([PROGRAM, "-p", folder, "-c", whole])
    try:
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", secure)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield secure
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def answered(port: int, host: str, path: str, size: int) -> str:
    """What a client is told that asks whether a body of some size may come; none of it is sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\nExpect: 100-continue\r\n\r\n"
    with ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30)) as line:
        line.sendall(head.encode())
        return line.recv(4096).decode().partition("\r\n")[0]


@pytest.mark.parametrize("path", LIMITS)
def test_the_largest_body_of_every_path_comes_through(port: int, path: str) -> None:
    host = RECIPIENTS if path == ANSWER else USUAL
    address = path.replace("{id}", "01M8JC1C4AK14M9H9NDZX3R8MM")
    assert answered(port, host, address, LIMITS[path]) == "HTTP/1.1 100 Continue"


@pytest.mark.parametrize("path", ["/v1/mails", "/ws-iparapheur", "/v1/dossiers", "/modules/actes/actes_transac_create.php"])
def test_what_is_far_above_it_is_not_even_kept(port: int, path: str) -> None:
    assert answered(port, USUAL, path, 2 * LIMITS[path]) == "HTTP/1.1 413 Request Entity Too Large"
