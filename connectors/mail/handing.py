"""The hand-over of a tracked message to the mail server, and its evidence (RFC 5321; DSN, RFC 3461; SMTPUTF8, RFC 6531).

One message to one recipient at a time: each has its own return path and its own answer.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.mail.connecting import connect, leave, on_one_line, refusal, silent
from connectors.mail.errors import AddressRefused, MessageRefused
from connectors.mail.settings import MailServer
from core import clock
from core.messages import Catalogue
from schemas.mail.addresses import normal

_messages = Catalogue("connectors.mail")

_DONE, _LATER, _LEAVING = 250, 400, 421
_KINDS = {2, 4, 5}  # taken, refused for now, refused for good
_ABOUT_US = {503, 530, 535, 538}  # a login is missing, a parameter: the next recipient would be refused as well
_RELAY = re.compile(rb"\brelay", re.IGNORECASE)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_POINT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HandOver:
    """That a server answers for a message from now on (RFC 5321, 4.2.5).

    Attributes:
        host: name of the server, as it is set; ``port`` TCP.
        at: when its answer to the last octets was read.
        code: of this answer, 250; ``text`` its words, on one line: most servers tell the number under which they queued it.
        tls: version and ciphers, ``TLSv1.3 TLS_AES_256_GCM_SHA384``; empty when the connection was not encrypted.
        certificate: SHA-256, in hexadecimal, of the server's certificate; empty when the connection was not encrypted.
        dsn: delivery reports were asked for; a server that does not offer it sends failures only, in a form of its own.
    """

    host: str
    port: int
    at: datetime
    code: int
    text: str
    tls: str
    certificate: str
    dsn: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as a journal and a proof hold it: no float, the time as text."""
        return {
            "host": self.host,
            "port": self.port,
            "at": clock.iso(self.at),
            "code": self.code,
            "text": self.text,
            "tls": self.tls,
            "certificate": self.certificate,
            "dsn": self.dsn,
        }


class Handing:
    """An open connection to a server, for one thread at a time; see ``handing``."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext | None) -> None:
        self._server, self._tls = server, tls
        self._connection = connect(server, tls)
        self._fresh = True

    def leave(self) -> None:
        """Take leave of the server."""
        leave(self._connection)

    def hand_over(self, message: bytes, sender: str, recipient: str, envelope_id: str) -> HandOver:
        """Hand a message over to the server, which from then on answers for it; a connection that was lost since is made again.

        Args:
            message: its octets, which leave as they are: each line ends with CRLF.
            sender: return path, to which reports come back; see ``paths``.
            recipient: address; a domain beyond ASCII is written in A-labels.
            envelope_id: what reports name the message by (ENVID, RFC 3461, 4.4).

        Raises:
            AddressRefused: the server refuses the recipient, for good.
            MessageRefused: it refuses the sender or the message, for good, or to relay for us.
            MailUnavailable: it refuses for now, hangs up or is silent; ``begun`` tells whether it may have taken the message.
            CertificateRefused, LoginRefused: as ``handing``, when the connection had to be made again.
            ValueError: a line of the message ends otherwise.
        """
        octets = _transparent(message)
        begun = False
        connection = self._ready()
        try:
            dsn = self._announce(message, sender, _routed(recipient), envelope_id)
            connection.send(octets)
            begun = True  # before these three octets the server has nothing that it could take
            if connection.sock is not None:
                connection.sock.settimeout(self._server.last_timeout)
            connection.send(b".\r\n")
            code, text = connection.getreply()
            if code // 100 not in _KINDS:
                raise smtplib.SMTPServerDisconnected("no answer that the protocol knows")
        except (smtplib.SMTPException, OSError) as error:
            connection.close()
            raise silent(self._server.host, error, begun=begun) from error
        return self._taken(clock.now(), code, text, dsn)

    def _ready(self) -> smtplib.SMTP:
        """Have a connection on which nothing was said yet."""
        if not self._fresh:
            code = 0
            with suppress(smtplib.SMTPException, OSError):
                code, _ = self._connection.rset()
            if code != _DONE:
                self._connection.close()
                self._connection = connect(self._server, self._tls)
        self._fresh = False
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._server.answer_timeout)
        return self._connection

    def _announce(self, message: bytes, sender: str, recipient: str, envelope_id: str) -> bool:
        """Say who writes to whom, up to the consent to receive; return whether reports were asked for."""
        connection = self._connection
        head = message.partition(b"\r\n\r\n")[0]
        options, wishes = [f"SIZE={len(message)}"] if connection.has_extn("size") else [], []
        if not (sender.isascii() and recipient.isascii() and head.isascii()):
            self._require_utf8(recipient)
            options.append("SMTPUTF8")
        if not message.isascii() and connection.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        dsn = connection.has_extn("dsn")
        if dsn:
            options += ["RET=HDRS", f"ENVID={_xtext(envelope_id)}"]
            wishes = ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT={_original(recipient)}"]
        self._agreed(MessageRefused, *connection.mail(sender, options))
        code, text = connection.rcpt(recipient, wishes)
        self._agreed(MessageRefused if code in _ABOUT_US or _RELAY.search(text) else AddressRefused, code, text)
        self._agreed(MessageRefused, *connection.docmd("DATA"))
        return dsn

    def _require_utf8(self, recipient: str) -> None:
        if self._connection.has_extn("smtputf8"):
            return
        kind = MessageRefused if recipient.isascii() else AddressRefused
        raise kind(_messages("refused.letters", host=self._server.host))

    def _agreed(self, kind: type[AddressRefused | MessageRefused], code: int, text: bytes) -> None:
        if code <= 0 or code == _LEAVING:
            self._connection.close()
        if code <= 0:
            raise smtplib.SMTPServerDisconnected("no answer that the protocol knows")
        if code >= _LATER:
            raise refusal(kind, self._server.host, code, text)

    def _taken(self, at: datetime, code: int, text: bytes, dsn: bool) -> HandOver:
        if code >= _LATER:
            raise refusal(MessageRefused, self._server.host, code, text)
        tls, certificate = _evidence(self._connection.sock)
        return HandOver(self._server.host, self._server.port, at, code, on_one_line(text), tls, certificate, dsn)


@contextmanager
def handing(server: MailServer, tls: ssl.SSLContext | None = None) -> Iterator[Handing]:
    """Connect to a server for the time of the block.

    Args:
        server: which, and how.
        tls: whose certificates are believed; those of the machine when none is given.

    Raises:
        MailUnavailable: it does not answer.
        CertificateRefused: its certificate is not trusted.
        LoginRefused: it refuses the login; or the login would have to travel in clear, and was not sent.
    """
    opened = Handing(server, tls)
    try:
        yield opened
    finally:
        opened.leave()


def _transparent(message: bytes) -> bytes:
    """Return a message as it travels: whole lines, their first point doubled (RFC 5321, 4.5.2)."""
    if _BARE.search(message):
        raise ValueError("every line of a message ends with CRLF")
    return _POINT.sub(b"..", message if message.endswith(b"\r\n") else message + b"\r\n")


def _routed(recipient: str) -> str:
    """Return an address by which servers of any age find its domain."""
    local, at, _ = recipient.rpartition("@")
    return f"{local}{at}{normal(recipient).rpartition('@')[2]}"


def _original(recipient: str) -> str:
    """Return the recipient as reports shall name it (RFC 3461, 4.2; RFC 6533, 3)."""
    if recipient.isascii():
        return f"rfc822;{_xtext(recipient)}"
    return "utf-8;" + "".join(
        one if one.isascii() and _xtext(one) == one and one != "\\" else f"\\x{{{ord(one):02X}}}" for one in recipient
    )


def _xtext(text: str) -> str:
    """Return a text of which parameters may consist (RFC 3461, 4)."""
    return "".join(one if "!" <= one <= "~" and one not in "+=" else f"+{ord(one):02X}" for one in text)


def _evidence(connection: socket.socket | None) -> tuple[str, str]:
    if not isinstance(connection, ssl.SSLSocket):
        return "", ""
    cipher = connection.cipher()
    shown = connection.getpeercert(binary_form=True) or b""
    return f"{connection.version()} {cipher[0] if cipher else ''}".strip(), hashlib.sha256(shown).hexdigest()
