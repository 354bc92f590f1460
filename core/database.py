"""The database: SQLite or PostgreSQL behind the same sessions, each opened for a principal and seeing only what it may see.

The filter between organisations sits in the session, not in the queries: every ORM query on an ``Owned`` table is narrowed,
every object written is checked, and a statement that can be neither is refused. The platform's own principal sees everything;
what is executed on the session's connection is its module's own business.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Engine, TypeDecorator, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlmodel import Field, Session, SQLModel, col

from core.clock import as_utc
from core.errors import Forbidden, Misconfigured, Unavailable
from core.messages import Catalogue
from core.principal import Principal

_messages = Catalogue("core")
JsonValue = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware in Python whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the database UTC; SQLite keeps no zone."""
        if value is None:
            return None
        moment = as_utc(value)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give Python an aware moment."""
        del dialect
        return None if value is None else as_utc(value)


class Owned(SQLModel):
    """What belongs to an organisation; the sessions of others do not see it."""

    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)


class ScopedSession(Session):
    """A session that sees and writes only what its principal may."""

    principal: Principal


class Database:
    """One database, its pool, and the sessions on it."""

    _OPTIONS: ClassVar[str] = "-c statement_timeout=60000 -c lock_timeout=15000 -c idle_in_transaction_session_timeout=60000"
    # A connection may say nothing for hours, and mean something all the while (``core.presence``): no router must forget it.
    _KEPT_ALIVE: ClassVar[dict[str, int]] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite has one writer: queueing for it here beats its busy-wait, whose tail is a second long.
        self._writing = threading.RLock() if self.is_sqlite else None
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                self.url,
                pool_size=pool_size,
                hide_parameters=True,  # what a statement was about stays out of its error, hence of the log
                connect_args={"timeout": 30, "check_same_thread": False},
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=10,
                hide_parameters=True,
                pool_pre_ping=True,
                connect_args={"options": self._OPTIONS, **self._KEPT_ALIVE},
            )
        self._writer: Engine = self.engine.execution_options(writes=True)

    @contextmanager
    def reading(self, principal: Principal) -> Iterator[ScopedSession]:
        """Open a session to read; nothing done in it is kept."""
        with _scoped(self.engine, principal) as session:
            yield session

    @contextmanager
    def writing(self, principal: Principal) -> Iterator[ScopedSession]:
        """Open a session whose work is committed at the end of the block, or not at all when the block raises."""
        with self._writing or nullcontext(), _scoped(self._writer, principal) as session, session.begin():
            yield session

    def connections_in_use(self) -> int:
        """Return how many connections are out of the pool at this moment."""
        return int(self.engine.pool.checkedout())  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def answering(database: Database) -> Iterator[None]:
    """Say in a sentence that a database does not answer.

    Raises:
        Unavailable: a connection was refused or lost in the block.
    """
    try:
        yield
    except OperationalError as error:
        told = {"url": database.url.render_as_string(hide_password=True), "reason": str(error.orig).partition("\n")[0][:200]}
        raise Unavailable(_messages("database.silent", **told)) from error


def _scoped(bind: Engine, principal: Principal) -> ScopedSession:
    session = ScopedSession(bind, expire_on_commit=False)
    session.principal = principal
    return session


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Misconfigured(_messages("database.unreadable")) from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return parsed
    raise Misconfigured(_messages("database.kind"))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by hand below, so that a writer says so at once
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@event.listens_for(ScopedSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    session = state.session
    if not isinstance(session, ScopedSession) or session.principal.everywhere:
        return
    if not (state.is_orm_statement and state.is_select):
        # Neither a bare table, nor SQL text, nor a bulk write (which could move rows to others) can be narrowed.
        raise TypeError("a narrowed session reads by ORM queries and writes by objects")
    narrowed = _criteria(session.principal.organisations, tuple(Owned.__subclasses__()))
    state.statement = state.statement.options(*narrowed)


@lru_cache(maxsize=1024)
def _criteria(visible: tuple[str, ...], tables: tuple[type[Owned], ...]) -> tuple[Any, ...]:
    """Return what narrows every query to these organisations; a page asks for the same dozens of times."""
    return tuple(with_loader_criteria(table, col(table.organisation_id).in_(visible), include_aliases=True) for table in tables)


@event.listens_for(ScopedSession, "before_flush")
def _refuse_foreign_writes(session: ScopedSession, _context: object, _instances: object) -> None:
    if session.principal.everywhere:
        return
    for written in (*session.new, *session.dirty, *session.deleted):
        if isinstance(written, Owned) and written.organisation_id not in session.principal.grants:
            raise Forbidden(_messages("access.foreign_write"))
