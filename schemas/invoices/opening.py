"""Opening a file: what forbids it is told as a problem, in the words of this room."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lxml import etree

from core.problems import Problem, Severity
from schemas.invoices.source import Excessive, Source, path_of, read
from schemas.invoices.values import Flaw
from schemas.invoices.wording import problem
from schemas.xml import DoctypeRefused, Malformed

XML = "XML"
DEFAULT_LIMIT = 150 << 20
"""Largest file accepted unless the operator says otherwise, in octets."""

_VALUE = "VALUE"


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
        return None, [problem(XML, "malformed", line=error.line, found=error.reason)]


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


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} Mio"
