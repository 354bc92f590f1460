"""Mailboxes on real IMAP servers: the post office of the demonstration, and Dovecot with more or fewer abilities."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actes_servers import HOST, authority, server_identity

from connectors.actes.settings import Mailbox
from connectors.actes.simulated_mailbox import PostOffice
from tests.dovecot import dovecot as private_dovecot

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
    with private_dovecot({USER: PASSWORD}, server_identity(), abilities=ABILITIES[kind]) as ports:
        port = ports.plain if changes.get("encryption") == "starttls" else ports.implicit
        given = {"host": HOST, "port": port, "user": USER, "password": PASSWORD, "tls": {"authorities": authority().pem}}
        yield Box(Mailbox.model_validate(given | changes), expunges=kind != "dovecot-bare")
