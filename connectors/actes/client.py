"""Our side of the ministry's platform: one archive, one request, one answer.

A deposit either happened, did not happen, or may have happened, and the error says which of the two last it is. What decides is
the last octets of the request: until they leave, the platform has nothing that it could take. Nothing is sent again here but
in one case: the first endpoint certainly got nothing whole, and there is another one. When to try again, and what to make of a
doubt, is decided above.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from connectors.actes import errors
from connectors.actes.settings import ActesOperator, Credentials, Endpoint
from connectors.actes.tls import client_refused, tls_context
from connectors.mailbox.tls import pin_holds, told_by
from core.errors import TabellionError, UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.actes")

_PIECE = 1 << 18
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_HTTPS = 443
_BUSY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_ELSEWHERE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
_FAILURES = (OSError, HTTPError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Deposited:
    """An archive that the platform took.

    Attributes:
        place: host and port that took it.
        avoided: why the first endpoint was passed over, for an operator to read; None when it was not.
    """

    place: str
    avoided: str | None = None


def deposit(operator: ActesOperator, archive: Path, name: str, *, committing: Callable[[], None] = lambda: None) -> Deposited:
    """Deposit an archive with one POST of ``multipart/form-data``, streamed from its file; the body of the answer is ignored.

    The rescue endpoint is tried only when it is certain that the first one got nothing whole: no connection, one that broke
    before the last octets, no TLS, a server that is not the right one, or one that refuses our certificate.

    Args:
        operator: who deposits, and where.
        archive: the file.
        name: of the archive, which is the name of the form's field too.
        committing: called when all but the last octets have left, for each endpoint that comes so far: what it writes down is
            known before anything is delivered, and what it raises stops the deposit.

    Raises:
        DeliveryUnknown, PlatformFailed: it may have been delivered; every other error says that it was not.
        PlatformUnreachable, PlatformBusy: try again later.
        ServerNotTrusted, CertificateRefused, AccessRefused, DepositRefused, AddressWrong: see ``errors``.
        ArchiveTooLarge: beyond the operator's limit.
        Misconfigured: the TLS profile cannot be used here.
        UsageError: a name that is none of an archive.
        FileNotFoundError: there is no such file.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(_messages("archive.name", name=name[:100]))
    size = archive.stat().st_size
    if size > operator.maximum_archive_size:
        limit = operator.maximum_archive_size
        raise errors.ArchiveTooLarge(_messages("archive.large", name=name, size=size, limit=limit))
    try:
        _Exchange(operator.endpoint, committing).post(archive, name)
    except (errors.PlatformUnreachable, errors.ServerNotTrusted, errors.CertificateRefused) as error:
        if operator.rescue is None:
            raise
        _Exchange(operator.rescue, committing).post(archive, name)
        return Deposited(operator.rescue.place, avoided=str(error))
    return Deposited(operator.endpoint.place)


@dataclass(slots=True)
class _Exchange:
    """One request to one endpoint.

    Attributes:
        committing: see ``deposit``.
        committed: whether the last ones may have: from then on the platform may have taken it.
    """

    endpoint: Endpoint
    committing: Callable[[], None]
    committed: bool = False
    end: float = field(init=False)

    def __post_init__(self) -> None:
        self.end = time.monotonic() + self.endpoint.total_timeout

    def post(self, archive: Path, name: str) -> None:
        with archive.open("rb") as stream:
            try:
                with self._connected() as connection:
                    status = self._status(connection, stream, name)
            except _FAILURES as error:
                raise self._told(error) from error
        if status != HTTPStatus.OK:
            raise self._answered(status)

    @contextmanager
    def _connected(self) -> Iterator[HTTPSConnection]:
        """Connect, and check who answers; the connection is cut when the time for everything is over."""
        address = parse_url(self.endpoint.url)
        profile = self.endpoint.tls
        connection = HTTPSConnection(
            str(address.host).strip("[]"),
            address.port or _HTTPS,
            timeout=min(self.endpoint.connect_timeout, self.endpoint.total_timeout),
            ssl_context=tls_context(profile, self.endpoint.client_key()),
            assert_hostname=None if profile.checks_host_name else False,
        )
        try:
            connection.connect()
            opened = connection.sock
            if not isinstance(opened, ssl.SSLSocket) or not pin_holds(profile, opened):
                raise errors.ServerNotTrusted(_messages("server.pin", place=self.endpoint.place))
            connection.timeout = max(self.end - time.monotonic(), 0.001)
            watch = threading.Timer(connection.timeout, _cut, [opened])
            watch.daemon = True
            watch.start()
            try:
                yield connection
            finally:
                watch.cancel()
        finally:
            connection.close()

    def _status(self, connection: HTTPSConnection, stream: BinaryIO, name: str) -> int:
        """Send the request and return the status of the answer, which may come before all was sent."""
        boundary = secrets.token_hex(24)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size = os.fstat(stream.fileno()).st_size
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
            "Connection": "close",
            "User-Agent": "Tabellion",
            **self._authorization(),
        }
        whole = False
        # Before it heard all, the server may have answered, or refused our certificate: whatever it said is read first.
        with suppress(ConnectionError, ssl.SSLEOFError):
            connection.request("POST", self._target(), body=self._form(head, stream, tail), headers=headers)
            whole = True
        # Not urllib3's own reading of an answer: of headers that it cannot parse it logs the address, password and all.
        status = http.client.HTTPConnection.getresponse(connection).status
        if status == HTTPStatus.OK and not whole:
            self.committed = True  # a platform that says so before it has heard all may have taken it
            raise ConnectionAbortedError
        return status

    def _form(self, head: bytes, stream: BinaryIO, tail: bytes) -> Iterator[bytes]:
        yield head
        while piece := stream.read(_PIECE):
            yield piece
        self.committing()
        self.committed = True
        yield tail

    def _target(self) -> str:
        address = parse_url(self.endpoint.url)
        given = {"user": self.endpoint.user or "", "password": self._password()}
        added = urlencode(given) if self.endpoint.credentials is Credentials.QUERY else ""
        query = "&".join(part for part in (address.query, added) if part)
        return (address.path or "/") + (f"?{query}" if query else "")

    def _authorization(self) -> dict[str, str]:
        if self.endpoint.credentials is not Credentials.BASIC:
            return {}
        account = f"{self.endpoint.user}:{self._password()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(account).decode()}"}

    def _password(self) -> str:
        return self.endpoint.password.get_secret_value() if self.endpoint.password else ""

    def _told(self, error: BaseException) -> TabellionError:
        """Return the error that says what a failure means for the archive."""
        place = self.endpoint.place
        if isinstance(error, ssl.SSLCertVerificationError):
            return errors.ServerNotTrusted(_messages("server.certificate", place=place, reason=error.verify_message))
        if client_refused(error):
            return errors.CertificateRefused(_messages("certificate.refused", place=place))
        kind, key = (errors.DeliveryUnknown, "unknown") if self.committed else (errors.PlatformUnreachable, "unreachable")
        reason = _messages("slow") if time.monotonic() >= self.end else _reason(error)
        return kind(_messages(key, place=place, reason=reason))

    def _answered(self, status: int) -> TabellionError:
        """Return the error that says what an answer other than 200 means for the archive."""
        places = {"place": self.endpoint.place, "status": status}
        if status in _BUSY:
            return errors.PlatformBusy(_messages("busy", **places), status)
        if status in _DENIED:
            return errors.AccessRefused(_messages("access.refused", **places), status)
        if status in _ELSEWHERE or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return errors.AddressWrong(_messages("address.wrong", **places), status)
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return errors.DepositRefused(_messages("deposit.refused", **places), status)
        return errors.PlatformFailed(_messages("failed", **places), status)


def _cut(opened: ssl.SSLSocket) -> None:
    """End whatever the connection is waiting for; TLS is left as it is, for the thread that is using it."""
    try:
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:  # closed meanwhile
        return


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS, {told_by(error)}"
    return type(error).__name__
