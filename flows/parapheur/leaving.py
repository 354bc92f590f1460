"""Folders at the end of their circuit leave once nobody may take them back any more."""

from __future__ import annotations

from sqlmodel import col, select

from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.parapheur.conclusion import conclude
from signing.parapheur import folders
from signing.parapheur.models import Folder, FolderState
from signing.parapheur.progress import standing_of

_AT_ONCE = 200


def leave(platform: Platform) -> int:
    """Let the folders go whose time to be taken back is over; return how many there were."""
    due = select(Folder.id).where(col(Folder.leaves_at) <= clock.now(), Folder.state == FolderState.FINISHED.value)
    with platform.database.reading(PLATFORM) as session:
        waiting = session.exec(due.order_by(col(Folder.leaves_at)).limit(_AT_ONCE)).all()
    for folder_id in waiting:
        with platform.database.writing(PLATFORM) as session:
            conclude(session, standing_of(session, folders.locked(session, folder_id)), "platform")
    return len(waiting)
