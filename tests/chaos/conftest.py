"""The collectivité of the integration tests, worked for by processes that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Shape
from tests.integration.flows.conftest import played, settings_changes, town
from tests.town import Town

__all__ = ["played", "settings_changes", "town"]

ROOT = Path(__file__).parents[2]


def environment_of(town: Town, shape: Shape) -> dict[str, str]:
    """The settings of a town's platform, for a process of its own."""
    settings = town.platform.settings
    store = town.s3
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TABELLION_STATE_DIR": str(settings.state_dir),
        "TABELLION_DATABASE_URL": shape.database_url,
        "TABELLION_BROKER_URL": shape.broker_url,
        "TABELLION_S3_ENDPOINT": store.endpoint,
        "TABELLION_S3_ACCESS_KEY": store.access_key,
        "TABELLION_S3_SECRET_KEY": store.secret_key,
        "TABELLION_S3_BUCKET_PREFIX": settings.s3_bucket_prefix,
        "TABELLION_TSA_URL": settings.tsa_url,
        "TABELLION_TRUST_DIR": str(settings.trust_dir),
        "TABELLION_POLL_SECONDS": "0.2",
        "TABELLION_TREE_HEAD_SECONDS": "0.2",
        "TABELLION_ARCHIVE_LOCK_DAYS": "1",
        "TABELLION_LEASE_SECONDS": "2",
        "TABELLION_REDELIVERY_SECONDS": "1",
    }


@contextmanager
def worker(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process for the time of the block, if it lives that long."""
    log = Path(environment["TABELLION_STATE_DIR"]) / "worker.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", *arguments], env=environment, cwd=ROOT, stdout=stream, stderr=stream
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
