"""“Courrier”: where it stands, who took it, what each recipient did; the part that follows the work; one recipient; the files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import downloads
from api.web.acts.page import Identifier
from api.web.mails.sheet import KINDS
from api.web.mails.standing import LEAVING, MOVING, OF_RECIPIENT, OF_SEND, colour
from api.web.mails.telling import Telling, history, row_of, tell
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core import clock
from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Right
from flows.engine import reading
from flows.mail import proving
from flows.mail.keeping import mail_of
from flows.mail.kinds import CONVOCATION
from flows.mail.standing import Standing

router = APIRouter()
_t = Catalogue("api.web.mails")
_DONE = frozenset({"envoi", "parti", *(one.value for one in (*OF_RECIPIENT, *OF_SEND))})
Before = Annotated[str, Query(pattern="^[0-9A-Z]{26}$|^$")]
_NO_MORE, _UNCHANGED = 286, 204  # htmx: take this answer and stop asking; nothing has changed


@router.get("/courriers/{send_id}")
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    send_id: Identifier,
    fait: Annotated[str, Query(max_length=20)] = "",
    avant: Before = "",
) -> Response:
    """Show a send; ``fait`` says what the visitor has just done, ``avant`` before which event the history that is shown ends.

    A draft is shown in its form to whoever may send it.
    """
    telling = tell(platform, visitor, send_id)
    mail = telling.seen.mail
    sends = visitor.principal.may(Right.DEPOSIT, mail.organisation_id)
    if telling.seen.standing is Standing.DRAFT and sends and mail.kind in KINDS:
        return RedirectResponse(f"/courriers/{send_id}/brouillon", status_code=303)
    done = fait if fait in _DONE else ""
    told = {**_context(visitor, telling), "history": history(platform, visitor, telling.seen, None, avant)}
    return render(request, "web/mails/mail.html", visitor=visitor, done=done, **told)


@router.get("/courriers/{send_id}/suivi")
def followed(request: Request, platform: Parts, visitor: SignedIn, send_id: Identifier, version: str = "") -> Response:
    """Return the following part, or nothing when nothing has changed since the version that the browser shows."""
    telling = tell(platform, visitor, send_id)
    moves = telling.seen.standing in MOVING
    if version == telling.version and moves:
        return Response(status_code=_UNCHANGED)
    told = {**_context(visitor, telling), "history": history(platform, visitor, telling.seen, None), "swapped": True}
    return render(request, "web/mails/following.html", visitor=visitor, status=200 if moves else _NO_MORE, **told)


@router.get("/courriers/{send_id}/destinataires/{recipient_id}")
def recipient(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    send_id: Identifier,
    recipient_id: Identifier,
    fait: Annotated[str, Query(max_length=20)] = "",
    avant: Before = "",
) -> HTMLResponse:
    """Show what happened to one recipient, and what may be done for them."""
    telling = tell(platform, visitor, send_id)
    values: dict[str, Any] = {
        **_context(visitor, telling),
        "row": row_of(telling, recipient_id),
        "history": history(platform, visitor, telling.seen, recipient_id, avant),
        "done": fait if fait in _DONE else "",
    }
    return render(request, "web/mails/recipient.html", visitor=visitor, **values)


@router.get("/courriers/{send_id}/fichiers/{mail_file_id}")
def file(platform: Parts, visitor: SignedIn, send_id: Identifier, mail_file_id: Identifier) -> Response:
    """Give a document of a send, or one that a recipient answered with; none once its content was destroyed."""
    with reading.opened(platform.database, visitor.principal) as session:
        kept = reading.file_of(session, send_id, mail_file_id)
        if mail_of(session, send_id).purged is not None:
            raise NotFound(_t("file.purged"))
    return downloads.document(platform, kept)


def _context(visitor: Visitor, telling: Telling) -> dict[str, Any]:
    """Return what the templates of a send are given."""
    seen = telling.seen
    failed = bool(telling.counts.get("failed"))
    return {
        "telling": telling,
        "seen": seen,
        "dossier": seen.dossier,
        "mail": seen.mail,
        "moves": seen.standing in MOVING and seen.dossier.parked is None,
        "pace": "5s" if seen.standing in LEAVING else "30s",
        "colour": colour(seen.standing, failed=failed, parked=bool(seen.dossier.parked)),
        "failed": telling.counts.get("failed", 0),
        "convenes": seen.mail.kind == CONVOCATION.name,
        "today": clock.in_paris(clock.now()).date(),
        "may_prove": seen.dossier.state not in proving.UNSENT,
        "resumes": visitor.principal.may(Right.OPERATE, seen.dossier.organisation_id),
        "swapped": False,
    }
