"""What is said to the platform: outbound HTTPS with the system's authorities and proxies, nothing else.

The agent never listens.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, NoReturn
from urllib.parse import quote

from tabellion_agent import __version__
from tabellion_agent.errors import NotWhatWasShown, Refused, Unreachable
from tabellion_agent.link import Link

_LARGEST_ANSWER = 64 << 20
_CHUNK = 1 << 20
_TIMEOUT = 120.0
_TRIES = 3
_OK, _NOT_YET, _DONE = 200, 202, 204
_SERVER_FAULTS = 500
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """A document that waits for its signature.

    Attributes:
        id: the platform's name for it.
        title: what the person reads.
        format: of the signature: ``pades``, ``cades``, ``xades``, ``pes``…
        sha256: of the document, in hexadecimal.
        size: of the document, in bytes.
    """

    id: str
    title: str
    format: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What the platform says once the ticket was accepted."""

    organisation: str
    person: str
    expires: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be signed of one document: octets by slot, or the reason why it cannot be."""

    id: str
    slots: Mapping[str, bytes]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A signature value for a slot of a document."""

    id: str
    identifier: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document: ``signed``, ``refused``, or ``waiting`` for its values to be given again; and why."""

    id: str
    state: str
    detail: str | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for one origin: nobody sends it elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class Platform:
    """The platform, for the length of one signature."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._authorization = f"Ticket {link.ticket}"
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        handlers: list[urllib.request.BaseHandler] = [secure, _NoRedirect()]
        if link.origin.startswith("http:"):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def open(self) -> Opening:
        """Exchange the ticket for what is to be signed; never tried twice, since the ticket serves once.

        Raises:
            Refused: the ticket is unknown, used or expired.
        """
        found = self._ask("POST", "open")[1]
        with _expected():
            self._authorization = f"Bearer {_text(found, 'token')}"
            items = tuple(_item(one) for one in found["items"])
            if len({item.id for item in items}) != len(items):
                raise ValueError("two documents of one name")
            return Opening(_text(found, "organisation"), _text(found, "person"), _text(found, "expires"), items)

    def prepare(self, certificate: bytes, chain: Sequence[bytes], progress: Callable[[int, int], None]) -> list[Prepared]:
        """Announce the certificate, and return what is to be signed once everything is prepared.

        Args:
            certificate: in DER.
            chain: in DER, nearest authority first.
            progress: told how many documents are ready, and of how many.
        """
        body = {"certificate": _base64(certificate), "chain": [_base64(one) for one in chain]}
        while True:
            status, found = self._again("POST", "certificate", body)
            with _expected():
                if status == _OK:
                    return [_prepared(one) for one in found["items"]]
                progress(int(found["ready"]), int(found["total"]))
            time.sleep(_PAUSE)

    def document(self, item: Item) -> Iterator[bytes]:
        """Yield the document, and fail at its end unless it is the one that was announced.

        Raises:
            NotWhatWasShown: other bytes than announced; what was yielded must be thrown away.
        """
        digest, length = hashlib.sha256(), 0
        with self._send("GET", f"items/{quote(item.id, safe='')}/document") as reply:
            while part := _read(reply, _CHUNK):
                length += len(part)
                if length > item.size:
                    break
                digest.update(part)
                yield part
        if length != item.size or digest.hexdigest() != item.sha256:
            raise NotWhatWasShown(f"« {item.title} » n’est pas le document annoncé. Rien n’a été signé ; prévenez la plateforme.")

    def send(self, values: Sequence[Value]) -> list[Outcome]:
        """Give signature values; the same values may be given again."""
        body = {"values": [{"id": one.id, "identifier": one.identifier, "value": _base64(one.value)} for one in values]}
        found = self._again("POST", "values", body)[1]
        with _expected():
            return [_outcome(one) for one in found["items"]]

    def close(self) -> None:
        """Say that all is done."""
        self._again("POST", "close")

    def abandon(self, reason: str) -> None:
        """Say that nothing more comes."""
        self._ask("POST", "abandon", {"reason": reason})

    def _again(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Ask what may be asked twice, and do so when the network fails."""
        for _ in range(_TRIES - 1):
            try:
                return self._ask(method, path, body)
            except Unreachable:
                time.sleep(_PAUSE)
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        with self._send(method, path, body) as reply:
            status = int(reply.status)
            data = _read(reply, _LARGEST_ANSWER)
        if status == _DONE:
            return status, {}
        found = _object(data)
        if status not in {_OK, _NOT_YET} or found is None:
            raise Unreachable(f"La réponse de {self._link.origin} n’est pas celle d’une plateforme Tabellion.")
        return status, found

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> http.client.HTTPResponse:
        headers = {
            "Authorization": self._authorization,
            "Accept": "application/json, application/problem+json, application/octet-stream",
            "Content-Type": "application/json",
            "User-Agent": f"tabellion-agent/{__version__}",
        }
        data = json.dumps(body or {}).encode() if method == "POST" else None
        url = f"{self._link.origin}/v1/agent/{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - Link admits https, and http to itself
        try:
            reply: http.client.HTTPResponse = self._opener.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            self._refused(error)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self._unreachable(error)) from error
        return reply

    def _refused(self, answer: urllib.error.HTTPError) -> NoReturn:
        """Raise what the platform answers (RFC 9457), in its words."""
        with answer:
            problem = _object(_read(answer, _CHUNK)) or {}
        words = problem.get("detail") or problem.get("title")
        if not isinstance(words, str):
            raise Unreachable(f"{self._link.origin} ne peut pas répondre (HTTP {answer.code}). Réessayez plus tard.")
        raise Unreachable(words) if answer.code >= _SERVER_FAULTS else Refused(words)

    def _unreachable(self, error: Exception) -> str:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"Le certificat de {self._link.origin} n’est pas reconnu par cet ordinateur. Rien n’a été envoyé."
        return f"{self._link.origin} ne répond pas. Vérifiez la connexion de cet ordinateur."


class _expected:  # noqa: N801 - reads as a statement
    """Within the block, an answer that is not shaped as the protocol says is a platform that is none."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Translate what reading an answer raises."""
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise Unreachable("La réponse de la plateforme n’est pas lisible. Mettez l’agent à jour, ou prévenez-la.") from error


def _read(stream: IO[bytes] | http.client.HTTPResponse, most: int) -> bytes:
    try:
        return stream.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable("La connexion avec la plateforme s’est interrompue. Recommencez.") from error


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _item(found: Mapping[str, Any]) -> Item:
    title = "".join(letter if letter.isprintable() else " " for letter in _text(found, "title"))
    return Item(_text(found, "id"), title, _text(found, "format"), _text(found, "sha256").lower(), int(found["size"]))


def _prepared(found: Mapping[str, Any]) -> Prepared:
    slots = {_text(one, "identifier"): base64.b64decode(one["octets"], validate=True) for one in found["slots"]}
    problem = found["problem"]
    return Prepared(_text(found, "id"), slots, str(problem) if problem is not None else None)


def _outcome(found: Mapping[str, Any]) -> Outcome:
    detail = found.get("detail")
    return Outcome(_text(found, "id"), _text(found, "state"), str(detail) if detail is not None else None)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
