"""The embedded platform: one process, one folder. SQLite, the broker in memory, a real S3 server as a child process.

With the demonstration, the State's side is simulated and a collectivité with its people is there at once; without it, the
settings say which gateway and which timestamping authority to use.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvicorn
from pydantic import SecretStr

from api import showcase_mails
from api.demonstration import Demonstration, prepare_demonstration
from api.runtime import working
from api.server import server_config
from api.simulators import Simulators, simulators
from core import presence
from core.errors import Misconfigured
from core.messages import Catalogue
from core.migrations import upgrade
from core.platform import Platform, open_platform
from core.s3_server import s3_server
from core.settings import Settings
from flows.engine.brokers import open_broker
from flows.engine.transitions import take_up

_messages = Catalogue("api.cli")
_STARTS_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running embedded platform."""

    platform: Platform
    address: str
    demonstration: Demonstration | None
    simulators: Simulators | None


@contextmanager
def embedded(settings: Settings, *, with_demonstration: bool) -> Iterator[Embedded]:
    """Run the platform for the time of the block.

    Raises:
        Misconfigured: another process uses the folder, a port is taken, or a part does not start.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(alone(settings.state_dir / "lock"))
        server = stack.enter_context(s3_server(settings.state_dir / "s3"))
        played = stack.enter_context(simulators(settings.state_dir / "simulators", delay=0.5)) if with_demonstration else None
        if played is not None:
            settings = settings.model_copy(
                update={
                    "tsa_url": played.timestamping.url,
                    "trust_dir": played.trust_dir,
                    "private_networks": f"{settings.private_networks},127.0.0.0/8",  # where the simulators stand
                    "poll_seconds": 1.0,
                    "tree_head_seconds": 2.0,
                    **({} if settings.smtp_url.get_secret_value() else played.mail_settings()),
                }
            )
        settings = settings.model_copy(update={"broker_url": SecretStr("memory://")})
        store = server.store(
            settings.s3_bucket_prefix, lock_mode=settings.archive_lock_mode, lock_days=settings.archive_lock_days
        )
        platform = open_platform(settings, store)
        stack.callback(platform.database.close)
        stack.enter_context(presence.at_work(platform.database))
        upgrade(platform.database)
        if not settings.database_url.get_secret_value():  # the database of the folder, which is ours alone
            take_up(platform.database)
        platform.prepare_stores()
        platform.prove_locks()
        shown = prepare_demonstration(platform, played) if played is not None else None
        stack.enter_context(working(platform, open_broker("memory://")))
        if played is not None:
            showcase_mails.play(platform, played)
        address = stack.enter_context(_serving(platform))
        yield Embedded(platform, address, shown, played)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the folder of an embedded platform for the time of the block; ``path`` is of its lock.

    Raises:
        Misconfigured: another process has it.
    """
    with path.open("w") as stream:
        _lock(stream, path)
        yield


def _lock(stream: IO[str], path: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Misconfigured(_messages("parts.folder_taken", folder=path.parent)) from error


@contextmanager
def _serving(platform: Platform) -> Iterator[str]:
    settings = platform.settings
    server = uvicorn.Server(server_config(platform))
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    deadline = time.monotonic() + _STARTS_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise Misconfigured(_messages("parts.web", port=settings.http_port))
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield settings.public_url or f"http://{settings.http_host}:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=15)
