"""The platform of this machine, as its operator's commands open it; apart from what they do, which imports more."""

from __future__ import annotations

import atexit
from contextlib import ExitStack

from core import presence
from core.database import answering
from core.errors import Misconfigured
from core.messages import Catalogue
from core.platform import Platform, open_platform
from core.s3_server import store_running_in
from core.settings import load_settings

_t = Catalogue("api.cli")


def operators_platform() -> Platform:
    """Open the platform that the settings name; an embedded one through the S3 server that is running there.

    Raises:
        Misconfigured: no platform runs there; or it is none of one process, and no key of its secrets is named: a fresh one would
            open none of them.
    """
    settings = load_settings()
    if settings.s3_endpoint:
        if settings.secret_key_file is None:
            raise Misconfigured(_t("parts.secret"))
        return open_platform(settings)
    folder = settings.state_dir / "s3"
    if not (folder / "port").exists():
        raise Misconfigured(_t("parts.not_running", folder=settings.state_dir))
    return open_platform(settings, store_running_in(folder, settings))


def at_work(platform: Platform) -> Platform:
    """Be at work on the platform's database until the process ends, which a command soon does; for those that write to it.

    Raises:
        Conflict: somebody has it for themselves: what is written meanwhile would be lost, or in the way.
        Unavailable: it does not answer.
    """
    kept = ExitStack()
    with answering(platform.database):
        kept.enter_context(presence.at_work(platform.database))
    atexit.register(kept.close)
    return platform
