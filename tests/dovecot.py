"""A private Dovecot: a real IMAP server for the time of a block."""

from __future__ import annotations

import base64
import imaplib
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from connectors.actes.simulated_certificates import Identity
from tests.conftest import free_port
from tests.waiting import wait_until

DOVECOT = "/usr/sbin/dovecot"
HOST = "127.0.0.1"


class Ports(NamedTuple):
    """Where it listens.

    Attributes:
        plain: of ``imap``, where TLS begins before the login.
        implicit: of ``imaps``.
    """

    plain: int
    implicit: int


def open_folder(purpose: str) -> Path:
    """Make a folder that a server's own users may enter: where tests usually write is closed to them."""
    folder = Path(tempfile.mkdtemp(prefix=f"tabellion-{purpose}-"))
    folder.chmod(0o755)
    return folder


@contextmanager
def dovecot(accounts: Mapping[str, str], identity: Identity, *, mail: Path | None = None, abilities: str = "") -> Iterator[Ports]:
    """Serve mailboxes.

    Args:
        accounts: password by address.
        identity: what it shows.
        mail: folder of the Maildirs, each of the name of its address, owned by ``nobody``; a fresh one when none is given.
        abilities: what it says that it can; all when empty.
    """
    if not Path(DOVECOT).exists():
        pytest.skip("no Dovecot: install the package dovecot-imapd")
    if os.geteuid() != 0:
        pytest.skip("Dovecot changes users, which takes root")
    folder = open_folder("dovecot")
    ports = Ports(free_port(), free_port())
    pem = folder / "server.pem"
    identity.kept(pem)
    if mail is None:
        mail = folder / "mail"
        mail.mkdir()
        shutil.chown(mail, "nobody", "nogroup")
    users = folder / "users"
    encoded = {address: base64.b64encode(password.encode()).decode() for address, password in accounts.items()}
    users.write_text("".join(f"{address}:{{PLAIN.b64}}{one}\n" for address, one in encoded.items()), encoding="utf-8")
    users.chmod(0o644)
    configuration = folder / "dovecot.conf"
    configuration.write_text(_configuration(folder, mail, pem, ports, abilities), encoding="utf-8")
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(configuration)])
    log = folder / "log"
    try:
        wait_until(lambda: _answers(ports, accounts), seen=lambda: log.read_text() if log.exists() else "")
        yield ports
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def _answers(ports: Ports, accounts: Mapping[str, str]) -> bool:
    address, password = next(iter(accounts.items()))
    believing = ssl._create_unverified_context()
    try:
        with imaplib.IMAP4_SSL(HOST, ports.implicit, ssl_context=believing, timeout=30) as connection:
            connection.authenticate("PLAIN", lambda _: f"\0{address}\0{password}".encode())
            return connection.select("INBOX")[0] == "OK"
    except (OSError, imaplib.IMAP4.error):
        return False


def _configuration(folder: Path, mail: Path, pem: Path, ports: Ports, abilities: str) -> str:
    return f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = {HOST}
ssl = required
ssl_cert = <{pem}
ssl_key = <{pem}
mail_location = maildir:{mail}/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
auth_username_chars =
{f"imap_capability = {abilities}" if abilities else ""}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={mail}/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {ports.plain}
  }}
  inet_listener imaps {{
    port = {ports.implicit}
    ssl = yes
  }}
}}
"""
