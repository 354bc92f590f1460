"""“Écrire un courrier”: everything that is wrong is said at once, beside its field, and nothing that was typed or sent is lost.

Without a script each button sends the whole form; with it, documents come in pieces (``upload.js``, ``acts.js``). A form becomes
a draft once it is kept; from then on every save replaces the whole of it.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.tenants import where
from api.web.acts import pieces as papers
from api.web.acts.page import Identifier
from api.web.acts.pieces import Attached
from api.web.acts.sheet import NAME
from api.web.mails import documents, recipients, sheet, typed
from api.web.mails.sheet import REFUSED, Filled, Kept, MailSheet
from api.web.mails.typed import Typed
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn
from api.words import day, of_page
from core import clock
from core.identifiers import new_id
from core.principal import PLATFORM, Right
from core.problems import Problem, Severity
from flows.engine.work import KeptFile
from flows.mail import checking, intake, rules
from flows.mail.book import groups, templates
from flows.mail.kinds import SECURED, kind_of
from flows.mail.rules import Unsendable

router = APIRouter()
NEW = "/courriers/nouveau"
EDIT = "/courriers/{mail_draft_id}/brouillon"
LARGEST = SECURED.largest_file
"""What a form without a script may bring at once, in bytes; with one, documents come in pieces."""
_PAGE, _DOCUMENTS = "web/mails/write.html", "web/mails/documents.html"
_SAVE, _REVIEW, _CLEAR = "save", "review", "clear"
_KEEPS = frozenset({_SAVE, _REVIEW, _CLEAR})
_DEPOSIT_WORDS = of_page("web/deposit/upload.html")


@router.get(NEW)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    organisation: Annotated[str, Query(max_length=26)] = "",
    saisie: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show the form; ``saisie`` names it, so that the documents that were sent are found again."""
    if not NAME.fullmatch(saisie):
        told = request.url.include_query_params(saisie=new_id())
        return RedirectResponse(f"{told.path}?{told.query}", status_code=303)
    opened = sheet.opened(platform, visitor, organisation, saisie, {})
    return _form(request, opened, opened.typed(opened.kinds()), done=fait)


@router.post(NEW)
def begun(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> Response:
    """Do what the button says: keep the draft, go on to the sending, or something to the form."""
    return _done(request, sheet.sent(platform, visitor, filled))


@router.post(f"{NEW}/pieces")
def arranged(request: Request, platform: Parts, visitor: SignedIn, filled: Filled) -> HTMLResponse:
    """Show the documents of the form again: one has come or was moved."""
    return _documents(request, sheet.sent(platform, visitor, filled))


@router.get(EDIT)
def edit(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    mail_draft_id: Identifier,
    relire: bool = False,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a draft in its form; ``relire`` says what keeps it from leaving."""
    opened = sheet.of_draft(platform, visitor, mail_draft_id)
    if (kept := opened.kept) is None or not _is_here(kept):
        return RedirectResponse(sheet.home_of(sheet.kept_of(platform, visitor, mail_draft_id)), status_code=303)
    said = opened.typed(opened.kinds())
    if relire:
        typed.judge_bounced(said)
    typed.note(said, problems_of(opened, kept) if relire else _told(kept))
    return _form(request, opened, said, done=fait)


@router.post(EDIT)
def edited(request: Request, platform: Parts, visitor: SignedIn, mail_draft_id: Identifier, filled: Filled) -> Response:
    """Do what the button says, to a draft."""
    opened = sheet.of_draft(platform, visitor, mail_draft_id, filled)
    if opened.kept is None or not _is_here(opened.kept):
        return RedirectResponse(f"/courriers/{mail_draft_id}?fait=parti", status_code=303)
    return _done(request, opened)


@router.post(f"{EDIT}/pieces")
def rearranged(request: Request, platform: Parts, visitor: SignedIn, mail_draft_id: Identifier, filled: Filled) -> HTMLResponse:
    """Show the documents of a draft again: one has come or was moved."""
    return _documents(request, sheet.of_draft(platform, visitor, mail_draft_id, filled))


@router.post(f"{EDIT}/abandon")
def abandoned(platform: Parts, visitor: SignedIn, fields: Fields, mail_draft_id: Identifier) -> RedirectResponse:
    """Give a draft up."""
    visitor.check(fields.get("csrf"))
    intake.abandon(platform, visitor.principal, mail_draft_id)
    return RedirectResponse("/courriers?fait=abandon", status_code=303)


def _is_here(kept: Kept) -> bool:
    return kept.is_draft and kept.mail.kind in sheet.KINDS


def problems_of(opened: MailSheet, kept: Kept) -> list[Problem]:
    """Return what the rules say of a draft as it is kept, warnings too; documents are looked into by its check only."""
    with opened.platform.database.reading(PLATFORM) as session:
        kind = kind_of(session, opened.platform.secrets, kept.mail.organisation_id, kept.mail.kind)
    of_files = [KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in kept.documents]
    today = clock.in_paris(clock.now()).date()
    return [*rules.of_send(kept.mail, kept.recipients, kind, today), *checking.of_sizes(of_files, kind)]


def _told(kept: Kept) -> list[Problem]:
    """Return what the last check refused the draft for."""
    return [
        Problem(one["rule"], Severity(one["severity"]), one["message"], path=one.get("path"), mend=one.get("mend"))
        for one in kept.dossier.problems
    ]


def _done(request: Request, opened: MailSheet) -> Response:
    trouble = opened.keep_files()
    said = opened.typed(opened.kinds())
    if opened.deed not in _KEEPS or opened.moved or trouble:
        said.problems = {}  # nothing is held against a form that is being filled in, but for lines that cannot be read
        for anchor, words in trouble.items():
            said.wrong(anchor, words)
        helped = recipients.help_with(opened, said)
        return _form(request, opened, said, helped=helped, status=400 if trouble else 200)
    typed.judge_dates(said)
    if opened.deed == _REVIEW:
        typed.filled(said, opened.organisation.name, day(clock.in_paris(clock.now()).date()))
    found = opened.pieces()
    try:
        mail_draft_id = "" if said.problems else _keep(opened, said, found)
    except Unsendable as error:
        typed.note(said, error.problems)
    except REFUSED as error:
        said.wrong("summary", fault_of(error).detail)
    if said.problems:
        return _form(request, opened, said, status=400)
    if opened.deed == _REVIEW:
        return RedirectResponse(f"/courriers/{mail_draft_id}/envoi", status_code=303)
    done = "sans-secret" if opened.deed == _CLEAR else "brouillon"
    return RedirectResponse(f"{EDIT.format(mail_draft_id=mail_draft_id)}?fait={done}", status_code=303)


def _keep(opened: MailSheet, said: Typed, found: list[Attached]) -> str:
    """Write a form down as a draft; return it."""
    platform, principal, owner = opened.platform, opened.visitor.principal, opened.organisation.id
    before = opened.kept.documents if opened.kept else ()
    with documents.made(platform, principal, owner, found, before) as files:
        draft = typed.draft(said, owner, files)
        if opened.kept is None:
            return intake.compose(platform, principal, draft, opened.id).dossier.id
        mail_draft_id = opened.kept.mail.dossier_id
        if opened.deed == _CLEAR:  # a password goes with the recipient whom it was asked of
            intake.change(platform, principal, mail_draft_id, typed.draft(said, owner, files, without=True))
        intake.change(platform, principal, mail_draft_id, draft)
        return mail_draft_id


def _of_documents(opened: MailSheet, found: list[Attached]) -> dict[str, Any]:
    step = {"up": -1, "down": 1}.get(opened.pressed.act)
    moved = None if step is None or not found else max(0, min(opened.pressed.rank + step, len(found) - 1))
    return {"pieces": found, "total": papers.total(found), "most": SECURED.largest, "moved": moved}


def _documents(request: Request, opened: MailSheet) -> HTMLResponse:
    shown = {**_of_documents(opened, opened.pieces()), "problems": {}}
    return render(request, _DOCUMENTS, visitor=opened.visitor, **shown)


def _form(
    request: Request,
    opened: MailSheet,
    said: Typed,
    *,
    helped: recipients.Helped | None = None,
    status: int = 200,
    done: str = "",
) -> HTMLResponse:
    platform, principal, here = opened.platform, opened.visitor.principal, opened.organisation
    kinds = opened.kinds()
    shown: dict[str, Any] = {
        "opened": opened,
        "here": here,
        "organisations": where(platform, principal, Right.DEPOSIT) if opened.kept is None else [],
        "kinds": kinds,
        "kind": kinds.get(said.kind) or kinds[SECURED.name],
        "typed": said,
        "problems": said.problems,
        "groups": [one for one in groups.reached(platform, principal, here.id) if one.members],
        "templates": [one for one in templates.reached(platform, principal, here.id) if one.kind in sheet.KINDS],
        "variables": templates.VARIABLES,
        "helped": helped or recipients.Helped(),
        "asked": opened.values,
        "secret": any(row.secret for row in said.rows),
        "limit": min(platform.settings.upload_limit, LARGEST),
        "deposit_words": _DEPOSIT_WORDS,
        "longest": {"subject": rules.LONGEST_SUBJECT, "body": rules.LONGEST_BODY, "sender": rules.LONGEST_SENDER},
        "done": done,
    }
    return render(request, _PAGE, visitor=opened.visitor, status=status, **shown, **_of_documents(opened, opened.pieces()))
