"""Every way in which handing something to a finance software can fail, as one tree.

core.errors.Unavailable
├── FinanceUnavailable      network, timeout, full disk, the software cannot now: try again later
└── UploadIncomplete        the server kept another number of octets than were sent: upload again
core.errors.NeedsOperator
├── HostKeyChanged          the server shows another key than the pinned one: nothing was sent
├── CertificateRefused      the server's certificate is not one that is trusted: nothing was sent
├── AccessRefused           account, password or key refused, or no right in the directory
├── RequestRefused          the software refuses what it was sent
└── AnswerUnreadable        what it answers is none of the answers that are known
core.errors.Misconfigured
└── PlaceMissing            a configured directory does not exist, or leads elsewhere
core.errors.Conflict
├── NameTaken               a file stands under the name of a delivery already; it is left alone
└── TemporaryMissing        nothing to publish: it was published already, or never uploaded

An address that the operator does not permit is ``core.addresses.AddressRefused``.
"""

from __future__ import annotations

from core.errors import Conflict, Misconfigured, NeedsOperator, Unavailable


class FinanceUnavailable(Unavailable):
    """The software, or the place where it fetches, does not answer: worth trying again."""


class UploadIncomplete(Unavailable):
    """The temporary file has not the size of what was sent: it has to be uploaded again."""


class HostKeyChanged(NeedsOperator):
    """The server shows another host key than the pinned one: nothing was sent, not even a user name."""


class CertificateRefused(NeedsOperator):
    """The server shows a certificate that is not trusted: nothing was sent to it."""


class AccessRefused(NeedsOperator):
    """The account is refused, or may not do this in the directory."""


class RequestRefused(NeedsOperator):
    """The software refuses what it was sent; a repeat would be refused again."""


class AnswerUnreadable(NeedsOperator):
    """What the software answers is none of the answers that are known: it is left where it is."""


class PlaceMissing(Misconfigured):
    """A configured directory does not exist, or is a link that leads elsewhere."""


class NameTaken(Conflict):
    """A file stands under the name of a delivery: it was not overwritten."""


class TemporaryMissing(Conflict):
    """There is no temporary file to publish: whoever recorded that it was about to publish it knows that this took place."""
