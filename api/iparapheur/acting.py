"""What an account does to a folder: take it back, pass or reject its step, put it away, erase it."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session, select

from api.iparapheur.chronicle import Refusal
from api.iparapheur.door import Account
from api.iparapheur.finding import find, known_as
from api.iparapheur.refusals import refusals
from core.errors import Conflict, Forbidden
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.models import Dossier
from flows.engine.table import End
from flows.parapheur.conclusion import Act, perform
from flows.registry import flow_named
from signing.parapheur import actions, emitting, folders, recall, renewal, software
from signing.parapheur.desks import person_of
from signing.parapheur.history import Said
from signing.parapheur.models import Folder, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import Standing, tasks_of

_messages = Catalogue("api.iparapheur")


def take_back(platform: Platform, account: Account, identifier: str) -> None:
    """Give a folder back to its desk, as long as nobody has acted on it.

    Raises:
        NotFound: the account sees no such folder.
        Conflict: somebody acted on it, or has read it where that is enough.
        Forbidden: the desk that sent it is not theirs.
    """
    folder_id = _sent(platform, account, identifier).id
    if account.desks is None:
        _do(platform, account, lambda session: software.recall(session, account.principal, folder_id))
    else:
        _do(platform, account, partial(_take_back, account, folder_id, identifier))


def _take_back(account: Account, folder_id: str, identifier: str, session: Session) -> Standing:
    folder = folders.locked(session, folder_id)
    if folder.rank or folder.state != FolderState.PENDING.value:
        # A desk of the circuit takes back what it has done itself, in the parapheur.
        raise Conflict(_messages("recall.late", id=identifier))
    return recall.undo(session, account.principal, folder_id)


def force(platform: Platform, account: Account, identifier: str, said: Said, *, passes: bool) -> None:
    """Let a visa pass, or reject the folder, at a desk of theirs.

    Raises:
        NotFound: the account sees no such folder.
        Conflict: no visa is asked of their desks.
        Forbidden: software holds no desk.
        UsageError: what the step asks for is missing; a rejection without a reason.
    """
    with platform.database.reading(account.principal) as session:
        folder = find(session, account, identifier)
        person_of(account.principal)
        task = _theirs(session, account, folder)
    if task is None:
        raise Conflict(_messages("force.elsewhere", id=identifier))
    act = actions.approve if passes else actions.reject
    _do(platform, account, lambda session: act(session, account.principal, task.id, said))


def _theirs(session: Session, account: Account, folder: Folder) -> Task | None:
    """Return the visa that waits at a desk of a person, their own or one in whose place they stand."""
    desks = account.desks
    at = {*desks.held, *(one.desk_id for one in desks.stands_in)} if desks else set()
    waiting = (task for task in tasks_of(session, folder.id) if task.state == TaskState.OPEN.value and task.desk_id in at)
    return next((task for task in waiting if task.kind == StepKind.VISA.value), None)


def put_away(platform: Platform, account: Account, identifier: str, *, erases: bool) -> None:
    """Put a folder away that has come to its end; erase what the parapheur keeps of its documents when asked for.

    The platform's own record of it stays under lock: it is sealed first, hence a folder cannot be erased at once.

    Raises:
        NotFound: the account sees no such folder.
        Conflict: it has not come to its end, or is not sealed yet.
        Forbidden: the desk that sent it is not theirs.
    """
    folder = _sent(platform, account, identifier)
    if folder.state != FolderState.FINISHED.value:
        raise Conflict(_messages("archive.early", id=identifier))
    if erases:
        _refuse_unsealed(platform, account, folder)
    _do(platform, account, lambda session: _put_away(session, account, folder.id, erases=erases))


def _put_away(session: Session, account: Account, folder_id: str, *, erases: bool) -> Standing:
    trash = software.trash if account.desks is None else emitting.trash
    standing = trash(session, account.principal, folder_id)
    return _erased(session, account, folder_id) if erases else standing


def _refuse_unsealed(platform: Platform, account: Account, folder: Folder) -> None:
    with platform.database.reading(account.principal) as session:
        dossier = session.exec(select(Dossier).where(Dossier.id == folder.dossier_id)).first()
    if dossier is not None and not isinstance(flow_named(dossier.flow).rows.get(dossier.state), End):
        raise Conflict(_messages("archive.unsealed", id=known_as(folder)))


def erase_rejected(platform: Platform, account: Account, identifier: str) -> None:
    """Erase a folder that was rejected, or whose documents the check has refused; its identifier can be used again.

    Raises:
        NotFound: the account sees no such folder.
        Conflict: it was not rejected.
        Forbidden: the desk that sent it is not theirs.
    """
    folder = _sent(platform, account, identifier)
    with platform.database.reading(account.principal) as session:
        refusal = refusals(session, [folder]).get(folder.id)
    if refusal is not None:
        _do(platform, account, lambda session: _cleared(session, account, folder.id, refusal))
        return
    if folder.state != FolderState.REJECTED.value:
        raise Conflict(_messages("erase.other", id=identifier))
    _do(platform, account, lambda session: _erased(session, account, folder.id))


def _cleared(session: Session, account: Account, folder_id: str, refusal: Refusal) -> Standing:
    """Erase a folder of which nothing comes any more; the desks that have it are told why it is gone."""
    renewal.take_away(session, folder_id, Said(refusal.reason))
    if folders.folder_of(session, folder_id).state == FolderState.FINISHED.value:
        return _put_away(session, account, folder_id, erases=True)
    return _erased(session, account, folder_id)


def _erased(session: Session, account: Account, folder_id: str) -> Standing:
    erase = software.erase if account.desks is None else emitting.erase
    standing = erase(session, account.principal, folder_id)
    folder = folders.locked(session, folder_id)
    folder.external_id = None  # mended, it is sent again under the same identifier
    session.add(folder)
    return standing


def _sent(platform: Platform, account: Account, identifier: str) -> Folder:
    with platform.database.reading(account.principal) as session:
        folder = find(session, account, identifier)
    if account.desks is not None and folder.emitter_id not in {desk.id for desk in account.senders}:
        raise Forbidden(_messages("folder.foreign", id=identifier))
    return folder


def _do(platform: Platform, account: Account, act: Act) -> None:
    perform(platform, account.principal, act)
