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

from core.errors import NeedsOperator, TabellionError, Unavailable, UsageError


class Answered(TabellionError):
    """What a server said when it did not take a message.

    Attributes:
        code: of its answer (RFC 5321, 4.2); zero when it gave none.
        text: its words, on one line; empty when it gave none.
    """

    def __init__(self, message: str, code: int = 0, text: str = "") -> None:
        super().__init__(message)
        self.code, self.text = code, text


class MailUnavailable(Answered, Unavailable):
    """The server does not answer, hangs up, or asks to come back later.

    Attributes:
        begun: the message may have been taken: its last octets had begun to leave. Otherwise it was certainly not.
    """

    def __init__(self, message: str, code: int = 0, text: str = "", *, begun: bool = False) -> None:
        super().__init__(message, code, text)
        self.begun = begun


class CertificateRefused(NeedsOperator):
    """The server's certificate is not trusted."""


class LoginRefused(NeedsOperator):
    """The server refuses the name or the password, or the connection is not encrypted."""


class MessageRefused(Answered, NeedsOperator):
    """The server refuses the sender or the message, for good."""


class AddressRefused(Answered, UsageError):
    """The server refuses the recipient, for good."""
