"""The fields of an element of ACTES, read leniently: absent text is empty, what cannot be read is None and noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from lxml import etree

from core.problems import Problem
from schemas.actes.codes import INSEE, NAMESPACE
from schemas.actes.messages import SignedFile
from schemas.actes.schema import MOST_FINDINGS
from schemas.actes.wording import problem

# A time zone is legal in xsd:date; the day is the one written, whatever the zone.
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Unread:
    """A value that could not be read."""

    line: int
    path: str
    found: str


class Fields:
    """An element, asked for its fields by their local names; what could not be read is remembered by all parts together."""

    def __init__(self, element: etree._Element, unread: list[_Unread] | None = None) -> None:
        self.element = element
        self._unread: list[_Unread] = [] if unread is None else unread

    def child(self, *names: str) -> Fields | None:
        """Return the first element at the end of a path of names."""
        found = self.element
        for name in names:
            found = found.find(f"{{{NAMESPACE}}}{name}")
            if found is None:
                return None
        return Fields(found, self._unread)

    def children(self, name: str) -> Iterator[Fields]:
        """Yield the elements of that name directly below."""
        for found in self.element.findall(f"{{{NAMESPACE}}}{name}"):
            yield Fields(found, self._unread)

    def attribute(self, name: str) -> str:
        """Return an attribute, stripped; unprefixed ones, which the schema refuses, are read all the same."""
        return self.written(name).strip()

    def written(self, name: str) -> str:
        """Return the same as it stands."""
        value = self.element.get(f"{{{NAMESPACE}}}{name}")
        return str(self.element.get(name, "") if value is None else value)

    def siren(self) -> str:
        """Return INSEE's attribute."""
        return str(self.element.get(f"{{{INSEE}}}SIREN") or self.attribute("SIREN")).strip()

    def text(self, *names: str) -> str | None:
        """Return the text of an element as it stands, None when there is no such element."""
        found = self.child(*names)
        return None if found is None else found.own()

    def own(self) -> str:
        """Return the text of this very element, comments left out."""
        return str(self.element.text or "") + "".join(
            child.tail or "" for child in self.element if not isinstance(child.tag, str)
        )

    def day(self, *names: str) -> date | None:
        """Return the date in an element."""
        found = self.child(*names)
        return None if found is None else found.read_day(found.own())

    def attribute_day(self, name: str) -> date | None:
        """Return the date in an attribute."""
        return self.read_day(self.attribute(name), name)

    def integer(self, name: str) -> int | None:
        """Return the whole number in an attribute."""
        value = self.attribute(name)
        if _INTEGER.fullmatch(value):
            return int(value)
        self._note(value, name)
        return None

    def file(self, *names: str) -> SignedFile | None:
        """Return the ``FichierSigne`` at a path of names."""
        found = self.child(*names)
        return None if found is None else found.signed_file()

    def files(self, name: str) -> tuple[SignedFile, ...]:
        """Return every ``FichierSigne`` of that name directly below."""
        return tuple(found.signed_file() for found in self.children(name))

    def signed_file(self) -> SignedFile:
        """Return this element as a ``FichierSigne``."""
        signature = self.child("Signature")
        return SignedFile((self.text("NomFichier") or "").strip(), None if signature is None else _content(signature.element))

    def read_day(self, value: str, attribute: str | None = None) -> date | None:
        """Return a date, None when it is none."""
        match = _DATE.fullmatch(value.strip())
        if match:
            try:
                return date(*map(int, match.groups()))
            except ValueError:
                pass
        self._note(value, attribute)
        return None

    def flaws(self, rule: str) -> list[Problem]:
        """Return what could not be read, as problems of a rule."""
        return [
            problem(rule, "unread", line=unread.line, path=unread.path, found=unread.found, place=unread.path.rpartition("/")[2])
            for unread in self._unread
        ]

    def _note(self, value: str, attribute: str | None) -> None:
        # An absent value is the schema's business; telling the place of a value walks all that stands before it.
        if value.strip() and len(self._unread) < MOST_FINDINGS:
            path = self.element.getroottree().getpath(self.element)
            self._unread.append(_Unread(self.element.sourceline, f"{path}/@{attribute}" if attribute else path, value))


def _content(element: etree._Element) -> str:
    """Return the text of an element, or its markup when it holds elements."""
    if len(element) == 0:
        return (element.text or "").strip()
    parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return "".join(parts).strip()
