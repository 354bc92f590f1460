"""Every way in which a remote service does not sign: see ``csc``."""

from __future__ import annotations

from core.errors import Misconfigured, NeedsOperator, Unavailable
from signing.keys.fitness import KeyRefused


class ServiceUnavailable(Unavailable):
    """The service does not answer, or says that it cannot now."""


class ServiceMisread(Misconfigured):
    """What answers is not the service that the settings describe."""


class AccessEnded(NeedsOperator):
    """The access token is refused."""


class ProofRefused(NeedsOperator):
    """A PIN, a one-time code or what it gave access to is wrong, missing or has run out."""


class ServiceRefused(NeedsOperator):
    """The service refuses, or gives what does not verify."""


class RemoteKeyRefused(KeyRefused):
    """The service says that this key does not sign."""
