"""What the simulated Vitam keeps: one folder an operation, which appears whole; nothing is lost when it is killed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.identifiers import new_id


@dataclass(frozen=True, slots=True)
class Kept:
    """An ingest as it was received.

    Attributes:
        operation: its identifier.
        identifier: of the transfer: ``MessageIdentifier``.
        received: when, RFC 3339.
        status: with which it ends: ``OK``, ``WARNING``, ``KO``, ``FATAL``; empty when the package never came whole.
        outcome: what is said with it.
        agencies: the archival and the transferring agency.
        units: identifiers of the units in the manifest.
        session: what ``X-Application-Id`` said.
    """

    operation: str
    identifier: str
    received: str
    status: str
    outcome: str
    agencies: tuple[str, str]
    units: tuple[str, ...]
    session: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the package came whole."""
        return bool(self.status)


class Store:
    """The folder of the simulator."""

    def __init__(self, folder: Path) -> None:
        self._operations = folder / "operations"
        self._incoming = folder / "incoming"
        for one in (self._operations, self._incoming):
            one.mkdir(parents=True, exist_ok=True)

    def keep(self, kept: Kept, package: bytes) -> None:
        """Keep an ingest with its package."""
        room = self._incoming / new_id()
        room.mkdir()
        (room / "sip.zip").write_bytes(package)
        (room / "operation.json").write_text(json.dumps(asdict(kept), ensure_ascii=False), encoding="utf-8")
        room.rename(self._operations / kept.operation)

    def known(self, operation: str) -> Kept | None:
        """Return an ingest by its operation; None when there is none."""
        path = self._operations / operation / "operation.json"
        if not operation.isalnum() or not path.exists():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        return Kept(**told | {"agencies": tuple(told["agencies"]), "units": tuple(told["units"])})

    def all(self) -> list[Kept]:
        """Return every ingest, in the order of their operations."""
        found = (self.known(one.name) for one in sorted(self._operations.iterdir()))
        return [one for one in found if one is not None]

    def count(self) -> int:
        """Return how many packages were received whole."""
        return sum(one.is_whole for one in self.all())
