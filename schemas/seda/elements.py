"""Walking what was read of a SEDA message, whatever the namespace of its version."""

from __future__ import annotations

import base64
import binascii

from lxml import etree


def name_of(element: etree._Element) -> str:
    """Return the name of an element, without its namespace."""
    return str(etree.QName(element).localname)


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first child of a name, None when there is none."""
    return next((one for one in element if isinstance(one.tag, str) and name_of(one) == name), None)


def value_of(element: etree._Element) -> str:
    """Return the stripped text of an element that holds no other; comments and instructions may stand in it."""
    return "".join([element.text or "", *(inside.tail or "" for inside in element)]).strip()


def octets_of(element: etree._Element) -> bytes | None:
    """Return the octets that an element holds in base64; None when it is empty, or holds something else."""
    try:
        return base64.b64decode("".join(value_of(element).split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def text_of(element: etree._Element, *names: str) -> str | None:
    """Return the stripped text at the end of a path of element names, None when there is none or it is empty."""
    found: etree._Element | None = element
    for name in names:
        found = None if found is None else child(found, name)
    return None if found is None else value_of(found) or None
