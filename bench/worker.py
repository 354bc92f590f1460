"""A worker with its relay, as a process of its own."""

from __future__ import annotations

from api.cli.output import wait_for_the_end
from api.runtime import working
from core import logs
from core.platform import open_platform
from core.settings import load_settings
from flows.engine.brokers import open_broker


def main() -> None:
    logs.configure()
    settings = load_settings()
    with working(open_platform(settings), open_broker(settings.broker_url.get_secret_value())):
        wait_for_the_end()


if __name__ == "__main__":
    main()
