"""Walking what was read of a SEDA message, whatever the namespace of its version."""

from __future__ import annotations

from lxml import etree


def name_of(element: etree._Element) -> str:
    """Return the name of an element, without its namespace."""
    return str(etree.QName(element).localname)


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first child of a name, None when there is none."""
    return next((one for one in element if isinstance(one.tag, str) and name_of(one) == name), None)


def text_of(element: etree._Element, *names: str) -> str | None:
    """Return the stripped text at the end of a path of element names, None when there is none or it is empty."""
    found: etree._Element | None = element
    for name in names:
        found = None if found is None else child(found, name)
    return None if found is None else (found.text or "").strip() or None
