"""Exclusive canonical form without comments (Exclusive XML Canonicalization 1.0), streamed into a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from lxml import etree

from core.errors import UnreadableInput


class _HashWriter:
    """What a canonical form can be written to without being kept."""

    def __init__(self, name: str) -> None:
        self.hash = hashlib.new(name)

    def write(self, data: bytes) -> None:
        self.hash.update(data)


def digest(element: etree._Element, hash_name: str, *, exclusive: bool = True) -> bytes:
    """Return the digest of an element's canonical form, exclusive unless said otherwise; no buffer of its size is made.

    Raises:
        UnreadableInput: it has none (a namespace that is a relative URI: Canonical XML 1.0, 1.3).
    """
    writer = _HashWriter(hash_name)
    try:
        etree.ElementTree(element).write_c14n(writer, exclusive=exclusive, with_comments=False)
    except etree.C14NError as error:
        raise UnreadableInput(str(error)) from error
    return writer.hash.digest()


def octets(element: etree._Element) -> bytes:
    """Return the exclusive canonical form of a small element.

    Raises:
        UnreadableInput: as ``digest``.
    """
    try:
        form: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError as error:
        raise UnreadableInput(str(error)) from error
    return form


@contextmanager
def without(signature: etree._Element) -> Iterator[etree._Element]:
    """Give the parent of a signature as if the signature were not there (XMLDSig, 6.6.4), and put everything back.

    Where the parent has another prefix for a namespace of the signature, the signature comes back with that one: its own parts
    are read before.
    """
    parent, previous = signature.getparent(), signature.getprevious()
    rank, tail = parent.index(signature), signature.tail
    before = parent.text if previous is None else previous.tail
    parent.remove(signature)
    joined = ((before or "") + (tail or "")) or None
    _set_text(parent, previous, joined)
    try:
        yield parent
    finally:
        _set_text(parent, previous, before)
        signature.tail = tail
        parent.insert(rank, signature)


def _set_text(parent: etree._Element, previous: etree._Element | None, text: str | None) -> None:
    if previous is None:
        parent.text = text
    else:
        previous.tail = text
