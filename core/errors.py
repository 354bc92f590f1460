"""Every way in which Tabellion can fail, as one tree.

    TabellionError
    ├── UsageError              the caller asked for something that cannot be asked
    │   └── UnreadableInput     what was handed over cannot be read as what it should be
    ├── Unauthenticated         nobody is known behind the request
    ├── Forbidden               somebody is, who may not
    ├── NotFound                nothing there, or nothing that this principal may see
    │   └── Gone                what was there was taken away, which may be told
    ├── Conflict                it exists already, or somebody acted in between
    ├── Refused                 a document breaks rules: definitive, carries its problems
    ├── Unavailable             a part outside this process does not answer: worth trying again
    ├── NeedsOperator           only a person who runs the platform can decide what comes next
    └── Misconfigured           the platform's own settings are at fault

A message is a sentence for a person: what is wrong, what was expected, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.problems import Problem


class TabellionError(Exception):
    """Something went wrong, and the message says what."""


class UsageError(TabellionError):
    """The caller asked for something that cannot be asked."""


class UnreadableInput(UsageError):
    """What was handed over cannot be read as what it should be."""


class Unauthenticated(TabellionError):
    """Nobody is known behind the request."""


class Forbidden(TabellionError):
    """The principal is known, and may not do this."""


class NotFound(TabellionError):
    """Nothing there, or nothing that this principal may see."""


class Gone(NotFound):
    """What was here was taken away, which may be told."""


class Conflict(TabellionError):
    """It exists already, or somebody acted in between.

    Attributes:
        existing: identifier of what is already there, when it is known and may be told.
    """

    def __init__(self, message: str, existing: str | None = None) -> None:
        super().__init__(message)
        self.existing = existing


class Refused(TabellionError):
    """A document breaks rules that no second try can mend.

    Attributes:
        problems: what is wrong, each with its rule and how to mend it; never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.rule}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class Unavailable(TabellionError):
    """A part outside this process does not answer: worth trying again."""


class NeedsOperator(TabellionError):
    """Only a person who runs the platform can decide what comes next."""


class Misconfigured(TabellionError):
    """The platform's own settings are at fault."""
