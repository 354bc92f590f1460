"""Acts that somebody is still writing: what was typed, kept for a month, and seen by nobody else.

The files of a draft are uploads (``core.uploads``), which whoever keeps a draft has last as long as it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import defer
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("flows.actes")
LASTS = timedelta(days=30)
MOST = 50
LONGEST_TITLE = 200
_LARGEST = 256 * 1024
_SWEPT_AT_ONCE = 200


class DraftKind(StrEnum):
    """What the form makes: one act, or one of each file."""

    ACT = "act"
    BATCH = "batch"


class ActesDraft(Owned, table=True):
    """A form of acts that was not sent yet.

    Attributes:
        id: of the form, as its address names it.
        actor: whose it is, as the journal names actors.
        kind: one of ``DraftKind``.
        title: what the list calls it.
        fields: name and value of each field, in order; names may stand several times.
        saved: when it was kept last.
        expires: when it is forgotten.
    """

    __tablename__ = "actes_draft"
    __table_args__ = (Index("actes_draft_of_actor", "actor", "expires"), Index("actes_draft_expires", "expires"))

    id: str = Field(primary_key=True, max_length=26)
    actor: str = Field(max_length=40)
    kind: str = Field(max_length=8)
    title: str = Field(max_length=LONGEST_TITLE)
    fields: list[Any] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    saved: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    expires: datetime = Field(default_factory=lambda: clock.now() + LASTS, sa_column=Column(UtcDateTime, nullable=False))


_table = SQLModel.metadata.tables[ActesDraft.__tablename__]


def keep(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    draft_id: str,
    kind: DraftKind,
    title: str,
    fields: Sequence[tuple[str, str]],
) -> ActesDraft:
    """Keep a form as it is now, for ``LASTS`` from now on.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        UsageError: more was typed than a draft holds.
        Conflict: the principal has too many already.
        NotFound: the form is somebody else's.
    """
    principal.require(Right.DEPOSIT, organisation_id)
    if sum(len(name) + len(value) for name, value in fields) > _LARGEST:
        raise UsageError(_messages("draft.large"))
    with platform.database.writing(principal) as session:
        if session.get(ActesDraft, draft_id) is None:
            if len(_own(session, principal)) >= MOST:
                raise Conflict(_messages("draft.many", most=MOST))
            _begin(session, organisation_id=organisation_id, id=draft_id, actor=principal.actor, kind=kind.value)
        kept = session.get(ActesDraft, draft_id, with_for_update=True, populate_existing=True)
        if kept is None or kept.actor != principal.actor:
            raise NotFound(_messages("draft.unknown"))
        now = clock.now()
        kept.organisation_id, kept.title, kept.fields = organisation_id, title[:LONGEST_TITLE], [list(one) for one in fields]
        kept.saved, kept.expires = now, now + LASTS
        session.add(kept)
    return kept


def _begin(session: Session, **values: str) -> None:
    """Write an empty draft: of two who begin the same one at once, the second finds what the first wrote."""
    connection = session.connection()
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(_table).values(**values, title="", fields=[], saved=clock.now(), expires=clock.now() + LASTS)
    connection.execute(row.on_conflict_do_nothing(index_elements=["id"]))


def own(platform: Platform, principal: Principal) -> list[ActesDraft]:
    """Return the drafts of a principal without their fields, the last one kept first."""
    with platform.database.reading(principal) as session:
        return _own(session, principal)


def draft_of(platform: Platform, principal: Principal, draft_id: str) -> ActesDraft | None:
    """Return a draft of a principal; None when there is none, any more or yet."""
    with platform.database.reading(principal) as session:
        return session.exec(_of(principal).where(ActesDraft.id == draft_id)).first()


def _own(session: Session, principal: Principal) -> list[ActesDraft]:
    newest = _of(principal).order_by(col(ActesDraft.saved).desc(), col(ActesDraft.id))
    return list(session.exec(newest.options(defer(ActesDraft.fields))))  # type: ignore[arg-type]


def _of(principal: Principal) -> SelectOfScalar[ActesDraft]:
    return select(ActesDraft).where(ActesDraft.actor == principal.actor, ActesDraft.expires > clock.now())


def forget(platform: Platform, principal: Principal, draft_id: str) -> None:
    """Forget a draft; it may be forgotten already."""
    with platform.database.writing(principal) as session:
        kept = session.exec(_of(principal).where(ActesDraft.id == draft_id)).first()
        if kept is not None:
            session.delete(kept)


def sweep(platform: Platform) -> int:
    """Forget the drafts whose time is over; return how many there were."""
    over = select(ActesDraft).where(ActesDraft.expires <= clock.now()).order_by(col(ActesDraft.expires)).limit(_SWEPT_AT_ONCE)
    with platform.database.writing(PLATFORM) as session:
        found = session.exec(over).all()
        for kept in found:
            session.delete(kept)
    return len(found)
