"""Our side of clamd's protocol (man 8 clamd): one connection for each question, files as a stream (``INSTREAM``).

A file never passes because nobody looked at it: what is no plain answer is raised (``errors``).
"""

from __future__ import annotations

import struct
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Self, TypeVar

from connectors.antivirus.errors import NotScanned, ScannerBlind, ScannerUnavailable
from connectors.antivirus.settings import Scanner
from core.blobs import Readable
from core.messages import Catalogue

_messages = Catalogue("connectors.antivirus")
_PIECE = 1 << 16
_LONGEST_ANSWER = 4096
_FOUND, _CLEAN, _TOO_LARGE = " FOUND", "OK", "size limit exceeded"
_HUNG_UP = (BrokenPipeError, ConnectionResetError)
_LIMITS = "Heuristics.Limits.Exceeded"
# The test file that every antivirus knows (EICAR, 2003), in two pieces: no scanner is to stop at this one.
_EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Infected:
    """Something was found in a file; ``signature`` is the name that the scanner gives it."""

    signature: str


def scan(scanner: Scanner, source: Readable) -> Infected | None:
    """Have a file scanned, read once and forward; None when nothing was found in it.

    Raises:
        ScannerUnavailable: no answer, or none to the question: try again later.
        NotScanned: the file is beyond the scanner's limits.
    """
    sent = 0
    with _Conversation(scanner) as scanning:
        listens = scanning.send(b"zINSTREAM\0")
        while listens and (piece := source.read(_PIECE)):
            listens = scanning.send(struct.pack(">I", len(piece)) + piece)
            sent += len(piece)
        if listens:
            scanning.send(struct.pack(">I", 0))
        answer = scanning.answer().removeprefix("stream: ")
    if answer == _CLEAN:
        return None
    found = answer.removesuffix(_FOUND)
    if _TOO_LARGE in answer or found.startswith(_LIMITS):
        raise NotScanned(_messages("limits", place=scanner, megabytes=-(-sent >> 20), answer=answer))
    if found != answer:
        return Infected(found)
    raise ScannerUnavailable(_messages("failed", place=scanner, answer=answer))


def version(scanner: Scanner) -> str:
    """Return what the scanner says of itself: its version, then that of its database and its day, where it has an official one.

    Raises:
        ScannerUnavailable: it does not answer.
    """
    with _Conversation(scanner) as asking:
        asking.send(b"zVERSION\0")
        return asking.answer()


def prove(scanner: Scanner, size: int) -> None:
    """Have the EICAR test file found at the end of a file as large as those that are taken here.

    clamd says ``OK`` of what lies beyond its limits without having looked at it, unless told otherwise; nothing else tells.

    Args:
        scanner: which.
        size: bytes of the file.

    Raises:
        ScannerUnavailable, NotScanned: as ``scan``.
        ScannerBlind: nothing was found.
    """
    with tempfile.TemporaryFile() as probe:
        _write_probe(probe, size)
        if scan(scanner, probe) is None:
            raise ScannerBlind(_messages("blind", place=scanner, megabytes=size >> 20))


def _write_probe(probe: IO[bytes], size: int) -> None:
    """Write an archive that holds zeros, then the test file; a few hundred octets around them make its size."""
    around = 512
    with zipfile.ZipFile(probe, "w") as archive:
        with archive.open("zeros", "w") as zeros:
            for left in range(max(size - around, 0), 0, -_PIECE):
                zeros.write(bytes(min(left, _PIECE)))
        archive.writestr("eicar.com", _EICAR)
    probe.seek(0)


class _Conversation:
    """One question to a scanner, and its answer, within the time that there is."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._end = time.monotonic() + scanner.whole_timeout
        try:
            self._connection = scanner.connect()
        except OSError as error:
            raise ScannerUnavailable(_messages("silent", place=scanner, reason=type(error).__name__)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, octets: bytes) -> bool:
        """Send some octets; False once the scanner has hung up: it had enough, and has said why."""
        try:
            self._told(lambda: self._connection.sendall(octets))
        except ScannerUnavailable as error:
            if isinstance(error.__cause__, _HUNG_UP):
                return False
            raise
        return True

    def answer(self) -> str:
        """Return what the scanner says before it hangs up, printable.

        Raises:
            ScannerUnavailable: nothing.
        """
        said = b""
        while len(said) < _LONGEST_ANSWER and (piece := self._told(lambda: self._connection.recv(_LONGEST_ANSWER))):
            said += piece
        text = "".join(character for character in said.decode("utf-8", "replace") if character.isprintable()).strip()
        if not text:
            raise ScannerUnavailable(_messages("cut", place=self._scanner))
        return text[:_LONGEST_ANSWER]

    def _told(self, act: Callable[[], _Result]) -> _Result:
        """Do something with the connection, or say in our own words why it cannot be done."""
        left = self._end - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(min(left, self._scanner.answer_timeout))
            return act()
        except _HUNG_UP as error:
            raise ScannerUnavailable(_messages("cut", place=self._scanner)) from error
        except OSError as error:
            raise ScannerUnavailable(_messages("silent", place=self._scanner, reason=type(error).__name__)) from error
