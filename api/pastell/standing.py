"""Where a document stands, in the states of the type ``mailsec``, and what may be done to it; also in the words of SQL.

a draft                                creation, then modification; send-mailsec-error once its check gave it back
it is checked, approved, under way     envoi
some have withdrawn it, then all       reception-partielle, reception
it reaches nobody                      erreur
it is over, stopped or cancelled       non-recu
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, not_, or_
from sqlmodel import col, select

from api.pastell.models import PastellDocument
from flows.engine.models import Dossier
from flows.mail.keeping import ENDED, TAKEN
from flows.mail.models import Mail, MailRecipient, RecipientState
from flows.mail.standing import Standing, counted, standing_of
from flows.mail.validating import VALIDATING

_UNDER_WAY = (Standing.CHECKING, Standing.VALIDATING, Standing.READY, Standing.SENDING, Standing.SENT)
_OVER = (Standing.CLOSED, Standing.ARCHIVED)
EDITABLE = frozenset({"creation", "modification", "send-mailsec-error"})
_UNDECIDED = ("received", *sorted(VALIDATING))
_RECEIVED = frozenset({"reception", "reception-partielle"})
_COUNTED = {
    "taken": TAKEN,
    "reached": ENDED | {RecipientState.FAILED},
    "failed": {RecipientState.FAILED},
    "waiting": {RecipientState.WAITING},
}
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


@dataclass(frozen=True, slots=True)
class InSql:
    """Where each document of a query stands, and since when, in the words of the database.

    Attributes:
        action: as ``last_action`` has it.
        since: when it entered that state, for what recipients did when the last did it: as ``telling.since``.
    """

    action: ColumnElement[str]
    since: ColumnElement[Any]


def in_sql(wanted: Any, organisation_id: str) -> tuple[Any, InSql]:
    """Return how a list is narrowed and sorted.

    Recipients are added up once for all documents: asked for each by itself, or those of every organisation, they cost the
    database many times as much.

    Args:
        wanted: a query of ``Dossier`` and ``Mail``.
        organisation_id: whose documents they are.

    Returns:
        The query with what that is made of, and that.
    """
    sums: Any = select(
        col(MailRecipient.dossier_id).label("dossier_id"),
        func.max(col(MailRecipient.withdrawn)).label("last"),
        func.count().label("count"),
        *(_count(states).label(name) for name, states in _COUNTED.items()),
    )
    told = sums.where(MailRecipient.organisation_id == organisation_id).group_by(col(MailRecipient.dossier_id)).subquery().c
    joined = wanted.outerjoin(PastellDocument, col(PastellDocument.dossier_id) == col(Dossier.id))
    joined = joined.outerjoin(told.dossier_id.table, told.dossier_id == col(Dossier.id))
    action = _action(*(func.coalesce(told[name], 0) for name in ("count", *_COUNTED)))
    moment = case(
        (
            action.in_(sorted(EDITABLE - {"send-mailsec-error"})),
            func.coalesce(col(PastellDocument.modified), col(Dossier.created)),
        ),
        (action.in_(sorted(_RECEIVED)), func.coalesce(told.last, col(Dossier.since))),
        else_=col(Dossier.since),
    )
    return joined, InSql(action, moment)


def _action(
    count: ColumnElement[int],
    taken: ColumnElement[int],
    reached: ColumnElement[int],
    failed: ColumnElement[int],
    waiting: ColumnElement[int],
) -> ColumnElement[str]:
    """Return the same cases as ``last_action`` and ``standing_of``, in their order."""
    state, sound = col(Dossier.state), cast(col(Dossier.problems), String) == "[]"
    fresh = and_(col(PastellDocument.dossier_id).is_not(None), col(PastellDocument.modified).is_(None))
    over = ((taken == count, "reception"), (failed == count, "erreur"))
    return case(
        (and_(state == "draft", not_(sound)), "send-mailsec-error"),
        (and_(state == "draft", fresh), "creation"),
        (state == "draft", "modification"),
        (state == "rejected", "non-recu"),
        (state.in_(_UNDECIDED), "envoi"),
        (col(Mail.cancelled).is_not(None), "non-recu"),
        *((and_(state == "archived", met), said) for met, said in over),
        (state == "archived", "non-recu"),
        (or_(state == "ready", waiting > 0), "envoi"),
        *((and_(count > 0, reached == count, met), said) for met, said in over),
        (and_(count > 0, reached == count), "non-recu"),
        (taken > 0, "reception-partielle"),
        else_="envoi",
    )


def _count(states: Collection[RecipientState]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((col(MailRecipient.state).in_([one.value for one in states]), 1), else_=0)), 0)
