"""Every way in which an exchange with an archive service outside can fail, as one tree.

core.errors.Unavailable
└── ServiceUnavailable      network, time-out, half an answer, a fault of the server: try again later; ``perhaps_taken``
core.errors.NeedsOperator
├── AccessRefused           account, client certificate or rights refused
├── CertificateRefused      the server's certificate is not one that is trusted: nothing was sent
├── TransferRefused         the service does not take the transfer: ``wording``
├── AnswerUnreadable        an answer that is none of the service
└── AnswerTooLarge          an answer beyond the limit was not read
core.errors.Misconfigured
└── AddressWrong            nothing of the service stands at the configured address

That something is not there yet is no failure: the clients say None. An address that the operator does not permit is
``core.addresses.AddressRefused``.
"""

from __future__ import annotations

from core.errors import Misconfigured, NeedsOperator, Unavailable


class ServiceUnavailable(Unavailable):
    """The service does not answer, answers by half, or says that it cannot now.

    Attributes:
        perhaps_taken: what was asked may have been done all the same; False when nothing left, or the server says that it cannot.
    """

    def __init__(self, message: str, *, perhaps_taken: bool) -> None:
        super().__init__(message)
        self.perhaps_taken = perhaps_taken


class AccessRefused(NeedsOperator):
    """The service refuses the account or the client certificate, or lets it do something else only."""


class CertificateRefused(NeedsOperator):
    """The server shows a certificate that is not trusted: nothing was sent to it."""


class TransferRefused(NeedsOperator):
    """The service does not take the transfer as it is.

    Attributes:
        wording: its own words.
    """

    def __init__(self, message: str, wording: str) -> None:
        super().__init__(message)
        self.wording = wording


class AnswerUnreadable(NeedsOperator):
    """What the server answered is no answer of the service: another version, or something in between."""


class AnswerTooLarge(NeedsOperator):
    """An answer is larger than the limit: it was not read to its end."""


class AddressWrong(Misconfigured):
    """Nothing of the service stands at the configured address."""
