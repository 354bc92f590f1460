"""Telling a finance software of a delivery, over real HTTP and TLS: signed, repeated under one key, never to our neighbours."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.chorus.simulated_certificate import Certificate
from connectors.finance import errors, webhook
from connectors.finance.answers import Answer
from connectors.finance.settings import Bounds, WebhookPlace
from core.addresses import AddressRefused
from tests.addresses import LOOPBACK
from tests.finance import SECRET, Software, finance_software

LOCAL = Bounds(networks=LOOPBACK)
DELIVERY = "21400999500017_F-2026-001_10000001"
BODY = json.dumps({"delivery": DELIVERY, "nom": "Papeterie du Lavoir"}).encode()


@pytest.fixture
def software() -> Iterator[Software]:
    with finance_software() as running:
        yield running


def told(software: Software, **changes: object) -> Answer | None:
    return webhook.tell(software.place(**changes), LOCAL, DELIVERY, BODY)


def test_a_delivery_is_told_signed_and_under_its_name(software: Software) -> None:
    assert told(software) is None
    assert software.taken == {DELIVERY: json.loads(BODY)}
    assert software.refused == 0


def test_over_tls_with_a_private_authority(tmp_path: Path) -> None:
    with finance_software(Certificate(tmp_path / "server.pem")) as software:
        assert told(software) is None
        with pytest.raises(errors.CertificateRefused, match="rien n’a été envoyé"):
            told(software, authorities=None)
        assert software.calls == [DELIVERY]


def test_another_secret_is_refused_by_the_software(software: Software) -> None:
    with pytest.raises(errors.RequestRefused, match="401"):
        told(software, secret="x" * 32)
    assert software.taken == {}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"taken": true, "software_reference": "P-2026-17"}', Answer(taken=True, software_reference="P-2026-17")),
        (b'{"taken": false, "reason": "Tiers\\ninconnu"}', Answer(taken=False, reason="Tiers inconnu")),
        (b'{"taken": false}', Answer(taken=False, reason="Refusée par le logiciel financier, sans motif.")),
        (b'{"status": "queued"}', None),
        (b"<html>Bonjour</html>", None),
        (b"", None),
    ],
)
def test_what_a_success_says(software: Software, body: bytes, answer: Answer | None) -> None:
    software.answers = [(200, body)]
    assert told(software) == answer


def test_a_success_that_says_something_unknown_is_for_a_person(software: Software) -> None:
    software.answers = [(200, b'{"taken": "oui"}')]
    with pytest.raises(errors.AnswerUnreadable):
        told(software)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_pass_is_tried_again(software: Software, status: int) -> None:
    software.answers = [(status, b"")]
    with pytest.raises(errors.FinanceUnavailable, match=str(status)):
        told(software)


@pytest.mark.parametrize("status", [302, 400, 404, 409])
def test_what_will_not_pass_is_for_a_person_and_no_redirection_is_followed(software: Software, status: int) -> None:
    software.answers = [(status, b"")]
    with pytest.raises(errors.RequestRefused, match=str(status)):
        told(software)
    assert len(software.calls) == 1


def test_a_lost_answer_is_asked_for_again_under_the_same_key(software: Software) -> None:
    software.cut = 1
    with pytest.raises(errors.FinanceUnavailable):
        told(software)
    assert told(software) is None
    assert software.calls == [DELIVERY, DELIVERY]
    assert list(software.taken) == [DELIVERY]


def test_a_software_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = WebhookPlace(address=f"http://127.0.0.1:{mute.getsockname()[1]}/", secret=SECRET, read_timeout=0.3)
        with pytest.raises(errors.FinanceUnavailable):
            webhook.tell(place, LOCAL, DELIVERY, BODY)


def answering(server: socket.socket, octets: bytes, after: float) -> None:
    line, _ = server.accept()
    with line:
        line.recv(1 << 16)
        time.sleep(after)
        line.sendall(octets)


@pytest.mark.parametrize(("octets", "heard"), [(b"HTTP/1.1 204 Pris\r\n\r\n", True), (b"SSH-2.0-OpenSSH_9.2\r\n", False)])
def test_a_slow_software_is_heard_and_one_that_speaks_otherwise_is_asked_again(octets: bytes, heard: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answering, args=(server, octets, 0.6), daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        place = WebhookPlace(address=address, secret=SECRET, connect_timeout=0.3, read_timeout=30)
        if heard:
            assert webhook.tell(place, LOCAL, DELIVERY, BODY) is None
        else:
            with pytest.raises(errors.FinanceUnavailable):
                webhook.tell(place, LOCAL, DELIVERY, BODY)


def test_our_own_network_is_not_called_unless_the_operator_permits_it(software: Software) -> None:
    with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"):
        webhook.tell(software.place(), Bounds(), DELIVERY, BODY)
    assert software.calls == []


@pytest.mark.parametrize(
    "address",
    [
        "http://finances.valmorin.example/", "ftp://finances.valmorin.example/", "https://", "https://a:b@valmorin.example/",
        "https://valmorin.example/#x", "finances.valmorin.example",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_called_is_refused_when_it_is_configured(address: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        WebhookPlace(address=address, secret=SECRET)


def test_the_secret_does_not_show_and_is_long(software: Software) -> None:
    assert SECRET not in repr(software.place())
    with pytest.raises(ValidationError):
        software.place(secret="short")
