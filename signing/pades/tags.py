"""Where a text stands in a PDF, and what its pages are like, read with PDFium, which reads pages as viewers do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pypdfium2

from core.messages import Catalogue
from signing.legs import NotSignable

_messages = Catalogue("signing")
_ONE_AT_A_TIME = threading.Lock()  # PDFium keeps its state in one place for all threads
_LONGEST_TAG = 200


@dataclass(frozen=True, slots=True)
class Spot:
    """The centre of a text on a page: points from the origin of the page as it is stored, whatever its rotation.

    Attributes:
        page: from 1.
        x: to the right.
        y: upwards.
    """

    page: int
    x: float
    y: float


def find(octets: bytes, text: str) -> Spot | None:
    """Return the first place where a text stands, or None.

    Raises:
        NotSignable: PDFium cannot read the document.
    """
    with _pages(octets) as document:
        for number, page in enumerate(document, 1):
            words = page.get_textpage()
            found = words.search(text[:_LONGEST_TAG], match_case=True).get_next()
            if found is not None:
                index, count = found
                boxes = [words.get_charbox(index + rank, loose=True) for rank in range(count)]
                left, bottom, right, top = zip(*boxes, strict=True)
                return Spot(number, (min(left) + max(right)) / 2, (min(bottom) + max(top)) / 2)
    return None


def rotations(octets: bytes) -> tuple[int, ...]:
    """Return by how many degrees each page is turned clockwise when it is shown: 0, 90, 180 or 270.

    Raises:
        NotSignable: PDFium cannot read the document.
    """
    with _pages(octets) as document:
        return tuple(page.get_rotation() for page in document)


def sheet(octets: bytes, page: int) -> tuple[float, float, float, float]:
    """Return the left, bottom, right and top of what is shown of a page, from 1: points from the origin as it is stored.

    Raises:
        NotSignable: PDFium cannot read the document.
    """
    with _pages(octets) as document:
        left, bottom, right, top = document[page - 1].get_cropbox()
        return left, bottom, right, top


@contextmanager
def _pages(octets: bytes) -> Iterator[Any]:
    with _ONE_AT_A_TIME:
        try:
            document = pypdfium2.PdfDocument(octets)
            try:
                yield document
            finally:
                document.close()
        except pypdfium2.PdfiumError as error:
            raise NotSignable(_messages("pades.unreadable")) from error
