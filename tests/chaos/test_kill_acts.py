"""Killed anywhere between an act and its acknowledgement, the platform delivers one envelope, or asks a person; never two."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.actes import resending
from flows.actes.models import ActesEnvelope
from flows.engine.models import Dossier
from tests.acts import ActsTown
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import ACTS_POINTS
from tests.conftest import Shape
from tests.waiting import wait_until


def states(acts: ActsTown) -> Counter[str]:
    with acts.platform.database.reading(PLATFORM) as session:
        return Counter(session.exec(select(Dossier.state)).all())


@pytest.mark.parametrize("shape", ["embedded", "postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_leaves_one_envelope_at_the_ministry(acts: ActsTown, shape: Shape, s3: S3Server, tmp_path: Path) -> None:
    environment = environment_of(acts.platform, s3, shape)
    dossiers = []
    for rank, point in enumerate(ACTS_POINTS):
        dossiers.append(acts.send())
        with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
            process.join(timeout=120)
            died = process.exitcode
        assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
    # Between the note that the last octets are about to leave and those octets, nobody knows: a person decides.
    with worker(environment):
        wait_until(lambda: states(acts) == {"acknowledged": len(ACTS_POINTS) - 1, "uncertain": 1}, seen=lambda: f"{states(acts)}")
        (doubtful,) = (dossier for dossier in dossiers if acts.dossier(dossier).state == "uncertain")
        assert acts.delivered(doubtful) == 0
        resending.send_again(acts.platform, PLATFORM, doubtful)
        acts.wait_for(doubtful, "acknowledged")
    names = Counter(delivery.name for delivery in acts.state.deliveries())
    with acts.platform.database.reading(PLATFORM) as session:
        ours = session.exec(select(ActesEnvelope)).all()
    assert {name: names[name] for name in (f"TAB-{one.name}.tar.gz" for one in ours if one.dossier_id)} == {
        f"TAB-{one.name}.tar.gz": 1 for one in ours if one.dossier_id
    }
    assert all([row.code for row in acts.messages(dossier)] == ["1-1", "1-2"] for dossier in dossiers)
