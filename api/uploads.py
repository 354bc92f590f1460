"""Deposits as they come over the wire: the body is read forward, in pieces, by the thread that stores it.

The thread asks the event loop for each piece when it has room for it, so that a document of any size costs the memory of a few
pieces, and the sender is slowed down rather than buffered. At most a handful of deposits are under way at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import from_thread, to_thread
from starlette.requests import ClientDisconnect, Request

from api.problems import TooSlow
from api.words import messages
from core.blobs import Readable
from core.errors import Unavailable, UnreadableInput, UsageError

Result = TypeVar("Result")
_AT_ONCE = 8
_TURN_WITHIN = 60.0
_PIECE_WITHIN = 30.0


class Uploads:
    """The turnstile of deposits: each one under way holds some tens of megabytes and a thread."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self, request: Request, deposit: Callable[[Body], Result]) -> Result:
        """Run a deposit in a thread, with the request's body to read from.

        Raises:
            Unavailable: too many deposits are under way.
        """
        async with self._turn():
            return await to_thread.run_sync(deposit, Body(request))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turns.acquire(), _TURN_WITHIN)
        except TimeoutError as error:
            raise Unavailable(messages("upload.busy")) from error
        try:
            yield
        finally:
            self._turns.release()


class Body:
    """The body of a request, to be read in the thread that ``Uploads.run`` started."""

    def __init__(self, request: Request) -> None:
        self._pieces = request.stream()
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        Raises:
            UnreadableInput: the sender went away before the end.
            TooSlow: nothing came for a while.
            TooLarge: the body is larger than this path allows.
        """
        piece = self._rest or from_thread.run(self._next)
        taken, self._rest = (piece, b"") if size < 0 else (piece[:size], piece[size:])
        return taken

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(_PIECE_WITHIN):
                async for piece in self._pieces:
                    if piece:
                        return piece
        except TimeoutError as error:
            raise TooSlow(messages("upload.slow")) from error
        except ClientDisconnect as error:
            raise UnreadableInput(messages("upload.truncated")) from error
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
