"""Which addresses are reached that others than the operator name, over real sockets and TLS; names are answered by the test."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import create_default_context

import pytest
import urllib3

from connectors.chorus.simulated_certificate import Certificate
from core import addresses
from core.addresses import AddressRefused, check, connected, is_public
from tests.addresses import LOOPBACK

NAME = "service.valmorin.example"
ONE = (ipaddress.ip_network("127.0.0.1/32"),)
PUBLIC = "93.184.216.34"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Say what the name resolves to, each time it is asked; the last answer stays. The list that comes back is of the askings."""
    ask = socket.getaddrinfo

    def say(*answers: tuple[str, ...]) -> list[str]:
        left, asked = list(answers), []

        def answer(host: str, port: int, *arguments: int, **options: int) -> list[object]:
            if host != NAME:
                return ask(host, port, *arguments, **options)  # type: ignore[return-value]
            asked.append(host)
            found = left.pop(0) if len(left) > 1 else left[0]
            return [entry for one in found for entry in ask(one, port, *arguments, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        return asked

    return say


@contextmanager
def serving(host: str = "127.0.0.1", port: int = 0, certificate: Certificate | None = None) -> Iterator[tuple[int, list[str]]]:
    """Serve HTTP, and close after each answer; gives the port, and whom requests named."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["Host"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            return

    with ThreadingHTTPServer((host, port), Handler) as server:
        if certificate is not None:
            server.socket = certificate.serving().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port, heard
        server.shutdown()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "0.0.0.0", "10.0.0.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255",
        "2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "127.1",
        "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_no_spelling_of_an_address_of_our_own_network_passes(host: str) -> None:
    for reach in (lambda: check(host, ()), lambda: connected(host, 9, (), 1)):
        with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"):
            reach()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("192.168.1.1", False),
        ("2001:db8::1", False),
        ("2001:0:5ef5:79fb::1", False),
        ("::ffff:93.184.216.34", False),
    ],
)
def test_only_addresses_of_the_public_network_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_what_the_operator_permits_is_reached_and_no_more() -> None:
    with serving() as (port, _), connected("127.0.0.1", port, ONE, 5) as line:
        assert line.getpeername() == ("127.0.0.1", port)
    with pytest.raises(AddressRefused):
        connected("127.0.0.2", port, ONE, 5)


@pytest.mark.parametrize("others", [("127.0.0.1",), ("::1", PUBLIC), ("169.254.169.254",)])
def test_all_addresses_of_a_name_must_be_permitted(named: Callable[..., list[str]], others: tuple[str, ...]) -> None:
    named((PUBLIC, *others))
    with pytest.raises(AddressRefused, match=NAME) as refused:
        check(NAME, ())
    assert not any(one in str(refused.value) for one in others), "an organisation does not learn how our network is made"
    with pytest.raises(AddressRefused):
        connected(NAME, 443, (), 5)


def test_a_name_that_is_not_known_now_is_not_refused_when_it_is_written_down(named: Callable[..., list[str]]) -> None:
    named(("a name that nobody has",))
    check(NAME, ())
    for name in (NAME, "x" * 64):
        with pytest.raises(socket.gaierror):
            connected(name, 443, (), 5)


def test_a_line_goes_to_the_address_that_was_looked_at(named: Callable[..., list[str]]) -> None:
    asked = named(("127.0.0.1",), ("127.0.0.2",))
    with serving() as (port, _), connected(NAME, port, ONE, 5) as line:
        assert (line.getpeername(), asked) == (("127.0.0.1", port), [NAME])


def test_every_connection_of_a_pool_is_looked_at_anew(named: Callable[..., list[str]]) -> None:
    asked = named(("127.0.0.1",), ("127.0.0.2",))
    with serving() as (port, heard), serving("127.0.0.2", port) as (_, neighbour):
        http = addresses.pool(ONE, timeout=5, retries=False)
        assert http.request("GET", f"http://{NAME}:{port}/").status == 200
        with pytest.raises(AddressRefused):
            http.request("GET", f"http://{NAME}:{port}/")
    assert (heard, neighbour, asked) == ([f"{NAME}:{port}"], [], [NAME, NAME])


def test_the_certificate_must_be_of_the_name_not_of_the_address(named: Callable[..., list[str]], tmp_path: Path) -> None:
    named(("127.0.0.1",))
    certificate = Certificate(tmp_path / "server.pem")
    with serving(certificate=certificate) as (port, heard):
        context = create_default_context(cadata=certificate.pem)
        http = addresses.pool(LOOPBACK, timeout=5, retries=False, ssl_context=context)
        assert http.request("GET", f"https://127.0.0.1:{port}/").status == 200
        with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            http.request("GET", f"https://{NAME}:{port}/")
    assert len(heard) == 1


def test_the_next_address_of_a_name_is_tried_where_one_does_not_answer(named: Callable[..., list[str]]) -> None:
    named(("127.0.0.3", "127.0.0.1"), ("127.0.0.3",))
    with serving() as (port, _):
        connected(NAME, port, LOOPBACK, 5).close()
        with pytest.raises(urllib3.exceptions.NewConnectionError):
            addresses.pool(LOOPBACK, timeout=5, retries=False).request("GET", f"http://{NAME}:{port}/")
