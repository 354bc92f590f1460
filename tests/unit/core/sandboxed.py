"""What the tests of the sandbox run inside it."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.messages import Catalogue

_remembered: list[Any] = []


def doubled(argument: Any) -> Any:
    os.write(1, b"a library that talks")
    return {"value": argument["value"] * 2, "folder": str(Path.cwd()), "environment": sorted(os.environ)}


def refusing(_: Any) -> Any:
    raise UsageError(Catalogue("core")("person.gone"))


def failing(argument: Any) -> Any:
    raise RuntimeError(f"cannot say {argument}")


def hanging(_: Any) -> Any:
    while True:
        time.sleep(60)


def holding(_: Any) -> Any:
    held = os.open("taken", os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    Path("taken").rename("held")
    return time.sleep(600)


def remembering(argument: Any) -> Any:
    _remembered.append(argument)
    return _remembered


def leaving_a_child_behind(_: Any) -> Any:
    held = os.open("held", os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)  # for as long as one of the two lives
    return bool(os.fork()) or time.sleep(600)


def greedy(argument: Any) -> Any:
    return len(b"\x01" * argument)


def sharing(argument: Any) -> Any:
    import mmap

    return len(mmap.mmap(-1, argument))


def talkative(argument: Any) -> Any:
    return "x" * argument


def breaking(_: Any) -> Any:
    os.abort()


def lying(_: Any) -> Any:
    os.write(3, b"[" * 100_000)  # the file of the answer, as a child that was taken over would find it
    os._exit(0)


def writing(argument: Any) -> Any:
    return _tried(lambda: Path(argument).write_text("x"))


def reading(argument: Any) -> Any:
    return _tried(lambda: Path(argument).read_bytes())


def filling(argument: Any) -> Any:
    with Path("large").open("wb") as file:
        file.truncate(argument)
    return "done"


def connecting(argument: Any) -> Any:
    return _tried(lambda: socket.create_connection(("127.0.0.1", argument), timeout=5))


def executing(_: Any) -> Any:
    Path("program").write_text("#!/bin/sh\nexit 0\n")
    Path("program").chmod(0o700)
    return _tried(lambda: subprocess.run(["./program"], check=True))


def open_files(_: Any) -> Any:
    return sum(1 for number in range(64) if _is_open(number))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _tried(act: Any) -> str:
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"
