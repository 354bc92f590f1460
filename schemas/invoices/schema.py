"""Holding a tree against an XML schema, compiled once; libxml2 validates. How a finding is worded is in ``violations.py``."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

from schemas.compilation import compiled_schema
from schemas.invoices.source import path_of

SHOWN = 200
"""Findings described at most; the others are counted."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding of libxml2, copied out of its log.

    Attributes:
        code: libxml2's name for the kind of finding (``SCHEMAV_…``).
        message: in English.
        line: from 1.
        path: where the element stands, as ``source.path_of`` writes it.
    """

    code: str
    message: str
    line: int
    path: str


class Schema:
    """A schema, shared by threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()  # a compiled schema has one error log, whatever the number of threads
        self._compiled = compiled_schema(etree.parse(str(path), etree.XMLParser(no_network=True)))

    def violations(self, tree: etree._ElementTree) -> tuple[list[Violation], int]:
        """Return what is wrong with a tree, at most SHOWN findings, and how many there are."""
        with self._lock:
            if self._compiled.validate(tree):
                return [], 0
            log = self._compiled.error_log
            first = [
                Violation(entry.type_name, entry.message, entry.line, _place(tree, entry.path or "")) for entry in log[:SHOWN]
            ]
            return first, len(log)


@cache
def compiled(path: Path) -> Schema:
    """Return the schema of a file, compiled once."""
    return Schema(path)


def _place(tree: etree._ElementTree, path: str) -> str:
    """Return a path of libxml2, which says nothing of elements in a default namespace, with names."""
    prefixes = {prefix: uri for prefix, uri in tree.getroot().nsmap.items() if prefix}
    try:
        found = tree.xpath(path, namespaces=prefixes) if path else []
    except etree.XPathEvalError:  # a prefix that is declared further below
        return path
    return path_of(found[0]) if found else path
