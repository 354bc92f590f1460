"""What looking at a large PES costs: its first page, its whole reading beside a bare parser, a search in it, and memory.

Each round deposits a document that was never seen, and asks for its page as soon as the store has it, from a web process of its
own. The bare parser is expat over the same file in the same round, with no handler: what no reading can do without.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.parsers import expat

import httpx
import psutil

from api.demonstration import SIRET
from bench.places import Place, place, web
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from flows.helios.intake import deposit
from schemas.pes.sample import Authority, Sample, write_sample

ROUNDS = 3
SEARCHES = 5
_EMAIL, _PASSWORD = "mesure@exemple.test", "encre papier et ruban bleu"
_PIECE = 1 << 20
_SIZE = 100_000_000
# What gzip and base64 make of an attachment that does not compress: a third more.
_SHAPES: dict[str, dict[str, int | None]] = {
    "attachments": {"bordereaux": 2, "pieces": 100, "lines": 2, "attachment_size": int(_SIZE * 0.735)},
    "lines": {"bordereaux": 4, "pieces": 3_800, "lines": 10, "attachment_size": None},
}


@dataclass(frozen=True)
class Row:
    """What a document of a shape costs: megabytes, seconds and megabytes of memory, medians of the rounds.

    Attributes:
        shape: what the document is mostly made of.
        first: from the document in the store to its first page; ``whole`` to the end of its reading.
        bare: what expat alone takes.
        search: one search in it, once it was read.
        web: peak memory of the web process; ``child`` of the process that reads.
    """

    shape: str
    megabytes: float
    first: float
    whole: float
    bare: float
    search: float
    web: float
    child: float

    @property
    def ratio(self) -> float:
        """The whole reading over the bare parser."""
        return self.whole / self.bare


def rows() -> Iterator[Row]:
    """Measure each shape, on the embedded platform, its web process beside."""
    with place("embedded", upload_limit=2 * _SIZE) as here, web(here) as (address, pid):
        with here.platform.database.writing(PLATFORM) as session:
            person = add_person(session, _EMAIL, "Mesure", _PASSWORD)
            grant_role(session, person, here.organisation, "lecture", {Right.READ})
        with httpx.Client(base_url=f"http://{address}", timeout=120) as client:
            csrf = client.get("/connexion").text.partition('name="csrf" value="')[2].partition('"')[0]
            client.post("/connexion", data={"csrf": csrf, "email": _EMAIL, "password": _PASSWORD})
            _measured(here, client, pid, {"pieces": 1}, 0)  # the process is warm, as one that serves
            for shape, values in _SHAPES.items():
                rounds = [_measured(here, client, pid, values, rank + 1) for rank in range(ROUNDS)]
                yield Row(shape, *(statistics.median(figures) for figures in zip(*rounds, strict=True)))


def _measured(here: Place, client: httpx.Client, pid: int, values: dict[str, int | None], rank: int) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory(prefix="tabellion-bench-") as folder:
        path = Path(folder) / "pes.xml"
        name = f"PES_VU_{len(values)}_{values['pieces']}_{rank}"
        write_sample(Sample(name, Authority(siret=SIRET), first_bordereau=1 + rank * 10, **values), path)  # type: ignore[arg-type]
        with path.open("rb") as stream:
            kept = deposit(here.platform, PLATFORM, here.organisation.id, stream, path.name)
        size, bare = path.stat().st_size / 1e6, _bare(path)
    page = f"/dossiers/{kept.dossier.id}/pes"
    with _Watch(pid) as watch:
        started = time.perf_counter()
        while "/pes/pieces/1" not in client.get(page).text:
            pass
        first = time.perf_counter() - started
        while client.get(f"{page}/lecture", params={"vu": "1"}).status_code == httpx.codes.OK:
            time.sleep(0.05)
        whole = time.perf_counter() - started
    return size, first, whole, bare, _search(client, page), watch.web, watch.child


def _bare(path: Path) -> float:
    parser = expat.ParserCreate()
    started = time.perf_counter()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            parser.Parse(piece, False)
    parser.Parse(b"", True)
    return time.perf_counter() - started


def _search(client: httpx.Client, page: str) -> float:
    took = []
    for rank in range(SEARCHES):
        started = time.perf_counter()
        client.get(page, params={"q": f"fourniture {rank + 1}", "tiers": "epine"}).raise_for_status()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


class _Watch:
    """Looks at the memory of a process and of those that it starts, while something is done; megabytes."""

    def __init__(self, pid: int) -> None:
        self.web = self.child = 0.0
        self._process, self._ended = psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.web = max(self.web, self._process.memory_info().rss / 1e6)
            for child in self._process.children(recursive=True):
                try:
                    self.child = max(self.child, child.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:  # it ended in between
                    continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
