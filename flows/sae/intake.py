"""How a record comes to be handed over: by a person, or by schedule where its organisation says so for its kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select

from archive.models import Record
from core import journal
from core.database import ScopedSession
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier
from flows.sae.flow import SAE
from flows.sae.knowledge import account_of, accounts, settings_of
from flows.sae.models import SaeTransfer
from flows.sae.settings import When
from flows.sae.stages import RECORD

ACTOR, QUEUE = "sae.gather", "archive"
AT_ONCE = 200
"""Records that are looked at in a turn."""


def begin(platform: Platform, record: Record, actor: str) -> Received:
    """Make the dossier that hands a record over, or return the one that does already.

    Args:
        platform: where.
        record: sealed and kept.
        actor: who wants it, as the journal writes it.
    """

    def apply(session: ScopedSession, dossier: Dossier) -> None:
        session.add(SaeTransfer(dossier_id=dossier.id, organisation_id=record.organisation_id, record_id=record.id))
        session.flush()
        told = {"record": record.id, "package": record.sha256}
        owner = record.organisation_id
        journal.write(session, organisation_id=owner, dossier_id=dossier.id, kind="sae.asked", actor=actor, facts=told)

    entering = Deposit(
        record.organisation_id,
        record.id if record.withheld else record.title,  # the dossier is shown to software
        None,
        f"record:{record.id}",
        facts={RECORD: record.id},
        confidential=record.confidential,
        apply=apply,
    )
    return receive(platform.database, SAE, PLATFORM, entering)


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the look for records that are to be handed over."""
    with platform.database.reading(PLATFORM) as session:
        configured = accounts(session)
    for account in sorted(configured):
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=account)


def gather(platform: Platform, account: str) -> None:
    """Hand over the sealed records of an account's organisations that go by themselves, oldest first, so many at a turn.

    Raises:
        NeedsOperator, Misconfigured: the settings of the account cannot be read.
    """
    with platform.database.reading(PLATFORM) as session:
        if account not in accounts(session):
            return  # it was withdrawn; its schedule stays
    kinds = [kind for kind, when in settings_of(platform, account).kinds.items() if when is When.AUTOMATIC]
    if not kinds:
        return
    with platform.database.reading(PLATFORM) as session:
        found = waiting(session, _served(session, account), kinds)
    for record in found:
        begin(platform, record, PLATFORM.actor)


def waiting(session: Session, organisations: Sequence[str], kinds: Sequence[str], shown: Any = None) -> list[Record]:
    """Return the oldest records of these organisations and kinds that are kept, and that nobody has ever handed over.

    Args:
        session: that sees them.
        organisations: whose.
        kinds: of record.
        shown: a further condition: what somebody sees.
    """
    handed = select(SaeTransfer.dossier_id).where(SaeTransfer.record_id == Record.id).exists()
    wanted = (
        select(Record)
        .where(col(Record.organisation_id).in_(organisations), col(Record.kind).in_(kinds))
        .where(col(Record.eliminated).is_(None), ~handed)
        .order_by(col(Record.sealed), col(Record.id))
        .limit(AT_ONCE)
    )
    return list(session.exec(wanted if shown is None else wanted.where(shown)))


def _served(session: Session, account: str) -> list[str]:
    """Return the organisations for which the settings of an account count."""
    configured = accounts(session)
    below = col(Organisation.path).contains(f"/{account}/", autoescape=True)
    return [one.id for one in session.exec(select(Organisation).where(below)) if account_of(one.path, configured) == account]
