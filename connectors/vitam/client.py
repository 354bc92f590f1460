"""Our side of Vitam's external API: a package is ingested, its operation is followed, its reply is fetched.

It does what it is told, one call at a time: when to send, to ask again or to give up is the flow's business. Vitam knows an
ingest by the identifier of its operation, which the answer to the ingest alone bears (``X-Request-Id``); where that answer was
lost, the journal of operations is searched by the identifier of the transfer. It stands there as ``obIdIn``, the
``MessageIdentifier`` of the manifest, once that was read; and as ``evIdAppSession``, what ``X-Application-Id`` said of the call,
before. (Vitam, « Modèle de données », collection LogbookOperation; RAML of the external interfaces, logbook and headers.)
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from connectors.sae.errors import AnswerUnreadable
from connectors.sae.transport import Reply, Transport
from connectors.vitam.settings import VitamSettings
from core.addresses import Networks
from core.messages import Catalogue

_messages = Catalogue("connectors.sae")
_INGESTS, _OPERATIONS = "/ingest-external/v1/ingests", "/admin-external/v1/operations"
_JOURNAL = "/access-external/v1/logbookoperations"
_PIECE = 1 << 18
_MOST = 10
_BY_MESSAGE, _BY_SESSION = "obIdIn", "evIdAppSession"
_OK, _ACCEPTED, _UNKNOWN = 200, 202, 404
_UNTAKEN = {400, 406, 412, 413, 415}
_IDENTIFIER = re.compile(r"[a-z0-9]{36}")


class State(StrEnum):
    """How far an operation has come (``X-Global-Execution-State``)."""

    RUNNING = "RUNNING"
    PAUSE = "PAUSE"
    COMPLETED = "COMPLETED"


class Status(StrEnum):
    """How an operation went so far (``X-Global-Execution-Status``)."""

    UNKNOWN = "UNKNOWN"
    STARTED = "STARTED"
    OK = "OK"
    WARNING = "WARNING"
    KO = "KO"
    FATAL = "FATAL"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as it stands.

    Attributes:
        told: the whole answer, as Vitam gave it.
    """

    state: State
    status: Status
    told: bytes


class Vitam:
    """A tenant of Vitam; any thread may use it.

    Every method may raise ``ServiceUnavailable``, ``AccessRefused``, ``CertificateRefused``, ``AddressWrong``,
    ``AddressRefused``, ``AnswerUnreadable`` and ``AnswerTooLarge``: see ``connectors.sae.errors``.
    """

    def __init__(self, settings: VitamSettings, networks: Networks) -> None:
        """Prepare calls; ``networks`` are those that the operator permits beside the public one."""
        self._transport = Transport(settings, networks, _context(settings))
        self._context = settings.context
        self._application = settings.application
        self._headers = {"X-Tenant-Id": str(settings.tenant), "X-Access-Contract-Id": settings.access_contract}
        if settings.application:
            self._headers["X-Application-Id"] = settings.application

    def ingest(self, identifier: str, package: Path, manifest_sha512: str) -> str:
        """Hand the package of a transfer over, a ZIP, and return the identifier of its operation.

        Raises:
            TransferRefused: it is not taken, for the reason that Vitam gives.
            ServiceUnavailable: ``perhaps_taken`` says whether it may have been taken all the same.
        """
        headers = self._headers | {
            "Accept": "application/json",
            "Content-Type": "application/zip",
            "X-Application-Id": self._application or identifier,
            "X-Action": "RESUME",
            "X-Context-Id": self._context.value,
            "X-Manifest-Digest-Value": manifest_sha512,
            "X-Manifest-Digest-Algo": "SHA-512",
        }
        size = package.stat().st_size
        reply = self._transport.send("POST", _INGESTS, headers=headers, body=_pieces(package), size=size)
        if reply.status in _UNTAKEN:
            raise self._transport.refused(reply)
        if reply.status != _ACCEPTED:
            self._transport.refuse(reply)
        return _identifier(reply.headers.get("X-Request-Id"))

    def find(self, identifier: str) -> str | None:
        """Return the operation that ingested the transfer of an identifier; None when there is none, or not yet.

        One whose manifest was not read counts if something runs, or ran: of a package that was cut off there is an entry in the
        journal at most.
        """
        for operation in self._journal(_BY_MESSAGE, identifier):
            return operation
        if self._application is None:
            for operation in self._journal(_BY_SESSION, identifier):
                if self.operation(operation) is not None:
                    return operation
        return None

    def _journal(self, field: str, value: str) -> list[str]:
        """Return the operations of whose entry in the journal a field has a value."""
        query = {"$query": {"$eq": {field: value}}, "$filter": {"$limit": _MOST}, "$projection": {}}
        body = json.dumps(query).encode()
        headers = self._headers | {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Http-Method-Override": "GET",
        }
        reply = self._transport.send("POST", _JOURNAL, headers=headers, body=body)
        if reply.status == _UNKNOWN and reply.body:
            return []
        return [_identifier(one.get("evId") or one.get("#id")) for one in _results(self._good(reply))]

    def operation(self, operation: str) -> Operation | None:
        """Return how an operation stands; None when Vitam does not know it."""
        reply = self._transport.send("GET", f"{_OPERATIONS}/{operation}", headers=self._headers | {"Accept": "application/json"})
        if reply.status == _UNKNOWN and reply.body:
            return None
        if reply.status != _ACCEPTED:
            self._good(reply)
        try:
            state = State(reply.headers.get("X-Global-Execution-State", ""))
            status = Status(reply.headers.get("X-Global-Execution-Status", ""))
        except ValueError as error:
            raise AnswerUnreadable(_messages("answer.unreadable", reason="X-Global-Execution-State")) from error
        return Operation(state, status, reply.body)

    def reply(self, operation: str) -> bytes | None:
        """Return the ``ArchiveTransferReply`` of an operation that is completed; None while there is none."""
        path = f"{_INGESTS}/{operation}/archivetransferreply"
        reply = self._transport.send("GET", path, headers=self._headers | {"Accept": "application/octet-stream"})
        return None if reply.status == _UNKNOWN else self._good(reply).body

    def _good(self, reply: Reply) -> Reply:
        if reply.status != _OK:
            self._transport.refuse(reply)
        return reply


def digest_of(manifest: Path) -> str:
    """Return what ``ingest`` announces of a manifest: its SHA-512, hexadecimal."""
    with manifest.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()


def _results(reply: Reply) -> list[dict[str, Any]]:
    told = reply.json()
    results = told.get("$results") if isinstance(told, dict) else None
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise AnswerUnreadable(_messages("answer.unreadable", reason="$results"))
    return results


def _identifier(found: object) -> str:
    if not isinstance(found, str) or not _IDENTIFIER.fullmatch(found):
        raise AnswerUnreadable(_messages("answer.unreadable", reason="X-Request-Id"))
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _context(settings: VitamSettings) -> ssl.SSLContext:
    """Return how TLS is spoken: the server verified, our certificate shown."""
    context = ssl.create_default_context(cadata=settings.authorities)
    key, chain = settings.client_key()
    password = secrets.token_hex(24).encode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:  # OpenSSL reads keys from files only
        file.write(private + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        file.flush()
        context.load_cert_chain(file.name, password=password)
    return context
