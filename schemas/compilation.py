"""Compiling schemas, one at a time: libxml2 fills its table of built-in types at the first compilation, without a lock.

What lives here: the lock, and nothing about any format. A process whose threads compile their first schemas together may crash
or never end: every schema of ours, of the State or of an archive comes through here.
"""

from __future__ import annotations

import threading

from lxml import etree

_ONE_AT_A_TIME = threading.Lock()


def compiled_schema(tree: etree._ElementTree) -> etree.XMLSchema:
    """Compile an XML schema, with what it includes.

    Raises:
        etree.XMLSchemaParseError: it does not compile.
    """
    with _ONE_AT_A_TIME:
        return etree.XMLSchema(tree)


def compiled_relax_ng(tree: etree._ElementTree) -> etree.RelaxNG:
    """Compile a Relax NG grammar.

    Raises:
        etree.RelaxNGParseError: it does not compile.
    """
    with _ONE_AT_A_TIME:
        return etree.RelaxNG(tree)
