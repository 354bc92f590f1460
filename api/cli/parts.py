"""The parts of a real deployment, each in a process of its own: ``web``, ``worker``, ``relay``, ``db upgrade``.

The pages and the flows are imported by the part that runs them: they take seconds, and memory in each worker.
"""

from __future__ import annotations

from api.cli.output import console, wait_for_the_end
from core import allocator, logs, presence
from core.database import Database, answering
from core.errors import Misconfigured
from core.messages import Catalogue
from core.migrations import is_current, upgrade
from core.platform import Platform, open_platform
from core.settings import Settings, load_settings
from flows.engine.brokers import open_broker
from flows.engine.relay import Relay

_t = Catalogue("api.cli")


def web() -> None:
    """Run the web service until interrupted."""
    import uvicorn

    from api.server import server_config

    allocator.give_back()
    platform = _opened()
    with presence.at_work(platform.database):
        uvicorn.Server(server_config(platform)).run()


def worker(queues: set[str] | None) -> None:
    """Run a worker on some queues, or on all."""
    from api.runtime import working

    platform = _opened()
    platform.prove_locks()  # a store that lets a locked object go must not be given archives
    broker = open_broker(_distributed(platform.settings))
    with presence.at_work(platform.database), working(platform, broker, queues=queues, relays=False):
        wait_for_the_end()


def relay() -> None:
    """Run the relay until interrupted."""
    platform = _opened()
    announcing = Relay(platform, open_broker(_distributed(platform.settings)))
    with presence.at_work(platform.database):
        thread = announcing.start()
        wait_for_the_end()
        announcing.stop()
        thread.join()


def upgrade_database() -> None:
    """Apply the migrations that are missing; nothing else may be at work on the database meanwhile."""
    settings = load_settings()
    _require_database(settings)
    database = Database(settings.database)
    with answering(database), presence.alone(database):
        upgrade(database)
    console.print(_t("db.upgraded"))


def _distributed(settings: Settings) -> str:
    url = settings.broker_url.get_secret_value()
    if url.startswith("memory:"):
        raise Misconfigured(_t("worker.memory"))
    return url


def _require_database(settings: Settings) -> None:
    """Refuse a deployment that would keep its dossiers in a file of this machine because nobody said where."""
    if settings.s3_endpoint and not settings.database_url.get_secret_value():
        raise Misconfigured(_t("parts.database_url"))


def _opened() -> Platform:
    logs.configure()
    settings = load_settings()
    if not settings.s3_endpoint:
        raise Misconfigured(_t("parts.s3"))
    _require_database(settings)
    if settings.secret_key_file is None:
        raise Misconfigured(_t("parts.secret"))
    platform = open_platform(settings)
    with answering(platform.database):
        current = is_current(platform.database)
    if not current:
        raise Misconfigured(_t("parts.database"))
    platform.prepare_stores()
    return platform
