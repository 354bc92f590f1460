"""“Tampon des actes”: where the stamp of the préfecture's acknowledgement goes on each page, drawn before it is kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import downloads, words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from core.configuration import Configuration
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.connecting import place_stamp
from flows.actes.knowledge import stamp_of
from flows.actes.settings import STAMP, ActesStamp
from flows.actes.stamped import SAMPLE, stamped_sample
from signing.actes.fitting import HEIGHT, WIDTH, fitted

router = APIRouter()
_A4 = (595.28, 841.89)  # points (ISO 216)
_PATH, _PAGE = "/administration/actes/tampon", "web/acts/stamp.html"
_PRESETS: dict[str, tuple[Any, Any]] = {
    "haut-droite": (100, 0),
    "haut-gauche": (0, 0),
    "bas-droite": (100, 100),
    "bas-gauche": (0, 100),
}
_Percent = Annotated[float, Query(ge=0, le=100)]


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show where the stamp goes; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, stamp_of(platform, place.id), done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Draw the place that is told, and keep it when asked to."""
    visitor.check(sheet.text("csrf"))
    given = _given(sheet)
    try:
        wanted = ActesStamp.model_validate(given)
    except ValidationError as error:
        said, now = reason(error, words.of_page(_PAGE)), stamp_of(platform, place.id)
        return _shown(request, platform, visitor, place, now, status=400, trouble=said, given=given)
    if sheet.text("do") != "save":
        return _shown(request, platform, visitor, place, wanted)
    with platform.database.writing(PLATFORM) as session:
        place_stamp(session, platform.secrets, visitor.principal, place.id, wanted)
    return gone(place, _PATH, "tampon")


def _given(sheet: Sheet) -> dict[str, Any]:
    told = tuple(sheet.text(name).replace(",", ".") for name in ("across", "down"))
    across, down = _PRESETS.get(sheet.text("do"), told)
    return {"across": across, "down": down}


@router.get(f"{_PATH}/exemple.pdf")
def sample(visitor: Administers, gauche: _Percent = 100, haut: _Percent = 0) -> Response:
    """Give an empty page with the stamp in a place."""
    del visitor
    return downloads.copy("tampon.pdf", stamped_sample(ActesStamp(across=gauche, down=haut)), "application/pdf")


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, drawn: ActesStamp, **said: Any) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (place.id, STAMP)) is not None
    wide, high = _A4
    at = fitted(wide, high, (WIDTH, HEIGHT), drawn.across, drawn.down)
    values: dict[str, Any] = {
        "own": own,
        "given": {name: f"{getattr(drawn, name):g}" for name in ("across", "down")},
        "drawn": drawn,
        "presets": list(_PRESETS),
        "sheet": {"wide": round(wide), "high": round(high)},
        "stamp": {
            "left": round(at.left),
            "top": round(at.top),
            "width": WIDTH * at.scale,
            "height": HEIGHT * at.scale,
            "says": SAMPLE.lines[0],
        },
    }
    return shown(request, _PAGE, visitor, place, **values | said)
