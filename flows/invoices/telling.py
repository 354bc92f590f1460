"""Telling Chorus Pro what was decided here: a status at a time, once each, and never backwards.

Hélios, the accountant and people on the portal move invoices too. So the history is read right before, what the invoice has
passed is dropped, and a status is marked as being told before it leaves: after an answer that was lost, the history says whether
it arrived. Of two workers, one takes a status in hand; the other finds it taken.

    what the history says                              what becomes of the status
    it was taken since we set out to tell it           told
    the invoice is there, or further, or over          dropped
    Chorus Pro does not let it go there                dropped
    it is not at its recipient's yet, or nobody knows  it waits
    it is refused, read again and refused again        refused: a person is shown why
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Table, update
from sqlmodel import col, select

from connectors.chorus.client import Chorus
from connectors.chorus.errors import AccountRefused, CertificateRefused, ChorusRefused, QuotaReached
from connectors.chorus.statuses import FINAL, RANK, Status, word
from core import clock
from core.configuration import Configuration
from core.errors import Misconfigured, TabellionError, Unavailable
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule
from flows.invoices.knowledge import account_of, chorus_of, operator_of, reception_of
from flows.invoices.life import observe
from flows.invoices.models import InvoiceTarget, ReceivedInvoice, TargetState
from flows.invoices.settings import ACCOUNT
from flows.invoices.targets import ACTOR, OPEN, close, has_arrived, rank_of, targets_of

__all__ = ["ACTOR", "QUEUE", "plan", "tell"]

_log = structlog.get_logger()
_messages = Catalogue("flows.invoices")
_target: Table = InvoiceTarget.__table__  # type: ignore[attr-defined]
QUEUE = "remote.chorus"
_OF_ALL = (QuotaReached, AccountRefused, CertificateRefused, Misconfigured)
"""Troubles of the account or the application: no other invoice would fare better."""
_SILENCES, _PAUSES = 3, 2
_AT_ONCE = 1000
# Beyond the longest that a call may take, so that nobody takes over what somebody still has in hand.
_BEYOND = timedelta(seconds=60)
_LONGEST_TROUBLE = 1000


def plan(platform: Platform, every: timedelta) -> None:
    """Plan to tell what was decided on the invoices of every account."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == ACCOUNT)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn for an account.

    Attributes:
        hold: how long a status stays in hand without a sign of life; ``pause`` before one that made trouble is taken up again.
        possible: where Chorus Pro lets an invoice go, by its status: asked once.
    """

    platform: Platform
    account: str
    hold: timedelta
    pause: timedelta
    possible: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Left:
    """Why a status is not to be told: closed in this state, with words for a person; it waits when there is no state."""

    state: TargetState | None
    trouble: str | None = None


def tell(platform: Platform, organisation_id: str) -> None:
    """Tell Chorus Pro what was decided on the invoices of an account; one that makes trouble does not hold up the others.

    Args:
        platform: its parts.
        organisation_id: the owner of the account.

    Raises:
        TabellionError: Chorus Pro does not answer, or one of the invoices made trouble: the last trouble.
    """
    if not reception_of(platform, organisation_id).tell:
        return
    waiting = _waiting(platform, organisation_id)
    if not waiting:
        return
    turn, silent = _turn(platform, organisation_id), 0
    trouble: TabellionError | None = None
    for dossier_id in waiting:
        try:
            _tell(turn, dossier_id)
            silent = 0
        except _OF_ALL:
            raise
        except TabellionError as error:
            _log.warning("invoices.telling_troubled", dossier=dossier_id, reason=type(error).__name__)
            trouble, silent = error, silent + 1 if isinstance(error, Unavailable) else 0
        if silent == _SILENCES:
            break
    if trouble is not None:
        raise trouble


def _turn(platform: Platform, organisation_id: str) -> _Turn:
    longest = timedelta(seconds=operator_of(platform, organisation_id).total_timeout)
    return _Turn(platform, organisation_id, longest + _BEYOND, _PAUSES * timedelta(seconds=platform.settings.poll_seconds))


def _waiting(platform: Platform, organisation_id: str) -> list[str]:
    """Return the dossiers of an account with something to tell; those that made trouble lately come last, or at another turn.

    Invoices of another environment than that of the account are not spoken of: their identifiers are those of others there.
    """
    environment = account_of(platform, organisation_id).environment
    due = (
        select(InvoiceTarget.dossier_id)
        .join(ReceivedInvoice, col(ReceivedInvoice.dossier_id) == col(InvoiceTarget.dossier_id))
        .where(ReceivedInvoice.account_id == organisation_id, ReceivedInvoice.environment == environment.value)
        .where(col(InvoiceTarget.state).in_(OPEN))
        .where(col(InvoiceTarget.not_before) <= clock.now())
        .order_by(col(InvoiceTarget.not_before), col(InvoiceTarget.id))
    )
    with platform.database.reading(PLATFORM) as session:
        return list(dict.fromkeys(session.exec(due.limit(_AT_ONCE))))


def _tell(turn: _Turn, dossier_id: str) -> None:
    chorus = chorus_of(turn.platform, turn.account, dossier_id)
    while (target := _take(turn, dossier_id)) is not None:
        try:
            settled = _settle(turn, chorus, target)
        except TabellionError as error:
            _put_back(turn, target, str(error))
            raise
        if not settled:
            return


def _take(turn: _Turn, dossier_id: str) -> InvoiceTarget | None:
    """Take the first status of an invoice in hand; None when there is none, or when it is not to be touched yet."""
    with turn.platform.database.reading(PLATFORM) as session:
        first = next(iter(targets_of(session, dossier_id, *OPEN)), None)
    if first is None or first.not_before > clock.now():
        return None
    return first if _change(turn, first, not_before=clock.now() + turn.hold) else None


def _settle(turn: _Turn, chorus: Chorus, target: InvoiceTarget) -> bool:
    """Tell one status, or find out that it need not be told; False when it has to wait.

    Raises:
        TabellionError: it could not be sent, or nobody knows whether it arrived: it stays as it is, and is looked at again.
    """
    refusal: ChorusRefused | None = None
    for _ in range(2):
        invoice = observe(turn.platform, target.dossier_id, chorus)
        if (left := _left(turn, chorus, target, invoice)) is not None:
            return _leave(turn, target, left)
        if not _change(turn, target, state=TargetState.TELLING.value, telling=clock.now(), not_before=clock.now() + turn.hold):
            return False
        try:
            chorus.treat(invoice.chorus_id, target.status, reason=target.reason, mandate=target.mandate)
        except ChorusRefused as error:
            refusal = error
            turn.possible.pop(invoice.status, None)
            continue
        _close(turn, target, TargetState.TOLD)
        observe(turn.platform, target.dossier_id, chorus)
        return True
    told = _messages("tell.refused", status=word(target.status), reason=refusal)
    _close(turn, target, TargetState.REFUSED, told, answer=refusal.code if refusal else None)
    return True


def _left(turn: _Turn, chorus: Chorus, target: InvoiceTarget, invoice: ReceivedInvoice) -> _Left | None:
    """Return why a status is not to be told now, by what was just read; None when it is."""
    with turn.platform.database.reading(PLATFORM) as session:
        arrived = has_arrived(session, target, invoice)
    if arrived:
        return _Left(TargetState.TOLD)
    status = invoice.status
    if passed := _passed(target.status, status):
        return _Left(TargetState.DROPPED, _messages(passed, status=word(status)))
    if status not in turn.possible:
        turn.possible[status] = chorus.possible_statuses(status)
    if target.status in turn.possible[status]:
        return None
    words = {"status": word(status), "target": word(target.status)}
    if status not in set(Status) or 0 <= rank_of(status) < RANK[Status.AVAILABLE]:
        return _Left(None, _messages("tell.not_yet", **words))
    return _Left(TargetState.DROPPED, _messages("tell.unreachable", **words))


def _passed(wanted: str, status: str) -> str | None:
    """Return under which words an invoice of a status has passed another, so that it would go backwards; None when it has not."""
    if status == wanted:
        return "tell.there"
    if status in FINAL:
        return "tell.over"
    return "tell.passed" if 0 <= rank_of(wanted) <= rank_of(status) else None


def _leave(turn: _Turn, target: InvoiceTarget, left: _Left) -> bool:
    if left.state is None:
        _put_back(turn, target, left.trouble or "")
        return False
    _close(turn, target, left.state, left.trouble)
    return True


def _close(turn: _Turn, target: InvoiceTarget, state: TargetState, trouble: str | None = None, **facts: Any) -> None:
    with turn.platform.database.writing(PLATFORM) as session:
        close(session, target.id, state, trouble, **facts)


def _put_back(turn: _Turn, target: InvoiceTarget, trouble: str) -> None:
    _change(turn, target, not_before=clock.now() + turn.pause, trouble=trouble[:_LONGEST_TROUBLE])


def _change(turn: _Turn, target: InvoiceTarget, **values: Any) -> bool:
    """Change a status that is still to be told and still ours; False when somebody else has taken or closed it."""
    ours = (_target.c.id == target.id) & (_target.c.not_before == target.not_before) & _target.c.state.in_(OPEN)
    with turn.platform.database.writing(PLATFORM) as session:
        changed = session.connection().execute(update(_target).where(ours).values(**values))
    if changed.rowcount != 1:
        return False
    for name, value in values.items():
        setattr(target, name, value)
    return True
