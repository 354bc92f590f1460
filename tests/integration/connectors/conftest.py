"""A real OpenSSH server on a free port, and what it takes to speak to it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openssh_server import OpenSsh

from tests.postfix import PostOffice

SSHD = "/usr/sbin/sshd"


@pytest.fixture(scope="session")
def sshd_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "user", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    return folder


@pytest.fixture(scope="session")
def sshd_port(sshd_keys: Path) -> Iterator[int]:
    if not Path(SSHD).exists() or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server: install the package openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    configuration = sshd_keys / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {sshd_keys}/host\nAuthorizedKeysFile {sshd_keys}/user.pub\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
        "Subsystem sftp internal-sftp\nMaxStartups 100\n"
    )
    with (sshd_keys / "sshd.log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(configuration)], stderr=log)
    _wait_for(port)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def openssh(sshd_port: int, sshd_keys: Path, tmp_path: Path) -> OpenSsh:
    server = OpenSsh(sshd_port, public_key(sshd_keys / "host.pub"), (sshd_keys / "user").read_text(), tmp_path)
    server.depot.mkdir()
    server.responses.mkdir()
    return server


@pytest.fixture
def other_key(sshd_keys: Path) -> str:
    return public_key(sshd_keys / "other.pub")


@pytest.fixture
def local_file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "local.xml"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(scope="session")
def post_office() -> Iterator[PostOffice]:
    """A real Postfix, and a real Dovecot over the mailbox of returns."""
    with PostOffice() as office:
        yield office


def public_key(path: Path) -> str:
    return path.read_text().split()[1]


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"sshd does not answer on port {port}")
