"""Where the stamp of a signature goes: told by a plain form, shown over the page.

A form and a ``Place`` speak of the page as it is stored, in points, upwards from its origin; a screen shows it turned, from its
top left corner. ``viewer.js`` does the same arithmetic for what is dragged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import UsageError
from core.messages import Catalogue
from schemas.pdf.pages import Page
from signing.pades.stamp import LEAST_SIDE, Place

messages = Catalogue("api.web.viewer")
PRESETS = ("bas-droite", "bas-gauche", "repere")
FIELDS = ("x", "y", "width", "height")
_WIDE, _HIGH, _MARGIN = 200.0, 70.0, 36.0
_QUARTERS = (90, 270)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place as a screen shows it: points from the top left corner of the page, to the right and downwards."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placement:
    """What a page that lets the stamp be placed gives to the viewer.

    Attributes:
        action: address to which the form is posted.
        csrf: token of the visitor.
        place: where it goes so far; None leaves it to the tag in the text.
    """

    action: str
    csrf: str
    place: Place | None = None


def shown(place: Place, page: Page) -> Rectangle:
    """Return where a place is seen on its page."""
    wide, high = _stored(place.width, place.height, page.rotation)
    right, top = place.x + wide, place.y + high
    x, y = {
        0: (place.x - page.left, page.top - top),
        90: (place.y - page.bottom, place.x - page.left),
        180: (page.right - right, place.y - page.bottom),
        270: (page.top - top, page.right - right),
    }[page.rotation]
    return Rectangle(x, y, place.width, place.height)


def stored(seen: Rectangle, number: int, page: Page) -> Place:
    """Return the place of a rectangle that is seen on a page."""
    right, bottom = seen.x + seen.width, seen.y + seen.height
    x, y = {
        0: (page.left + seen.x, page.top - bottom),
        90: (page.left + seen.y, page.bottom + seen.x),
        180: (page.right - right, page.bottom + seen.y),
        270: (page.right - bottom, page.top - right),
    }[page.rotation]
    return Place(number, x, y, seen.width, seen.height)


def preset(name: str, number: int, page: Page) -> Place:
    """Return the usual place in a lower corner of a page as it is seen: ``bas-droite`` or ``bas-gauche``."""
    wide, high = page.size
    width, height = min(_WIDE, wide), min(_HIGH, high)
    x = max(0.0, wide - width - _MARGIN) if name == "bas-droite" else min(_MARGIN, wide - width)
    return stored(Rectangle(x, max(0.0, high - height - _MARGIN), width, height), number, page)


def place_from_form(fields: Mapping[str, str], page_of: Callable[[int], Page | None]) -> Place | None:
    """Return the place that a form tells, or None when it is left to the tag in the text.

    Args:
        fields: ``page``, ``x``, ``y``, ``width``, ``height``; ``preset``, one of ``PRESETS``, counts before the four last.
        page_of: gives the page of a number, None when the document has no such page; see ``view.page_of``.

    Raises:
        UsageError: no number, no such page, too small, or not within the page; says which.
    """
    chosen = fields.get("preset", "")
    if chosen == "repere":
        return None
    number = fields.get("page", "").strip()
    page = page_of(int(number)) if number.isascii() and number.isdigit() and len(number) < len("10000000") else None
    if page is None:
        raise UsageError(messages("placing.page"))
    if chosen in PRESETS:
        return preset(chosen, int(number), page)
    place = Place(int(number), *(_number(name, fields.get(name, "")) for name in FIELDS))
    if min(place.width, place.height) < LEAST_SIDE:
        raise UsageError(messages("placing.small", least=f"{LEAST_SIDE:g}"))
    wide, high = _stored(place.width, place.height, page.rotation)
    # Half a point is what a browser loses when it rounds.
    within = page.left - 0.5 <= place.x and place.x + wide <= page.right + 0.5
    if not (within and page.bottom - 0.5 <= place.y and place.y + high <= page.top + 0.5):
        raise UsageError(messages("placing.outside"))
    return place


def _number(name: str, told: str) -> float:
    try:
        value = float(told.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(messages("placing.number", field=messages(f"placing.field.{name}")))
    return value


def _stored(width: float, height: float, rotation: int) -> tuple[float, float]:
    return (height, width) if rotation in _QUARTERS else (width, height)
