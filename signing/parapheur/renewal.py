"""What the platform does with a folder whose matter moves on outside: take it from the desks, send it once more with what is new.

One dossier has one folder: another round of it follows the rounds before in the same history.
"""

from __future__ import annotations

from sqlmodel import Session

from core import clock
from core.errors import Conflict
from core.messages import Catalogue
from signing.parapheur import metadata
from signing.parapheur.desks import require_sender
from signing.parapheur.folders import NewFolder, documents_of, locked, put_in, titled
from signing.parapheur.history import Said, tell
from signing.parapheur.models import Folder, FolderState, TaskState
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import left, tasks_of, withdraw

_messages = Catalogue("signing.parapheur")
_ASKED = {TaskState.OPEN.value, TaskState.DONE.value}


def take_away(session: Session, folder_id: str, said: Said) -> None:
    """Take a folder from the desks that have it, tell them and those that have acted why; it is back at the one that sent it.

    One that is past its circuit stays as it is: what was decided was decided.

    Raises:
        NotFound: there is none.
    """
    folder = locked(session, folder_id)
    if folder.state == FolderState.FINISHED.value:
        folder.leaves_at, folder.last_desk_id = None, None
        session.add(folder)
    if folder.state not in {FolderState.DRAFT.value, FolderState.PENDING.value}:
        return
    concerned = dict.fromkeys(one.desk_id for one in tasks_of(session, folder.id) if one.state in _ASKED)
    withdraw(session, left(session, folder))
    folder.state, folder.since, folder.last_desk_id = FolderState.REJECTED.value, clock.now(), None
    session.add(folder)
    tell(session, folder, "withdrawn", "platform", said=said)
    for desk_id in dict.fromkeys((*concerned, folder.emitter_id)):
        notify(session, folder, desk_id, Category.WITHDRAWN)


def renew(session: Session, folder_id: str, new: NewFolder) -> Folder:
    """Make a folder whose last round is over a draft again, with other documents; what happened to it stays in its history.

    Raises:
        NotFound: there is none.
        Conflict: it is in its circuit.
        UsageError: see ``folders.create``.
    """
    require_sender(session, new.organisation_id, new.emitter_id)
    folder = locked(session, folder_id)
    if folder.state == FolderState.PENDING.value:
        raise Conflict(_messages("folder.elsewhere", state=_messages(f"state.{folder.state}")))
    for document in documents_of(session, folder.id):
        session.delete(document)
    session.flush()
    folder.title, folder.summary, folder.due = titled(new.title), dict(new.summary), new.due
    folder.subtype_id, folder.emitter_id, folder.visibility = new.subtype_id, new.emitter_id, new.visibility.value
    declared = metadata.declared(session, new.organisation_id, new.fields.keys())
    folder.fields, folder.variables = metadata.checked(declared, new.fields, (), {}), list(new.variables)
    folder.state, folder.since, folder.rank = FolderState.DRAFT.value, clock.now(), 0
    folder.circuit_id, folder.last_desk_id, folder.leaves_at, folder.trouble = None, None, None, None
    session.add(folder)
    put_in(session, folder, new, "renewed")
    return folder
