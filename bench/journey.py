"""Dossiers per second through the whole HELIOS journey: checked, sealed, delivered, acknowledged, archived under lock."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from sqlalchemy import func
from sqlmodel import col, select

from api.demonstration import SIRET
from bench.places import WORKER, Place, place, process, until
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.helios.intake import deposit
from schemas.pes.sample import Authority, Sample, write_sample

DOSSIERS = 150
STEPS = 5
"""Recorded steps of a journey: check, sign, transmit, acquit, archive."""


def dossiers_per_second(shape: str) -> float:
    """Deposit the dossiers, then let one worker process take them all to their sealed records."""
    with place(shape) as here, tempfile.TemporaryDirectory() as folder:
        for rank in range(DOSSIERS):
            path = Path(folder) / "pes.xml"
            write_sample(Sample(f"PES_BENCH_{rank}", Authority(siret=SIRET), first_bordereau=rank + 1), path)
            with path.open("rb") as stream:
                deposit(here.platform, PLATFORM, here.organisation.id, stream, path.name)
        with process(here, *WORKER):
            until(lambda: _count(here, "archived") >= 1, 120)
            first, started = _count(here, "archived"), time.monotonic()
            until(lambda: _count(here, "archived") >= DOSSIERS, 600)
            return (DOSSIERS - first) / (time.monotonic() - started)


def _count(here: Place, state: str) -> int:
    with here.platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Dossier).where(col(Dossier.state) == state)).one()
