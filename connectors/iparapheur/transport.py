"""HTTP as both protocols need it: certificates verified, time-outs on everything, answers into files, faults in our words."""

from __future__ import annotations

import json
import secrets
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import urllib3
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from connectors.iparapheur import errors
from connectors.iparapheur.settings import ParapheurSettings
from core import addresses
from core.addresses import Networks
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

_PIECE = 1 << 18
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_AGAIN = {408, 425, 429}
_SERVER_FAULTS = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whole.

    Attributes:
        status: of HTTP.
        media: its Content-Type.
        path: the file that its body went to.
    """

    status: int
    media: str
    path: Path

    def json(self) -> Any:
        """Return the JSON of a body.

        Raises:
            AnswerUnreadable: it is none.
        """
        try:
            return json.loads(self.path.read_bytes())
        except ValueError as error:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="JSON")) from error


class Transport:
    """Speaks HTTP to one parapheur; any thread may use it."""

    def __init__(self, settings: ParapheurSettings, networks: Networks) -> None:
        """Prepare calls; ``networks`` are those that the operator permits beside the public one."""
        self._settings = settings
        self.address = settings.address.rstrip("/")
        timeout = urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._http = addresses.pool(networks, timeout=timeout, retries=False, ssl_context=_context(settings))

    def send(
        self, method: str, path: str, target: Path, *, headers: Mapping[str, str], body: Path | bytes | None = None, limit: int
    ) -> Reply:
        """Send a request and bring the whole answer to a file.

        Args:
            method: of HTTP.
            path: below the server's address, with its query.
            target: where the body of the answer goes; nothing stays there unless all of it came.
            headers: of the request; its length is added.
            body: a file, octets, or none.
            limit: bytes of the answer beyond which it is not read.

        Raises:
            AddressRefused: the operator does not permit the address; nothing was sent.
            ParapheurUnavailable: no answer, half of one, too slow, or status 408, 425, 429.
            CertificateRefused, AccessRefused, AnswerTooLarge: see ``errors``; 401 comes back as an answer.
        """
        try:
            return self._exchange(method, path, target, headers, body, limit)
        except BaseException as error:
            target.unlink(missing_ok=True)
            if isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise errors.CertificateRefused(_messages("certificate.refused", address=self.address)) from error
            if isinstance(error, urllib3.exceptions.HTTPError | OSError):
                raise self.unavailable(type(error).__name__) from error
            raise

    def refuse(self, reply: Reply) -> None:
        """Refuse an answer whose status says that the service was not reached as it should be.

        Raises:
            AccessRefused: 401, 403.
            AddressWrong: 404, a redirection, or another status of the client's fault.
            ParapheurUnavailable: the server's fault.
        """
        if reply.status in {_UNAUTHORIZED, _FORBIDDEN}:
            raise errors.AccessRefused(_messages("access.refused", address=self.address, status=reply.status))
        if reply.status in _AGAIN or reply.status >= _SERVER_FAULTS:
            raise self.unavailable(f"HTTP {reply.status}")
        raise errors.AddressWrong(_messages("address.wrong", address=self.address, status=reply.status))

    def unavailable(self, reason: str) -> errors.ParapheurUnavailable:
        """Return the error that says that the parapheur cannot now."""
        return errors.ParapheurUnavailable(_messages("parapheur.unavailable", address=self.address, reason=reason[:200]))

    def _exchange(
        self, method: str, path: str, target: Path, headers: Mapping[str, str], body: Path | bytes | None, limit: int
    ) -> Reply:
        end = time.monotonic() + self._settings.total_timeout
        source: IO[bytes] = body.open("rb") if isinstance(body, Path) else BytesIO(body or b"")
        with source:
            size = body.stat().st_size if isinstance(body, Path) else len(body or b"")
            sent = {**headers, "Content-Length": str(size)} if body is not None else dict(headers)
            reply = self._http.request(
                method,
                self.address + path,
                body=source if body is not None else None,
                headers=sent,
                preload_content=False,
                redirect=False,
            )
            with reply, target.open("wb") as file:
                while piece := reply.read1(_PIECE):
                    if file.tell() + len(piece) > limit:
                        raise errors.AnswerTooLarge(_messages("answer.large", address=self.address, limit=limit >> 20))
                    if time.monotonic() > end:
                        raise self.unavailable(_messages("answer.slow"))
                    file.write(piece)
            return Reply(int(reply.status), reply.headers.get("Content-Type", ""), target)


def _context(settings: ParapheurSettings) -> ssl.SSLContext:
    """Return how TLS is spoken: the server always verified, with the system's authorities or those that are configured."""
    context = ssl.create_default_context(cadata=settings.authorities)
    client = settings.client_key()
    if client is None:
        return context
    key, chain = client
    password = secrets.token_hex(24).encode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:  # OpenSSL reads keys from files only
        file.write(private + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        file.flush()
        context.load_cert_chain(file.name, password=password)
    return context
