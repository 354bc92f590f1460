"""Holding a manifest against the XSD of its version: the official one that an operator installed, else the one of this folder.

What lives here: making our schema of a version out of the description of its family (``messages.xsd`` and its parts for 2.x,
``legacy.xsd`` for the versions before), finding and compiling the official ones (they are published by the SIAF and not part of
this project). What does not: the words of a finding (`schemas.seda.violations`), what the schema does not see
(`schemas.seda.rules`).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from lxml import etree

from core.errors import Misconfigured
from core.messages import Catalogue
from schemas.compilation import compiled_schema
from schemas.flood import Finding, flood
from schemas.seda.legacy import LEGACY
from schemas.seda.nouns import namespace_of

OWN_VERSIONS = ("0.2", "1.0", "2.1", "2.2", "2.3")
"""The versions that this folder describes; of 0.2 and 1.0 the transfer only."""
MOST_FINDINGS = 50
"""Findings told at most: the others follow from them, or nobody reads them."""

_messages = Catalogue("schemas.seda")
_HERE = Path(__file__).parent
_PARTS = ("messages.xsd", "objects.xsd", "management.xsd", "description.xsd", "agents.xsd")
_LEGACY_PARTS = ("legacy.xsd",)
_MARK = "{urn:tabellion:versions}"
_PLACEHOLDER = "urn:seda"
_W3C = {
    "http://www.w3.org/2001/xml.xsd": "w3c/2001/xml.xsd",
    "http://www.w3.org/1999/xlink.xsd": "w3c/1999/xlink.xsd",
}
_MAIN = {
    "1.0": "seda_v1-0/seda_v1-0.xsd",
    "0.2": "seda_v0-2/seda_v0-2.xsd",
}
_DENSE = 5_000  # elements: a manifest of a few hundred files
_locks: defaultdict[int, Lock] = defaultdict(Lock)  # a compiled schema has one error log, whatever the number of threads


def installed(folder: Path | None, version: str) -> bool:
    """Tell whether an operator installed the official schema of a version."""
    return folder is not None and _official_path(folder, version).is_file()


def findings(tree: etree._ElementTree, source: Path, version: str, folder: Path | None) -> list[Finding]:
    """Hold a message against the schema of its version; nothing found means valid, or that no schema of it is known here.

    Args:
        tree: the message.
        source: the file that it was read from.
        version: ``2.2``.
        folder: of official schemas; None when there is none.

    Raises:
        Misconfigured: the official schema does not compile.
    """
    if installed(folder, version) and folder is not None:
        compiled = load(folder, version)
    elif version in OWN_VERSIONS:
        compiled = own(version)
    else:
        return []
    with _locks[id(compiled)]:
        dense = tree.getroot().xpath("count(//*)") > _DENSE
        if dense and (flooded := flood(compiled, tree, lambda: source.open("rb"), MOST_FINDINGS)):
            return flooded[0]
        return [] if compiled.validate(tree) else [*map(Finding.copied, compiled.error_log[:MOST_FINDINGS])]


@cache
def own(version: str) -> etree.XMLSchema:
    """Return our schema of a version, one of ``OWN_VERSIONS``, compiled."""
    return compiled_schema(described(version))


def described(version: str) -> etree._ElementTree:
    """Return our schema of a version as a document: the parts put together, without what belongs to other versions."""
    main, *others = (_part(name, version) for name in (_LEGACY_PARTS if version in LEGACY else _PARTS))
    for other in others:
        main.extend(other)
    return main.getroottree()


def _part(name: str, version: str) -> etree._Element:
    path = _HERE / name
    text = path.read_text(encoding="utf-8").replace(f'"{_PLACEHOLDER}"', f'"{namespace_of(version)}"')
    parser = etree.XMLParser(no_network=True, resolve_entities=False, remove_comments=True)
    root = etree.fromstring(text.encode(), parser, base_url=str(path))
    for element in list(root.iter(etree.Element)):
        since, until = element.attrib.pop(f"{_MARK}since", version), element.attrib.pop(f"{_MARK}until", version)
        if not since <= version <= until and (parent := element.getparent()) is not None:
            parent.remove(element)
    return root


@cache
def load(folder: Path, version: str) -> etree.XMLSchema:
    """Return the official schema of a version (``2.2``), compiled, from a folder laid out as the schemas are distributed.

    Raises:
        Misconfigured: the schema is absent, or does not compile.
    """
    path = _official_path(folder, version)
    if not path.is_file():
        raise Misconfigured(_messages("schema.absent", version=version, path=path))
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Local(folder))
    try:
        return compiled_schema(etree.parse(str(path), parser))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise Misconfigured(_messages("schema.broken", version=version, detail=error)) from error


def _official_path(folder: Path, version: str) -> Path:
    return folder / _MAIN.get(version, f"seda-{version}/seda-{version}-main.xsd")


class _Local(etree.Resolver):  # type: ignore[misc]
    """SEDA imports two schemas of the W3C by their address on the web; they are answered from the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def resolve(self, url: str, _public: str | None, context: Any) -> Any:
        """Answer a known address with the local copy; leave the rest to the parser, which has no network."""
        name = _W3C.get(url)
        return None if name is None else self.resolve_filename(str(self._folder / name), context)
