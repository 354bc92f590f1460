"""A worker with its relay, as a process of its own, that kills itself at a point when it is told one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import dramatiq.brokers.rabbitmq  # noqa: F401
import psycopg  # noqa: F401
import pyhanko.sign  # noqa: F401
from sqlalchemy.orm import configure_mappers

import connectors.helios.client  # noqa: F401
import signing.pades.verifier  # noqa: F401
from api.runtime import working
from core import logs
from core.platform import open_platform
from core.settings import load_settings
from flows.engine import execution
from flows.engine.brokers import open_broker
from tests.chaos.points import (
    ACTS_POINTS,
    ANSWERING_POINTS,
    HANDING_POINTS,
    MAIL_POINTS,
    POINTS,
    SAE_POINTS,
    SALES_POINTS,
    TELLING_POINTS,
    arm,
)

# With the modules that are loaded by whoever needs them, half of the short life of a worker: done once, before the forks.
configure_mappers()


def run(environment: dict[str, str], log: str, *dying: str) -> None:
    """Work until killed; the platform is that of the settings in the environment.

    Args:
        environment: of the process, whole.
        log: file that what it says is added to.
        dying: the name of a point, and a marker that remembers that it was met; nothing, to work on.
    """
    os.environ.clear()
    os.environ.update(environment)
    stream = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for standard in (1, 2):
        os.dup2(stream, standard)
    logs.configure()
    # Killed here far more often in a row than a worker is by chance: without this, a dossier that was in hand each time would be
    # set aside as one that brings workers down (tests/integration/flows/test_engine.py shows that).
    execution._LOST_ATTEMPTS = 1000
    settings = load_settings()
    platform = open_platform(settings)
    if dying:
        name, marker = dying
        known = (
            *POINTS,
            *ACTS_POINTS,
            *HANDING_POINTS,
            *TELLING_POINTS,
            *SALES_POINTS,
            *ANSWERING_POINTS,
            *MAIL_POINTS,
            *SAE_POINTS,
        )
        arm(next(point for point in known if point.name == name), Path(marker))
    with working(platform, open_broker(settings.broker_url.get_secret_value())):
        threading.Event().wait()
