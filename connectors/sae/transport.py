"""HTTP as every archive service outside needs it: certificates verified, time-outs, answers bounded, faults in our words.

What an answer's status means for a call is the client's matter, but for what is the same everywhere (``refuse``).
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from connectors.sae import errors
from connectors.sae.settings import ServiceSettings
from core import addresses
from core.addresses import Networks
from core.messages import Catalogue

_messages = Catalogue("connectors.sae")
MEBIBYTE = 1 << 20
LARGEST_ANSWER = 32 * MEBIBYTE
_PIECE = 1 << 18
_WORDS = 500
_ACCESS = {401, 403}
_NOT_NOW = {408, 425, 429, 502, 503, 504}
_SUCCESSES = range(200, 300)
_SERVER_FAULTS = 500
_HTTPS, _PROBE = 443, 3.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON of the body.

        Raises:
            AnswerUnreadable: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason="JSON")) from error

    @property
    def wording(self) -> str:
        """What the answer says, for a person: its text on one line; a page of HTML, which no service writes, says nothing."""
        text = " ".join(self.body[: _WORDS * 4].decode(errors="replace").split())
        return "" if text.startswith("<") else "".join(one for one in text if one.isprintable())[:_WORDS]


class Transport:
    """Speaks HTTP to one service; any thread may use it."""

    def __init__(self, settings: ServiceSettings, networks: Networks, context: ssl.SSLContext | None = None) -> None:
        """Prepare calls; nothing is sent yet.

        Args:
            settings: where, and for how long.
            networks: that the operator permits beside the public one.
            context: how TLS is spoken, when we show a certificate; the server is verified in any case.
        """
        self.address = settings.address.rstrip("/")
        self._target, self._networks = settings.target(), networks
        self._end = settings.total_timeout
        timeout = urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._shown = context
        context = context or ssl.create_default_context(cadata=settings.authorities)
        self._http = addresses.pool(networks, timeout=timeout, retries=False, ssl_context=context)

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: Iterable[bytes] | bytes | None = None, size: int = 0
    ) -> Reply:
        """Send a request and return the whole answer, whatever its status.

        Args:
            method: of HTTP.
            path: below the service's address, with its query.
            headers: of the request.
            body: octets, or pieces of ``size`` octets together.
            size: of the body, in octets.

        Raises:
            AddressRefused: the operator does not permit the address; nothing was sent.
            ServiceUnavailable: no answer, half of one, or too slow a one.
            CertificateRefused, AnswerTooLarge: see ``errors``.
        """
        sent = dict(headers) if body is None else {**headers, "Content-Length": str(size or len(bytes_of(body)))}
        end = time.monotonic() + self._end
        try:
            answer = self._http.request(
                method, self.address + path, body=body, headers=sent, preload_content=False, redirect=False
            )
            with answer:
                read = bytearray()
                while piece := answer.read1(_PIECE):
                    read += piece
                    if len(read) > LARGEST_ANSWER:
                        raise errors.AnswerTooLarge(
                            _messages("answer.large", address=self.address, limit=LARGEST_ANSWER // MEBIBYTE)
                        )
                    if time.monotonic() > end:
                        raise self.unavailable(_messages("answer.slow"), perhaps_taken=True)
                return Reply(int(answer.status), answer.headers, bytes(read))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(error) from error

    def refuse(self, reply: Reply) -> None:
        """Refuse an answer whose status says that the service was not reached as it should be.

        Raises:
            AccessRefused: 401, 403.
            ServiceUnavailable: the server cannot now, or is at fault.
            AnswerUnreadable: a success of another kind: what was asked may have been done.
            AddressWrong: anything else.
        """
        if reply.status in _SUCCESSES:
            raise errors.AnswerUnreadable(_messages("answer.unreadable", reason=f"HTTP {reply.status}"))
        if reply.status in _ACCESS:
            raise errors.AccessRefused(_messages("access.refused", address=self.address, status=reply.status))
        reason = f"HTTP {reply.status} {reply.wording}".strip()
        if reply.status in _NOT_NOW:
            raise self.unavailable(reason, perhaps_taken=reply.status in {502, 504})
        if reply.status >= _SERVER_FAULTS:
            raise self.unavailable(reason, perhaps_taken=True)
        raise errors.AddressWrong(_messages("address.wrong", address=self.address, reason=reason))

    def unavailable(self, reason: str, *, perhaps_taken: bool) -> errors.ServiceUnavailable:
        """Return the error that says that the service cannot now."""
        told = _messages("service.unavailable", address=self.address, reason=reason[:_WORDS])
        return errors.ServiceUnavailable(told, perhaps_taken=perhaps_taken)

    def refused(self, reply: Reply) -> errors.TransferRefused:
        """Return the error that says that the service does not take what was sent."""
        wording = reply.wording or f"HTTP {reply.status}"
        return errors.TransferRefused(_messages("transfer.refused", address=self.address, reason=wording), wording)

    def _failure(self, error: Exception) -> errors.ServiceUnavailable | errors.CertificateRefused | errors.AccessRefused:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return errors.CertificateRefused(_messages("certificate.refused", address=self.address))
        if self._certificate_refused():
            return errors.AccessRefused(_messages("access.certificate", address=self.address))
        never = isinstance(error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
        return self.unavailable(type(error).__name__, perhaps_taken=not never)

    def _certificate_refused(self) -> bool:
        """Tell, after a failure, whether the server refuses the certificate that we show.

        With TLS 1.3 it says so once we have begun to send, and what it says is lost then (RFC 8446, 4.4.2.4): it is asked again,
        with nothing sent. One that admits us has nothing to say.
        """
        if self._shown is None:
            return False
        host = (self._target.host or "").strip("[]")
        try:
            with (
                addresses.connected(host, self._target.port or _HTTPS, self._networks, _PROBE) as plain,
                self._shown.wrap_socket(plain, server_hostname=host) as probe,
            ):
                probe.recv(1)
        except ssl.SSLError as error:
            return "ALERT" in str(error)
        except OSError:
            return False
        return False


def bytes_of(body: Iterable[bytes] | bytes) -> bytes:
    """Return a body that is whole already; pieces need their size."""
    if not isinstance(body, bytes):
        raise TypeError("the size of a body in pieces is not known")
    return body
