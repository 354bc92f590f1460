"""The units of a manifest as a tree to be shown: deeper than a page can nest them, they stand beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEEPEST = 8


@dataclass(slots=True)
class Node:
    """A unit, and those below it."""

    title: str
    level: str
    below: list[Node] = field(default_factory=list)


def tree_of(units: Iterable[Mapping[str, Any]]) -> list[Node]:
    """Return the highest units, from all of them in the order of the document."""
    top: list[Node] = []
    known: dict[str, tuple[Node, int]] = {}
    for unit in units:
        node = Node(unit.get("title") or "", unit.get("level") or "")
        parent, depth = known.get(unit.get("parent") or "", (None, 0))
        (parent.below if parent else top).append(node)
        # Past the deepest level a unit is shown below its own parent’s parent, so that nothing is left out.
        known[unit.get("id") or ""] = (node, depth + 1) if parent is None or depth < _DEEPEST else (parent, depth)
    return top
