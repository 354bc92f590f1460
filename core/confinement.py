"""The far side of the sandbox: a server forks a child for each call; the child gives up all that it does not need, then runs.

What is given up here is described in ``core.sandbox``; ``core.forkserver`` starts this module.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import math
import os
import platform
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_RESERVED = 1 << 30  # addresses that code and allocators claim without using the memory behind them
_LARGEST_FILE = 512 << 20
_OPEN_FILES, _OPEN_FILES_OF_PROGRAM = 64, 512
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1  # prctl(2)
_NEW_USER, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # unshare(2)
# landlock(7): system calls, and the rights that each version of it knows, by bit.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE
_KNOWN_SINCE = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_CONNECT_AND_BIND, _SCOPES = 0b11, 0b11
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/etc/ld.so.cache", "/etc/fonts")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt")
_OF_PROGRAMS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/fonts", "/etc/ssl/certs", "/etc/localtime", "/proc/self")
_FRAMES = 4
_NUMBER = struct.Struct("i")
_IDLE = 300.0  # seconds after which a server that is asked nothing ends


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine(folder: Path, memory: int, seconds: float, program: Path | None = None) -> list[str]:
    """Give up, for the rest of this process and of its children, what a function in the sandbox does not need.

    Args:
        folder: the only place that may be written to.
        memory: bytes.
        seconds: of processor.
        program: what the process is going to become, when it is not Python that goes on: it and those of the system may be run.

    Returns:
        What the kernel did not let us give up: ``network``, ``files``.
    """
    processor = math.ceil(seconds) + 1
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, _OPEN_FILES_OF_PROGRAM if program else _OPEN_FILES),
        # Data counts what may be written and is the process's own; addresses count everything, shared memory too.
        (resource.RLIMIT_DATA, memory),
        # A virtual machine reserves far more addresses than it uses.
        *(() if program else ((resource.RLIMIT_AS, memory + _RESERVED),)),
    ):
        hard = resource.getrlimit(limit)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (bound, bound))
    library = ctypes.CDLL(None)
    library.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    kept = {"network": _without_network(library), "files": _without_files(library, folder, program)}
    return [name for name, given_up in kept.items() if not given_up]


def _without_network(library: Any) -> bool:
    """Move to a network of our own, in which there is nothing; who is not root needs a user namespace for that."""
    return any(library.unshare(flags) == 0 for flags in (_NEW_NETWORK, _NEW_NETWORK | _NEW_USER))


def _without_files(library: Any, folder: Path, program: Path | None) -> bool:
    """Forbid every file but those of the interpreter, or of a program, of the libraries and of the folder (Landlock)."""
    if platform.machine() not in {"x86_64", "aarch64"}:  # elsewhere the numbers of the system calls are not looked up
        return False
    version = library.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    rights = _KNOWN_SINCE[max(since for since in _KNOWN_SINCE if since <= version)]
    ruleset = _Ruleset(rights, _CONNECT_AND_BIND, _SCOPES)
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NETWORK_SINCE else 8
    opened = library.syscall(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if opened < 0:
        return False
    for place, allowed in _allowed_to(program, folder, rights) if program else _allowed(folder, rights):
        _allow(library, opened, place, allowed & rights)
    restricted: bool = library.syscall(_RESTRICT, ctypes.c_int(opened), ctypes.c_uint32(0)) == 0
    os.close(opened)
    return restricted


def _allow(library: Any, ruleset: int, place: Path, rights: int) -> None:
    try:
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    rule = _Rule(rights if place.is_dir() else rights & (_READ_FILE | _FILE_RIGHTS), opened)
    library.syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    os.close(opened)


def _allowed(folder: Path, everything: int) -> Iterator[tuple[Path, int]]:
    reading = _READ_FILE | _READ_FOLDER
    yield folder, everything & ~_EXECUTE
    for device in _DEVICES:
        yield Path(device), _READ_FILE | _WRITE_FILE
    roots = [Path(place) for place in (sys.prefix, sys.base_prefix, *_LIBRARIES)]
    for root in roots:
        yield root, reading
    for entry in map(Path, sys.path):
        if any(entry.is_relative_to(root) for root in roots) or not entry.is_dir():
            continue
        # The root of a checkout may hold the state of a platform beside the packages: names only, but for the packages.
        yield entry, _READ_FOLDER
        yield from ((package.parent, reading) for package in entry.glob("*/__init__.py"))


def _allowed_to(program: Path, folder: Path, everything: int) -> Iterator[tuple[Path, int]]:
    """Yield what a program may do: run what the system has and what lies beside it, and write to the folder only."""
    reading = _READ_FILE | _READ_FOLDER
    yield folder, everything & ~_EXECUTE
    for device in _DEVICES:
        yield Path(device), _READ_FILE | _WRITE_FILE
    for place in (program.resolve().parent, *map(Path, _PROGRAMS)):
        yield place, reading | _EXECUTE
    for place in (*map(Path, _OF_PROGRAMS), *Path("/etc").glob("java*")):
        yield place, reading


def _answered(request: dict[str, Any]) -> str:
    from core.errors import TabellionError
    from core.messages import speaking

    module, _, name = request["function"].partition(":")
    try:
        with speaking(request["locale"]):
            return json.dumps({"value": getattr(importlib.import_module(module), name)(request["argument"])})
    except TabellionError as error:
        return json.dumps({"declined": str(error)})
    except MemoryError:
        return json.dumps({"exhausted": "memory"})
    except OSError as error:
        exhausted = {errno.ENOMEM: "memory", errno.EFBIG: "room", errno.EMFILE: "room"}.get(error.errno or 0)
        return json.dumps({"exhausted": exhausted}) if exhausted else _fault(error)
    except Exception as error:  # noqa: BLE001  (told to the parent, which raises it again)
        return _fault(error)


def _fault(error: Exception) -> str:
    """Say where it happened and of what kind it is; never the message, which may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    trace = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return json.dumps({"fault": f"{type(error).__name__} at {trace}"})


def _child(request: IO[bytes], answer: IO[str], folder: str) -> None:
    """Run one request in the folder, and write the answer."""
    os.environ.update(HOME=folder, TMPDIR=folder)
    os.chdir(folder)
    asked = json.load(request)
    lacking = confine(Path(folder), asked["memory"], asked["seconds"])
    with answer:
        answer.write(f"{json.dumps(lacking)}\n{_answered(asked)}")


def _forked(asked: int, answered: int, folder: str, channel: socket.socket) -> int:
    """Fork a child that has nothing open but its request, its answer and what swallows the words of libraries."""
    if child := os.fork():
        return child
    status = 1
    try:
        os.setsid()
        channel.close()
        os.dup2(asked, 0)
        os.dup2(answered, 3)  # what a library prints must not get between the answer's braces
        os.closerange(4, 256)
        _child(os.fdopen(0, "rb", closefd=False), os.fdopen(3, "w", encoding="utf-8"), folder)
        status = 0
    finally:
        os._exit(status)


def _whole(channel: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = channel.recv(size - len(received))
        if not more:
            raise EOFError
        received += more
    return received


def serve(channel: socket.socket, module: str) -> None:
    """Import a module, then fork a child for each request, until the channel closes or nothing has come for a while.

    A request is the child's folder, with two open files: what is asked, and where the answer goes. Told that the child is over,
    the server answers its status.
    """
    sys.path[:] = json.loads(_whole(channel, _NUMBER.unpack(_whole(channel, _NUMBER.size))[0]))
    with contextlib.suppress(Exception):  # what cannot be imported is told by the child, which tries again
        importlib.import_module(module)
    gc.freeze()
    channel.settimeout(_IDLE)
    while True:
        try:
            folder, files, _, _ = socket.recv_fds(channel, 4096, 2)
        except TimeoutError:
            return
        if not folder:
            return
        asked, answered = files
        child = _forked(asked, answered, os.fsdecode(folder), channel)
        for file in files:
            os.close(file)
        channel.settimeout(None)
        try:
            channel.sendall(_NUMBER.pack(child))
            _whole(channel, 1)
        finally:  # the child itself besides: its group may not be made yet
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        channel.sendall(_NUMBER.pack(status))
        channel.settimeout(_IDLE)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as inherited, contextlib.suppress(EOFError, ConnectionError):
        os.dup2(1, 0)
        serve(inherited, sys.argv[1])
