"""What the sending desk does with a folder as a whole: mend a rejected one, send the like again, remind, erase."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from sqlmodel import Session, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.document.flow import DOCUMENT
from flows.document.intake import Submission, submit
from flows.engine.models import Dossier
from flows.parapheur.conclusion import Act, perform
from signing.parapheur import access, emitting, sending
from signing.parapheur.models import Folder, FolderState, Visibility
from signing.parapheur.progress import Standing

router = APIRouter()
_t = Catalogue("api.web.draft")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_DRAFTS = "/parapheur/brouillons"
_FOLDER = _DRAFTS + "/{draft_id}"
_ERASABLE = {FolderState.DRAFT.value, FolderState.REJECTED.value}


def sent_by(session: Session, principal: Principal, folder_id: str) -> Folder:
    """Return a folder of a desk that somebody holds.

    Raises:
        NotFound: there is none, or its desk is not theirs: the two are not told apart.
        Forbidden: they may not deposit in its organisation.
    """
    seen = access.seen(session, principal, folder_id)
    principal.require(Right.DEPOSIT, seen.folder.organisation_id)
    if not seen.emits:
        raise NotFound(_t("draft.unknown"))
    return seen.folder


def is_document(session: Session, folder: Folder) -> bool:
    """Tell whether a folder was made here, so that it can be mended and made again; a PES is mended where it was made."""
    flow = session.exec(select(Dossier.flow).where(Dossier.id == folder.dossier_id)).first()
    return flow == DOCUMENT.name


@router.post(_FOLDER + "/correction")
def mend(platform: Parts, visitor: SignedIn, fields: Fields, draft_id: Identifier) -> RedirectResponse:
    """Make a draft of a rejected folder again (*corriger et relancer*)."""
    visitor.check(fields.get("csrf"))
    with platform.database.reading(visitor.principal) as session:
        if not is_document(session, sent_by(session, visitor.principal, draft_id)):
            raise Conflict(_t("act.pes"))
    _perform(platform, visitor, draft_id, partial(emitting.recycle, principal=visitor.principal, folder_id=draft_id))
    return RedirectResponse(f"{_DRAFTS}/{draft_id}?fait=correction", status_code=303)


@router.post(_FOLDER + "/copie")
def duplicate(platform: Parts, visitor: SignedIn, fields: Fields, draft_id: Identifier) -> RedirectResponse:
    """Make a draft that holds what a folder was sent with."""
    visitor.check(fields.get("csrf"))
    principal = visitor.principal
    with platform.database.reading(principal) as session:
        folder = sent_by(session, principal, draft_id)
        if not is_document(session, folder):
            raise Conflict(_t("act.pes"))
        documents = sending.as_deposited(session, principal, folder)
    received = submit(
        platform,
        principal,
        Submission(
            folder.organisation_id,
            folder.title,
            documents,
            folder.emitter_id,
            folder.subtype_id,
            folder.fields,
            folder.variables,
            visibility=Visibility(folder.visibility),
        ),
    )
    with platform.database.reading(principal) as session:
        made = session.exec(select(Folder.id).where(Folder.dossier_id == received.dossier.id)).one()
    return RedirectResponse(f"{_DRAFTS}/{made}?fait=copie", status_code=303)


@router.post(_FOLDER + "/rappel")
def remind(platform: Parts, visitor: SignedIn, fields: Fields, draft_id: Identifier) -> RedirectResponse:
    """Remind the desks that hold a folder (*relancer*)."""
    visitor.check(fields.get("csrf"))
    _perform(platform, visitor, draft_id, partial(sending.remind, principal=visitor.principal, folder_id=draft_id))
    return RedirectResponse(f"/parapheur/dossiers/{draft_id}?fait=rappel&dossier={draft_id}", status_code=303)


@router.get(_FOLDER + "/effacement")
def confirm(request: Request, platform: Parts, visitor: SignedIn, draft_id: Identifier) -> HTMLResponse:
    """Ask whether a draft or a rejected folder is to be erased."""
    with platform.database.reading(visitor.principal) as session:
        folder = sent_by(session, visitor.principal, draft_id)
    if folder.state not in _ERASABLE:
        raise Conflict(_t("act.not_erasable"))
    draft = folder.state == FolderState.DRAFT.value
    back = f"{_DRAFTS}/{draft_id}" if draft else f"/parapheur/dossiers/{draft_id}"
    return render(request, "web/draft/erase.html", visitor=visitor, folder=folder, draft=draft, back=back)


@router.post(_FOLDER + "/effacement")
def erase(platform: Parts, visitor: SignedIn, fields: Fields, draft_id: Identifier) -> RedirectResponse:
    """Erase a draft or a rejected folder: what happened stays known, its documents do not."""
    visitor.check(fields.get("csrf"))
    with platform.database.reading(visitor.principal) as session:
        rejected = sent_by(session, visitor.principal, draft_id).state == FolderState.REJECTED.value
    _perform(platform, visitor, draft_id, partial(_erased, principal=visitor.principal, folder_id=draft_id))
    return RedirectResponse(f"/parapheur/{'rejetes' if rejected else 'brouillons'}?fait=efface", status_code=303)


def _erased(session: Session, principal: Principal, folder_id: str) -> Standing:
    sending.forget_words(session, folder_id)
    return emitting.erase(session, principal, folder_id)


def _perform(platform: Platform, visitor: Visitor, folder_id: str, act: Act) -> None:
    with platform.database.reading(visitor.principal) as session:
        sent_by(session, visitor.principal, folder_id)
    perform(platform, visitor.principal, act)
