"""Holding a manifest against the official XSD of its version.

What lives here: finding and compiling the schemas in a folder that the operator installed (they are published by the SIAF and
not part of this project). What does not: what the schema does not see (`schemas.seda.rules`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("schemas.seda")
_W3C = {
    "http://www.w3.org/2001/xml.xsd": "w3c/2001/xml.xsd",
    "http://www.w3.org/1999/xlink.xsd": "w3c/1999/xlink.xsd",
}
_MAIN = {
    "1.0": "seda_v1-0/seda_v1-0.xsd",
    "0.2": "seda_v0-2/seda_v0-2.xsd",
}


@cache
def load(folder: Path, version: str) -> etree.XMLSchema:
    """Return the compiled schema of a version (``2.2``), from a folder laid out as the schemas are distributed.

    Raises:
        Misconfigured: the schema is absent, or does not compile.
    """
    path = folder / _MAIN.get(version, f"seda-{version}/seda-{version}-main.xsd")
    if not path.is_file():
        raise Misconfigured(_messages("schema.absent", version=version, path=path))
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Local(folder))
    try:
        return etree.XMLSchema(etree.parse(str(path), parser))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise Misconfigured(_messages("schema.broken", version=version, detail=error)) from error


class _Local(etree.Resolver):  # type: ignore[misc]
    """SEDA imports two schemas of the W3C by their address on the web; they are answered from the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def resolve(self, url: str, _public: str | None, context: Any) -> Any:
        """Answer a known address with the local copy; leave the rest to the parser, which has no network."""
        name = _W3C.get(url)
        return None if name is None else self.resolve_filename(str(self._folder / name), context)
