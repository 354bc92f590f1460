"""A PISTE application in this process: connections, pace and token, shared by every organisation that goes through it."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import urllib3

from connectors.chorus import errors
from connectors.chorus.pace import LONGEST_WAIT, Pace, retry_after
from connectors.chorus.settings import ChorusOperator
from core.messages import Catalogue

_messages = Catalogue("connectors.chorus")

_MARGIN = 240
_LARGEST = 1 << 16
_OK, _TOO_MANY, _SERVER_FAULTS = 200, 429, 500
_TOLD = 200
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Application:
    """What the threads of a process share; any thread may use it."""

    def __init__(self, operator: ChorusOperator) -> None:
        self.operator = operator
        self.pace = Pace(operator.calls_per_second)
        timeout = urllib3.Timeout(connect=operator.connect_timeout, read=operator.read_timeout)
        self.http = urllib3.PoolManager(
            timeout=timeout,
            retries=False,
            maxsize=operator.calls_in_parallel,
            ssl_context=ssl.create_default_context(cadata=operator.authorities),
        )
        self._room = threading.BoundedSemaphore(operator.calls_in_parallel)
        self._renewing = threading.Lock()
        self._token, self._good_until = "", 0.0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn of a call, and hold its place among those under way.

        Raises:
            QuotaReached: it would be too long.
        """
        wait = self.pace.turn()
        if wait > LONGEST_WAIT:
            raise self.too_many(wait)
        time.sleep(wait)
        if not self._room.acquire(timeout=LONGEST_WAIT):
            raise self.too_many(LONGEST_WAIT)
        try:
            yield
        finally:
            self._room.release()

    def too_many(self, seconds: float) -> errors.QuotaReached:
        """Return the error that says that calls must wait."""
        return errors.QuotaReached(_messages("quota.reached", seconds=round(seconds)), seconds)

    def token(self, *, refused: str | None = None) -> str:
        """Return a token that is good for some minutes more; of threads that need a new one, one asks.

        Args:
            refused: a token that the gateway does not take any more.

        Raises:
            ApplicationRefused, AnswerUnreadable, ChorusUnavailable, CertificateRefused: see ``errors``.
        """
        with self._renewing:
            if time.monotonic() >= self._good_until or refused == self._token:
                self._good_until = 0.0
                asked = time.monotonic()
                self._token, seconds = self._asked()
                self._good_until = asked + seconds - min(_MARGIN, seconds // 2)
            return self._token

    def unavailable(self, place: str, reason: str) -> errors.ChorusUnavailable:
        """Return the error that says that a server cannot now."""
        return errors.ChorusUnavailable(_messages("chorus.unavailable", address=place, reason=reason[:_TOLD]))

    def failure(self, place: str, error: BaseException) -> errors.ChorusUnavailable | errors.CertificateRefused:
        """Return what a failure of the network means."""
        if isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return errors.CertificateRefused(_messages("certificate.refused", address=place))
        return self.unavailable(place, type(error).__name__)

    def _asked(self) -> tuple[str, int]:
        """Ask for a token (RFC 6749, 4.4); return it, and how many seconds it is good for."""
        place = self.operator.tokens
        form = {
            "grant_type": "client_credentials",
            "client_id": self.operator.client_id,
            "client_secret": self.operator.client_secret.get_secret_value(),
        }
        if self.operator.scope:
            form["scope"] = self.operator.scope
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            reply = self.http.request("POST", place, body=urlencode(form), headers=headers, redirect=False, preload_content=False)
            with reply:
                data = reply.read(_LARGEST)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.failure(place, error) from error
        if reply.status == _TOO_MANY:
            raise self.too_many(retry_after(reply.headers.get("Retry-After")))
        if reply.status >= _SERVER_FAULTS:
            raise self.unavailable(place, f"HTTP {reply.status}")
        return self._given(reply.status, data)

    def _given(self, status: int, data: bytes) -> tuple[str, int]:
        place = self.operator.tokens
        try:
            told = json.loads(data)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise errors.AddressWrong(_messages("address.wrong", address=place, status=status))
        if status != _OK:
            reason = str(told.get("error_description") or told.get("error") or f"HTTP {status}")[:_TOLD]
            raise errors.ApplicationRefused(_messages("application.refused", address=place, reason=reason))
        token, seconds = told.get("access_token"), _positive(told.get("expires_in"))
        if not isinstance(token, str) or not _PRINTABLE.fullmatch(token) or seconds is None:
            raise errors.AnswerUnreadable(_messages("token.unreadable", address=place))
        return token, seconds


def _positive(value: Any) -> int | None:
    """Return a positive whole number, which some gateways write as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


@lru_cache(maxsize=16)
def application(operator: ChorusOperator) -> Application:
    """Return the application that an operator configured: one a process, whoever asks."""
    return Application(operator)
