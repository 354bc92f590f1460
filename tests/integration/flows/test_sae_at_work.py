"""Sealed records on their way to an as@lae with real workers, on each deployment shape: all of them, each once."""

from __future__ import annotations

from pathlib import Path

import dramatiq
import pytest
from sqlmodel import select

from api.runtime import plan_schedules, working
from connectors.asalae.simulator import AsalaeSimulator
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.sae.models import SaeTransfer
from tests.kept_records import seal
from tests.sae import Office, outside
from tests.waiting import wait_until


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """Everything is looked at often."""
    return {"poll_seconds": 0.1}


def test_records_go_by_themselves_each_once(
    platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path
) -> None:
    with AsalaeSimulator(tmp_path / "asalae") as asalae:
        with Office.opened(platform, mairie, tmp_path) as office:
            office.configure(outside(asalae=asalae.settings(), repeat_minutes=0))
        records = {seal(platform, mairie, tmp_path, str(rank)).id for rank in range(3)}
        plan_schedules(platform)
        with working(platform, broker, queues={"archive", "remote.sae"}):
            wait_until(lambda: states(platform) == ["accepted"] * 3, seen=lambda: str(states(platform)))
        assert asalae.received == 3
    with platform.database.reading(PLATFORM) as session:
        assert set(session.exec(select(SaeTransfer.record_id))) == records


def states(platform: Platform) -> list[str]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(Dossier.state).where(Dossier.flow == "sae")))
