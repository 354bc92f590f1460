"""What people do to the folder itself: take it back, put it away, give it up, go past a step, place the stamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.folder.acting import failed, to_folder, words_of
from api.web.folder.content import Content
from api.web.folder.page import DOCUMENT, FOLDER, Identifier, Where, document_in, kept_of, read
from api.web.pages import render
from api.web.trays.listing import Listing, folder_address
from api.web.viewer.placing import place_from_form
from api.web.viewer.view import page_of
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, Forbidden, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.parapheur.conclusion import perform
from signing.parapheur import access, actions, drafting, emitting, recall
from signing.parapheur.history import Said
from signing.parapheur.models import StepKind
from signing.parapheur.progress import Standing

router = APIRouter()
messages = Catalogue("api.web.folder")


@dataclass(frozen=True, slots=True)
class _Deed:
    """An action on a folder: what does it, what the next page says, and the power that it takes when it is confirmed first."""

    act: Callable[[Session, Principal, str, Said], Standing]
    done: str
    power: str = ""


_DEEDS = {
    "recuperer": _Deed(lambda s, p, folder, _: recall.undo(s, p, folder), "recupere"),
    "corbeille": _Deed(lambda s, p, folder, _: emitting.trash(s, p, folder), "corbeille"),
    "effacer": _Deed(lambda s, p, folder, _: emitting.erase(s, p, folder), "efface", "erase"),
    "forcer": _Deed(actions.bypass, "force", "bypass"),
}


def _screen(name: str) -> Callable[..., Response]:
    def ask(request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier) -> Response:
        where = Where.of(request, folder_id)
        content = read(platform, visitor, where)
        if not getattr(content.powers, _DEEDS[name].power):
            return to_folder(content, where)
        return _asked(request, visitor, content, name)

    return ask


def _deed(name: str) -> Callable[..., Response]:
    def act(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, folder_id: Identifier) -> Response:
        visitor.check(fields.get("csrf"))
        return _dealt(request, platform, visitor, folder_id, name, fields)

    return act


for deed_name, deed in _DEEDS.items():
    if deed.power:
        router.add_api_route(
            f"{FOLDER}/{deed_name}", _screen(deed_name), methods=["GET"], name=f"ask_{deed_name}", response_model=None
        )
    router.add_api_route(f"{FOLDER}/{deed_name}", _deed(deed_name), methods=["POST"], name=f"do_{deed_name}", response_model=None)


def _dealt(request: Request, platform: Platform, visitor: Visitor, folder_id: str, name: str, fields: dict[str, str]) -> Response:
    where = Where.of(request, folder_id)
    with platform.database.reading(visitor.principal) as session:
        access.seen(session, visitor.principal, folder_id)
    deed = _DEEDS[name]
    listing = Listing.read(fields.get("depuis", "")) or where.listing or Listing()
    try:
        words = words_of(fields)
        perform(platform, visitor.principal, lambda session: deed.act(session, visitor.principal, folder_id, words))
    except UsageError as error:
        return _asked(request, visitor, read(platform, visitor, where), name, error, fields)
    except Conflict as error:
        return failed(request, platform, visitor, where, error, fields)
    if name in {"recuperer", "forcer"}:
        return RedirectResponse(folder_address(folder_id, listing, fait=deed.done, dossier=folder_id), status_code=303)
    return RedirectResponse(listing.address(fait=deed.done, dossier=folder_id), status_code=303)


def _asked(
    request: Request,
    visitor: Visitor,
    content: Content,
    name: str,
    error: UsageError | None = None,
    typed: dict[str, str] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "web/folder/act.html",
        visitor=visitor,
        status=fault_of(error).status if error else 200,
        content=content,
        folder=content.folder,
        gesture=name,
        action=f"/parapheur/dossiers/{content.folder.id}/{name}",
        task_id="",
        back=folder_address(content.folder.id, content.listing),
        trouble=str(error) if error else "",
        told=content.names.desk(content.folder.emitter_id),
        asked=[],
        desks=[],
        typed=typed or {},
    )


@router.post(DOCUMENT + "/emplacement")
def placed(
    request: Request, platform: Parts, visitor: SignedIn, fields: Fields, folder_id: Identifier, document_id: Identifier
) -> RedirectResponse:
    """Put the visible signature of a document where a form says; theirs to say who sign or seal now."""
    visitor.check(fields.get("csrf"))
    document = document_in(platform, visitor, folder_id, document_id)
    place = place_from_form(fields, page_of(platform, kept_of(document)))
    with platform.database.writing(visitor.principal) as session:
        found = access.seen(session, visitor.principal, folder_id)
        own = [task for task in found.tasks if task.id in found.hands]
        task = next((one for one in own if one.kind in {StepKind.SIGNATURE.value, StepKind.SEAL.value}), None)
        if task is None:
            raise Forbidden(messages("task.not_yours"))
        told = None if place is None else {name: getattr(place, name) for name in ("page", "x", "y", "width", "height")}
        drafting.stamp_at(session, folder_id, document_id, told)
    listing = Where.of(request, folder_id).listing
    address = folder_address(
        folder_id, listing, tache=task.id, document=document_id, emplacement="1", fait="emplacement", dossier=folder_id
    )
    return RedirectResponse(address, status_code=303)
