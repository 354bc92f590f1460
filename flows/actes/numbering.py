"""Numbers of envelopes: each collectivité counts from 1 every day, and no number serves twice.

A number is given under the lock of its row, in the transaction that records what it names.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from core.errors import NeedsOperator
from core.messages import Catalogue
from flows.actes.models import ActesCount
from schemas.actes.names import MAX_ENVELOPES_A_DAY

_messages = Catalogue("flows.actes")
_counts = SQLModel.metadata.tables[ActesCount.__tablename__]


def next_number(session: Session, siren: str, day: date) -> int:
    """Return the next number of a collectivité for a day; two who ask at once wait for each other.

    Raises:
        NeedsOperator: 9 999 envelopes were named that day, the norm's limit.
    """
    connection = session.connection()
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(_counts)
        .values(siren=siren, day=day, last=1)
        .on_conflict_do_update(index_elements=["siren", "day"], set_={"last": _counts.c.last + 1})
        .returning(_counts.c.last)
    )
    number = int(connection.execute(statement).scalar_one())
    if number > MAX_ENVELOPES_A_DAY:
        raise NeedsOperator(_messages("envelope.too_many", siren=siren, most=MAX_ENVELOPES_A_DAY))
    return number
