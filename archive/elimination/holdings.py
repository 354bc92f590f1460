"""The register of holdings: what came in and what was destroyed, by producer and year, for the yearly report to the State.

Years are those of Paris. What is counted is records and the bytes of their packages; certificates of eliminations count too: they
are kept as any record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal
from sqlmodel import Session, col, select

from archive import spreadsheet
from archive.models import Record
from core import clock
from core.database import UtcDateTime
from core.messages import Catalogue

_messages = Catalogue("archive.elimination")
COLUMNS = ("year", "producer", "entered", "entered_size", "eliminated", "eliminated_size")


@dataclass(frozen=True, slots=True)
class Holding:
    """What one producer handed over, and what of theirs was destroyed, in a year; sizes in bytes."""

    year: int
    producer: str
    entered: int = 0
    entered_size: int = 0
    eliminated: int = 0
    eliminated_size: int = 0


@dataclass(frozen=True, slots=True)
class Register:
    """The lines, the newest year first, and what is kept at this moment."""

    lines: tuple[Holding, ...]
    records: int
    size: int


def register(session: Session, organisations: Sequence[str]) -> Register:
    """Return the register of organisations."""
    scope = col(Record.organisation_id).in_(organisations)
    first = session.exec(select(func.min(Record.sealed)).where(scope)).one()
    kept = session.exec(select(func.count(), func.sum(Record.size)).where(scope, col(Record.eliminated).is_(None))).one()
    if first is None:
        return Register((), 0, 0)
    years = range(clock.in_paris(first).year, clock.in_paris(clock.now()).year + 1)
    entered, eliminated = (_sums(session, scope, moment, years) for moment in (col(Record.sealed), col(Record.eliminated)))
    lines = (
        Holding(year, producer, *entered.get((year, producer), (0, 0)), *eliminated.get((year, producer), (0, 0)))
        for year, producer in sorted(entered.keys() | eliminated.keys(), key=lambda line: (-line[0], line[1]))
    )
    return Register(tuple(lines), kept[0], int(kept[1] or 0))


def _sums(session: Session, scope: Any, moment: Any, years: range) -> dict[tuple[int, str], tuple[int, int]]:
    """Return how many records there are by the year of a moment and the producer, and their bytes, in one passage over them."""
    ends = ((moment < literal(datetime(year + 1, 1, 1, tzinfo=clock.PARIS), UtcDateTime()), year) for year in years)
    dated = select(case(*ends).label("year"), Record.producer, Record.size).where(scope, moment.is_not(None)).subquery()
    year, producer = dated.c.year, dated.c.producer
    grouped = select(year, producer, func.count(), func.sum(dated.c.size)).group_by(year, producer)
    return {(year, producer): (count, int(size or 0)) for year, producer, count, size in session.exec(grouped) if year}


def table(found: Register) -> bytes:
    """Return a register as a table."""
    head = [_messages(f"register.{name}") for name in COLUMNS]
    rows = (
        [
            str(one.year),
            one.producer,
            str(one.entered),
            str(one.entered_size),
            str(one.eliminated),
            str(one.eliminated_size),
        ]
        for one in found.lines
    )
    return spreadsheet.written([head, *rows])
