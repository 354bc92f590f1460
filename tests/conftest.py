"""Fixtures every test may use: the services of this machine, an empty database of each kind, a broker of each kind."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import dramatiq
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from core import passwords
from core.database import Database
from core.identifiers import Siret
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM
from core.s3_server import S3Server, s3_server
from core.settings import Settings
from flows.engine.brokers import open_broker
from tests.addresses import PRIVATE_NETWORKS
from tests.buckets import buckets_ahead
from tests.clamd import Clamd, clamd
from tests.databases import empty, empty_postgres, sqlite_at
from tests.keys import keys_made_once
from tests.queues import may_make_hosts, own_host

NO_SAMPLES = "no sample documents"
SHARED = Path(__file__).parents[2] / "shared"
POSTGRES = os.environ.get("TABELLION_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
RABBITMQ = os.environ.get("TABELLION_TEST_RABBITMQ")
LOCAL_RABBITMQ = "amqp://guest:guest@127.0.0.1:5672"
# Files of tests run side by side, each process on a Redis of its own.
REDIS = os.environ.get(
    "TABELLION_TEST_REDIS", f"redis://127.0.0.1:6379/{1 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:])}"
)

# Invented: no commune has these numbers.
MAIRIE = Siret("21400999500017")
AUTRE_MAIRIE = Siret("21640980500019")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what tests import, neither while they are collected, where it is half of the time, nor later."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    with keys_made_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def own_hasher() -> Iterator[PasswordHasher]:
    """The platform's own hasher, which takes a quarter of a second; the hundreds of people here have passwords of a quick one."""
    own = passwords._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield own


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of official schemas and sample documents that stands beside the checkout."""
    if not (SHARED / "corpus").is_dir():
        pytest.skip(f"{NO_SAMPLES}: {SHARED} is absent (official schemas and corpora are not part of the project)")
    return SHARED


@dataclass(frozen=True)
class Shape:
    """A deployment shape: where the state lives, and who carries the hints."""

    name: str
    database_url: str
    broker_url: str


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    address = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((address.hostname or "", address.port or 0), timeout=2):
        return True
    return False


def _require(url: str, service: str) -> None:
    if not _answers(url):
        pytest.skip(f"{service} does not answer at {urlsplit(url).hostname}:{urlsplit(url).port}")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database, dropped afterwards."""
    _require(POSTGRES, "PostgreSQL")
    with empty_postgres(POSTGRES) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """One up-to-date PostgreSQL database for the whole run."""
    _require(POSTGRES, "PostgreSQL")
    with empty_postgres(POSTGRES) as url:
        database = Database(url)
        upgrade(database)
        database.close()
        yield url


@pytest.fixture
def current_postgres_url(migrated_postgres: str) -> Iterator[str]:
    """An up-to-date PostgreSQL database without a row, emptied afterwards."""
    yield migrated_postgres
    empty(migrated_postgres)


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """RabbitMQ; its queues are those of the whole run, so messages of an earlier test are stale hints, as in real life.

    Another run, or another process of this one, has others where we may make them: else each would take hints of the other.
    """
    url = RABBITMQ or LOCAL_RABBITMQ
    _require(url, "RabbitMQ")
    with contextlib.nullcontext(url) if RABBITMQ or not may_make_hosts() else own_host(url) as ours:
        yield ours


@pytest.fixture
def redis_url() -> str:
    """Redis, on a database number of its own."""
    _require(REDIS, "Redis")
    return REDIS


# For what no shape changes: the stricter database, the broker that costs least; the pages are shown on SQLite.
on_one_shape = pytest.mark.parametrize("shape", ["postgresql"], indirect=True)


@pytest.fixture(params=["embedded", "postgresql-rabbitmq", "postgresql-redis"])
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> Shape:
    """Each deployment shape in turn: the same test runs on all, unless it says that one is enough."""
    if request.param == "embedded":
        return Shape("embedded", sqlite_at(tmp_path / "tabellion.sqlite3"), "memory://")
    broker = request.param.partition("-")[2]
    hints = request.getfixturevalue(f"{broker}_url") if broker else "memory://"
    return Shape(request.param, request.getfixturevalue("current_postgres_url"), hints)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An up-to-date database of each kind."""
    sqlite = request.param == "sqlite"
    opened = Database(sqlite_at(tmp_path / "db.sqlite3") if sqlite else request.getfixturevalue("current_postgres_url"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server for the whole run."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def prefixes(s3: S3Server) -> Iterator[Iterator[str]]:
    """Prefixes of empty buckets, one after another."""
    with buckets_ahead(s3) as ahead:
        yield ahead


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """What a test sets otherwise on its platform."""
    return {}


@pytest.fixture
def platform(
    shape: Shape, s3: S3Server, prefixes: Iterator[str], tmp_path: Path, settings_changes: dict[str, object]
) -> Iterator[Platform]:
    """A platform of the shape under test, its buckets its own."""
    settings = Settings(
        state_dir=tmp_path,
        database_url=SecretStr(shape.database_url),
        broker_url=SecretStr(shape.broker_url),
        s3_bucket_prefix=next(prefixes),
        private_networks=PRIVATE_NETWORKS,
        lease_seconds=5,
        redelivery_seconds=2,
    ).model_copy(update=settings_changes)
    opened = open_platform(settings, s3.store(settings.s3_bucket_prefix))
    opened.objects.prepare()
    yield opened
    opened.database.close()


@pytest.fixture
def broker(platform: Platform) -> Iterator[dramatiq.Broker]:
    """The broker of the shape under test."""
    opened = open_broker(platform.settings.broker_url.get_secret_value())
    yield opened
    opened.close()


@pytest.fixture
def mairie(platform: Platform) -> Organisation:
    """A collectivité under the platform."""
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        return add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siret=MAIRIE)


@pytest.fixture(scope="session")
def antivirus() -> Iterator[Clamd]:
    """A clamd that knows two signatures, for the whole run."""
    with clamd() as running:
        yield running


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In continuous integration a missing service or program is a fault of the machine; only sample documents may be absent."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    excused = (NO_SAMPLES,) if (SHARED / "corpus").is_dir() else (NO_SAMPLES, "empty parameter set")
    skipped = [report for report in reports if not any(reason in str(report.longrepr) for reason in excused)]
    if os.environ.get("CI") and skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(skipped)} tests were skipped, which is not allowed here (see the reasons above)", red=True)
