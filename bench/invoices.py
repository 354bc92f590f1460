"""What a full check of an invoice costs once warm: its octets, its schema, the rules of EN 16931 and those of the French reform.

The bare figure beside is Saxon alone over the same rules and the same document, in one process, as their authors compiled them. A
check takes less on a long invoice: it leaves out the walks of these rules that find nothing (``schemas/schematron/walks.py``). A
PDF is looked into in the sandbox first, which starts a process each time: ``sandbox`` is that part by itself.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from schemas.invoices import facturx
from schemas.invoices.cii_writing import PROFILE, cii_of
from schemas.invoices.rules import examine_invoice
from schemas.invoices.sample import ARTICLES, sample
from schemas.invoices.stylesheets import completing_rules_of, french_rules_of, rules_of
from schemas.invoices.syntax import Root
from schemas.invoices.writer import facturx_of
from schemas.schematron.checking import _process
from tests.unit.schemas_invoices.documents import UBL

LINES = 100
USUAL = (1, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 10, 10, 20)
"""How many lines invoices have, about as in the samples of the European and of the French standard."""
_ROUNDS = 60
_PERCENT = 95
_BARE = """
import statistics, sys, time
from pathlib import Path
from saxonche import PySaxonProcessor
processor = PySaxonProcessor(license=False)
compiler = processor.new_xslt30_processor()
rules = [compiler.compile_stylesheet(stylesheet_file=path) for path in sys.argv[2:]]
text = Path(sys.argv[1]).read_text(encoding="utf-8").partition("?>")[2]
took = []
for _ in range(60):
    started = time.perf_counter()
    node = processor.parse_xml(xml_text=text)
    for one in rules:
        one.transform_to_string(xdm_node=node)
    took.append((time.perf_counter() - started) * 1000)
print(statistics.median(took[10:]))
"""


@dataclass(frozen=True)
class Row:
    """Milliseconds and megabytes.

    Attributes:
        document: what was checked.
        p50: half of the checks took less; ``p95`` all but one in twenty.
        processor: of both processes, a check.
        bare: the rules alone, as published, median.
        sandbox: looking into a PDF alone, median; 0 for XML.
        child: resident memory of the process that applies rules, after all of them.
    """

    document: str
    p50: float
    p95: float
    processor: float
    bare: float
    sandbox: float
    child: float


def rows() -> Iterator[Row]:
    """Measure each kind of document."""
    with tempfile.TemporaryDirectory(prefix="tabellion-bench-") as name:
        folder = Path(name)
        yield _row(f"CII, {USUAL[0]} to {USUAL[-1]} lines", list(_usual(folder)), cii_of(sample()), folder)
        for document, octets, suffix in (
            ("CII, 2 lines", cii_of(sample()), ".xml"),
            (f"CII, {LINES} lines", cii_of(sample(ARTICLES * (LINES // 2))), ".xml"),
            ("UBL, 1 line", UBL.encode(), ".xml"),
            ("Factur-X, 2 lines", facturx_of(sample()), ".pdf"),
        ):
            path = folder / f"invoice{suffix}"
            path.write_bytes(octets)
            yield _row(document, [path], octets if suffix == ".xml" else cii_of(sample()), folder)


def _usual(folder: Path) -> Iterator[Path]:
    for rank, count in enumerate(USUAL):
        path = folder / f"usual-{rank}.xml"
        path.write_bytes(cii_of(sample((ARTICLES * count)[:count])))
        yield path


def _row(document: str, paths: Sequence[Path], xml: bytes, folder: Path) -> Row:
    for path in [*paths[:5]] * 5:  # warm
        examine_invoice(path)
    assert _process.pid is not None
    child = psutil.Process(_process.pid)
    before = _processor(child)
    rounds = max(_ROUNDS // len(paths), 10)
    times = sorted(took for path in paths for took in _times(partial(examine_invoice, path), rounds))
    processor = (_processor(child) - before) * 1000 / len(times)
    pdf = next((path for path in paths if path.suffix == ".pdf"), None)
    sandbox = statistics.median(_times(partial(_looked_into, pdf), 20)) if pdf else 0.0
    bare = _bare(xml, folder)
    p95 = times[len(times) * _PERCENT // 100]
    return Row(document, statistics.median(times), p95, processor, bare, sandbox, child.memory_info().rss / 1e6)


def _processor(child: psutil.Process) -> float:
    """Return the seconds of processor that this process and the child took so far; what the sandbox starts is not counted."""
    return sum(sum(one.cpu_times()[:2]) for one in (psutil.Process(), child))


def _times(action: Callable[[], object], rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        took.append((time.perf_counter() - started) * 1000)
    return took


def _looked_into(path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tabellion-bench-") as folder:
        facturx.look(path, Path(folder))


def _bare(xml: bytes, folder: Path) -> float:
    document = folder / "bare.xml"
    document.write_bytes(xml)
    root = Root.CII if b"CrossIndustryInvoice" in xml else Root.UBL_INVOICE
    rules = [*rules_of(root, PROFILE, None), completing_rules_of(root, PROFILE, None), french_rules_of(root)]
    command = [sys.executable, "-c", _BARE, str(document), *(str(one.stylesheet) for one in rules if one is not None)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    for row in rows():
        print(
            f"{row.document:20} p50 {row.p50:6.1f} ms  p95 {row.p95:6.1f} ms  processor {row.processor:6.1f} ms  "
            f"bare rules {row.bare:6.1f} ms  sandbox {row.sandbox:6.1f} ms  child {row.child:4.0f} MB"
        )
