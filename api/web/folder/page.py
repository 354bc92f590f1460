"""The page of a folder: document beside decision; what it shows of the document, each view at its own address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from api import downloads
from api.web.folder import verdicts
from api.web.folder.content import Content, content_of
from api.web.folder.decision import reading_address
from api.web.pages import render
from api.web.pes import view as pes
from api.web.trays import outcomes
from api.web.trays.listing import Listing, folder_address
from api.web.trays.outcomes import Done
from api.web.trays.rows import when
from api.web.viewer import previews
from api.web.viewer.placing import Placement
from api.web.viewer.view import ZOOMS, Addresses, Asked, Reading, Tab, View, image_response, pages_from_form, view
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.engine.work import KeptFile
from schemas.pdf.preview import NotShown
from signing.pades.stamp import Place
from signing.parapheur import access, reading
from signing.parapheur.folders import documents_of
from signing.parapheur.models import DocumentKind, FolderDocument, FolderState
from signing.parapheur.typology import SignatureFormat

router = APIRouter()
messages = Catalogue("api.web.folder")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Beginning = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]
Name = Annotated[str, Query(max_length=26)]
FOLDER = "/parapheur/dossiers/{folder_id}"
DOCUMENT = FOLDER + "/documents/{document_id}"
_TABS = {DocumentKind.MAIN.value, DocumentKind.ANNEX.value}


@dataclass(frozen=True, slots=True)
class Where:
    """What the address of a page tells beside the folder.

    Attributes:
        task_id: the task that the visitor answers, perhaps.
        listing: the list from which they came.
    """

    folder_id: str
    document_id: str = ""
    task_id: str = ""
    listing: Listing | None = None

    @classmethod
    def of(cls, request: Request, folder_id: str, document_id: str = "") -> Where:
        """Read an address; a page inside a document has lost the list, which the browser keeps."""
        told = request.query_params
        listing = Listing.read(told.get("depuis", "")) or Listing.read(request.cookies.get("parapheur_depuis", "").strip('"'))
        return cls(folder_id, document_id or told.get("document", "")[:26], told.get("tache", "")[:26], listing)


@dataclass(frozen=True, slots=True)
class Within(Addresses):
    """The addresses of a document that is looked at within its folder, with the list from which it was opened."""

    query: str = ""

    def asking(self, asked: Asked, **otherwise: Any) -> str:
        """Return the address of the same document, asked for otherwise."""
        address = Addresses.asking(self, asked, **otherwise)
        if not otherwise.get("text", asked.text):
            return address
        return f"{address}{'&' if '?' in address else '?'}{self.query}" if self.query else address


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a form that could not be followed: shown with what was typed."""

    trouble: str
    status: int
    conflict: bool
    typed: dict[str, str]


@router.get(FOLDER)
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    page: Beginning = 1,
    zoom: int = ZOOMS[0],
    fait: Annotated[str, Query(max_length=20)] = "",
    dossier: Name = "",
    emplacement: bool = False,
) -> Response:
    """Show a folder; ``fait`` says what the visitor has just done, to which ``dossier``."""
    where = Where.of(request, folder_id)
    content = read(platform, visitor, where)
    if content.folder.state == FolderState.DRAFT.value and content.seen.emits:
        return RedirectResponse(f"/parapheur/brouillons/{folder_id}", status_code=303)
    with platform.database.reading(visitor.principal) as session:
        done = outcomes.done(session, visitor.principal, fait, dossier)
    asked = Asked(page, zoom if zoom in ZOOMS else ZOOMS[0])
    return folder_page(request, platform, visitor, content, where, asked, done=done, placing=emplacement)


@router.get(DOCUMENT + "/texte")
def text(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier, page: Beginning = 1
) -> HTMLResponse:
    """Show the text of a document, page by page: what is shown counts as read."""
    where = Where.of(request, folder_id, document_id)
    return folder_page(request, platform, visitor, read(platform, visitor, where), where, Asked(page, text=True))


@router.get(DOCUMENT + "/pages/{number}.webp")
def image(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    document_id: Identifier,
    number: Number,
    width: Annotated[int, Query(alias="l", ge=1, le=10_000)],
) -> Response:
    """Give a page out as an image."""
    return image_response(platform, kept_of(document_in(platform, visitor, folder_id, document_id)), number, width, request)


@router.get(DOCUMENT)
def download(platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier) -> StreamingResponse:
    """Give a document out; whoever took a main document counts as having read it."""
    document = document_in(platform, visitor, folder_id, document_id)
    note_reading(platform, visitor, folder_id, document, (), 0)
    return downloads.document(platform, kept_of(document))


@router.post(DOCUMENT + "/lu")
def seen(platform: Parts, visitor: SignedIn, fields: Fields, folder_id: Identifier, document_id: Identifier) -> Response:
    """Keep which pages were in view."""
    visitor.check(fields.get("csrf"))
    document = document_in(platform, visitor, folder_id, document_id)
    count = _page_count(platform, document)
    if not count:
        raise UsageError(messages("reading.none"))
    note_reading(platform, visitor, folder_id, document, pages_from_form(fields, count), count)
    return Response(status_code=204)


@router.get(FOLDER + "/a-lire")
def left_to_read(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, lues: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """Return what the decision waits for, once more than ``lues`` pages were read; nothing until then."""
    where = Where.of(request, folder_id)
    content = read(platform, visitor, where)
    decision = content.decision
    if decision is None or (decision.unread and sum(one.seen for one in decision.unread) <= lues):
        return Response(status_code=204 if decision else 286)
    return render(
        request,
        "web/folder/acts.html",
        visitor=visitor,
        status=200 if decision.unread else 286,
        decision=decision,
        listing=content.listing,
        folder_id=folder_id,
        unread_address=_unread_address(content),
        was_read=not decision.unread,
    )


@router.get(FOLDER + "/signatures")
def signatures(request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier) -> Response:
    """Verify the signatures of a folder: for the page that asks by itself, or for whoever has no script."""
    with platform.database.reading(visitor.principal) as session:
        access.seen(session, visitor.principal, folder_id)
        documents = documents_of(session, folder_id)
    found = verdicts.found_out(platform, documents)
    if "HX-Request" not in request.headers:
        where = Where.of(request, folder_id)
        return RedirectResponse(f"{folder_address(folder_id, where.listing, tache=where.task_id)}#signatures", status_code=303)
    return render(request, "web/folder/signatures.html", visitor=visitor, verified=found, folder_id=folder_id, known=True)


def read(platform: Platform, visitor: Visitor, where: Where) -> Content:
    """Return what a page shows of a folder, and keep that the visitor has opened it.

    Raises:
        NotFound: no such folder for them.
    """
    with platform.database.reading(visitor.principal) as session:
        content = content_of(
            session,
            visitor.principal,
            where.folder_id,
            task_id=where.task_id,
            document_id=where.document_id,
            listing=where.listing,
        )
    if content.first_time:
        with platform.database.writing(visitor.principal) as session:
            reading.opened(session, content.folder, visitor.person_id)
    return content


def folder_page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    content: Content,
    where: Where,
    asked: Asked = Asked(),  # noqa: B008 - frozen
    *,
    done: Done | None = None,
    said: Said | None = None,
    placing: bool = False,
) -> HTMLResponse:
    """Return the page of a folder, with one view of its document."""
    current = content.current
    context: dict[str, Any] = {"part": "none"}
    if current is not None and is_pes(content, current):
        around = around_pes(visitor, content, current)
        context = {"part": "overview", **pes.overview(platform, kept_of(current), request.query_params, around)}
        note_reading(platform, visitor, where.folder_id, current, (), 0)
    elif current is not None:
        shown_view = _viewed(platform, visitor, content, where, current, asked, placing=placing)
        context = {"part": "viewer", "viewer": shown_view}
        if shown_view.read:
            note_reading(platform, visitor, where.folder_id, current, shown_view.read, shown_view.inspection.count)
    return folder_rendered(request, platform, visitor, content, where, context, done=done, said=said)


def folder_rendered(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    content: Content,
    where: Where,
    context: dict[str, Any],
    *,
    done: Done | None = None,
    said: Said | None = None,
) -> HTMLResponse:
    """Return the page of a folder around a part that shows its document."""
    task = content.decision.task if content.decision else None
    verified = verdicts.known(platform, content.documents)
    return render(
        request,
        "web/folder/folder.html",
        visitor=visitor,
        status=said.status if said else 200,
        content=content,
        folder=content.folder,
        folder_id=where.folder_id,
        listing=content.listing,
        task_id=task.id if task else "",
        done=done,
        said_back=said,
        typed=said.typed if said else {},
        verified=verified,
        known=all(one.signatures is not None for one in verified),
        unread_address=_unread_address(content),
        was_read=False,
        previous=_beside(content, content.around.previous if content.around else None),
        following=_beside(content, content.around.next if content.around else None),
        document_address=lambda one: folder_address(
            where.folder_id, content.listing, tache=task.id if task else "", document=one.id
        ),
        when=when,
        **context,
    )


def _unread_address(content: Content) -> str:
    decision = content.decision
    if decision is None or not decision.unread:
        return ""
    return reading_address(content.seen, decision.unread[0], content.listing, decision.task)


def _beside(content: Content, line: Any) -> str:
    return folder_address(line.folder_id, content.listing, tache=line.task_id) if line else ""


def _viewed(
    platform: Platform,
    visitor: Visitor,
    content: Content,
    where: Where,
    current: FolderDocument,
    asked: Asked,
    *,
    placing: bool,
) -> View:
    task = content.decision.task if content.decision else None
    base = _base(where.folder_id, current)
    here = folder_address(where.folder_id, content.listing, tache=task.id if task else "", document=current.id)
    addresses = Within(base, here, here.partition("?")[2])
    tabs = [
        Tab(
            one.name,
            folder_address(where.folder_id, content.listing, tache=task.id if task else "", document=one.id),
            one is current,
        )
        for one in content.documents
        if one.kind in _TABS
    ]
    record = Reading(f"{base}/lu", visitor.csrf) if current.kind == DocumentKind.MAIN.value else None
    place = Place(**current.stamp) if current.stamp else None
    may_place = placing and content.decision is not None and "emplacement" in content.decision.others
    placement = Placement(f"{here.partition('?')[0]}/documents/{current.id}/emplacement", visitor.csrf, place)
    return view(
        platform,
        kept_of(current),
        addresses,
        asked,
        title=current.name,
        tabs=tabs if len(tabs) > 1 else (),
        placement=placement if may_place and current.kind == DocumentKind.MAIN.value else None,
        reading=record,
    )


def _base(folder_id: str, document: FolderDocument) -> str:
    return f"/parapheur/dossiers/{folder_id}/documents/{document.id}"


def around_pes(visitor: Visitor, content: Content, document: FolderDocument) -> pes.Around:
    """Return where the pages of a PES stand; bank details are shown in full to those who may operate, as everywhere."""
    base = _base(content.folder.id, document)
    plain = visitor.principal.may(Right.OPERATE, content.folder.organisation_id)
    return pes.Around(f"{base}/pes", base, plain=plain)


def is_pes(content: Content, document: FolderDocument) -> bool:
    """Tell whether a document is shown as a PES."""
    signed_so = content.kind is not None and content.kind.signing.format is SignatureFormat.PES
    return document.kind == DocumentKind.MAIN.value and (signed_so or content.folder.summary.get("document") == "pes")


def kept_of(document: FolderDocument) -> KeptFile:
    """Return a document as the viewer and the store take it."""
    return KeptFile(document.kind, document.name, document.media_type, document.sha256, document.size)


def document_in(platform: Platform, visitor: Visitor, folder_id: str, document_id: str) -> FolderDocument:
    """Return a document of a folder that the visitor may see.

    Raises:
        NotFound: no such folder for them, or no such document in it.
    """
    with platform.database.reading(visitor.principal) as session:
        access.seen(session, visitor.principal, folder_id)
        found = next((one for one in documents_of(session, folder_id) if one.id == document_id), None)
    if found is None:
        raise NotFound(messages("document.unknown"))
    return found


def note_reading(
    platform: Platform, visitor: Visitor, folder_id: str, document: FolderDocument, pages: tuple[int, ...], total: int
) -> None:
    """Keep what the visitor has seen of a document; a ``total`` of 0 is the whole of it. Told again, it writes nothing."""
    with platform.database.reading(visitor.principal) as session:
        found = access.seen(session, visitor.principal, folder_id)
        known = reading.seen_pages(session, found.folder, visitor.person_id).get(document.id, set())
    if document.kind != DocumentKind.MAIN.value or 0 in known or (total and set(pages) <= known):
        return
    with platform.database.writing(visitor.principal) as session:
        folder = access.seen(session, visitor.principal, folder_id).folder
        reading.saw(session, folder, visitor.person_id, document.id, pages, total)


def _page_count(platform: Platform, document: FolderDocument) -> int:
    try:
        return previews.inspection(platform, kept_of(document)).count
    except NotShown:
        return 0
