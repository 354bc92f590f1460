"""A connection to a mail server: encrypted where the server offers it, its certificate verified, no password in clear."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

from connectors.mail.errors import (
    AddressRefused,
    Answered,
    CertificateRefused,
    LoginRefused,
    MailUnavailable,
    MessageRefused,
)
from connectors.mail.settings import MailServer
from core.messages import Catalogue

_messages = Catalogue("connectors.mail")
FOR_GOOD = 500
_LONGEST = 500
_REFUSED = {AddressRefused: "refused.address", MessageRefused: "refused.message"}


@contextmanager
def connected(server: MailServer, tls: ssl.SSLContext | None = None) -> Iterator[smtplib.SMTP]:
    """Connect to a server, and log in where it asks for it, for the time of the block.

    Args:
        server: which, and how.
        tls: whose certificates are believed; those of the machine when none is given.

    Raises:
        MailUnavailable: it does not answer.
        CertificateRefused: its certificate is not trusted.
        LoginRefused: it refuses the login; or the login would have to travel in clear, and was not sent.
    """
    connection = connect(server, tls)
    try:
        yield connection
    finally:
        leave(connection)


def connect(server: MailServer, tls: ssl.SSLContext | None = None) -> smtplib.SMTP:
    """Open a connection, to be closed by ``leave``; otherwise as ``connected``."""
    believed = tls or ssl.create_default_context()
    try:
        return _opened(server, believed)
    except ssl.SSLCertVerificationError as error:
        raise CertificateRefused(_messages("certificate", host=server.host, reason=error.verify_message)) from error
    except smtplib.SMTPAuthenticationError as error:
        raise LoginRefused(_messages("login", host=server.host, code=error.smtp_code)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise silent(server.host, error) from error


def leave(connection: smtplib.SMTP) -> None:
    """Take leave of a server, and close; one that has gone is left as it is."""
    with suppress(smtplib.SMTPException, OSError):
        connection.quit()
    connection.close()


def silent(host: str, error: Exception, *, begun: bool = False) -> MailUnavailable:
    """Return what is said of a server that does not answer, hangs up, or does not let a conversation begin."""
    code, text = answer_of(error)
    told = _messages("later", host=host, code=code) if code else _messages("silent", host=host, reason=type(error).__name__)
    return MailUnavailable(told, code, text, begun=begun)


def refusal(kind: type[AddressRefused | MessageRefused], host: str, code: int, text: bytes | str) -> Answered:
    """Return what is said of an answer that is no consent: of the given kind when it is for good, else to be tried again.

    Args:
        kind: what was asked.
        host: of the server.
        code: of its answer.
        text: its words.
    """
    shown = on_one_line(text)
    if code < FOR_GOOD:
        return MailUnavailable(_messages("later", host=host, code=code), code, shown)
    return kind(_messages(_REFUSED[kind], host=host, code=code), code, shown)


def answer_of(error: Exception) -> tuple[int, str]:
    """Return the code and the words of a server that stand in an error, or nothing."""
    code, text = getattr(error, "smtp_code", 0), getattr(error, "smtp_error", b"")
    return (code, on_one_line(text)) if isinstance(code, int) and code > 0 else (0, "")


def on_one_line(text: bytes | str) -> str:
    """Return the words of a server, of any length and on any number of lines, as one line."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(one if one.isprintable() else " " for one in shown).split())[:_LONGEST]


def _opened(server: MailServer, tls: ssl.SSLContext) -> smtplib.SMTP:
    connection: smtplib.SMTP = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=server.connect_timeout, context=tls)
        if server.encrypted
        else smtplib.SMTP(server.host, server.port, timeout=server.connect_timeout)
    )
    try:
        if connection.sock is not None:
            connection.sock.settimeout(server.answer_timeout)
            # The final dot leaves at once: otherwise it waits for the acknowledgement of the message, 40 ms each.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.ehlo_or_helo_if_needed()
        if not server.encrypted and connection.has_extn("starttls"):
            connection.starttls(context=tls)
            connection.ehlo()
        _log_in(connection, server)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_in(connection: smtplib.SMTP, server: MailServer) -> None:
    if server.login is None:
        return
    if not (isinstance(connection.sock, ssl.SSLSocket) or _is_this_machine(server.host)):
        raise LoginRefused(_messages("clear", host=server.host))
    name, password = server.login
    connection.login(name, password.get_secret_value())


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
