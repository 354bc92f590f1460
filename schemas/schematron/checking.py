"""Holding a document against a stylesheet of rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.schematron.process import Process

_process = Process()


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that did not hold at one place.

    Attributes:
        rule: its identifier, as its authors write it; empty when they gave it none.
        fatal: False when they call it a warning.
        location: XPath of the element or attribute, namespaces spelled out in predicates.
        text: what they say of it, shortened to 1000 characters.
    """

    rule: str
    fatal: bool
    location: str
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules found: at most ``child.SHOWN`` of them in full, and how many there are."""

    first: tuple[Finding, ...]
    total: int


class Schematron:
    """Rules compiled to XSLT 2.0, in a file. The child is started, and the rules are compiled, at the first document."""

    def __init__(self, stylesheet: Path) -> None:
        self.stylesheet = stylesheet

    def findings(self, document: bytes) -> Findings:
        """Return what the rules find in a document.

        Args:
            document: XML in UTF-8 without declaration or DOCTYPE, whose size was bounded.

        Raises:
            NotApplied: the rules cannot be applied to it.
            TooLong: they take too long on it.
            Misconfigured: the stylesheet cannot be read or compiled.
            Unavailable: the child does not live to answer, nor another in its place.
        """
        answer = _process.run(str(self.stylesheet), document)
        return Findings(tuple(Finding(*found) for found in answer["findings"]), answer["total"])
