"""An act of 150 MB to the byte, from its deposit to its sealed record; a byte more, and it goes nowhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from archive.models import Record
from bench.acts import paper
from core.principal import PLATFORM
from flows.actes import checking, following
from flows.actes.models import ActesMessage
from schemas.actes.archive import DEFAULT_LIMITS, Limits
from tests.acts import ActsTown, today

pytestmark = [pytest.mark.parametrize("shape", ["embedded"], indirect=True), pytest.mark.timeout(600)]
ANNEX = 8 << 20
PLAIN = 1_020_000


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """The mailbox is read often; no timestamping authority is needed here."""
    return {"poll_seconds": 0.2, "archive_lock_days": 1}


def test_an_act_of_the_largest_size_reaches_its_record(acts: ActsTown) -> None:
    # What compresses is quicker to send; what the act weighs is counted before (bench/acts.py measures one that does not).
    annex = b"".join(paper(ANNEX, 0, plain=PLAIN))
    main = b"".join(paper(DEFAULT_LIMITS.documents - ANNEX, 1, plain=PLAIN))
    with acts.at_work():
        act = acts.send(document=acts.file("acte.pdf", main), annexes=(acts.file("plan.pdf", annex),))
        acts.wait_for(act, "acknowledged", seconds=300)
        with acts.platform.database.writing(PLATFORM) as session:
            received = session.get_one(ActesMessage, acts.message(act, "1-2").id)
            received.day = today() - timedelta(days=70)
            session.add(received)
        following.close_elapsed(acts.platform)
        acts.wait_for(act, "archived", seconds=300)
    assert acts.delivered(act) == 1
    with acts.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == act)).one()
    assert record.size > DEFAULT_LIMITS.documents


def test_the_limit_counts_the_act_and_its_annexes_together_to_the_byte(acts: ActsTown, monkeypatch: pytest.MonkeyPatch) -> None:
    one = b"".join(paper(5_000, 0))
    monkeypatch.setattr(checking, "DEFAULT_LIMITS", Limits(documents=10_000))
    with acts.at_work():
        act = acts.send(document=acts.file("acte.pdf", one), annexes=(acts.file("plan.pdf", one),))
        beyond = acts.send(document=acts.file("acte.pdf", one), annexes=(acts.file("plan.pdf", one + b"\n"),))
        rejected = acts.wait_for(beyond, "rejected")
        acts.wait_for(act, "acknowledged")
    assert [problem["rule"] for problem in rejected.problems if problem["severity"] == "error"] == ["R05"]
    assert acts.envelopes(beyond) == []
