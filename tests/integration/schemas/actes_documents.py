"""ACTES documents to hold two schemas against each other: values at their boundaries, and what a careless hand makes of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy

from lxml import etree

ACTES = "{http://www.interieur.gouv.fr/ACTES#v1.1-20040216}"
INSEE = "{http://xml.insee.fr/schema}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

_DATES = """
    2024-03-15 2024-3-15 2024-02-30 2023-02-29 2024-02-29 20240315 15/03/2024 2024-03-15Z 2024-03-15+02:00 2024-03-15+15:00
    0000-01-01 -0001-01-01 12024-01-01 2024-03-15T10:00:00 24-03-15 2024-13-01
"""
_NUMBERS = "0 1 5 9 10 00 01 05 005 5.0 +5 -0 -1 1e2 99 100 0100 101 999 0999 998 1000 002 99999999999999999999 ٣ ٤٤ 1_0 0x1"
_DEPARTMENTS = "000 006 02A 02B 02C 0A0 0|A 00| |00 ||| 9|B 971 988 123 2A 40 0400 04a 0 ٠٤٠"
_SIRENS = "254002264 25400226 2540022645 25400226A 000000000 ٢٥٤٠٠٢٢٦٤"
_IDENTIFIERS = """
    040-254002264-20240315-2024_012-DE 040-254002264-20240315-2024_012-De 040-254002264-20240315-2024_012-ÉÀ
    040-254002264-20240315--DE 040-254002264-20240315-abcdefghijklmno-DE 040-254002264-20240315-abcdefghijklmnop-DE
    040-254002264-20240315-2024.012-DE 040-254002264-2024031-1-DE 123-254002264-20240315-1-DE 0|A-254002264-20240315-1-DE
    040-254002264-99999999-_-DE 040-254002264-20240315-1-D 040-254002264-20240315-1-DEL 040-254002264-20240315-é-DE
"""
_ADDRESSES = """
    a@b.fr a.b@c.d.fr a..b@c.fr .a@b.fr a@b a@b.f a@b.abcdef a@b.abcdefg a+b@c.fr a'b@c.fr a_b-c@d-e.fr a@b_c.fr é@b.fr a@b.f1
    a@-.fr a@b..fr a@.fr @b.fr a@b.fr. A@B.FR a@b@c.fr
"""
_BLANKS = ("", " ", "\n", "\t", " 5", "5 ", " 254002264 ", " 040 ", " 2024-03-15 ", " DE", "a b", " a@b.fr")
_LENGTHS = (*("x" * length for length in (1, 2, 3, 14, 15, 16, 499, 500, 501)), "é" * 500, "é" * 501, "𝒳" * 15, "𝒳" * 16)
BOUNDARIES = tuple(
    dict.fromkeys(
        (
            *" ".join((_DATES, _NUMBERS, _DEPARTMENTS, _SIRENS, _IDENTIFIERS, _ADDRESSES, "O N DE D DEL true")).split(),
            *_BLANKS,
            *_LENGTHS,
        )
    )
)
"""Each type of the norm takes at least one of these, and refuses at least one."""


def with_boundaries(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Yield the document with all its values replaced by one boundary after the other; the same tree each time."""
    leaves = [element for element in root.iter(etree.Element) if len(element) == 0]
    texts = [leaf.text for leaf in leaves]
    attributes = [
        (element, name, value) for element in root.iter(etree.Element) for name, value in element.items() if XSI not in name
    ]
    for value in BOUNDARIES:
        for leaf, text in zip(leaves, texts, strict=True):
            leaf.text = value if text is not None else None
        for element, name, _ in attributes:
            element.set(name, value)
        yield f"{value[:40]!r} ({len(value)})", root
    for leaf, text in zip(leaves, texts, strict=True):
        leaf.text = text
    for element, name, value in attributes:
        element.set(name, value)


def without_attributes(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Yield the document with each attribute removed, then without its prefix, then in the other namespace, then twice."""
    for element in root.iter(etree.Element):
        for name, value in element.items():
            if XSI in name:
                continue
            local = etree.QName(name).localname
            del element.attrib[name]
            yield f"without {name} of {element.tag}", root
            for other in (local, f"{INSEE}{local}", f"{ACTES}{local}", f"{ACTES}{local.lower()}", "{urn:autre}x"):
                if other != name:
                    element.set(other, value)
                    yield f"{other} for {name} of {element.tag}", root
                    del element.attrib[other]
            element.set(name, value)


def mutated(bases: list[etree._Element], count: int, seed: int) -> Iterator[tuple[str, etree._Element]]:
    """Yield damaged copies of documents, always the same for a seed."""
    chance = random.Random(seed)
    tags = sorted({element.tag for base in bases for element in base.iter(etree.Element)})
    names = sorted({name for base in bases for element in base.iter(etree.Element) for name in element.attrib if XSI not in name})
    for _ in range(count):
        root = deepcopy(chance.choice(bases))
        story = [_damage(root, chance, tags, names) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        yield "; ".join(story), root


def _damage(root: etree._Element, chance: random.Random, tags: list[str], names: list[str]) -> str:
    elements = list(root.iter(etree.Element))
    element = chance.choice(elements[1:] or elements)
    parent = element.getparent()
    damage = chance.choice(
        ("delete", "duplicate", "swap", "rename", "set", "unset", "text", "tail", "child", "move", "reverse", "namespace", "nil")
    )
    place = root.getroottree().getpath(element)
    if damage == "set":
        element.set(chance.choice(names), chance.choice(BOUNDARIES))
    elif damage == "unset" and element.attrib:
        del element.attrib[chance.choice(sorted(element.attrib))]
    elif damage == "text":
        element.text = chance.choice(BOUNDARIES)
    elif damage == "child":
        etree.SubElement(element, chance.choice(tags)).text = chance.choice(BOUNDARIES)
    elif damage == "nil":
        element.set(f"{XSI}nil", chance.choice(("true", "false", "1", "oui")))
    elif parent is not None:
        _displace(damage, element, parent, chance, tags)
    return f"{damage} {place}"


def _displace(damage: str, element: etree._Element, parent: etree._Element, chance: random.Random, tags: list[str]) -> None:
    root = element.getroottree().getroot()
    if damage == "delete":
        parent.remove(element)
    elif damage == "duplicate":
        element.addnext(deepcopy(element))
    elif damage == "swap" and (other := element.getnext()) is not None:
        other.addnext(element)
    elif damage == "rename":
        element.tag = chance.choice(tags)
    elif damage == "tail":
        element.tail = chance.choice((" ", "x", "\n"))
    elif damage == "move":
        within = set(element.iter())
        chance.choice([other for other in root.iter(etree.Element) if other not in within]).append(element)
    elif damage == "reverse":
        parent[:] = reversed(parent)
    elif damage == "namespace":
        element.tag = chance.choice(("", "{urn:autre}", INSEE)) + etree.QName(element).localname
