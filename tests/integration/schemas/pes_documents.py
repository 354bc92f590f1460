"""Documents to hold two schemas against each other: the fullest that a schema allows, and what a careless hand makes of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xmlschema
from lxml import etree
from xmlschema.validators import XsdElement, XsdGroup

_LEFT_OUT = {"PES_DepenseRetour", "PES_RecetteRetour", "PES_ClientRetour"}
_UNREAD = {"PES_Facture", "PES_Marche", "Signature"}

_TOKENS = """
    03-2026 12345678-1 20260000000001 2026A1B2C3 99512 75056 2026-03-02T10:00:00 10:00:00 75 FR
    . .. nc nd xc NC n - ... ncx é A Z9 œ € 0 00 000 0000000 1 2 3 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 18
    19 20 29 30 50 64 65 70 74 75 99 001 006 013 014 100 0.0 0.01 0.001 1.5 1.00 1.000 1,5 +1 -1 -0.01 1e3 INF 99.99
    100.00 999.99 1000.00 999999999999.99 9999999999999.99 true false TRUE yes 2026 02026 -0001 26 2026Z 2026-03-02
    2026-02-30 2026-3-2 2026-03-02Z 2026-03-02+01:00 20260302 02/03/2026 0000-01-01 099012 0990123 02A123 02B1234
    02C123 02A12 09901 000000 A0 0A 2A 2C 90 96 97 98 971 979 986 512 600 99512 FR7630001007941234567890185 fr76300
    FR76 F176A BNPAFRPP BNPAFRPPXXX BNPAFRP BNPAFR0P BNPAFRPO bnpafrpp BNPAFRPPXX facture.pdf facture.p facture.jpeg
    facture.jpegs .pdf facture f.p_f Saint-Exemple ŒUF L'ÎLE F#1 a_b/c RUM+1:2?(3).,' ERREUR_AUTRE ERREUR_PJ
    ERREUR_INCONNUE http://example.test/a 1.00000000000000000000
"""
# Each type of the protocol takes at least one of these, and refuses at least one.
BOUNDARIES = (
    *("", " ", ". ", "a b", "a\tb", "a\nb", "\n", " 1", "1 ", "SAINT-EXEMPLE (01)", "F-2026/01_+ 2"),
    *_TOKENS.split(),
    *(
        "x" * length
        for length in (3, 4, 5, *range(8, 40), 50, 51, 70, 71, 80, 81, 100, 101, 140, 141, 160, 161, 250, 251, 500, 501)
    ),
    *("f" * length + ".pdf" for length in (96, 97)),
    *(".5", "0.5", "12.5"),
    *("1" * length for length in (*range(2, 21), 25, 26, 50, 51)),
    *("0" * length for length in (4, 5, 6, 9, 10, 11, 13, 14, 15)),
    *("9" * 8, "X" * 70, "X" * 71, "1" + "0" * 14, "a" + "0" * 20, "0" * 30 + "1"),
)


_ORDINARY = ("1", "01", "001", "A", "123", "2026", "2026-03-02", "2026-03-02T10:00:00", "10:00:00")


def fullest(schema: Path, name: str, *, seed: int, optional: bool = True, often: int = 1, unread: bool = False) -> etree._Element:
    """Return the fullest document of a root.

    Args:
        schema: any XSD; xmlschema walks it, which is independent of libxml2.
        name: local name of the root.
        seed: decides which branch of each choice is taken.
        optional: whether optional elements are there.
        often: how often what may be repeated is.
        unread: whether the parts that our schemas let through unread are there.
    """
    root = _walked(schema).elements[name]
    element = etree.Element(root.qualified_name, nsmap={"n": root.target_namespace})
    _Filling(random.Random(seed), optional, often, _LEFT_OUT if unread else _LEFT_OUT | _UNREAD).fill(element, root)
    if "Id" in root.type.attributes:
        element.set("Id", "ROOT")
    return element


@cache
def _walked(schema: Path) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(schema))


@dataclass
class _Filling:
    chance: random.Random
    optional: bool
    often: int
    left_out: set[str]

    def fill(self, element: etree._Element, declared: XsdElement) -> None:
        if declared.type.is_simple():
            element.text = _accepted(declared.type)
            return
        if declared.local_name == "Bordereau" and "Id" in declared.type.attributes:
            element.set("Id", f"BRD{len(element.getroottree().findall('.//Bordereau'))}")
        for name, attribute in declared.type.attributes.items():
            if name is not None and attribute.use == "required":
                element.set(name, _accepted(attribute.type))
        if declared.type.has_simple_content():
            element.text = _accepted(declared.type.content)
        elif isinstance(declared.type.content, XsdGroup):
            self.fill_group(element, declared.type.content)

    def fill_group(self, element: etree._Element, group: XsdGroup) -> None:
        named = [particle for particle in group if isinstance(particle, (XsdElement, XsdGroup))]
        for particle in [self.chance.choice(named)] if group.model == "choice" and named else named:
            if not self.optional and particle.min_occurs == 0:
                continue
            if isinstance(particle, XsdGroup):
                self.fill_group(element, particle)
            elif particle.local_name not in self.left_out:
                for _ in range(self.often if particle.max_occurs is None else 1):
                    self.fill(etree.SubElement(element, particle.name), particle)


def _accepted(simple: xmlschema.XsdType) -> str:
    return next(value for value in (*(simple.enumeration or ()), *_ORDINARY, *BOUNDARIES) if simple.is_valid(value))


def codes(*folders: Path) -> set[str]:
    """Return every code that the closed lists of these schemas name."""
    schemas = [path for folder in folders for path in sorted(folder.rglob("*.xsd"))]
    return {code for path in schemas for code in etree.parse(str(path)).xpath("//*[local-name() = 'enumeration']/@value")}


def with_boundaries(root: etree._Element, more: Iterable[str]) -> Iterator[tuple[str, etree._Element]]:
    """Yield the document with all values replaced by one boundary after the other, then without any; the same tree each time."""
    elements = [element for element in root.iter(etree.Element) if "V" in element.attrib]
    originals = [element.get("V") for element in elements]
    for value in (*BOUNDARIES, *more):
        for element in elements:
            element.set("V", value)
        yield f"V={value[:40]!r} ({len(value)})", root
    for element in elements:
        del element.attrib["V"]
    yield "no V", root
    for element, original in zip(elements, originals, strict=True):
        element.set("V", original)


def damaged_everywhere(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Yield the document with each kind of element removed (with followers), doubled, moved; the tree is put back each time."""
    seen: set[str] = set()
    for element in list(root.iterdescendants(etree.Element)):
        place = "/".join([*(ancestor.tag for ancestor in element.iterancestors()), element.tag])
        if place in seen:
            continue
        seen.add(place)
        parent = element.getparent()
        children = list(parent)
        rank = children.index(element)
        without = children[:rank] + children[rank + 1 :]
        for story, damaged in {
            "without": without,
            **{f"without {many} from": children[:rank] + children[rank + many :] for many in (2, 3, 4, 5)},
            "twice": [*children[: rank + 1], _without_ids(element), *children[rank + 1 :]],
            "later": [*without[: rank + 1], element, *without[rank + 1 :]],
        }.items():
            parent[:] = damaged
            yield f"{story} {place}", root
        parent[:] = children


def _without_ids(element: etree._Element) -> etree._Element:
    copy = deepcopy(element)
    for bearer in copy.iter(etree.Element):
        bearer.attrib.pop("Id", None)
    return copy


def mutated(bases: list[etree._Element], count: int, seed: int) -> Iterator[tuple[str, etree._Element]]:
    """Yield damaged copies of documents, always the same for a seed."""
    chance = random.Random(seed)
    names = sorted({element.tag for base in bases for element in base.iter(etree.Element) if not element.tag.startswith("{")})
    for _ in range(count):
        root = deepcopy(chance.choice(bases))
        story = [_damage(root, chance, names) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        yield "; ".join(story), root


def _damage(root: etree._Element, chance: random.Random, names: list[str]) -> str:
    elements = list(root.iter(etree.Element))[1:]
    element = chance.choice(elements)
    parent = element.getparent()
    damage = chance.choice(
        ("delete", "duplicate", "swap", "rename", "value", "unset", "attribute", "text", "child", "move", "reverse", "wrap", "id")
    )
    place = root.getroottree().getpath(element)
    if damage == "delete":
        parent.remove(element)
    elif damage == "duplicate":
        element.addnext(chance.choice((deepcopy, _without_ids))(element))
    elif damage == "swap" and (other := element.getnext()) is not None:
        other.addnext(element)
    elif damage == "rename":
        element.tag = chance.choice(names)
    elif damage == "value":
        element.set("V", chance.choice(BOUNDARIES))
    elif damage == "unset" and element.attrib:
        del element.attrib[chance.choice(sorted(element.attrib))]
    elif damage == "attribute":
        element.set(chance.choice(("V", "Id", "v", "W", "MIMEType")), chance.choice(("1", "A1", "")))
    elif damage == "text":
        element.text = chance.choice((" ", "x", "\n", "0"))
    elif damage == "child":
        etree.SubElement(element, chance.choice(names), V=chance.choice(BOUNDARIES))
    elif damage == "move":
        chance.choice([other for other in elements if element not in [other, *other.iterancestors()]] or [root]).append(element)
    elif damage == "reverse":
        parent[:] = reversed(parent)
    elif damage == "wrap":
        element.tag = "{urn:example}" + etree.QName(element).localname
    elif damage == "id":
        element.set("Id", chance.choice(("BRD1", "ROOT", "9A", "A B", "_x", "")))
    return f"{damage} {place}"
