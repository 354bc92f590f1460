"""“Déposer”: a PES for HELIOS, anything else for the parapheur; in one go by a form, or in pieces by ``upload.js``.

What arrives decides where it goes (``sorting``). Whoever holds no desk deposits PES only, as before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.multipart import Files
from api.problems import fault_of
from api.tenants import organisation_named, where
from api.uploads import Body, Uploads
from api.web.deposit.arrival import Arrivals, Flux
from api.web.deposit.sorting import folders_of
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core import uploads
from core.blobs import TooLarge
from core.errors import Conflict, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.document.intake import Submission, emitting_desk, submit
from flows.engine.models import Dossier
from flows.helios.flow import HELIOS
from flows.registry import flow_for_deposits
from signing.parapheur import desks, typology
from signing.parapheur.folders import Joined
from signing.parapheur.models import Desk, Folder
from signing.parapheur.typology import Kind

router = APIRouter()
_t = Catalogue("api.web.deposit")
_FIELDS = frozenset({"csrf", "flow", "organisation", "desk", "subtype", "together", "once", "uploads"})
_ONCE = re.compile(r"[0-9A-Z]{26}")
_DRAFTS = "/parapheur/brouillons"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says of the files.

    Attributes:
        desk: identifier of the desk that sends; none for somebody who deposits PES only.
        together: one folder for all of them.
        once: makes the same form harmless when it is sent again.
    """

    organisation_id: str
    desk: str
    subtype: str
    together: bool
    once: str
    uploads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files: folders that wait to be started, and PES on their way."""

    folders: tuple[Folder, ...]
    flux: tuple[Flux, ...]


@router.get("/deposer")
def ask(
    request: Request, platform: Parts, visitor: SignedIn, organisation: Annotated[str, Query(max_length=26)] = ""
) -> HTMLResponse:
    """Show the form, for one of the visitor's organisations."""
    return _form(request, platform, visitor, {"organisation": organisation})


@router.post("/deposer")
async def deposited(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Take the files, and show what became of them."""
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")
    said: dict[str, str] = {}

    def read(body: Body) -> Outcome:
        form = Files(body, content_type, _FIELDS)
        said.update(form.values)
        visitor.check(said.get("csrf"))
        return _received(platform, visitor.principal, form)

    try:
        outcome = await turnstile.run(request, read)
    except (UsageError, TooLarge, Conflict) as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, said, status=fault.status, trouble=fault.detail, existing=fault.existing)
    return _told(request, platform, visitor, outcome, said)


def _told(request: Request, platform: Platform, visitor: Visitor, outcome: Outcome, said: dict[str, str]) -> Response:
    if len(outcome.folders) == 1 and not outcome.flux:
        return RedirectResponse(f"{_DRAFTS}/{outcome.folders[0].id}?fait=depot", status_code=303)
    if len(outcome.flux) == 1 and not outcome.folders:
        only = outcome.flux[0]
        if only.received is None:
            return _form(request, platform, visitor, said, status=409, trouble=only.trouble, existing=only.existing)
        done = "depot" if only.received.created else "deja"
        return RedirectResponse(f"/dossiers/{only.received.dossier.id}?fait={done}", status_code=303)
    return render(request, "web/deposit/done.html", visitor=visitor, outcome=outcome)


def _received(platform: Platform, principal: Principal, form: Files) -> Outcome:
    if not form.file_name and not form.values.get("uploads"):
        raise UsageError(_t("trouble.nothing"))
    wish = _wish(platform, principal, form.values)
    desk = _desk(platform, principal, wish)
    arrivals = Arrivals(platform, principal, wish.organisation_id, only_pes=bool(form.values.get("flow")))
    with uploads.using(platform, principal, wish.organisation_id, wish.uploads) as found:
        arrivals.take_uploads(found)
        arrivals.take(form)
        if arrivals.files and desk is None:
            raise UsageError(_t("trouble.no_desk", name=arrivals.files[0].name))
        return Outcome(_submitted(platform, principal, wish, desk, arrivals) if desk else (), tuple(arrivals.flux))


def _wish(platform: Platform, principal: Principal, values: dict[str, str]) -> Wish:
    if flow := values.get("flow"):
        flow_for_deposits(flow)
    organisation = organisation_named(platform, principal, values.get("organisation", ""))
    principal.require(Right.DEPOSIT, organisation.id)
    once = values.get("once", "")
    return Wish(
        organisation.id,
        values.get("desk", ""),
        values.get("subtype", ""),
        values.get("together", "") == "1",
        once if _ONCE.fullmatch(once) else new_id(),
        tuple(part for part in values.get("uploads", "").split(",") if part),
    )


def _desk(platform: Platform, principal: Principal, wish: Wish) -> Desk | None:
    """Return the desk that sends, before anything is kept.

    Raises:
        UsageError: there is no such desk, or no such kind of folder for it.
        Forbidden: the principal does not hold it.
    """
    if not wish.desk:
        return None
    with platform.database.reading(principal) as session:
        desk = emitting_desk(session, principal, wish.organisation_id, wish.desk)
        if wish.subtype and wish.subtype not in {kind.id for kind in _kinds(session, wish.organisation_id, [desk.id])}:
            raise UsageError(_t("trouble.kind"))
    return desk


def _submitted(platform: Platform, principal: Principal, wish: Wish, desk: Desk, arrivals: Arrivals) -> tuple[Folder, ...]:
    with platform.database.reading(principal) as session:
        main = typology.kind_of(session, wish.subtype).options.main_documents if wish.subtype else 1
    made = []
    for rank, documents in enumerate(folders_of(arrivals.files, together=wish.together, main=main)):
        received = submit(platform, principal, _submission(wish, desk, documents, rank))
        made.append(_folder_of(platform, principal, received.dossier))
    return tuple(made)


def _submission(wish: Wish, desk: Desk, documents: list[Joined], rank: int) -> Submission:
    return Submission(
        wish.organisation_id,
        PurePath(documents[0].name).stem or documents[0].name,
        documents,
        desk.id,
        wish.subtype or None,
        idempotency_key=f"{wish.once}.{rank}",
    )


def _folder_of(platform: Platform, principal: Principal, dossier: Dossier) -> Folder:
    with platform.database.reading(principal) as session:
        return session.exec(select(Folder).where(Folder.dossier_id == dossier.id)).one()


def _kinds(session: Session, organisation_id: str, desk_ids: list[str]) -> list[Kind]:
    return typology.creatable(typology.kinds(session, organisation_id), desk_ids)


def _form(
    request: Request, platform: Platform, visitor: Visitor, said: dict[str, str], *, status: int = 200, **context: Any
) -> HTMLResponse:
    organisations = where(platform, visitor.principal, Right.DEPOSIT)
    here = next((one for one in organisations if one.id == said.get("organisation")), organisations[0] if organisations else None)
    sending, kinds = _choices(platform, visitor, here)
    shown = {
        "organisations": organisations,
        "here": here,
        "desks": sending,
        "kinds": kinds,
        "said": said,
        "flow": HELIOS.name,
        "once": new_id(),
        "limit": platform.settings.upload_limit,
        "most": uploads.MOST,
        "trouble": "",
        "existing": None,
    }
    return render(request, "web/deposit/deposit.html", visitor=visitor, status=status, **(shown | context))


def _choices(platform: Platform, visitor: Visitor, here: Organisation | None) -> tuple[list[Desk], list[Kind]]:
    """Return the desks from which the visitor may send there, and the kinds of folder that these may send."""
    if here is None:
        return [], []
    with platform.database.reading(visitor.principal) as session:
        held = desks.around(session, visitor.person_id).held
        own = select(Desk).where(col(Desk.id).in_(held), Desk.organisation_id == here.id, col(Desk.may_create).is_(True))
        sending = list(session.exec(own.order_by(Desk.name)))
        return sending, _kinds(session, here.id, [desk.id for desk in sending]) if sending else []
