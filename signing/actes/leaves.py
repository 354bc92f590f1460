"""The pages of a PDF as they are shown: where they begin and end, how they are turned, in what units they count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader

from signing.actes.fitting import between, fitted
from signing.pades.pdf import value_of

Dictionary: Any = generic.DictionaryObject  # pyHanko does not say of what
_INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")  # ISO 32000-2, table 31
_LETTER = (0.0, 0.0, 612.0, 792.0)  # what viewers show of a page that does not say its size
_UNREAL = 1e7
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Leaf:
    """A page.

    Attributes:
        reference: of its dictionary.
        dictionary: it.
        contents: the streams of its drawing, in order.
        resources: what the drawing names, its own or inherited.
        resources_key: the same for pages that share their resources.
        box: left, bottom, right and top of what is shown, from the origin of the page as it is stored.
        quarters: how many it is turned clockwise when shown.
        unit: of its coordinates, in points (``UserUnit``).
    """

    reference: Any
    dictionary: Any
    contents: tuple[Any, ...]
    resources: Any
    resources_key: Any
    box: _Box
    quarters: int
    unit: float

    def placed(self, width: float, height: float, across: float, down: float) -> tuple[float, ...]:
        """Return the matrix that puts a drawing upright onto the page as it is shown, inside of it, smaller where it must be.

        Args:
            width: of the drawing, in points.
            height: in points.
            across: where its left side goes, in hundredths of the page's width.
            down: where its top goes, in hundredths of the page's height from the top.
        """
        left, bottom, right, top = self.box
        wide, high = right - left, top - bottom
        if self.quarters % 2:
            wide, high = high, wide
        place = fitted(wide, high, (width, height), across, down, self.unit)
        scale, x, y = place.scale, place.left, high - height * place.scale - place.top
        return {
            0: (scale, 0, 0, scale, left + x, bottom + y),
            1: (0, scale, -scale, 0, right - y, bottom + x),
            2: (-scale, 0, 0, -scale, right - x, top - y),
            3: (0, -scale, scale, 0, left + y, top - x),
        }[self.quarters]


def leaves(reader: PdfFileReader, most: int) -> tuple[Leaf, ...] | None:
    """Return the pages of a document, each once, in order; None when there are more than ``most``.

    Raises:
        PdfReadError, and what else pyHanko raises on a broken document: its tree of pages is none.
    """
    found: list[Leaf] = []
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Any, dict[str, tuple[Any, Any]]]] = [(reader.root.raw_get("/Pages"), {})]
    while waiting:
        reference, above = waiting.pop()
        node = reference.get_object()
        key = (reference.idnum, reference.generation)
        if key in seen or not isinstance(node, Dictionary):
            continue  # a page that stands twice is the same page; one that is missing is shown by nobody
        seen.add(key)
        told = above | {name: (key, node.raw_get(name)) for name in _INHERITED if name in node}
        if "/Kids" in node:
            waiting.extend((kid, told) for kid in reversed([node["/Kids"].raw_get(rank) for rank in range(len(node["/Kids"]))]))
        elif len(found) == most:
            return None
        elif value_of(node, "/Type") != "/Pages":
            found.append(_leaf(reference, node, told))
    if not found:
        raise PdfReadError("no pages")
    return tuple(found)


def _leaf(reference: Any, node: Any, told: dict[str, tuple[Any, Any]]) -> Leaf:
    holder, resources = told.get("/Resources", ((0, 0), Dictionary()))
    shared = (resources.idnum, resources.generation) if isinstance(resources, generic.IndirectObject) else (holder, "direct")
    media = _box(told.get("/MediaBox")) or _LETTER
    crop = _box(told.get("/CropBox"))
    return Leaf(
        reference,
        node,
        _contents(node),
        resources.get_object(),
        shared,
        (crop and _common(media, crop)) or media,
        int(_number(told["/Rotate"][1]) / 90) % 4 if "/Rotate" in told else 0,
        _unit(value_of(node, "/UserUnit", 1)),
    )


def _contents(node: Any) -> tuple[Any, ...]:
    """Return the streams of a page's drawing; what is no stream is drawn by nobody."""
    if "/Contents" not in node:
        return ()
    reference, value = node.raw_get("/Contents"), node["/Contents"]
    listed = [value.raw_get(rank) for rank in range(len(value))] if isinstance(value, generic.ArrayObject) else [reference]
    return tuple(one for one in listed if isinstance(one.get_object(), generic.StreamObject))


def _box(told: tuple[Any, Any] | None) -> _Box | None:
    if told is None:
        return None
    corners = told[1].get_object()
    if not isinstance(corners, generic.ArrayObject) or len(corners) != len(_LETTER):
        return None
    one, two, three, four = (_number(corner) for corner in corners)
    return _real((min(one, three), min(two, four), max(one, three), max(two, four)))


def _common(media: _Box, crop: _Box) -> _Box | None:
    return _real((max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])))


def _real(box: _Box) -> _Box | None:
    return box if box[0] < box[2] and box[1] < box[3] else None


def _number(value: Any) -> float:
    try:
        number = float(value.get_object())
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return between(number, -_UNREAL, _UNREAL) if math.isfinite(number) else 0.0


def _unit(value: Any) -> float:
    try:
        unit = float(value)
    except (TypeError, ValueError, OverflowError):
        return 1.0
    return unit if 1 / _UNREAL < unit < _UNREAL else 1.0
