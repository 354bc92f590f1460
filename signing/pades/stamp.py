"""The visible part of a signature: what is shown of it, and where. How it is found and drawn stands in ``drawing``."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_SIDE = 10.0
"""Points, of the sides of a stamp."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on a page, in points, from the origin of the page as it is stored: bottom left when it is not turned.

    Attributes:
        page: from 1.
        x: of its left side.
        y: of its bottom.
        width: as it is seen, at least 10.
        height: as it is seen, at least 10.
    """

    page: int = 1
    x: float = 0
    y: float = 0
    width: float = 200
    height: float = 70


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is shown of a signature, and where.

    The first that there is counts: the place given, the tag of the signer's rank in the text, the tag without a number, the
    place to take otherwise, the bottom left corner of the first page. On a tag the stamp is centred. Where another signature is
    drawn already, it goes beside it, unless an author has put it there.

    Attributes:
        place: where an author put it; None leaves it to the tags.
        rank: of the signer among those of the document, from 1.
        tag: the text that is looked for; ``%n`` stands for the rank, or for nothing.
        size: width and height on a tag, in points.
        lines: what is shown; by default the signer's name, the role and the day.
        otherwise: where it goes when no author has put it and no tag is found.
    """

    place: Place | None = None
    rank: int | None = None
    tag: str = "#signature%n#"
    size: tuple[float, float] = (200, 70)
    lines: tuple[str, ...] = ()
    otherwise: Place | None = None
