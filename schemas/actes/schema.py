"""The schema of ACTES, compiled once for each thread, and what it finds wrong with a document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import local

from lxml import etree

MOST_FINDINGS = 50
"""Findings told at most: the others follow from them, or nobody reads them."""

_compiled = local()  # a validator keeps the log of its last document: two threads must not share one


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of libxml2.

    Attributes:
        code: its name for the kind of finding (``SCHEMAV_…``).
        message: in English.
        line: from 1.
        path: XPath of the element.
    """

    code: str
    message: str
    line: int
    path: str


def findings(tree: etree._ElementTree) -> list[Finding]:
    """Hold a document against our schema; nothing found means valid."""
    schema = _schema()
    if schema.validate(tree):
        return []
    return [
        Finding(entry.type_name, entry.message, entry.line, entry.path or "") for entry in list(schema.error_log)[:MOST_FINDINGS]
    ]


def _schema() -> etree.XMLSchema:
    if not hasattr(_compiled, "schema"):
        parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
        _compiled.schema = etree.XMLSchema(etree.parse(str(Path(__file__).parent / "actes.xsd"), parser))
    return _compiled.schema
