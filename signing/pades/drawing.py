"""The visible part of a signature: finding where it goes, and drawing it.

Who signs, in what capacity and on which day, in fonts that travel with the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import product
from typing import Any

from babel.dates import format_date
from pyhanko.pdf_utils import layout
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.stamp import StaticStampStyle
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from signing.pades import tags
from signing.pades.pdf import FLAWS, value_of
from signing.pades.stamp import LEAST_SIDE, Place, Stamp

_messages = Catalogue("signing")
_FONT = TTFont("Vera", "Vera.ttf")  # comes with reportlab, whatever the machine has
registerFont(_FONT)
_LARGEST_TYPE = 10.0
_LEADING = 1.3
_MARGIN = 4.0
_EDGE = 0.5
_TURNS = (0, 90, 180, 270)
_QUARTERS = (90, 270)
_FARTHEST = 100  # stamps


Corners = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a stamp goes in the document.

    Attributes:
        page: from 0.
        corners: left, bottom, right, top, in whole points.
        rotation: degrees that the page is turned clockwise when shown.
    """

    page: int
    corners: Corners
    rotation: int


def placed(stamp: Stamp, octets: bytes, reader: PdfFileReader | None = None) -> Box:
    """Find the place of a stamp in a document; where no author has put it, it covers no signature that the reader finds there.

    Raises:
        UsageError: no such page, or too small.
        NotSignable: PDFium cannot read the document.
    """
    turns = tags.rotations(octets)
    place = stamp.place or _on_tag(stamp, octets, turns) or stamp.otherwise or Place(1, 0, 0, *stamp.size)
    if not 1 <= place.page <= len(turns):
        raise UsageError(_messages("pades.page", page=place.page, pages=len(turns)))
    if min(place.width, place.height) < LEAST_SIDE:
        raise UsageError(_messages("pades.box", least=f"{LEAST_SIDE:g}"))
    rotation = turns[place.page - 1]
    wide, high = _stored(place.width, place.height, rotation)
    left, bottom = round(place.x), round(place.y)
    box = Box(place.page - 1, (left, bottom, left + round(wide), bottom + round(high)), rotation)
    there = [] if stamp.place or reader is None else list(_drawn_on(reader, box.page))
    return _beside(box, there, tags.sheet(octets, place.page)) if _covers(box.corners, there) else box


def _covers(corners: Corners, there: Sequence[Corners]) -> bool:
    left, bottom, right, top = corners
    return any(left < other[2] and other[0] < right and bottom < other[3] and other[1] < top for other in there)


def _beside(box: Box, there: Sequence[Corners], sheet: tuple[float, float, float, float]) -> Box:
    """Return the free place that is nearest to a box, in its row first; the box itself where the page is full."""
    left, bottom, right, top = box.corners
    wide, high = right - left, top - bottom
    across = range(-_steps(left - sheet[0], wide), _steps(sheet[2] - right, wide) + 1)
    up = range(-_steps(bottom - sheet[1], high), _steps(sheet[3] - top, high) + 1)
    for row, column in sorted(product(up, across), key=lambda one: (abs(one[0]), abs(one[1]))):
        x, y = left + column * wide, bottom + row * high
        corners = (x, y, x + wide, y + high)
        if not _covers(corners, there):
            return Box(box.page, corners, box.rotation)
    return box


def _steps(room: float, side: int) -> int:
    """Return how many times a side goes into the room, as far as is looked: a page may be made to be endless."""
    return int(max(-_FARTHEST, min(_FARTHEST, room // side)))


def _drawn_on(reader: PdfFileReader, page: int) -> Iterator[Corners]:
    """Return where signatures are drawn on a page, from 0; what cannot be read of them is left out."""
    for _, _, reference in enumerate_sig_fields(reader, filled_status=True):
        with suppress(*FLAWS):
            field = reference.get_object()
            box, sheet = of_field(field), reader.find_page_for_modification(page)[0]  # type: ignore[no-untyped-call]
            if box is not None and field.raw_get("/P").reference == sheet.reference:
                yield box.corners


def of_field(field: Any) -> Box | None:
    """Return the place of a signature field that stands in a document, or None when it shows nothing."""
    left, bottom, right, top = (round(float(one)) for one in field["/Rect"])
    rotation = int(value_of(value_of(field, "/P", {}), "/Rotate", 0)) % 360
    visible = left < right and bottom < top and rotation in _TURNS
    return Box(0, (left, bottom, right, top), rotation) if visible else None


def lines_of(name: str, role: str | None, moment: datetime) -> tuple[str, ...]:
    """Return what a stamp shows by default."""
    day = format_date(clock.in_paris(moment).date(), "d MMMM y", "fr")
    return tuple(line for line in (name, role, _messages("pades.stamp_date", date=day)) if line)


def style(lines: Sequence[str], box: Box) -> StaticStampStyle:
    """Return the stamp as pyHanko draws it into the field of the signature."""
    left, bottom, right, top = box.corners
    return StaticStampStyle(
        border_width=0,
        background=_Drawing(_drawn(lines, right - left, top - bottom, box.rotation)),
        background_layout=layout.SimpleBoxLayoutRule(layout.AxisAlignment.ALIGN_MID, layout.AxisAlignment.ALIGN_MID),
        background_opacity=1.0,
    )


class _Drawing(PdfContent):
    """The page of a PDF in memory, as the content of another."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self._octets = octets

    def render(self) -> bytes:
        page = self._ensure_writer.import_page_as_xobject(PdfFileReader(BytesIO(self._octets)))
        self.resources.xobject["/Stamp"] = page
        left, bottom, right, top = page.get_object()["/BBox"]
        self.box = BoxConstraints(width=right - left, height=top - bottom)
        return b"/Stamp Do"


def _on_tag(stamp: Stamp, octets: bytes, turns: Sequence[int]) -> Place | None:
    numbers = ("",) if stamp.rank is None else (str(stamp.rank), "")
    spots = (tags.find(octets, text) for text in dict.fromkeys(stamp.tag.replace("%n", number) for number in numbers))
    spot = next((one for one in spots if one is not None), None)
    if spot is None:
        return None
    wide, high = _stored(*stamp.size, turns[spot.page - 1])
    return Place(spot.page, spot.x - wide / 2, spot.y - high / 2, *stamp.size)


def _stored(width: float, height: float, rotation: int) -> tuple[float, float]:
    """Return the sides of a rectangle as they lie in a page that is turned when shown."""
    return (height, width) if rotation in _QUARTERS else (width, height)


def _drawn(lines: Sequence[str], wide: float, high: float, rotation: int) -> bytes:
    """Draw the lines into a page of the size of the box, upright once the page of the document is turned."""
    octets = BytesIO()
    canvas = Canvas(octets, pagesize=(wide, high), pageCompression=1, invariant=1)
    width, height = _stored(wide, high, rotation)
    canvas.translate(*{0: (0, 0), 90: (wide, 0), 180: (wide, high), 270: (0, high)}[rotation])
    canvas.rotate(rotation)
    canvas.setLineWidth(_EDGE)
    canvas.rect(_EDGE, _EDGE, width - 2 * _EDGE, height - 2 * _EDGE)
    texts = [line.replace("\u202f", "\u00a0") for line in lines]
    widest = max((stringWidth(text, _FONT.fontName, 1) for text in texts), default=1)
    size = min(_LARGEST_TYPE, (height - 2 * _MARGIN) / (_LEADING * len(texts)), (width - 2 * _MARGIN) / widest)
    canvas.setFont(_FONT.fontName, size)
    top = (height + size * _LEADING * len(texts)) / 2
    for rank, text in enumerate(texts):
        canvas.drawString(_MARGIN, top - size * (_LEADING * rank + 1), text)
    canvas.showPage()
    canvas.save()
    return octets.getvalue()
