"""Servers that speak the legacy SOAP service of a parapheur, each as an address, accounts by desk, and hands at the desks.

Whatever server is tried, it is set up as ``connectors.iparapheur.simulated_typology.DEMONSTRATION`` says, and is empty.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from connectors.iparapheur.simulated_signing import Identities
from connectors.iparapheur.simulated_typology import DEMONSTRATION
from connectors.iparapheur.simulator import ParapheurSimulator
from signing.pki import TestAuthority
from tests.iparapheur_platform import Town


class Act(Protocol):
    """Do something at a desk: visa, sign, seal, send, reject, read."""

    def __call__(self, desk: str, dossier_id: str, gesture: str, note: str = "") -> None: ...


@dataclass(frozen=True)
class Server:
    """A server to be tried.

    Attributes:
        signs_whole: a PES whose bordereaux could be signed one by one is signed as a whole when that is asked for.
    """

    address: str
    credentials: Mapping[str, tuple[str, str]]
    act: Act
    signs_whole: bool = True


@functools.cache
def identities() -> Identities:
    """People's certificates, made once: keys are slow to make."""
    return Identities(TestAuthority.create())


def simulator(folder: Path, port: int = 0) -> ParapheurSimulator:
    """The simulator, not started."""
    return ParapheurSimulator(folder, identities=identities(), port=port)


@contextmanager
def simulated(folder: Path) -> Iterator[Server]:
    """The simulator as a server to be tried."""
    with simulator(folder) as parapheur:
        accounts = {one.desk: (one.login, one.password) for one in DEMONSTRATION.people}
        yield Server(parapheur.address, accounts, parapheur.act)


@contextmanager
def furnished(town: Town) -> Iterator[Server]:
    """Our own parapheur, furnished anew, as a server to be tried."""
    yield Server(town.address, town.credentials(), town.act, signs_whole=False)
