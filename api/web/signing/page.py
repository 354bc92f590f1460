"""A signing session: it lists what will be signed, opens the agent or the remote service, and tells how far it is.

Everything the person says goes in when it opens. The page may be left and come back to; what was signed stays signed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import APIRouter, Path
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.runtime import timestamps
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.addresses import AddressRefused
from core.errors import Conflict, Forbidden, Misconfigured, NeedsOperator, NotFound, Unavailable, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.parapheur.remote import service_of, sign_remotely
from flows.parapheur.signing import settle
from signing.parapheur import access, signatures
from signing.parapheur.history import Said
from signing.parapheur.models import Folder, FolderSigning, SignatoryProfile, Task, TaskState
from signing.sittings import sittings
from signing.sittings.models import ItemState, SittingState
from signing.sittings.sittings import ItemOutcome, Outcome
from signing.timestamp.client import TimestampClient

router = APIRouter()
_messages = Catalogue("api.web.signing")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_NO_MORE = 286  # htmx: take this answer, and stop asking
_MOST_FIELDS = 1200
_OVER = {SittingState.CLOSED, SittingState.ABANDONED, SittingState.EXPIRED}


@dataclass(frozen=True, slots=True)
class Item:
    """A folder of the session.

    Attributes:
        folder_id: empty when it is not known any more: the folder was sent again.
        signed: how many of its documents are signed; none of a folder that went on without them.
        state: ``waiting``, ``signed``, ``done`` once its task is closed, ``refused``, ``missed`` when it went on without.
        detail: why it was refused or missed.
        left: the session is over, and the folder still waits for the visitor's signature.
    """

    task_id: str
    folder_id: str
    title: str
    documents: int
    signed: int
    state: str
    detail: str | None
    left: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session is: its folders, and what is left to sign.

    Attributes:
        fields: the metadata that were given and go with what is left.
    """

    signing: FolderSigning
    outcome: Outcome
    items: tuple[Item, ...]
    fields: Mapping[str, str]

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return _is_over(self.outcome)

    @property
    def signed(self) -> int:
        """How many documents are signed."""
        return sum(item.signed for item in self.items)

    @property
    def step(self) -> str:
        """The step under way: ``prepare``, ``sign``, ``done``, ``stopped``."""
        if self.over:
            return "done" if all(item.state == "done" for item in self.items) else "stopped"
        return "prepare" if self.outcome.state is SittingState.OPEN or self.signing.remote else "sign"

    @property
    def left(self) -> tuple[Item, ...]:
        """The folders that still wait for their signature, once the session is over."""
        return tuple(item for item in self.items if item.left)


@router.post("/parapheur/seances")
async def opened(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Open a session over the chosen tasks, and go to its page."""
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    said = {name: value for name, value in form.items() if isinstance(value, str) and "\x00" not in value}
    visitor.check(said.get("csrf"))
    tasks = [value for value in form.getlist("tache") if isinstance(value, str)]
    fields = {name.removeprefix("champ."): value for name, value in said.items() if name.startswith("champ.")}
    words = Said(said.get("note", ""), said.get("note_privee", ""), fields)
    try:
        passed = await to_thread.run_sync(signatures.open_signing, platform, visitor.principal, tasks, words)
    except (UsageError, Conflict, Forbidden) as error:
        return _refused(request, visitor, str(error))
    return RedirectResponse(f"/parapheur/seances/{passed.sitting_id}", status_code=303)


def _refused(request: Request, visitor: Visitor, reason: str) -> HTMLResponse:
    return render(request, "web/signing/refused.html", visitor=visitor, status=409, reason=reason)


@router.get("/parapheur/seances/{sitting_id}")
def shown(request: Request, platform: Parts, visitor: SignedIn, sitting_id: Identifier) -> HTMLResponse:
    """Show a session of one's own."""
    return _page(request, platform, visitor, sitting_id)


@router.get("/parapheur/seances/{sitting_id}/etat")
def progress(request: Request, platform: Parts, visitor: SignedIn, sitting_id: Identifier) -> HTMLResponse:
    """Return the part of the page that follows the work."""
    found = _progress(platform, visitor, sitting_id)
    status = _NO_MORE if found.over else 200
    context = _context(request, platform, found)
    return render(request, "web/signing/progress.html", visitor=visitor, status=status, **context)


@router.post("/parapheur/seances/{sitting_id}/a-distance")
async def remote(request: Request, platform: Parts, visitor: SignedIn, sitting_id: Identifier) -> Response:
    """Sign with the key that a remote service holds; the PIN and the code serve for this batch and are not kept."""
    form = await request.form(max_files=0, max_fields=10)
    said = {name: value for name, value in form.items() if isinstance(value, str)}
    visitor.check(said.get("csrf"))
    proofs = {name: said[field][:100] for name, field in (("PIN", "pin"), ("OTP", "code")) if said.get(field)}
    try:
        await to_thread.run_sync(sign_remotely, platform, visitor.principal, sitting_id, proofs, _timestamps(platform))
    except (UsageError, Conflict, Forbidden, NeedsOperator, Unavailable, AddressRefused) as error:
        page = partial(_page, request, platform, visitor, sitting_id, trouble=str(error), status=409)
        return await to_thread.run_sync(page)
    return RedirectResponse(f"/parapheur/seances/{sitting_id}", status_code=303)


@router.post("/parapheur/seances/{sitting_id}/annuler")
async def cancelled(request: Request, platform: Parts, visitor: SignedIn, sitting_id: Identifier) -> Response:
    """Give a session up; what was signed stays signed."""
    form = await request.form(max_files=0, max_fields=10)
    visitor.check(str(form.get("csrf", "")))
    await to_thread.run_sync(_call_off, platform, visitor, sitting_id)
    return RedirectResponse(f"/parapheur/seances/{sitting_id}", status_code=303)


def _call_off(platform: Platform, visitor: Visitor, sitting_id: str) -> None:
    if _progress(platform, visitor, sitting_id).over:
        return
    with suppress(Conflict):  # it has just ended: the page tells how
        sittings.call_off(platform.database, sitting_id, _messages("cancelled"))
    settle(platform, sitting_id)


def _page(
    request: Request, platform: Platform, visitor: Visitor, sitting_id: str, *, trouble: str = "", status: int = 200
) -> HTMLResponse:
    found = _progress(platform, visitor, sitting_id)
    context = _context(request, platform, found)
    return render(request, "web/signing/signing.html", visitor=visitor, status=status, trouble=trouble, **context)


def _progress(platform: Platform, visitor: Visitor, sitting_id: str) -> Progress:
    missed = {one.task_id: one.reason for one in settle(platform, sitting_id)}
    with platform.database.reading(visitor.principal) as session:
        signing = signatures.own_signing(session, visitor.principal, sitting_id)
        outcome = sittings.outcome(session, sitting_id)
        rows = session.exec(select(Task, Folder).join(Folder).where(col(Task.id).in_(signing.task_ids))).all()
        found = {task.id: (task, folder) for task, folder in rows}
        items = _items(session, visitor, found, signing, outcome, missed)
        folders = [found[item.task_id][1] for item in items if item.left]
        return Progress(signing, outcome, items, _fields(signing, folders))


def _is_over(outcome: Outcome) -> bool:
    return outcome.state in _OVER


def _fields(signing: FolderSigning, folders: Sequence[Folder]) -> Mapping[str, str]:
    """Return what was given, for the folders that are left; what was said to several is not written over what one bears."""
    if len(signing.task_ids) == 1:
        return signing.fields
    return {key: value for key, value in signing.fields.items() if any(key not in folder.fields for folder in folders)}


def _items(
    session: Session,
    visitor: Visitor,
    found: Mapping[str, tuple[Task, Folder]],
    signing: FolderSigning,
    outcome: Outcome,
    missed: Mapping[str, str],
) -> tuple[Item, ...]:
    by_task = defaultdict(list)
    for one in outcome.items:
        by_task[(one.reference or "").partition("/")[0]].append(one)
    items = []
    for task_id in signing.task_ids:
        there, documents = found.get(task_id), by_task[task_id]
        if there is None and not documents:
            continue
        item = _item(task_id, there, documents)
        if task_id in missed:
            item = replace(item, state="missed", detail=missed[task_id], signed=0)
        left = _is_over(outcome) and item.state != "done" and _may_sign(session, visitor, task_id)
        items.append(replace(item, left=left))
    return tuple(items)


def _item(task_id: str, there: tuple[Task, Folder] | None, documents: Sequence[ItemOutcome]) -> Item:
    """Return a folder as its documents tell of it; one that was sent again has other tasks."""
    if there is None:
        return Item(task_id, "", documents[0].title, len(documents), 0, "missed", None)
    task, folder = there
    signed = sum(one.state is ItemState.SIGNED for one in documents)
    whole = bool(documents) and signed == len(documents)
    refused = next((one.detail for one in documents if one.state is ItemState.REFUSED), None)
    done = whole and task.state == TaskState.DONE.value
    state = "done" if done else "refused" if refused else "signed" if whole else "waiting"
    return Item(task_id, folder.id, folder.title, len(documents), signed, state, refused)


def _may_sign(session: Session, visitor: Visitor, task_id: str) -> bool:
    """Tell whether a task is open, and the visitor's to do."""
    try:
        seen, _ = access.seen_task(session, visitor.principal, task_id)
    except NotFound:
        return False
    return task_id in seen.hands


def _context(request: Request, platform: Platform, found: Progress) -> dict[str, Any]:
    ticket = signatures.ticket_of(platform, found.signing)
    address = urlsplit(platform.settings.public_url or str(request.base_url))
    with platform.database.reading(PLATFORM) as session:
        profile = session.get(SignatoryProfile, found.signing.person_id)
        service = service_of(session, platform, found.signing.organisation_id)
    return {
        "progress": found,
        "total": len(found.outcome.items),
        "link": f"tabellion-agent://{address.netloc}/?ticket={ticket}" if ticket else None,
        "remote": service is not None and profile is not None and bool(profile.remote_key),
    }


def _timestamps(platform: Platform) -> TimestampClient | None:
    try:
        return timestamps(platform)
    except Misconfigured:
        return None
