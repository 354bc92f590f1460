"""The stages of MAIL: a send is checked, approved if need be, its first notices leave, and in the end its proof is sealed."""

from __future__ import annotations

from flows.engine.table import stage
from flows.engine.work import Advance, Later, Work
from flows.mail import archiving, checking, posting, validating


@stage("cpu", "accepted", "to_validate", "refused")
def check(work: Work) -> Advance:
    """Hold the send against the rules; what it is accepted under is kept as it is today."""
    return checking.check(work)


@stage("cpu", "asked")
def ask(work: Work) -> Advance:
    """Put the send before those who approve it."""
    return validating.ask(work)


@stage("cpu", "approved", "late")
def conclude(work: Work) -> Advance:
    """Let an approved send go, unless time has made it break a rule."""
    return validating.conclude(work)


@stage("cpu", "told")
def decline(work: Work) -> Advance:
    """Write down why a send was not approved."""
    return validating.decline(work)


@stage("remote.mail", "sent")
def send(work: Work) -> Advance | Later:
    """Plan the first notice of every recipient, and send those that are due."""
    return posting.first(work)


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Seal the proof of the send."""
    return archiving.seal(work)
