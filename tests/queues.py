"""A virtual host of RabbitMQ for one process of tests: two platforms on the same queues would take each other's hints."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def may_make_hosts() -> bool:
    """Tell whether the server of this machine takes orders from us."""
    return os.geteuid() == 0 and shutil.which("rabbitmqctl") is not None


@contextmanager
def own_host(server: str) -> Iterator[str]:
    """Make an empty virtual host, which whoever ``server`` names may use, and remove it after the block."""
    name, user = f"tabellion_test_{secrets.token_hex(6)}", server.partition("://")[2].partition(":")[0]
    _order("add_vhost", name)
    _order("set_permissions", "-p", name, user, ".*", ".*", ".*")
    yield f"{server}/{name}"
    _order("delete_vhost", name)


def _order(*words: str) -> None:
    subprocess.run(["rabbitmqctl", "--quiet", *words], check=True)
