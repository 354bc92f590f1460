"""An i-Parapheur for demonstrations and tests, as a server: its SOAP and its REST services over the same dossiers.

It is as strict as the original, forgets nothing when it is killed, signs for real with identities that nobody believes, and fails
on demand. What people do at their desks is done by ``act``, or over HTTP at ``/simulator/act`` with the account of the desk.

    python -m connectors.iparapheur.simulator --folder var/parapheur --port 8095
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Self

from connectors.iparapheur.messages import Visibility
from connectors.iparapheur.settings import ParapheurSettings, Protocol
from connectors.iparapheur.simulated_circuit import Circuit, Gesture
from connectors.iparapheur.simulated_http import Doors, Faults, Server
from connectors.iparapheur.simulated_rest import CLIENT_ID, RestDoor
from connectors.iparapheur.simulated_signing import Identities
from connectors.iparapheur.simulated_soap import SoapDoor
from connectors.iparapheur.simulated_store import Store
from connectors.iparapheur.simulated_typology import DEMONSTRATION, EMITTER, TENANT, Person, Typology, identifier
from core.errors import NotFound
from signing.pki import TestAuthority


class ParapheurSimulator:
    """A parapheur that listens on a port.

    Attributes:
        authority: who issued the certificates that it signs with.
        faults: what goes wrong with the next requests.
        rest: its REST service.
        typology: what it is set up with.

    Example:
        >>> with ParapheurSimulator(folder) as parapheur:
        ...     settings = parapheur.settings_for("Actes", "signature")
    """

    def __init__(
        self,
        folder: Path,
        *,
        typology: Typology = DEMONSTRATION,
        identities: Identities | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Open the folder; nothing is answered before ``start``.

        Args:
            folder: all that it keeps; made when absent.
            typology: people, types, circuits.
            identities: who signs; by default those of an authority kept in the folder.
            host: address to listen on.
            port: TCP port; zero for a free one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        identities = identities or Identities(TestAuthority.open(folder / "authority"))
        self.authority = identities.authority
        self.typology = typology
        self.faults = Faults()
        self._store = Store(folder)
        self._circuit = Circuit(self._store, typology, identities)
        self.rest = RestDoor(self._circuit)
        doors = Doors(self._circuit, SoapDoor(self._circuit), self.rest, self.faults, folder / "incoming")
        self._server = Server(doors, host, port)

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._server.url

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more, and let go of the folder."""
        self._server.stop()
        self._store.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def person_at(self, desk: str) -> Person:
        """Return who holds a desk.

        Raises:
            NotFound: there is no such desk.
        """
        if desk not in {one.desk for one in self.typology.people}:
            raise NotFound(desk)
        return self.typology.holder(desk)

    def act(self, desk: str, dossier_id: str, gesture: str, note: str = "") -> None:
        """Do something at a desk: visa, sign, seal, send, reject, read.

        Raises:
            Refusal: the dossier is not there, or another gesture is asked for.
        """
        self._circuit.act(self.person_at(desk), dossier_id, Gesture(gesture), note)

    def dossiers(self) -> list[str]:
        """Return the identifier of every dossier, oldest first: what "nothing twice" is counted on."""
        return [one.known_as for one in self._store.all()]

    def settings_for(self, kind: str, subtype: str, protocol: Protocol = Protocol.SOAP, **changes: object) -> ParapheurSettings:
        """Return the settings with which our side reaches it, as the account of finance software."""
        person = self.person_at(EMITTER)
        return ParapheurSettings.model_validate(
            {
                "protocol": protocol,
                "address": self.address,
                "login": person.login,
                "password": person.password,
                "type": kind,
                "subtype": subtype,
                "visibility": Visibility.SERVICE,
                "metadata": {"urgence": "urgent", "service": "service"},
                "tenant": TENANT,
                "desk": identifier(person.desk),
                "client_id": CLIENT_ID,
            }
            | changes
        )


def main() -> None:
    """Serve until interrupted; the address and the accounts are written out."""
    parser = argparse.ArgumentParser(prog="python -m connectors.iparapheur.simulator")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    simulator = ParapheurSimulator(given.folder, port=given.port)
    simulator.start()
    sys.stdout.write(f"{simulator.address}\n")
    for person in simulator.typology.people:
        sys.stdout.write(f"{person.desk}: {person.login} {person.password} {identifier(person.desk)}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
