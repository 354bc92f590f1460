"""The embedded S3 server: SeaweedFS as a child process, for a laptop, a small collectivité, and the tests.

Its S3 port enforces versions and object lock; its other ports do not. They are therefore bound to the loopback address, the
filer's HTTP port is shut, and integrity never rests on the store alone (the digests are in the journal).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from minio.error import MinioException
from urllib3.exceptions import HTTPError

from core.blobs import ObjectMissing, ObjectStore
from core.errors import Misconfigured, TabellionError
from core.locked_objects import LOCK_DAYS
from core.messages import Catalogue
from core.settings import Settings

_messages = Catalogue("core")
_READY_WITHIN = 30.0
_GRPC_OFFSET = 10_000
# Below the ports that the system gives to connections that leave (32768 and up), with those of gRPC: one of them is in use at any
# moment, and would be taken between the look and the start.
_LOWEST, _HIGHEST = 10_100, 22_000
_PORTS = 5
_STARTS = 3
_VOLUMES = 2_000
_PROBE = b"ready"
_WRITE_THROUGH = "fs.configure -locationPrefix=/buckets/ -fsync -apply\n"
_IS_WRITTEN_THROUGH = re.compile(r'"fsync":\s*true')


class S3Server:
    """A child process that serves S3 on a loopback port, its data and its credentials in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.access_key, self.secret_key = _credentials(self.folder)
        self._end_orphan()
        self.port = self._free_port()

    @property
    def endpoint(self) -> str:
        """The address of the S3 port."""
        return f"http://127.0.0.1:{self.port}"

    def store(self, prefix: str, *, lock_mode: str = "COMPLIANCE", lock_days: int = LOCK_DAYS) -> ObjectStore:
        """Return a client of this server."""
        return ObjectStore(self.endpoint, self.access_key, self.secret_key, prefix, lock_mode=lock_mode, lock_days=lock_days)

    def start(self) -> None:
        """Start the server and wait until an object can be written and read, which is a moment after its port opens.

        Raises:
            Misconfigured: the program is missing, or does not come up.
        """
        program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            raise Misconfigured(_messages("server.missing"))
        self._log = (self.folder / "server.log").open("ab")
        for _ in range(_STARTS):
            process = subprocess.Popen(self._command(program), stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)  # noqa: S603
            self._process = process
            (self.folder / "pid").write_text(str(process.pid))
            if self._is_ready():
                self._write_through(program)
                return
            if process.poll() is None:
                break
            self.port = self._free_port()  # it ended by itself: somebody has taken one of its ports meanwhile
        self.stop()
        raise Misconfigured(_messages("server.silent", log=self.folder / "server.log"))

    def _write_through(self, program: str) -> None:
        """Have every object on the disk before it is acknowledged: left to itself the server loses the last ones in a power cut.

        Told once to each folder of data, which remembers it.
        """
        told = self.folder / "data" / "written-through"
        if told.exists():
            return
        shell = [program, "shell", f"-master=127.0.0.1:{self.port - 3}", f"-filer=127.0.0.1:{self.port - 1}"]
        try:
            answer = subprocess.run(  # noqa: S603
                shell,
                input=_WRITE_THROUGH,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                timeout=_READY_WITHIN,
                check=True,
            ).stdout
        except subprocess.SubprocessError:
            answer = ""
        if not _IS_WRITTEN_THROUGH.search(answer):
            self.stop()
            raise Misconfigured(_messages("server.not_written_through", log=self.folder / "server.log"))
        told.touch()

    def stop(self) -> None:
        """Stop the server, with patience first."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _end_orphan(self) -> None:
        # A parent that was killed leaves its server behind; two servers on one folder would ruin it.
        pid = _number_in(self.folder / "pid")
        deadline = time.monotonic() + 10
        while pid and self._serves_this_folder(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(0.2)

    def _serves_this_folder(self, pid: int) -> bool:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return f"-dir={self.folder / 'data'}".encode() in command.split(b"\0")

    def _command(self, program: str) -> list[str]:
        return [
            *(program, "-logtostderr=true", "mini", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-master.telemetry=false", "-disableHttp=true", "-webdav=false", "-admin.ui=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={self.folder / 'identities.json'}"),
            *(f"-master.port={self.port - 3}", f"-volume.port={self.port - 2}", f"-filer.port={self.port - 1}"),
            # Left to itself the last one is always the same: a second server would be served by the first one's workers.
            *(f"-s3.port={self.port}", f"-admin.port={self.port - 4}"),
            # Left to itself it allows as many volumes as gigabytes are free, and each bucket takes one from its first object on.
            f"-volume.max={_VOLUMES}",
        ]

    def _free_port(self) -> int:
        path = self.folder / "port"
        port = _number_in(path)
        if not port or not _all_free(port):
            port = _free_ports()
            path.write_text(str(port))
        return port

    def _is_ready(self) -> bool:
        """Wait until the server answers; False when it ended, or is silent for too long."""
        deadline = time.monotonic() + _READY_WITHIN
        probe = self.store("ready")
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    _answer(probe)
            except (OSError, TabellionError, MinioException, HTTPError):
                time.sleep(0.1)
            else:
                return True
        return False


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server for the time of the block."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def store_running_in(folder: Path, settings: Settings) -> ObjectStore:
    """Return a client of the server that another process runs in a folder."""
    access_key, secret_key = _credentials(folder)
    port = int((folder / "port").read_text())
    return ObjectStore(
        f"http://127.0.0.1:{port}",
        access_key,
        secret_key,
        settings.s3_bucket_prefix,
        lock_mode=settings.archive_lock_mode,
        lock_days=settings.archive_lock_days,
    )


def _answer(probe: ObjectStore) -> None:
    """Go on only if the server gives back what it keeps: for a moment after a restart it knows its buckets, not its objects."""
    probe.prepare()
    try:
        with probe.reading(hashlib.sha256(_PROBE).hexdigest()) as stream:
            stream.read()
    except ObjectMissing:
        probe.put(io.BytesIO(_PROBE))


def _number_in(path: Path) -> int:
    """Return the number in a file; 0 when there is none, as after a crash that cut the writing short."""
    written = path.read_text() if path.exists() else ""
    return int(written) if written.isdecimal() else 0


def _credentials(folder: Path) -> tuple[str, str]:
    path = folder / "identities.json"
    if not path.exists():
        (folder / "data").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        credentials = [{"accessKey": secrets.token_hex(10), "secretKey": secrets.token_urlsafe(30)}]
        identities = {"identities": [{"name": "tabellion", "credentials": credentials, "actions": ["Admin"]}]}
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(identities), encoding="utf-8")
        unfinished.replace(path)
    credential = json.loads(path.read_text(encoding="utf-8"))["identities"][0]["credentials"][0]
    return credential["accessKey"], credential["secretKey"]


def _all_free(port: int) -> bool:
    ports = [port - offset + shift for offset in range(_PORTS) for shift in (0, _GRPC_OFFSET)]
    return all(_is_free(candidate) for candidate in ports)


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_ports() -> int:
    for _ in range(200):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if _all_free(port):
            return port
    raise Misconfigured(_messages("server.no_port"))
