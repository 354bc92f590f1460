"""Several folders at once: first what would be done and what is left out, then the act, each folder by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlmodel import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.folder.acting import words_of
from api.web.folder.asking import Asked, asked_of
from api.web.pages import render
from api.web.trays import outcomes
from api.web.trays.listing import Listing
from api.web.trays.outcomes import Result
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.parapheur.conclusion import perform
from signing.docket.content import Field
from signing.docket.page import in_words
from signing.parapheur import access, actions, answers, emitting, folders, recall, sending, starting, typology
from signing.parapheur.access import Seen
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Folder, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import Standing, step_of
from signing.parapheur.reading import is_read

router = APIRouter()
messages = Catalogue("api.web.trays")
MOST = 100
_ASKED = {"signer": StepKind.SIGNATURE, "viser": StepKind.VISA}
_OF_TASKS = {"signer", "viser", "rejeter"}
_OF_FOLDERS = {
    "recuperer": (FolderState.PENDING, FolderState.FINISHED),
    "corbeille": (FolderState.FINISHED,),
    "demarrer": (FolderState.DRAFT,),
    "effacer": (FolderState.DRAFT, FolderState.REJECTED, FolderState.TRASHED),
}
GESTURES = frozenset({*_OF_TASKS, *_OF_FOLDERS})


@dataclass(slots=True)
class Choice:
    """What a selection comes to.

    Attributes:
        taken: what the gesture applies to: identifier sent, title.
        left: what it does not apply to: title, reason.
        otherwise: identifiers by the gesture that they ask instead.
        fields: metadata to be given, each once for all that ask for it.
        kept: those that folders bear already, by key: title, value in words; what is given is not written over them.
    """

    taken: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    otherwise: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, Asked] = field(default_factory=dict)
    kept: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


async def _posted(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=4 * MOST)


Posted = Annotated[FormData, Depends(_posted)]


@router.get("/parapheur/selection")
def review(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    geste: str = "",
    choix: Annotated[Sequence[str], Query(max_length=MOST)] = (),
    depuis: Annotated[str, Query(max_length=400)] = "",
) -> HTMLResponse:
    """Show what would be done to a selection."""
    if geste not in GESTURES:
        raise NotFound(messages("select.gesture"))
    return _review(request, platform, visitor, geste, choix, Listing.read(depuis) or Listing())


@router.post("/parapheur/selection/{geste}")
def act(request: Request, platform: Parts, visitor: SignedIn, posted: Posted, geste: str) -> Response:
    """Do it, to each by itself, and go back to the list with what came of each."""
    fields = {name: value for name, value in posted.items() if isinstance(value, str)}
    visitor.check(fields.get("csrf"))
    if geste not in GESTURES - {"signer"}:
        raise NotFound(messages("select.gesture"))
    chosen = [value for value in posted.getlist("choix") if isinstance(value, str)][:MOST]
    listing = Listing.read(fields.get("depuis", "")) or Listing()
    try:
        said = words_of(fields)
    except UsageError as error:
        return _review(request, platform, visitor, geste, chosen, listing, trouble=str(error), typed=fields)
    if geste == "rejeter" and not said.note.strip():
        trouble = messages("select.motive")
        return _review(request, platform, visitor, geste, chosen, listing, trouble=trouble, typed=fields)
    results = [_one(platform, visitor.principal, geste, identifier, said) for identifier in dict.fromkeys(chosen)]
    return RedirectResponse(listing.address(bilan=outcomes.written(platform, geste, results)), status_code=303)


def _review(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    gesture: str,
    chosen: Sequence[str],
    listing: Listing,
    *,
    trouble: str = "",
    typed: dict[str, str] | None = None,
) -> HTMLResponse:
    choice = Choice()
    with platform.database.reading(visitor.principal) as session:
        for identifier in dict.fromkeys(chosen):
            _weigh(session, visitor.principal, gesture, identifier, choice)
    return render(
        request,
        "web/trays/selection.html",
        visitor=visitor,
        status=400 if trouble else 200,
        gesture=gesture,
        choice=choice,
        listing=listing,
        trouble=trouble,
        typed=typed or {},
    )


def _weigh(session: Session, principal: Principal, gesture: str, identifier: str, choice: Choice) -> None:
    """Put one of the selection where it belongs."""
    try:
        if gesture in _OF_TASKS:
            found, task = access.seen_task(session, principal, identifier)
            reason = _refusal(session, gesture, found, task, choice)
        else:
            found, task = access.seen(session, principal, identifier), None
            reason = _folder_refusal(session, principal, gesture, found)
    except NotFound as error:
        choice.left.append(("–", str(error)))
        return
    if reason is not None:
        choice.left.append((found.folder.title, reason))
        return
    choice.taken.append((identifier, found.folder.title))
    if task is not None:
        step = step_of(task)
        keys = step.rejection_fields if gesture == "rejeter" else step.approval_fields
        for one in asked_of(session, found.folder, keys):
            if one.value:
                words = in_words(Field(one.name, MetadataKind(one.kind), one.value))
                choice.kept.setdefault(one.key, []).append((found.folder.title, words))
            else:
                choice.fields[one.key] = one


def _refusal(session: Session, gesture: str, found: Seen, task: Task, choice: Choice) -> str | None:
    """Return why a gesture does not apply to a task; None when it does."""
    if task.state != TaskState.OPEN.value:
        return messages("left.past")
    if task.id not in found.hands:
        return messages("left.not_yours")
    if gesture == "rejeter":
        return messages("left.kind.opinion") if task.kind == StepKind.OPINION.value else None
    if task.kind != _ASKED[gesture].value:
        other = next((name for name, kind in _ASKED.items() if kind.value == task.kind), None)
        if other is not None:
            choice.otherwise.setdefault(other, []).append(task.id)
        return messages(f"left.kind.{task.kind}")
    options = typology.kind_of(session, found.folder.subtype_id or "").options
    if options.reading_mandatory and not is_read(session, found.folder, found.desks.person_id):
        return messages("left.unread")
    return None


def _folder_refusal(session: Session, principal: Principal, gesture: str, found: Seen) -> str | None:
    folder = found.folder
    if folder.state not in {state.value for state in _OF_FOLDERS[gesture]}:
        return messages("left.state")
    if gesture == "recuperer":
        return None if recall.may_undo(session, principal, folder) else messages("left.late")
    if not found.emits:
        return messages("left.not_yours")
    if gesture == "corbeille" and folder.leaves_at is not None:
        return messages("left.leaving")
    return None


def _one(platform: Platform, principal: Principal, gesture: str, identifier: str, said: Said) -> Result:
    """Do it to one, in a transaction of its own."""
    title = "–"
    try:
        with platform.database.reading(principal) as session:
            if gesture in _OF_TASKS:
                found, task = access.seen_task(session, principal, identifier)
                keys = step_of(task).rejection_fields if gesture == "rejeter" else step_of(task).approval_fields
            else:
                found, keys = access.seen(session, principal, identifier), ()
            title = found.folder.title
        asked = Said(said.note, said.private_note, {key: value for key, value in said.fields.items() if key in keys})
        folder_id = found.folder.id

        def act(session: Session) -> Standing:
            own = answers.of_several(folders.locked(session, folder_id), asked)
            return _done(session, principal, gesture, identifier, own)

        perform(platform, principal, act)
    except (Conflict, Forbidden, NotFound, UsageError) as error:
        return Result(title, str(error))
    return Result(title, "")


def _done(session: Session, principal: Principal, gesture: str, identifier: str, said: Said) -> Standing:
    match gesture:
        case "viser":
            return actions.approve(session, principal, identifier, said)
        case "rejeter":
            return actions.reject(session, principal, identifier, said)
        case "recuperer":
            return recall.undo(session, principal, identifier)
        case "corbeille":
            return emitting.trash(session, principal, identifier)
        case "demarrer":
            return _started(session, principal, folders.folder_of(session, identifier), said)
        case _:
            sending.forget_words(session, identifier)
            return emitting.erase(session, principal, identifier)


def _started(session: Session, principal: Principal, folder: Folder, said: Said) -> Standing:
    hand = emitting.emitter_hand(session, principal, folder.emitter_id)
    return starting.start(session, folder.id, hand, said)
