"""What stands in a signature and is signed by nobody: it may be taken for data."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from lxml import etree

from signing.algorithms import EXCLUSIVE_C14N
from signing.pes.layout import DS, SIGNATURE
from signing.pes.signature import XADES

PROPERTIES = f"{{{DS}}}SignatureProperties"
"""Where a signature keeps properties of its own that are not of XAdES (XMLDSig 1.1, 5.2)."""

_STANDARDS = (
    DS,
    "http://www.w3.org/2009/xmldsig11#",
    EXCLUSIVE_C14N,
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://uri.etsi.org/01903/",
    "http://uri.etsi.org/19132/",
    "urn:ietf:params:xml:ns:ers",
)
# the roots under which a container lists its signatures: ASiC, OpenDocument
_CONTAINERS = {
    "{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures",
    "{urn:oasis:names:tc:opendocument:xmlns:digitalsignature:1.0}document-signatures",
}


def carries_signatures_only(root: etree._Element) -> bool:
    """Tell whether a document says nothing but its signatures, each of which says what it is over."""
    if root.tag == SIGNATURE:
        return True
    return root.tag in _CONTAINERS and all(child.tag == SIGNATURE for child in root.iterchildren("*")) and not speaks(root)


def loose_objects(signature: etree._Element, signed: AbstractSet[etree._Element]) -> int:
    """Return how many objects there are of which nothing is signed, or where something stands beside what is."""
    holders = [holder for holder in signature.iterfind(f"{{{DS}}}Object") if holder not in signed]
    return sum(speaks(holder) or any(_is_loose(child, signed) for child in holder.iterchildren("*")) for holder in holders)


def harbours_strangers(signature: etree._Element, signed: AbstractSet[etree._Element]) -> bool:
    """Tell whether there is something that is neither signed nor of the standards, wherever it hides in the signature."""
    if speaks(signature):
        return True
    pending = list(signature)
    while pending:
        element = pending.pop()
        if not isinstance(element.tag, str) or element.tag == SIGNATURE or element in signed:
            continue  # a comment says nothing, and another signature has its own examination
        if not (etree.QName(element).namespace or "").startswith(_STANDARDS) or (len(element) and speaks(element)):
            return True
        pending += element
    return False


def speaks(element: etree._Element) -> bool:
    """Tell whether there is text in an element itself; beside children, no structure of the standards has any."""
    return any((text or "").strip() for text in (element.text, *(child.tail for child in element)))


def qualifies(element: etree._Element) -> bool:
    """Tell whether an element is the properties of XAdES."""
    name = etree.QName(element)
    return name.localname == "QualifyingProperties" and name.namespace in XADES


def _is_loose(child: etree._Element, signed: AbstractSet[etree._Element]) -> bool:
    """Tell whether nobody signs what stands in an object: neither itself nor, of properties, each of them."""
    properties = child.tag == PROPERTIES and all(one in signed for one in child.iterchildren("*"))
    return child not in signed and not properties and not qualifies(child)
