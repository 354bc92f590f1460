"""Our side of a finance software: the place where deliveries are put, opened whatever it is made of. Calls are in ``webhook``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.finance import folder
from connectors.finance.places import Place
from connectors.finance.settings import Bounds, FolderPlace, SftpPlace


@contextmanager
def opened(place: FolderPlace | SftpPlace, bounds: Bounds) -> Iterator[Place]:
    """Open a place, and leave it at the end.

    Raises:
        PlaceMissing: the operator set no folder aside, or the directory does not exist.
        AddressRefused, HostKeyChanged, AccessRefused, FinanceUnavailable: see ``errors``.
    """
    if isinstance(place, FolderPlace):
        with folder.opened(place, bounds) as watched:
            yield watched
    else:
        from connectors.finance import sftp  # heavy: paramiko

        with sftp.connected(place, bounds) as session:
            yield session
