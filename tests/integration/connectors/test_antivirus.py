"""Files before a real clamd: what it finds, what it cannot look at, and that nothing passes because it is away."""

from __future__ import annotations

import io
import socket
import threading
import zipfile
from collections.abc import Iterator

import pytest

from connectors.antivirus.client import Infected, prove, scan, version
from connectors.antivirus.errors import NotScanned, ScannerBlind, ScannerUnavailable
from connectors.antivirus.settings import Scanner
from core.errors import Misconfigured, NeedsOperator, Unavailable
from tests.clamd import MARK, SIGNATURE, Clamd, clamd
from tests.conftest import free_port

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def small() -> Iterator[Clamd]:
    """A clamd with the limits that a distribution gives it, which says nothing of what it did not look at."""
    with clamd(StreamMaxLength="4M", MaxFileSize="2M", MaxScanSize="2M", AlertExceedsMax="no") as running:
        yield running


@pytest.mark.parametrize("by", ["tcp", "unix"])
def test_a_clean_file_passes_and_what_is_known_is_named(antivirus: Clamd, by: str) -> None:
    scanner = Scanner.of(getattr(antivirus, by))
    assert scan(scanner, io.BytesIO(b"")) is None
    assert scan(scanner, io.BytesIO(b"%PDF-1.7 une deliberation")) is None
    assert scan(scanner, io.BytesIO(b"%PDF-1.7 " + MARK)) == Infected(SIGNATURE)
    assert version(scanner).startswith("ClamAV ")


def test_what_is_known_is_found_at_the_end_of_a_large_file_and_inside_an_archive(antivirus: Clamd) -> None:
    scanner = Scanner.of(antivirus.tcp)
    assert scan(scanner, io.BytesIO(bytes(20 * MEGABYTE) + MARK)) == Infected(SIGNATURE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("piece.pdf", b"%PDF-1.7 " + MARK)
    assert scan(scanner, io.BytesIO(packed.getvalue())) == Infected(SIGNATURE)


def test_a_file_beyond_the_stream_is_for_the_operator_in_plain_words(small: Clamd) -> None:
    with pytest.raises(NotScanned, match="StreamMaxLength") as refused:
        scan(Scanner.of(small.tcp), io.BytesIO(bytes(6 * MEGABYTE)))
    assert isinstance(refused.value, NeedsOperator)


def test_a_file_beyond_what_is_looked_at_is_no_clean_file_where_clamd_says_so() -> None:
    with clamd(MaxFileSize="2M") as running, pytest.raises(NotScanned, match="MaxFileSize"):
        scan(Scanner.of(running.tcp), io.BytesIO(bytes(3 * MEGABYTE)))


def test_a_clamd_that_does_not_look_at_large_files_is_found_out(antivirus: Clamd, small: Clamd) -> None:
    prove(Scanner.of(antivirus.unix), 3 * MEGABYTE)
    prove(Scanner.of(small.unix), MEGABYTE // 2)
    with pytest.raises(ScannerBlind, match="AlertExceedsMax"):
        prove(Scanner.of(small.unix), 3 * MEGABYTE)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "unix:/nowhere/clamd.ctl"])
def test_without_a_clamd_a_file_waits(address: str) -> None:
    with pytest.raises(ScannerUnavailable) as refused:
        scan(Scanner.of(address.format(port=free_port())), io.BytesIO(b"%PDF-1.7"))
    assert isinstance(refused.value, Unavailable)


@pytest.mark.parametrize(
    "answer",
    [b"", b"stream: Can't allocate memory ERROR\0", b"\xff\xfe\0", b"UNKNOWN COMMAND\0", b"stream: OKAY\0", None],
    ids=["nothing", "error", "garbage", "unknown", "almost", "silence"],
)
def test_no_answer_but_a_plain_one_lets_a_file_pass(answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        thread = threading.Thread(target=_say, args=(server, answer), daemon=True)
        thread.start()
        with pytest.raises(ScannerUnavailable):
            scan(Scanner((host, port), answer_timeout=0.2), io.BytesIO(b"%PDF-1.7"))
    thread.join(10)


def _say(server: socket.socket, answer: bytes | None) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        heard = b""
        while not heard.endswith(b"\0\0\0\0"):
            heard += connection.recv(4096)
        if answer is None:
            connection.recv(1)  # until the other side gives up
        else:
            connection.sendall(answer)


@pytest.mark.parametrize(
    "address",
    ["clamd", "tcp://", "tcp://host:none", "tcp://user@host:3310", "tcp://host/path", "http://host:3310", "unix:relative"],
)
def test_an_address_that_cannot_be_read_is_told(address: str) -> None:
    with pytest.raises(Misconfigured, match="TABELLION_ANTIVIRUS"):
        Scanner.of(address)


def test_addresses_are_read() -> None:
    assert Scanner.of("tcp://antivirus.example").place == ("antivirus.example", 3310)
    assert Scanner.of("tcp://[::1]:3311").place == ("::1", 3311)
    assert Scanner.of("unix:/run/clamav/clamd.ctl").place == "/run/clamav/clamd.ctl"
