"""The one child of this process: started when first needed, kept warm, replaced when it dies, grows or has served long.

A run that a child did not live to answer is asked again of a new one, once. Nothing is ever concluded from a child that died.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import structlog

from core.errors import Misconfigured, TabellionError, Unavailable
from core.messages import Catalogue
from schemas.schematron.frames import receive, send

_log = structlog.get_logger()
messages = Catalogue("schemas.schematron")
_MOST_RUNS = 2_000
_MOST_RESIDENT = 800 << 20
_SECONDS = 60  # of processor for one document, the compilation of its rules included
_PATIENCE = 300.0  # seconds of the wall, well above: the machine may be busy
_LAST_MOMENT = 5.0
_TRIES = 2


class NotApplied(TabellionError):
    """The rules cannot be applied to this document: a value has not the form that they count with.

    Attributes:
        reason: what Saxon says, in English.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(messages("not_applied"))
        self.reason = reason


class TooLong(TabellionError):
    """The document takes more processor time than one is given."""

    def __init__(self) -> None:
        super().__init__(messages("too_long"))


class Process:
    """A child and what is known of it; threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._runs = 0
        atexit.register(self.stop)
        os.register_at_fork(after_in_child=self._forked)

    @property
    def pid(self) -> int | None:
        """The child's number; None when there is none."""
        return self._child.pid if self._child else None

    def run(self, stylesheet: str, document: bytes) -> dict[str, Any]:
        """Return what the child answers: ``findings`` and ``total``.

        Raises:
            NotApplied: the rules cannot be applied to the document.
            TooLong: they take too long on it.
            Misconfigured: the stylesheet cannot be read or compiled.
            Unavailable: no child lives to answer; the document is not at fault as far as one knows.
        """
        with self._lock:
            for _ in range(_TRIES):
                try:
                    answer = self._asked(stylesheet, document)
                    break
                except (OSError, EOFError) as error:
                    self._raise_or_note(error)
            else:
                raise Unavailable(messages("unavailable"))
        if "stylesheet" in answer:
            raise Misconfigured(messages("stylesheet", name=stylesheet, reason=" ".join(answer["stylesheet"].split())))
        if "document" in answer:
            raise NotApplied(answer["document"])
        return answer

    def stop(self) -> None:
        """End the child, if there is one; the next run starts another."""
        with self._lock:
            self._end()

    def _asked(self, stylesheet: str, document: bytes) -> dict[str, Any]:
        channel = self._channel or self._start()
        send(channel, json.dumps({"stylesheet": stylesheet, "seconds": _SECONDS}).encode(), document)
        answer: dict[str, Any] = json.loads(receive(channel))
        self._runs += 1
        if self._runs >= _MOST_RUNS or answer["resident"] > _MOST_RESIDENT:
            _log.info("schematron.replaced", runs=self._runs, resident=answer["resident"])
            self._end()
        return answer

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.settimeout(_PATIENCE)
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-m", "schemas.schematron.child"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
                start_new_session=True,
            )
        self._channel, self._runs = ours, 0
        return ours

    def _raise_or_note(self, error: Exception) -> None:
        status = self._end()
        _log.warning("schematron.died", status=status, kind=type(error).__name__)
        if status == -signal.SIGXCPU:
            raise TooLong

    def _end(self) -> int | None:
        """Close the channel, at which the child ends, and return how it did; kill it if it does not."""
        child, channel = self._child, self._channel
        self._forget()
        if channel is not None:
            channel.close()
        if child is None:
            return None
        try:
            return child.wait(_LAST_MOMENT)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def _forget(self) -> None:
        self._child = None
        self._channel = None
        self._runs = 0

    def _forked(self) -> None:
        """Leave the child to the process that started it: two that speak to one would take each other's answers."""
        self._lock = threading.Lock()
        if self._channel is not None:
            self._channel.close()
        self._forget()
