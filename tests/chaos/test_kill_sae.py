"""Killed anywhere between a sealed record and the archive services outside, the platform deposits it there once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sqlmodel import select

from connectors.asalae.simulator import AsalaeSimulator
from connectors.vitam.simulator import VitamSimulator
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.sae.models import SaeTransfer
from flows.sae.settings import OutsideArchive, Seda
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import SAE_POINTS
from tests.conftest import Shape
from tests.kept_records import seal
from tests.sae import Office, outside
from tests.waiting import wait_until


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_leaves_one_deposit_at_either_service(
    platform: Platform, mairie: Organisation, shape: Shape, s3: S3Server, tmp_path: Path
) -> None:
    environment = environment_of(platform, s3, shape)
    with platform.database.writing(PLATFORM) as session:
        other = add_organisation(session, "Caisse des écoles", OrganisationKind.SERVICE, parent=mairie)
    with AsalaeSimulator(tmp_path / "asalae") as asalae, VitamSimulator(tmp_path / "vitam") as vitam:
        _configure(platform, mairie, outside(asalae=asalae.settings(), repeat_minutes=0))
        _configure(platform, other, outside(vitam=vitam.settings(), seda=Seda.V2_2, repeat_minutes=0))
        records = set()
        for rank, point in enumerate(SAE_POINTS):
            records |= {seal(platform, owner, tmp_path, str(rank)).id for owner in (mairie, other)}
            with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
                process.join(timeout=120)
                died = process.exitcode
            assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
            transitions.take_up(platform.database)
        with worker(environment):
            wait_until(lambda: _states(platform) == ["accepted"] * len(records), seen=lambda: repr(_states(platform)))
        assert (asalae.received, vitam.received) == (len(SAE_POINTS), len(SAE_POINTS))
    with platform.database.reading(PLATFORM) as session:
        transfers = session.exec(select(SaeTransfer)).all()
    assert {one.record_id for one in transfers} == records
    assert len({one.identifier for one in transfers}) == len(transfers) == len(records)


def _configure(platform: Platform, organisation: Organisation, settings: OutsideArchive) -> None:
    with Office.opened(platform, organisation, platform.settings.state_dir) as office:
        office.configure(settings)


def _states(platform: Platform) -> list[str]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(Dossier.state).where(Dossier.flow == "sae")))
