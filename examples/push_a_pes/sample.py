"""Write a fresh PES of the demonstration's collectivité: ``sample.py FILE [SCENARIO]``, such as ``sample.py pes.xml _KOXSD``."""

from __future__ import annotations

import sys
from pathlib import Path

from core import clock
from schemas.pes.sample import Sample, write_sample


def write(path: Path, scenario: str = "") -> None:
    """Write a PES that no other run has written: Hélios refuses a NomFic or a bordereau that it knows."""
    moment = clock.now()
    name = f"EXEMPLE_{moment:%Y%m%d%H%M%S%f}{scenario}"
    write_sample(Sample(name, first_bordereau=int(moment.timestamp()) % 9_000_000 + 1, issued=moment.date()), path)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *sys.argv[2:3])
