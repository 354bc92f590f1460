"""Reading values out of the tree of an invoice: one that cannot be read is absent, and told as a flaw, as is a wrong key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from core.identifiers import Siret
from schemas.invoices.invoice import Period
from schemas.invoices.parties import SIRET, Identifier

_DECIMAL = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,20})?|\.[0-9]{1,20})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS = re.compile(r"[0-9]{14}")  # of a SIRET: another length is for the rules to tell
_MOMENT = "%Y%m%d%H%M%S"
_TRUE = {"true", "1"}


@dataclass(frozen=True, slots=True)
class Flaw:
    """A value that cannot be read.

    Attributes:
        kind: what it should be: ``amount``, ``date``, or ``siret`` with the right key.
        element: where it stands.
        found: what stands there.
    """

    kind: str
    element: etree._Element
    found: str


class Values:
    """Reads values below elements, by paths of names with prefixes (``ram:ID``); flaws gather in ``flaws``."""

    def __init__(self, namespaces: dict[str, str]) -> None:
        self.flaws: list[Flaw] = []
        self._namespaces = namespaces

    def one(self, element: etree._Element | None, path: str) -> etree._Element | None:
        """Return the first element at a path; None when there is none, or nothing to look below."""
        return None if element is None else element.find(path, self._namespaces)

    def every(self, element: etree._Element | None, path: str) -> list[etree._Element]:
        """Return all elements at a path."""
        return [] if element is None else element.findall(path, self._namespaces)

    def text(self, element: etree._Element | None, path: str) -> str:
        """Return the text at a path, without white space around it; empty when there is none."""
        found = self.one(element, path)
        return "" if found is None else stripped(found)

    def identifier(self, element: etree._Element | None, path: str) -> Identifier | None:
        """Return the identifier at a path with its scheme; None when there is none, or it is empty."""
        found = self.one(element, path)
        return None if found is None else self._identifier(found)

    def identifiers(self, element: etree._Element | None, *paths: str) -> tuple[Identifier, ...]:
        """Return all identifiers at some paths."""
        found = (self._identifier(one) for path in paths for one in self.every(element, path))
        return tuple(one for one in found if one is not None)

    def amount(self, element: etree._Element | None, path: str) -> Decimal | None:
        """Return the number at a path."""
        found = self.one(element, path)
        return None if found is None else self.number(found)

    def number(self, element: etree._Element) -> Decimal | None:
        """Return the number that an element holds (xs:decimal: no exponent)."""
        text = stripped(element)
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
        self._flaw("amount", element, text)
        return None

    def day(self, element: etree._Element | None, path: str, form: str = "%Y-%m-%d") -> date | None:
        """Return the day at a path.

        Args:
            element: above.
            path: below it.
            form: of ``strptime``; a time or an offset that follows an ISO date is passed over.
        """
        found = self.one(element, path)
        if found is None:
            return None
        text = stripped(found)
        iso = _DAY.match(text)
        try:
            return datetime.strptime(iso.group() if iso else text, "%Y-%m-%d" if iso else form).date()  # noqa: DTZ007  (a day)
        except ValueError:
            self._flaw("date", found, text)
            return None

    def moment(self, element: etree._Element | None, path: str) -> datetime | None:
        """Return the moment at a path, without a zone (UNTDID 2379, format 204)."""
        found = self.one(element, path)
        if found is None:
            return None
        text = stripped(found)
        try:
            return datetime.strptime(text, _MOMENT)  # noqa: DTZ007  (the document has no zone either)
        except ValueError:
            self._flaw("date", found, text)
            return None

    def truth(self, element: etree._Element | None, path: str) -> bool:
        """Tell whether the text at a path says yes."""
        return self.text(element, path).lower() in _TRUE

    def _identifier(self, element: etree._Element) -> Identifier | None:
        found = identifier(element)
        if found is not None and found.scheme == SIRET and _DIGITS.fullmatch(found.value) and not Siret.key_holds(found.value):
            self._flaw("siret", element, found.value)
        return found

    def _flaw(self, kind: str, element: etree._Element, text: str) -> None:
        if text:  # an empty element is as one that is not there
            self.flaws.append(Flaw(kind, element, text))


def stripped(element: etree._Element) -> str:
    """Return the text of an element without white space around it."""
    return (element.text or "").strip()


def identifier(element: etree._Element) -> Identifier | None:
    """Return what an element identifies; None when it is empty."""
    value = stripped(element)
    return Identifier(value, element.get("schemeID", "").strip()) if value else None


def period(start: date | None, end: date | None) -> Period | None:
    """Return a period; None when neither of its days is known."""
    return Period(start, end) if start or end else None


def joined(*texts: str) -> tuple[str, ...]:
    """Return those that are not empty."""
    return tuple(text for text in texts if text)
