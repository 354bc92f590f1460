"""Where a document stands, in the states of the type ``mailsec``, and what may be done to it; also in the words of SQL.

a draft                                creation, then modification; send-mailsec-error once its check gave it back
it is checked, approved, under way     envoi
some have withdrawn it, then all       reception-partielle, reception
it reaches nobody                      erreur
it is over, stopped or cancelled       non-recu
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, exists, false, func, not_, or_
from sqlmodel import col, select

from api.pastell.models import PastellDocument
from flows.engine.models import Dossier
from flows.mail.keeping import ENDED, TAKEN
from flows.mail.models import Mail, MailRecipient, RecipientState
from flows.mail.standing import Standing, counted, standing_of, stands
from flows.mail.validating import VALIDATING

_UNDER_WAY = (Standing.CHECKING, Standing.VALIDATING, Standing.READY, Standing.SENDING, Standing.SENT)
_OVER = (Standing.CLOSED, Standing.ARCHIVED)
EDITABLE = frozenset({"creation", "modification", "send-mailsec-error"})
_BEFORE = ("draft", "received", "rejected", *sorted(VALIDATING))
RESENT = frozenset({"envoi", "reception-partielle"})


def last_action(dossier: Dossier, mail: Mail, states: Mapping[str, int], row: PastellDocument | None) -> str:
    """Return the state of a document.

    Args:
        dossier: of it.
        mail: of it.
        states: how many recipients stand in each ``RecipientState``.
        row: what the interface keeps of it; None when it was written elsewhere.
    """
    standing = standing_of(dossier, mail, states)
    if standing is Standing.DRAFT:
        if dossier.problems:
            return "send-mailsec-error"
        return "creation" if row is not None and row.modified is None else "modification"
    if standing in _UNDER_WAY:
        return "envoi"
    if standing is Standing.PARTLY:
        return "reception-partielle"
    count = sum(states.values())
    if standing is Standing.TAKEN or (standing in _OVER and counted(states, TAKEN) == count):
        return "reception"
    return "erreur" if standing in _OVER and states.get(RecipientState.FAILED.value) == count else "non-recu"


def stands_at(action: str) -> ColumnElement[bool]:
    """Return the condition under which a document stands so: the same cases as ``last_action``, in the words of the database."""
    over = or_(*(stands(one) for one in _OVER))
    taken, failed = not_(_some(set(RecipientState) - TAKEN)), not_(_some(set(RecipientState) - {RecipientState.FAILED}))
    sound = cast(col(Dossier.problems), String) == "[]"
    fresh = exists(
        select(PastellDocument.dossier_id)
        .where(col(PastellDocument.dossier_id) == col(Dossier.id), col(PastellDocument.modified).is_(None))
        .correlate(Dossier)
    )
    cases: dict[str, ColumnElement[bool]] = {
        "creation": and_(stands(Standing.DRAFT), sound, fresh),
        "modification": and_(stands(Standing.DRAFT), sound, not_(fresh)),
        "send-mailsec-error": and_(stands(Standing.DRAFT), not_(sound)),
        "envoi": or_(*(stands(one) for one in _UNDER_WAY)),
        "reception-partielle": stands(Standing.PARTLY),
        "reception": or_(stands(Standing.TAKEN), and_(over, taken)),
        "erreur": and_(over, failed),
        "non-recu": or_(stands(Standing.CANCELLED), stands(Standing.REJECTED), and_(over, not_(taken), not_(failed))),
    }
    return cases.get(action, false())


def entered() -> ColumnElement[Any]:
    """Return when a document entered its state, for what recipients did when the last did it: as ``telling.since`` tells it.

    A list is sorted by it: recipients are looked at once, where ``stands_at`` asks for one case after the other.
    """
    row = select(PastellDocument.modified).where(col(PastellDocument.dossier_id) == col(Dossier.id)).correlate(Dossier)
    taken, ended, waiting = (_count(states) for states in (TAKEN, ENDED | {RecipientState.FAILED}, {RecipientState.WAITING}))
    all_taken = taken == func.count()
    received = or_(
        and_(col(Dossier.state) == "archived", all_taken),
        and_(col(Dossier.state).not_in(("archived", "ready")), waiting == 0, taken > 0, or_(all_taken, ended < func.count())),
    )
    last = (
        select(case((received, func.max(MailRecipient.withdrawn))))
        .where(col(MailRecipient.dossier_id) == col(Dossier.id))
        .correlate(Dossier)
    )
    return case(
        (
            and_(col(Dossier.state) == "draft", cast(col(Dossier.problems), String) == "[]"),
            func.coalesce(row.scalar_subquery(), col(Dossier.created)),
        ),
        (or_(col(Dossier.state).in_(_BEFORE), col(Mail.cancelled).is_not(None)), col(Dossier.since)),
        else_=func.coalesce(last.scalar_subquery(), col(Dossier.since)),
    )


def _count(states: Collection[RecipientState]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((col(MailRecipient.state).in_([one.value for one in states]), 1), else_=0)), 0)


def _some(states: set[RecipientState] | frozenset[RecipientState]) -> ColumnElement[bool]:
    wanted = select(MailRecipient.id).where(
        col(MailRecipient.dossier_id) == col(Dossier.id), col(MailRecipient.state).in_([one.value for one in states])
    )
    return exists(wanted.correlate(Dossier))
