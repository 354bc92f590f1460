"""Our side of SMTP (RFC 5321): one connection for as many messages as there are.

When to send, repeat or give up is decided above. A message whose sending was cut short may have left: a repeat doubles it.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from ipaddress import ip_address
from typing import NoReturn

from connectors.mail.errors import AddressRefused, CertificateRefused, LoginRefused, MailUnavailable, MessageRefused
from connectors.mail.settings import MailServer
from core.messages import Catalogue

_messages = Catalogue("connectors.mail")
_FOR_GOOD = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """What a server made of the recipients of one message.

    Attributes:
        served: those whom it will reach.
        refused: those whom the server refuses for good, with its code.
        later: those for whom it asks to come back.
    """

    served: tuple[str, ...]
    refused: dict[str, int]
    later: tuple[str, ...]


class Mailer:
    """An open connection to a server; see ``mailer``."""

    def __init__(self, connection: smtplib.SMTP, host: str) -> None:
        self._connection, self._host = connection, host

    def send(self, message: EmailMessage) -> None:
        """Hand a message over to the server, which from then on answers for it.

        Args:
            message: to one recipient, its sender in ``From``.

        Raises:
            AddressRefused: the server knows no such recipient.
            MessageRefused: it refuses the sender or the message, for good.
            MailUnavailable: it refuses for now, or does not answer.
        """
        try:
            self._connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = set(error.recipients.values())
            self._refuse(AddressRefused, "address", code, error)
        except smtplib.SMTPNotSupportedError as error:  # letters beyond ASCII in an address, and a server of another age
            raise AddressRefused(_messages("refused.address", host=self._host, code="SMTPUTF8")) from error
        except smtplib.SMTPResponseException as error:
            self._refuse(MessageRefused, "message", error.smtp_code, error)
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(_messages("silent", host=self._host, reason=type(error).__name__)) from error

    def send_to(self, message: EmailMessage, recipients: Sequence[str]) -> Taken:
        """Hand a message over for several recipients at once; the server answers for each of them.

        Args:
            message: its sender in ``From``; whom its headers name is not looked at.
            recipients: addresses in ASCII, at least one.

        Raises:
            MessageRefused: it refuses the sender or the message, for good.
            MailUnavailable: it refuses for now, or does not answer; nobody was served, as far as is known.
        """
        try:
            answers = self._connection.send_message(message, to_addrs=list(recipients))
            served = tuple(one for one in recipients if one not in answers)
        except smtplib.SMTPRecipientsRefused as error:
            answers, served = error.recipients, ()
        except smtplib.SMTPResponseException as error:
            self._refuse(MessageRefused, "message", error.smtp_code, error)
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(_messages("silent", host=self._host, reason=type(error).__name__)) from error
        refused = {one: code for one, (code, _) in answers.items() if code >= _FOR_GOOD}
        return Taken(served, refused, tuple(one for one in recipients if one not in served and one not in refused))

    def _refuse(self, kind: type[AddressRefused | MessageRefused], key: str, code: int, error: Exception) -> NoReturn:
        # The connection is clean again for the next message: smtplib resets it after a refusal.
        if code < _FOR_GOOD:
            raise MailUnavailable(_messages("later", host=self._host, code=code)) from error
        raise kind(_messages(f"refused.{key}", host=self._host, code=code)) from error


@contextmanager
def mailer(server: MailServer, tls: ssl.SSLContext | None = None) -> Iterator[Mailer]:
    """Connect to a server for the time of the block.

    Args:
        server: which, and how.
        tls: whose certificates are believed; those of the machine when none is given.

    Raises:
        MailUnavailable: it does not answer.
        CertificateRefused: its certificate is not trusted.
        LoginRefused: it refuses the login; or the login would have to travel in clear, and was not sent.
    """
    believed = tls or ssl.create_default_context()
    try:
        connection = _connected(server, believed)
    except ssl.SSLCertVerificationError as error:
        raise CertificateRefused(_messages("certificate", host=server.host, reason=error.verify_message)) from error
    except smtplib.SMTPAuthenticationError as error:
        raise LoginRefused(_messages("login", host=server.host, code=error.smtp_code)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailUnavailable(_messages("silent", host=server.host, reason=type(error).__name__)) from error
    try:
        yield Mailer(connection, server.host)
    finally:
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
        connection.close()


def _connected(server: MailServer, tls: ssl.SSLContext) -> smtplib.SMTP:
    connection: smtplib.SMTP = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=server.connect_timeout, context=tls)
        if server.encrypted
        else smtplib.SMTP(server.host, server.port, timeout=server.connect_timeout)
    )
    try:
        if connection.sock is not None:
            connection.sock.settimeout(server.answer_timeout)
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
