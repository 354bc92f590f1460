"""TRANSFER as a table: a package from outside, from the day it comes to its sealed record or its refusal; both are answered."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.transfers.stages import answer, archive, check, receive

# An operator is told then, and the transfer stays where it is: who decides is an archivist.
_DECISION_WITHIN = timedelta(days=30)
ACCEPTED, REFUSED = "accepted", "refused"
"""Events: what an archivist decided."""
WITHOUT_RECORD = ("rejected", "duplicate", "tried")
"""The ends at which nothing was sealed."""

TRANSFER = Flow(
    "transfer",
    #    in this state    this stage, or waits for      leads to
    On("received", receive, acknowledged="acknowledged", duplicate="duplicate"),
    On("acknowledged", check, accepted="accepted", to_accept="to_accept", refused="declined", tried="tried"),
    Wait("to_accept", waits_for="la décision de l’archiviste", within=_DECISION_WITHIN,
         accepted="accepted", refused="declined"),
    On("accepted", archive, sealed="sealed"),
    On("sealed", answer, answered="archived"),
    On("declined", answer, answered="rejected"),
    End("archived", good=True), End("rejected"), End("duplicate"), End("tried", good=True),
)  # fmt: skip
