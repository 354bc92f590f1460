"""Our side of SMTP (RFC 5321): one connection for as many messages as there are.

When to send, repeat or give up is decided above. A message whose sending was cut short may have left: a repeat doubles it.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from connectors.mail.connecting import FOR_GOOD, connected, refusal, silent
from connectors.mail.errors import AddressRefused, MessageRefused
from connectors.mail.settings import MailServer
from core.messages import Catalogue

_messages = Catalogue("connectors.mail")


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
        # The connection is clean again for the next message: smtplib resets it after a refusal.
        try:
            self._connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, text),) = set(error.recipients.values())
            raise refusal(AddressRefused, self._host, code, text) from error
        except smtplib.SMTPNotSupportedError as error:  # letters beyond ASCII in an address, and a server of another age
            raise AddressRefused(_messages("refused.address", host=self._host, code="SMTPUTF8")) from error
        except smtplib.SMTPResponseException as error:
            raise refusal(MessageRefused, self._host, error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise silent(self._host, error) from error

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
            raise refusal(MessageRefused, self._host, error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise silent(self._host, error) from error
        refused = {one: code for one, (code, _) in answers.items() if code >= FOR_GOOD}
        return Taken(served, refused, tuple(one for one in recipients if one not in served and one not in refused))


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
    with connected(server, tls) as connection:
        yield Mailer(connection, server.host)
