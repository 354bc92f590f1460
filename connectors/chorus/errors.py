"""Every way in which an exchange with Chorus Pro can fail, as one tree.

core.errors.UsageError
└── StatusUnsendable        a change of status that Chorus Pro never takes
core.errors.Unavailable
└── ChorusUnavailable       network, time-out, half an answer, a fault of the server: try again later
    └── QuotaReached        too many calls for the PISTE application: try again after ``seconds``
core.errors.NeedsOperator
├── CertificateRefused      the server's certificate is not one that is trusted: nothing was sent
├── AccountRefused          the technical account, its rights or the subscription of the API: ``denial`` says which
├── AnswerUnreadable        an answer that is none of the service
├── AnswerTooLarge          an answer beyond the limit: 413, or more octets than are read
└── ChorusRefused           Chorus Pro refuses what it was asked: ``service``, ``code``, ``wording``
core.errors.Misconfigured
├── ApplicationRefused      PISTE refuses the application: its identifier, its secret or its scope
├── EnvironmentMixed        an account of one environment with an application of another
└── AddressWrong            nothing of the service stands at the configured address
"""

from __future__ import annotations

from enum import StrEnum

from core.errors import Misconfigured, NeedsOperator, Unavailable, UsageError


class Denial(StrEnum):
    """Why access is refused, as far as the answer tells."""

    CREDENTIALS = "credentials"
    """401 with a token that is fresh: most often the password of the technical account."""
    SUBSCRIPTION = "subscription"
    """403 and an empty object: the application did not subscribe to this API, or the path is not routed."""
    RIGHTS = "rights"
    """403 and our own request: the path is known, the account or the *raccordement* lacks the right."""
    ACCOUNT = "account"
    """403 and anything else: the technical account is not known, or no longer."""


class StatusUnsendable(UsageError):
    """The change of status asked for is one that Chorus Pro never takes: nothing was sent."""


class ChorusUnavailable(Unavailable):
    """Chorus Pro does not answer, answers by half, or says that it cannot now: worth trying again."""


class QuotaReached(ChorusUnavailable):
    """Too many calls for the PISTE application.

    Attributes:
        seconds: before another call has a chance.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class CertificateRefused(NeedsOperator):
    """The server shows a certificate that is not trusted: nothing was sent to it."""


class AccountRefused(NeedsOperator):
    """The technical account is refused, or lacks a right.

    Attributes:
        denial: what the answer tells of the cause.
    """

    def __init__(self, message: str, denial: Denial) -> None:
        super().__init__(message)
        self.denial = denial


class AnswerUnreadable(NeedsOperator):
    """What the server answered is no answer of the service: another version, or something in between."""


class AnswerTooLarge(NeedsOperator):
    """What was asked for is beyond the limit of Chorus Pro (413), or beyond what is read here."""


class ChorusRefused(NeedsOperator):
    """Chorus Pro refuses what it was asked, in its own words.

    Codes are used anew by each service: none means anything without it.

    Attributes:
        service: path of the service, below ``/cpro``.
        code: its ``codeRetour``.
        wording: its ``libelle``, such as ``GDP_MSG_11.005``.
    """

    def __init__(self, message: str, service: str, code: int, wording: str) -> None:
        super().__init__(message)
        self.service, self.code, self.wording = service, code, wording


class ApplicationRefused(Misconfigured):
    """PISTE gives no token to the application."""


class EnvironmentMixed(Misconfigured):
    """The technical account is of one environment, the application of another."""


class AddressWrong(Misconfigured):
    """Nothing of the service stands at the configured address."""
