"""What people do to a task: a screen where one is needed, the act, then the next folder of the same list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.folder.asking import asked_of, given
from api.web.folder.content import Content
from api.web.folder.page import Identifier, Said, Where, folder_page, read
from api.web.pages import render
from api.web.trays.listing import Listing, folder_address
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, Forbidden, NeedsOperator, TabellionError, Unavailable, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.parapheur.conclusion import perform
from signing.legs import AlreadySigned, NotSignable
from signing.parapheur import access, actions, consultation, trays
from signing.parapheur.desks import around, reachable
from signing.parapheur.history import Said as Words
from signing.parapheur.models import Desk, StepKind, Task
from signing.parapheur.progress import Standing, standing_of, step_of
from signing.parapheur.sealing import seal
from signing.parapheur.trays import Tray

router = APIRouter()
messages = Catalogue("api.web.folder")
TASK = "/parapheur/taches/{task_id}"
FORESEEN = (Conflict, UsageError, NeedsOperator, Unavailable, AlreadySigned, NotSignable)
Act = Callable[[Session, Principal, str, str, Words], Standing]


@dataclass(frozen=True, slots=True)
class Gesture:
    """An action on a task.

    Attributes:
        act: does it: given the session, who, the task, the desk that was chosen, the words.
        done: what the next page says.
        screen: it has a screen of its own; otherwise it is done from the page of the folder.
        desk: another desk is chosen.
        stays: the folder stays with the visitor.
    """

    act: Act
    done: str
    screen: bool = True
    desk: bool = False
    stays: bool = False


def _annotated(session: Session, principal: Principal, task_id: str, _desk: str, words: Words) -> Standing:
    actions.annotate(session, principal, task_id, words)
    found, _ = access.seen_task(session, principal, task_id)
    return standing_of(session, found.folder)


_GESTURES: Mapping[str, Gesture] = {
    "viser": Gesture(lambda s, p, task, _, words: actions.approve(s, p, task, words), "vise", screen=False),
    "avis": Gesture(lambda s, p, task, _, words: consultation.give_opinion(s, p, task, words), "avis", screen=False),
    "rejeter": Gesture(lambda s, p, task, _, words: actions.reject(s, p, task, words), "rejete"),
    "papier": Gesture(lambda s, p, task, _, words: actions.sign_on_paper(s, p, task, words), "papier"),
    "demander-avis": Gesture(consultation.ask_opinion, "avis-demande", desk=True),
    "transferer": Gesture(consultation.transfer, "transfere", desk=True),
    "annoter": Gesture(_annotated, "annote", stays=True),
}


def _screen(gesture: str) -> Callable[..., Response]:
    def ask(request: Request, platform: Parts, visitor: SignedIn, task_id: Identifier) -> Response:
        content, where = of_task(request, platform, visitor, task_id)
        if task_id not in content.seen.hands:
            return to_folder(content, where)
        return screen(request, platform, visitor, content, gesture, task_id)

    return ask


def _deed(gesture: str) -> Callable[..., Response]:
    def act(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, task_id: Identifier) -> Response:
        visitor.check(fields.get("csrf"))
        return answered(request, platform, visitor, task_id, gesture, fields)

    return act


for name, one in _GESTURES.items():
    if one.screen:
        router.add_api_route(f"{TASK}/{name}", _screen(name), methods=["GET"], name=f"ask_{name}", response_model=None)
    router.add_api_route(f"{TASK}/{name}", _deed(name), methods=["POST"], name=f"do_{name}", response_model=None)


@router.post(TASK + "/cacheter", response_model=None)
def sealed(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, task_id: Identifier) -> Response:
    """Set the organisation's seal: made outside any transaction, kept with what is said in one."""
    visitor.check(fields.get("csrf"))
    content, where = of_task(request, platform, visitor, task_id, fields)
    onward = next_of(platform, visitor, content, task_id)
    try:
        words = words_of(fields)
        with platform.database.writing(visitor.principal) as session:
            actions.check_ready(session, actions.hold(session, visitor.principal, task_id, StepKind.SEAL), words)
        results = seal(platform, task_id)

        def act(session: Session) -> Standing:
            held = actions.hold(session, visitor.principal, task_id, StepKind.SEAL)
            actions.check_ready(session, held, words)
            return actions.complete(session, held, results, words)

        perform(platform, visitor.principal, act)
    except FORESEEN as error:
        return failed(request, platform, visitor, where, error, fields)
    return gone_on(onward, "cachete", content.folder.id)


def answered(
    request: Request, platform: Platform, visitor: Visitor, task_id: str, gesture: str, fields: dict[str, str]
) -> Response:
    """Do what a form asks, and show the next folder; or the same one, with what was typed, when it cannot be done."""
    meant = _GESTURES[gesture]
    content, where = of_task(request, platform, visitor, task_id, fields)
    onward = None if meant.stays else next_of(platform, visitor, content, task_id)
    try:
        words = words_of(fields)
        desk = fields.get("bureau", "")
        perform(platform, visitor.principal, lambda session: meant.act(session, visitor.principal, task_id, desk, words))
    except FORESEEN as error:
        if meant.screen and not isinstance(error, Conflict):
            return screen(request, platform, visitor, content, gesture, task_id, error=error, typed=fields)
        return failed(request, platform, visitor, where, error, fields)
    if onward is None:
        address = folder_address(content.folder.id, content.listing, tache=task_id, fait=meant.done, dossier=content.folder.id)
        return RedirectResponse(address, status_code=303)
    return gone_on(onward, meant.done, content.folder.id)


def of_task(
    request: Request, platform: Platform, visitor: Visitor, task_id: str, fields: Mapping[str, str] | None = None
) -> tuple[Content, Where]:
    """Return the folder of a task, for somebody who may see it.

    Raises:
        NotFound: no such task for them.
        Forbidden: it is under way, and not theirs to act upon, though they answer a form.
    """
    with platform.database.reading(visitor.principal) as session:
        found, task = access.seen_task(session, visitor.principal, task_id)
    where = replace(Where.of(request, found.folder.id), task_id=task.id)
    if fields is not None:
        where = replace(where, listing=Listing.read(fields.get("depuis", "")) or where.listing)
        if task.id not in found.hands and task.desk_id not in found.at:
            raise Forbidden(messages("task.not_yours"))
    return read(platform, visitor, where), where


def to_folder(content: Content, where: Where) -> RedirectResponse:
    """Go to the page of a folder, which says where it stands."""
    return RedirectResponse(folder_address(content.folder.id, where.listing), status_code=303)


def words_of(fields: Mapping[str, str]) -> Words:
    """Return what a form says.

    Raises:
        UsageError: too long.
    """
    return Words(_lines(fields.get("note", "")), _lines(fields.get("note_privee", "")), given(fields))


def _lines(text: str) -> str:
    """Return a text with the line ends that the browser counted, one character each."""
    return text.replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class Onward:
    """Where to go once a folder is dealt with: the next one of the list, or the list."""

    listing: Listing
    folder_id: str = ""
    task_id: str | None = None


def next_of(platform: Platform, visitor: Visitor, content: Content, line_id: str) -> Onward:
    """Return what follows a line in its list, before it leaves it; after the last one, the list."""
    listing = content.listing or Listing()
    with platform.database.reading(visitor.principal) as session:
        desks = around(session, visitor.person_id)
        beside = trays.neighbours(session, desks, listing.tray, listing.wanted, line_id)
    line = beside.next if beside and listing.tray in {Tray.TO_DO, Tray.LATE, Tray.DELEGATED} else None
    return Onward(listing, line.folder_id, line.task_id) if line else Onward(listing)


def gone_on(onward: Onward, done: str, folder_id: str) -> RedirectResponse:
    """Go on to what follows, which says what was done."""
    if onward.folder_id:
        address = folder_address(onward.folder_id, onward.listing, tache=onward.task_id, fait=done, dossier=folder_id)
    else:
        address = onward.listing.address(fait=done, dossier=folder_id)
    return RedirectResponse(address, status_code=303)


def failed(
    request: Request, platform: Platform, visitor: Visitor, where: Where, error: Exception, fields: dict[str, str]
) -> HTMLResponse:
    """Show the folder as it stands now, why nothing was done, and what was typed."""
    fault = fault_of(error) if isinstance(error, TabellionError) else None
    kept = {name: value for name, value in fields.items() if name.startswith(("note", "champ.")) and value.strip()}
    said = Said(fault.detail if fault else str(error), fault.status if fault else 409, isinstance(error, Conflict), kept)
    return folder_page(request, platform, visitor, read(platform, visitor, where), where, said=said)


def screen(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    content: Content,
    gesture: str,
    task_id: str,
    *,
    error: Exception | None = None,
    typed: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return the screen on which an action is confirmed."""
    with platform.database.reading(visitor.principal) as session:
        task = session.get_one(Task, task_id)
        step = step_of(task) if task.step else None
        keys = () if step is None else step.rejection_fields if gesture == "rejeter" else step.approval_fields
        asked = asked_of(session, content.folder, keys) if gesture in {"rejeter", "papier", "importer"} else []
        desks = _desks(session, task) if gesture in _GESTURES and _GESTURES[gesture].desk else []
    context: dict[str, Any] = {"gesture": gesture, "asked": asked, "desks": desks, "typed": typed or {}}
    return render(
        request,
        "web/folder/act.html",
        visitor=visitor,
        status=fault_of(error).status if error else 200,
        content=content,
        folder=content.folder,
        action=f"/parapheur/taches/{task_id}/{gesture}",
        task_id=task_id,
        back=folder_address(content.folder.id, content.listing, tache=task_id),
        trouble=fault_of(error).detail if error else "",
        told=content.names.desk(content.folder.emitter_id),
        **context,
    )


def _desks(session: Session, task: Task) -> list[Desk]:
    own = session.get(Desk, task.desk_id)
    return [desk for desk in reachable(session, own) if desk.id != task.desk_id] if own else []
