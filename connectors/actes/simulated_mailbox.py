"""A post office for demonstrations and tests: mail comes in by SMTP, is kept, and is read by IMAP over TLS.

It stands where the operator's own mail server stands in production, and needs neither root nor another program. Whoever has no
account here is sent nothing: such mail is dropped, and reported to a sender who has an account (RFC 3464). What is written to
``name+anything`` arrives at ``name`` (RFC 5233).
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope

from connectors.actes.settings import Mailbox
from connectors.actes.simulated_certificates import Identity, TlsAuthority
from connectors.actes.simulated_imap import ImapServer
from connectors.actes.simulated_mails import INBOX, MailStore
from core.errors import NotFound

_LARGEST = 256 * 1024 * 1024
_REPORT = """From: MAILER-DAEMON@tabellion.test
To: {sender}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain; charset=utf-8

There is no mailbox here for {address}.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; tabellion.test

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--report--
"""


class PostOffice:
    """SMTP in, IMAP out; everything it keeps is in one folder and survives.

    Example:
        >>> with PostOffice(folder, accounts={"tdt@tdt.test": "secret"}) as office:
        ...     settings = office.settings_for("tdt@tdt.test")
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Mapping[str, str],
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        imap_port: int = 0,
    ) -> None:
        """Prepare the folder; nothing is answered before ``start``.

        Args:
            folder: all that the office keeps; made when absent.
            accounts: password by address.
            host: address to listen on.
            smtp_port: of SMTP; zero for a free one.
            imap_port: of IMAP; zero for a free one.
        """
        self.host = host
        self._accounts = dict(accounts)
        self._authority = TlsAuthority.open(folder / "tls")
        self._store = MailStore(folder)
        for address in self._accounts:
            self._store.create(address, INBOX)
        self.authority_file = folder / "authority.pem"
        self.authority_file.write_text(self._authority.pem, encoding="ascii")
        tls = Identity.open(folder / "tls" / "server.pem", lambda: self._authority.server(host, "localhost")).serving()
        self._imap = ImapServer(self._store, self._accounts, tls, host, imap_port)
        self._smtp = _Reception(self._store, frozenset(self._accounts), host, smtp_port)

    @property
    def smtp_port(self) -> int:
        """Port that mail comes in by."""
        return self._smtp.port

    def start(self) -> None:
        """Listen."""
        self._imap.start()
        self._smtp.start()

    def stop(self) -> None:
        """Listen no more, cut every connection, and let go of the folder."""
        self._smtp.stop()
        self._imap.stop()
        self._store.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def put(self, address: str, octets: bytes) -> None:
        """Lay a mail down in a mailbox, as if it had come in.

        Raises:
            NotFound: there is no such account.
        """
        if address not in self._accounts:
            raise NotFound(address)
        self._store.add(address, INBOX, octets)

    def mails_of(self, address: str) -> list[bytes]:
        """Return the mails that arrived for somebody and were left there, oldest first."""
        return [kept.file.read_bytes() for kept in self._store.mails(address, INBOX)]

    def settings_for(self, address: str, **changes: Any) -> Mailbox:
        """Return the settings with which our side reads a mailbox.

        Raises:
            NotFound: there is no such account.
        """
        if address not in self._accounts:
            raise NotFound(address)
        given = {
            "host": self.host,
            "port": self._imap.port,
            "user": address,
            "password": self._accounts[address],
            "tls": {"authorities": self._authority.pem},
        }
        return Mailbox.model_validate(given | changes)


class _Reception:
    """The SMTP side, with a loop and a thread of its own."""

    def __init__(self, store: MailStore, accounts: frozenset[str], host: str, port: int) -> None:
        self._store, self._accounts, self._host, self.port = store, accounts, host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="simulated-smtp", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._listening = threading.Event()
        self._fault: OSError | None = None

    def start(self) -> None:
        """Listen; return once it does.

        Raises:
            OSError: the port is taken.
        """
        self._thread.start()
        self._listening.wait()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Close every connection."""
        if self._thread.is_alive() and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail before it is said to be taken, with ends of lines as mail has them."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        octets = re.sub(rb"\r?\n", b"\r\n", content)
        for address in dict.fromkeys(envelope.rcpt_tos):
            if (account := _account(address)) in self._accounts:
                await asyncio.to_thread(self._store.add, account, INBOX, octets)
            elif envelope.mail_from and (sender := _account(envelope.mail_from)) in self._accounts:
                await asyncio.to_thread(self._store.add, sender, INBOX, _report(envelope.mail_from, address))
        return "250 OK"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._serve())
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        except OSError as error:
            self._fault = error
        left = asyncio.all_tasks(self._loop)
        for one in left:
            one.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()
        self._listening.set()

    async def _serve(self) -> None:
        server = await self._loop.create_server(lambda: SMTP(self, data_size_limit=_LARGEST), self._host, self.port)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listening.set()
        async with server:
            await server.serve_forever()


def _account(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _report(sender: str, address: str) -> bytes:
    """Return what tells a sender that there is nobody at an address."""
    return _REPORT.format(sender=sender, address=address).replace("\n", "\r\n").encode()
