"""Numbers of envelopes: each collectivité counts from 1 every day, and no number serves twice.

A number is given under the lock of its row, in the transaction that records what it names. A database that was restored from a
backup has forgotten some: the journal, once it is brought back, names the envelopes.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from flows.actes.models import ActesCount
from schemas.actes.names import MAX_ENVELOPES_A_DAY, EnvelopeName

_messages = Catalogue("flows.actes")
_LOST = 100
"""Numbers that are passed over besides: of envelopes that were named in the last minutes before a failure, which no journal has.
More than a collectivité sends in these, and few of the 9 999 of its day."""
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


def pass_over(session: Session, after: int, day: date) -> None:
    """Go on behind the numbers that were given and that a restored backup does not know of.

    Args:
        session: a writing one; nobody gives numbers meanwhile.
        after: number of the journal entry after which all is news to the backup.
        day: the last one of which the journal tells: any collectivité may have had more numbers then.
    """
    sirens = session.exec(select(Organisation.siren).where(col(Organisation.siren).is_not(None)).distinct())
    given = {(siren, day): 0 for siren in sirens if siren is not None}
    news = (col(JournalEntry.number) > after, col(JournalEntry.kind).startswith("actes."))
    for facts in session.exec(select(JournalEntry.facts).where(*news)):
        if envelope := facts.get("envelope"):
            named = EnvelopeName.parse(envelope)
            own = named.emitter, named.day
            given[own] = max(named.n, given.get(own, 0))
    for (siren, on), number in given.items():
        count = session.get(ActesCount, (siren, on)) or ActesCount(siren=siren, day=on, last=0)
        count.last = max(count.last, number) + _LOST
        session.add(count)
