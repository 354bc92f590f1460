"""The places of a finance software in which the tests put deliveries: a folder of this machine, and a real OpenSSH server."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from openssh_server import OpenSsh

from connectors.finance.client import opened
from connectors.finance.places import Place
from connectors.finance.settings import Bounds, FolderPlace, SftpPlace
from tests.addresses import LOOPBACK


@dataclass(frozen=True)
class Side:
    """A place, the directory behind it, and how to open it anew."""

    root: Path
    settings: FolderPlace | SftpPlace
    bounds: Bounds
    changed: Callable[..., FolderPlace | SftpPlace] = field(repr=False)

    def open(self) -> AbstractContextManager[Place]:
        return opened(self.settings, self.bounds)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.root / "depot").iterdir())


def sftp_settings(server: OpenSsh, **changes: object) -> SftpPlace:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": getpass.getuser(),
        "private_key": server.private_key,
        "host_key": server.host_key,
        "directory": str(server.depot),
        "settled_age": 0,
        "second_look_after": 0,
    }
    return SftpPlace.model_validate(values | changes)


@pytest.fixture(params=["folder", "sftp"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    if request.param == "sftp":
        server: OpenSsh = request.getfixturevalue("openssh")

        def over_sftp(**changes: object) -> SftpPlace:
            return sftp_settings(server, **changes)

        return Side(server.root, over_sftp(), Bounds(networks=LOOPBACK), over_sftp)
    (tmp_path / "depot").mkdir()

    def in_folder(**changes: object) -> FolderPlace:
        return FolderPlace.model_validate({"directory": "depot", "settled_age": 0, "second_look_after": 0} | changes)

    return Side(tmp_path, in_folder(), Bounds(folder=tmp_path), in_folder)
