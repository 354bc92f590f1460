"""Builds and examines archives of 150 and 151 MB, and prints what broke and how much memory it took; run as a program."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from dataclasses import replace

from schemas.actes.archive import build
from schemas.actes.names import ArchiveName
from schemas.actes.rules import examine_archive
from schemas.actes.writer import write
from tests.unit.schemas_actes.acts import ID_ACTE, PDF, an_act, an_envelope

MEGABYTE = 1 << 20


def broken(folder: Path, size: int) -> list[str]:
    """The rules that an archive breaks whose act weighs so many bytes."""
    folder.mkdir()
    taken = folder / "taken"
    taken.mkdir()
    name = ArchiveName.parse("SIC-EACT--254002264--20240316-1.tar.gz")
    act = replace(an_act(), annexes=())
    noise = random.Random(1).randbytes(MEGABYTE)  # longer than what deflate looks back on: each repetition is new to it
    with (folder / "act.pdf").open("wb") as written:
        written.write(PDF)
        while (left := size - written.tell()) > 0:
            written.write(noise[:left])
    write(act, folder / "message.xml")
    write(an_envelope(f"{ID_ACTE}-1-1_0.xml"), folder / "envelope.xml")
    files = {
        str(name.envelope): folder / "envelope.xml",
        f"{ID_ACTE}-1-1_0.xml": folder / "message.xml",
        f"99_DE-{ID_ACTE}-1-1_1.pdf": folder / "act.pdf",
    }
    _, report = examine_archive(build(folder, name, files), folder=taken)
    return [problem.rule for problem in report.problems]


def main() -> None:
    """Tell, as JSON."""
    folder = Path(sys.argv[1])
    told = {}
    for size in (1, 150, 151):
        rules = broken(folder / str(size), size * MEGABYTE)
        told[str(size)] = {"rules": rules, "peak": peak()}
    sys.stdout.write(json.dumps(told))


def peak() -> int:
    """The most memory that this program has taken so far, in bytes; ``getrusage`` would count its parent's before it began."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
