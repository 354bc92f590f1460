"""Looking for invoices at Chorus Pro: each is stored once, whoever finds it first, and what has moved is read again.

Searches go by the day on which the status last changed and overlap each other, since what moves meanwhile moves between pages.
How far they have come is written down only when all of them came to their end; what was found before one failed is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from connectors.chorus.answers import Received
from connectors.chorus.errors import ChorusUnavailable, QuotaReached
from connectors.chorus.searching import WORKS, Search
from connectors.chorus.settings import Environment
from core import clock
from core.configuration import Configuration
from core.database import ScopedSession
from core.errors import Misconfigured, NeedsOperator, TabellionError
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule, transitions
from flows.invoices import evidence, intake, knowledge, life
from flows.invoices.flow import INVOICES
from flows.invoices.models import ReceivedInvoice, Watch
from flows.invoices.settings import ACCOUNT, InvoiceReception
from flows.invoices.stages import fetch

_log = structlog.get_logger()
ACTOR, QUEUE = "invoices.collect", "remote.chorus"
_SAME_MOMENT = timedelta(minutes=1)  # histories tell moments to the minute, searches to the second
_MOST_IN_A_ROW = 5
_LONGEST_TROUBLE = 1000


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the search through every account that is configured."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == ACCOUNT)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


def collect(platform: Platform, organisation_id: str) -> None:
    """Find what is new or has moved through an organisation's account, store it, and let the dossiers hear of it.

    Raises:
        NeedsOperator, Misconfigured: application, account or reception are not configured, or refused.
        Unavailable: Chorus Pro does not answer, or not to all that it was asked: the first trouble met.
    """
    reception = knowledge.reception_of(platform, organisation_id)
    if not reception.open:
        return
    began = clock.now()
    today = clock.in_paris(began).date()
    collection = _Collection(platform, organisation_id, reception)
    try:
        collection.run(_from(platform, organisation_id, reception), today)
    except TabellionError as error:
        collection.troubles.append(error)
    life.settle(platform, organisation_id)
    evidence.forget(platform, organisation_id)
    _remember(platform, organisation_id, today, began, collection.troubles)
    if collection.troubles:
        raise collection.troubles[0]


def _from(platform: Platform, organisation_id: str, reception: InvoiceReception) -> date:
    """Return the day from which to search: the first one again once account or reception changed, as they may find more."""
    with platform.database.reading(PLATFORM) as session:
        watch = session.get(Watch, organisation_id)
    if watch is None or watch.through is None or watch.succeeded is None:
        return reception.since
    if knowledge.reconfigured(platform, organisation_id, watch.succeeded):
        return reception.since
    return max(reception.since, watch.through - timedelta(days=reception.overlap_days))


def _remember(platform: Platform, organisation_id: str, today: date, began: datetime, troubles: Sequence[TabellionError]) -> None:
    with platform.database.writing(PLATFORM) as session:
        watch = _watch(session, organisation_id)
        if watch.trouble and not troubles:
            _hasten(session, organisation_id)
        watch.trouble = str(troubles[0])[:_LONGEST_TROUBLE] if troubles else None
        if not troubles:
            watch.through, watch.succeeded = today, began
        session.add(watch)


def _watch(session: ScopedSession, organisation_id: str) -> Watch:
    """Return the watch of an account; of two collections that are the first, one makes it and the other finds it."""
    if session.get(Watch, organisation_id) is None:
        with suppress(IntegrityError), session.begin_nested():
            session.add(Watch(organisation_id=organisation_id))
    return session.get_one(Watch, organisation_id)


def _hasten(session: ScopedSession, organisation_id: str) -> None:
    """Let downloads that were put off be made at once: what kept them is over."""
    for one in subtree(session, session.get_one(Organisation, organisation_id).path):
        transitions.hasten(session, INVOICES, fetch.name, one)


@dataclass
class _Collection:
    """One turn through an account.

    Attributes:
        troubles: what went wrong with a search or with an invoice; the others went on.
    """

    platform: Platform
    account_id: str
    reception: InvoiceReception
    troubles: list[TabellionError] = field(default_factory=list)
    _in_a_row: int = 0

    def run(self, moved_from: date, moved_to: date) -> None:
        """Make every search; one that fails does not keep the next from being made, unless nothing can be had any more."""
        chorus = knowledge.chorus_of(self.platform, self.account_id)
        owners = self._owners()
        environment = knowledge.account_of(self.platform, self.account_id).environment
        for search in self._searches(moved_from, moved_to):
            try:
                for page in chorus.received(search):
                    self._page(environment, owners, page.invoices)
            except (QuotaReached, NeedsOperator, Misconfigured):
                raise
            except ChorusUnavailable as error:
                _log.warning("invoices.search_troubled", kind=search.kinds[0], reason=str(error))
                self._trouble(error)

    def _searches(self, moved_from: date, moved_to: date) -> Iterator[Search]:
        for structure in self.reception.structures or (None,):
            for kind in self.reception.kinds:
                deposited = None if kind in WORKS else self.reception.since
                yield Search(
                    structure=structure, kinds=(kind,), moved_from=moved_from, moved_to=moved_to, deposited_from=deposited
                )

    def _owners(self) -> dict[str, str]:
        """Return whom invoices are for, by SIRET, in the subtree of the account's owner; the highest in the tree."""
        with self.platform.database.reading(PLATFORM) as session:
            path = session.get_one(Organisation, self.account_id).path
            below = select(Organisation).where(col(Organisation.id).in_(subtree(session, path)))
            found = session.exec(below.order_by(col(Organisation.path).desc())).all()
        return {one.siret: one.id for one in found if one.siret}

    def _page(self, environment: Environment, owners: dict[str, str], found: Sequence[Received]) -> None:
        known = self._known(environment, [one.id for one in found])
        for one in found:
            kept, owner = known.get(one.id), owners.get(one.recipient, self.account_id)
            try:
                if kept is not None:
                    intake.correct(self.platform, kept, owner, one)
                    self._look_again(kept, one)
                elif self._wanted(one):
                    intake.store(self.platform, self.account_id, environment, owner, one)
            except (QuotaReached, Misconfigured):
                raise
            except TabellionError as error:
                _log.warning("invoices.troubled", chorus_id=one.id, reason=str(error))
                self._trouble(error)
            else:
                self._in_a_row = 0

    def _known(self, environment: Environment, found: Sequence[int]) -> dict[int, ReceivedInvoice]:
        with self.platform.database.reading(PLATFORM) as session:
            same = select(ReceivedInvoice).where(
                ReceivedInvoice.environment == environment.value, col(ReceivedInvoice.chorus_id).in_(found)
            )
            return {one.chorus_id: one for one in session.exec(same)}

    def _wanted(self, found: Received) -> bool:
        early = found.deposited is not None and clock.in_paris(found.deposited).date() < self.reception.since
        return not early and found.status not in intake.NOT_YET

    def _look_again(self, kept: ReceivedInvoice, found: Received) -> None:
        if found.status == kept.status and not _later(found.moved, kept.moved):
            return
        chorus = knowledge.chorus_of(self.platform, self.account_id, kept.dossier_id)
        life.observe(self.platform, kept.dossier_id, chorus, moved=found.moved)

    def _trouble(self, error: TabellionError) -> None:
        """Remember what went wrong; a row of troubles means that Chorus Pro is away, not that invoices are odd."""
        self.troubles.append(error)
        self._in_a_row += 1
        if self._in_a_row >= _MOST_IN_A_ROW:
            raise error


def _later(found: datetime | None, kept: datetime | None) -> bool:
    return found is not None and (kept is None or found - kept >= _SAME_MOMENT)
