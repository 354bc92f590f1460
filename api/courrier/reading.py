"""After the withdrawal: what was sent, its documents, and a receipt for whoever took it; the address bears no secret any more."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import downloads
from api.courrier.visitor import COOKIE, ROOT, Visiting, bear, check, circumstances, page
from api.web.visitor import Fields, Parts
from core.errors import Gone
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import answering, opening
from flows.mail.convening import attending
from flows.mail.opening import Visited

router = APIRouter()
_t = Catalogue("api.courrier")
READING = ROOT + "/lecture"
_DONE = ("reponse", "presence")


@router.get(READING)
def read(request: Request, platform: Parts, visited: Visiting, fait: str = "") -> HTMLResponse:
    """Show what was sent; ``fait`` says what the visitor has just done."""
    return shown(request, platform, visited, done=fait if fait in _DONE else "")


@router.get(ROOT + "/documents/{file_id}")
def document(request: Request, platform: Parts, visited: Visiting, file_id: str) -> Response:
    """Give a document, once the store has it at hand and that is written down."""
    if visited.opened.mail.purged is not None:
        raise Gone(_t("purged.what"))
    found = answering.document(platform, visited.opened, file_id)
    given = downloads.document(platform, found)
    answering.downloaded(platform, visited, found, circumstances(request))
    return given


@router.get(ROOT + "/preuve")
def receipt(platform: Parts, visited: Visiting) -> Response:
    """Give the receipt of the withdrawal, as a text: what people read, then the facts whose digest the journal holds."""
    told = answering.receipt(platform, visited.opened)
    facts = told["event"]["facts"]
    files = "\n".join(f"  {file['sha256']}  {file['name']}" for file in facts["documents"])
    text = _t(
        "receipt.text",
        sender=told["sender"],
        subject=told["subject"],
        name=told["recipient"]["name"],
        address=told["recipient"]["address"],
        moment=told["withdrawn"],
        statement=facts["statement"],
        files=files,
        event=told["event"]["id"],
        sha256=told["event"]["sha256"],
        facts=json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    )
    return downloads.copy(f"retrait-{told['send']}.txt", text.encode(), "text/plain; charset=utf-8")


@router.post(ROOT + "/fin")
def leave(request: Request, platform: Parts, visited: Visiting, fields: Fields) -> Response:
    """Close the visit: for whoever reads on a machine that others use."""
    check(visited, fields.get("csrf"))
    opening.leave(platform, request.cookies[COOKIE])
    answer = page(request, "left.html")
    bear(request, answer, COOKIE, "", 0)
    return answer


def shown(
    request: Request, platform: Platform, visited: Visited, *, status: int = 200, done: str = "", **typed: Any
) -> HTMLResponse:
    """Return the page of what was sent, with what was typed and why it was not taken."""
    opened = visited.opened
    with platform.database.reading(PLATFORM) as session:
        form = attending.presence_form(session, opened.recipient)
    values: dict[str, Any] = {"trouble": "", "trouble_of": "", "text": "", "warnings": ()}
    return page(
        request,
        "reading.html",
        status=status,
        visited=visited,
        opened=opened,
        reading=answering.read(platform, opened),
        form=form,
        convening=Catalogue("flows.mail.convening"),
        done=done,
        most_files=answering.MOST_FILES,
        longest_text=answering.LONGEST_TEXT,
        largest_file=answering.LARGEST_FILE,
        largest_files=answering.LARGEST_FILES,
        **values | typed,
    )
