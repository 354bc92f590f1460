"""Every way in which the reading of a mailbox can fail, as one tree.

core.errors.Unavailable
└── MailboxUnavailable      the mailbox's server does not answer, or hangs up: try again later
core.errors.NeedsOperator
├── MailboxNotTrusted       the mailbox's server is not the one it should be: no password was sent
├── MailboxRefused          user name, password or a folder refused
└── MailTooLarge            a mail beyond the limit was left where it is
core.errors.UnreadableInput
└── MailUnreadable          a mail whose structure cannot be read; its octets were kept
core.errors.NotFound
└── MailMissing             the mail is no longer in the mailbox, or the mailbox was made anew
"""

from __future__ import annotations

from pathlib import Path

from core.errors import NeedsOperator, NotFound, Unavailable, UnreadableInput


class MailboxUnavailable(Unavailable):
    """The mailbox's server does not answer, hangs up, or fails: it is worth trying again."""


class MailboxNotTrusted(NeedsOperator):
    """The certificate of the mailbox's server is not one that is trusted: no password was sent."""


class MailboxRefused(NeedsOperator):
    """The mailbox's server refuses the account, or what was asked of it."""


class MailTooLarge(NeedsOperator):
    """A mail is larger than the limit: it was left where it is.

    Attributes:
        size: of the mail, in bytes.
    """

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class MailUnreadable(UnreadableInput):
    """The structure of a mail cannot be read.

    Attributes:
        raw: the file of its octets, kept.
    """

    def __init__(self, message: str, raw: Path) -> None:
        super().__init__(message)
        self.raw = raw


class MailMissing(NotFound):
    """The mail is no longer there, or its number means another one since the mailbox was made anew."""
