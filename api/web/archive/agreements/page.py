"""“Accords de versement”: those of an organisation, one more, the end of one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.problems import fault_of
from api.tenants import holding
from api.web.administered import Filled, Place, Sheet, reason
from api.web.archive.managing import Managed
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.ingest import agreements, profiles
from archive.ingest.agreements import Terms
from archive.ingest.models import ArchiveAgreement
from core.errors import TabellionError
from core.platform import Platform
from core.principal import Right
from schemas.seda.rules import STRONG_DIGESTS

router = APIRouter()
PATH = "/archives/accords"
_TEMPLATE = "web/archive/agreements/agreements.html"
_DONE = frozenset({"ouvert", "clos"})
_FIELDS = (
    "identifier", "label", "transferring_agency", "archival_agency", "originating_agencies", "formats", "pdfa", "largest",
    "largest_file", "most", "volume", "starts", "ends",
)  # fmt: skip
_BOXES = ("declared_formats", "signed_manifest", "signatures", "unverified_signatures", "automatic")
_MEGABYTE = 1 << 20


@router.get(PATH)
def listed(request: Request, platform: Parts, visitor: SignedIn, place: Managed, fait: str = "") -> HTMLResponse:
    """Show the agreements of an organisation; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, place, done=fait if fait in _DONE else "")


@router.post(PATH)
def opened(request: Request, platform: Parts, visitor: SignedIn, place: Managed, sheet: Filled) -> Response:
    """Make an agreement."""
    visitor.check(sheet.text("csrf"))
    try:
        terms = _terms(sheet)
        profile = profiles.keep(platform, octets) if (octets := sheet.file("profile")) else None
        manager = holding(visitor.principal, Right.ARCHIVE)
        with platform.database.writing(manager) as session:
            agreements.create(session, manager, place.id, terms, profile)
    except ValidationError as error:
        trouble = reason(error, words.of_page(_TEMPLATE))
        return _page(request, platform, visitor, place, status=422, trouble=trouble, typed=_typed(sheet))
    except TabellionError as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, place, status=fault.status, trouble=fault.detail, typed=_typed(sheet))
    return RedirectResponse(place.at(PATH, fait="ouvert"), status_code=303)


@router.post(f"{PATH}/{{agreement_id}}/cloture")
def closed(platform: Parts, visitor: SignedIn, place: Managed, fields: Fields, agreement_id: Identifier) -> RedirectResponse:
    """End an agreement."""
    visitor.check(fields.get("csrf"))
    manager = holding(visitor.principal, Right.ARCHIVE)
    with platform.database.writing(manager) as session:
        agreements.close(session, manager, agreement_id)
    return RedirectResponse(place.at(PATH, fait="clos"), status_code=303)


def _terms(sheet: Sheet) -> Terms:
    values: dict[str, Any] = {
        "identifier": sheet.text("identifier"),
        "label": sheet.text("label"),
        "transferring_agency": sheet.text("transferring_agency"),
        "archival_agency": sheet.text("archival_agency"),
        "originating_agencies": sheet.text("originating_agencies").split(),
        "formats": sheet.text("formats").replace(",", " ").split(),
        "pdfa": sheet.text("pdfa"),
        "digests": sheet.texts("digests"),
        "most": sheet.number("most", otherwise=0) or None,
        "starts": sheet.text("starts"),
        "ends": sheet.text("ends") or None,
        **{name: name in sheet for name in _BOXES},
        **{name: sheet.number(name, otherwise=0) * _MEGABYTE or None for name in ("largest", "largest_file", "volume")},
    }
    return Terms(**values)


def _typed(sheet: Sheet) -> dict[str, Any]:
    return {name: sheet.text(name) for name in (*_FIELDS, *_BOXES)} | {"digests": sheet.texts("digests")}


def _page(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, status: int = 200, **told: Any
) -> HTMLResponse:
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        own = select(ArchiveAgreement).where(ArchiveAgreement.organisation_id == place.id)
        found = session.exec(own.order_by(ArchiveAgreement.identifier)).all()
    values: dict[str, Any] = {
        "trouble": "",
        "done": "",
        "typed": dict.fromkeys((*_FIELDS, *_BOXES, "digests"), ""),
        "algorithms": [(algorithm, algorithm) for algorithm in STRONG_DIGESTS],
        "place": place,
        "found": found,
    } | told
    return render(request, _TEMPLATE, visitor=visitor, status=status, **values)
