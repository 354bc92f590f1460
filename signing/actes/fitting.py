"""Where a stamp goes on a page as it is shown: the geometry alone, for whoever prints it and whoever shows beforehand where."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT = 235.0, 50.0
"""Size of the stamp of an act, in points."""
_MARGIN = 10.0
_SMALL = 10  # a margin is a tenth of a page at most


@dataclass(frozen=True, slots=True)
class Fitted:
    """The place of a drawing.

    Attributes:
        scale: units of the page for one point of the drawing.
        left: from the left side of the page, in its units.
        top: from its top.
    """

    scale: float
    left: float
    top: float


def fitted(wide: float, high: float, size: tuple[float, float], across: float, down: float, unit: float = 1) -> Fitted:
    """Return where a drawing goes, inside of the page, smaller where it must be.

    Args:
        wide: width of the page as it is shown, in its own units.
        high: its height.
        size: width and height of the drawing, in points.
        across: where its left side goes, in hundredths of the page's width.
        down: where its top goes, in hundredths of the page's height from the top.
        unit: of the page, in points.
    """
    width, height = size
    margin = min(_MARGIN / unit, wide / _SMALL, high / _SMALL)
    scale = min(1 / unit, (wide - 2 * margin) / width, (high - 2 * margin) / height)
    left = between(wide * across / 100, margin, wide - margin - width * scale)
    top = between(high * down / 100, margin, high - margin - height * scale)
    return Fitted(scale, left, top)


def between(value: float, least: float, most: float) -> float:
    """Return the value, or the bound that it is beyond."""
    return max(least, min(value, most))
