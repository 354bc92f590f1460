"""A program of the operator's runs in the sandbox: it reads its folder, writes to it, and reaches nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core import sandbox
from core.errors import Misconfigured
from core.sandbox import Died, Exhausted, Ran

MEBIBYTE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    return place


def run(folder: Path, script: str, *arguments: str, seconds: float = 30) -> Ran:
    place = folder.parent / "program"
    place.mkdir(exist_ok=True)
    program = place / "script"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return sandbox.run(program, arguments, folder=folder, memory=200 * MEBIBYTE, seconds=seconds, environment={"SAID": "x"})


def test_a_program_answers_from_its_folder_and_holds_no_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABELLION_S3_SECRET_KEY", "secret")
    (folder / "document").write_text("lu")
    ran = run(folder, 'cat document; echo "$1$SAID$HOME$TABELLION_S3_SECRET_KEY"; echo x > "$1"; exit 3', "écrit")
    assert ran == Ran(3, f"luécritx{folder}\n".encode())
    assert (folder / "écrit").read_text() == "x\n"


def test_a_program_reads_and_writes_nothing_elsewhere(folder: Path) -> None:
    secret, outside = folder.parent / "secret.key", folder.parent / "out"
    secret.write_text("secret")
    ran = run(folder, f"cat {secret} /proc/{os.getpid()}/environ; echo x > {outside}; echo $?")
    assert ran.output.decode().strip().isdigit()
    assert not outside.exists()


def test_a_program_runs_nothing_that_a_document_brings(folder: Path) -> None:
    (folder / "brought").write_text("#!/bin/sh\necho brought\n")
    (folder / "brought").chmod(0o755)
    assert run(folder, "./brought; echo $?").output == b"126\n"


def test_a_program_reaches_nobody_over_the_network(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tried = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        assert run(folder, f"bash -c '{tried}'; echo $?").output == b"1\n"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_program_that_asks_for_too_much_is_stopped(folder: Path) -> None:
    for script, what, seconds in (("exec tail -f /dev/null", "time", 1.0), ("exec head -c 17M /dev/zero", "room", 30.0)):
        with pytest.raises(Exhausted) as caught:
            run(folder, script, seconds=seconds)
        assert caught.value.what == what
    with pytest.raises(Died):
        run(folder, "kill -9 $$")


def test_a_program_that_is_none_is_told_to_the_operator(folder: Path) -> None:
    plain = folder.parent / "plain"
    plain.write_bytes(b"\x7fELF")
    for mode in (0o644, 0o755):
        plain.chmod(mode)
        with pytest.raises(Misconfigured, match="plain"):
            sandbox.run(plain, (), folder=folder, memory=64 * MEBIBYTE, seconds=5)
