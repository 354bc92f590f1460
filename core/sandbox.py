"""Running one function on a hostile document, in a process that can do nothing else.

    SandboxError
    ├── Declined     the function said why it does not do it: its message is for people
    ├── Exhausted    it asked for more time, memory or room for its answer than it was given
    └── Died         it broke: a fault of ours, or of a library that read the document

Each call forks a child of its own from an interpreter that has imported the function and never sees a document
(``core.forkserver``), so that nothing of one document reaches another. The child

- holds no secret: its environment is made anew, it inherits no open file but its request and its answer;
- has bounds of memory, processor, size and number of files, and dies with its whole process group when its time is over;
- may write below its folder only, read only that and the code it runs, and start no program (Landlock, Linux 5.13);
- has no network (a namespace of its own; where user namespaces are not permitted, Linux 6.7 still forbids TCP).

What the kernel does not give is written to the log once (``sandbox.lacking``), and the call goes on. What this does not do: hide
which processes and files exist, forbid system calls that a faulty kernel answers badly, keep a child that was taken over from
connecting to a socket that has a name in the file system, nor make its answer true: callers treat that as they treat the
document. Of the memory, each process of the child's group has the bound for itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import threading
from pathlib import Path
from typing import IO, TypeAlias

import structlog

from core.errors import TabellionError, Unavailable
from core.forkserver import Gone, forked
from core.messages import Catalogue, current_locale

_log = structlog.get_logger()
_messages = Catalogue("core")
JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
_LARGEST_ANSWER = 16 << 20
_PATIENCE = 60.0  # seconds until one's turn comes
_turns = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
_told: set[str] = set()


class SandboxError(TabellionError):
    """A function in the sandbox gave no value."""


class Declined(SandboxError):
    """The function raised an error of ours; the message is the one that it gave."""


class Exhausted(SandboxError):
    """The child needed more than it was given.

    Attributes:
        what: ``time``, ``memory`` or ``room`` (of its files, of its answer).
    """

    def __init__(self, what: str) -> None:
        super().__init__(_messages("sandbox.exhausted"))
        self.what = what


class Died(SandboxError):
    """The child broke without an answer."""

    def __init__(self) -> None:
        super().__init__(_messages("sandbox.died"))


def call(function: str, argument: JsonValue, *, folder: Path, memory: int, seconds: float) -> JsonValue:
    """Return what a function answers, from a process of its own that can do nothing else.

    As many run at once as the machine has processors; the others wait for their turn, which is not part of their time.

    Args:
        function: ``package.module:name``, of one argument.
        argument: what it is given.
        folder: where it starts, and all it may write to; files go in and out through it.
        memory: bytes that it may write to, its interpreter and what it imports included.
        seconds: until it is killed.

    Raises:
        Declined: the function raised a ``TabellionError``.
        Exhausted: time, memory, or room for files and answer.
        Died: anything else that went wrong in it.
        Unavailable: too many wait for their turn.
    """
    request = {
        "function": function,
        "argument": argument,
        "locale": current_locale(),
        "memory": memory,
        "seconds": seconds,
    }
    if not _turns.acquire(timeout=_PATIENCE):
        raise Unavailable(_messages("sandbox.busy"))
    try:
        # Files rather than pipes: neither side ever waits for the other to read, and the kernel bounds their size.
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
            asked.write(json.dumps(request).encode())
            asked.seek(0)
            status = _run(function.partition(":")[0], asked, answered, folder, seconds)
            return _value(function, status, answered)
    except Gone as error:
        raise Unavailable(_messages("sandbox.busy")) from error
    finally:
        _turns.release()


def _run(module: str, asked: IO[bytes], answered: IO[bytes], folder: Path, seconds: float) -> int | None:
    """Run the child and return its exit status, or None when its time was over."""
    with forked(module, asked, answered, folder) as (child, server):
        ended = os.pidfd_open(child)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            in_time = bool(poll.poll(seconds * 1000))
        finally:
            os.close(ended)
        # Reaping, the server first kills what the child may have started, and the child itself when its time is over.
        try:
            status = server.reap()
        except Gone as error:
            raise _noted(Died(), module, None) from error
    return status if in_time else None


def _value(function: str, status: int | None, answered: IO[bytes]) -> JsonValue:
    if status is None or status == -signal.SIGXCPU:
        raise _noted(Exhausted("time"), function, status)
    if status == -signal.SIGKILL:  # not by us: the processor's hard limit, or a machine that is out of memory
        raise _noted(Exhausted("memory"), function, status)
    if status == -signal.SIGXFSZ or answered.seek(0, os.SEEK_END) > _LARGEST_ANSWER:
        raise _noted(Exhausted("room"), function, status)
    answered.seek(0)
    try:
        lacking = {"network", "files"}.intersection(json.loads(answered.readline()))
        ((kind, found),) = json.load(answered).items()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _noted(Died(), function, status) from error
    if lacking - _told:
        _told.update(lacking)
        _log.warning("sandbox.lacking", lacking=sorted(lacking))
    match kind:
        case "value":
            return found  # type: ignore[no-any-return]
        case "declined":
            raise Declined(str(found))
        case "exhausted":
            raise _noted(Exhausted("room" if found == "room" else "memory"), function, status)
        case _:
            raise _noted(Died(), function, status, str(found))


def _noted(error: SandboxError, function: str, status: int | None, fault: str = "") -> SandboxError:
    kind = getattr(error, "what", "died")
    _log.warning("sandbox.failed", function=function, kind=kind, status=status, fault=fault[:200])
    return error
