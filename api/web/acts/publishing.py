"""“Publication des actes”: whether an organisation has a public page, what it says there, and who is proposed as an author."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from sqlmodel import col, func, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.publications.finding import address, root_of
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import knowledge
from flows.actes.intake import AUTHOR_FIELDS, author_told
from flows.actes.models import ActesPublication
from flows.actes.publishing import set_up
from flows.actes.settings import PUBLICATION, ActesPublishing

router = APIRouter()
_PATH, _PAGE = "/administration/publication", "web/acts/publishing.html"


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show how the organisation publishes; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep how the organisation publishes."""
    visitor.check(sheet.text("csrf"))
    try:
        author = author_told({name: sheet.text(name) for name in AUTHOR_FIELDS})
        wanted = ActesPublishing(open="open" in sheet, about=sheet.text("about"), author=author)
        with platform.database.writing(PLATFORM) as session:
            set_up(session, platform.secrets, visitor.principal, place.id, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, sheet=sheet)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "ouverte" if wanted.open else "fermee")


def _shown(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, sheet: Sheet | None = None, **said: Any
) -> HTMLResponse:
    kept = knowledge.publishing_of(platform, place.id)
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (place.id, PUBLICATION)) is not None
        live = select(func.count()).where(ActesPublication.organisation_id == place.id, col(ActesPublication.withdrawn).is_(None))
        count = int(session.exec(live).one())
    siren = place.organisation.siren or ""
    values: dict[str, Any] = {
        "kept": kept,
        "above": kept.open and not own,
        "count": count,
        "page": address(siren) if siren else "",
        "root": root_of(request, platform),
        "told": _told(kept, sheet),
    }
    return shown(request, _PAGE, visitor, place, **values | said)


def _told(kept: ActesPublishing, sheet: Sheet | None) -> dict[str, Any]:
    """Return the fields as they were filled in, else as they are kept."""
    if sheet is not None:
        texts = {name: sheet.text(name) for name in ("about", *AUTHOR_FIELDS)}
        return {"open": "open" in sheet, **texts}
    author = {name: getattr(kept.author, part, "") for name, part in AUTHOR_FIELDS.items()}
    return {"open": kept.open, "about": kept.about, **author}
