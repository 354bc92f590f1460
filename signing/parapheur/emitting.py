"""What the desk that sent a folder does with it once it came back: send it again, put it away, give it up."""

from __future__ import annotations

from sqlmodel import Session

from core import clock
from core.errors import Conflict, Forbidden
from core.messages import Catalogue
from core.principal import Principal, Right
from signing.parapheur.desks import Hand, around, person_of
from signing.parapheur.folders import documents_of, locked
from signing.parapheur.history import tell
from signing.parapheur.models import Desk, Folder, FolderState
from signing.parapheur.progress import Standing, left, standing_of, withdraw

_messages = Catalogue("signing.parapheur")


def recycle(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Make a rejected folder a draft again, to be mended and sent once more.

    Raises:
        Conflict: it was not rejected.
        Forbidden: the desk that sent it is not theirs.
    """
    folder, hand = _emitted(session, principal, folder_id)
    _require_state(folder, FolderState.REJECTED)
    folder.state, folder.since, folder.rank = FolderState.DRAFT.value, clock.now(), 0
    session.add(folder)
    tell(session, folder, "recycled", hand)
    return standing_of(session, folder)


def trash(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Put a finished folder out of sight; its dossier goes its way.

    Raises:
        Conflict: it is not finished, or may still be taken back.
        Forbidden: the desk that sent it is not theirs.
    """
    return put_away(session, *_emitted(session, principal, folder_id))


def erase(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Give up a draft or a rejected folder, or empty one from the bin: what happened to it stays known, its documents do not.

    Raises:
        Conflict: it is in its circuit, or finished.
        Forbidden: the desk that sent it is not theirs.
    """
    return give_up(session, *_emitted(session, principal, folder_id))


def put_away(session: Session, folder: Folder, hand: Hand) -> Standing:
    """Put a finished folder out of sight, whoever sent it; it is locked, and the hand has the right.

    Raises:
        Conflict: it is not finished, or may still be taken back.
    """
    _require_state(folder, FolderState.FINISHED)
    if folder.leaves_at is not None:
        raise Conflict(_messages("folder.leaving"))
    folder.state, folder.since = FolderState.TRASHED.value, clock.now()
    session.add(folder)
    tell(session, folder, "trashed", hand)
    return standing_of(session, folder)


def give_up(session: Session, folder: Folder, hand: Hand) -> Standing:
    """Erase the documents of a folder that goes nowhere any more, whoever sent it; it is locked, and the hand has the right.

    Raises:
        Conflict: it is in its circuit, or finished.
    """
    _require_state(folder, FolderState.DRAFT, FolderState.REJECTED, FolderState.TRASHED)
    for document in documents_of(session, folder.id):
        session.delete(document)
    withdraw(session, left(session, folder))
    folder.state, folder.since, folder.last_desk_id = FolderState.ERASED.value, clock.now(), None
    session.add(folder)
    tell(session, folder, "erased", hand)
    return standing_of(session, folder)


def _emitted(session: Session, principal: Principal, folder_id: str) -> tuple[Folder, Hand]:
    folder = locked(session, folder_id)
    return folder, emitter_hand(session, principal, folder.emitter_id)


def _require_state(folder: Folder, *states: FolderState) -> None:
    if folder.state not in {state.value for state in states}:
        raise Conflict(_messages("folder.elsewhere", state=_messages(f"state.{folder.state}")))


def emitter_hand(session: Session, principal: Principal, desk_id: str) -> Hand:
    """Return by which right a person acts as the desk that sends folders.

    Raises:
        Forbidden: they do not hold it, it may send nothing, or their roles do not let them deposit.
    """
    person_id = person_of(principal)
    desk = session.get(Desk, desk_id)
    if desk is None or not desk.may_create or desk_id not in around(session, person_id).held:
        raise Forbidden(_messages("folder.not_yours"))
    principal.require(Right.DEPOSIT, desk.organisation_id)
    return Hand(principal.actor, person_id, desk_id, None)
