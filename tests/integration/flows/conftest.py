"""A collectivité whose gateway, seal and timestamping authority are simulators that answer at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest

from api.runtime import plan_schedules
from api.simulators import Treasury, treasury
from core.configuration import configure
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.helios.settings import GATEWAY, SEAL
from tests.acts import ActsTown, ministry
from tests.invoices import InvoicesTown, chorus
from tests.sales import Shop
from tests.town import Town


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Treasury]:
    """The DGFiP's side, answering at once."""
    with treasury(tmp_path / "simulators", delay=0) as running:
        yield running


@pytest.fixture
def settings_changes(played: Treasury) -> dict[str, object]:
    """The platform knows them."""
    return {
        "tsa_url": played.timestamping.url,
        "trust_dir": played.trust_dir,
        "poll_seconds": 0.2,
        "tree_head_seconds": 1.0,
        "archive_lock_days": 1,
    }


@pytest.fixture
def town(
    platform: Platform, broker: dramatiq.Broker, played: Treasury, mairie: Organisation, s3: S3Server, tmp_path: Path
) -> Town:
    """A collectivité ready to send."""
    with platform.database.writing(PLATFORM) as session:
        configure(session, platform.secrets, mairie.id, GATEWAY, played.gateway_settings())
        configure(session, platform.secrets, mairie.id, SEAL, played.seal())
    plan_schedules(platform)
    return Town(platform, broker, played, mairie, s3, tmp_path)


@pytest.fixture
def acts(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Iterator[ActsTown]:
    """A collectivité ready to send acts to the simulated ministry."""
    with ministry(tmp_path / "state") as (state, office):
        town = ActsTown(platform, broker, mairie, state, office)
        town.prepare()
        yield town


@pytest.fixture
def invoices(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Iterator[InvoicesTown]:
    """A collectivité ready to receive invoices from the simulated Chorus Pro."""
    with chorus(tmp_path / "state") as state:
        town = InvoicesTown(platform, broker, mairie, state)
        town.prepare()
        yield town


@pytest.fixture
def shop(invoices: InvoicesTown) -> Shop:
    """The same collectivité as a seller."""
    return Shop(invoices)
