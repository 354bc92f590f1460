"""What can be made again is made once, kept while there is room, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.derived import DerivedFiles

MAKER = """
import sys, time
from pathlib import Path
from core.derived import DerivedFiles
def make():
    with open(sys.argv[2], "a") as told:
        told.write("made ")
    time.sleep(0.2)
    return {"key": b"content"}
assert DerivedFiles(Path(sys.argv[1])).get_or_make("key", "key", make) == b"content"
"""


def files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("??/*") if path.is_file()]


def one(key: str, size: int = 1) -> dict[str, bytes]:
    return {key: b"x" * size}


def test_what_is_made_together_is_made_once_and_found_by_each_key(tmp_path: Path) -> None:
    cache = DerivedFiles(tmp_path)
    assert cache.get_or_make("page 1", "pages 1-2", lambda: {"page 1": b"one", "page 2": b"two"}) == b"one"
    assert DerivedFiles(tmp_path).get_or_make("page 2", "pages 1-2", lambda: pytest.fail("made again")) == b"two"


def test_of_several_processes_one_makes_and_the_others_wait(tmp_path: Path) -> None:
    told = tmp_path / "told"
    running = [subprocess.Popen([sys.executable, "-c", MAKER, str(tmp_path / "cache"), str(told)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert told.read_text() == "made "


def test_of_several_threads_one_makes(tmp_path: Path) -> None:
    cache, made, gate = DerivedFiles(tmp_path), [], threading.Barrier(4)

    def make() -> dict[str, bytes]:
        made.append(1)
        return one("key")

    def ask() -> None:
        gate.wait()
        cache.get_or_make("key", "key", make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_nothing_is_kept_of_what_could_not_be_made_and_the_next_may_try(tmp_path: Path) -> None:
    cache = DerivedFiles(tmp_path)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("key", "key", lambda: one("key", 1 // 0))
    assert cache.get_or_make("key", "key", lambda: one("key")) == b"x"


def test_the_least_read_go_first_when_there_is_too_much(tmp_path: Path) -> None:
    cache = DerivedFiles(tmp_path, limit=1000)
    for rank, name in enumerate(("oldest", "old", "recent")):
        cache.get_or_make(name, name, lambda name=name: one(name, 300))
        os.utime(max(files(tmp_path), key=lambda path: path.stat().st_mtime_ns), (rank, rank))
    assert cache.get("oldest") is not None  # read again: no longer the least
    cache.get_or_make("new", "new", lambda: one("new", 300))
    assert cache.get("old") is None
    assert None not in (cache.get("oldest"), cache.get("new"))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 1000


def test_what_nobody_has_read_for_a_day_goes_by_itself_and_everything_when_told(tmp_path: Path) -> None:
    cache = DerivedFiles(tmp_path)
    cache.get_or_make("unread", "unread", lambda: one("unread"))
    os.utime(files(tmp_path)[0], (time.time() - 25 * 3600,) * 2)
    cache.get_or_make("read", "read", lambda: one("read"))
    assert DerivedFiles(tmp_path).get("nothing") is None  # another process, which looks once an hour
    assert (cache.get("unread"), cache.get("read")) == (None, b"x")
    cache.forget()
    assert cache.get("read") is None


def test_a_file_that_has_gone_is_made_again(tmp_path: Path) -> None:
    cache = DerivedFiles(tmp_path)
    cache.get_or_make("key", "key", lambda: one("key"))
    for path in files(tmp_path):
        path.unlink()
    assert cache.get_or_make("key", "key", lambda: one("key", 2)) == b"xx"


def test_a_disk_that_takes_nothing_more_costs_time_and_not_the_answer(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.symlink_to("/proc/self/nowhere")
    cache = DerivedFiles(folder)
    assert [cache.get_or_make("key", "key", lambda: one("key")) for _ in range(2)] == [b"x", b"x"]


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert DerivedFiles(tmp_path).get_or_make("key", "key", lambda: one("key")) == b"x"
    assert files(tmp_path) == []
