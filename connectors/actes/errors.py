"""Every way in which an exchange with the ministry can fail, as one tree.

The mailbox of its answers has its own (``connectors.mailbox.errors``).

Whether an archive was delivered is what matters most, and each error about a deposit says it: *nothing was delivered*, or
*not known*.

core.errors.Unavailable
├── PlatformUnreachable     no connection, or cut off before the last octets: nothing was delivered, try again later
└── PlatformBusy            HTTP 408, 425, 429, 503: nothing was delivered, try again later
core.errors.NeedsOperator
├── DeliveryUnknown         cut off once the last octets began to leave: not known whether it was delivered
│   └── PlatformFailed      HTTP 5xx after the archive: not known either
├── ServerNotTrusted        the server is not the one it should be: nothing was delivered, not even a header
├── CertificateRefused      the platform refuses the operator's certificate: nothing was delivered
├── AccessRefused           HTTP 401, 403: nothing was delivered
├── DepositRefused          another HTTP 4xx: nothing was delivered
└── ArchiveTooLarge         beyond the operator's limit: nothing was delivered
core.errors.Misconfigured
└── AddressWrong            nothing that takes archives stands at the configured address: nothing was delivered
"""

from __future__ import annotations

from core.errors import Misconfigured, NeedsOperator, TabellionError, Unavailable


class Answered(TabellionError):
    """The platform answered, and not that it took the archive.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class PlatformUnreachable(Unavailable):
    """No connection could be made, or it broke before the archive was whole: nothing was delivered, it is worth trying again."""


class PlatformBusy(Answered, Unavailable):
    """The platform says that it cannot now: nothing was delivered, it is worth trying again."""


class DeliveryUnknown(NeedsOperator):
    """The exchange was cut off once the last octets began to leave: nobody here knows whether it was delivered.

    The ministry's answer, or its silence, will tell; sending again may deliver twice.
    """


class PlatformFailed(Answered, DeliveryUnknown):
    """The platform failed after it took the archive in: nobody here knows whether it was kept."""


class ServerNotTrusted(NeedsOperator):
    """The server's certificate is not the pinned one, not for its name, or of no known authority: nothing was sent to it."""


class CertificateRefused(NeedsOperator):
    """The platform refuses the operator's certificate, or asks for one: nothing was delivered."""


class AccessRefused(Answered, NeedsOperator):
    """The platform refuses the operator: nothing was delivered."""


class DepositRefused(Answered, NeedsOperator):
    """The platform refuses the request: nothing was delivered."""


class AddressWrong(Answered, Misconfigured):
    """Nothing that takes archives stands at the configured address: nothing was delivered."""


class ArchiveTooLarge(NeedsOperator):
    """An archive is larger than the operator's limit, which nobody else can raise: nothing was delivered."""
