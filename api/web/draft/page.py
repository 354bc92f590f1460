"""“Brouillon”: what a folder will be, saved and started by one form, so that no button loses what was typed for another.

Without a script each button sends the whole form; with it, the circuit follows what is typed, and files come in pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.multipart import Files
from api.problems import fault_of
from api.uploads import Body, Uploads
from api.web.deposit.sorting import Arrived
from api.web.draft import acts, form, papers
from api.web.draft.form import Given, Typed
from api.web.draft.preview import preview
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from api.words import of_page
from core import uploads
from core.blobs import TooLarge
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.platform import Platform
from core.principal import Principal
from flows.parapheur.conclusion import perform
from signing.parapheur import drafting, folders, sending, starting
from signing.parapheur.desks import Hand
from signing.parapheur.emitting import emitter_hand
from signing.parapheur.models import Desk, DocumentKind, Folder, FolderDocument, FolderState, Visibility
from signing.parapheur.progress import Standing, standing_of

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_DRAFTS = "/parapheur/brouillons"
_DRAFT = _DRAFTS + "/{draft_id}"
DOCUMENTS = _DRAFTS + "/documents"
_DONE = frozenset({"depot", "enregistre", "document", "correction", "copie"})
_REFUSED = (UsageError, Conflict, Forbidden, NotFound)
_ADDED = {"main": DocumentKind.MAIN, "annex": DocumentKind.ANNEX}


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft, for somebody of the desk that sends it."""

    folder: Folder
    emitter: Desk
    documents: Sequence[FolderDocument]
    values: dict[str, str]


def draft_of(session: Session, principal: Principal, folder_id: str) -> Draft:
    """Return a folder of a desk that somebody holds, a draft or no longer one.

    Raises:
        NotFound, Forbidden: see ``acts.sent_by``.
    """
    folder = acts.sent_by(session, principal, folder_id)
    emitter = session.get_one(Desk, folder.emitter_id)
    values = form.values_of(folder, sending.words_of(session, folder_id))
    return Draft(folder, emitter, folders.documents_of(session, folder_id), values)


@router.post(DOCUMENTS)
async def added(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Add files to a draft, by a plain form."""
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")
    said: dict[str, str] = {}

    def read(body: Body) -> None:
        files = Files(body, content_type, frozenset({"csrf", "folder", "as"}))
        said.update(files.values)
        visitor.check(said.get("csrf"))
        with platform.database.reading(visitor.principal) as session:
            folder = draft_of(session, visitor.principal, said.get("folder", "")).folder
        found = papers.arrived(platform, files)
        _add(platform, visitor.principal, folder.id, found, said.get("as", ""))

    try:
        await turnstile.run(request, read)
    except (UsageError, TooLarge, Conflict) as error:
        return _refused(request, platform, visitor, said.get("folder", ""), error)
    return RedirectResponse(f"{_DRAFTS}/{said['folder']}?fait=document", status_code=303)


def _refused(request: Request, platform: Platform, visitor: Visitor, folder_id: str, error: Exception) -> HTMLResponse:
    fault = fault_of(error)
    return _page(request, platform, visitor, folder_id, status=fault.status, trouble={"document": fault.detail})


def _add(platform: Platform, principal: Principal, folder_id: str, found: Sequence[Arrived], kind: str) -> None:
    papers.refuse_unreadable(platform, found)
    with platform.database.writing(principal) as session:
        draft = draft_of(session, principal, folder_id)
        folder = folders.own_draft(session, folder_id, emitter_hand(session, principal, draft.emitter.id))
        papers.add(session, folder, found, _ADDED.get(kind, DocumentKind.ANNEX))


router.include_router(acts.router)


@router.get(_DRAFT)
def shown(
    request: Request, platform: Parts, visitor: SignedIn, draft_id: Identifier, fait: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show a draft; a folder that is none any more is shown as what it is."""
    with platform.database.reading(visitor.principal) as session:
        folder = draft_of(session, visitor.principal, draft_id).folder
    if folder.state != FolderState.DRAFT.value:
        return RedirectResponse(f"/parapheur/dossiers/{draft_id}", status_code=303)
    return _page(request, platform, visitor, draft_id, done=fait if fait in _DONE else "")


@router.post(_DRAFT + "/apercu")
def seen(request: Request, platform: Parts, visitor: SignedIn, given: Given, draft_id: Identifier) -> HTMLResponse:
    """Show the fields of the kind that was chosen and the circuit that would run; nothing is kept."""
    visitor.check(given.get("csrf"))
    return _page(request, platform, visitor, draft_id, given=given)


@router.post(_DRAFT)
def done(request: Request, platform: Parts, visitor: SignedIn, given: Given, draft_id: Identifier) -> Response:
    """Do what the button says: save, start, show the circuit, or something to a document; what was typed is kept first."""
    visitor.check(given.get("csrf"))
    what, _, document_id = given.get("do", "save").partition(":")
    if what == "circuit":
        return _page(request, platform, visitor, draft_id, given=given)
    with platform.database.reading(visitor.principal) as session:
        draft = draft_of(session, visitor.principal, draft_id)
        typed = form.read(session, draft.folder, draft.emitter, given, starting=what == "start")
    if typed.problems and what in {"save", "start"}:
        return _page(request, platform, visitor, draft_id, given=given, status=400, starting=what == "start")
    try:
        _do(platform, visitor.principal, draft_id, typed, what, document_id)
    except _REFUSED as error:
        fault = fault_of(error)
        anchor = "document" if what in {*papers.ACTS, "add"} else "circuit" if what == "start" else "title"
        return _page(request, platform, visitor, draft_id, given=given, status=fault.status, trouble={anchor: fault.detail})
    if typed.problems:
        return _page(request, platform, visitor, draft_id, given=given)
    if what == "start":
        return RedirectResponse(f"/parapheur/dossiers/{draft_id}?fait=demarre&dossier={draft_id}", status_code=303)
    return RedirectResponse(_after(draft_id, what, document_id), status_code=303)


def _after(folder_id: str, what: str, document_id: str) -> str:
    if what == "save":
        return f"{_DRAFTS}/{folder_id}?fait=enregistre"
    place = f"#papier-{document_id}" if what in papers.ACTS and what != "remove" else "#documents"
    return f"{_DRAFTS}/{folder_id}?fait=document{place}"


def _do(platform: Platform, principal: Principal, folder_id: str, typed: Typed, what: str, document_id: str) -> None:
    if what == "add":
        _use(platform, principal, folder_id, typed)

    def act(session: Session) -> Standing:
        draft = draft_of(session, principal, folder_id)
        hand = emitter_hand(session, principal, draft.emitter.id)
        folder = folders.own_draft(session, folder_id, hand)
        if not typed.problems:
            _keep(session, folder, hand, typed, draft.documents)
        if what in papers.ACTS:
            papers.ACTS[what](session, folder_id, document_id, hand)
        if what != "start":
            return standing_of(session, folder)
        sending.forget_words(session, folder_id)
        return starting.start(session, folder_id, hand, typed.said)

    perform(platform, principal, act)


def _use(platform: Platform, principal: Principal, folder_id: str, typed: Typed) -> None:
    with platform.database.reading(principal) as session:
        folder = draft_of(session, principal, folder_id).folder
    wanted = [part for part in typed.values.get("uploads", "").split(",") if part]
    with uploads.using(platform, principal, folder.organisation_id, wanted) as found:
        _add(platform, principal, folder_id, papers.uploaded(found), typed.values.get("as", ""))


def _keep(session: Session, folder: Folder, hand: Hand, typed: Typed, documents: Sequence[FolderDocument]) -> None:
    drafting.change(session, folder.id, hand, typed.change)
    papers.name_all(session, folder.id, hand, documents, typed.values)
    sending.keep_words(session, folder.id, hand, typed.said)


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    folder_id: str,
    *,
    given: dict[str, str] | None = None,
    status: int = 200,
    starting: bool = False,
    trouble: dict[str, str] | None = None,
    done: str = "",
) -> HTMLResponse:
    """Show a draft as it is kept, or with what was typed instead."""
    with platform.database.reading(visitor.principal) as session:
        draft = draft_of(session, visitor.principal, folder_id)
        values = given if given is not None else draft.values
        typed = form.read(session, draft.folder, draft.emitter, values, starting=starting)
        context: dict[str, Any] = {
            "folder": draft.folder,
            "emitter": draft.emitter,
            "documents": draft.documents,
            "kinds": form.kinds_for(session, draft.folder),
            "typed": typed,
            "preview": preview(session, draft.emitter, typed, draft.folder.fields),
            "visibilities": [one.value for one in Visibility],
        }
    problems = {**(typed.problems if given is not None else {}), **(trouble or {})}
    shown = {"problems": problems, "done": done, "limit": platform.settings.upload_limit, "deposit_words": _DEPOSIT_WORDS}
    return render(request, "web/draft/draft.html", visitor=visitor, status=status, **context, **shown)


_DEPOSIT_WORDS = of_page("web/deposit/upload.html")
