"""What an archivist decides of a transfer that passed every check: it is taken, or refused with a code and a reason.

The decision, its journal entry and the event that follows are one transaction; the reason stays out of the journal.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
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
