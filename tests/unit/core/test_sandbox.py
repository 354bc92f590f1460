"""A function in the sandbox gives its value, and can do nothing else."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import forkserver, sandbox
from core.messages import speaking
from core.sandbox import Declined, Died, Exhausted
from tests.waiting import wait_until

MEBIBYTE = 1 << 20
ROOT = Path(__file__).parents[3]
RUN = "tests.unit.core.sandboxed"


def run(folder: Path, name: str, argument: Any = None, *, seconds: float = 30) -> Any:
    return sandbox.call(f"{RUN}:{name}", argument, folder=folder, memory=200 * MEBIBYTE, seconds=seconds)


def test_a_value_comes_back_from_a_process_that_holds_no_secret_and_no_file_of_the_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABELLION_S3_SECRET_KEY", "secret")
    with Path(__file__).open() as held:
        os.set_inheritable(held.fileno(), True)
        given = run(tmp_path, "doubled", {"value": "é"})
    assert given == {
        "value": "éé",
        "folder": str(tmp_path),
        "environment": ["HOME", "LANG", "MALLOC_ARENA_MAX", "PATH", "TMPDIR"],
    }
    assert run(tmp_path, "open_files") == 4  # the request, the answer, two of /dev/null


def test_an_error_of_ours_keeps_its_message_in_the_language_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(Declined, match="Ce compte n’existe plus"):
        run(tmp_path, "refusing")
    with speaking("en"), pytest.raises(Declined, match="This account no longer exists"):
        run(tmp_path, "refusing")


def test_any_other_error_is_a_death_whose_words_are_never_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Died) as caught:
        run(tmp_path, "failing", "private words")
    told = str(caught.value) + capsys.readouterr().out
    assert "RuntimeError at sandboxed.py" in told
    assert "private words" not in told


@pytest.mark.parametrize("name", ["breaking", "lying", "absent"])
def test_a_child_that_breaks_or_answers_nonsense_is_a_death(tmp_path: Path, name: str) -> None:
    with pytest.raises(Died):
        run(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "argument", "what"),
    [
        ("hanging", None, "time"),
        ("greedy", 300 * MEBIBYTE, "memory"),
        ("sharing", 2048 * MEBIBYTE, "memory"),
        ("filling", 600 * MEBIBYTE, "room"),
        ("talkative", 17 * MEBIBYTE, "room"),
    ],
)
def test_a_child_that_asks_for_too_much_is_stopped(tmp_path: Path, name: str, argument: Any, what: str) -> None:
    with pytest.raises(Exhausted) as caught:
        run(tmp_path, name, argument, seconds=2 if what == "time" else 30)
    assert caught.value.what == what


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    assert run(tmp_path, "leaving_a_child_behind") is True
    with (tmp_path / "held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # waits until nobody lives who holds it


def test_a_child_writes_in_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    assert run(folder, "writing", "note") == "done"
    assert (folder / "note").read_text() == "x"
    assert run(folder, "writing", str(outside)) == "PermissionError"
    assert not outside.exists()


def test_a_child_reads_its_folder_and_the_code_but_no_other_file(tmp_path: Path) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret.key"
    folder.mkdir()
    (folder / "document").write_bytes(b"x")
    secret.write_bytes(b"x")
    beside = Path(sandbox.__file__).parents[1] / "pyproject.toml"
    assert run(folder, "reading", "document") == "done"
    assert [run(folder, "reading", str(path)) for path in (secret, beside, f"/proc/{os.getpid()}/environ")] == [
        "PermissionError"
    ] * 3


def test_a_child_starts_no_program(tmp_path: Path) -> None:
    assert run(tmp_path, "executing") == "PermissionError"


def test_a_child_reaches_nobody_over_the_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert run(tmp_path, "connecting", server.getsockname()[1]) in {"PermissionError", "ConnectionRefusedError", "OSError"}
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_nothing_of_one_call_reaches_the_next(tmp_path: Path) -> None:
    assert [run(tmp_path, "remembering", word) for word in ("one", "two")] == [["one"], ["two"]]


def test_calls_at_once_get_each_their_own_answer(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda word: run(tmp_path, "doubled", {"value": word})["value"], "abcdefgh"))
    assert answers == [word * 2 for word in "abcdefgh"]


def test_a_server_that_ended_while_it_waited_is_replaced(tmp_path: Path) -> None:
    run(tmp_path, "remembering", "one")
    for server in forkserver._servers._idle:
        server._process.kill()
        server._process.wait()
    assert run(tmp_path, "remembering", "two") == ["two"]


def test_a_server_that_is_killed_under_its_child_is_a_death_and_the_next_call_has_another(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, tmp_path, "holding")
        wait_until((tmp_path / "held").exists)
        for server in psutil.Process().children():
            if "core.confinement" in server.cmdline():
                server.kill()
        with pytest.raises(Died):
            running.result()
    assert run(tmp_path, "remembering", "one") == ["one"]


def test_a_child_does_not_outlive_the_process_that_called_it(tmp_path: Path) -> None:
    calling = (
        "import sys; from pathlib import Path; from core import sandbox\n"
        "sandbox.call(sys.argv[1], None, folder=Path(sys.argv[2]), memory=1 << 28, seconds=600)"
    )
    caller = subprocess.Popen([sys.executable, "-c", calling, f"{RUN}:holding", str(tmp_path)], cwd=ROOT)
    wait_until((tmp_path / "held").exists)
    caller.kill()
    caller.wait()
    with (tmp_path / "held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # waits until nobody lives who holds it
