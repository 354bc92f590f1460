"""The service over HTTP: who asks, how much they may send, and what is answered when something fails.

A refusal is an answer (200, KO); nobody behind the request is a 401; what cannot be understood is a fault of the client, and what
fails here a fault of the server that tells nothing of itself, both 500 (SOAP 1.1, 6.2).
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from api.iparapheur import faults, wsdl
from api.iparapheur.door import Account, account_behind
from api.iparapheur.operations import answer
from api.uploads import Uploads, known
from api.web.visitor import Parts
from connectors.iparapheur import messages as wire
from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.reading import LARGEST, decode
from connectors.iparapheur.writing import MEDIA, write
from core.blobs import TooLarge
from core.errors import Unauthenticated, Unavailable, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform

router = APIRouter(include_in_schema=False)
PATHS = faults.PATHS
_log = structlog.get_logger()
_messages = Catalogue("api.iparapheur")
_SMALL = 256 * 1024
_AROUND = 1 << 20
_BODIES = ("text/xml", "application/xml", "multipart/related")
_UNKNOWN, _TOO_LARGE, _FAULT = 401, 413, 500


def largest(upload_limit: int) -> int:
    """Return how many bytes a message may have: documents of the largest upload in all, in base64, and what is around them."""
    return min(upload_limit * 4 // 3 + _AROUND, LARGEST)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call, its body aside."""

    authorization: str
    host: str
    content_type: str
    reference: str


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer in a file, and what lets go of it."""

    status: int
    path: Path
    room: ExitStack


@router.get(PATHS[0])
@router.get(PATHS[1])
def described(request: Request, platform: Parts) -> Response:
    """Describe the service."""
    address = (platform.settings.public_url or str(request.base_url)).rstrip("/") + request.url.path
    return Response(wsdl.describe(address), media_type=wsdl.MEDIA)


@router.post(PATHS[0])
@router.post(PATHS[1])
async def called(request: Request, platform: Parts) -> Response:
    """Answer a call; a small one does not wait for its turn among deposits."""
    call = _Call(
        request.headers.get("authorization", ""),
        request.client.host if request.client else "",
        request.headers.get("content-type", ""),
        request.state.reference,
    )
    stated = request.headers.get("content-length", "")
    account = await to_thread.run_sync(_admitted, platform, call)
    if isinstance(account, _Reply):  # nothing is read of whoever is not let in
        reply = account
    elif stated.isascii() and stated.isdigit() and int(stated) <= _SMALL:
        body = BytesIO(await request.body())
        reply = await to_thread.run_sync(_replied, platform, call, account, body)
    else:
        known(request, account.principal.actor)
        uploads: Uploads = request.app.state.uploads
        reply = await uploads.run(request, lambda body: _replied(platform, call, account, body))
    headers = {"WWW-Authenticate": 'Basic realm="tabellion", charset="UTF-8"'} if reply.status == _UNKNOWN else None
    background = BackgroundTask(reply.room.close)
    return FileResponse(reply.path, status_code=reply.status, media_type=MEDIA, headers=headers, background=background)


def _admitted(platform: Platform, call: _Call) -> Account | _Reply:
    """Return who asks, or what whoever is not let in is answered."""
    try:
        return account_behind(platform, call.authorization, call.host)
    except Exception as error:  # noqa: BLE001 - see ``_fault``
        with ExitStack() as stack:
            return _written(_room(stack), *_fault(call, error), stack)


def _replied(platform: Platform, call: _Call, account: Account, body: Any) -> _Reply:
    """Return the answer: whatever fails becomes one, also while it is written."""
    with ExitStack() as stack:
        room = _room(stack)
        try:
            told = answer(platform, account, _request(platform, call, cast("IO[bytes]", body), room), room)
            return _written(room, 200, told, stack)
        except Exception as error:  # noqa: BLE001 - see ``_fault``
            return _written(room, *_fault(call, error), stack)


def _room(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True)))


def _written(room: Path, status: int, told: wire.Answer, stack: ExitStack) -> _Reply:
    path = room / new_id()
    write(told, path)
    return _Reply(status, path, stack.pop_all())


def _fault(call: _Call, error: Exception) -> tuple[int, wire.Fault]:
    """Return the status and the fault; a caller is told nothing of our own, of which the log has the reference."""
    if isinstance(error, Unauthenticated):
        return _UNKNOWN, faults.client(str(error))
    if isinstance(error, TooLarge):
        return _TOO_LARGE, faults.client(str(error))
    if isinstance(error, UsageError):
        return _FAULT, faults.client(str(error))
    if isinstance(error, Unavailable):
        return _FAULT, faults.server(_messages("fault.unavailable"))
    _log.error("soap.fault", request=call.reference, error=type(error).__name__, exc_info=error)
    return _FAULT, faults.ours(call.reference)


def _request(platform: Platform, call: _Call, body: IO[bytes], room: Path) -> wire.Request:
    if call.content_type.partition(";")[0].strip().lower() not in _BODIES:
        raise MessageUnreadable(_messages("fault.media"))  # a form of another site could say anything else
    message = decode(body, call.content_type, room, largest(platform.settings.upload_limit))
    if not isinstance(message, wire.Request):
        raise MessageUnreadable(_messages("fault.request"))
    return message
