"""The canonical forms that are met outside PES, and elements as they are digested: without signatures, or decoded.

A form with comments is that without: what designates a part of the same document leaves comments out (XMLDSig 1.1, 4.4.3.3), and
none is admitted in SignedInfo.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from types import SimpleNamespace

from lxml import etree

from schemas.xml import parse_pieces
from signing.algorithms import EXCLUSIVE_C14N
from signing.pes import canonical
from signing.pes.layout import SIGNATURE
from signing.pes.signature import Unreadable

_XML = "{http://www.w3.org/XML/1998/namespace}"
_BASE = f"{_XML}base"
_PREFIXES = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"


@dataclass(frozen=True, slots=True)
class Form:
    """A canonical form.

    Attributes:
        exclusive: declarations and attributes of ancestors stay out of it.
        imported: which attributes of the ``xml`` namespace it takes from ancestors; None means all of them.
        prefixes: whose declarations an exclusive form keeps all the same (Exclusive XML Canonicalization 1.0, 3).
    """

    exclusive: bool
    imported: frozenset[str] | None = frozenset()
    prefixes: tuple[str, ...] = ()

    def exact(self, element: etree._Element) -> bool:
        """Tell whether the form of an element is computed here: Canonical XML 1.1 joins the bases of its ancestors (2.4)."""
        joins = not self.exclusive and self.imported is not None
        return not (joins and any(_BASE in ancestor.attrib for ancestor in element.iterancestors()))

    def digest(self, element: etree._Element, hash_name: str) -> bytes:
        """Return the digest of an element's form; no buffer of its size is made.

        Raises:
            Unreadable: a namespace is relative, which has no canonical form (Canonical XML, 1.3).
        """
        found = hashlib.new(hash_name)
        self.write(element, found.update)
        return found.digest()

    def write(self, element: etree._Element, sink: Callable[[bytes], object]) -> None:
        """Give an element's form, in pieces.

        Raises:
            Unreadable: as ``digest``.
        """
        with _canonical():
            etree.ElementTree(self._apex(element)).write_c14n(
                SimpleNamespace(write=sink),
                exclusive=self.exclusive,
                with_comments=False,
                inclusive_ns_prefixes=self.prefixes,
            )

    def octets(self, element: etree._Element) -> bytes:
        """Return the form of a small element.

        Raises:
            Unreadable: as ``digest``.
        """
        with _canonical():
            form: bytes = etree.tostring(
                self._apex(element),
                method="c14n",
                exclusive=self.exclusive,
                with_comments=False,
                inclusive_ns_prefixes=self.prefixes,
            )
        return form

    def _apex(self, element: etree._Element) -> etree._Element:
        """Return the element whose form is computed; for an inclusive one, the root of a document of its own.

        Within its document lxml leaves out what an element imports from its ancestors (Canonical XML, 2.4), and undeclares below
        it a default namespace that stands above it.
        """
        if self.exclusive or element.getparent() is None:
            return element
        apex = parse_pieces([etree.tostring(element, encoding="UTF-8", with_tail=False)]).getroot()
        for ancestor in element.iterancestors():
            for name, value in ancestor.attrib.items():
                if self._imports(name) and name not in apex.attrib:
                    apex.set(name, value)
        return apex

    def _imports(self, name: str) -> bool:
        return name.startswith(_XML) and (self.imported is None or name in self.imported)


@contextmanager
def _canonical() -> Iterator[None]:
    try:
        yield
    except etree.C14NError as error:
        raise Unreadable("xmlns") from error


INCLUSIVE = Form(exclusive=False, imported=None)
_ALGORITHMS = {
    EXCLUSIVE_C14N: Form(exclusive=True),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": INCLUSIVE,
    "http://www.w3.org/2006/12/xml-c14n11": Form(exclusive=False, imported=frozenset({f"{_XML}lang", f"{_XML}space"})),
}
FORMS = {
    **_ALGORITHMS,
    **{f"{name.removesuffix('#')}#WithComments": form for name, form in _ALGORITHMS.items()},
}
"""The forms that are read, by identifier."""


def form_of(method: etree._Element) -> Form | None:
    """Return the form that a Transform or a CanonicalizationMethod names, with its prefixes; None for any that is not read."""
    form, parts = FORMS.get(method.get("Algorithm") or ""), list(method)
    if form is None or (method.text or "").strip():
        return None
    if not parts:
        return form
    if not form.exclusive or [part.tag for part in parts] != [_PREFIXES] or len(parts[0]):
        return None
    return replace(form, prefixes=tuple((parts[0].get("PrefixList") or "").split()))


def outermost(element: etree._Element) -> list[etree._Element]:
    """Return the signatures below an element, those within another left out."""
    return [one for one in element.iterdescendants(SIGNATURE) if next(one.iterancestors(SIGNATURE), None) is None]


@contextmanager
def without(signatures: Iterable[etree._Element], element: etree._Element) -> Iterator[etree._Element]:
    """Give an element as if signatures below it were not there.

    It stands in a copy of its document: what lxml takes out it does not put back as it was, for it shortens namespaces.
    """
    paths = [_path(signature) for signature in signatures]
    root = copy.deepcopy(element.getroottree()).getroot()
    copied, target = [_at(root, path) for path in paths], _at(root, _path(element))
    with ExitStack() as stack:
        for signature in copied:
            stack.enter_context(canonical.without(signature))
        yield target


def _path(element: etree._Element) -> list[int]:
    """Return the ranks that lead from the root to an element."""
    line = [element, *element.iterancestors()]
    return [parent.index(child) for child, parent in pairwise(line)][::-1]


def _at(root: etree._Element, path: list[int]) -> etree._Element:
    return reduce(lambda element, rank: element[rank], path, root)


def decoded(element: etree._Element) -> bytes | None:
    """Return the octets that an element holds in base64 (XMLDSig 1.1, 6.6.2); None when it holds something else."""
    try:
        return base64.b64decode("".join(element.xpath("string()").split()), validate=True)
    except (binascii.Error, ValueError):
        return None
