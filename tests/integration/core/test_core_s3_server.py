"""The embedded S3 server: its data outlive it, its credentials are its owner's, and one that was left behind is ended."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.blobs import ObjectStore
from core.errors import Misconfigured, TabellionError
from core.s3_server import S3Server, s3_server, store_running_in
from core.settings import Settings

ROOT = Path(__file__).parents[3]
PARENT = """
import sys, time
from pathlib import Path
from core.s3_server import S3Server
server = S3Server(Path(sys.argv[1]))
server.start()
print("started", flush=True)
time.sleep(600)
"""


def pid_in(folder: Path) -> int:
    return int((folder / "pid").read_text())


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def answers(store: ObjectStore) -> bool:
    with contextlib.suppress(TabellionError):
        store.prepare()
        return True
    return False


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server's parent was killed outright."""
    folder = tmp_path / "s3"
    with subprocess.Popen([sys.executable, "-c", PARENT, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        parent.kill()
    yield folder
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid_in(folder), signal.SIGKILL)


def test_what_is_kept_is_still_there_after_a_restart_at_the_same_address(tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as server:
        store = server.store("t")
        store.prepare()
        blob = store.put(io.BytesIO(b"document"))
        endpoint, pid = server.endpoint, pid_in(tmp_path / "s3")
        assert lives(pid)
    assert not lives(pid)
    with s3_server(tmp_path / "s3") as server:
        assert server.endpoint == endpoint
        server.store("t").fetch(blob.sha256, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"document"


def test_a_server_left_behind_by_a_killed_parent_is_ended_by_the_next_start(orphan: Path) -> None:
    left = pid_in(orphan)
    assert answers(store_running_in(orphan, Settings(s3_bucket_prefix="t")))
    server = S3Server(orphan)
    assert not lives(left)
    server.start()
    assert lives(pid_in(orphan))
    assert answers(server.store("t"))
    server.stop()


def test_a_process_that_has_taken_the_number_of_a_dead_server_is_left_alone(tmp_path: Path, s3: S3Server) -> None:
    folder = tmp_path / "s3"
    folder.mkdir()
    (folder / "pid").write_text(str(pid_in(s3.folder)))  # a server, but not this folder's
    S3Server(folder)
    assert lives(pid_in(s3.folder))
    assert answers(s3.store("t"))


@pytest.mark.parametrize("written", ["", "not a number"])
def test_a_number_cut_short_by_a_crash_does_not_keep_the_server_from_starting(tmp_path: Path, written: str) -> None:
    folder = tmp_path / "s3"
    folder.mkdir()
    for name in ("pid", "port"):
        (folder / name).write_text(written)
    assert S3Server(folder).port > 0


def test_the_credentials_are_readable_by_their_owner_alone_and_stay_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "s3"
    first, second = S3Server(folder), S3Server(folder)
    assert (first.access_key, first.secret_key) == (second.access_key, second.secret_key)
    assert (folder / "identities.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert first.secret_key not in " ".join(first._command("weed"))


def test_a_port_that_somebody_else_has_taken_is_left_to_them(tmp_path: Path, s3: S3Server) -> None:
    folder = tmp_path / "s3"
    folder.mkdir()
    (folder / "port").write_text(str(s3.port))
    assert S3Server(folder).port != s3.port


def test_a_port_that_is_taken_between_the_look_and_the_start_is_left_to_them_too(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "s3")
    chosen = server.port
    with socket.create_server(("127.0.0.1", chosen - 3)):
        server.start()
    try:
        assert server.port != chosen
        assert answers(server.store("t"))
    finally:
        server.stop()


def test_a_server_whose_program_is_missing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = S3Server(tmp_path / "s3")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="weed"):
        server.start()


def test_a_server_that_ends_at_once_says_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = S3Server(tmp_path / "s3")
    monkeypatch.setattr(server, "_command", lambda _program: [sys.executable, "-c", "raise SystemExit('no room left')"])
    with pytest.raises(Misconfigured, match=r"server\.log"):
        server.start()
    assert "no room left" in (tmp_path / "s3" / "server.log").read_text()


def test_every_object_is_on_the_disk_before_it_is_acknowledged(s3: S3Server) -> None:
    shell = ["weed", "shell", f"-master=127.0.0.1:{s3.port - 3}", f"-filer=127.0.0.1:{s3.port - 1}"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    told = subprocess.run(shell, input="fs.configure\n", capture_output=True, text=True, timeout=60, check=True, env=environment)
    (rule,) = json.loads(told.stdout[told.stdout.index("{") : told.stdout.rindex("}") + 1])["locations"]
    assert rule["locationPrefix"] == "/buckets/"
    assert rule["fsync"] is True


def test_a_server_that_does_not_promise_it_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.s3_server._WRITE_THROUGH", "help\n")
    server = S3Server(tmp_path / "s3")
    with pytest.raises(Misconfigured, match="disque"):
        server.start()
    assert not lives(pid_in(tmp_path / "s3"))
