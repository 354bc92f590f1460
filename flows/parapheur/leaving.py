"""Folders at the end of their circuit leave once nobody may take them back any more."""

from __future__ import annotations

from sqlmodel import col, select

from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.parapheur.conclusion import conclude
from signing.parapheur import folders
from signing.parapheur.models import Folder, FolderState
from signing.parapheur.progress import standing_of

_AT_ONCE = 200


def leave(platform: Platform) -> int:
    """Let the folders go whose time to be taken back is over; return how many there were."""
    over = col(Folder.leaves_at) <= clock.now(), Folder.state == FolderState.FINISHED.value
    # One without a dossier of ours leaves too; one that a restored backup has as it was waits for an operator.
    due = select(Folder.id).outerjoin(Dossier, col(Dossier.id) == col(Folder.dossier_id)).where(*over)
    due = due.where(col(Dossier.overtaken).is_not(True))
    with platform.database.reading(PLATFORM) as session:
        waiting = session.exec(due.order_by(col(Folder.leaves_at)).limit(_AT_ONCE)).all()
    for folder_id in waiting:
        with platform.database.writing(PLATFORM) as session:
            conclude(session, standing_of(session, folders.locked(session, folder_id)), "platform")
    return len(waiting)
