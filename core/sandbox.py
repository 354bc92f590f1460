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

``run`` does the same with a program of the operator's, which may start what the system has: a script, its virtual machine.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import structlog

from core.confined_program import NOT_STARTED
from core.errors import Misconfigured, TabellionError, Unavailable
from core.forkserver import Gone, forked
from core.messages import Catalogue, current_locale

_log = structlog.get_logger()
_messages = Catalogue("core")
JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
_LARGEST_ANSWER = 16 << 20
_LEAST_MEMORY = 256 << 20
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


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ended by itself: its exit status, and what it wrote to its standard output."""

    status: int
    output: bytes


def run(
    program: Path,
    arguments: Sequence[str],
    *,
    folder: Path,
    memory: int,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program of the operator's on what a folder holds; bounded as ``call`` is, with turns of the same.

    Args:
        program: its absolute path; what lies beside it may be read and run too.
        arguments: given to it.
        folder: where it starts, and all it may write to.
        memory: bytes that it may write to.
        seconds: until it is killed; of its processors together it may use twice as many.
        environment: variables beside ``PATH``, ``HOME``, ``TMPDIR`` and ``LANG``, of which nothing else is inherited.

    Raises:
        Misconfigured: it cannot be started.
        Exhausted: time, or room for its files and its output.
        Died: a signal ended it.
        Unavailable: too many wait for their turn.
    """
    if not os.access(program, os.X_OK) or not program.is_file():
        raise Misconfigured(_messages("sandbox.program", program=program))
    if not _turns.acquire(timeout=_PATIENCE):
        raise Unavailable(_messages("sandbox.busy"))
    try:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as told:
            asked: dict[str, str | int | float] = {"program": str(program), "folder": str(folder), "told": told.fileno()}
            asked |= {"memory": memory, "seconds": 2 * seconds}
            status = _started(asked, arguments, output, seconds, environment or {})
            told.seek(0)
            _note_lacking(json.loads(told.read() or b"[]"))
            return _ran(program, status, output)
    finally:
        _turns.release()


def _started(
    asked: dict[str, str | int | float],
    arguments: Sequence[str],
    output: IO[bytes],
    seconds: float,
    environment: Mapping[str, str],
) -> int | None:
    """Run the program and return its exit status, that of a signal negative, or None when its time was over."""
    folder = str(asked["folder"])
    process = subprocess.Popen(  # noqa: S603 - a module of ours, by this very interpreter
        [sys.executable, "-I", "-B", "-m", "core.confined_program", json.dumps(asked), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, **environment},
        pass_fds=[int(asked["told"])],
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):  # what it may have started besides
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ran(program: Path, status: int | None, output: IO[bytes]) -> Ran:
    name = program.name
    if status is None or status == -signal.SIGXCPU:
        raise _noted(Exhausted("time"), name, status)
    if status == -signal.SIGXFSZ or output.seek(0, os.SEEK_END) > _LARGEST_ANSWER:
        raise _noted(Exhausted("room"), name, status)
    if status == NOT_STARTED:
        raise Misconfigured(_messages("sandbox.program", program=program))
    if status < 0:
        raise _noted(Died(), name, status)
    output.seek(0)
    return Ran(status, output.read())


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
    _note_lacking(lacking)
    match kind:
        case "value":
            return found  # type: ignore[no-any-return]
        case "declined":
            raise Declined(str(found))
        case "exhausted":
            raise _noted(Exhausted("room" if found == "room" else "memory"), function, status)
        case _:
            raise _noted(Died(), function, status, str(found))


def lacking() -> tuple[str, ...]:
    """Return what the kernel does not let a call give up, having made an empty one: ``network``, ``files``.

    Raises:
        SandboxError, Unavailable: as ``call``.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        call("json:dumps", None, folder=Path(folder), memory=_LEAST_MEMORY, seconds=_PATIENCE)
    return tuple(sorted(_told))


def _note_lacking(lacking: Iterable[str]) -> None:
    if new := set(lacking) - _told:
        _told.update(new)
        _log.warning("sandbox.lacking", lacking=sorted(new))


def _noted(error: SandboxError, function: str, status: int | None, fault: str = "") -> SandboxError:
    kind = getattr(error, "what", "died")
    _log.warning("sandbox.failed", function=function, kind=kind, status=status, fault=fault[:200])
    return error
