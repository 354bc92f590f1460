"""Opening a file: what forbids it is told as a problem, in the words of this room."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from xml.parsers.expat import errors

from lxml import etree

from core.problems import Problem, Severity
from schemas.invoices.source import Excessive, Source, path_of, read
from schemas.invoices.values import Flaw
from schemas.invoices.wording import messages, problem
from schemas.xml import DoctypeRefused, Malformed

XML = "XML"
DEFAULT_LIMIT = 150 << 20
"""Largest file accepted unless the operator says otherwise, in octets."""

_VALUE = "VALUE"
_HEAD, _CHUNK = 200, 1 << 16
_UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["'](?P<name>[A-Za-z][A-Za-z0-9._-]*)""")
_REASONS = {
    errors.XML_ERROR_INVALID_TOKEN: "token",
    errors.XML_ERROR_TAG_MISMATCH: "mismatch",
    errors.XML_ERROR_NO_ELEMENTS: "cut",
    errors.XML_ERROR_UNCLOSED_TOKEN: "cut",
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "after",
    errors.XML_ERROR_MISPLACED_XML_PI: "declaration",
    errors.XML_ERROR_UNDEFINED_ENTITY: "entity",
    errors.XML_ERROR_UNBOUND_PREFIX: "prefix",
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "twice",
}
"""What the parser says most often, in English, and the word of ours for it."""


def opened(path: Path, folder: Path, limit: int) -> tuple[Source | None, list[Problem]]:
    """Return the XML of a file; None and why, when its octets forbid it.

    Args:
        path: the file.
        folder: where attachments go; empty.
        limit: octets that the file may have.
    """
    size = path.stat().st_size
    if size > limit:
        return None, [problem(XML, "size", found=_megabytes(size), expected=_megabytes(limit))]
    if size == 0:
        return None, [problem(XML, "empty")]
    try:
        return read(path, folder), []
    except DoctypeRefused as error:
        return None, [problem(XML, "doctype", line=error.line, found="<!DOCTYPE")]
    except Excessive as error:
        return None, [problem(XML, error.what, line=error.line, expected=str(error.limit))]
    except Malformed as error:
        return None, [_malformed(path, error)]


def strange_root(source: Source, expected: str) -> Problem:
    """Return the problem of a document that is something else."""
    root = source.tree.getroot()
    return problem(XML, "root", line=root.sourceline, path=path_of(root), found=etree.QName(root).text, expected=expected)


def value_problems(flaws: Iterable[Flaw], told: Iterable[Problem] = ()) -> list[Problem]:
    """Return values that cannot be read as warnings, save at lines where something was told already."""
    lines = {one.line for one in told}
    return [
        problem(
            _VALUE,
            flaw.kind,
            Severity.WARNING,
            line=flaw.element.sourceline,
            path=path_of(flaw.element),
            found=flaw.found,
            element=etree.QName(flaw.element).localname,
        )
        for flaw in flaws
        if flaw.element.sourceline not in lines
    ]


def _malformed(path: Path, error: Malformed) -> Problem:
    """Say why a file is not well-formed: mostly, its letters are not those that it announces."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        declared = _DECLARED.match(head)
        name = "UTF-16" if head.startswith(_UTF_16) else declared["name"].decode("ascii") if declared else "UTF-8"
        if _misread(stream, name):
            return problem(XML, "encoding", line=error.line, found=name)
    reason = _REASONS.get(error.reason)
    return problem(XML, "malformed", line=error.line, found=messages(f"XML.reason.{reason}") if reason else error.reason)


def _misread(stream: IO[bytes], encoding: str) -> bool:
    try:
        reader = getincrementaldecoder(encoding)()
        while chunk := stream.read(_CHUNK):
            reader.decode(chunk)
    except (LookupError, ValueError):
        return True
    return False


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} Mio"
