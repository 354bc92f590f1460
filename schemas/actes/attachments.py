"""Attachments by their first octets: whether a file is what its extension says (rule R23).

Whether a PDF opens, whether a budget is sealed and whether signatures hold is judged where those formats are known.
"""

from __future__ import annotations

import re
from pathlib import Path

from core.problems import Problem
from schemas.actes.contents import extension
from schemas.actes.names import EXTENSIONS
from schemas.actes.wording import problem
from schemas.xml import DoctypeRefused, refuse_doctype

_HEAD = 1024  # how far readers look for the mark of a PDF (ISO 32000-1, annex H.3)
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[?!A-Za-z_]")
_XML_UTF16 = (b"\xff\xfe<\0", b"\xfe\xff\0<")


def signature_problem(path: Path, name: str) -> Problem | None:
    """Return what is wrong with a file whose name ends in one of the four extensions; None for others, which names judge."""
    kind = extension(name)
    if kind not in EXTENSIONS:
        return None
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if not head:
            return problem("R23", "empty", path=name, found=name)
        if not _agrees(kind, head):
            return problem("R23", "content", path=name, found=_seen(head), kind=kind.upper(), name=name)
        if kind == "xml":
            stream.seek(0)
            try:
                refuse_doctype(stream)
            except DoctypeRefused as error:
                return problem("R23", "doctype", path=name, found="<!DOCTYPE", line=error.line, name=name)
    return None


def _agrees(kind: str, head: bytes) -> bool:
    if kind == "pdf":
        return b"%PDF-" in head
    if kind == "jpg":
        return head.startswith(b"\xff\xd8\xff")
    if kind == "png":
        return head.startswith(b"\x89PNG\r\n\x1a\n")
    return _XML.match(head) is not None or head.startswith(_XML_UTF16)


def _seen(head: bytes) -> str:
    """Return what the first octets look like: the name of a known format, else the octets."""
    for kind in EXTENSIONS:
        if _agrees(kind, head):
            return kind.upper()
    if head.startswith(b"PK\x03\x04"):
        return "ZIP"
    return head[:16].hex(" ").upper()
