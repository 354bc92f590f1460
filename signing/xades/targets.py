"""What a reference designates: found by its unique Id, then told by where it stands; anything else is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from lxml import etree

from signing.pes.layout import DS, SIGNATURE
from signing.pes.signature import XADES, Signature
from signing.xades.forms import Form, outermost, without
from signing.xades.strangers import PROPERTIES, qualifies

_OBJECT = f"{{{DS}}}Object"
_FILE = re.compile(r"(?![/\\# ])(?![^/]*:)[^\\\x00-\x1f]+")
_POINTER = re.compile(r"#xpointer\((?:/|id\((['\"])([^'\"]+)\1\))\)")
_IDENTIFIED = "//*[@Id or @ID or @id or @xml:id]"
_IDENTIFIERS = ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")


class Kind(Enum):
    """Where what a reference designates stands."""

    ABOVE = auto()
    OBJECT = auto()
    MANIFEST = auto()
    KEY = auto()
    PROPERTIES = auto()
    SIGNED = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference designates.

    Attributes:
        kind: where it stands: above the signature, in it, the signature that it countersigns, or outside.
        label: what to call it when it is data; None when it is not.
        element: itself; None outside.
    """

    kind: Kind
    label: str | None = None
    element: etree._Element | None = None


class Refused(Exception):
    """A reference that must not be followed, or leads to nothing.

    Attributes:
        key: of the words that say so.
        found: what they are about.
    """

    def __init__(self, key: str, found: str | None = None) -> None:
        super().__init__(key)
        self.key = key
        self.found = found


class Document:
    """A document, its identifiers, and the digests that were computed once for all its signatures."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self._identified: dict[str, list[etree._Element]] = {}
        for element in root.xpath(_IDENTIFIED):
            for name in _IDENTIFIERS:
                if name in element.attrib:
                    self._identified.setdefault(element.attrib[name], []).append(element)
        self._whole: dict[tuple[etree._Element, Form, str], bytes] = {}
        self.beside = bool(root.xpath("boolean(/processing-instruction())"))

    def named(self, identifier: str) -> list[etree._Element]:
        """Return the elements that bear an identifier, one for each time that it stands there."""
        return self._identified.get(identifier, [])

    def bare(self, element: etree._Element, form: Form, hash_name: str) -> bytes:
        """Return the digest of an element without any signature."""
        key = (element, form, hash_name)
        if key not in self._whole:
            with without(outermost(element), element) as bare:
                self._whole[key] = form.digest(bare, hash_name)
        return self._whole[key]


def target_of(uri: str | None, signature: Signature, document: Document) -> Target:
    """Find what a reference of a signature designates.

    Raises:
        Refused: it must not designate that.
    """
    uri = _plain(uri)
    if uri == "" and signature.element is not document.root:
        return Target(Kind.ABOVE, "document", document.root)
    if uri is not None and uri.startswith("#"):
        return _inside(uri.removeprefix("#"), signature, document)
    if not names_file(uri):
        raise Refused("xades.elsewhere", uri)
    return Target(Kind.FILE, "document" if uri is None else f"file {uri}")


def names_file(uri: str | None) -> bool:
    """Tell whether a reference is to data outside: it has no URI, or a relative one without scheme nor parents."""
    return uri is None or (_FILE.fullmatch(uri) is not None and ".." not in uri.split("/"))


def _plain(uri: str | None) -> str | None:
    """Return a reference into the document in its plain form: that by XPointer says the same (XMLDSig 1.1, 4.4.3.2)."""
    found = _POINTER.fullmatch(uri or "")
    return uri if found is None else f"#{found[2]}" if found[2] else ""


def _inside(identifier: str, signature: Signature, document: Document) -> Target:
    """Find the element of an Id, which must be unique, and say what it is to the signature."""
    found = document.named(identifier)
    if len(found) != 1:
        raise Refused("S05.twice" if found else "xades.dangling", identifier)
    (element,) = found
    own, parent = signature.element, element.getparent()
    if element is document.root and document.beside:
        raise Refused("xades.beside")
    if any(ancestor is element for ancestor in own.iterancestors()):
        return Target(Kind.ABOVE, "document" if parent is None else f"element {identifier}", element)
    if element is signature.signed_properties:
        return Target(Kind.PROPERTIES, None, element)
    if parent is own and element.tag == f"{{{DS}}}KeyInfo":
        return Target(Kind.KEY, None, element)
    if parent is own and element.tag == _OBJECT and not _holds_properties_only(element):
        return Target(Kind.OBJECT, f"object {identifier}", element)
    if _is_object(parent, own):
        if element.tag == f"{{{DS}}}Manifest":
            return Target(Kind.MANIFEST, None, element)
        if element.tag == PROPERTIES:
            return Target(Kind.KEY, None, element)
        if not qualifies(element):
            return Target(Kind.OBJECT, f"object {identifier}", element)
    if parent is not None and parent.tag == PROPERTIES and _is_object(parent.getparent(), own):
        return Target(Kind.KEY, None, element)
    if _countersigns(own, element):
        return Target(Kind.SIGNED, "signature", element)
    raise Refused("xades.elsewhere", f"#{identifier}")


def _is_object(holder: etree._Element | None, own: etree._Element) -> bool:
    return holder is not None and holder.tag == _OBJECT and holder.getparent() is own


def _holds_properties_only(holder: etree._Element) -> bool:
    """Tell whether an object holds the properties of the signature and nothing else."""
    names = [etree.QName(child) for child in holder.iterchildren("*")]
    return [(name.localname, name.namespace in XADES) for name in names] == [("QualifyingProperties", True)]


def _countersigns(own: etree._Element, element: etree._Element) -> bool:
    """Tell whether this is the value of the signature that carries ours as a counter-signature (TS 101 903, 7.2.4)."""
    holder = own.getparent()
    if holder is None or etree.QName(holder).localname != "CounterSignature" or etree.QName(holder).namespace not in XADES:
        return False
    return element.tag == f"{{{DS}}}SignatureValue" and element.getparent() is next(holder.iterancestors(SIGNATURE), None)
