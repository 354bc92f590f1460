"""Findings of libxml2 against a schema; documents with more of them than anyone reads are read as a stream, and given up early.

libxml2 walks all preceding siblings to name the place of each finding, so that a million faulty pièces would take it hours. Read
as a stream it names no places: they are found here, for the findings that are told, by counting elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Self

from lxml import etree

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of libxml2, copied out of its log.

    Attributes:
        code: its name for the kind of finding (``SCHEMAV_…``).
        message: in English.
        line: from 1.
        path: XPath of the element; None when it is not known.
    """

    code: str
    message: str
    line: int
    path: str | None

    @classmethod
    def copied(cls, entry: Any) -> Self:
        """Return an entry of a log."""
        return cls(entry.type_name, entry.message, entry.line, entry.path)


def flood(
    schema: etree.XMLSchema, tree: etree._ElementTree, source: Callable[[], IO[bytes]], most: int
) -> tuple[list[Finding], int] | None:
    """Return the first findings of a document that has more than ``most``; None when it has not.

    Args:
        schema: compiled, for this thread alone meanwhile.
        tree: of the same document, for the places.
        source: opens the document from its beginning.
        most: how many findings are wanted at most.

    Returns:
        The first ``most`` findings, and how many there were when reading stopped.
    """
    log = _log_beyond(schema, source, most, _Nothing())
    if log is None:
        return None
    placing = _Placing()
    _log_beyond(schema, source, most, placing)
    return _placed(list(log)[:most], placing.ranks, tree), len(log)


def _log_beyond(schema: etree.XMLSchema, source: Callable[[], IO[bytes]], most: int, target: Any) -> Any:
    """Validate until there are more than ``most`` findings and return the log; None when the end comes first."""
    parser = etree.XMLParser(schema=schema, target=target, huge_tree=True, resolve_entities=False, no_network=True)
    target.parser = parser
    with source() as stream:
        while chunk := stream.read(_CHUNK):
            parser.feed(chunk)
            if len(parser.feed_error_log) > most:
                return parser.feed_error_log
    return None


def _placed(log: list[Any], ranks: list[int], tree: etree._ElementTree) -> list[Finding]:
    """Give each finding the line and path of the element of its rank."""
    wanted = set(ranks[: len(log)])
    elements = {
        rank: element
        for rank, element in enumerate(islice(tree.getroot().iter(etree.Element), max(wanted, default=0)), start=1)
        if rank in wanted
    }
    found = []
    for entry, rank in zip(log, ranks, strict=False):
        element = elements[rank]
        found.append(Finding(entry.type_name, entry.message, element.sourceline, tree.getpath(element)))
    return found


class _Nothing:
    """A parser target that keeps nothing."""

    parser: etree.XMLParser

    def close(self) -> None:
        """Return nothing."""


class _Placing(_Nothing):
    """A parser target that notes at which element, by its rank from 1, each finding is made.

    libxml2 validates a tag after it has told the target of it: a finding is seen at the next event, and belongs to the last.
    """

    def __init__(self) -> None:
        self.ranks: list[int] = []
        self._started = 0
        self._last = 1
        self._open: list[int] = []

    def start(self, _tag: str, _attributes: dict[str, str]) -> None:
        """Take note of an element that begins."""
        self._note()
        self._started += 1
        self._open.append(self._started)
        self._last = self._started

    def end(self, _tag: str) -> None:
        """Take note of an element that ends."""
        self._note()
        self._last = self._open.pop()

    def _note(self) -> None:
        self.ranks += [self._last] * (len(self.parser.feed_error_log) - len(self.ranks))
