"""The far side of ``sandbox.run``: a process that gives up what it does not need, then becomes a program of the operator's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from core.confinement import confine

NOT_STARTED = 127
"""The exit status, as shells have it, when the program cannot be started."""


def become(asked: dict[str, str | int | float], arguments: list[str]) -> None:
    """Become the program; the file ``told`` is told what the kernel did not let us give up."""
    program, told = str(asked["program"]), int(asked["told"])
    lacking = json.dumps(confine(Path(str(asked["folder"])), int(asked["memory"]), float(asked["seconds"]), Path(program)))
    try:
        os.write(told, lacking.encode())
        os.close(told)
        os.execv(program, [program, *arguments])  # noqa: S606 - no shell: the very program that the operator names
    except (OSError, MemoryError):  # what it is given may be too little even to begin
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    become(json.loads(sys.argv[1]), sys.argv[2:])
