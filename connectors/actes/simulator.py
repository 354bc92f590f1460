"""The ministry's platform for acts, as a server that can be run: HTTPS with a client certificate in, real mail out.

An archive that came whole is noted before it is said to be taken; what it leads to is decided when the delay is over, and noted
at once; the mails that answer it go to every address of the envelope, again and again until a mail server takes them. A crash
at any moment loses nothing; it may send a mail twice, as mail does.

The door lives in ``simulated_door``, the State's verdict in ``simulated_prefecture``, mails in ``simulated_mailing``, the memory
in ``simulated_ledger``, the console in ``simulated_console``; the operator's mailbox is another server, ``simulated_mailbox``.

    python -m connectors.actes.simulator --folder var/actes --port 8443 --console-port 8444 --relay 127.0.0.1:2525
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import threading
from collections.abc import Collection
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import structlog

from connectors.actes.settings import ActesOperator, Credentials, Mailbox, Quadrigramme
from connectors.actes.simulated_certificates import Identity, TlsAuthority
from connectors.actes.simulated_classification import demonstration
from connectors.actes.simulated_console import Console
from connectors.actes.simulated_door import Access, Door, Faults
from connectors.actes.simulated_ledger import Delivery, KnownAct, Ledger
from connectors.actes.simulated_mailing import Fidelity
from connectors.actes.simulated_post import Writer, hand_over
from connectors.actes.simulated_prefecture import Prefecture
from core.clock import in_paris, iso, now
from core.errors import NotFound
from core.identifiers import new_id
from core.messages import Catalogue
from schemas.actes.classification import Classification
from schemas.actes.rules import Operator

_log = structlog.get_logger()
_messages = Catalogue("connectors.actes")
_AGAIN = 1.0
_MAILS = "mails"


class MinistrySimulator:
    """The ministry.

    Attributes:
        authority: of its certificates, and of those that it takes.
        faults: what goes wrong with the next deposits.
        fidelity: how faithful it is to what the ministry has been seen to send.

    Example:
        >>> with MinistrySimulator(folder, relay=("127.0.0.1", 2525)) as ministry:
        ...     operator = ministry.operator(mailbox, "tdt@tdt.test")
    """

    def __init__(
        self,
        folder: Path,
        *,
        relay: tuple[str, int],
        trigramme: str = "TAB",
        quadrigramme: Quadrigramme = Quadrigramme.TEST,
        classification: Classification | None = None,
        collectivites: Collection[str] | None = None,
        strict: bool = False,
        access: Access | None = None,
        fidelity: Fidelity | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        console_port: int = 0,
        delay: float = 5.0,
    ) -> None:
        """Prepare the folder; nothing is answered before ``start``.

        Args:
            folder: all that the simulator keeps; made when absent.
            relay: host and port of the mail server that takes its mails.
            trigramme: of the operator whose archives are taken.
            quadrigramme: of the application.
            classification: in force; a small one by default.
            collectivites: SIREN of those that are registered; None when all are.
            strict: whether the rules beyond R22 refuse too.
            access: what is asked beside a certificate.
            fidelity: oddities of the ministry's mails.
            host: address to listen on.
            port: of HTTPS; zero for a free one.
            console_port: of the console, in plain HTTP; zero for a free one.
            delay: seconds between a delivery and its answer.
        """
        self.folder = folder
        self.faults, self.fidelity = Faults(), fidelity or Fidelity()
        self._kept, self._incoming = _made(folder / "received"), _made(folder / "incoming")
        for abandoned in self._incoming.iterdir():  # of requests that a kill interrupted: nobody was told that they were taken
            abandoned.unlink()
        self.authority = TlsAuthority.open(folder / "tls")
        self._identity = Identity.open(folder / "tls" / "server.pem", lambda: self.authority.server(host, "localhost"))
        self._client = Identity.open(folder / "tls" / "client.pem", self.authority.client)
        self._trigramme, self._quadrigramme, self._host = trigramme, quadrigramme, host
        self._relay, self._delay, self._access = relay, timedelta(seconds=delay), access or Access()
        self._ledger = Ledger(folder)
        self._writer = Writer(_made(folder / _MAILS), self._ledger, self.fidelity)
        self._prefecture = Prefecture(
            Operator(trigramme, quadrigramme.value),
            classification or demonstration(),
            collectivites=collectivites,
            strict=strict,
            act=self._ledger.act,
            letters=self._ledger.letters,
        )
        self._door = Door(
            self._take,
            incoming=self._incoming,
            faults=self.faults,
            access=self._access,
            genuine=self._identity.serving(asks_for=self.authority),
            stranger=self.authority.server(host, "localhost").serving(),
            host=host,
            port=port,
        )
        self._console = Console(self._ledger.told, self._write_as_asked, host, console_port)
        self._wake = threading.Condition()
        self._running = self._stirred = False
        self._worker = threading.Thread(target=self._work, name="actes-ministry", daemon=True)

    @property
    def url(self) -> str:
        """Where archives are posted to."""
        return f"https://{self._host}:{self._door.port}/actes"

    @property
    def console_url(self) -> str:
        """Where the console is."""
        return f"http://{self._host}:{self._console.port}/"

    @property
    def classification(self) -> Classification:
        """The classification in force."""
        return self._prefecture.classification

    @classification.setter
    def classification(self, classification: Classification) -> None:
        self._prefecture.classification = classification

    def start(self) -> None:
        """Finish what a crash interrupted, then listen."""
        noted = {delivery.file for delivery in self._ledger.deliveries()}
        for kept in sorted(self._kept.iterdir()):
            if kept.name not in noted:
                self._note(kept, "")
        self._running = True
        self._worker.start()
        self._door.start()
        self._console.start()

    def stop(self) -> None:
        """Listen no more; what is not answered yet will be after the next start."""
        self._console.stop()
        self._door.stop()
        with self._wake:
            self._running = False
            self._wake.notify_all()
        if self._worker.is_alive():
            self._worker.join()
        self._ledger.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def deliveries(self) -> list[Delivery]:
        """Return every delivery ever taken, oldest first: what "nothing leaves twice" is counted on."""
        return self._ledger.deliveries()

    def acts(self) -> list[KnownAct]:
        """Return the acts that were acknowledged."""
        return self._ledger.acts()

    def send_letter(self, id_acte: str, code: str, text: str = "", day: date | None = None) -> None:
        """Write about an act: 2-1, 3-1, 4-1 or 5-1.

        Args:
            id_acte: of an act that was acknowledged.
            code: of the message.
            text: what the letter says, asks for, or objects to.
            day: date of the letter; today by default.

        Raises:
            NotFound: no such act was acknowledged.
            UsageError: another message.
        """
        known = self._ledger.act(id_acte)
        if known is None:
            raise NotFound(id_acte)
        letter, mails = self._writer.letter(known, code, text or _messages("ministry.letter"), day or in_paris(now()).date())
        self._ledger.send(letter, mails)
        self._hurry()

    def operator(self, mailbox: Mailbox, return_address: str, **changes: Any) -> ActesOperator:
        """Return the settings with which an operator reaches this simulator.

        Args:
            mailbox: where its mails arrive.
            return_address: of this mailbox.
            **changes: of the settings.
        """
        account = self._access.credentials is not Credentials.NONE
        endpoint = {
            "url": self.url,
            "client_certificate": self._client.pem,
            "credentials": self._access.credentials,
            "user": self._access.user if account else None,
            "password": self._access.password if account else None,
            "tls": {"authorities": self.authority.pem, "fingerprints": [self._identity.fingerprint]},
        }
        given = {
            "trigramme": self._trigramme,
            "quadrigramme": self._quadrigramme,
            "endpoint": endpoint,
            "mailbox": mailbox,
            "return_address": return_address,
        }
        return ActesOperator.model_validate(given | changes)

    def _take(self, path: Path, name: str, client: str) -> None:
        """Keep an archive, under a name of our own that tells its own."""
        kept = self._kept / f"{new_id()}.{''.join(one if one.isalnum() or one in '._-' else '_' for one in name)[-180:]}"
        path.rename(kept)
        self._note(kept, client)

    def _note(self, kept: Path, client: str) -> None:
        with kept.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        name = kept.name.partition(".")[2]
        self._ledger.receive(Delivery(0, name, kept.name, sha256, kept.stat().st_size, client, iso(now())))
        self._hurry()

    def _hurry(self) -> None:
        with self._wake:
            self._stirred = True
            self._wake.notify_all()

    def _work(self) -> None:
        while self._running:
            wait = self._step()
            with self._wake:
                if self._running and not self._stirred:
                    self._wake.wait(wait)
                self._stirred = False

    def _step(self) -> float | None:
        """Decide what is due and send what is written; return the seconds after which to look again."""
        wait: float | None = None
        for delivery in self._ledger.undecided():
            left = (datetime.fromisoformat(delivery.time) + self._delay - now()).total_seconds()
            if left > 0:
                wait = left if wait is None else min(wait, left)
                continue
            try:
                self._decide(delivery)
            except Exception:  # noqa: BLE001 - one archive that the rules stumble over must not leave all others without an answer
                _log.exception("simulator.not_answered", delivery=delivery.file)
                self._ledger.decide(delivery, "fault", acts=(), answered=(), mails=())
        return wait if hand_over(self._ledger, self.folder / _MAILS, self._relay) else _AGAIN

    def _decide(self, delivery: Delivery) -> None:
        earlier = self._ledger.earlier(delivery)
        if any(one.sha256 == delivery.sha256 for one in earlier):  # noticed, counted, answered once
            self._ledger.decide(delivery, "duplicate", acts=(), answered=(), mails=())
            return
        with tempfile.TemporaryDirectory(dir=self._incoming.parent) as folder:
            day = in_paris(now()).date()
            decision = self._prefecture.decide(self._kept / delivery.file, delivery.name, Path(folder), day)
            mails = self._writer.answers(decision, self._quadrigramme.value, day)
            self._ledger.decide(delivery, decision.outcome, acts=decision.acts, answered=decision.letters, mails=mails)

    def _write_as_asked(self, asked: dict[str, Any]) -> None:
        """Write a letter that the console asks for."""
        day = date.fromisoformat(asked["day"]) if asked.get("day") else None
        self.send_letter(str(asked["act"]), str(asked["message"]), str(asked.get("text", "")), day)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main() -> None:
    """Serve until interrupted; the addresses are written out."""
    parser = argparse.ArgumentParser(prog="python -m connectors.actes.simulator")
    parser.add_argument("--folder", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--console-port", type=int, default=0)
    parser.add_argument("--relay", default="127.0.0.1:25", help="mail server, host:port")
    given = parser.parse_args()
    host, _, port = given.relay.rpartition(":")
    simulator = MinistrySimulator(given.folder, relay=(host, int(port)), port=given.port, console_port=given.console_port)
    simulator.start()
    sys.stdout.write(
        f"{simulator.url}\n{simulator.console_url}\n{simulator.authority.client().kept(given.folder / 'client.pem')}\n"
    )
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
