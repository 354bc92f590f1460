"""What the partial ``viewer.html`` shows of a document, and the answers for its images.

Whoever includes the partial has checked the rights, keeps what was read and where the stamp goes, and links ``viewer.css`` and
``viewer.js`` in the block ``head``. Below the base address of a document it serves ``pages/{n}.webp`` (``image_response``) and
``texte`` (its own page again, with ``text=True``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from api.web.viewer import previews
from api.web.viewer.placing import Placement, Rectangle, messages, shown
from api.web.viewer.previews import SLICE, SMALL, WIDTHS, Kept
from api.words import of_page
from core.errors import NotFound, UsageError
from core.platform import Platform
from schemas.pdf.pages import Inspection, Page
from schemas.pdf.preview import NotShown

ZOOMS = (100, 150, 200, 300)
_RESERVED = 1200  # pixels: the size that is written beside an image; style sheets fit it to the screen
_OFFERED = tuple(width for width in WIDTHS if width > SMALL)
_YEAR = 365 * 86_400
_RANGES = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")
_LONGEST_RANGES = 4000
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Tab:
    """A document beside the one that is shown."""

    title: str
    address: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the browser tells which pages were in view: address and token of the visitor."""

    action: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asked for.

    Attributes:
        page: the slice that holds this page, from 1.
        zoom: percent of the width there is, one of ``ZOOMS``.
        text: the text instead of the images.
    """

    page: int = 1
    zoom: int = 100
    text: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things stand.

    Attributes:
        base: below it stand ``pages/{n}.webp`` and ``texte``; the document itself is downloaded from it.
        here: of the page that shows the images.
    """

    base: str
    here: str

    def asking(self, asked: Asked, **otherwise: Any) -> str:
        """Return the address of the same document, asked for otherwise."""
        changed = {"page": asked.page, "zoom": asked.zoom} | otherwise
        told = {name: value for name, value in changed.items() if value != getattr(Asked(), name)}
        path = f"{self.base}/texte" if otherwise.get("text", asked.text) else self.here
        told.pop("text", None)
        return f"{path}{'&' if '?' in path else '?'}{urlencode(told)}" if told else path


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page as the partial shows it; sizes in pixels, the stamp in points of the page as it is seen."""

    number: int
    page: Page
    width: int
    height: int
    text: str | None
    stamp: Rectangle | None


@dataclass(frozen=True, slots=True)
class View:
    """All that ``viewer.html`` needs, under the name ``viewer``.

    Attributes:
        read: numbers of the pages whose text is shown by this very answer: they count as read.
        reason: why nothing is shown, for people; empty when something is.
    """

    title: str
    addresses: Addresses
    asked: Asked
    digest: str
    inspection: Inspection
    sheets: tuple[Sheet, ...]
    reason: str
    tabs: tuple[Tab, ...]
    placement: Placement | None
    reading: Reading | None

    @property
    def t(self) -> Any:
        """The words of the viewer, whatever page includes it."""
        return of_page("web/viewer/viewer.html")

    @property
    def read(self) -> tuple[int, ...]:
        """See above; a page that holds no text is not read by its text."""
        return tuple(sheet.number for sheet in self.sheets if sheet.text)

    @property
    def zooms(self) -> Sequence[int]:
        """What may be asked for."""
        return ZOOMS

    @property
    def slices(self) -> list[tuple[int, int]]:
        """First and last pages of what is shown at once, when that is not everything."""
        count = self.inspection.count
        return [(first, min(first + SLICE - 1, count)) for first in range(1, count + 1, SLICE)] if count > SLICE else []

    def image(self, number: int, width: int = SMALL) -> str:
        """Return the address of an image."""
        return f"{self.addresses.base}/pages/{number}.webp?l={width}&v={self.digest[:12]}"

    def images(self, number: int) -> str:
        """Return the images of a page for ``srcset``."""
        return ", ".join(f"{self.image(number, width)} {width}w" for width in _OFFERED)


def view(
    platform: Platform,
    kept: Kept,
    addresses: Addresses,
    asked: Asked,
    *,
    title: str,
    tabs: Sequence[Tab] = (),
    placement: Placement | None = None,
    reading: Reading | None = None,
) -> View:
    """Return what the partial shows of a document; one that cannot be shown says why.

    Args:
        platform: where the document is kept.
        kept: the document.
        addresses: where it stands.
        asked: what the reader wants to see.
        title: of the document, for people.
        tabs: all documents of the set, when there are several.
        placement: given when the stamp may be placed.
        reading: given when it is kept which pages were read.

    Raises:
        ObjectMissing, Unavailable: the store does not give the document, or too many wait for the sandbox.
    """
    reason = ""
    sheets: tuple[Sheet, ...] = ()
    inspection = Inspection(kind="other")
    try:
        inspection = previews.inspection(platform, kept, asked.page)
        reason = inspection.reason or ("" if inspection.count else messages("view.other"))
        text = asked.text or inspection.kind == "text"
        if not reason:
            texts = previews.texts(platform, kept, asked.page) if text else []
            sheets = tuple(_sheets(inspection, texts, placement))
    except NotShown as error:
        reason = str(error)
    return View(title, addresses, asked, kept.sha256, inspection, sheets, reason, tuple(tabs), placement, reading)


def image_response(platform: Platform, kept: Kept, number: int, width: int, request: Request) -> Response:
    """Return a page as an image, for the browser of this reader to keep.

    Raises:
        NotFound: no such page, or not one of the widths that are offered.
        NotShown: it cannot be drawn.
        ObjectMissing, Unavailable: as ``view``.
    """
    found = previews.inspection(platform, kept, number) if width in WIDTHS and number > 0 else None
    if found is None or found.kind not in {"pdf", "picture"} or found.page(number) is None:
        raise NotFound(messages("view.page_unseen"))
    tag = f'"{kept.sha256[:32]}-{number}-{width}"'
    headers = _HARMLESS | {"ETag": tag, "Cache-Control": f"private, max-age={_YEAR}, immutable"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(previews.image(platform, kept, number, width), media_type="image/webp", headers=headers)


def page_of(platform: Platform, kept: Kept) -> Callable[[int], Page | None]:
    """Return what gives the pages of a document by number, for ``place_from_form``."""

    def page(number: int) -> Page | None:
        try:
            return previews.inspection(platform, kept, max(1, number)).page(number)
        except NotShown:
            return None

    return page


def pages_from_form(fields: Mapping[str, str], count: int) -> tuple[int, ...]:
    """Return the numbers of the pages that a browser says were in view: ``pages``, such as ``1-3,7``, in order, each once.

    Args:
        fields: of the form.
        count: how many pages the document has.

    Raises:
        UsageError: not written so, or the document has no such page.
    """
    told = fields.get("pages", "")
    if len(told) > _LONGEST_RANGES or not (told.isascii() and _RANGES.fullmatch(told)):
        raise UsageError(messages("reading.malformed"))
    read: set[int] = set()
    for part in told.split(","):
        first, _, last = part.partition("-")
        start, end = int(first), int(last or first)
        if not 1 <= start <= end <= count:
            raise UsageError(messages("reading.malformed"))
        read.update(range(start, end + 1))
    return tuple(sorted(read))


def _sheets(inspection: Inspection, texts: list[str], placement: Placement | None) -> list[Sheet]:
    place = placement.place if placement else None
    sheets = []
    for rank, page in enumerate(inspection.pages):
        number = inspection.first + rank
        natural = int(page.size[0]) if inspection.kind == "picture" else _RESERVED
        width, height = page.pixels(min(natural, _RESERVED))
        text = (texts[rank] if rank < len(texts) else "") if texts else None
        stamp = shown(place, page) if place and place.page == number else None
        sheets.append(Sheet(number, page, width, height, text, stamp))
    return sheets
