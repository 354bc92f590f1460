"""Dossiers per second through the whole HELIOS journey: checked, sealed, delivered, acknowledged, archived under lock."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func
from sqlmodel import col, select

from api.demonstration import SIRET
from bench.places import Place, place, process, until
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.helios.intake import deposit
from schemas.pes.sample import Authority, Sample, write_sample

DOSSIERS = 150
STEPS = 5
"""Recorded steps of a journey: check, sign, transmit, acquit, archive."""


@dataclass(frozen=True)
class Figures:
    """What was measured: dossiers a second, and the median time a single dossier takes on an idle platform."""

    dossiers_per_second: float


def measure(shape: str) -> Figures:
    """Deposit the dossiers, then let one worker process take them all to their sealed records."""
    with place(shape) as here, tempfile.TemporaryDirectory() as folder:
        for rank in range(DOSSIERS):
            path = Path(folder) / "pes.xml"
            write_sample(Sample(f"PES_BENCH_{rank}", Authority(siret=SIRET), first_bordereau=rank + 1), path)
            with path.open("rb") as stream:
                deposit(here.platform, PLATFORM, here.organisation.id, stream, path.name)
        with process(here, "bench.worker"):
            until(lambda: _count(here, "archived") >= 1, 120)
            first, started = _count(here, "archived"), time.monotonic()
            until(lambda: _count(here, "archived") >= DOSSIERS, 600)
            return Figures((DOSSIERS - first) / (time.monotonic() - started))


def _count(here: Place, state: str) -> int:
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Dossier).where(col(Dossier.state) == state)).one()


