"""Compiling a schema without ever reading outside its folder, nor on the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from core.errors import Misconfigured
from core.messages import Catalogue
from schemas.compilation import compiled_schema

messages = Catalogue("schemas.pes")


def compile_schema(path: Path, inside: Path) -> etree.XMLSchema:
    """Compile a schema whose parts all lie inside one folder.

    Raises:
        Misconfigured: it does not compile, or one of its parts lies elsewhere.
    """
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    parser.resolvers.add(_Inside(inside))
    try:
        return compiled_schema(etree.parse(str(path), parser))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError, OSError) as error:
        raise Misconfigured(messages("versions.broken", name=path.name, reason=str(error)[:300])) from error


class _Inside(etree.Resolver):  # type: ignore[misc]  # lxml carries no types
    """Lets files of one folder through and refuses everything else.

    It refuses by raising: an empty answer (``resolve_empty``) makes lxml open the file all the same.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder.resolve()

    def resolve(self, url: str, _public_id: str | None, _context: Any) -> None:
        """Return None, by which lxml opens the file itself, or raise."""
        parts = urlsplit(url)
        for path in {parts.path, unquote(parts.path)}:
            if parts.scheme not in ("", "file") or parts.netloc or not Path(path).resolve().is_relative_to(self._folder):
                raise PermissionError(messages("versions.outside", url=url[:200]))
