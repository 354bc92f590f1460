"""Every way in which a signature may not take place. The message is a French sentence for the person at the screen.

AgentError
├── BadLink             the address that opened the agent is not one that it follows
├── Unreachable         the platform does not answer, or not as it should
├── Refused             the platform answers no, in its own words
├── NotWhatWasShown     what would be signed is not what was announced: nothing is
├── TokenProblem        module, token or key absent, or gone in the middle
│   ├── WrongPin        refused; the token says how near it is to locking itself
│   └── LockedPin       no more tries
└── Abandoned           by the person
"""

from __future__ import annotations


class AgentError(Exception):
    """No signature takes place, and the message says why."""


class BadLink(AgentError):
    """The address that opened the agent is not one that it follows."""


class Unreachable(AgentError):
    """The platform does not answer, or not as it should."""


class Refused(AgentError):
    """The platform answers no; the message is its own."""


class NotWhatWasShown(AgentError):
    """What would be signed is not what was announced."""


class TokenProblem(AgentError):
    """The module, the token or the key is absent, or went away."""


class WrongPin(TokenProblem):
    """The token refuses the PIN."""


class LockedPin(TokenProblem):
    """The token accepts no more tries."""


class Abandoned(AgentError):
    """The person chose not to sign."""
