"""How the rules of this room speak: a problem from its rule, its variant and what was found, in the current language."""

from __future__ import annotations

from core.messages import Catalogue
from core.problems import Problem, Severity

messages = Catalogue("schemas.invoices")
PACKAGING, CLOSED_MODEL = "packaging", "closed-model"


def problem(
    rule: str,
    variant: str,
    severity: Severity = Severity.ERROR,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
    scope: str = "flow",
    **places: object,
) -> Problem:
    """Return a problem in the words of the catalogue (``XSD.value.message``, ``.expected``, ``.mend``; else ``XSD.mend``).

    Args:
        rule: ``XML``, ``XSD``, ``packaging``…
        variant: which of the rule's messages.
        severity: what it does to the verdict.
        line: from 1.
        path: XPath, or the name of a part.
        found: what stands there.
        expected: what should, when the catalogue's own words are not enough.
        scope: how much falls with it.
        **places: what the messages name.
    """
    filled: dict[str, object] = {"found": found or "", "expected": expected or ""} | places
    return Problem(
        rule=rule,
        severity=severity,
        message=messages(f"{rule}.{variant}.message", **filled),
        line=line,
        path=path,
        found=found,
        expected=expected if expected is not None else words(f"{rule}.{variant}.expected", **filled),
        mend=words(f"{rule}.{variant}.mend", **filled) or words(f"{rule}.mend", **filled),
        scope=scope,
    )


def words(key: str, **places: object) -> str | None:
    """Return the text of a key; None when the catalogue has none."""
    return messages(key, **places) if key in messages else None
