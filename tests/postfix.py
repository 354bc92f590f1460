"""A private Postfix and a Dovecot over its Maildirs: mail that leaves, arrives, bounces and comes back, on this machine only."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import smtplib
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from connectors.actes.simulated_certificates import TlsAuthority
from connectors.mailbox.settings import Mailbox, TlsProfile
from tests.conftest import free_port
from tests.dovecot import HOST, dovecot, open_folder
from tests.waiting import wait_until

POSTFIX = "/usr/sbin/postfix"
MASTER = Path("/usr/lib/postfix/sbin/master")
RETURNS = "retour@mairie.test"
PASSWORD = "p4ss: des/retours"
KNOWN = (
    RETURNS,
    "secretariat@mairie.test",
    "camille.aubert@elus.test",
    "dominique.marchal@elus.test",
    "sacha.perrin@elus.test",
    "élodie.noël@elus.test",
)
"""Who has a mailbox; anybody else of ``mairie.test`` and ``elus.test`` is unknown: their mail comes back some moments later."""
DEFERRED = "attente.test"
"""A domain whose mail waits: a delayed report comes back within a second or two."""
ANSWERS = {
    "later.rcpt@elus.test": "450 4.2.0 Revenez plus tard",
    "relay.rcpt@elus.test": "554 5.7.1 Relay access denied",
}
"""What is answered to RCPT for some addresses, at each door."""
LAST_ANSWERS = {
    "later.end@elus.test": "451 4.3.0 Plus de place",
    "never.end@elus.test": "554 5.7.1 Contenu refuse",
}
"""What is answered to the last octets of a message to some addresses."""

_PRIVATE = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class PostOffice:
    """Three doors to one Postfix, and the mailbox of returns by IMAP.

    Attributes:
        smtp_url: door in clear; takes anybody's address, bounces come back later.
        strict_url: refuses unknown addresses at RCPT.
        old_url: knows neither delivery reports nor letters beyond ASCII.
        tls_url: offers STARTTLS; its certificate is for ``authority``.
        authority: the one to believe; ``authority_file`` its certificate, for SSL_CERT_FILE.
        fingerprint: SHA-256, in hexadecimal, of the certificate of the servers.
        return_address: what ``TABELLION_MAIL_RETURN_ADDRESS`` would be.
        returns_url: what ``TABELLION_MAIL_RETURNS`` would be.

    Example:
        >>> with PostOffice() as office:
        ...     settings = Settings(smtp_url=office.smtp_url, mail_returns=office.returns_url, …)
    """

    def __init__(self) -> None:
        if not Path(POSTFIX).exists():
            pytest.skip("no Postfix: install the package postfix")
        if os.geteuid() != 0:
            pytest.skip("Postfix changes users, which takes root")
        self._folder = open_folder("postfix")
        self._mail = self._folder / "mail"
        self._ports = {door: free_port() for door in ("plain", "strict", "old", "tls")}
        self._held = ExitStack()
        self.return_address = RETURNS
        self.authority = TlsAuthority.create()
        self.authority_file = self._folder / "authority.pem"
        self.smtp_url, self.strict_url, self.old_url, self.tls_url = (
            SecretStr(f"smtp://{HOST}:{port}") for port in self._ports.values()
        )
        self.returns_url = SecretStr("")
        self.fingerprint = ""

    def __enter__(self) -> Self:
        """Start both servers."""
        identity = self.authority.server(HOST, "localhost")
        self.fingerprint = identity.fingerprint
        self.authority_file.write_text(self.authority.pem, encoding="ascii")
        identity.kept(self._folder / "server.pem")
        self._lay_out()
        process = subprocess.Popen([MASTER, "-c", self._folder / "conf", "-d"], start_new_session=True)  # its children with it
        self._held.callback(self._stopped, process)
        ports = self._held.enter_context(dovecot({RETURNS: PASSWORD}, identity, mail=self._mail))
        self.returns_url = SecretStr(f"imaps://{quote(RETURNS)}:{quote(PASSWORD, safe='')}@{HOST}:{ports.implicit}/INBOX")
        wait_until(self._answers, seen=self.log)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, and take everything away."""
        self._held.close()

    def returns(self) -> Mailbox:
        """Return the settings of the mailbox of returns, its authority believed."""
        tls = TlsProfile(authorities=self.authority.pem)
        return Mailbox.of(self.returns_url).model_copy(update={"tls": tls})

    def mails_of(self, address: str) -> list[bytes]:
        """Return the messages in a mailbox, oldest first, whether somebody has seen them or not."""
        box = self._mail / address
        found = [one for part in ("new", "cur") for one in (box / part).glob("*")]
        return [one.read_bytes() for one in sorted(found, key=lambda one: one.stat().st_mtime_ns)]

    def returned(self, envelope: str) -> list[bytes]:
        """Return what came back for one return path, oldest first."""
        mark = f"retour+{envelope}@mairie.test".encode()
        return [one for one in self.mails_of(RETURNS) if mark in one]

    def deliver(self, message: bytes, recipient: str, sender: str = "") -> None:
        """Bring a message in as a stranger's server does."""
        with smtplib.SMTP(HOST, self._ports["plain"], timeout=30) as connection:
            connection.sendmail(sender, [recipient], message)

    def log(self) -> str:
        """Return what Postfix has to say."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _answers(self) -> bool:
        try:
            with smtplib.SMTP(HOST, self._ports["plain"], timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def _stopped(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(20)
        shutil.rmtree(self._folder)

    def _lay_out(self) -> None:
        for name in ("conf", "queue", "data", "mail"):
            (self._folder / name).mkdir()
        for name in _PRIVATE:
            (self._folder / "queue" / name).mkdir(mode=0o700)
            shutil.chown(self._folder / "queue" / name, "postfix")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (self._folder / "queue" / name).mkdir()
            shutil.chown(self._folder / "queue" / name, "postfix", "postdrop")
            (self._folder / "queue" / name).chmod(mode)
        (self._folder / "queue" / "pid").mkdir(mode=0o755)
        shutil.chown(self._folder / "data", "postfix")
        shutil.chown(self._mail, "nobody", "nogroup")
        conf = self._folder / "conf"
        (conf / "mailboxes").write_text("".join(f"{one} {one}/\n" for one in (*KNOWN, *LAST_ANSWERS)), encoding="utf-8")
        (conf / "transports").write_text(f"{DEFERRED} retry:4.2.2 Boite pleine\n", encoding="ascii")
        for name, answers in (("answers", ANSWERS), ("last-answers", LAST_ANSWERS)):
            (conf / name).write_text("".join(f"{one} {answer}\n" for one, answer in answers.items()), encoding="ascii")
        (conf / "main.cf").write_text(_main(self._folder), encoding="ascii")
        (conf / "master.cf").write_text(_services(self._folder, self._ports), encoding="ascii")


def _main(folder: Path) -> str:
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": f"{folder}/queue",
        "data_directory": f"{folder}/data",
        "maillog_file": f"{folder}/log",
        "maillog_file_prefixes": str(folder),
        "inet_interfaces": HOST,
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "myhostname": "mx.mairie.test",
        "mydestination": "",
        "alias_maps": "",
        "virtual_mailbox_domains": "mairie.test elus.test",
        "virtual_mailbox_base": f"{folder}/mail",
        "virtual_mailbox_maps": f"texthash:{folder}/conf/mailboxes",
        "virtual_uid_maps": f"static:{pwd.getpwnam('nobody').pw_uid}",
        "virtual_gid_maps": f"static:{grp.getgrnam('nogroup').gr_gid}",
        "recipient_delimiter": "+",
        "transport_maps": f"texthash:{folder}/conf/transports",
        "default_transport": "error:5.1.2 Domaine inconnu",
        "smtpd_reject_unlisted_recipient": "no",
        "smtpd_recipient_restrictions": f"check_recipient_access texthash:{folder}/conf/answers, permit_mynetworks, reject",
        "smtpd_end_of_data_restrictions": f"check_recipient_access texthash:{folder}/conf/last-answers",
        "smtpd_client_connection_rate_limit": "0",
        "delay_warning_time": "1s",
        "queue_run_delay": "1s",
        "minimal_backoff_time": "1s",
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _services(folder: Path, ports: dict[str, int]) -> str:
    return f"""
{HOST}:{ports["plain"]} inet n - n - - smtpd
{HOST}:{ports["strict"]} inet n - n - - smtpd -o smtpd_reject_unlisted_recipient=yes
{HOST}:{ports["old"]} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=dsn,smtputf8,8bitmime,size
{HOST}:{ports["tls"]} inet n - n - - smtpd -o smtpd_tls_security_level=may
    -o smtpd_tls_cert_file={folder}/server.pem -o smtpd_tls_key_file={folder}/server.pem
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
