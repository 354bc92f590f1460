"""Bodies on their way in: a turn for each, half of them for one caller, none for whoever sends hardly anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from starlette.requests import Request
from starlette.types import Message

from api import uploads
from api.problems import TooSlow
from api.uploads import Body, Uploads, known
from core.errors import Unavailable


def request_of(actor: str, *pieces: bytes, after: float = 0.0) -> Request:
    """A request of somebody, whose pieces come one by one."""
    coming: Iterator[bytes] = iter(pieces)

    async def receive() -> Message:
        await asyncio.sleep(after)
        piece = next(coming, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    request = Request({"type": "http", "headers": [], "client": ("192.0.2.1", 1)}, receive)
    known(request, actor)
    return request


def test_one_caller_holds_half_of_the_turns_and_leaves_the_others_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_TURN_WITHIN", 0.05)
    done = threading.Event()

    async def scene() -> None:
        turnstile = Uploads()
        held = [asyncio.create_task(turnstile.run(request_of("token:1"), lambda _: done.wait(20))) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await turnstile.run(request_of("token:1"), lambda _: True)
        assert await turnstile.run(request_of("token:2"), lambda _: True)
        done.set()
        assert await asyncio.gather(*held) == [True] * 4
        assert await turnstile.run(request_of("token:1"), lambda _: True)  # a turn that was waited for in vain is not lost

    asyncio.run(scene())


def test_an_upload_is_put_together_by_one_request_at_a_time_and_in_its_caller_s_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_TURN_WITHIN", 0.05)
    done = threading.Event()

    async def scene() -> None:
        turnstile, caller = Uploads(), request_of("token:1")
        held = [asyncio.create_task(turnstile.finish(caller, "a", partial(done.wait, 20)))]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await turnstile.finish(caller, "a", lambda: True)
        held += [asyncio.create_task(turnstile.finish(caller, one, partial(done.wait, 20))) for one in "bcd"]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await turnstile.finish(caller, "e", lambda: True)
        assert await turnstile.finish(request_of("token:2"), "f", lambda: True)
        done.set()
        assert await asyncio.gather(*held) == [True] * 4
        assert await turnstile.finish(caller, "a", lambda: True)

    asyncio.run(scene())


@pytest.mark.parametrize("lane", ["run", "say"])
def test_a_body_that_trickles_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch, lane: str) -> None:
    monkeypatch.setattr(uploads, "_BEHIND", 0.1)

    def read(body: Body) -> bytes:
        return b"".join(iter(body.read, b""))

    async def scene(piece: bytes) -> bytes:
        request = request_of("token:1", *[piece] * 20, after=0.02)  # each piece comes in good time
        return await (Uploads().run(request, read) if lane == "run" else Uploads().say(request, bytes))

    with pytest.raises(TooSlow):
        asyncio.run(scene(b"x"))
    assert asyncio.run(scene(b"x" * uploads._SLOWEST)) == b"x" * uploads._SLOWEST * 20
