"""Every way in which an exchange with the DGFiP's gateway can fail, as one tree.

core.errors.Unavailable
├── GatewayUnavailable      network, timeout, disconnection, full disk: try again later
├── TemporaryIncomplete     the temporary file is shorter or longer than what was sent: upload again
└── ResponseUnsettled       a response changed while it was read: fetch again later
core.errors.NeedsOperator
├── HostKeyChanged          the server shows another key than the pinned one
├── AuthenticationRefused   user name, password or key refused
├── PermissionRefused       the account may not do this, or the gateway refuses the file's name
└── ResponseTooLarge        a response beyond the limit is left where it is
core.errors.Misconfigured
└── DirectoryMissing        a configured directory does not exist on the server
core.errors.Conflict
├── TemporaryMissing        nothing to publish: it was published already, or never uploaded
└── AlreadyPublished        a file stands under the final name; it is left alone
core.errors.NotFound
└── ResponseMissing         the response is no longer there
"""

from __future__ import annotations

from core.errors import Conflict, Misconfigured, NeedsOperator, NotFound, Unavailable


class GatewayUnavailable(Unavailable):
    """The gateway does not answer, hangs up or fails: worth trying again."""


class TemporaryIncomplete(Unavailable):
    """The temporary file has not the size of what was sent: it has to be uploaded again."""


class ResponseUnsettled(Unavailable):
    """A response changed while it was read: nothing was kept, it can be fetched again."""


class HostKeyChanged(NeedsOperator):
    """The server shows another host key than the pinned one: nothing was sent, not even a user name."""


class AuthenticationRefused(NeedsOperator):
    """The gateway refuses the account."""


class PermissionRefused(NeedsOperator):
    """The account may not do this, or the gateway refuses the file's name."""


class ResponseTooLarge(NeedsOperator):
    """A response is larger than the limit: it was not read."""


class DirectoryMissing(Misconfigured):
    """A configured directory does not exist on the server."""


class TemporaryMissing(Conflict):
    """There is no temporary file to publish.

    The rename of the only temporary file is what decides that a file was delivered: whoever recorded that it was about
    to publish an uploaded file, and then finds this, knows that the rename took place.
    """


class AlreadyPublished(Conflict):
    """A file stands under the final name already: it was not overwritten."""


class ResponseMissing(NotFound):
    """The response is no longer on the server."""
