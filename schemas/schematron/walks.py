"""Taking out of compiled rules the walks that find nothing.

What the skeleton of ISO Schematron (ISO/IEC 19757-3) compiles goes through the whole document once for each pattern, and once
more besides, whatever a pattern is about, and notes every place where a rule was tried: most of what a long invoice costs. Here
each pattern is sent straight to the elements and attributes that bear one of its names. Contexts, conditions and words of rules
stay as their authors wrote them, and so do the findings and their order.

A pattern that is not of the skeleton's making, to the letter, is left as it is: it finds the same, in more time.
"""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

_XSL = "{http://www.w3.org/1999/XSL/Transform}"
_TEMPLATE, _APPLY = f"{_XSL}template", f"{_XSL}apply-templates"
_FIRED, _PATTERN = (f"{{http://purl.oclc.org/dsdl/svrl}}{name}" for name in ("fired-rule", "active-pattern"))
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_ELSEWHERE = [f"{_XSL}{name}" for name in ("next-match", "apply-imports", "call-template", "include", "import")]
"""With these, what a template does cannot be told from itself."""
_REREADING = {"xpath-default-namespace", "expand-text"}
"""Attributes that give names and texts another meaning."""
_FALLBACK, _TEXT, _ROOT = "@*|node()", "text()", "/"
_TO_ELEMENTS = {"*", "*|comment()|processing-instruction()"}
_TO_ATTRIBUTES = {"@*|*", "@*|*|comment()|processing-instruction()"}
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_PREDICATE = re.compile(r"\[[^\[\]]*\]")
_NAME = re.compile(r"@?(?:\*|(?:(?P<prefix>[A-Za-z_][\w.-]*):)?(?:[A-Za-z_][\w.-]*|\*))")
_NOT_ELEMENTS = re.compile(r"[@$\]\[]|::|[\w-]\s*\(|\(\s*\)|(?:^|[|(/\s])\.")
_RANKED = re.compile(r"\b(?:position|last)\s*\(")
_MOST_NAMES = 8
"""Elements of more names than that are found faster by going through all of them once."""


def without_walks(stylesheet: Path) -> str | None:
    """Return rules compiled to XSLT, without the walks that find nothing; None where nothing can be told of them.

    Args:
        stylesheet: the file; what it reads besides is found from where it stands.
    """
    try:
        tree = etree.parse(stylesheet, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=True))
    except (OSError, etree.XMLSyntaxError):
        return None  # Saxon says better what is wrong
    root = tree.getroot()
    if tree.docinfo.doctype or not _of_skeleton(root):
        return None
    _drop_what_was_tried(root)
    modes: dict[str, list[etree._Element]] = {}
    for template in root.iterchildren(_TEMPLATE):
        modes.setdefault(template.get("mode", ""), []).append(template)
    for mode, templates in modes.items():
        _straighten(root, mode, templates)
    root.set(_BASE, stylesheet.absolute().as_uri())
    text: str = etree.tostring(root, encoding="unicode")
    return text


def _of_skeleton(root: etree._Element) -> bool:
    """Tell whether templates without a mode say nothing of any element, and each template stands for itself."""
    plain = {one.get("match") for one in root.iterchildren(_TEMPLATE) if one.get("mode") is None}
    strange = any(_REREADING & {*one.attrib} or one.get("mode", "").startswith("#") for one in root.iter(etree.Element))
    return plain == {_ROOT, _TEXT} and not strange and next(root.iter(_ELSEWHERE), None) is None


def _drop_what_was_tried(root: etree._Element) -> None:
    for pattern in root.iter(_PATTERN):
        for walk in pattern.findall(_APPLY):
            if not walk.attrib:
                pattern.remove(walk)
    for fired in [*root.iter(_FIRED)]:
        _remove(fired)


def _straighten(root: etree._Element, mode: str, templates: list[etree._Element]) -> None:
    """Send a pattern straight to what its rules may match, where it went from each node to those below."""
    calls = [one for one in root.iter(_APPLY) if one.get("mode") == mode]
    starts = [one for one in calls if one.get("select") == _ROOT]
    onwards = [one for one in calls if one.get("select") != _ROOT]
    ways = {one.get("select", "") for one in onwards}
    going = [one for one in templates if one.get("match") != _TEXT]
    if len(starts) != 1 or len(ways) != 1 or [one[-1] if len(one) else None for one in going] != onwards:
        return  # some rule goes no further, and those of what is below it are not tried
    names: set[str] = set()
    for rule in (one for one in going if one.get("match") != _FALLBACK):
        of_rule = None if _counts(rule) else _names(rule, starts[0])
        if of_rule is None:
            return
        names |= of_rule
    with_attributes = any(name.startswith("@") for name in names)
    if not ways <= (_TO_ATTRIBUTES if with_attributes else _TO_ATTRIBUTES | _TO_ELEMENTS):
        return
    for onward in onwards:
        _remove(onward)
    starts[0].set("select", _places(names))


def _counts(rule: etree._Element) -> bool:
    """Tell whether a rule asks where a node stands among those that it was sent to."""
    return any(_RANKED.search(str(value)) for one in rule.iterdescendants() for value in one.attrib.values())


def _names(rule: etree._Element, start: etree._Element) -> set[str] | None:
    """Return the names of what a rule may match, as a path writes them; None when that cannot be told."""
    match, before = _LITERAL.sub("", rule.get("match", "")), ""
    while match != before:
        match, before = _PREDICATE.sub("", match), match
    steps = [alternative.rpartition("/")[2].strip() for alternative in match.split("|")]
    named = [found for step in steps if (found := _NAME.fullmatch(step))]
    if len(named) < len(steps):
        return None if _NOT_ELEMENTS.search(match) or not all(steps) else {"*"}
    prefixes = {one["prefix"] for one in named if one["prefix"]}
    return set(steps) if all(rule.nsmap.get(one) == start.nsmap.get(one) for one in prefixes) else None


def _places(names: set[str]) -> str:
    elements = sorted(name for name in names if not name.startswith("@"))
    if "*" in elements or len(elements) > _MOST_NAMES:
        elements = ["*"]
    attributes = sorted(name for name in names if name.startswith("@"))
    return " | ".join(f"//{name}" for name in (*elements, *attributes)) or "()"


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)
