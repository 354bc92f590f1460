"""The register of holdings: what came in and what was destroyed, by producer and year, for the yearly report to the State.

Years are those of Paris. What is counted is records and the bytes of their packages; certificates of eliminations count too: they
are kept as any record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from archive import spreadsheet
from archive.models import Record
from core import clock
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
    lines: list[Holding] = []
    if first is not None:
        this_year = clock.in_paris(clock.now()).year
        for year in range(this_year, clock.in_paris(first).year - 1, -1):
            lines += _of(session, scope, year)
    return Register(tuple(lines), kept[0], int(kept[1] or 0))


def _of(session: Session, scope: object, year: int) -> list[Holding]:
    entered = _sums(session, scope, Record.sealed, year)
    eliminated = _sums(session, scope, Record.eliminated, year)
    return [
        Holding(year, producer, *entered.get(producer, (0, 0)), *eliminated.get(producer, (0, 0)))
        for producer in sorted(entered.keys() | eliminated.keys())
    ]


def _sums(session: Session, scope: object, moment: object, year: int) -> dict[str, tuple[int, int]]:
    begins, ends = (datetime(one, 1, 1, tzinfo=clock.PARIS) for one in (year, year + 1))
    grouped = (
        select(Record.producer, func.count(), func.sum(Record.size))
        .where(scope, col(moment) >= begins, col(moment) < ends)  # type: ignore[arg-type]
        .group_by(Record.producer)
    )
    return {producer: (count, int(size or 0)) for producer, count, size in session.exec(grouped)}


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
