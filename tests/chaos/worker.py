"""A worker with its relay, as a process of its own, that kills itself at a point when it is told one.

    python -m tests.chaos.worker [POINT MARKER]

The platform is that of the settings in the environment.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from api.runtime import working
from core import logs
from core.platform import open_platform
from core.settings import load_settings
from flows.engine import execution
from flows.engine.brokers import open_broker
from tests.chaos.points import POINTS, arm


def main() -> None:
    logs.configure()
    # Killed here far more often in a row than a worker is by chance: without this, a dossier that was in hand each time would be
    # set aside as one that brings workers down (tests/integration/flows/test_engine.py shows that).
    execution._LOST_ATTEMPTS = 1000
    settings = load_settings()
    platform = open_platform(settings)
    if len(sys.argv) > 1:
        point = next(point for point in POINTS if point.name == sys.argv[1])
        arm(point, Path(sys.argv[2]))
    with working(platform, open_broker(settings.broker_url.get_secret_value())):
        threading.Event().wait()


if __name__ == "__main__":
    main()
