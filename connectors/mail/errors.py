"""Every way in which a message can fail to leave, as one tree.

core.errors.Unavailable
└── MailUnavailable         network, time-out, a temporary refusal: try again later
core.errors.NeedsOperator
├── CertificateRefused      the server's certificate is not trusted: nothing was said to it
├── LoginRefused            name or password refused, or the connection is not encrypted: no password was sent
└── MessageRefused          the server takes no message from this sender, or not this one
core.errors.UsageError
└── AddressRefused          the server knows no such recipient; the others may still be written to
"""

from __future__ import annotations

from core.errors import NeedsOperator, Unavailable, UsageError


class MailUnavailable(Unavailable):
    """The server does not answer, hangs up, or asks to come back later."""


class CertificateRefused(NeedsOperator):
    """The server's certificate is not trusted."""


class LoginRefused(NeedsOperator):
    """The server refuses the name or the password, or the connection is not encrypted."""


class MessageRefused(NeedsOperator):
    """The server refuses the sender or the message, for good."""


class AddressRefused(UsageError):
    """The server refuses the recipient, for good."""
