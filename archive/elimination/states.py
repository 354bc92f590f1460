"""The states of an elimination, and what becomes of each of its lines."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an elimination stands.

    ``DRAFT``: the archivist edits the list. ``PROPOSED``: it waits for the producer's agreement. ``AGREED``: it waits for the
    visa of the State. ``VISA``: the visa is there, for all or some of the lines. ``EXECUTING``: records are being destroyed, or
    wait for the end of their lock. ``DONE``: the certificate is sealed. ``REFUSED``: by the State. ``ABANDONED``: given up.
    """

    DRAFT = "draft"
    PROPOSED = "proposed"
    AGREED = "agreed"
    VISA = "visa"
    EXECUTING = "executing"
    DONE = "done"
    REFUSED = "refused"
    ABANDONED = "abandoned"


ELIMINATED = "record.eliminated"
"""The journal entry of a record that was destroyed; its facts name the elimination."""
FOLLOWED = "dossier.eliminated"
"""The journal entry of a transfer that came to no record, and held what a record that was destroyed held; its facts name both."""
EMPTIED = "dossier.emptied"
"""The journal entry of a dossier whose documents were destroyed after its record."""


class Status(StrEnum):
    """What an analysis finds of a record, in the words of Vitam."""

    KEEP = "KEEP"
    DESTROY = "DESTROY"
    CONFLICT = "CONFLICT"


class Outcome(StrEnum):
    """What became of a line that the visa accepts.

    ``DUE``: nothing yet. ``WAITING``: the store keeps it under lock until a day. ``DESTROYING``: copies are being removed, there
    is no way back. ``DESTROYED``: no place has it any more. ``SKIPPED``: it may no longer be destroyed, and the line says why.
    """

    DUE = ""
    WAITING = "waiting"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    SKIPPED = "skipped"
