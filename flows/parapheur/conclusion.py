"""What somebody has done in the parapheur becomes an event of the dossier that waits for it, in the same transaction.

    what the folder says                      the event
    its next step is the platform's own       going_on
    it has left its circuit                   completed
    it was rejected                           declined
    its documents were given up               given_up

A flow takes the events that its table names: one that can be mended and sent again waits on when it was rejected.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session, select

from core.errors import Conflict
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.document.flow import DOCUMENT
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.table import End, Flow, On
from flows.engine.work import Advance
from flows.parapheur.files import files_of, told
from flows.parapheur.holding import is_remade
from flows.registry import flow_named
from signing.parapheur import folders
from signing.parapheur.models import FolderState, Visibility
from signing.parapheur.progress import Standing

_messages = Catalogue("flows.parapheur")
Act = Callable[[Session], Standing]
_NOT_MEANWHILE = {FolderState.PENDING, FolderState.ERASED}
_DECIDED = {FolderState.PENDING, FolderState.FINISHED}
_EVENTS = {FolderState.REJECTED: "declined", FolderState.ERASED: "given_up"}


def perform(platform: Platform, principal: Principal, act: Act) -> Standing:
    """Let somebody act on a folder, and move its dossier by what comes of it: both, or neither.

    Raises:
        What the action raises: nothing is written then.
    """
    with platform.database.writing(principal) as session:
        standing = act(session)
        conclude(session, standing, principal.actor)
    return standing


def conclude(session: Session, standing: Standing, actor: str) -> None:
    """Tell the dossier of a folder where the folder stands, in the session's transaction.

    Raises:
        Conflict: a worker has the dossier in hand, to check, start or archive it: what was done would pass it by; the dossier has
            ended, so that nothing would come of what was done; the folder is not any more what its flow asked about; or a
            restored backup has the dossier as it was, and an operator has not resumed it yet.
    """
    event = "going_on" if standing.automatic else "completed" if standing.leaves else _EVENTS.get(standing.state)
    dossier = session.exec(select(Dossier).where(Dossier.id == standing.dossier_id)).first()
    if dossier is None:
        return
    flow = flow_named(dossier.flow)
    if isinstance(flow.rows[dossier.state], On) and standing.state in _NOT_MEANWHILE:
        raise Conflict(_messages("conclude.busy"))
    if actor != PLATFORM.actor:
        _refuse_void(flow, dossier, standing)
    folder = folders.folder_of(session, standing.folder_id)
    if standing.state is FolderState.FINISHED and is_remade(session, folder):
        raise Conflict(_messages("folder.remade"))
    if flow is DOCUMENT:  # a draft may have changed its mind
        dossier.confidential = folder.visibility == Visibility.CONFIDENTIAL.value
        session.add(dossier)
        session.flush()
    if event is None:
        return
    if dossier.overtaken:
        raise Conflict(_messages("conclude.overtaken"))
    completed = event == "completed"
    heard = transitions.signal(
        session,
        flow,
        dossier.id,
        event,
        Advance(event, facts=told(folder), files=files_of(session, folder) if completed else ()),
        actor,
        frees_reference=event in {"declined", "given_up"} and _ends(flow, dossier.state, event),
    )
    if completed and (heard or isinstance(flow.rows[dossier.state], End)):
        folder.leaves_at, folder.last_desk_id = None, None
        session.add(folder)


def _refuse_void(flow: Flow, dossier: Dossier, standing: Standing) -> None:
    """Let nobody decide of a folder whose dossier has ended without it: nothing would come of what they decide."""
    if isinstance(flow.rows[dossier.state], End) and standing.state in _DECIDED:
        reason = " ".join(str(problem["message"]) for problem in dossier.problems)
        raise Conflict(_messages("conclude.refused", reason=reason) if reason else _messages("conclude.ended"))


def _ends(flow: Flow, state: str, event: str) -> bool:
    """Tell whether an event ends a dossier, so that a mended document may follow; one that goes on keeps what it is known by."""
    leads = flow.rows[state].leads.get(event)
    return leads is not None and isinstance(flow.rows[leads], End)
