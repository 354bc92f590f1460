"""The process that holds Saxon: it takes a stylesheet and a document, and tells what the rules found.

Saxon is a native image: some uses of it from a forked process or another thread end the whole process. So it runs here, started
afresh by ``process.py``, in the one thread there is. Nothing here knows what an invoice is.
"""

from __future__ import annotations

import json
import resource
import socket
from collections import Counter
from pathlib import Path
from typing import Any
from xml.parsers import expat

from saxonche import PySaxonApiError, PySaxonProcessor, PyXdmNode, PyXsltExecutable

from schemas.schematron.frames import receive, send
from schemas.schematron.walks import without_walks

SHOWN = 200
"""Findings told at most; the others are counted."""

_MEMORY = 2 << 30  # bytes that may be written to; some 0.4 GiB are needed for all stylesheets
_REASON = 500
_TEXT = 1_000
_SVRL = "http://purl.oclc.org/dsdl/svrl"
_BETWEEN = " "
_FOUND = (f"{_SVRL}{_BETWEEN}failed-assert", f"{_SVRL}{_BETWEEN}successful-report")
_MILD = {"warning", "warn", "information", "info"}


class _Rules:
    """Saxon with the stylesheets that were asked for so far."""

    def __init__(self) -> None:
        self._processor = PySaxonProcessor(license=False)
        # Rules read lists of codes beside themselves; nothing else, and nothing from a network.
        self._processor.set_configuration_property("http://saxon.sf.net/feature/allowedProtocols", "file")
        self._compiler = self._processor.new_xslt30_processor()
        self._compiled: dict[str, PyXsltExecutable] = {}
        self._parsed: tuple[bytes, PyXdmNode] | None = None  # one document is held against several stylesheets in a row

    def answer(self, stylesheet: str, document: bytes) -> dict[str, Any]:
        """Apply a stylesheet, compiled at its first use, to a document in UTF-8 without declaration."""
        try:
            if stylesheet not in self._compiled:
                self._compiled[stylesheet] = self._rules(stylesheet)
        except PySaxonApiError as error:
            return {"stylesheet": str(error)[:_REASON]}
        try:
            report = self._compiled[stylesheet].transform_to_string(xdm_node=self._node(document))
        except (PySaxonApiError, UnicodeDecodeError) as error:
            return {"document": str(error)[:_REASON]}
        return _findings(report)

    def _rules(self, stylesheet: str) -> PyXsltExecutable:
        straight = without_walks(Path(stylesheet))
        if straight is None:
            return self._compiler.compile_stylesheet(stylesheet_file=stylesheet)
        return self._compiler.compile_stylesheet(stylesheet_text=straight)

    def _node(self, document: bytes) -> PyXdmNode:
        if self._parsed is None or self._parsed[0] != document:
            self._parsed = None
            self._parsed = document, self._processor.parse_xml(xml_text=document.decode())
        return self._parsed[1]


def _findings(report: str) -> dict[str, Any]:
    """Return what an SVRL report found: lists of rule, fatal, location and text."""
    found: list[list[Any]] = []
    kept: Counter[tuple[bool, str]] = Counter()
    texts: list[str] | None = None
    total = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal texts, total
        if name in _FOUND:
            total += 1
            told = (attributes.get("flag") or attributes.get("role") or "").lower()
            found.append([attributes.get("id", ""), told not in _MILD, attributes.get("location", ""), ""])
            texts = []

    def end(name: str) -> None:
        nonlocal texts
        if name in _FOUND:
            found[-1][3] = " ".join("".join(texts or ()).split())[:_TEXT]
            texts = None
            kept[_kind(found[-1])] += 1
            # Warnings make room for what is fatal, and the rule that was broken most often for the others: no flood hides them.
            if len(found) > SHOWN:
                most = max(kept, key=lambda kind: (kept[kind] > 0 and not kind[0], kept[kind]))
                del found[next(rank for rank in reversed(range(len(found))) if _kind(found[rank]) == most)]
                kept[most] -= 1

    def text(data: str) -> None:
        if texts is not None:
            texts.append(data)

    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.Parse(report.encode(), True)
    return {"findings": found, "total": total}


def _kind(found: list[Any]) -> tuple[bool, str]:
    rule, fatal, *_ = found
    return fatal, rule


def _resident() -> int:
    """Memory of this process, bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Answer until the other side is gone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))  # not of addresses: Saxon claims some 32 GiB of them, unused
    channel = socket.socket(fileno=0)
    rules = _Rules()
    while True:
        try:
            asked, document = json.loads(receive(channel)), receive(channel)
            used = resource.getrusage(resource.RUSAGE_SELF)
            most = int(used.ru_utime + used.ru_stime) + asked["seconds"]
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
            send(channel, json.dumps(rules.answer(asked["stylesheet"], document) | {"resident": _resident()}).encode())
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    main()
