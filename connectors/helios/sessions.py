"""Sessions kept open between two uses: opening one costs about a tenth of a second of key exchange."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connectors.helios.settings import HeliosGateway

if TYPE_CHECKING:
    from connectors.helios.client import Session


class Sessions:
    """Idle sessions, a few per gateway; any thread may borrow one, and has it alone meanwhile."""

    def __init__(self, idle_per_gateway: int = 4, idle_seconds: float = 60) -> None:
        """Say how many idle sessions to keep for a gateway, and for how many seconds."""
        self._idle_per_gateway = idle_per_gateway
        self._idle_seconds = idle_seconds
        self._idle: dict[HeliosGateway, list[tuple[float, Session]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, gateway: HeliosGateway) -> Iterator[Session]:
        """Lend an idle session, or a new one. After an exception it is closed, since its state is not known.

        Raises:
            What ``client.connect`` raises, and what the block raises.
        """
        from connectors.helios.connection import open_session  # heavy: paramiko is loaded with the first session

        session = self._take(gateway) or open_session(gateway)
        kept = False
        try:
            yield session
            kept = self._keep(gateway, session)
        finally:
            if not kept:
                session.close()

    def close(self) -> None:
        """Hang up all idle sessions."""
        with self._lock:
            idle = [session for kept in self._idle.values() for _, session in kept]
            self._idle.clear()
        for session in idle:
            session.close()

    def _take(self, gateway: HeliosGateway) -> Session | None:
        found: Session | None = None
        stale: list[Session] = []
        with self._lock:
            kept = self._idle.get(gateway, [])
            while kept and found is None:
                since, session = kept.pop()
                fresh = time.monotonic() - since < self._idle_seconds and session.alive
                found = session if fresh else None
                stale += [] if fresh else [session]
        for session in stale:
            session.close()
        return found

    def _keep(self, gateway: HeliosGateway, session: Session) -> bool:
        with self._lock:
            kept = self._idle.setdefault(gateway, [])
            if len(kept) >= self._idle_per_gateway or not session.alive:
                return False
            kept.append((time.monotonic(), session))
            return True
