"""A Chorus Pro behind its PISTE gateway, as an HTTPS server for demonstrations and tests.

Parties are invented; every fault can be asked for. All is kept in one folder, and nothing is forgotten when it is killed. What
suppliers, accountants and Hélios do behind our back is done by ``emit`` and ``move``, or over HTTPS at ``/simulator/…`` with the
application's identifier and secret.

    python -m connectors.chorus.simulator --folder var/chorus --port 8446
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from connectors.chorus.settings import ChorusAccount, ChorusOperator, Environment
from connectors.chorus.simulated_certificate import Certificate
from connectors.chorus.simulated_door import Door
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.simulated_gateway import TOKEN, Gateway
from connectors.chorus.simulated_oddities import Oddity
from connectors.chorus.simulated_portal import Portal
from connectors.chorus.simulated_store import Call, Invoice, Store, ordinary
from connectors.chorus.simulated_world import DEMONSTRATION, Technical, World
from core.clock import iso, now
from core.errors import NotFound

_HOST = "127.0.0.1"


class ChorusSimulator:
    """Chorus Pro.

    Attributes:
        portal: what is known: its world may be replaced at any time.
        gateway: its faults, quota and oddities.

    Example:
        >>> with ChorusSimulator(folder) as chorus:
        ...     client = Chorus(chorus.operator(), chorus.account(), print)
    """

    def __init__(
        self,
        folder: Path,
        *,
        world: World = DEMONSTRATION,
        clock: Callable[[], datetime] = now,
        reformed: bool = True,
        deposit_delay: float = 0,
        port: int = 0,
    ) -> None:
        """Open the folder; nothing is answered before ``start``.

        Args:
            folder: all that it keeps; made when absent.
            world: structures, services and accounts.
            clock: the present moment.
            reformed: whether it is after 1 September 2026.
            deposit_delay: seconds that a deposit stays in each of its states.
            port: TCP port of this machine; zero for a free one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._certificate = Certificate(folder / "server.pem")
        self._store = Store(folder / "chorus.sqlite3")
        self.portal = Portal(self._store, world, clock, reformed, deposit_delay, {})
        self.gateway = Gateway(self.portal)
        controls = {
            "emit": lambda asked: self.emit(**asked),
            "move": lambda asked: self.move(**asked),
            "fault": lambda asked: self.gateway.faults.plan(**asked | {"mishap": Mishap(asked["mishap"])}),
            "oddities": lambda asked: self._set_oddities(asked["oddities"]),
            "fate": lambda asked: self.portal.fates.update({asked["name"]: asked["state"]}),
            "calls": lambda _: [asdict(one) | {"moment": iso(one.moment)} for one in self.calls()],
        }
        incoming, tls = folder / "incoming", self._certificate.serving()
        self._door = Door(self.gateway, controls, incoming=incoming, tls=tls, host=_HOST, port=port)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"https://{_HOST}:{self._door.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._door.start()

    def stop(self) -> None:
        """Answer no more, and let go of the folder."""
        self._door.stop()
        self._store.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def operator(self, **changes: object) -> ChorusOperator:
        """Return the settings of the application with which our side reaches it."""
        world = self.portal.world
        return ChorusOperator.model_validate(
            {
                "client_id": world.client_id,
                "client_secret": world.client_secret,
                "token_address": self.address + TOKEN,
                "service_address": self.address,
                "authorities": self._certificate.pem,
                "calls_per_second": 1000,
            }
            | changes
        )

    def account(self, login: str = "", **changes: object) -> ChorusAccount:
        """Return the settings of a technical account; the first one by default.

        Raises:
            NotFound: there is no such account.
        """
        known: Technical | None = self.portal.world.account(login) if login else self.portal.world.accounts[0]
        if known is None:
            raise NotFound(login)
        asked = {"environment": Environment.SANDBOX, "login": known.login, "password": known.password}
        return ChorusAccount.model_validate(asked | changes)

    def emit(self, count: int = 1, **given: Any) -> list[int]:
        """Let invoices arrive, and return their identifiers.

        Args:
            count: how many; moments of several follow each other by a second.
            given: any field of ``Invoice``, the same for all of them but for the number, which is followed by a rank.
                ``moment``, aware, is when they were deposited and made available, now by default.
        """
        first: datetime = given.pop("moment", None) or self.portal.clock()
        if isinstance(first, str):
            first = datetime.fromisoformat(first)
        already = self._store.search([], [], 1, 0)[0]
        stem = given.pop("number", "")
        numbers = (
            [stem or f"F-{already + 1:06}"] if count == 1 else [f"{stem or 'F'}-{already + rank + 1:06}" for rank in range(count)]
        )
        made = [ordinary(first + timedelta(seconds=rank), number, **given) for rank, number in enumerate(numbers)]
        return self._store.add(made)

    def move(self, invoice: int, status: str, *, comment: str = "", moment: datetime | str | None = None) -> None:
        """Let somebody else change a status, without asking whether it may: Hélios, a supplier, a clerk on the portal.

        Raises:
            NotFound: there is no such invoice.
        """
        self.invoice(invoice)
        when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        self._store.move(invoice, status, when or self.portal.clock(), comment=comment)

    def correct(self, invoice: int, **changed: Any) -> None:
        """Let the supplier correct what an invoice says, or add pieces to it: any field of ``Invoice``.

        Raises:
            NotFound: there is no such invoice.
        """
        self.invoice(invoice)
        self._store.correct(invoice, changed)

    def invoice(self, known: int) -> Invoice:
        """Return an invoice as it stands.

        Raises:
            NotFound: there is no such invoice.
        """
        found = self._store.find(known)
        if found is None:
            raise NotFound(str(known))
        return found

    def statuses(self, known: int) -> list[str]:
        """Return the statuses that an invoice went through, oldest first."""
        return [one.status for one in self._store.steps(known)]

    def calls(self, service: str = "") -> list[Call]:
        """Return what was asked of a service, named by the end of its path, oldest first; of all when no name is given."""
        return [one for one in self._store.calls() if one.service.endswith(service)]

    def forget_tokens(self) -> None:
        """Let every token given so far be refused."""
        self._store.forget_tokens()

    def _set_oddities(self, names: list[str]) -> None:
        self.gateway.oddities = {Oddity(one) for one in names}


def main() -> None:
    """Serve until interrupted; the address, the application and the accounts are written out."""
    parser = argparse.ArgumentParser(prog="python -m connectors.chorus.simulator")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--invoices", type=int, default=0, help="invoices that arrive at the start")
    given = parser.parse_args()
    simulator = ChorusSimulator(given.folder, port=given.port, deposit_delay=5)
    simulator.start()
    if given.invoices:
        simulator.emit(given.invoices)
    world = simulator.portal.world
    sys.stdout.write(f"{simulator.address}\n{world.client_id} {world.client_secret}\n")
    for one in world.accounts:
        sys.stdout.write(f"{one.login} {one.password}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
