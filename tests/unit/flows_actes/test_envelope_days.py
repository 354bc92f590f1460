"""Under the name of which day an archive leaves."""

from __future__ import annotations

from flows.actes import envelopes


def test_an_envelope_that_the_ministry_may_know_keeps_its_name() -> None:
    sending = {"envelope": "TACT--214009995--20260102-1", "phase": envelopes.PACKED}
    assert envelopes.is_outdated(sending)
    assert not envelopes.is_outdated({**sending, "phase": envelopes.COMMITTING})
    assert not envelopes.is_outdated({**sending, "again": True})
