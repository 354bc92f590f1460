"""A page of words as a PDF to print and file: tagged for whoever listens to it (PDF/UA-1), its fonts inside.

The fonts are those that come with Typst, whatever the machine has. They hold the signs of the languages of Europe; one that they
lack is written as its number, ``[U+5C71]``. What a stranger wrote reaches the composer as data only, in a process that can do
nothing else.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from core import clock, sandbox
from core.messages import Catalogue
from signing.report.composing import RESULT
from signing.report.content import Page, Section, Table
from signing.report.palette import PALETTE, TONES

_t = Catalogue("signing.report")
# A digest stands on one line; a word beyond that may break anywhere.
_WORD, _PIECE, _MAY_BREAK = re.compile(r"\S{65,}"), 16, "\u200b"
_MEMORY, _SECONDS = 512 << 20, 30.0
# Signs that the composer's fonts have: Latin, Greek and Cyrillic, punctuation, currencies, arrows, marks.
_KNOWN = (
    (0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x377), (0x38E, 0x3A1), (0x3A3, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027),
    (0x202F, 0x2040), (0x2070, 0x2070), (0x2074, 0x208E), (0x20A0, 0x20BF), (0x2190, 0x22FF), (0x2713, 0x2718),
    (0xFB00, 0xFB06), (0xFFFD, 0xFFFD),
)  # fmt: skip


def as_pdf(page: Page, made: datetime | None = None) -> bytes:
    """Return a page as a PDF; the same page gives the same bytes.

    Args:
        page: it.
        made: the document's own date; that of 1970 when there is none.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    told = {"page": _page(page), "made": int(clock.as_utc(made).timestamp()) if made else 0}
    with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as folder:
        sandbox.call("signing.report.composing:compose", told, folder=Path(folder), memory=_MEMORY, seconds=_SECONDS)
        return (Path(folder) / RESULT).read_bytes()


def _page(page: Page) -> Any:
    return {
        "language": page.language,
        "title": printable(page.title),
        "verdict": printable(page.verdict),
        "tone": page.tone.value,
        "meaning": printable(page.meaning),
        "reasons": [printable(reason) for reason in page.reasons],
        "sections": [_section(section) for section in page.sections],
        "notes": [printable(note) for note in page.notes],
        "foot": [printable(part) for part in _t("page", page="\ue000", count="\ue000").split("\ue000")],
        "palette": PALETTE,
        "tones": {tone.value: list(colours) for tone, colours in TONES.items()},
    }


def _section(section: Section) -> Any:
    rows = [
        {"label": printable(row.label), "lines": [printable(line) for line in row.lines], "tone": row.tone.value}
        for row in section.rows
    ]
    return {"title": printable(section.title), "rows": rows, "tables": [_table(table) for table in section.tables]}


def _table(table: Table) -> Any:
    return {
        "title": printable(table.title),
        "head": [printable(cell) for cell in table.head],
        "words": table.words,
        "lines": [{"cells": [printable(cell) for cell in line.cells], "total": line.total} for line in table.lines],
    }


def printable(text: str) -> str:
    """Return a text in the signs that the fonts have."""
    return _WORD.sub(_breakable, "".join(map(_sign, unicodedata.normalize("NFC", text))))


def _breakable(word: re.Match[str]) -> str:
    return _MAY_BREAK.join(word[0][start : start + _PIECE] for start in range(0, len(word[0]), _PIECE))


@lru_cache(maxsize=4096)
def _sign(sign: str) -> str:
    return sign if any(first <= ord(sign) <= last for first, last in _KNOWN) else f"[U+{ord(sign):04X}]"
