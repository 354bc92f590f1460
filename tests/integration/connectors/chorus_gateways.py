"""A simulated Chorus Pro on a free port, our client of it, and a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.chorus.client import Chorus
from connectors.chorus.evidence import Exchange
from connectors.chorus.simulator import ChorusSimulator

START = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The present moment of the simulator."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **lapse: float) -> None:
        self.moment += timedelta(**lapse)


@dataclass
class Side:
    """Both sides of an exchange, and the evidence that ours keeps."""

    simulator: ChorusSimulator
    clock: Clock
    evidence: list[Exchange] = field(default_factory=list)

    def client(self, login: str = "", *, operator: dict[str, Any] | None = None, **account: Any) -> Chorus:
        """A client of a technical account, the first one by default."""
        settings = self.simulator.operator(**operator or {})
        return Chorus(settings, self.simulator.account(login, **account), self.evidence.append)


@contextmanager
def opened(folder: Path, **given: Any) -> Iterator[Side]:
    """Both sides for the time of a block."""
    clock = given.pop("clock", None) or Clock()
    with ChorusSimulator(folder, clock=clock, **given) as simulator:
        yield Side(simulator, clock)
