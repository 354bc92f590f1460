"""A mail server that keeps what it is given, one file a message, in a process of its own; some addresses make it misbehave.

refused…@     unknown: 550 at RCPT
later…@       451 at RCPT, as often as the file ``later`` in its folder says; then taken
lost…@        the message is kept, and the connection ends without an answer to the final dot; once an address
dropped…@     the message is not kept, and the connection ends in the same way; once an address
unwanted…@    554 at the final dot
"""

from __future__ import annotations

import email
import email.policy
import itertools
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from tests.waiting import wait_until


class Keeper:
    """What the server does."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.numbers, self.odd = folder, itertools.count(), Counter[str]()

    async def handle_EHLO(  # noqa: N802
        self, _server: object, session: Session, _envelope: object, hostname: str, answers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        (self.folder / f"connection-{next(self.numbers):05}").touch()
        return answers

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("refused"):
            return "550 5.1.1 no such user"
        if address.startswith("later"):
            self.odd[address] += 1
            if self.odd[address] <= int((self.folder / "later").read_text()):
                return "451 4.2.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        (address,) = envelope.rcpt_tos
        if address.startswith("unwanted"):
            return "554 5.7.1 not wanted"
        self.odd[address] += address.startswith(("lost", "dropped"))
        ends = self.odd[address] == 1 and address.startswith(("lost", "dropped"))
        number = next(self.numbers)
        if not (ends and address.startswith("dropped")):
            part = self.folder / f".{number}"
            part.write_bytes(f"{envelope.mail_from}\r\n{address}\r\n".encode() + envelope.content)
            part.rename(self.folder / f"mail-{number:05}")
        if ends:
            assert server.transport is not None
            server.transport.close()
        return f"250 2.0.0 Ok: queued as {number:05}"


class Sink:
    """The server, as tests see it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, SecretStr(f"smtp://127.0.0.1:{port}")

    def kept(self) -> list[tuple[str, str, bytes]]:
        """Return what was taken, in order: return path, recipient, octets."""
        parts = (path.read_bytes().split(b"\r\n", 2) for path in sorted(self.folder.glob("mail-*")))
        return [(sender.decode(), recipient.decode(), octets) for sender, recipient, octets in parts]

    def to(self, address: str) -> list[EmailMessage]:
        """Return the messages to an address."""
        return [email.message_from_bytes(octets, policy=email.policy.default) for _, to, octets in self.kept() if to == address]

    def connections(self) -> int:
        """Return how many connections were made."""
        return len(list(self.folder.glob("connection-*")))

    def clear(self) -> None:
        """Forget what was kept."""
        for path in (*self.folder.glob("mail-*"), *self.folder.glob("connection-*")):
            path.unlink()


@contextmanager
def mail_sink(folder: Path) -> Iterator[Sink]:
    """Run the server for the time of the block."""
    folder.mkdir()
    (folder / "later").write_text("1")
    process = subprocess.Popen([sys.executable, "-m", "tests.mail_sink", str(folder)], cwd=Path(__file__).parents[1])
    try:
        wait_until((folder / "port").exists)
        yield Sink(folder, int((folder / "port").read_text()))
    finally:
        process.kill()
        process.wait()


def _serve(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Keeper(folder), hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    part = folder / ".port"
    part.write_text(str(controller.port))
    part.rename(folder / "port")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
