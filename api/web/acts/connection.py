"""“Raccordement ACTES”: how the State knows the organisation, and the classification in force, asked for by a button."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from core import journal
from core.configuration import Configuration
from core.errors import NeedsOperator, TabellionError, UsageError
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.actes import classifying, knowledge
from flows.actes.connecting import connect
from flows.actes.models import ActesClassification, ActesEnvelope
from flows.actes.settings import COLLECTIVITE, ActesCollectivite

router = APIRouter()
_PATH, _PAGE = "/administration/actes", "web/acts/connection.html"
_TEXTS = ("department", "arrondissement", "nature", "referent", "telephone")


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show how the organisation is connected; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep how the State knows the organisation."""
    visitor.check(sheet.text("csrf"))
    try:
        wanted = ActesCollectivite.model_validate(_given(sheet))
        with platform.database.writing(PLATFORM) as session:
            connect(session, platform.secrets, visitor.principal, place.id, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, sheet=sheet)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "raccorde")


def _given(sheet: Sheet) -> dict[str, Any]:
    told: dict[str, Any] = {name: sheet.text(name) for name in _TEXTS}
    told["department"] = told["department"].upper()
    told["referent"], told["telephone"] = told["referent"] or None, told["telephone"] or None
    told["addresses"] = tuple(dict.fromkeys(sheet.text("addresses").split()))
    return told


@router.post(f"{_PATH}/classification")
def ask(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Ask the préfecture for its classification now."""
    visitor.check(sheet.text("csrf"))
    visitor.principal.require(Right.ADMINISTER, place.id)
    try:
        envelope = classifying.request(platform, place.id)
    except TabellionError as error:
        return _shown(request, platform, visitor, place, status=409, trouble=str(error))
    with platform.database.writing(PLATFORM) as session:
        facts, actor = {"envelope": envelope}, visitor.principal.actor
        journal.write(session, organisation_id=place.id, kind="actes.classification_asked", actor=actor, facts=facts)
    return gone(place, _PATH, "demandee")


def _shown(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, sheet: Sheet | None = None, **said: Any
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (place.id, COLLECTIVITE)) is not None
        newest = session.exec(
            select(ActesClassification)
            .where(ActesClassification.organisation_id == place.id)
            .order_by(col(ActesClassification.day).desc())
        ).first()
        asked = session.exec(
            select(ActesEnvelope)
            .where(ActesEnvelope.organisation_id == place.id, col(ActesEnvelope.dossier_id).is_(None))
            .order_by(col(ActesEnvelope.id).desc())
            .limit(1)
        ).first()
    kept, classification = _kept(platform, place), knowledge.classification_of(platform, place.id)
    values: dict[str, Any] = {
        "kept": kept,
        "own": own,
        "told": _told(kept, sheet),
        "newest": newest,
        "asked": asked,
        "counts": (len(classification.natures), sum(1 for _ in classification.walk())) if classification else None,
        "through": _operator(platform, place),
    }
    return shown(request, _PAGE, visitor, place, **values | said)


def _kept(platform: Platform, place: Place) -> ActesCollectivite | None:
    try:
        return knowledge.collectivite_of(platform, place.id)
    except NeedsOperator:
        return None


def _operator(platform: Platform, place: Place) -> str:
    """Return by whom the organisation sends: the trigramme; empty without an operator."""
    try:
        return knowledge.operator_of(platform, place.id).trigramme
    except NeedsOperator:
        return ""


def _told(kept: ActesCollectivite | None, sheet: Sheet | None) -> dict[str, str]:
    """Return the fields as they were filled in, else as they are kept."""
    if sheet is not None:
        return {name: sheet.text(name) for name in (*_TEXTS, "addresses")}
    if kept is None:
        return dict.fromkeys((*_TEXTS, "addresses"), "")
    told = {name: str(getattr(kept, name) or "") for name in _TEXTS}
    return {**told, "addresses": "\n".join(kept.addresses)}
