"""Where a benchmark runs: a platform of a shape, its simulators in a process of their own, its workers in others."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlmodel import Session

from api.demonstration import SIRET
from connectors.actes.settings import ActesOperator
from connectors.helios.settings import HeliosGateway
from core.configuration import configure
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server, s3_server
from core.settings import Settings
from core.tokens import issue_token
from flows.helios.settings import GATEWAY, SEAL, HeliosSeal

POSTGRES = os.environ.get("TABELLION_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
RABBITMQ = os.environ.get("TABELLION_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672")
SHAPES = ("embedded", "PostgreSQL + RabbitMQ + S3")


TABELLION = str(Path(sys.executable).with_name("tabellion"))
WORKER = (sys.executable, "-m", "bench.worker")


@dataclass(frozen=True)
class Place:
    """A platform ready to work, and the environment of its processes."""

    platform: Platform
    organisation: Organisation
    token: str
    seal: HeliosSeal
    ministry: ActesOperator
    environment: dict[str, str]


@contextlib.contextmanager
def place(shape: str, **changes: object) -> Iterator[Place]:
    """Make a platform of a shape, everything of its own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(s3_server(folder / "s3"))
        played = stack.enter_context(_played(folder))
        database = f"sqlite:///{folder / 'db.sqlite3'}" if shape == "embedded" else stack.enter_context(empty_postgres())
        settings = Settings(
            state_dir=folder,
            database_url=SecretStr(database),
            broker_url=SecretStr("memory://" if shape == "embedded" else RABBITMQ),
            s3_bucket_prefix=f"b{secrets.token_hex(5)}",
            tsa_url=played.tsa,
            trust_dir=played.trust_dir,
            poll_seconds=0.5,
            tree_head_seconds=1.0,
            archive_lock_days=1,
            http_port=0,
        ).model_copy(update=changes)
        platform = open_platform(settings, server.store(settings.s3_bucket_prefix))
        stack.callback(platform.database.close)
        platform.objects.prepare()
        upgrade(platform.database)
        with platform.database.writing(PLATFORM) as session:
            organisation, token = _organisation(session, platform, played)
        yield Place(platform, organisation, token, played.seal, played.ministry, _environment(settings, server))


def _organisation(session: Session, platform: Platform, played: _Played) -> tuple[Organisation, str]:
    root = add_organisation(session, "Plateforme de mesure", OrganisationKind.PLATFORM)
    town = add_organisation(session, "Commune de mesure", OrganisationKind.COLLECTIVITE, parent=root, siret=SIRET)
    configure(session, platform.secrets, town.id, GATEWAY, played.gateway)
    configure(session, platform.secrets, town.id, SEAL, played.seal)
    return town, issue_token(session, town, "mesure", {Right.READ, Right.DEPOSIT})


@dataclass(frozen=True)
class _Played:
    gateway: HeliosGateway
    seal: HeliosSeal
    ministry: ActesOperator
    tsa: str
    trust_dir: Path


@contextlib.contextmanager
def _played(folder: Path) -> Iterator[_Played]:
    """The simulators in a process of their own: their work is not ours."""
    command = [sys.executable, "-m", "bench.simulators", str(folder / "simulators")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        gateway, seal, ministry, tsa = (process.stdout.readline().strip() for _ in range(4))
        yield _Played(
            HeliosGateway.model_validate_json(gateway),
            HeliosSeal.model_validate_json(seal),
            ActesOperator.model_validate_json(ministry),
            tsa,
            folder / "simulators" / "trust",
        )
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def empty_postgres() -> Iterator[str]:
    """An empty PostgreSQL database, dropped afterwards."""
    name = f"tabellion_bench_{secrets.token_hex(5)}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield POSTGRES.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _environment(settings: Settings, server: S3Server) -> dict[str, str]:
    values = {
        "STATE_DIR": settings.state_dir,
        "SECRET_KEY_FILE": settings.state_dir / "secret.key",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BROKER_URL": settings.broker_url.get_secret_value(),
        "S3_ENDPOINT": server.endpoint,
        "S3_ACCESS_KEY": server.access_key,
        "S3_SECRET_KEY": server.secret_key,
        "S3_BUCKET_PREFIX": settings.s3_bucket_prefix,
        "TSA_URL": settings.tsa_url,
        "TRUST_DIR": settings.trust_dir,
        "POLL_SECONDS": settings.poll_seconds,
        "TREE_HEAD_SECONDS": settings.tree_head_seconds,
        "ARCHIVE_LOCK_DAYS": settings.archive_lock_days,
        "WORKER_THREADS": settings.worker_threads,
        "UPLOAD_LIMIT": settings.upload_limit,
        "HTTP_PORT": settings.http_port,
    }
    return {**os.environ, **{f"TABELLION_{name}": str(value) for name, value in values.items()}}


@contextlib.contextmanager
def process(place: Place, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with the platform's settings for the time of the block."""
    log = place.platform.settings.state_dir / f"{secrets.token_hex(4)}.log"
    with log.open("ab") as stream:
        running = subprocess.Popen(command, env=place.environment, stdout=stream, stderr=stream)
        try:
            yield running
        finally:
            running.terminate()
            running.wait()


@contextlib.contextmanager
def web(here: Place) -> Iterator[tuple[str, int]]:
    """Run the web service in a process of its own; give its address and its process number."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    here.environment["TABELLION_HTTP_PORT"] = str(port)
    with process(here, TABELLION, "web") as running:
        until(lambda: _listens(port), 120)
        yield f"127.0.0.1:{port}", running.pid


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not within the time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark did not come to its end")
        time.sleep(0.02)
