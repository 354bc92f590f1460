"""Writing a SEDA message, of any kind, element after element: what every writer of this folder needs, and what none may write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from core.clock import iso
from core.errors import UsageError
from core.messages import Catalogue
from schemas.seda.model import Agency

TEXT_LIMIT = 32_000
"""Longest field, in characters, that receivers take (Vitam, « Structuration des SIP », v16)."""

_messages = Catalogue("schemas.seda")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class UnwritableTransfer(UsageError):
    """The message cannot be written as one that a receiver would take."""


@contextmanager
def written(target: Path, namespace: str) -> Iterator[Document]:
    """Open a message for writing, streamed to a file.

    Raises:
        UnwritableTransfer: as the methods of the document; nothing usable is left at the target.
    """
    with target.open("wb") as stream, etree.xmlfile(stream, encoding="UTF-8") as xml:
        xml.write_declaration()
        yield Document(xml, namespace)


class Document:
    """An XML file being written, indented for the archivist who will open it."""

    def __init__(self, xml: Any, namespace: str) -> None:
        self._xml = xml
        self._namespace = namespace
        self._depth = 0

    @contextmanager
    def inside(self, name: str, identifier: str | None = None) -> Iterator[None]:
        """Write an element that holds others, those that are written meanwhile."""
        attributes = {} if identifier is None else {"id": identifier}
        declared = None if self._depth else {None: self._namespace}
        if self._depth:
            self._break_line()
        with self._xml.element(f"{{{self._namespace}}}{name}", attributes, nsmap=declared):
            self._depth += 1
            yield
            self._depth -= 1
            self._break_line()

    def text(self, name: str, value: str | None, **attributes: str) -> None:
        """Write an element that holds text, or nothing when there is no value.

        Raises:
            UnwritableTransfer: a text that is empty, too long, or not representable in XML 1.0.
        """
        if value is None:
            return
        if not value.strip():
            raise UnwritableTransfer(_messages("write.empty", name=name))
        if len(value) > TEXT_LIMIT:
            raise UnwritableTransfer(_messages("write.long", name=name, limit=TEXT_LIMIT))
        if _ILLEGAL.search(value):
            raise UnwritableTransfer(_messages("write.character", name=name))
        self._break_line()
        with self._xml.element(f"{{{self._namespace}}}{name}", attributes):
            self._xml.write(value)

    def empty(self, name: str, **attributes: str) -> None:
        """Write an element that says all by its attributes."""
        if any(_ILLEGAL.search(value) for value in attributes.values()):
            raise UnwritableTransfer(_messages("write.character", name=name))
        self._break_line()
        with self._xml.element(f"{{{self._namespace}}}{name}", attributes):
            pass

    def date(self, name: str, value: date | datetime | None) -> None:
        """Write a day, or a moment in UTC, or nothing."""
        if value is not None:
            self.text(name, iso(value) if isinstance(value, datetime) else value.isoformat())

    def agency(self, name: str, agency: Agency) -> None:
        """Write an organisation, as SEDA 2.x names one."""
        attributes = {} if agency.scheme is None else {"schemeName": agency.scheme}
        with self.inside(name):
            self.text("Identifier", agency.identifier, **attributes)

    def _break_line(self) -> None:
        self._xml.write("\n" + "  " * self._depth)
