"""Writing the XML of UN/CEFACT (CII, CDAR): elements below one another, none of them empty, values as schemas want them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from core.clock import in_paris
from schemas.invoices.parties import Identifier

_DAY, _MOMENT = "%Y%m%d", "%Y%m%d%H%M%S"  # formats 102 and 204


class Elements:
    """Writes elements whose names bear the prefixes of some namespaces; paths are such names with slashes between them."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = dict(namespaces)

    def root(self, name: str) -> etree._Element:
        """Return a new document's root."""
        return etree.Element(self._name(name), nsmap=self._namespaces)

    def below(self, above: etree._Element, path: str) -> etree._Element:
        """Return a new element at a path, each step new."""
        for name in path.split("/"):
            above = etree.SubElement(above, self._name(name))
        return above

    def text(self, above: etree._Element, path: str, text: str, **attributes: str) -> None:
        """Write a text, unless it is empty."""
        if text:
            element = self.below(above, path)
            element.text = text
            for name, value in attributes.items():
                if value:
                    element.set(name, value)

    def number(self, above: etree._Element, path: str, number: Decimal | None, **attributes: str) -> None:
        """Write a decimal, without an exponent."""
        if number is not None:
            self.text(above, path, f"{number:f}", **attributes)

    def day(self, above: etree._Element, path: str, day: date | None, form: str = "udt:DateTimeString") -> None:
        """Write a day."""
        if day is not None:
            self.text(above, f"{path}/{form}", day.strftime(_DAY), format="102")

    def moment(self, above: etree._Element, path: str, moment: datetime | None) -> None:
        """Write a moment to the second, as clocks show it in Paris: the form has no zone."""
        if moment is not None:
            self.text(above, f"{path}/udt:DateTimeString", in_paris(moment).strftime(_MOMENT), format="204")

    def identifier(self, above: etree._Element, path: str, identifier: Identifier | None) -> None:
        """Write an identifier with its scheme."""
        if identifier is not None:
            self.text(above, path, identifier.value, schemeID=identifier.scheme)

    def _name(self, prefixed: str) -> str:
        prefix, _, local = prefixed.partition(":")
        return f"{{{self._namespaces[prefix]}}}{local}"


def octets_of(root: etree._Element) -> bytes:
    """Return a document in UTF-8."""
    octets: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return octets
