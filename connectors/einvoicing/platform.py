"""A *plateforme agréée* as flows see it: the flow service of XP Z12-013, whichever platform stands behind.

Chorus Pro is none: received invoices of public bodies come through ``connectors.chorus``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from connectors.einvoicing.flows import Fetched, Flow, Form, Outgoing, Search


class ApprovedPlatform(Protocol):
    """Does what it is told, one call at a time, and repeats nothing by itself.

    Raises:
        PlatformUnavailable, PlatformRefused: see ``errors``; and core.errors.Misconfigured where our settings are at fault.
    """

    def submit(self, flow: Outgoing) -> Flow:
        """Hand a flow over; what becomes of it is told by ``find`` only.

        After a lost answer it may have been taken: whoever asked searches its ``tracking`` before asking again.
        """
        ...

    def search(self, wanted: Search) -> Iterator[Flow]:
        """Yield the flows that are found, the one that moved first coming first; pages are asked for as they are needed."""
        ...

    def find(self, flow_id: str) -> Flow:
        """Return a flow as it stands.

        Raises:
            FlowUnknown: the platform knows none of that identifier.
        """
        ...

    def fetch(self, flow_id: str, form: Form, target: Path) -> Fetched:
        """Bring the document of a flow to a file; nothing stays there unless all of it came.

        Raises:
            FlowUnknown: there is no such flow, or the platform does not have it in this form.
        """
        ...
