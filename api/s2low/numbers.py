"""From messages to numbers and back. A number is given when it is first asked for: acts that came by other faces have one too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from api.s2low.models import S2lowTransaction
from core import clock
from core.database import ScopedSession
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.models import ActesMessage

_t = Catalogue("api.s2low")
_table = SQLModel.metadata.tables[S2lowTransaction.__tablename__]
_AT_ONCE = 500
_FILES = 1000
_LARGEST = 2**31 - 1
_DIGITS = 10


def numbers_of(platform: Platform, messages: Sequence[ActesMessage]) -> dict[str, int]:
    """Return the number of each message, by identifier; those that have none are given the next ones, in their order."""
    numbers: dict[str, int] = {}
    for start in range(0, len(messages), _AT_ONCE):
        numbers |= _some(platform, messages[start : start + _AT_ONCE])
    return numbers


def number_of(platform: Platform, message: ActesMessage) -> int:
    """Return the number of a message."""
    return numbers_of(platform, [message])[message.id]


def _some(platform: Platform, messages: Sequence[ActesMessage]) -> dict[str, int]:
    with platform.database.reading(PLATFORM) as session:
        known = _known(session, (message.id for message in messages))
    missing = [message for message in messages if message.id not in known]
    if not missing:
        return known
    with platform.database.writing(PLATFORM) as session:
        connection = session.connection()
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        for message in missing:  # of two who ask at once, the second finds what the first wrote
            row = {"organisation_id": message.organisation_id, "message_id": message.id}
            connection.execute(insert(_table).values(**row).on_conflict_do_nothing(index_elements=["message_id"]))
        return _known(session, (message.id for message in messages))


def _known(session: Session, identifiers: Iterable[str]) -> dict[str, int]:
    rows = session.exec(select(S2lowTransaction).where(col(S2lowTransaction.message_id).in_(list(identifiers)))).all()
    return {row.message_id: row.number for row in rows if row.number is not None}


def read_number(text: str) -> int:
    """Return the number that a parameter holds.

    Raises:
        NotFound: it holds none.
    """
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= _DIGITS):
        raise NotFound(_t("transaction.invalid"))
    return int(plain)


def message_numbered(session: ScopedSession, organisation_id: str, number: int) -> ActesMessage:
    """Return the message of a number, among those of an organisation that the session sees.

    Raises:
        NotFound: there is none.
    """
    if number > _LARGEST:
        raise NotFound(_t("transaction.invalid"))
    message = session.exec(
        select(ActesMessage)
        .join(S2lowTransaction, col(S2lowTransaction.message_id) == col(ActesMessage.id))
        .where(S2lowTransaction.number == number, ActesMessage.organisation_id == organisation_id)
    ).first()
    if message is None:
        raise NotFound(_t("transaction.invalid"))
    return message


def mark_read(session: ScopedSession, message: ActesMessage) -> None:
    """Note that software has read a message; once more changes nothing."""
    row = session.exec(select(S2lowTransaction).where(S2lowTransaction.message_id == message.id)).one()
    row.read = row.read or clock.now()
    session.add(row)


def file_number(number: int, rank: int) -> int:
    """Return the number of a file by its rank in its transaction: 0 for the message, 1 for the main document."""
    return number * _FILES + rank


def file_numbered(text: str) -> tuple[int, int]:
    """Return the transaction and the rank of a file's number.

    Raises:
        NotFound: it is none.
    """
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= _DIGITS + 3):
        raise NotFound(_t("file.invalid"))
    return divmod(int(plain), _FILES)
