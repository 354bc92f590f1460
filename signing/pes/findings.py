"""What the examination of signatures may find: which rule of the DGFiP it breaks, and what it does to belief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lxml import etree

from core.messages import Catalogue
from signing.pes.layout import path_of
from signing.verdicts import Belief

messages = Catalogue("signing")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, at one place.

    Attributes:
        key: the message's key in the catalogue (``S04.digest``); what precedes the point is the rule, ``time`` being none.
        belief: the best verdict that is left for the signature; None when it says nothing about that.
        message: in words.
        line: of the element, from 1.
        path: of the element.
        found: what stands there.
        expected: what should.
    """

    key: str
    belief: Belief | None
    message: str
    line: int | None = None
    path: str | None = None
    found: str | None = None
    expected: str | None = None

    @classmethod
    def at(
        cls,
        element: etree._Element,
        key: str,
        belief: Belief | None = Belief.INVALID,
        *,
        found: str | None = None,
        expected: str | None = None,
    ) -> Self:
        """Make a finding at an element, its message taken from the catalogue."""
        places = {"found": found or "", "expected": expected or ""}
        return cls(key, belief, messages(key, **places), element.sourceline, path_of(element), found, expected)

    @property
    def rule(self) -> str | None:
        """The number of the rule, or None when it is not one of the DGFiP."""
        rule = self.key.partition(".")[0]
        return rule if rule.startswith("S") else None
