"""A connection to a mailbox's server: encrypted, and the server recognised, before a name or a password leaves."""

from __future__ import annotations

import imaplib
import ssl
from contextlib import suppress

from connectors.mailbox import errors
from connectors.mailbox.settings import Mailbox, MailEncryption
from connectors.mailbox.tls import pin_holds, tls_context
from core.messages import Catalogue

_messages = Catalogue("connectors.mailbox")
FAULTS = (imaplib.IMAP4.error, OSError)


def connect(settings: Mailbox) -> imaplib.IMAP4:
    """Open a connection on which nothing secret was said yet.

    Raises:
        MailboxUnavailable: the server does not answer.
        MailboxNotTrusted: its certificate is not trusted, or not the pinned one.
        Misconfigured: the TLS profile cannot be used here.
    """
    place = f"{settings.host}:{settings.port}"
    context = tls_context(settings.tls)
    connection: imaplib.IMAP4 | None = None
    try:
        if settings.encryption is MailEncryption.IMPLICIT:
            connection = imaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=context, timeout=settings.connect_timeout)
        else:
            connection = imaplib.IMAP4(settings.host, settings.port, timeout=settings.connect_timeout)
            connection.starttls(context)
        _require_pin(settings, connection)
        connection.sock.settimeout(settings.answer_timeout)
    except BaseException as error:
        if connection is not None:
            with suppress(*FAULTS):
                connection.shutdown()
        if isinstance(error, ssl.SSLCertVerificationError):
            told = _messages("mailbox.certificate", place=place, reason=error.verify_message)
            raise errors.MailboxNotTrusted(told) from error
        if isinstance(error, FAULTS):
            raise unavailable(settings, error) from error
        raise
    return connection


def _require_pin(settings: Mailbox, connection: imaplib.IMAP4) -> None:
    if not isinstance(connection.sock, ssl.SSLSocket) or not pin_holds(settings.tls, connection.sock):
        raise errors.MailboxNotTrusted(_messages("mailbox.pin", place=f"{settings.host}:{settings.port}"))


def unavailable(settings: Mailbox, error: BaseException) -> errors.MailboxUnavailable:
    """Return what is said of a server that does not answer, or hangs up."""
    place = f"{settings.host}:{settings.port}"
    return errors.MailboxUnavailable(_messages("mailbox.unavailable", place=place, reason=type(error).__name__))
