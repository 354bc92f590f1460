"""Where a send stands, for people: told by its dossier, its mail and its recipients; also in the words of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, exists, literal, not_, or_
from sqlmodel import col, select

from flows.engine.models import Dossier
from flows.mail.keeping import ENDED, TAKEN
from flows.mail.models import Mail, MailRecipient, RecipientState
from flows.mail.validating import VALIDATING


class Standing(StrEnum):
    """Where a send stands, for people.

    VALIDATING: it waits for those who approve it in the parapheur; REJECTED: they did not, or too late. SENDING: some are
    still to be told. SENT: nobody has withdrawn it yet; PARTLY: some have; TAKEN: all have. CLOSED: everybody has come to an
    end, not all by withdrawing. ARCHIVED: its proof is sealed.
    """

    DRAFT = "draft"
    CHECKING = "checking"
    VALIDATING = "validating"
    REJECTED = "rejected"
    READY = "ready"
    SENDING = "sending"
    SENT = "sent"
    PARTLY = "partly"
    TAKEN = "taken"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


_BEFORE = {
    "draft": Standing.DRAFT,
    "received": Standing.CHECKING,
    "rejected": Standing.REJECTED,
    **dict.fromkeys(sorted(VALIDATING), Standing.VALIDATING),
}
_REACHED = ENDED | {RecipientState.FAILED}


def standing_of(dossier: Dossier, mail: Mail, states: Mapping[str, int]) -> Standing:
    """Return where a send stands.

    Args:
        dossier: of it.
        mail: of it.
        states: how many recipients stand in each ``RecipientState``.
    """
    if dossier.state in _BEFORE:
        return _BEFORE[dossier.state]
    if mail.cancelled is not None:
        return Standing.CANCELLED
    if dossier.state == "archived":
        return Standing.ARCHIVED
    if dossier.state == "ready" and mail.sent is None:
        return Standing.READY
    if dossier.state == "ready" or states.get(RecipientState.WAITING.value):
        return Standing.SENDING
    count, taken = sum(states.values()), counted(states, TAKEN)
    if count and taken == count:
        return Standing.TAKEN
    if count and counted(states, _REACHED) == count:
        return Standing.CLOSED
    return Standing.PARTLY if taken else Standing.SENT


def counted(states: Mapping[str, int], among: frozenset[RecipientState]) -> int:
    """Return how many recipients stand in one of some states."""
    return sum(count for state, count in states.items() if RecipientState(state) in among)


def stands(standing: Standing) -> ColumnElement[bool]:
    """Return the condition under which a send stands so: the same cases as ``standing_of``, in the words of the database."""
    state, cancelled = col(Dossier.state), col(Mail.cancelled).is_not(None)
    waiting, sent = _some(RecipientState.WAITING), col(Mail.sent).is_not(None)
    taken, untaken = _some(*TAKEN), _some(*(set(RecipientState) - TAKEN))
    unended = _some(*(set(RecipientState) - _REACHED))
    told = case(
        *((state == name, literal(found.value)) for name, found in _BEFORE.items()),
        (cancelled, literal(Standing.CANCELLED.value)),
        (state == "archived", literal(Standing.ARCHIVED.value)),
        (and_(state == "ready", not_(sent)), literal(Standing.READY.value)),
        (or_(state == "ready", waiting), literal(Standing.SENDING.value)),
        (and_(taken, not_(untaken)), literal(Standing.TAKEN.value)),
        (and_(or_(taken, untaken), not_(unended)), literal(Standing.CLOSED.value)),
        (taken, literal(Standing.PARTLY.value)),
        else_=literal(Standing.SENT.value),
    )
    return told == standing.value


def _some(*states: RecipientState) -> ColumnElement[bool]:
    wanted = select(MailRecipient.id).where(
        col(MailRecipient.dossier_id) == col(Dossier.id), col(MailRecipient.state).in_([state.value for state in states])
    )
    return exists(wanted.correlate(Dossier))
