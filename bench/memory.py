"""What a PES of 128 MB costs in resident memory: the web process that receives it, the worker that takes it to its record."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import psutil
from sqlmodel import select

from api.demonstration import SIRET
from bench.places import WORKER, Place, place, process, until, web
from core.principal import PLATFORM
from flows.engine.models import Dossier
from schemas.pes.sample import Authority, Sample, write_sample
from signing.pes.seal import seal

SIZE = 128 * 1024 * 1024
# What gzip and base64 make of an attachment that does not compress: a third more.
_ATTACHMENT = int(SIZE * 0.735)


def peaks(shape: str, *, signed: bool) -> dict[str, float]:
    """Return the peak resident memory of each process, in megabytes, and the size of the document.

    Args:
        shape: of the platform.
        signed: the document arrives signed as a whole, and is verified; otherwise its bordereau is sealed here.
    """
    with place(shape, upload_limit=SIZE) as here, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pes.xml"
        write_sample(Sample("PES_128_MB", Authority(siret=SIRET), attachment_size=_ATTACHMENT), path)
        if signed:
            seal(path, path, here.seal.signer(), replace(here.seal.context(), whole=True))
        with web(here) as (address, web_pid), watching(web_pid) as web_peak:
            _deposit(here, address, path)
        with process(here, *WORKER) as worker, watching(worker.pid) as worker_peak:
            until(lambda: _state(here) in {"archived", "rejected", "refused"}, 180)
        if _state(here) != "archived":
            raise RuntimeError(f"the flow ended {_state(here)}")
        return {"document": path.stat().st_size / 1e6, "web": web_peak.megabytes, "worker": worker_peak.megabytes}


class watching:  # noqa: N801 - a context manager, named as it reads
    """Looks at the memory of a process: ``rest`` at the beginning, ``megabytes`` at the most."""

    def __init__(self, pid: int) -> None:
        self._process, self._ended = psutil.Process(pid), threading.Event()
        self.megabytes = self.rest = self._process.memory_info().rss / 1e6
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            try:
                self.megabytes = max(self.megabytes, self._process.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def _deposit(here: Place, address: str, path: Path) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="document"; filename="pes.xml"\r\n\r\n'
    tail = b"\r\n--b--\r\n"
    connection = http.client.HTTPConnection(address, timeout=300)
    connection.putrequest("POST", "/v1/dossiers")
    connection.putheader("Authorization", f"Bearer {here.token}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(len(head) + path.stat().st_size + len(tail)))
    connection.endheaders()
    connection.send(head)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            connection.send(chunk)
    connection.send(tail)
    answer = connection.getresponse()
    if answer.status != http.client.CREATED:
        raise RuntimeError(answer.read().decode())
    time.sleep(0.2)


def _state(here: Place) -> str:
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier.state)).one()
