"""The size of an image of a page. Imports nothing: the sandbox pays for every import with each call."""

from __future__ import annotations

import math

MOST_PIXELS = 12_000_000
LONGEST_SIDE = 16_383  # of a WebP


def pixels(wide: float, high: float, width: int) -> tuple[int, int]:
    """Return width and height in pixels of an image that is ``width`` wide, smaller where it would be too large.

    Args:
        wide: of the page as it is shown, in any unit, at least 1.
        high: in the same unit, at least 1.
        width: pixels.
    """
    scale = min(width / wide, LONGEST_SIDE / max(wide, high), math.sqrt(MOST_PIXELS / (wide * high)))
    return max(1, int(wide * scale)), max(1, int(high * scale))
