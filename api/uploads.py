"""Deposits as they come over the wire: the body is read forward, in pieces, by the thread that stores it.

The thread asks the event loop for each piece when it has room for it, so that a document of any size costs the memory of a few
pieces, and the sender is slowed down rather than buffered. At most a handful of deposits are under way at once, half of them of
one caller, and whoever sends slower than any line of today gives its turn back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from anyio import from_thread, to_thread
from starlette.requests import ClientDisconnect, Request

from api.problems import TooSlow
from api.words import messages
from core.blobs import Readable, TooLarge
from core.errors import Unavailable, UnreadableInput, UsageError

Result = TypeVar("Result")
_AT_ONCE = 8
_SAID_AT_ONCE = 16
_TURN_WITHIN = 60.0
_PIECE_WITHIN = 30.0
_SLOWEST = 16 * 1024  # bytes a second, over the whole body
_BEHIND = 60.0  # seconds that a sender may be behind that


def known(request: Request, actor: str) -> None:
    """Note who sends a request, as the journal names actors: turns are shared between callers."""
    request.state.caller = actor


class Uploads:
    """The turnstile of bodies: each deposit under way holds some tens of megabytes and a thread."""

    def __init__(self) -> None:
        self._deposits, self._said = _Turns(_AT_ONCE), _Turns(_SAID_AT_ONCE)
        self._finishes: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, request: Request, deposit: Callable[[Body], Result]) -> Result:
        """Run a deposit in a thread, with the request's body to read from.

        Raises:
            Unavailable: too many deposits are under way.
        """
        async with self._deposits.taken(_caller(request)):
            return await to_thread.run_sync(deposit, Body(request))

    async def finish(self, request: Request, upload_id: str, finish: Callable[[], Result]) -> Result:
        """Put an upload together in a thread: a deposit like any other, and one at a time of the same upload.

        Raises:
            Unavailable: too many deposits are under way, or this upload is being put together for a long time.
        """
        caller = _caller(request)
        own = self._finishes.setdefault((caller, upload_id), asyncio.Semaphore(1))
        async with _held(own), self._deposits.taken(caller):
            return await to_thread.run_sync(finish)

    async def say(self, request: Request, understand: Callable[[bytes], Result]) -> Result:
        """Read a body that is no document, and understand it in a thread, beside the deposits.

        Raises:
            Unavailable: too many are being read.
            UnreadableInput, TooSlow, TooLarge: see ``Body.read``.
        """
        async with self._said.taken(_caller(request)):
            return await to_thread.run_sync(understand, await Body(request).whole())


def whole(source: Readable, limit: int) -> bytes:
    """Return all that a body or a part holds, whatever pieces it comes in.

    Raises:
        TooLarge: it is more than ``limit`` bytes.
    """
    octets = b""
    while piece := source.read():
        octets += piece
        if len(octets) > limit:
            raise TooLarge(limit)
    return octets


class _Turns:
    """So many turns, of which one caller has half at most.

    Args:
        number: of turns.
    """

    def __init__(self, number: int) -> None:
        self._all, self._share = asyncio.Semaphore(number), number // 2
        self._of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def taken(self, caller: str) -> AsyncIterator[None]:
        """Hold a turn for the block; see ``_held``."""
        async with _held(self._of.setdefault(caller, asyncio.Semaphore(self._share)), self._all):
            yield


@asynccontextmanager
async def _held(*turns: asyncio.Semaphore) -> AsyncIterator[None]:
    """Hold turns for the block, taken one after the other.

    Raises:
        Unavailable: they were waited for in vain.
    """
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(_TURN_WITHIN):
                for turn in turns:
                    await held.enter_async_context(turn)
        except TimeoutError as error:
            raise Unavailable(messages("upload.busy")) from error
        yield


def _caller(request: Request) -> str:
    """Return who sends a request; a face that does not tell is shared out by network address."""
    caller: str = getattr(request.state, "caller", "") or (request.client.host if request.client else "")
    return caller


class Body:
    """The body of a request, to be read in the thread that ``Uploads.run`` started."""

    def __init__(self, request: Request) -> None:
        self._pieces = request.stream()
        self._rest = b""
        self._received, self._waited = 0, 0.0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        Raises:
            UnreadableInput: the sender went away before the end.
            TooSlow: nothing came for a while, or little for a long while.
            TooLarge: the body is larger than this path allows.
        """
        piece = self._rest or from_thread.run(self._next)
        taken, self._rest = (piece, b"") if size < 0 else (piece[:size], piece[size:])
        return taken

    async def whole(self) -> bytes:
        """Return all of it, in the event loop.

        Raises:
            UnreadableInput, TooSlow, TooLarge: see ``read``.
        """
        pieces = []
        while piece := await self._next():
            pieces.append(piece)
        return b"".join(pieces)

    async def _next(self) -> bytes:
        # Only the sender's time counts: while a piece is stored, nobody waits for the next.
        left = _BEHIND + self._received / _SLOWEST - self._waited
        begun = time.monotonic()
        try:
            async with asyncio.timeout(min(_PIECE_WITHIN, left)):
                async for piece in self._pieces:
                    if piece:
                        self._received += len(piece)
                        return piece
        except TimeoutError as error:
            raise TooSlow(messages("upload.slow")) from error
        except ClientDisconnect as error:
            raise UnreadableInput(messages("upload.truncated")) from error
        finally:
            self._waited += time.monotonic() - begun
        return b""


class Document:
    """A document to be kept, that holds at least one byte."""

    def __init__(self, source: Readable) -> None:
        self._source, self._begun = source, False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        Raises:
            UsageError: there is nothing in the document.
        """
        piece = self._source.read(size)
        if not piece and not self._begun:
            raise UsageError(messages("upload.empty"))
        self._begun = True
        return piece
