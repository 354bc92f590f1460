"""A call to a service: its answer into memory and its file to disk, every fault told for what it is, evidence of all.

Success and refusal look alike over HTTP: ``codeRetour`` is looked at whatever the status.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import urllib3

from connectors.chorus import errors
from connectors.chorus.errors import Denial
from connectors.chorus.evidence import BULK, Evidence, Exchange, without_files
from connectors.chorus.lifting import Lifter, NotBase64, TooMuch
from connectors.chorus.pace import retry_after
from connectors.chorus.piste import application
from connectors.chorus.services import Service
from connectors.chorus.settings import ChorusAccount, ChorusOperator
from core.clock import now
from core.messages import Catalogue

_messages = Catalogue("connectors.chorus")

CODE, WORDING = "codeRetour", "libelle"
MEBIBYTE = 1 << 20
_PIECE = 1 << 18
_REST = 32 * MEBIBYTE
_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_LARGE, _TOO_MANY, _SERVER_FAULTS = 200, 401, 403, 413, 429, 500
_AGAIN = {408, 425}
_REQUEST_FAULTS = range(400, 500)


@dataclass(frozen=True, slots=True)
class Lift:
    """A file in base64 that is expected in an answer.

    Attributes:
        member: that holds it.
        target: where it goes; nothing stays there unless all of it came.
        limit: octets beyond which it is not read.
    """

    member: str
    target: Path
    limit: int


@dataclass(slots=True)
class _Reply:
    """What came back, as far as it came."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    told: Any = None
    size: int = 0
    sha256: str = ""
    lifted: bool = False

    def member(self, name: str) -> Any:
        return self.told.get(name) if isinstance(self.told, dict) else None

    @property
    def code(self) -> int | None:
        value = self.member(CODE)
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def wording(self) -> str:
        return str(self.member(WORDING) or "")[:BULK]


class Transport:
    """Calls services for one technical account; any thread may use it."""

    def __init__(self, operator: ChorusOperator, account: ChorusAccount, evidence: Evidence) -> None:
        """Prepare calls; nothing is sent yet.

        Raises:
            EnvironmentMixed: one is of the sandbox, the other of production.
        """
        if operator.environment is not account.environment:
            raise errors.EnvironmentMixed(
                _messages("environment.mixed", account=account.environment, operator=operator.environment)
            )
        self._application = application(operator)
        self._evidence = evidence
        self._end = operator.total_timeout
        shown = f"{account.login}:{account.password.get_secret_value()}"
        self._account = base64.b64encode(shown.encode()).decode("ascii")

    def call(self, service: Service, body: Mapping[str, Any], lift: Lift | None = None) -> dict[str, Any]:
        """Call a service and return its answer; decimals are ``Decimal``. A search that finds nothing answers without its list.

        Args:
            service: which.
            body: of the request.
            lift: a file that the answer must hold.

        Raises:
            ChorusUnavailable: no answer, half of one, too slow, 408, 425, 5xx.
            QuotaReached, AccountRefused, AnswerTooLarge, AnswerUnreadable, ChorusRefused, ApplicationRefused,
            CertificateRefused, AddressWrong: see ``errors``.
        """
        reply = self._sent("POST", service, body, lift)
        self._check(service, reply, body)
        if not isinstance(reply.told, dict) or (lift is not None and not reply.lifted):
            raise errors.AnswerUnreadable(_messages("answer.unreadable", service=service.path, reason=f"HTTP {reply.status}"))
        return reply.told

    def look(self, service: Service) -> None:
        """Ask a service that takes no body whether it lives.

        Raises:
            ChorusUnavailable, AccountRefused and others: see ``call``.
        """
        self._check(service, self._sent("GET", service, {}, None), {})

    def _sent(self, method: str, service: Service, body: Mapping[str, Any], lift: Lift | None) -> _Reply:
        """Send once, and once more with a new token when the first is not taken: 401 says that nothing was done."""
        token = self._application.token()
        reply = self._exchange(method, service, body, lift, token)
        if reply.status == _UNAUTHORIZED:
            reply = self._exchange(method, service, body, lift, self._application.token(refused=token))
        return reply

    def _exchange(self, method: str, service: Service, body: Mapping[str, Any], lift: Lift | None, token: str) -> _Reply:
        headers = {"Authorization": f"Bearer {token}", "cpro-account": self._account, "Accept": "application/json"}
        data = None
        if method == "POST":
            headers["Content-Type"] = "application/json;charset=utf-8"
            data = json.dumps(body, ensure_ascii=False, default=str).encode()
        reply = _Reply()
        with self._application.turn(), self._kept(service, body, reply):
            try:
                answer = self._application.http.request(
                    method, self._address(service), body=data, headers=headers, preload_content=False, redirect=False
                )
                with answer:
                    reply.status, reply.headers = int(answer.status), answer.headers
                    self._read(service, answer, reply, lift)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise self._application.failure(self._address(service), error) from error
        return reply

    def _address(self, service: Service) -> str:
        return f"{self._application.operator.services}/cpro/{service.path}"

    def _read(self, service: Service, answer: Any, reply: _Reply, lift: Lift | None) -> None:
        with contextlib.ExitStack() as stack:
            if lift is None:
                lifter = None
            else:
                target = stack.enter_context(_whole(lift.target, reply))
                lifter = Lifter(lift.member, target, limit=lift.limit, rest=_REST)
            rest = bytearray()
            for piece in self._pieces(service, answer, reply):
                if lifter is None:
                    rest += piece
                    if len(rest) > _REST:
                        raise self._large(service, _REST)
                    continue
                try:
                    lifter.feed(piece)
                except TooMuch:
                    raise self._large(service, lift.limit if lift else _REST) from None
                except NotBase64:
                    raise errors.AnswerUnreadable(_messages("answer.unreadable", service=service.path, reason="base64")) from None
            reply.told = self._parsed(service, reply, bytes(rest) if lifter is None else self._remainder(service, lifter))
            reply.lifted = lifter is not None and lifter.whole and lifter.lifted > 0

    def _pieces(self, service: Service, answer: Any, reply: _Reply) -> Iterator[bytes]:
        end, digest = time.monotonic() + self._end, hashlib.sha256()
        try:
            while piece := answer.read1(_PIECE):
                digest.update(piece)
                reply.size += len(piece)
                if time.monotonic() > end:
                    raise self._application.unavailable(self._address(service), _messages("answer.slow"))
                yield piece
        finally:
            reply.sha256 = digest.hexdigest()

    def _remainder(self, service: Service, lifter: Lifter) -> bytes:
        try:
            return lifter.remainder()
        except EOFError:
            raise self._application.unavailable(self._address(service), _messages("answer.half")) from None

    def _parsed(self, service: Service, reply: _Reply, data: bytes) -> Any:
        """Return the JSON of an answer; only a success must hold some."""
        try:
            return json.loads(data, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            if reply.status != _OK or service.path.endswith("health-check"):
                return None
            raise errors.AnswerUnreadable(_messages("answer.unreadable", service=service.path, reason="JSON")) from error

    @contextlib.contextmanager
    def _kept(self, service: Service, body: Mapping[str, Any], reply: _Reply) -> Iterator[None]:
        """Keep the evidence of an exchange, however it ends."""
        moment = now()
        try:
            yield
        finally:
            self._evidence(
                Exchange(
                    service=service.path,
                    moment=moment,
                    request=without_files(body),
                    status=reply.status,
                    code=reply.code,
                    wording=reply.wording,
                    correlation=reply.headers.get("x-correlationid", "")[:BULK],
                    size=reply.size,
                    sha256=reply.sha256,
                )
            )

    def _check(self, service: Service, reply: _Reply, body: Mapping[str, Any]) -> None:
        """Refuse an answer that is no success and no empty list."""
        status = reply.status
        if status == _UNAUTHORIZED:
            raise self._denied(service, reply, Denial.CREDENTIALS)
        if status == _FORBIDDEN:
            raise self._denied(service, reply, _denial(reply, body))
        if status == _TOO_LARGE:
            raise self._large(service, None)
        if status == _TOO_MANY:
            seconds = retry_after(reply.headers.get("Retry-After"))
            self._application.pace.close(seconds)
            raise self._application.too_many(seconds)
        if status in _AGAIN or status >= _SERVER_FAULTS:
            raise self._application.unavailable(self._address(service), f"HTTP {status} {reply.wording}".strip())
        code = reply.code
        if code and code not in service.nothing:
            raise _refused(service, code, reply.wording)
        if status != _OK and code is None:
            if status in _REQUEST_FAULTS and reply.told is not None:
                raise errors.AnswerUnreadable(_messages("answer.unreadable", service=service.path, reason=f"HTTP {status}"))
            raise errors.AddressWrong(_messages("address.wrong", address=self._address(service), status=status))

    def _denied(self, service: Service, reply: _Reply, denial: Denial) -> errors.AccountRefused:
        correlation = reply.headers.get("x-correlationid", "") or "-"
        sentence = _messages(f"denied.{denial}", service=service.path, correlation=correlation[:BULK])
        return errors.AccountRefused(sentence, denial)

    def _large(self, service: Service, limit: int | None) -> errors.AnswerTooLarge:
        if limit is None:
            return errors.AnswerTooLarge(_messages("answer.413", service=service.path))
        return errors.AnswerTooLarge(_messages("answer.large", service=service.path, limit=limit // MEBIBYTE))


def _denial(reply: _Reply, body: Mapping[str, Any]) -> Denial:
    """Return what a 403 tells: seen of the gateway, documented nowhere."""
    if reply.told == {}:
        return Denial.SUBSCRIPTION
    asked = json.loads(json.dumps(body, default=str), parse_float=Decimal)
    return Denial.RIGHTS if reply.told == asked else Denial.ACCOUNT


def _refused(service: Service, code: int, wording: str) -> errors.ChorusRefused:
    known = f"wording.{wording}"
    reason = f"{wording} : {_messages(known)}" if known in _messages else wording or "-"
    sentence = _messages("chorus.refused", service=service.path, code=code, reason=reason)
    return errors.ChorusRefused(sentence, service.path, code, wording)


@contextlib.contextmanager
def _whole(target: Path, reply: _Reply) -> Iterator[Any]:
    """Lend a file that stays only when a whole file was lifted into it."""
    try:
        with target.open("wb") as file:
            yield file
    finally:
        if not reply.lifted or reply.status != _OK or reply.code:
            target.unlink(missing_ok=True)
