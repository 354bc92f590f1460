"""The stages of TRANSFER: a package is acknowledged, checked, sealed, and its sender is answered."""

from __future__ import annotations

from flows.engine.table import stage
from flows.engine.work import Advance, Work
from flows.transfers import answering, archiving, checking, receiving


@stage("cpu", "acknowledged", "duplicate")
def receive(work: Work) -> Advance:
    """Read who sends what, say that it came, and recognise what came before."""
    return receiving.receive(work)


@stage("cpu", "accepted", "to_accept", "refused", "tried")
def check(work: Work) -> Advance:
    """Hold the package against everything that an archive service asks, and tell all of it at once."""
    return checking.check(work)


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Seal the package as it came."""
    return archiving.seal(work)


@stage("cpu", "answered")
def answer(work: Work) -> Advance:
    """Write the reply that the sender is owed."""
    return answering.answer(work)
