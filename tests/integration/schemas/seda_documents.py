"""SEDA messages to hold two schemas against each other: the fullest that the official schema allows, and values at boundaries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xmlschema
from lxml import etree
from xmlschema.validators import XsdElement, XsdGroup

XML = "{http://www.w3.org/XML/1998/namespace}"
VERSIONS = ("2.1", "2.2", "2.3")
LEGACY_VERSIONS = ("0.2", "1.0")
ROOTS = (
    "ArchiveTransfer",
    "ArchiveTransferReply",
    "Acknowledgement",
    "ArchiveDestructionNotification",
    "ArchiveDeliveryRequestReply",
    "ArchiveRestitutionRequestReply",
)
_DEEPEST = 2
_NESTED = ("ArchiveUnit", "ArchiveObject", "Contains", "RelatedData")
_DATES = """
    2024-03-15 2024-3-15 2024-02-30 2023-02-29 2024-02-29 15/03/2024 2024-03-15Z 2024-03-15+02:00 2024-03-15+15:00 0000-01-01
    -0001-01-01 12024-01-01 2024-03-15T10:00:00 2024-03-15T10:00:00Z 2024-03-15T10:00:00.123+01:00 2024-03-15T25:00:00 2024
    2024-03 --03 --03-15 ---15 --03-- 24 2024Z
"""
_NUMBERS = "0 1 5 -1 +5 -0 +0 1.0 1.5 .5 01 1e2 99999999999999999999 2147483647 2147483648 -2147483649 INF NaN ٣ 0x1 1_0"
_CODES = """
    Fonds Subfonds Class Collection Series Subseries RecordGrp SubGrp File Item OtherLevel item corpname famname geogname name
    occupation persname subject genreform function Keep Destroy keep RestrictAccess Transfer Copy SignedDocument Timestamp
    Signature AdditionalProof true false TRUE fr fra fr-FR français metre centimetre CMT millimetre MMT micrometre 4H foot FOT
    inch INH kilogram KGM gram GRM milligram MGM microgram MC pound
"""
_OTHERS = "SHA-256 ab abc abcd YWJj YWJjZA== YWJjZA= _x é 9a a:b content/a%20b.pdf ../x %zz http://[x urn:x a#b#c"
_BLANKS = ("", " ", "\n", "\t", " a ", "a b", "a  b", " Item ", "Public Archive", "Private Archive", "Public and Private Archive")
BOUNDARIES = (*_BLANKS, "Public  Archive", "x" * 1_000, *" ".join((_DATES, _NUMBERS, _CODES, _OTHERS)).split())
"""Each type of SEDA takes at least one of these, and refuses at least one."""

_NAME = "an identifier, or a reference to one: each is another"
_ORDINARY = ("a", "1", "P1Y", "fr", "2024-03-15", "2024-03-15T10:00:00", "YWJj", *BOUNDARIES)
_VALUES: dict[int, str] = {}
"""What a type is filled with; the schemas that types belong to are never let go of."""


@cache
def official_walked(folder: Path, version: str) -> xmlschema.XMLSchema:
    """Return an official schema for walking; xmlschema reads it, which is independent of libxml2."""
    local = {
        "http://www.w3.org/2001/xml.xsd": folder / "w3c/2001/xml.xsd",
        "http://www.w3.org/1999/xlink.xsd": folder / "w3c/1999/xlink.xsd",
    }
    old = version.replace(".", "-")
    legacy = folder / f"seda_v{old}" / f"seda_v{old}.xsd"
    path = legacy if version in LEGACY_VERSIONS else folder / f"seda-{version}" / f"seda-{version}-main.xsd"
    return xmlschema.XMLSchema(str(path), uri_mapper=lambda uri: str(local.get(uri, uri)), allow="local")


def fullest(
    schema: xmlschema.XMLSchema, name: str, *, seed: int, optional: bool = True, left_out: frozenset[str] = frozenset()
) -> etree._Element:
    """Return the fullest message of a root, its units two deep; only a transfer holds its package.

    Args:
        schema: an official one.
        name: local name of the root.
        seed: decides which branch of each choice is taken.
        optional: whether optional elements and attributes are there.
        left_out: names of elements that are not.
    """
    root = schema.elements[name]
    element = etree.Element(root.qualified_name, nsmap={"s": root.target_namespace})
    left_out |= set() if name == "ArchiveTransfer" else {"DataObjectPackage"}
    _Filling(random.Random(seed), optional, left_out, _VALUES).fill(element, root)
    return element


@dataclass
class _Filling:
    chance: random.Random
    optional: bool
    left_out: frozenset[str]
    values: dict[int, str]
    ids: int = 0

    def fill(self, element: etree._Element, declared: XsdElement) -> None:
        if declared.type.is_simple():
            element.text = self._value(declared.type)
            return
        for name, attribute in declared.type.attributes.items():
            if name is not None and attribute.use != "prohibited" and (self.optional or attribute.use == "required"):
                element.set(name, attribute.fixed or self._value(attribute.type))
        if declared.type.has_simple_content():
            element.text = self._value(declared.type.content)
        elif isinstance(declared.type.content, XsdGroup):
            self.fill_group(element, declared.type.content)

    def fill_group(self, element: etree._Element, group: XsdGroup) -> None:
        named = [one for one in group if isinstance(one, (XsdElement, XsdGroup)) and self._may_stand(one, element)]
        for particle in [self.chance.choice(named)] if group.model == "choice" and named else named:
            if not self.optional and particle.min_occurs == 0:
                continue
            if isinstance(particle, XsdGroup):
                self.fill_group(element, particle)
            else:
                self.fill(etree.SubElement(element, particle.name), particle)

    def _may_stand(self, declared: XsdElement | XsdGroup, parent: etree._Element) -> bool:
        if isinstance(declared, XsdGroup):
            return True
        if declared.abstract or declared.type.abstract or declared.local_name in self.left_out:
            return False
        above = sum(ancestor.tag == declared.name for ancestor in (parent, *parent.iterancestors()))
        return declared.local_name not in _NESTED or above < _DEEPEST

    def _value(self, simple: xmlschema.XsdType) -> str:
        if id(simple) not in self.values:
            values = (*(simple.enumeration or ()), *_ORDINARY)
            named = not simple.enumeration and simple.is_valid("A1") and not simple.is_valid("1A") and not simple.is_valid("a b")
            self.values[id(simple)] = _NAME if named else next(value for value in values if simple.is_valid(value))
        if self.values[id(simple)] != _NAME:
            return self.values[id(simple)]
        self.ids += 1
        return f"ID{self.ids}"


def with_boundaries(root: etree._Element, seen: set[tuple[str, str]]) -> Iterator[tuple[str, etree._Element]]:
    """Yield the message with all values replaced by one boundary after the other, identifiers aside; the same tree each time.

    Values that stand where others stood in a message before (``seen``, which grows) are left alone.
    """
    leaves, attributes = [], []
    for element in root.iter(etree.Element):
        parent = element.getparent()
        if len(element) == 0 and element.text is not None and _is_new(seen, parent.tag, element.tag):
            leaves.append((element, element.text))
        for name, value in element.items():
            if name not in ("id", "Id", f"{XML}id") and _is_new(seen, element.tag, f"@{name}"):
                attributes.append((element, name, value))
    for value in BOUNDARIES if leaves or attributes else ():
        for leaf, _ in leaves:
            leaf.text = value
        for element, name, _ in attributes:
            element.set(name, value)
        yield f"{value[:40]!r} ({len(value)})", root
    for leaf, text in leaves:
        leaf.text = text
    for element, name, original in attributes:
        element.set(name, original)


def without_attributes(root: etree._Element, seen: set[tuple[str, str]]) -> Iterator[tuple[str, etree._Element]]:
    """Yield the message with each kind of attribute not seen before removed, then under other names; the same tree each time."""
    for element in root.iter(etree.Element):
        for name, value in element.items():
            if not _is_new(seen, element.tag, name):
                continue
            del element.attrib[name]
            yield f"without {name} of {element.tag}", root
            local = etree.QName(name).localname
            for other in {local, f"{XML}{local}", f"{{{etree.QName(element).namespace}}}{local}"} - {name}:
                element.set(other, value)
                yield f"{other} for {name} of {element.tag}", root
                del element.attrib[other]
            element.set(name, value)


def _is_new(seen: set[tuple[str, str]], parent: str, name: str) -> bool:
    if (parent, name) in seen:
        return False
    seen.add((parent, name))
    return True
