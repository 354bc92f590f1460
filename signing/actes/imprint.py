"""Writing the stamp of an act onto every page of a PDF. Runs in the sandbox only: see ``stamping``.

The stamp is drawn once, with its fonts; each page calls it in its own place. What stood in the file stays to the octet: pages
get a new revision in which their old drawing comes first, between a saving of the graphics state and its return.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from core.messages import Catalogue
from signing.actes.balance import imbalance
from signing.actes.fitting import HEIGHT, WIDTH
from signing.actes.leaves import Dictionary, Leaf, leaves
from signing.pades.pdf import FLAWS, PdfUnreadable, bounded, opened

_messages = Catalogue("signing")
_EDGE, _INSET, _LARGEST_TYPE, _LEADING = 0.5, 4.0, 7.5, 1.22
_INK = (0, 0.1, 0.45)
_FONTS = (TTFont("VeraBd", "VeraBd.ttf"), TTFont("Vera", "Vera.ttf"))  # they come with reportlab, whatever the machine has
for _font in _FONTS:
    registerFont(_font)


def imprint(asked: dict[str, Any]) -> dict[str, int]:
    """Write a copy of a file of the folder with the stamp on its pages.

    ``asked``: ``source`` and ``result``, names of files; ``lines`` of the stamp; ``across`` and ``down``: its place, in
    hundredths of the page as it is shown; ``most`` pages. Returns ``pages``, or else ``beyond``: there are more than that.

    Raises:
        PdfUnreadable: no PDF, broken, encrypted.
    """
    octets = bounded(Path(asked["source"]))
    ended = octets if octets.endswith((b"\n", b"\r")) else octets + b"\n"
    reader = _read(ended)
    if reader.encrypted:
        raise PdfUnreadable(_messages("pades.encrypted"))
    try:
        pages = leaves(reader, asked["most"])
        if pages is None:
            return {"beyond": asked["most"]}
        writer = _Increment(ended, reader, json.dumps(asked))
        _Press(writer, asked["across"], asked["down"], _drawn(asked["lines"])).print_on(pages)
        with Path(asked["result"]).open("wb") as output:
            writer.write(output)  # type: ignore[no-untyped-call]
    except FLAWS as error:
        raise PdfUnreadable(_messages("pades.unreadable")) from error
    return {"pages": len(pages)}


def _read(octets: bytes) -> PdfFileReader:
    """Open a document, however sloppily it is written: nothing is signed here."""
    try:
        return opened(octets, strict=True)
    except PdfUnreadable:
        return opened(octets, strict=False)


class _Increment(IncrementalPdfFileWriter):
    """A revision whose octets depend on what goes into it alone: pyHanko's own have a random name and the time of the day."""

    def __init__(self, octets: bytes, reader: PdfFileReader, asked: str) -> None:
        super().__init__(BytesIO(octets), prev=reader)
        this = hashlib.sha256(hashlib.sha256(octets).digest() + asked.encode()).digest()[:16]
        try:
            first = reader.trailer["/ID"][0].original_bytes
        except FLAWS:  # it has none, or none that can be read
            first = this
        self._document_id = generic.ArrayObject([generic.ByteStringObject(one) for one in (first, this)])
        # a document may say that it has fewer objects than it has
        used = (one.idnum for rank in range(reader.total_revisions) for one in reader.xrefs.explicit_refs_in_revision(rank))
        self._lastobj_id = max(self._lastobj_id, *used)

    def _update_meta(self) -> None:
        pass


@dataclass
class _Press:
    """The stamp in a document, and what its pages share of it: a page costs little more than itself."""

    writer: _Increment
    across: float
    down: float
    drawing: bytes
    _streams: dict[bytes, Any] = field(default_factory=dict)
    _resources: dict[Any, tuple[Any, str]] = field(default_factory=dict)
    _imbalances: dict[Any, tuple[int, int]] = field(default_factory=dict)

    def print_on(self, pages: Sequence[Leaf]) -> None:
        """Put the stamp onto pages."""
        stamp = self.writer.import_page_as_xobject(PdfFileReader(BytesIO(self.drawing)))
        for page in pages:
            resources, name = self._resources_with(page, stamp)
            missing, left = self._imbalance(page)
            matrix = " ".join(f"{one:.5f}".rstrip("0").rstrip(".") for one in page.placed(WIDTH, HEIGHT, self.across, self.down))
            # what is on every page alike is no part of a tagged document's text (ISO 32000-2, 14.8.2.2)
            call = f"{'Q ' * (left + 1)}/Artifact BMC q {matrix} cm {name} Do Q EMC\n"
            before = self._stream(b"q " * (missing + 1))
            page.dictionary[pdf_name("/Contents")] = generic.ArrayObject([before, *page.contents, self._stream(call.encode())])
            page.dictionary[pdf_name("/Resources")] = resources
            self.writer.mark_update(page.reference)

    def _stream(self, content: bytes) -> Any:
        if content not in self._streams:
            self._streams[content] = self.writer.add_object(generic.StreamObject(stream_data=content))
        return self._streams[content]

    def _resources_with(self, page: Leaf, stamp: Any) -> tuple[Any, str]:
        """Return a copy of the resources of a page that has the stamp, and its name there; pages share it as they did theirs."""
        if page.resources_key not in self._resources:
            kept = Dictionary({key: page.resources.raw_get(key) for key in page.resources})
            held = page.resources["/XObject"] if "/XObject" in page.resources else Dictionary()
            drawings = Dictionary({key: held.raw_get(key) for key in held})
            name = next(one for rank in range(len(drawings) + 1) if (one := f"/TampeAR{rank}") not in drawings)
            drawings[pdf_name(name)] = stamp
            kept[pdf_name("/XObject")] = drawings
            self._resources[page.resources_key] = (self.writer.add_object(kept), name)
        return self._resources[page.resources_key]

    def _imbalance(self, page: Leaf) -> tuple[int, int]:
        key = tuple((one.idnum, one.generation) for one in page.contents)
        if key not in self._imbalances:
            self._imbalances[key] = imbalance(b"\n".join(_decoded(one.get_object()) for one in page.contents))
        return self._imbalances[key]


def _decoded(stream: Any) -> bytes:
    """Return the octets of a drawing, not kept in memory with the document; of one that nobody can read, none."""
    try:
        alone = generic.StreamObject(Dictionary(stream), encoded_data=stream.encoded_data)
        return bytes(alone.data)
    except FLAWS:
        return b""


def _drawn(lines: Sequence[str]) -> bytes:
    """Draw the stamp into a page of its size, the first line as its title; nothing of the page below is hidden by it."""
    octets = BytesIO()
    canvas = Canvas(octets, pagesize=(WIDTH, HEIGHT), pageCompression=1, invariant=1)
    canvas.setStrokeColorRGB(*_INK)
    canvas.setFillColorRGB(*_INK)
    canvas.setLineWidth(_EDGE)
    canvas.rect(_EDGE, _EDGE, WIDTH - 2 * _EDGE, HEIGHT - 2 * _EDGE)
    fonts = [_FONTS[rank > 0].fontName for rank in range(len(lines))]
    widest = max(stringWidth(text, font, 1) for text, font in zip(lines, fonts, strict=True))
    size = min(_LARGEST_TYPE, (HEIGHT - _INSET) / (_LEADING * len(lines)), (WIDTH - 2 * _INSET) / widest)
    top = (HEIGHT + size * _LEADING * len(lines)) / 2
    for rank, (text, font) in enumerate(zip(lines, fonts, strict=True)):
        canvas.setFont(font, size)
        canvas.drawString(_INSET, top - size * (_LEADING * rank + 1), text)
    canvas.showPage()
    canvas.save()
    return octets.getvalue()
