"""Where things stand in a PES_Aller as far as signatures are concerned: domains, bordereaux, the flag, places of a signature.

What the elements mean for the budget is the business of the schemas' room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
ALLER = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"
SIGNATURE = f"{{{DS}}}Signature"
ROOT = f"{{{ALLER}}}PES_Aller"
HEADERS = {"PES_DepenseAller": "EnTeteDepense", "PES_RecetteAller": "EnTeteRecette"}
FLAG = "InfoDematerialisee"
_EARLIER = "count(preceding-sibling::*[local-name() = $name])"


@dataclass(frozen=True, slots=True)
class Domain:
    """A block of expenses or of revenues.

    Attributes:
        element: ``PES_DepenseAller`` or ``PES_RecetteAller``.
        dematerialised: the flag InfoDematerialisee stands at 1 (absent means 0).
        bordereaux: its Bordereau elements, in order.
    """

    element: etree._Element
    dematerialised: bool
    bordereaux: tuple[etree._Element, ...]

    @property
    def name(self) -> str:
        """The element's name."""
        return str(etree.QName(self.element).localname)

    @property
    def signed(self) -> list[etree._Element]:
        """The bordereaux that carry a signature, good or not."""
        return [bordereau for bordereau in self.bordereaux if own_signatures(bordereau)]


def domains(root: etree._Element) -> list[Domain]:
    """Return the domains of a PES_Aller in the order of the file, those hidden deeper in the document left out."""
    if root.tag != ROOT:
        return []
    return [
        Domain(child, _flag(child, HEADERS[name]), tuple(child.iterfind("{*}Bordereau")))
        for child in root.iterchildren("*")
        if (name := str(etree.QName(child).localname)) in HEADERS
    ]


def signatures(root: etree._Element) -> list[etree._Element]:
    """Return every ds:Signature of the document, wherever it stands."""
    return list(root.iter(SIGNATURE))


def own_signatures(element: etree._Element) -> list[etree._Element]:
    """Return the signatures that are children of the element."""
    return list(element.iterfind(SIGNATURE))


def is_true(value: str | None) -> bool:
    """Read an xs:boolean, which is ``1`` or ``true``."""
    return (value or "").strip() in {"1", "true"}


def path_of(element: etree._Element) -> str:
    """Return the XPath of an element, namespaces left out of it."""
    return "/" + "/".join(reversed(list(_steps(element))))


def _steps(element: etree._Element) -> Iterator[str]:
    while element is not None:
        rank = int(element.xpath(_EARLIER, name=etree.QName(element).localname))
        yield etree.QName(element).localname + (f"[{rank + 1}]" if rank else "")
        element = element.getparent()


def _flag(domain: etree._Element, header: str) -> bool:
    flag = domain.find(f"{{*}}{header}/{{*}}{FLAG}")
    return flag is not None and is_true(flag.get("V"))
