"""What software does with folders: it sends them in the name of a desk, and does what that desk does around their circuit.

Software holds no desk: it neither approves, signs nor rejects. With the right to deposit it acts as the desk that sends, for the
folders that software of the organisation has deposited, whichever token did, since tokens are renewed. What people have made is
theirs: of that, software with the right to read sees what is public and no draft.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_
from sqlmodel import Session, col, select

from core import clock
from core.errors import Conflict, Forbidden, NotFound
from core.messages import Catalogue
from core.principal import Principal, Right
from signing.parapheur import typology
from signing.parapheur.desks import Hand
from signing.parapheur.emitting import give_up, put_away
from signing.parapheur.folders import folder_of, locked
from signing.parapheur.history import tell
from signing.parapheur.models import Folder, FolderReading, FolderState, TaskState, Visibility
from signing.parapheur.progress import Standing, left, standing_of, tasks_of, withdraw

_messages = Catalogue("signing.parapheur")
_SOFTWARE, _PERSON = "token:", "person:"


def is_software(principal: Principal) -> bool:
    """Tell whether a principal is software, known by its token."""
    return principal.actor.startswith(_SOFTWARE)


def readable(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on folders that software may read."""
    where = [identifier for identifier in principal.organisations if principal.may(Right.READ, identifier)]
    return and_(col(Folder.organisation_id).in_(where), or_(col(Folder.author).startswith(_SOFTWARE), _public()))


def withheld(dossier_id: Any) -> ColumnElement[bool]:
    """Return the condition that a dossier is that of a folder which a person has made, and of which software is shown nothing."""
    return exists().where(col(Folder.dossier_id) == dossier_id, col(Folder.author).startswith(_PERSON), not_(_public()))


def _public() -> ColumnElement[bool]:
    return and_(col(Folder.visibility) == Visibility.PUBLIC.value, col(Folder.state) != FolderState.DRAFT.value)


def seen(session: Session, principal: Principal, folder_id: str) -> Folder:
    """Return a folder that software may read.

    Raises:
        NotFound: there is none, or it may not: the two are not told apart.
    """
    found = session.exec(select(Folder).where(Folder.id == folder_id, readable(principal))).first()
    if found is None:
        raise NotFound(_messages("folder.unknown"))
    return found


def hand_over(session: Session, principal: Principal, folder_id: str) -> Hand:
    """Return the hand of software that acts as the desk that has sent a folder.

    Raises:
        NotFound: there is no such folder, or the principal may not know of it.
        Forbidden: a person has made it, or the right to deposit is not held there.
    """
    folder = folder_of(session, folder_id)
    if not folder.author.startswith(_SOFTWARE):
        seen(session, principal, folder_id)
        raise Forbidden(_messages("folder.not_yours"))
    principal.require(Right.DEPOSIT, folder.organisation_id)
    return sending(principal, folder.emitter_id)


def sending(principal: Principal, desk_id: str) -> Hand:
    """Return the hand of software at the desk in whose name it sends; nobody sits there."""
    return Hand(principal.actor, "", desk_id, None)


def recall(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Take back a folder that nobody has dealt with: it is a draft again.

    Raises:
        Conflict: a desk has dealt with it, or somebody has opened it where that is enough.
        NotFound, Forbidden: see ``hand_over``.
    """
    hand, folder = hand_over(session, principal, folder_id), locked(session, folder_id)
    if not may_recall(session, folder):
        raise Conflict(_messages("undo.late"))
    withdraw(session, left(session, folder))
    folder.state, folder.since, folder.rank = FolderState.DRAFT.value, clock.now(), 0
    folder.last_desk_id = None
    session.add(folder)
    tell(session, folder, "taken_back", hand)
    return standing_of(session, folder)


def may_recall(session: Session, folder: Folder) -> bool:
    """Tell whether nobody has dealt with a folder since it was sent."""
    if folder.state != FolderState.PENDING.value or folder.rank or folder.last_desk_id != folder.emitter_id:
        return False
    if any(task.rank == 0 and task.state != TaskState.OPEN.value for task in tasks_of(session, folder.id)):
        return False
    if typology.kind_of(session, folder.subtype_id or "").options.recall_after_reading:
        return True
    opened = select(FolderReading.person_id).where(FolderReading.folder_id == folder.id, col(FolderReading.last) >= folder.since)
    return session.exec(opened).first() is None


def trash(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Put a finished folder out of sight; its dossier goes its way.

    Raises:
        Conflict: it is not finished, or may still be taken back.
        NotFound, Forbidden: see ``hand_over``.
    """
    hand = hand_over(session, principal, folder_id)
    return put_away(session, locked(session, folder_id), hand)


def erase(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Give up a draft or a rejected folder, or empty one from the bin: what happened to it stays known, its documents do not.

    Its external identifier can be used again.

    Raises:
        Conflict: it is in its circuit, or finished.
        NotFound, Forbidden: see ``hand_over``.
    """
    hand, folder = hand_over(session, principal, folder_id), locked(session, folder_id)
    standing = give_up(session, folder, hand)
    folder.external_id = None  # mended, it is sent again under the same identifier
    return standing
