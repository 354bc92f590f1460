"""Interpreters that have imported what a function of the sandbox needs, and wait to be forked for a call.

To import is most of what a small call costs: it is done once for each module, in a process that holds no secret, never sees a
document, and only forks. Those that have not been asked for a while end by themselves.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_MOST_IDLE = max(2, os.cpu_count() or 1)
_PATIENCE = 60.0  # seconds: to import on a busy machine, or to wait for one that was killed
_NUMBER = struct.Struct("i")


class Gone(Exception):
    """A server ended before it answered: none could be started, or one died with its child."""


class Server:
    """One interpreter, for one call at a time."""

    def __init__(self, module: str) -> None:
        """Start it; it imports the module before it forks for the first time."""
        self.module = module
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a module of ours, by this very interpreter
                [sys.executable, "-I", "-B", "-m", "core.confinement", module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
                start_new_session=True,
            )
        path = json.dumps([entry for entry in sys.path if Path(entry).is_absolute()]).encode()
        self._channel.sendall(_NUMBER.pack(len(path)) + path)

    def fork(self, asked: IO[bytes], answered: IO[bytes], folder: Path) -> int:
        """Fork a child for a request, and return its number; the number stays its own until ``reap``.

        Raises:
            OSError, EOFError: the server has ended; nothing was begun.
        """
        socket.send_fds(self._channel, [os.fsencode(folder)], [asked.fileno(), answered.fileno()])
        return self._number()

    def reap(self) -> int:
        """Return the exit status of the child, which has ended; that of a signal is negative.

        Raises:
            Gone: the server died meanwhile, and its child with it.
        """
        try:
            self._channel.sendall(b"\n")
            return os.waitstatus_to_exitcode(self._number())
        except (OSError, EOFError) as error:
            raise Gone from error

    def end(self) -> None:
        """End it, and a child that it may have."""
        self._channel.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave(self) -> None:
        """Leave it to the process that started it, of which this one was forked."""
        self._channel.close()
        self._process.returncode = 0  # not a child of ours: nobody here waits for it

    def _number(self) -> int:
        received = b""
        while len(received) < _NUMBER.size:
            more = self._channel.recv(_NUMBER.size - len(received))
            if not more:
                raise EOFError
            received += more
        number: int = _NUMBER.unpack(received)[0]
        return number


class _Servers:
    """Those that wait, the one that was used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Server] = []
        atexit.register(self.end)
        os.register_at_fork(after_in_child=self._forked)

    def take(self, module: str) -> Server | None:
        """Take one that has imported a module, if one waits."""
        with self._lock:
            found = next((server for server in reversed(self._idle) if server.module == module), None)
            if found is not None:
                self._idle.remove(found)
            return found

    def give(self, server: Server) -> None:
        """Let one wait for the next call; where too many do, the one that waited longest ends."""
        with self._lock:
            self._idle.append(server)
            over = self._idle.pop(0) if len(self._idle) > _MOST_IDLE else None
        if over is not None:
            over.end()

    def end(self) -> None:
        """End all that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for server in idle:
            server.end()

    def _forked(self) -> None:
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        for server in idle:
            server.leave()


_servers = _Servers()


@contextmanager
def forked(module: str, asked: IO[bytes], answered: IO[bytes], folder: Path) -> Iterator[tuple[int, Server]]:
    """Give a child that was forked for a request, and its server, which waits for the next call once the block has reaped it.

    Raises:
        Gone: no server lives long enough to fork.
    """
    server, child = _begun(module, asked, answered, folder)
    try:
        yield child, server
    except BaseException:
        server.end()
        raise
    _servers.give(server)


def _begun(module: str, asked: IO[bytes], answered: IO[bytes], folder: Path) -> tuple[Server, int]:
    while (server := _servers.take(module)) is not None:
        try:
            return server, server.fork(asked, answered, folder)
        except (OSError, EOFError):  # it had waited long, and ended before it was asked
            server.end()
    server = Server(module)
    try:
        return server, server.fork(asked, answered, folder)
    except (OSError, EOFError) as error:
        server.end()
        raise Gone from error
