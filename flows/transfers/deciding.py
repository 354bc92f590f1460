"""What an archivist decides of a transfer that passed every check: it is taken, or refused with a code and a reason.

The decision, its journal entry and the event that follows are one transaction; the reason stays out of the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, NotFound, TabellionError, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance
from flows.transfers.flow import ACCEPTED, REFUSED, TRANSFER
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import WARNINGS
from schemas.seda.codes import ACCEPTED as TAKEN
from schemas.seda.codes import ACCEPTED_WITH_COMMENT, REPLY_CODES, is_acceptance

_messages = Catalogue("flows.transfers")
LONGEST_COMMENT = 1000
MOST = 200
"""Transfers that one decision may be about."""
REFUSALS = tuple(code for code in REPLY_CODES if not is_acceptance(code))
"""The codes that a transfer may be refused with."""


def accept(platform: Platform, principal: Principal, dossier_id: str, comment: str = "") -> None:
    """Take a transfer: it is sealed next.

    Raises:
        NotFound: there is no such transfer, or the principal does not see it.
        Forbidden: they do not manage the archives of its organisation.
        UsageError: the comment is too long or unprintable.
        Conflict: it does not wait for a decision.
    """
    said = _said(comment)
    with platform.database.writing(principal) as session:
        transfer, dossier = _waiting(session, principal, dossier_id)
        remarks = bool(said or dossier.facts.get(WARNINGS))
        _decide(session, principal, transfer, ACCEPTED, ACCEPTED_WITH_COMMENT if remarks else TAKEN, said)


def refuse(platform: Platform, principal: Principal, dossier_id: str, code: str, comment: str) -> None:
    """Refuse a transfer; its identifier is free again, so that a mended one may follow.

    Raises:
        NotFound, Forbidden, Conflict: as ``accept``.
        UsageError: a code that is none of a refusal, or no reason.
    """
    said = _said(comment)
    if code not in REFUSALS:
        raise UsageError(_messages("decide.code", found=code[:20], known=", ".join(REFUSALS)))
    if not said:
        raise UsageError(_messages("decide.reason"))
    with platform.database.writing(principal) as session:
        transfer, _ = _waiting(session, principal, dossier_id)
        transfer.identity = None
        _decide(session, principal, transfer, REFUSED, code, said)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one transfer of several.

    Attributes:
        trouble: why nothing was decided of it; None when it was.
    """

    dossier_id: str
    trouble: TabellionError | None = None


def accept_each(platform: Platform, principal: Principal, dossiers: Sequence[str], comment: str = "") -> list[Decided]:
    """Take several transfers, each in a transaction of its own: one that cannot be decided of does not keep the others.

    Raises:
        UsageError: none or too many; or as ``accept``, and nothing is decided then.
    """
    return _each(dossiers, lambda dossier_id: accept(platform, principal, dossier_id, comment))


def refuse_each(platform: Platform, principal: Principal, dossiers: Sequence[str], code: str, comment: str) -> list[Decided]:
    """Refuse several transfers for one reason, as ``accept_each`` takes them.

    Raises:
        UsageError: none or too many; or as ``refuse``, and nothing is decided then.
    """
    return _each(dossiers, lambda dossier_id: refuse(platform, principal, dossier_id, code, comment))


def _each(dossiers: Sequence[str], decide: Callable[[str], None]) -> list[Decided]:
    chosen = list(dict.fromkeys(dossiers))
    if not 1 <= len(chosen) <= MOST:
        raise UsageError(_messages("decide.many" if chosen else "decide.none", most=MOST))
    return [_decided(dossier_id, decide) for dossier_id in chosen]


def _decided(dossier_id: str, decide: Callable[[str], None]) -> Decided:
    try:
        decide(dossier_id)
    except (NotFound, Forbidden, Conflict) as error:
        return Decided(dossier_id, error)
    return Decided(dossier_id)


def transfer_of(session: ScopedSession, dossier_id: str) -> ArchiveTransfer:
    """Return a transfer.

    Raises:
        NotFound: there is none of that identifier that the session sees.
    """
    found = session.exec(select(ArchiveTransfer).where(ArchiveTransfer.dossier_id == dossier_id)).first()
    if found is None:
        raise NotFound(_messages("transfer.unknown"))
    return found


def _waiting(session: ScopedSession, principal: Principal, dossier_id: str) -> tuple[ArchiveTransfer, Dossier]:
    transfer = transfer_of(session, dossier_id)
    principal.require(Right.ARCHIVE, transfer.organisation_id)
    return transfer, session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()


def _decide(session: ScopedSession, principal: Principal, transfer: ArchiveTransfer, event: str, code: str, comment: str) -> None:
    transfer.code, transfer.comment, transfer.decided, transfer.decided_by = code, comment, clock.now(), principal.actor
    session.add(transfer)
    session.flush()
    told: dict[str, Any] = {"code": code}
    moved = transitions.signal(
        session, TRANSFER, transfer.dossier_id, event, Advance(event, journal=told), principal.actor,
        frees_reference=event == REFUSED,
    )  # fmt: skip
    if not moved:
        raise Conflict(_messages("decide.not_now"))


def _said(comment: str) -> str:
    said = " ".join(comment.split())
    if len(said) > LONGEST_COMMENT or not said.isprintable():
        raise UsageError(_messages("decide.comment", most=LONGEST_COMMENT))
    return said
