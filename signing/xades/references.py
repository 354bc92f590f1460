"""Reading the references of SignedInfo and of manifests; what they ask for is held against a closed list, and nothing is run.

The few expressions that take every signature out of a document are known by heart: they are how several signatures stand side by
side, and tools write them to the letter. Any other expression, and any stylesheet, is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import Enum, auto

from lxml import etree

from signing.algorithms import ENVELOPED
from signing.pes.layout import DS
from signing.pes.signature import Unreadable
from signing.xades.forms import FORMS, Form, form_of

_BASE64 = "http://www.w3.org/2000/09/xmldsig#base64"
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
_NOT_IN_SIGNATURES = re.compile(r"\s*not\(\s*ancestor-or-self::([\w.\-]+):Signature\s*\)\s*")
_ALL_SIGNATURES = re.compile(r"\s*/(?:descendant::|\*/)([\w.\-]+):Signature\s*")
_PARTS = (f"{{{DS}}}Transforms", f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue")


class Cut(Enum):
    """Which signatures a reference leaves out."""

    NONE = auto()
    OWN = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the octets to digest are made.

    Attributes:
        cut: the signatures left out.
        form: the canonical form, when one is named.
        decoded: the text is base64, and what it stands for is digested.
    """

    cut: Cut = Cut.NONE
    form: Form | None = None
    decoded: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """What a signature designates, and the digest it announces.

    Attributes:
        uri: as written; None when the attribute is absent.
        transforms: their identifiers, in order.
        recipe: what they amount to; None when they are not admitted.
        digest_method: the identifier of the digest.
        digest: the announced digest.
    """

    uri: str | None
    transforms: tuple[str, ...]
    recipe: Recipe | None
    digest_method: str
    digest: bytes


def read_references(parent: etree._Element) -> tuple[Reference, ...]:
    """Return the references among the children of a SignedInfo or of a Manifest.

    Raises:
        Unreadable: one does not have the form of the standard (XMLDSig 1.1, 4.4.3).
    """
    return tuple(_reference(child) for child in parent.iterfind(f"{{{DS}}}Reference"))


def _reference(element: etree._Element) -> Reference:
    parts = list(element)
    if tuple(part.tag for part in parts) not in {_PARTS, _PARTS[1:]}:
        raise Unreadable("Reference")
    transforms = list(parts[0]) if parts[0].tag == _PARTS[0] else []
    if any(transform.tag != f"{{{DS}}}Transform" for transform in transforms):
        raise Unreadable("Transforms")
    return Reference(
        uri=element.get("URI"),
        transforms=tuple(_algorithm(transform) for transform in transforms),
        recipe=_recipe(transforms),
        digest_method=_algorithm(parts[-2]),
        digest=_octets(parts[-1]),
    )


def _recipe(transforms: list[etree._Element]) -> Recipe | None:
    """Return what transforms amount to: signatures cut first, then one form or a decoding, and nothing after it."""
    recipe = Recipe()
    for transform in transforms:
        algorithm = _algorithm(transform)
        if recipe.form is not None or recipe.decoded:
            return None
        if algorithm in {_XPATH, _FILTER} and _leaves_signatures_out(transform, algorithm):
            recipe = Recipe(Cut.ALL)
        elif algorithm in FORMS:
            form = form_of(transform)
            if form is None:
                return None
            recipe = Recipe(recipe.cut, form)
        elif len(transform) or (transform.text or "").strip():
            return None
        elif algorithm == ENVELOPED and recipe.cut is Cut.NONE:
            recipe = Recipe(Cut.OWN)
        elif algorithm == _BASE64 and recipe.cut is Cut.NONE:
            recipe = Recipe(decoded=True)
        else:
            return None
    return recipe


def _leaves_signatures_out(transform: etree._Element, algorithm: str) -> bool:
    namespace, attributes = (DS, {}) if algorithm == _XPATH else (_FILTER, {"Filter": "subtract"})
    if len(transform) != 1 or (transform.text or "").strip():
        return False
    expression = transform[0]
    if expression.tag != f"{{{namespace}}}XPath" or len(expression) or dict(expression.attrib) != attributes:
        return False
    known = _NOT_IN_SIGNATURES if algorithm == _XPATH else _ALL_SIGNATURES
    found = known.fullmatch(expression.text or "")
    return found is not None and expression.nsmap.get(found[1]) == DS


def _algorithm(element: etree._Element) -> str:
    return str(element.get("Algorithm") or "")


def _octets(element: etree._Element) -> bytes:
    if len(element):
        raise Unreadable("DigestValue")
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("DigestValue") from error
