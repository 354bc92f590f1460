"""From our identifiers to the numbers of the interface and back. A number is given when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from api.pastell.models import PastellNumber
from core.platform import Platform
from core.principal import PLATFORM

_table = SQLModel.metadata.tables[PastellNumber.__tablename__]
_AT_ONCE = 500
_DIGITS = 9


def numbers_of(platform: Platform, owners: Mapping[str, str]) -> dict[str, int]:
    """Return the number of each thing, by identifier; those that have none are given the next ones, in their order.

    Args:
        platform: its parts.
        owners: of each thing, by identifier: the organisation that it belongs to.
    """
    named, numbers = list(owners), dict[str, int]()
    for start in range(0, len(named), _AT_ONCE):
        numbers |= _some(platform, {one: owners[one] for one in named[start : start + _AT_ONCE]})
    return numbers


def _some(platform: Platform, owners: Mapping[str, str]) -> dict[str, int]:
    with platform.database.reading(PLATFORM) as session:
        known = _known(session, owners)
    missing = [one for one in owners if one not in known]
    if not missing:
        return known
    with platform.database.writing(PLATFORM) as session:
        connection = session.connection()
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        for one in missing:  # of two who ask at once, the second finds what the first wrote
            row = {"organisation_id": owners[one], "named": one}
            connection.execute(insert(_table).values(**row).on_conflict_do_nothing(index_elements=["named"]))
        return _known(session, owners)


def _known(session: Session, named: Iterable[str]) -> dict[str, int]:
    rows = session.exec(select(PastellNumber).where(col(PastellNumber.named).in_(list(named)))).all()
    return {row.named: row.number for row in rows if row.number is not None}


def named_by(platform: Platform, text: str) -> str | None:
    """Return what a number is that of; None when it is none, or nothing's."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= _DIGITS):
        return None
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(PastellNumber.named).where(PastellNumber.number == int(plain))).first()
