"""Telling the software of a delivery: one POST of JSON, signed, under a key that is the same for the same delivery.

Headers of a call: ``Idempotency-Key`` is the name of the delivery; ``Tabellion-Timestamp`` the moment in seconds since 1970;
``Tabellion-Signature`` is ``v1=`` and the hexadecimal HMAC-SHA256, under the shared secret, of the timestamp, a point, and the
body. Redirections are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import Any

import urllib3

from connectors.finance import answers, errors
from connectors.finance.answers import Answer
from connectors.finance.places import LARGEST_ANSWER
from connectors.finance.settings import Bounds, WebhookPlace
from core.addresses import PlainConnection, TlsConnection
from core.clock import now
from core.messages import Catalogue

_messages = Catalogue("connectors.finance")
SIGNATURE, TIMESTAMP, KEY = "Tabellion-Signature", "Tabellion-Timestamp", "Idempotency-Key"
_TAKEN = range(200, 300)
_LATER = {408, 425, 429}
_SERVER_FAULTS = 500


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a call, as its header holds it."""
    return f"v1={hmac.new(secret.encode(), timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def tell(place: WebhookPlace, bounds: Bounds, delivery: str, body: bytes) -> Answer | None:
    """Tell the software of a delivery; return what it answers, None when it will say so later.

    Args:
        place: whom to call.
        bounds: of the operator.
        delivery: name of the delivery.
        body: JSON; the same for the same delivery.

    Raises:
        AddressRefused: it is of a network that the operator did not permit.
        CertificateRefused: the server's certificate is not trusted; nothing was sent.
        FinanceUnavailable: no answer, too slow, 408, 425, 429 or 5xx: the call may have been heard, and is to be repeated.
        RequestRefused: another answer than a success.
        AnswerUnreadable: a success that says something unknown.
    """
    target = place.target()
    host, timestamp = target.host or "", str(int(now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "Tabellion",
        KEY: delivery,
        TIMESTAMP: timestamp,
        SIGNATURE: signature(place.secret.get_secret_value(), timestamp, body),
    }
    try:
        with closing(_connection(place, bounds)) as connection, _cut_off(connection, place):
            connection.request("POST", target.request_uri, body=body, headers=headers, preload_content=False)
            reply = connection.getresponse()
            told = reply.read(LARGEST_ANSWER)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise _failure(host, error) from error
    return _heard(host, reply.status, told)


def _heard(host: str, status: int, told: bytes) -> Answer | None:
    if status in _TAKEN:
        return answers.of_reply(told)
    if status in _LATER or status >= _SERVER_FAULTS:
        raise errors.FinanceUnavailable(_messages("webhook.unavailable", host=host, reason=f"HTTP {status}"))
    raise errors.RequestRefused(_messages("webhook.refused", host=host, status=status))


def _connection(place: WebhookPlace, bounds: Bounds) -> PlainConnection:
    target, timeout = place.target(), place.connect_timeout
    host = (target.host or "").strip("[]")
    if target.scheme == "http":
        return PlainConnection(host, target.port or PlainConnection.default_port, timeout=timeout, networks=bounds.networks)
    context, port = ssl.create_default_context(cadata=place.authorities), target.port or TlsConnection.default_port
    return TlsConnection(host, port, timeout=timeout, ssl_context=context, networks=bounds.networks)


@contextmanager
def _cut_off(connection: PlainConnection, place: WebhookPlace) -> Iterator[None]:
    """Connect, and cut the line in the end: a server that gives one octet now and then would never meet a timeout."""
    connection.connect()
    line: Any = connection.sock
    connection.timeout = place.read_timeout  # which is set anew with each step of the exchange
    timer = threading.Timer(2 * place.read_timeout, _cut, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(line: socket) -> None:
    with suppress(OSError):
        socket.shutdown(line, SHUT_RDWR)


def _failure(host: str, error: BaseException) -> errors.FinanceUnavailable | errors.CertificateRefused:
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return errors.CertificateRefused(_messages("webhook.certificate", host=host))
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return errors.FinanceUnavailable(_messages("address.unknown", host=host))
    return errors.FinanceUnavailable(_messages("webhook.unavailable", host=host, reason=type(error).__name__))
