"""What an act of 150 MB costs in resident memory: the web process that receives it, the worker that takes it to its record.

The limit counts what the act and its annexes weigh together, as they were deposited (rule R05); here it is met to the byte.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator
from datetime import timedelta

from sqlmodel import select

from bench.memory import watching
from bench.places import WORKER, Place, place, process, until, web
from core import clock
from core.configuration import configure
from core.principal import PLATFORM
from flows.actes import classifying, following
from flows.actes.knowledge import classification_of
from flows.actes.models import ActesMessage
from flows.actes.settings import COLLECTIVITE, OPERATOR, ActesCollectivite
from flows.engine.models import Dossier
from schemas.actes.archive import DEFAULT_LIMITS

SIZE = DEFAULT_LIMITS.documents
SHAPES = {"one document": (SIZE,), "a document and four annexes": (30 << 20,) * 5}
_BOUNDARY = b"b"
_NOISE = 1 << 20


def peaks(shape: str, sizes: tuple[int, ...]) -> dict[str, float]:
    """Return the peak resident memory of each process in megabytes, that of the web process at rest, and the size of the act.

    Args:
        shape: of the platform.
        sizes: bytes of the main document, then of each annex.
    """
    with place(shape, upload_limit=SIZE) as here:
        _connect(here)
        with web(here) as (address, web_pid), watching(web_pid) as web_peak:
            dossier = _deposit(here, address, sizes)
        with process(here, *WORKER) as worker, watching(worker.pid) as worker_peak:
            until(lambda: _state(here) in {"acknowledged", "rejected", "refused"}, 600)
            if _state(here) == "acknowledged":
                _elapse(here, dossier)
                until(lambda: _state(here) != "elapsed", 600)
        if _state(here) != "archived":
            raise RuntimeError(f"the flow ended {_state(here)}: {_problems(here)}")
        peaks = {"rest": web_peak.rest, "web": web_peak.megabytes, "worker": worker_peak.megabytes}
        return {"act": sum(sizes) / 1e6, **peaks}


def _connect(here: Place) -> None:
    """Have the collectivité send its acts to the simulated ministry, under a classification."""
    platform, town = here.platform, here.organisation.id
    with platform.database.writing(PLATFORM) as session:
        configure(session, platform.secrets, town, OPERATOR, here.ministry)
        configure(
            session, platform.secrets, town, COLLECTIVITE, ActesCollectivite(department="040", arrondissement="1", nature="31")
        )
    classifying.request(platform, town)
    with process(here, *WORKER):
        until(lambda: classification_of(platform, town) is not None, 180)


def _deposit(here: Place, address: str, sizes: tuple[int, ...]) -> str:
    yesterday = clock.in_paris(clock.now()).date() - timedelta(days=1)
    fields = {"number": "MESURE", "decision_date": yesterday.isoformat(), "nature": "1", "matiere": "7.10", "subject": "Mesure"}
    pieces = [_part(f'name="{name}"') + value.encode() for name, value in fields.items()]
    names = ["document", *["annexes"] * (len(sizes) - 1)]
    heads = [_part(f'name="{name}"; filename="{rank}.pdf"') for rank, name in enumerate(names)]
    tail = b"\r\n--" + _BOUNDARY + b"--\r\n"
    connection = http.client.HTTPConnection(address, timeout=300)
    connection.putrequest("POST", "/v1/acts")
    connection.putheader("Authorization", f"Bearer {here.token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY.decode()}")
    connection.putheader("Content-Length", str(sum(map(len, (*pieces, *heads, tail))) + sum(sizes)))
    connection.endheaders()
    for piece in pieces:
        connection.send(piece)
    for rank, (head, size) in enumerate(zip(heads, sizes, strict=True)):
        connection.send(head)
        for octets in paper(size, rank):
            connection.send(octets)
    connection.send(tail)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != http.client.CREATED:
        raise RuntimeError(said.decode())
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier.id)).one()


def _part(named: str) -> bytes:
    return b"\r\n--" + _BOUNDARY + f"\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode()


def paper(size: int, seed: int, *, plain: int = 0) -> Iterator[bytes]:
    """Give a PDF of one page with a picture, of exactly so many bytes, in pieces.

    Args:
        size: in bytes.
        seed: of the noise that the picture is made of.
        plain: of each megabyte of it, how many bytes are zeros instead, and compress.
    """
    noise = random.Random(seed).randbytes(_NOISE - plain) + bytes(plain)
    before, after = _around(0)
    length = size - len(before) - len(after)
    before, after = _around(length)
    yield before
    for left in range(length, 0, -_NOISE):
        yield noise[:left]
    yield after


def _around(length: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the octets of the picture; numbers are written as wide for any length."""
    contents = b"q 595 0 0 842 0 0 cm /I Do"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</XObject<</I 5 0 R>>>>/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(contents), contents),
    )
    before, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(before))
        before += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    places.append(len(before))
    before += b"5 0 obj\n<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
    before += b"/Length %010d>>stream\n" % length
    ending = b"\nendstream\nendobj\n"
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%010d\n%%%%EOF\n" % (len(before) + length + len(ending))
    return before, ending + table + trailer


def _elapse(here: Place, dossier: str) -> None:
    """Have the control of legality be over."""
    with here.platform.database.writing(PLATFORM) as session:
        received = session.exec(select(ActesMessage).where(ActesMessage.dossier_id == dossier, ActesMessage.code == "1-2")).one()
        received.day = received.day and received.day - timedelta(days=100)
        session.add(received)
    following.close_elapsed(here.platform)


def _state(here: Place) -> str:
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier.state)).one()


def _problems(here: Place) -> str:
    with here.platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Dossier)).one()
    return found.parked or "; ".join(problem["message"] for problem in found.problems)
