"""A private clamd with signatures of its own: an invented mark, and the test file of all antiviruses, in pieces here."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.antivirus.client import version
from connectors.antivirus.errors import ScannerUnavailable
from connectors.antivirus.settings import Scanner
from tests.waiting import wait_until

PROGRAM = "/usr/sbin/clamd"
MARK = b"Marque inventee, que l'antivirus des essais connait."
SIGNATURE = "Essai.Marque.UNOFFICIAL"
_EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_LIMITS = {"StreamMaxLength": "160M", "MaxFileSize": "160M", "MaxScanSize": "400M", "AlertExceedsMax": "yes"}


@dataclass(frozen=True)
class Clamd:
    """A running clamd, by each of its addresses, as operators write them."""

    tcp: str
    unix: str


@contextmanager
def clamd(**limits: str) -> Iterator[Clamd]:
    """Start a clamd with the limits that the guide asks for, or others."""
    if not Path(PROGRAM).exists():
        pytest.skip("no ClamAV: install the package clamav-daemon")
    # A short path: that of a socket has a hundred octets at most.
    folder = Path(tempfile.mkdtemp(prefix="tabellion-clamd-"))
    database = folder / "database"
    database.mkdir()
    (database / "essai.ndb").write_text(f"Essai.Marque:0:*:{MARK.hex()}\nEicar:0:0:{_EICAR.hex()}\n", encoding="ascii")
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "DatabaseDirectory": database,
        "OfficialDatabaseOnly": "no",
        "TCPAddr": "127.0.0.1",
        "TCPSocket": port,
        "LocalSocket": folder / "clamd.ctl",
        "TemporaryDirectory": folder,
        **_LIMITS,
        **limits,
    }
    (folder / "clamd.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "--foreground", "-c", str(folder / "clamd.conf")], stdout=log, stderr=log)
    try:
        running = Clamd(f"tcp://127.0.0.1:{port}", f"unix:{folder / 'clamd.ctl'}")
        wait_until(lambda: _answers(running), seen=lambda: (folder / "log").read_text(errors="replace"))
        yield running
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def _answers(running: Clamd) -> bool:
    try:
        return bool(version(Scanner.of(running.tcp)))
    except ScannerUnavailable:
        return False
