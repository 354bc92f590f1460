"""Exclusive canonical form without comments (Exclusive XML Canonicalization 1.0), streamed into a hash."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise

from lxml import etree

from core.errors import UnreadableInput


class _HashWriter:
    """What a canonical form can be written to without being kept."""

    def __init__(self, name: str) -> None:
        self.hash = hashlib.new(name)

    def write(self, data: bytes) -> None:
        self.hash.update(data)


def digest(element: etree._Element, hash_name: str) -> bytes:
    """Return the digest of an element's canonical form; no buffer of its size is made.

    Raises:
        UnreadableInput: it has none (a namespace that is a relative URI: Canonical XML 1.0, 1.3).
    """
    writer = _HashWriter(hash_name)
    try:
        etree.ElementTree(element).write_c14n(writer, exclusive=True, with_comments=False)
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

    The signature is one that ``replaceable`` gives, or stands in a tree that nobody reads afterwards.
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


def replaceable(signature: etree._Element) -> etree._Element:
    """Return a signature that ``without`` can put back as it was: itself, or the same one in a copy of its document.

    What comes back takes the prefix that its new surroundings have for a namespace, be it another one than its own.
    """
    if not _would_be_renamed(signature):
        return signature
    line = [signature, *signature.iterancestors()]
    ranks = [parent.index(child) for child, parent in pairwise(line)]
    root: etree._Element = copy.deepcopy(signature.getroottree()).getroot()
    return reduce(lambda element, rank: element[rank], reversed(ranks), root)


def _would_be_renamed(signature: etree._Element) -> bool:
    around = signature.getparent().nsmap
    if len(set(around.values())) < len(around):
        return True
    declared = {(prefix, uri) for element in signature.iter("*") for prefix, uri in element.nsmap.items()}
    return any(uri in around.values() and around.get(prefix) != uri for prefix, uri in declared)


def _set_text(parent: etree._Element, previous: etree._Element | None, text: str | None) -> None:
    if previous is None:
        parent.text = text
    else:
        previous.tail = text
