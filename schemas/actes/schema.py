"""The schema of ACTES, compiled once for each thread, and what it finds wrong with a document."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from threading import local

from lxml import etree

from schemas.compilation import compiled_schema
from schemas.flood import Finding, flood

MOST_FINDINGS = 50
"""Findings told at most: the others follow from them, or nobody reads them."""

_DENSE = 5_000  # tags and attributes: twice those of the largest classification known
_compiled = local()  # a validator keeps the log of its last document: two threads must not share one


def findings(tree: etree._ElementTree, content: bytes) -> list[Finding]:
    """Hold a document against our schema; nothing found means valid.

    Args:
        tree: the document.
        content: its octets, as the tree was read from them.
    """
    schema = _schema()
    if content.count(b"<") + content.count(b"=") > _DENSE:
        flooded = flood(schema, tree, partial(BytesIO, content), MOST_FINDINGS)
        if flooded is not None:
            return flooded[0]
    return [] if schema.validate(tree) else [*map(Finding.copied, schema.error_log[:MOST_FINDINGS])]


def _schema() -> etree.XMLSchema:
    if not hasattr(_compiled, "schema"):
        parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
        _compiled.schema = compiled_schema(etree.parse(str(Path(__file__).parent / "actes.xsd"), parser))
    return _compiled.schema
