"""“Accords de versement”: those of an organisation, one more, the end of one."""

from __future__ import annotations

import tempfile
from pathlib import Path
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
from archive.ingest import agreements
from archive.ingest.agreements import Terms
from archive.ingest.models import ArchiveAgreement
from core.errors import TabellionError, UnreadableInput, UsageError
from core.platform import Platform
from core.principal import Right
from schemas.seda.profile import check_profile
from schemas.seda.reader import read_manifest

router = APIRouter()
PATH = "/archives/accords"
_TEMPLATE = "web/archive/agreements/agreements.html"
_DONE = frozenset({"ouvert", "clos"})
_FIELDS = (
    "identifier", "label", "transferring_agency", "archival_agency", "originating_agencies", "formats", "declared_formats",
    "signatures", "automatic", "largest", "most", "starts", "ends",
)  # fmt: skip
_MEGABYTE = 1 << 20
_RELAX_NG = b"http://relaxng.org/ns/structure/1.0"
_PLAIN = b'<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.1"/>'


@router.get(PATH)
def listed(request: Request, platform: Parts, visitor: SignedIn, place: Managed, fait: str = "") -> HTMLResponse:
    """Show the agreements of an organisation; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, place, done=fait if fait in _DONE else "")


@router.post(PATH)
def opened(request: Request, platform: Parts, visitor: SignedIn, place: Managed, sheet: Filled) -> Response:
    """Make an agreement."""
    visitor.check(sheet.text("csrf"))
    try:
        terms = _terms(platform, sheet)
        manager = holding(visitor.principal, Right.ARCHIVE)
        with platform.database.writing(manager) as session:
            agreements.create(session, manager, place.id, terms)
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


def _terms(platform: Platform, sheet: Sheet) -> Terms:
    profile = sheet.file("profile")
    values: dict[str, Any] = {
        "identifier": sheet.text("identifier"),
        "label": sheet.text("label"),
        "transferring_agency": sheet.text("transferring_agency"),
        "archival_agency": sheet.text("archival_agency"),
        "originating_agencies": sheet.text("originating_agencies").split(),
        "formats": sheet.text("formats").replace(",", " ").split(),
        "declared_formats": "declared_formats" in sheet,
        "signatures": "signatures" in sheet,
        "automatic": "automatic" in sheet,
        "largest": sheet.number("largest", otherwise=0) * _MEGABYTE or None,
        "most": sheet.number("most", otherwise=0) or None,
        "starts": sheet.text("starts"),
        "ends": sheet.text("ends") or None,
    }
    terms = Terms(**values)
    return terms.model_copy(update=_kept(platform, profile)) if profile else terms


def _kept(platform: Platform, profile: bytes) -> dict[str, str]:
    """Keep a profile that can be applied.

    Raises:
        UsageError: it cannot.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path, plain = Path(folder) / "profile.xml", Path(folder) / "manifest.xml"
        path.write_bytes(profile)
        plain.write_bytes(_PLAIN)
        try:
            check_profile(read_manifest(plain), path)
        except UnreadableInput as error:
            raise UsageError(str(error)) from error
        name = "profil.rng" if _RELAX_NG in profile else "profil.xsd"
        return {"profile": platform.objects.put_file(path).sha256, "profile_name": name}


def _typed(sheet: Sheet) -> dict[str, str]:
    return {name: sheet.text(name) for name in _FIELDS}


def _page(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, status: int = 200, **told: Any
) -> HTMLResponse:
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        own = select(ArchiveAgreement).where(ArchiveAgreement.organisation_id == place.id)
        found = session.exec(own.order_by(ArchiveAgreement.identifier)).all()
    values: dict[str, Any] = {
        "trouble": "",
        "done": "",
        "typed": dict.fromkeys(_FIELDS, ""),
        "place": place,
        "found": found,
    } | told
    return render(request, _TEMPLATE, visitor=visitor, status=status, **values)
