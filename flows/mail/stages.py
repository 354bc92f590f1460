"""The stages of MAIL: a send is checked, its first notices leave, and once it is over its proof is sealed."""

from __future__ import annotations

from flows.engine.table import stage
from flows.engine.work import Advance, Later, Work
from flows.mail import archiving, checking, posting


@stage("cpu", "accepted", "refused")
def check(work: Work) -> Advance:
    """Hold the send against the rules; what it is accepted under is kept as it is today."""
    return checking.check(work)


@stage("remote.mail", "sent")
def send(work: Work) -> Advance | Later:
    """Plan the first notice of every recipient, and send those that are due."""
    return posting.first(work)


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Seal the proof of the send."""
    return archiving.seal(work)
