"""Mailboxes on real IMAP servers: the post office of the demonstration, and Dovecot with more or fewer abilities."""

from __future__ import annotations

import base64
import imaplib
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from actes_servers import HOST, authority, server_identity

from connectors.actes.settings import Mailbox
from connectors.actes.simulated_mailbox import PostOffice
from tests.conftest import free_port
from tests.waiting import wait_until

DOVECOT = "/usr/sbin/dovecot"
USER, PASSWORD = "tdt@tdt.test", 'p"\\ss: sécret'
ABILITIES = {"dovecot": "", "dovecot-without-move": "IMAP4rev1 UIDPLUS AUTH=PLAIN", "dovecot-bare": "IMAP4rev1"}


@dataclass(frozen=True)
class Box:
    """A mailbox to be tried.

    Attributes:
        expunges: whether the server can take one mail alone away.
    """

    settings: Mailbox
    expunges: bool = True

    @contextmanager
    def by_hand(self, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Another client of the same mailbox, which has opened a folder."""
        context = ssl.create_default_context(cadata=self.settings.tls.authorities)
        connection = imaplib.IMAP4_SSL(self.settings.host, self.settings.port, ssl_context=context, timeout=30)
        secret = self.settings.password.get_secret_value()
        connection.authenticate("PLAIN", lambda _: f"\0{self.settings.user}\0{secret}".encode())
        connection.select(f'"{folder}"')
        yield connection
        connection.logout()

    def put(self, octets: bytes) -> None:
        with self.by_hand() as connection:
            assert connection.append("INBOX", "", "", octets)[0] == "OK"

    def subjects(self, folder: str = "INBOX") -> list[str]:
        """Subjects of the mails of a folder that are not marked as deleted, oldest first; empty when there is no folder."""
        with self.by_hand(folder) as connection:
            if connection.state != "SELECTED":
                return []
            found = []
            for number in connection.search(None, "UNDELETED")[1][0].split():
                answer: Any = connection.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                found.append(answer[0][1].decode().partition(":")[2].strip())
            return found


@contextmanager
def post_office(folder: Path, **changes: Any) -> Iterator[Box]:
    with PostOffice(folder, accounts={USER: PASSWORD}) as office:
        yield Box(office.settings_for(USER, **changes))


@contextmanager
def dovecot(kind: str, **changes: Any) -> Iterator[Box]:
    """A private Dovecot."""
    if not Path(DOVECOT).exists():
        pytest.skip("no Dovecot: install the package dovecot-imapd")
    if os.geteuid() != 0:
        pytest.skip("Dovecot changes users, which takes root")
    # Not where tests usually write: that place is closed to Dovecot's own users.
    folder = Path(tempfile.mkdtemp(prefix="tabellion-dovecot-"))
    folder.chmod(0o755)
    plain, implicit = free_port(), free_port()
    pem = folder / "server.pem"
    server_identity().kept(pem)
    mail = folder / "mail"
    mail.mkdir()
    shutil.chown(mail, "nobody", "nogroup")
    users = folder / "users"
    users.write_text(f"{USER}:{{PLAIN.b64}}{base64.b64encode(PASSWORD.encode()).decode()}\n", encoding="utf-8")
    users.chmod(0o644)
    configuration = folder / "dovecot.conf"
    configuration.write_text(_configuration(folder, pem, plain, implicit, ABILITIES[kind]), encoding="utf-8")
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(configuration)])
    given = {"host": HOST, "port": implicit, "user": USER, "password": PASSWORD, "tls": {"authorities": authority().pem}}
    starttls = changes.get("encryption") == "starttls"
    try:
        box = Box(Mailbox.model_validate(given), expunges=kind != "dovecot-bare")
        wait_until(lambda: _answers(box), seen=lambda: (folder / "log").read_text() if (folder / "log").exists() else "")
        yield Box(Mailbox.model_validate(given | ({"port": plain} if starttls else {}) | changes), box.expunges)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def _answers(box: Box) -> bool:
    try:
        with box.by_hand() as connection:
            return connection.state == "SELECTED"
    except (OSError, imaplib.IMAP4.error):
        return False


def _configuration(folder: Path, pem: Path, plain: int, implicit: int, abilities: str) -> str:
    return f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = {HOST}
ssl = required
ssl_cert = <{pem}
ssl_key = <{pem}
mail_location = maildir:{folder}/mail/%u
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
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {implicit}
    ssl = yes
  }}
}}
"""
