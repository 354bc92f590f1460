"""A report as a PDF to print and file, with its fonts inside: those that come with reportlab, whatever the machine has.

They hold all signs of French; one that they lack is written as its number, ``[U+0218]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from core.messages import Catalogue
from signing.report.content import Page, Row, Section
from signing.report.palette import PALETTE, TONES

_t = Catalogue("signing.report")
_Command = tuple[str, tuple[int, int], tuple[int, int], *tuple[Any, ...]]
_MARGIN = 20 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_LABELS = 45 * mm
_NARROW_SPACE, _SPACE = "\u202f", "\u00a0"

_REGULAR, _BOLD = TTFont("Vera", "Vera.ttf"), TTFont("VeraBd", "VeraBd.ttf")
for _font in (_REGULAR, _BOLD):
    registerFont(_font)

_TEXT = ParagraphStyle("text", fontName=_REGULAR.fontName, fontSize=8.5, leading=12.5, textColor=HexColor(PALETTE["ink"]))
_TITLE = ParagraphStyle("title", _TEXT, fontName=_BOLD.fontName, fontSize=16, leading=21)
_HEADING = ParagraphStyle("heading", _TEXT, fontName=_BOLD.fontName, fontSize=10.5, leading=14, spaceBefore=16, spaceAfter=5)
_LABEL = ParagraphStyle("label", _TEXT, textColor=HexColor(PALETTE["ink_2"]))
_NOTE = ParagraphStyle("note", _TEXT, fontSize=7.5, leading=10.5, textColor=HexColor(PALETTE["ink_3"]), spaceBefore=4)


def as_pdf(page: Page) -> bytes:
    """Return the report as a PDF."""
    _, count = _built(page, None)
    octets, _ = _built(page, count)
    return octets


def _built(page: Page, count: int | None) -> tuple[bytes, int]:
    """Lay the report out; return it with its number of pages."""
    octets = BytesIO()
    document = SimpleDocTemplate(
        octets,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=page.title,
        author="Tabellion",
        lang=page.language,
        displayDocTitle=True,
        initialFontName=_REGULAR.fontName,
    )

    def foot(canvas: Canvas, laid: SimpleDocTemplate) -> None:
        canvas.setFont(_NOTE.fontName, _NOTE.fontSize)
        canvas.setFillColor(_NOTE.textColor)
        canvas.drawRightString(A4[0] - _MARGIN, 11 * mm, _printable(_t("page", page=laid.page, count=count)))

    document.build(list(_story(page)), onFirstPage=foot, onLaterPages=foot)
    return octets.getvalue(), document.page


def _story(page: Page) -> Iterator[Flowable]:
    yield _paragraph(page.title, _TITLE)
    yield Spacer(0, 5 * mm)
    yield _answer(page)
    for section in page.sections:
        yield from _section(section)
    yield Spacer(0, 6 * mm)
    yield from (_paragraph(note, _NOTE) for note in page.notes)


def _answer(page: Page) -> Flowable:
    ink, ground = (HexColor(colour) for colour in TONES[page.tone])
    verdict = ParagraphStyle("verdict", _TEXT, fontName=_BOLD.fontName, fontSize=13, leading=18, textColor=ink)
    lines = [_paragraph(page.verdict, verdict), _paragraph(page.meaning, _TEXT)]
    lines += [_paragraph(f"• {reason}", _TEXT) for reason in page.reasons]
    style: list[_Command] = [("BACKGROUND", (0, 0), (-1, -1), ground), ("LINEBEFORE", (0, 0), (0, -1), 3, ink), *_cells(10, 3)]
    return Table([[line] for line in lines], colWidths=[_WIDTH], style=style, splitInRow=1)


def _section(section: Section) -> Iterator[Flowable]:
    line = HexColor(PALETTE["line"])
    style: list[_Command] = [
        ("LINEABOVE", (0, 0), (-1, 0), 0.6, line),
        ("LINEBELOW", (0, 0), (-1, -1), 0.6, line),
        *_cells(6, 3.5),
    ]
    style.append(("VALIGN", (0, 0), (-1, -1), "TOP"))
    rows = [[_paragraph(row.label, _LABEL), _value(row)] for row in section.rows]
    table = Table(rows, colWidths=[_LABELS, _WIDTH - _LABELS], style=style, splitInRow=1)
    yield KeepTogether([_paragraph(section.title, _HEADING), table])


def _value(row: Row) -> list[Flowable]:
    ink = HexColor(TONES[row.tone][0])
    plain = ParagraphStyle("value", _TEXT, textColor=ink)
    first = plain if row.tone == "plain" else ParagraphStyle("first", plain, fontName=_BOLD.fontName)
    return [_paragraph(text, first if rank == 0 else plain) for rank, text in enumerate(row.lines)]


def _cells(aside: float, above: float) -> list[_Command]:
    whole = ((0, 0), (-1, -1))
    return [
        ("LEFTPADDING", *whole, aside),
        ("RIGHTPADDING", *whole, aside),
        ("TOPPADDING", *whole, above),
        ("BOTTOMPADDING", *whole, above),
        ("FONTNAME", *whole, _REGULAR.fontName),
    ]


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(_printable(text)), style)


def _printable(text: str) -> str:
    """Return a text in the signs that the fonts have."""
    return "".join(map(_sign, text.replace(_NARROW_SPACE, _SPACE)))


def _sign(sign: str) -> str:
    known = all(ord(sign) in font.face.charToGlyph for font in (_REGULAR, _BOLD))
    return sign if known else f"[U+{ord(sign):04X}]"
