"""The commands that keep running: the embedded platform, or each part of a real deployment."""

from __future__ import annotations

import signal
import threading

import uvicorn
from rich.markup import escape

from api.cli.output import console
from api.embedded import Embedded, embedded, server_config
from api.runtime import working
from api.simulators import simulators
from core import logs
from core.errors import Misconfigured
from core.messages import Catalogue
from core.migrations import is_current, upgrade
from core.platform import Platform, open_platform
from core.settings import Settings, load_settings
from flows.engine.brokers import open_broker
from flows.engine.relay import Relay

_t = Catalogue("api.cli")


def up(*, with_demonstration: bool) -> None:
    """Run the embedded platform until interrupted."""
    logs.configure()
    with embedded(load_settings(), with_demonstration=with_demonstration) as running:
        introduce(running)
        wait_for_the_end()


def introduce(running: Embedded) -> None:
    """Print the address and, with a demonstration, its accounts."""
    console.print(f"\n[bold green]Tabellion[/] · {running.address}")
    shown = running.demonstration
    if shown is not None:
        console.print(_t("up.organisation", name=escape(shown.organisation), siren=shown.siren))
        for email, password in shown.accounts.items():
            console.print(_t("up.account", email=email, password=escape(password)))
        console.print(_t("up.token", token=shown.token))
    console.print(_t("up.stop"))


def wait_for_the_end() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


def web() -> None:
    """Run the web service until interrupted."""
    uvicorn.Server(server_config(_opened())).run()


def worker(queues: set[str] | None) -> None:
    """Run a worker on some queues, or on all."""
    platform = _opened()
    broker = open_broker(_distributed(platform.settings))
    with working(platform, broker, queues=queues, relays=False):
        wait_for_the_end()


def relay() -> None:
    """Run the relay until interrupted."""
    platform = _opened()
    announcing = Relay(platform, open_broker(_distributed(platform.settings)))
    thread = announcing.start()
    wait_for_the_end()
    announcing.stop()
    thread.join()


def play(host: str, gateway_port: int, tsa_port: int, delay: float) -> None:
    """Run the simulators until interrupted, and print what reaches them."""
    logs.configure()
    folder = load_settings().state_dir / "simulators"
    with simulators(folder, host=host, gateway_port=gateway_port, tsa_port=tsa_port, delay=delay) as played:
        gateway = played.gateway_settings()
        password = gateway.password.get_secret_value() if gateway.password else ""
        console.print(
            _t("simulators.sftp", host=gateway.host, port=gateway.port, user=gateway.username, password=escape(password))
        )
        console.print(_t("simulators.key", algorithm=gateway.host_key_algorithm, host_key=gateway.host_key))
        console.print(_t("simulators.stamps", url=played.timestamping.url))
        console.print(_t("simulators.trust", folder=played.trust_dir))
        console.print(_t("up.stop"))
        wait_for_the_end()


def upgrade_database() -> None:
    """Apply the migrations that are missing."""
    platform = open_platform(load_settings())
    upgrade(platform.database)
    console.print(_t("db.upgraded"))


def _distributed(settings: Settings) -> str:
    url = settings.broker_url.get_secret_value()
    if url.startswith("memory:"):
        raise Misconfigured(_t("worker.memory"))
    return url


def _opened() -> Platform:
    logs.configure()
    settings = load_settings()
    if not settings.s3_endpoint:
        raise Misconfigured(_t("parts.s3"))
    platform = open_platform(settings)
    if not is_current(platform.database):
        raise Misconfigured(_t("parts.database"))
    platform.objects.prepare()
    return platform
