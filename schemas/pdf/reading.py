"""Reading documents with PDFium. Runs in the sandbox only: everything here may crash, hang, or be taken over by a document.

Each function takes the name of a file of its folder and the numbers of the first and the last page, and gives JSON values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from schemas.pdf import pictures, plain
from schemas.pdf.sizes import pixels

_HEAD = 1024  # where PDFium looks for the mark
_LONGEST_TEXT = 50_000
_PASSWORD = 4  # FPDF_ERR_PASSWORD
_QUALITY, _EFFORT = 80, 2
_LONGEST_TITLE = 300
_UNREAL = 1e7  # points: what no page is, whatever its box says


def inspect(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an ``Inspection``.

    ``asked``: ``name``, ``first``, ``last``, ``text``: whether what is neither PDF nor picture may be plain text.
    """
    path = Path(asked["name"])
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if b"%PDF-" in head:
        return _inspected(path, asked["first"], asked["last"])
    if pictures.is_one(head):
        return pictures.inspect(path)
    return plain.inspect(path, asked["first"], asked["last"]) if asked["text"] else {"kind": "other"}


def images(asked: dict[str, Any]) -> list[int]:
    """Draw pages to the files ``1.webp`` … of the folder; returns the numbers of those that could be drawn.

    ``asked``: ``name``, ``kind``, ``first``, ``last``, ``width`` in pixels.
    """
    path, width = Path(asked["name"]), asked["width"]
    if asked["kind"] == "picture":
        _keep(pictures.image(path, width), 1)
        return [1]
    drawn = []
    with _opened(path) as document:
        document.init_forms()
        for number in range(asked["first"], min(asked["last"], len(document)) + 1):
            try:
                _keep(_drawn(document[number - 1], width), number)
                drawn.append(number)
            except (pypdfium2.PdfiumError, ValueError):
                continue  # the other pages may still be shown
    return drawn


def texts(asked: dict[str, Any]) -> list[str]:
    """Return the text of pages in reading order; ``asked``: ``name``, ``kind``, ``first``, ``last``."""
    path = Path(asked["name"])
    if asked["kind"] == "text":
        return plain.texts(path, asked["first"], asked["last"])
    if asked["kind"] == "picture":
        return [""]
    with _opened(path) as document:
        return [_text(document, number) for number in range(asked["first"], min(asked["last"], len(document)) + 1)]


def _inspected(path: Path, first: int, last: int) -> dict[str, Any]:
    from schemas.pdf import activity  # takes a quarter of a second, which drawing need not pay

    try:
        with _opened(path) as document:
            count = len(document)
            if not count:
                return {"kind": "pdf", "problem": "empty"}
            scripts = pdfium.FPDFDoc_GetJavaScriptActionCount(document) > 0
            files = document.count_attachments() > 0
            return {
                "kind": "pdf",
                "count": count,
                "first": first,
                "pages": [_page(document, number) for number in range(first, min(last, count) + 1)],
                "title": _printable(document.get_metadata_value("Title"))[:_LONGEST_TITLE].strip(),
                "encrypted": pdfium.FPDF_GetSecurityHandlerRevision(document) >= 0,
                "active": activity.of(path, scripts=scripts, files=files),
            }
    except pypdfium2.PdfiumError as error:
        return {"kind": "pdf", "problem": "password" if error.err_code == _PASSWORD else "unreadable"}


def _page(document: Any, number: int) -> dict[str, Any]:
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:  # a page that is not there is shown as an empty one
        return {"left": 0, "bottom": 0, "right": 595, "top": 842}
    left, bottom, right, top = (min(max(side, -_UNREAL), _UNREAL) for side in page.get_bbox())
    rotation = page.get_rotation()
    page.close()
    return {"left": left, "bottom": bottom, "right": right, "top": top, "rotation": rotation}


def _drawn(page: Any, width: int) -> Any:
    across, high = max(1.0, page.get_width()), max(1.0, page.get_height())
    picture = page.render(scale=pixels(across, high, width)[0] / across, limit_image_cache=True).to_pil()
    page.close()
    return picture


def _keep(picture: Any, number: int) -> None:
    picture.save(f"{number}.webp", "WEBP", quality=_QUALITY, method=_EFFORT)


def _text(document: Any, number: int) -> str:
    try:
        page = document[number - 1]
        words = page.get_textpage()
    except pypdfium2.PdfiumError:
        return ""
    read: str = words.get_text_range(0, min(words.count_chars(), _LONGEST_TEXT))
    words.close()
    page.close()
    return plain.tidy(read)


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    document = pypdfium2.PdfDocument(path)
    try:
        yield document
    finally:
        document.close()
