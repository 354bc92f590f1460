"""A private OpenSSH server, as the tests see it."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from connectors.helios.settings import HeliosGateway


@dataclass(frozen=True)
class OpenSsh:
    """The server's address, keys, and the two directories of the account."""

    port: int
    host_key: str
    private_key: str
    root: Path

    @property
    def depot(self) -> Path:
        return self.root / "depot"

    @property
    def responses(self) -> Path:
        return self.root / "sortie"

    def gateway(self, **changes: object) -> HeliosGateway:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "private_key": self.private_key,
            "host_key": self.host_key,
            "depot_directory": str(self.depot),
            "response_directory": str(self.responses),
            "p_dest": "VHPCE11",
            "removes_responses": True,
            "settled_age": 0,
            "second_look_after": 0,
            "connect_timeout": 10,
        }
        return HeliosGateway.model_validate(values | changes)
