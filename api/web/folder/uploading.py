"""Files that come back into a folder: annexes, and documents that were signed elsewhere."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePath

from anyio import to_thread
from fastapi import APIRouter
from sqlmodel import Session
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.folder.acting import FORESEEN, failed, gone_on, next_of, of_task, screen, to_folder, words_of
from api.web.folder.page import FOLDER, Identifier
from api.web.trays.listing import Listing, folder_address
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, Forbidden, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.document.intake import media_type_of
from flows.parapheur.conclusion import perform
from signing.parapheur import access, actions, annexes
from signing.parapheur.actions import Result
from signing.parapheur.folders import Joined, main_documents
from signing.parapheur.forms import rank_of
from signing.parapheur.importing import admit
from signing.parapheur.models import DocumentKind, FolderDocument, StepKind
from signing.parapheur.progress import Standing
from signing.parapheur.signatories import admit_made_elsewhere
from signing.parapheur.signers import Certificates
from signing.trust import trust_store

router = APIRouter()
messages = Catalogue("api.web.folder")
TASK = "/parapheur/taches/{task_id}"
_KINDS = (StepKind.SIGNATURE, StepKind.EXTERNAL)
_MOST_FILES = 100


@router.get(TASK + "/importer", response_model=None)
def ask_import(request: Request, platform: Parts, visitor: SignedIn, task_id: Identifier) -> Response:
    """Show what to download, and where to give it back."""
    content, where = of_task(request, platform, visitor, task_id)
    if task_id not in content.seen.hands:
        return to_folder(content, where)
    return screen(request, platform, visitor, content, "importer", task_id)


@router.get(FOLDER + "/annexes", response_model=None)
def ask_annexes(request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier) -> Response:
    """Show where annexes are given."""
    with platform.database.reading(visitor.principal) as session:
        found = access.seen(session, visitor.principal, folder_id)
    task_id = request.query_params.get("tache", "") or next(iter(found.hands), "")
    if task_id not in found.hands:
        return RedirectResponse(folder_address(folder_id, None), status_code=303)
    content, _ = of_task(request, platform, visitor, task_id)
    return screen(request, platform, visitor, content, "annexes", task_id)


@router.post(TASK + "/importer", response_model=None)
async def imported(request: Request, platform: Parts, visitor: SignedIn, task_id: Identifier) -> Response:
    """Take documents that were signed elsewhere, hold them to those of the folder, and close the task with them."""
    async with request.form(max_files=_MOST_FILES, max_fields=200) as form:
        return await to_thread.run_sync(_imported, request, platform, visitor, task_id, form)


def _imported(request: Request, platform: Platform, visitor: Visitor, task_id: str, form: FormData) -> Response:
    fields, files = _read(form)
    visitor.check(fields.get("csrf"))
    content, where = of_task(request, platform, visitor, task_id, fields)
    onward = next_of(platform, visitor, content, task_id)
    try:
        words = words_of(fields)
        with platform.database.writing(visitor.principal) as session:
            held = actions.hold(session, visitor.principal, task_id, *_KINDS)
            actions.check_ready(session, held, words)
            wanted = [(one, rank_of(session, held.folder, one)) for one in main_documents(session, held.folder.id)]
        brought = [_admitted(platform, document, rank, files.get(document.id)) for document, rank in wanted]

        def act(session: Session) -> Standing:
            again = actions.hold(session, visitor.principal, task_id, *_KINDS)
            actions.check_ready(session, again, words)
            if again.task.kind == StepKind.SIGNATURE.value:  # at an external step, whoever was asked outside has signed
                for _, certificates in brought:
                    admit_made_elsewhere(session, again.hand.person_id, certificates)
            return actions.complete(session, again, [result for result, _ in brought], words)

        perform(platform, visitor.principal, act)
    except (*FORESEEN, Forbidden) as error:
        if isinstance(error, Conflict):
            return failed(request, platform, visitor, where, error, fields)
        return screen(request, platform, visitor, content, "importer", task_id, error=error, typed=fields)
    return gone_on(onward, "importe", content.folder.id)


def _admitted(platform: Platform, document: FolderDocument, rank: int, upload: UploadFile | None) -> tuple[Result, Certificates]:
    """Hold one file to its document, keep it in the store, and return the certificates of its new signatures with it."""
    if upload is None:
        raise UsageError(messages("import.missing", name=document.name))
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        given, returned = Path(folder) / "given", Path(folder) / "returned"
        platform.objects.fetch(document.sha256, given)
        with returned.open("wb") as target:
            while piece := upload.file.read(1 << 18):
                target.write(piece)
        admitted = admit(document, given, returned, rank, trust_store(platform.settings.trust_dir))
        blob = platform.objects.put_file(returned)
    return Result(document.id, document.sha256, blob.sha256, blob.size, admitted.detached), admitted.certificates


@router.post(FOLDER + "/annexes", response_model=None)
async def annexed(request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier) -> Response:
    """Join annexes to a folder."""
    async with request.form(max_files=_MOST_FILES, max_fields=200) as form:
        return await to_thread.run_sync(_annexed, request, platform, visitor, folder_id, form)


def _annexed(request: Request, platform: Platform, visitor: Visitor, folder_id: str, form: FormData) -> Response:
    fields, _ = _read(form)
    visitor.check(fields.get("csrf"))
    task_id = _own_task(platform, visitor, folder_id, fields.get("tache", ""))
    content, where = of_task(request, platform, visitor, task_id, fields)
    uploads = [one for one in form.getlist("annexe") if isinstance(one, UploadFile) and one.filename]
    try:
        joined = [_joined(platform, one) for one in uploads]
        with platform.database.writing(visitor.principal) as session:
            annexes.add(session, visitor.principal, task_id, joined)
    except (UsageError, Conflict) as error:
        if isinstance(error, Conflict):
            return failed(request, platform, visitor, where, error, fields)
        return screen(request, platform, visitor, content, "annexes", task_id, error=error, typed=fields)
    address = folder_address(folder_id, content.listing, tache=task_id, fait="annexe", dossier=folder_id)
    return RedirectResponse(f"{address}#documents", status_code=303)


@router.post(FOLDER + "/annexes/{document_id}/retirer")
def removed(
    platform: Parts, visitor: SignedIn, fields: Fields, folder_id: Identifier, document_id: Identifier
) -> RedirectResponse:
    """Take out an annex that was joined in this very step."""
    visitor.check(fields.get("csrf"))
    task_id = _own_task(platform, visitor, folder_id, fields.get("tache", ""))
    with platform.database.writing(visitor.principal) as session:
        annexes.remove(session, visitor.principal, task_id, document_id)
    listing = Listing.read(fields.get("depuis", ""))
    address = folder_address(folder_id, listing, tache=task_id, fait="annexe-retiree", dossier=folder_id)
    return RedirectResponse(address, status_code=303)


def _own_task(platform: Platform, visitor: Visitor, folder_id: str, task_id: str) -> str:
    """Return a task of the folder that is the visitor's: the one that they name, or their first.

    Raises:
        Forbidden: there is none.
    """
    with platform.database.reading(visitor.principal) as session:
        found = access.seen(session, visitor.principal, folder_id)
    own = task_id if task_id in found.hands else next(iter(found.hands), "")
    if not own:
        raise Forbidden(messages("task.not_yours"))
    return own


def _joined(platform: Platform, upload: UploadFile) -> Joined:
    name = PurePath((upload.filename or "").replace("\\", "/")).name
    shown = "".join(letter for letter in name if letter.isprintable())[:255] or "annexe"
    blob = platform.objects.put(upload.file, platform.settings.upload_limit)
    return Joined(DocumentKind.ANNEX, shown, media_type_of(shown), blob.sha256, blob.size)


def _read(form: FormData) -> tuple[dict[str, str], dict[str, UploadFile]]:
    """Return the fields of a form, and the files that were given for documents, by document."""
    fields = {name: value for name, value in form.items() if isinstance(value, str) and "\x00" not in value}
    files = {
        name.removeprefix("fichier."): value
        for name, value in form.items()
        if isinstance(value, UploadFile) and value.filename and name.startswith("fichier.")
    }
    return fields, files
