"""The screen on which a desk says to whom the folder is sent by mail, with which words and which documents."""

from __future__ import annotations

import re
from dataclasses import dataclass

from anyio import to_thread
from fastapi import APIRouter
from sqlmodel import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.problems import fault_of
from api.web.folder.acting import FORESEEN, TASK, failed, gone_on, next_of, of_task, to_folder, words_of
from api.web.folder.asking import asked_of
from api.web.folder.content import Content
from api.web.folder.page import Identifier
from api.web.pages import render
from api.web.trays.listing import folder_address
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import Conflict, Misconfigured, NotFound, TabellionError
from core.platform import Platform
from flows.parapheur.conclusion import perform
from flows.parapheur.mailing import server_of
from signing.parapheur import mailing
from signing.parapheur.mailing import LONGEST_MESSAGE, LONGEST_SUBJECT, MOST_RECIPIENTS, Dispatch, Mailing, dispatch_of
from signing.parapheur.models import StepKind, Task
from signing.parapheur.progress import Standing, step_of

router = APIRouter()
_MOST_FIELDS = 500  # a folder's documents, and what else the form says
_BETWEEN = re.compile(r"[,;\r\n]+")
_NAMED = re.compile(r".*<([^<>]*)>\s*")
_LINES = {"a": "to", "cc": "cc", "cci": "bcc"}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A form as it came: its fields, and the documents that are ticked."""

    fields: dict[str, str]
    documents: tuple[str, ...]


@router.get(TASK + "/envoyer", response_model=None)
def ask_mail(request: Request, platform: Parts, visitor: SignedIn, task_id: Identifier) -> Response:
    """Show what a mail needs; after a refusal, what is to be mended."""
    content, where = of_task(request, platform, visitor, task_id)
    task = content.seen.task(task_id)
    if task is None or task.id not in content.seen.hands or task.kind != StepKind.MAIL.value or dispatch_of(task).under_way:
        return to_folder(content, where)
    return _screen(request, platform, visitor, content, task, _proposed(content, dispatch_of(task)))


@router.post(TASK + "/envoyer", response_model=None)
async def mail_asked(request: Request, platform: Parts, visitor: SignedIn, task_id: Identifier) -> Response:
    """Ask for the mail, and show the next folder; or the same screen, with what was typed, when it cannot be sent."""
    form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    return await to_thread.run_sync(_asked, request, platform, visitor, task_id, _sheet(form))


def _sheet(form: FormData) -> _Sheet:
    said = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and "\x00" not in value]
    return _Sheet(dict(said), tuple(value for name, value in said if name == "document"))


def _asked(request: Request, platform: Platform, visitor: Visitor, task_id: str, sheet: _Sheet) -> Response:
    fields = sheet.fields
    visitor.check(fields.get("csrf"))
    content, where = of_task(request, platform, visitor, task_id, fields)
    onward = next_of(platform, visitor, content, task_id)
    wanted, limit = _wanted(sheet), platform.settings.mail_limit
    try:
        words = words_of(fields)
        server_of(platform.settings)

        def act(session: Session) -> Standing:
            return mailing.ask(session, visitor.principal, task_id, wanted, limit, words)

        perform(platform, visitor.principal, act)
    except (*FORESEEN, Misconfigured, NotFound) as error:
        task = content.seen.task(task_id)
        if task is None or task.kind != StepKind.MAIL.value or isinstance(error, Conflict):
            return failed(request, platform, visitor, where, error, fields)
        return _screen(request, platform, visitor, content, task, wanted, error=error, typed=fields)
    return gone_on(onward, "courriel", content.folder.id)


def _wanted(sheet: _Sheet) -> Mailing:
    lists = {told: _addresses(sheet.fields.get(name, "")) for name, told in _LINES.items()}
    return Mailing(
        subject=sheet.fields.get("objet", "").strip(),
        message=sheet.fields.get("message", "").replace("\r\n", "\n"),
        documents=sheet.documents,
        docket="bordereau" in sheet.fields,
        **lists,
    )


def _addresses(text: str) -> tuple[str, ...]:
    """Return the addresses of a list, one a line or with commas between, names taken off."""
    found = (_NAMED.sub(r"\1", one).strip() for one in _BETWEEN.split(text))
    return tuple(one for one in found if one)


def _proposed(content: Content, dispatch: Dispatch) -> Mailing:
    """Return what the form says at first: everything, or what was asked before for those who were not served."""
    if not dispatch.turn:
        return Mailing(subject=content.folder.title, documents=tuple(one.id for one in content.documents))
    served, asked = set(dispatch.served), dispatch.asked
    left = {name: tuple(one for one in getattr(asked, name) if one not in served) for name in _LINES.values()}
    return asked.model_copy(update=left)


def _screen(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    content: Content,
    task: Task,
    mail: Mailing,
    *,
    error: Exception | None = None,
    typed: dict[str, str] | None = None,
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        asked = asked_of(session, content.folder, step_of(task).approval_fields)
    fault = fault_of(error) if isinstance(error, TabellionError) else None
    return render(
        request,
        "web/folder/mail.html",
        visitor=visitor,
        status=fault.status if fault else 200,
        content=content,
        folder=content.folder,
        action=f"/parapheur/taches/{task.id}/envoyer",
        back=folder_address(content.folder.id, content.listing, tache=task.id),
        trouble=fault.detail if fault else _no_server(platform),
        dispatch=dispatch_of(task),
        mail=mail,
        asked=asked,
        typed=typed or {},
        limit=platform.settings.mail_limit,
        weight=sum(one.size for one in content.documents),
        longest={"a": MOST_RECIPIENTS, "objet": LONGEST_SUBJECT, "message": LONGEST_MESSAGE},
    )


def _no_server(platform: Platform) -> str:
    try:
        server_of(platform.settings)
    except Misconfigured as error:
        return str(error)
    return ""
