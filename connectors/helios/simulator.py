"""The DGFiP's side of the gateway, as a server that can be run: SFTP before, Hélios behind, files in a folder between.

A file published in ``depot/`` is taken at once and noted; its acquit appears in ``sortie/`` when the delay is over. A crash
at any moment leaves nothing taken twice and nothing answered twice: a rename decides, each time.

The SFTP door lives in ``simulated_sftp``, Hélios's verdict in ``simulated_guichet``, the memory in ``simulated_ledger``.
"""

from __future__ import annotations

import hashlib
import heapq
import html
import re
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import Ed25519Key

from connectors.helios.remote_name import RemoteName
from connectors.helios.settings import Application, HeliosGateway
from connectors.helios.simulated_directories import DEPOT, RESPONSES, Faults
from connectors.helios.simulated_guichet import Budget, Guichet, Scenario
from connectors.helios.simulated_ledger import Answer, Ledger, Received
from connectors.helios.simulated_sftp import Account, SftpDoor
from core.clock import in_paris, iso, now
from core.errors import NotFound
from core.identifiers import new_id
from schemas.pes.versions import SchemaSets
from signing.trust import TrustStore

DESTINATIONS = frozenset(
    {"VHPCE11", "VHPCE21", "VHPCE31", "VHPCE51", "VHPCE71", "VHICE21"} | {"MHPCE11", "MHPCE21", "MHPCE31", "MHPCE41", "MHPCE51"}
)
"""Destination centres (P_DEST) known in the field."""

_log = structlog.get_logger()
_NOM_FIC = re.compile(rb"<NomFic\s+V\s*=\s*(?:\"([^\"<]{0,100})\"|'([^'<]{0,100})')")
_HEAD = 1 << 16
_ACK_CODE = "A3000000"


class GatewaySimulator:
    """The gateway and Hélios behind it.

    Example:
        >>> ville = Account("ville", password="…")
        >>> with GatewaySimulator(folder, accounts=[ville], schemas=SchemaSets(), trust=trust) as simulator:
        ...     gateway = simulator.settings_for("ville")
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Iterable[Account],
        schemas: SchemaSets,
        trust: TrustStore,
        budgets: Iterable[Budget] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 5.0,
        slow_delay: float = 30.0,
    ) -> None:
        """Prepare the folder; nothing listens before ``start``.

        Args:
            folder: all that the simulator keeps; created when absent.
            accounts: who may connect.
            schemas: versions of the PES schemas that flows are held against.
            trust: authorities whose signatures are recognised.
            budgets: those whose books Hélios keeps; None when any exists.
            host: address to listen on.
            port: TCP port; zero for a free one.
            delay: seconds between a delivery and its acquit.
            slow_delay: seconds for a flow of the scenario ``_LENT``.
        """
        self.folder = folder
        self.host, self.port = host, port
        self.faults = Faults()
        self._guichet = Guichet(schemas, trust, budgets)
        self._delays = {True: timedelta(seconds=slow_delay), False: timedelta(seconds=delay)}
        self._kept, self._staged, self._accounts = (_made(folder / name) for name in ("received", "staged", "accounts"))
        self._key = _host_key(folder / "host_key")
        self._door = SftpDoor(self._accounts, self._key, tuple(accounts), self.faults, self._take)
        self._ledger = Ledger(folder)
        self._due: list[tuple[datetime, int, Received]] = []
        self._wake = threading.Condition()
        self._worker: threading.Thread | None = None
        self._running = False

    def start(self) -> None:
        """Finish what a crash interrupted, then listen."""
        self._recover()
        self._running = True
        self._worker = threading.Thread(target=self._work, name="helios-guichet", daemon=True)
        self._worker.start()
        self.port = self._door.start(self.host, self.port)

    def stop(self) -> None:
        """Listen no more; what is not answered yet will be after the next start."""
        self._door.stop()
        with self._wake:
            self._running = False
            self._due.clear()
            self._wake.notify_all()
        if self._worker is not None:
            self._worker.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def host_key(self) -> str:
        """The server's public key, base64 as in ``known_hosts``; its algorithm is ``ssh-ed25519``."""
        return self._key.get_base64()

    def received(self) -> list[Received]:
        """Return every delivery ever taken, oldest first: what "exactly once" is counted on."""
        return self._ledger.received()

    def settings_for(self, account: str, private_key: str | None = None) -> HeliosGateway:
        """Return the settings with which our side reaches this simulator.

        Args:
            account: name of an account.
            private_key: the account's key, OpenSSH text, when it has no password.

        Raises:
            NotFound: no such account.
        """
        known = self._door.accounts.get(account)
        if known is None:
            raise NotFound(account)
        return HeliosGateway.model_validate(
            {
                "host": self.host,
                "port": self.port,
                "username": account,
                "password": known.password if private_key is None else None,
                "private_key": private_key,
                "host_key": self.host_key,
                "depot_directory": DEPOT,
                "response_directory": RESPONSES,
                "p_dest": "VHPCE11",
                "p_appli": Application.TEST,
                "removes_responses": True,
                "settled_age": 0,
                "second_look_after": 0,
            }
        )

    def plant_response(self, account: str, name: str, content: bytes) -> None:
        """Put a file of any kind among an account's responses: an empty one, a foreign one, one too large."""
        staged = self._staged / new_id()
        staged.write_bytes(content)
        staged.rename(self._accounts / account / RESPONSES / name)

    def _take(self, account: str, source: Path, name: RemoteName) -> bool:
        """Take a file that is being published, exactly once; False refuses its name.

        Raises:
            FileNotFoundError: another connection published it meanwhile.
        """
        if name.p_appli != Application.TEST.value or name.p_dest not in DESTINATIONS:
            return False
        kept = self._kept / account / f"{new_id()}.{name}"
        kept.parent.mkdir(exist_ok=True)
        with source.open("rb") as stream:
            if hashlib.file_digest(stream, "sha1").hexdigest() != name.sha1:
                return False
        source.rename(kept)
        self._note(kept)
        return True

    def _note(self, kept: Path) -> None:
        with kept.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            nom_fic = _nom_fic(stream.read(_HEAD))
        self._schedule(
            self._ledger.receive(
                Received(
                    rank=0,
                    account=kept.parent.name,
                    file=str(kept.relative_to(self._kept)),
                    remote_name=kept.name.split(".", 1)[1],
                    sha256=sha256,
                    size=kept.stat().st_size,
                    nom_fic=nom_fic,
                    time=iso(now()),
                )
            )
        )

    def _schedule(self, delivery: Received) -> None:
        delay = self._delays[Scenario.of(delivery.nom_fic) is Scenario.LENT]
        with self._wake:
            due = datetime.fromisoformat(delivery.time) + delay
            heapq.heappush(self._due, (due, delivery.rank, delivery))
            self._wake.notify_all()

    def _recover(self) -> None:
        """Go on from where a crash left: files taken and not noted, deliveries not decided, answers not published."""
        noted = {delivery.file for delivery in self._ledger.received()}
        for delivery in self._ledger.undecided():
            self._schedule(delivery)
        for kept in sorted(self._kept.glob("*/*")):
            if str(kept.relative_to(self._kept)) not in noted:
                self._note(kept)
        for answer in self._ledger.unpublished():
            self._publish(answer)
        for abandoned in self._staged.iterdir():  # staged, and the decision never noted: it is taken again
            abandoned.unlink()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._answer(delivery)
            except Exception:  # noqa: BLE001 - one flow that the rules stumble over must not leave all others without an answer
                _log.exception("simulator.not_answered", delivery=delivery.file)

    def _next(self) -> Received | None:
        """Wait for the next delivery whose delay is over; None when the simulator stops."""
        with self._wake:
            while self._running:
                wait = (self._due[0][0] - now()).total_seconds() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._wake.wait(wait)
        return None

    def _answer(self, delivery: Received) -> None:
        """Decide, stage the acquits, note both at once, then publish: a staged acquit that is gone was published."""
        decision = self._guichet.decide(self._kept / delivery.file, self._ledger.taken)
        answers = []
        for rank, acquit in enumerate(decision.acquits(), start=1):
            answer = Answer(_answer_name(delivery, rank, accepted=decision.accepted), delivery.account)
            (self._staged / answer.name).write_bytes(acquit)
            answers.append(answer)
        if self._ledger.decide(delivery, decision.taken, answers):
            for answer in answers:
                self._publish(answer)

    def _publish(self, answer: Answer) -> None:
        staged = self._staged / answer.name
        if staged.exists():
            staged.rename(self._accounts / answer.account / RESPONSES / answer.name)
        self._ledger.published(answer)


def _answer_name(delivery: Received, rank: int, *, accepted: bool) -> str:
    """Name an acquit as the DGFiP does. The office is that of the deposit's name: what the flow says may be anything."""
    name = RemoteName.parse(delivery.remote_name)
    office = name.id_post if name else delivery.account
    moment = in_paris(now()).strftime("%y%m%d%H%M%S")
    return f"{office}_{moment}-ACK-{_ACK_CODE}_S{delivery.rank:06d}{rank}{'' if accepted else '_KO'}.xml"


def _nom_fic(head: bytes) -> str | None:
    match = _NOM_FIC.search(head)
    return html.unescape((match[1] or match[2] or b"").decode("latin-1")) if match else None


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _host_key(path: Path) -> Ed25519Key:
    """Read the server's key, generated the first time."""
    if not path.exists():
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        draft.rename(path)
    return Ed25519Key.from_private_key_file(path)
