"""A draft that is kept twice at once is one draft, on each kind of database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import select

from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes import drafts
from flows.actes.drafts import ActesDraft, DraftKind

pytestmark = pytest.mark.parametrize("shape", ["embedded", "postgresql-rabbitmq"], indirect=True)
_HANDS = 2


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """Nothing is sent here: no simulator is needed."""
    return {}


def test_a_draft_kept_by_two_requests_at_once_is_one(
    platform: Platform, mairie: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, sheet = Principal("person:clerc", {mairie.id: frozenset({Right.DEPOSIT})}), new_id()
    begin, both = drafts._begin, threading.Barrier(_HANDS, timeout=30)

    def begin_together(*told: Any, **values: Any) -> None:
        if not platform.database.is_sqlite:  # it has one writer: the second finds the draft of the first
            both.wait()
        begin(*told, **values)

    def keep(rank: int) -> str:
        fields = [("number", f"2026_{rank}"), ("piece", "u1"), ("piece", "u2")]
        return drafts.keep(platform, clerk, mairie.id, sheet, DraftKind.ACT, f"Titre {rank}", fields).id

    monkeypatch.setattr(drafts, "_begin", begin_together)
    with ThreadPoolExecutor(_HANDS) as hands:
        assert set(hands.map(keep, range(_HANDS))) == {sheet}
    with platform.database.reading(PLATFORM) as session:
        (kept,) = session.exec(select(ActesDraft)).all()
    rank = kept.title.removeprefix("Titre ")
    assert kept.fields == [["number", f"2026_{rank}"], ["piece", "u1"], ["piece", "u2"]]
    assert [one.id for one in drafts.own(platform, clerk)] == [sheet]
    drafts.forget(platform, clerk, sheet)
    assert drafts.own(platform, clerk) == []
