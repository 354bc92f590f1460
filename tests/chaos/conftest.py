"""The collectivité of the integration tests, worked for by processes that can be killed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from core.platform import Platform
from core.s3_server import S3Server
from tests.chaos.worker import run
from tests.conftest import Shape
from tests.integration.flows.conftest import acts, played, settings_changes, town

__all__ = ["acts", "played", "settings_changes", "town"]


def environment_of(platform: Platform, store: S3Server, shape: Shape) -> dict[str, str]:
    """The settings of a platform, for a process of its own."""
    settings = platform.settings
    return {
        **os.environ,
        "TABELLION_STATE_DIR": str(settings.state_dir),
        "TABELLION_DATABASE_URL": shape.database_url,
        "TABELLION_BROKER_URL": shape.broker_url,
        "TABELLION_S3_ENDPOINT": store.endpoint,
        "TABELLION_S3_ACCESS_KEY": store.access_key,
        "TABELLION_S3_SECRET_KEY": store.secret_key,
        "TABELLION_S3_BUCKET_PREFIX": settings.s3_bucket_prefix,
        "TABELLION_TSA_URL": settings.tsa_url,
        "TABELLION_TRUST_DIR": str(settings.trust_dir),
        "TABELLION_PRIVATE_NETWORKS": settings.private_networks,
        "TABELLION_POLL_SECONDS": "0.2",
        "TABELLION_TREE_HEAD_SECONDS": "1",
        "TABELLION_ARCHIVE_LOCK_DAYS": "1",
        "TABELLION_LEASE_SECONDS": "2",
        "TABELLION_REDELIVERY_SECONDS": "1",
    }


def last_words(environment: dict[str, str]) -> str:
    """What the workers of this platform said at last, such as where a crash of native code found them."""
    return _log(environment).read_text(errors="replace")[-5_000:]


def _log(environment: dict[str, str]) -> Path:
    return Path(environment["TABELLION_STATE_DIR"]) / "worker.log"


# Workers are forked from a process that has imported the platform once: they start at once, and die by themselves alone.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.chaos.worker"])


@contextmanager
def worker(environment: dict[str, str], *arguments: str) -> Iterator[ForkServerProcess]:
    """Run a worker process for the time of the block, if it lives that long."""
    process = _FORKS.Process(target=run, args=(environment, str(_log(environment)), *arguments), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
