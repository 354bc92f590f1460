"""Plain text as a document: cut into pages of a bearable length."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_PAGE = 20_000  # characters
_MOST_PAGES = 500
_ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\u2028|\u2029")
_BLANKS = re.compile(r"\n{3,}")


def inspect(path: Path, first: int, last: int) -> dict[str, Any]:
    """Return the fields of an ``Inspection``; its pages have the size of a sheet."""
    if path.stat().st_size > _PAGE * _MOST_PAGES:
        return {"kind": "text", "problem": "too_long"}
    content = path.read_bytes()
    if b"\0" in content:
        return {"kind": "other"}
    count = max(1, -(-len(_decoded(content)) // _PAGE))
    sheet = {"left": 0, "bottom": 0, "right": 595, "top": 842}
    return {"kind": "text", "count": count, "first": first, "pages": [sheet] * max(0, min(last, count) - first + 1)}


def texts(path: Path, first: int, last: int) -> list[str]:
    """Return the text of pages."""
    whole = _decoded(path.read_bytes())
    return [tidy(whole[start : start + _PAGE]) for start in range((first - 1) * _PAGE, min(last * _PAGE, len(whole)), _PAGE)]


def tidy(text: str) -> str:
    """Return a text with plain ends of lines, without signs that are not shown and without long gaps."""
    lines = _ENDS.sub("\n", text)
    shown = "".join(sign if sign in "\n\t" or sign.isprintable() else " " if sign.isspace() else "" for sign in lines)
    return _BLANKS.sub("\n\n", shown).strip("\n")


def _decoded(content: bytes) -> str:
    for encoding in _ENCODINGS[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(_ENCODINGS[-1])
