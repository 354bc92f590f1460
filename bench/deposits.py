"""Deposits per second over HTTP, small and large, beside what the store alone takes from as many connections."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
from collections.abc import Callable

from bench.places import Place, place, web

CONNECTIONS = 8
SIZES = {"3 kB": 3_000, "1 MB": 1_000_000}
_SECONDS = 8.0
_HEAD = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>\n<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">'
    '<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR1"/><NomFic V="{name}"/></Parametres></Enveloppe>'
    '<EnTetePES><IdPost V="099012"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>'
)


def rates(size: int, shape: str = "PostgreSQL + RabbitMQ + S3") -> tuple[float, float]:
    """Return deposits a second over HTTP, and puts a second of the same bytes into the store."""
    with place(shape) as here, web(here) as (address, _):
        over_http = _rate(lambda worker: _depositor(here, address, size, worker))
        stored = _rate(lambda worker: _putter(here, size, worker))
    return over_http, stored


def _rate(make: Callable[[int], Callable[[int], None]]) -> float:
    """Run as many threads as connections for a while; return how many calls a second were made in all."""
    counts = [0] * CONNECTIONS
    end = time.monotonic() + _SECONDS

    def work(worker: int) -> None:
        call = make(worker)
        while time.monotonic() < end:
            call(counts[worker])
            counts[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(CONNECTIONS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def document(name: str, size: int) -> bytes:
    """Return a flow of a name and a size; whether it is a good one is for the check that follows a deposit."""
    head, tail = _HEAD.format(name=name).encode(), b"</n:PES_Aller>"
    return head + b"<!--" + b"x" * max(size - len(head) - len(tail) - 7, 0) + b"-->" + tail


def _depositor(here: Place, address: str, size: int, worker: int) -> Callable[[int], None]:
    connection = http.client.HTTPConnection(address, timeout=60)
    headers = {"Authorization": f"Bearer {here.token}", "Content-Type": "multipart/form-data; boundary=b"}

    def call(rank: int) -> None:
        head = b'--b\r\nContent-Disposition: form-data; name="document"; filename="pes.xml"\r\n\r\n'
        body = head + document(f"PES_{size}_{worker}_{rank}", size) + b"\r\n--b--\r\n"
        connection.request("POST", "/v1/dossiers", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.CREATED:
            raise RuntimeError(json.loads(said)["detail"])

    return call


def _putter(here: Place, size: int, worker: int) -> Callable[[int], None]:
    return lambda rank: _put(here, document(f"PUT_{size}_{worker}_{rank}", size))


def _put(here: Place, content: bytes) -> None:
    here.platform.objects.put(io.BytesIO(content))
