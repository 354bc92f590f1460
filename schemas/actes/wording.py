"""How the rules of this room speak: a problem from its rule, its variant and what was found, in the current language."""

from __future__ import annotations

from core.messages import Catalogue
from core.problems import Problem, Severity

messages = Catalogue("schemas.actes")


def problem(
    rule: str,
    variant: str = "",
    severity: Severity = Severity.ERROR,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
    **places: object,
) -> Problem:
    """Return a problem in the words of the catalogue.

    The words are those of the rule's variant (``R16.act.message``), of that variant for any document
    (``document.missing.message``), or of the rule (``R16.message``), whichever comes first.

    Args:
        rule: ``R16``.
        variant: which of the rule's messages; the plain one by default.
        severity: what it does to the verdict.
        line: from 1.
        path: XPath, or the name of a file of the archive.
        found: what stands there.
        expected: what should, when the catalogue's own words are not enough.
        **places: what the messages name.
    """
    filled: dict[str, object] = {"found": found or "", "expected": expected or ""} | places
    return Problem(
        rule=rule,
        severity=severity,
        message=_words(rule, variant, "message", filled) or messages(f"{rule}.message", **filled),
        line=line,
        path=path,
        found=found,
        expected=expected if expected is not None else _words(rule, variant, "expected", filled),
        mend=_words(rule, variant, "mend", filled),
    )


def warning(
    rule: str,
    variant: str = "",
    *,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
) -> Problem:
    """Return a problem that only warns."""
    return problem(rule, variant, Severity.WARNING, path=path, found=found, expected=expected)


def _words(rule: str, variant: str, kind: str, places: dict[str, object]) -> str | None:
    for name in (f"{rule}.{variant}.{kind}", f"document.{variant}.{kind}", f"{rule}.{kind}"):
        if name in messages:
            return messages(name, **places)
    return None
