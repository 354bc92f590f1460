"""What the rules on bordereaux (B) find, said in words: a warning at an element, for Hélios refuses a bordereau, not the flow."""

from __future__ import annotations

from functools import partial

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words

_messages = Catalogue("schemas.pes")
_problem = partial(problem_in_words, _messages, severity=Severity.WARNING)
# Nothing is refused for these: what they say is of the scope of the flow.
_REMARKS = frozenset({"B02.roll", "B03", "B17", "B18", "B20"})


def at(
    element: etree._Element, rule: str, variant: str = "", *, found: str | None = None, expected: str | None = None
) -> Problem:
    """Return what a rule has to say at an element."""
    path = str(element.getroottree().getpath(element))
    scope = "flow" if rule in _REMARKS or f"{rule}.{variant}" in _REMARKS else "bordereau"
    return _problem(rule, variant, line=element.sourceline, path=path, found=found, expected=expected, scope=scope)
